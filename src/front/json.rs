//! JSON in text columns: `->` and `->>`.
//!
//! `doc -> 'a' -> 0` is the piece of JSON under a key or an index, as text; `doc ->> 'a'` is its value: a text without
//! quotes. What is not there, is not JSON, or is JSON's null (for `->>`) is null. Indexes count from 0; negative ones from
//! the end. `json_get` and `json_get_str` are the same with any number of steps.

use super::dialect::JSON_ARROW;
use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{DFSchema, Result, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion_sql::sqlparser::ast::BinaryOperator;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![get(false), get(true)]
}

fn get(text: bool) -> Arc<ScalarUDF> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    Arc::new(ScalarUDF::from(JsonGet { text, signature }))
}

/// Makes functions of the arrows.
#[derive(Debug)]
pub(super) struct JsonPlanner;

impl ExprPlanner for JsonPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let func = match &expr.op {
            BinaryOperator::Arrow => get(false),
            BinaryOperator::Custom(op) if op == JSON_ARROW => get(false),
            BinaryOperator::LongArrow => get(true),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let args = vec![expr.left, expr.right];
        Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction { func, args })))
    }
}

/// Follows a path of keys and indexes.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonGet {
    text: bool,
    signature: Signature,
}

impl ScalarUDFImpl for JsonGet {
    fn name(&self) -> &str {
        if self.text { "json_get_str" } else { "json_get" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some((first, steps)) = types.split_first() else { return plan_err!("{} wants a JSON text", self.name()) };
        if !is_text(first) {
            return plan_err!("{} wants JSON text, not {first}", self.name());
        }
        match steps.iter().find(|t| !is_text(t) && !t.is_integer()) {
            Some(t) => plan_err!("{} wants keys (text) or indexes (integers), not {t}", self.name()),
            None => Ok(DataType::Utf8View),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let mut arrays = args.args.iter().map(|a| a.to_array(rows));
        let Some(docs) = arrays.next() else { return plan_err!("{} wants a JSON text", self.name()) };
        let docs = cast(&docs?, &DataType::Utf8View)?;
        let steps = arrays.map(|a| Steps::new(&a?)).collect::<Result<Vec<_>>>()?;
        let found = self.follow(docs.as_string_view(), &steps);
        match scalar {
            true => Ok(ColumnarValue::Scalar(datafusion_common::ScalarValue::try_from_array(&found, 0)?)),
            false => Ok(ColumnarValue::Array(found)),
        }
    }
}

fn is_text(t: &DataType) -> bool {
    matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

/// One step of the path, for each row.
enum Steps {
    Keys(ArrayRef),
    Indexes(ArrayRef),
}

impl Steps {
    fn new(array: &ArrayRef) -> Result<Steps> {
        Ok(match array.data_type().is_integer() {
            true => Steps::Indexes(cast(array, &DataType::Int64)?),
            false => Steps::Keys(cast(array, &DataType::Utf8View)?),
        })
    }

    fn take<'a>(&self, row: usize, json: &'a str) -> Option<&'a str> {
        match self {
            Steps::Keys(keys) if keys.is_valid(row) => {
                let mut fields: HashMap<String, &'a RawValue> = serde_json::from_str(json).ok()?;
                fields.remove(keys.as_string_view().value(row)).map(RawValue::get)
            }
            Steps::Indexes(indexes) if indexes.is_valid(row) => {
                let items: Vec<&'a RawValue> = serde_json::from_str(json).ok()?;
                let index = indexes.as_primitive::<Int64Type>().value(row);
                let from_end = usize::try_from(index.unsigned_abs()).ok().and_then(|n| items.len().checked_sub(n));
                let at = if index < 0 { from_end? } else { usize::try_from(index).ok()? };
                items.get(at).map(|v| v.get())
            }
            _ => None,
        }
    }
}

impl JsonGet {
    fn follow(&self, docs: &StringViewArray, steps: &[Steps]) -> ArrayRef {
        let mut out = StringViewBuilder::with_capacity(docs.len());
        for row in 0..docs.len() {
            let doc = docs.is_valid(row).then(|| docs.value(row));
            let found = steps.iter().fold(doc, |json, step| step.take(row, json?));
            match found {
                Some(json) if self.text => out.append_option(value_text(json)),
                Some(json) => out.append_option(serde_json::from_str::<&RawValue>(json).ok().map(RawValue::get)),
                None => out.append_null(),
            }
        }
        Arc::new(out.finish())
    }
}

fn value_text(json: &str) -> Option<String> {
    let json = json.trim();
    if json == "null" {
        return None;
    }
    if !json.starts_with('"') {
        return serde_json::from_str::<&RawValue>(json).ok().map(|v| v.get().to_string());
    }
    match serde_json::from_str(json) {
        Ok(Value::String(s)) => Some(s),
        _ => None,
    }
}
