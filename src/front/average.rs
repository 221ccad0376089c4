//! `avg` as people expect it: of decimals it is a float, as in DuckDB, not a decimal cut off after a few digits.

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion_common::Result;
use datafusion_common::types::{NativeType, logical_float64};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Coercion, Expr, Signature, TypeSignature, TypeSignatureClass,
    Volatility,
};
use datafusion_functions_aggregate::average::avg_udaf;
use std::sync::Arc;

/// The average of `expr`: a float for numbers, a timestamp for dates and timestamps, an interval for intervals; nulls do not
/// count.
pub fn avg(expr: Expr) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(function(), vec![expr], false, None, vec![], None))
}

/// The function of the registry.
pub(super) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Average { signature: signature(), aliases: vec!["mean".into()] }))
}

fn signature() -> Signature {
    let numbers = vec![TypeSignatureClass::Integer, TypeSignatureClass::Float, TypeSignatureClass::Decimal];
    let float = TypeSignatureClass::Native(logical_float64());
    Signature::one_of(
        vec![
            TypeSignature::Coercible(vec![Coercion::new_exact(TypeSignatureClass::Duration)]),
            TypeSignature::Coercible(vec![Coercion::new_exact(TypeSignatureClass::Timestamp)]),
            TypeSignature::Coercible(vec![Coercion::new_exact(TypeSignatureClass::Interval)]),
            TypeSignature::Exact(vec![DataType::Date32]),
            TypeSignature::Coercible(vec![Coercion::new_implicit(float, numbers, NativeType::Float64)]),
        ],
        Volatility::Immutable,
    )
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    signature: Signature,
    aliases: Vec<String>,
}

impl AggregateUDFImpl for Average {
    fn name(&self) -> &str {
        "avg"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        // What `moments` makes of them.
        match types {
            [DataType::Date32] => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
            [DataType::Timestamp(_, zone)] => Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
            [interval @ DataType::Interval(_)] => Ok(interval.clone()),
            _ => avg_udaf().return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        avg_udaf().accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        avg_udaf().state_fields(args)
    }
}
