//! A function that is only a name and a rule of types.

use super::discrete::Discrete;
use super::joined::Joined;
use super::picked::{ArgBy, Mode};
use arrow::datatypes::{DataType, Field};
use datafusion_common::{Result, ScalarValue, not_impl_err, plan_err};
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion_functions_aggregate::median::median_udaf;
use datafusion_functions_aggregate::percentile_cont::percentile_cont_udaf;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The types that arguments are cast to, and the type of the result; `None` where the arguments do not fit.
pub(super) type Types = fn(&[DataType]) -> Option<(Vec<DataType>, DataType)>;

/// A row of the tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) names: &'static [&'static str],
    pub(super) types: Types,
    /// Whether it may be asked for with WITHIN GROUP.
    pub(super) within_group: bool,
}

/// A row without WITHIN GROUP.
pub(super) const fn row(names: &'static [&'static str], types: Types) -> Row {
    Row { names, types, within_group: false }
}

#[derive(Debug)]
struct Declared {
    name: &'static str,
    row: Row,
    signature: Signature,
}

/// A function for each name of a row.
pub(super) fn functions(row: &Row) -> Vec<Arc<AggregateUDF>> {
    row.names.iter().map(|name| function(name, *row)).collect()
}

/// The function of one name of a row.
pub(super) fn function(name: &'static str, row: Row) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Declared { name, row, signature: Signature::user_defined(Volatility::Immutable) }))
}

impl PartialEq for Declared {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Declared {}

impl Hash for Declared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Declared {
    fn types(&self, types: &[DataType]) -> Result<(Vec<DataType>, DataType)> {
        match (self.row.types)(types) {
            Some(types) => Ok(types),
            None => {
                let types: Vec<String> = types.iter().map(crate::front::types::name).collect();
                plan_err!("no function takes these types: {}({})", self.name, types.join(", "))
            }
        }
    }
}

impl AggregateUDFImpl for Declared {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(self.types(types)?.0)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(self.types(types)?.1)
    }

    /// What windows fall back on: DataFusion's own, where it computes the same.
    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.name {
            "median" if args.return_field.data_type().is_floating() => median_udaf().accumulator(args),
            "quantile_cont" | "percentile_cont" if args.return_field.data_type().is_floating() => {
                percentile_cont_udaf().accumulator(args)
            }
            "median" | "quantile" | "quantile_disc" | "percentile_disc" => Ok(Box::new(Discrete::new(&args)?)),
            "arg_min" | "argmin" | "min_by" if args.exprs.len() == 2 => Ok(Box::new(ArgBy::new(&args, false, false)?)),
            "arg_max" | "argmax" | "max_by" if args.exprs.len() == 2 => Ok(Box::new(ArgBy::new(&args, true, false)?)),
            "arg_min_null" => Ok(Box::new(ArgBy::new(&args, false, true)?)),
            "arg_max_null" => Ok(Box::new(ArgBy::new(&args, true, true)?)),
            "mode" if args.exprs.len() == 1 => Ok(Box::new(Mode::new(&args)?)),
            "string_agg" | "group_concat" | "listagg" => Ok(Box::new(Joined::new(&args)?)),
            _ => not_impl_err!("{} over a window", self.name),
        }
    }

    fn supports_within_group_clause(&self) -> bool {
        self.row.within_group
    }

    fn supports_null_handling_clause(&self) -> bool {
        false
    }

    /// What it is of no rows, where a subquery must know: counts are 0.
    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match self.name {
            "approx_count_distinct" | "approx_distinct" => Ok(ScalarValue::Int64(Some(0))),
            "entropy" => Ok(ScalarValue::Float64(Some(0.0))),
            _ => ScalarValue::try_from(data_type),
        }
    }
}

/// A list of values of a type.
pub(super) fn list(of: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(of.clone(), true)))
}

/// Whether a value is a number, or null.
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_null()
}
