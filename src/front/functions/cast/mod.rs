//! Casts with DuckDB's meaning, where Arrow's is another: text is what cells show, text is read leniently, fractions are
//! rounded, nested values are cast inside.
//!
//! After the types are settled, [`Casts`] replaces such casts by functions ([`CastTo`]); the simplifier folds them like
//! any other. Casts between numbers that only widen or are checked by Arrow stay as they are: the optimizer knows them.
//!
//! What does not fit is an error that names the value and the type; `TRY_CAST` gives null.

mod blob;
mod interval;
mod nested;
mod number;
mod time;

pub(super) use interval::parse as parse_interval;
pub(super) use time::zone_shift;

use super::args::{Args, Column};
use super::row::is_text;
use crate::front::types;
use crate::front::walk;
use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder, new_null_array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TransformedResult};
use datafusion_common::{DFSchema, DataFusionError, Result, ScalarValue, exec_datafusion_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TryCast, Volatility,
};
use datafusion_optimizer::AnalyzerRule;
use std::sync::Arc;

/// The rule: runs after type coercion.
#[derive(Debug)]
pub(in crate::front) struct Casts;

impl AnalyzerRule for Casts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        walk::plan_up(plan, &mut cast_node).data()
    }

    fn name(&self) -> &str {
        "casts"
    }
}

fn cast_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
    }
    let names = NamePreserver::new(&plan);
    let changed = walk::exprs(plan, &mut |expr| {
        let name = names.save(&expr);
        let done = walk::expr_up(expr, &mut |e| cast_expr(e, &schema))?;
        Ok(done.update_data(|e| name.restore(e)))
    })?;
    match changed.transformed {
        true => changed.map_data(LogicalPlan::recompute_schema),
        false => Ok(changed),
    }
}

/// A cast, as ours.
pub(in crate::front) fn cast_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (inner, field, lenient) = match &expr {
        Expr::Cast(Cast { expr, field }) => (expr, field, false),
        Expr::TryCast(TryCast { expr, field }) => (expr, field, true),
        _ => return Ok(Transformed::no(expr)),
    };
    match inner.get_type(schema) {
        Ok(from) if is_ours(&from, field.data_type()) => {
            let to = field.data_type().clone();
            Ok(Transformed::yes(cast_call(inner.as_ref().clone(), to, lenient)))
        }
        _ => Ok(Transformed::no(expr)),
    }
}

/// A cast as a function call.
pub(in crate::front) fn cast_call(inner: Expr, to: DataType, lenient: bool) -> Expr {
    let name = format!("{}_as_{}", if lenient { "try_cast" } else { "cast" }, types::name(&to));
    let cast = CastTo { name, to, lenient, signature: Signature::any(1, Volatility::Immutable) };
    Expr::ScalarFunction(ScalarFunction { func: Arc::new(ScalarUDF::from(cast)), args: vec![inner] })
}

/// Whether Arrow would do it in another way.
fn is_ours(from: &DataType, to: &DataType) -> bool {
    let whole = |t: &DataType| t.is_integer();
    let decimal = |t: &DataType| matches!(t, DataType::Decimal128(..) | DataType::Decimal256(..));
    match (from, to) {
        _ if from == to || matches!(from, DataType::Null) => false,
        _ if is_text(from) || is_text(to) => !(is_text(from) && is_text(to)),
        _ if from.is_nested() || to.is_nested() => true,
        (DataType::Float64, DataType::Float32) => true,
        _ => (from.is_floating() || decimal(from)) && whole(to),
    }
}

/// A cast to one type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CastTo {
    /// `cast_as_integer`, for plans.
    name: String,
    to: DataType,
    /// Whether what does not fit is null.
    lenient: bool,
    signature: Signature,
}

impl ScalarUDFImpl for CastTo {
    fn name(&self) -> &str {
        &self.name
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        let inner: Vec<String> = args.iter().map(Expr::to_string).collect();
        Ok(format!("{}({})", self.name, inner.join(", ")))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(args.iter().map(|a| a.schema_name().to_string()).collect::<Vec<_>>().join(", "))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let nullable = self.lenient || args.arg_fields.iter().any(|f| f.is_nullable());
        Ok(Arc::new(arrow::datatypes::Field::new(self.name(), self.to.clone(), nullable)))
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match call.args.as_slice() {
            [ColumnarValue::Array(array)] => Ok(ColumnarValue::Array(convert(array, &self.to, self.lenient)?)),
            [ColumnarValue::Scalar(value)] => {
                let made = convert(&value.to_array()?, &self.to, self.lenient)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?))
            }
            other => Err(exec_datafusion_err!("a cast of {} values", other.len())),
        }
    }
}

/// The values as another type; where they do not fit, null if that is `lenient`, else an error.
pub(super) fn convert(array: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let from = array.data_type();
    match (from, to) {
        _ if from == to => Ok(Arc::clone(array)),
        (DataType::Null, _) => Ok(new_null_array(to, array.len())),
        (DataType::Dictionary(_, values), _) => convert(&cast(array, values)?, to, lenient),
        _ if is_text(to) => Ok(cast(&to_text(array)?, to)?),
        _ if is_text(from) => {
            let text = cast(array, &DataType::Utf8View)?;
            from_text(text.as_string_view(), to, lenient)
        }
        _ if from.is_nested() || to.is_nested() => nested::convert(array, to, lenient),
        (DataType::Float64, DataType::Float32) => number::to_float(array, to, lenient),
        _ if is_ours(from, to) => number::to_integer(array, to, lenient),
        _ => plain(array, to, lenient),
    }
}

/// Arrow's cast.
fn plain(array: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    let options = CastOptions { safe: lenient, ..CastOptions::default() };
    Ok(cast_with_options(array, to, &options)?)
}

/// What cells show.
pub(super) fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    if is_text(array.data_type()) {
        return Ok(cast(array, &DataType::Utf8View)?);
    }
    let cells = crate::cells::Column::new(array).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let mut out = StringViewBuilder::with_capacity(array.len());
    let mut bytes = Vec::new();
    for row in 0..array.len() {
        if cells.is_null(row) {
            out.append_null();
            continue;
        }
        bytes.clear();
        cells.text(row, &mut bytes);
        out.append_value(String::from_utf8_lossy(&bytes));
    }
    Ok(Arc::new(out.finish()))
}

fn from_text(text: &StringViewArray, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    use DataType as T;
    match to {
        T::List(_) | T::LargeList(_) | T::FixedSizeList(..) | T::Struct(_) | T::Map(..) => {
            nested::from_text(text, to, lenient)
        }
        T::Date32 | T::Date64 | T::Timestamp(..) | T::Time32(_) | T::Time64(_) => time::from_text(text, to, lenient),
        T::Interval(_) => interval::from_text(text, to, lenient),
        T::Binary | T::LargeBinary | T::BinaryView => blob::from_text(text, to, lenient),
        _ => number::from_text(text, to, lenient),
    }
}

/// Says what does not fit where.
pub(super) fn misfit(value: &str, to: &DataType) -> DataFusionError {
    exec_datafusion_err!("cannot cast {value:?} to {}; TRY_CAST gives NULL instead", types::name(to))
}

/// Parses each text; null where there is none, or where it does not parse and that is `lenient`.
fn parse_each<T>(
    text: &StringViewArray,
    to: &DataType,
    lenient: bool,
    mut parse: impl FnMut(&str) -> Option<T>,
    mut push: impl FnMut(Option<T>),
) -> Result<()> {
    for value in text {
        match value.map(|v| (v, parse(v))) {
            Some((_, Some(parsed))) => push(Some(parsed)),
            None => push(None),
            Some(_) if lenient => push(None),
            Some((v, None)) => return Err(misfit(v, to)),
        }
    }
    Ok(())
}

/// An argument's values as text.
pub(super) fn texts_of(args: &Args, at: usize) -> Result<Column<StringViewArray>> {
    args.any(at)?.try_map(|array| texts_array(&array))
}

fn texts_array(array: &ArrayRef) -> Result<StringViewArray> {
    Ok(to_text(array)?.as_string_view().clone())
}

/// The values of an array as text.
pub(super) struct Texts(StringViewArray);

impl Texts {
    pub(super) fn get(&self, at: usize) -> Option<&str> {
        (at < self.0.len() && self.0.is_valid(at)).then(|| self.0.value(at))
    }
}

pub(super) fn texts_in(array: &ArrayRef) -> Result<Texts> {
    Ok(Texts(texts_array(array)?))
}

/// The texts that an argument has in a row: one, or those of its elements.
pub(super) enum Pieces {
    One(Column<StringViewArray>),
    Many(Column<arrow::array::ListArray>, Texts),
}

pub(super) fn pieces_of(args: &Args, at: usize) -> Result<Pieces> {
    match args.type_of(at) {
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            let list = args.list(at)?;
            let texts = texts_in(list.array.values())?;
            Ok(Pieces::Many(list, texts))
        }
        _ => Ok(Pieces::One(texts_of(args, at)?)),
    }
}

impl Pieces {
    pub(super) fn of(&self, row: usize) -> Vec<&str> {
        match self {
            Pieces::One(column) => column.get(row).into_iter().collect(),
            Pieces::Many(list, texts) => list.span(row).into_iter().flatten().filter_map(|i| texts.get(i)).collect(),
        }
    }
}

/// Texts as values of any type, text itself included.
fn from_any_text(text: &StringViewArray, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    match is_text(to) {
        true => Ok(cast(text, to)?),
        false => from_text(text, to, lenient),
    }
}
