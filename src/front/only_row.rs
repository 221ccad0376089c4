//! `only_row(value, rows)`: the value of a correlated subquery, where it has one row; more are an error.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The call.
pub(super) fn call(value: Expr, rows: Expr) -> Expr {
    let function = OnlyRow { signature: Signature::any(2, Volatility::Immutable) };
    Expr::ScalarFunction(ScalarFunction { func: Arc::new(ScalarUDF::from(function)), args: vec![value, rows] })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OnlyRow {
    signature: Signature,
}

impl ScalarUDFImpl for OnlyRow {
    fn name(&self) -> &str {
        "only_row"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(t) => Ok(t.clone()),
            None => plan_err!("only_row takes a value and a count"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, rows] = args.args.as_slice() else { return plan_err!("only_row takes a value and a count") };
        let many = match rows {
            ColumnarValue::Scalar(ScalarValue::Int64(rows)) => rows.is_some_and(|n| n > 1),
            ColumnarValue::Scalar(_) => false,
            ColumnarValue::Array(rows) => match rows.as_primitive_opt::<Int64Type>() {
                Some(rows) => (0..rows.len()).any(|i| rows.is_valid(i) && rows.value(i) > 1),
                None => return plan_err!("only_row takes a value and a count"),
            },
        };
        match many {
            true => {
                exec_err!("a subquery used as a value has more than one row; add LIMIT 1, or an aggregate such as max")
            }
            false => Ok(value.clone()),
        }
    }
}
