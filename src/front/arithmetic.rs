//! `/`, `//` and `^` as DuckDB has them.
//!
//! `7 / 2` is 3.5: whole numbers and decimals are divided as floats, so that `1 / 0` is infinite. `7 // 2` is 3: whole
//! numbers are divided as such, and by zero it is an error; anything else is divided as by `/`. `2 ^ 3` is a float.
//! With `integer_division`, `/` of whole numbers is the standard's: 3.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result};
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion_expr::{BinaryExpr, Cast, Expr, ExprSchemable, Operator, expr::ScalarFunction};
use datafusion_sql::sqlparser::ast::BinaryOperator;

/// Makes expressions of these operators.
#[derive(Debug)]
pub(super) struct Arithmetic {
    /// Whether `/` divides whole numbers as such.
    pub(super) integer_division: bool,
}

impl ExprPlanner for Arithmetic {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let types = (raw.left.get_type(schema).ok(), raw.right.get_type(schema).ok());
        let whole = matches!(&types, (Some(l), Some(r)) if l.is_integer() && r.is_integer());
        let planned = match raw.op {
            BinaryOperator::Divide if whole && self.integer_division => return Ok(PlannerResult::Original(raw)),
            BinaryOperator::DuckIntegerDivide if whole => divided(raw.left, raw.right),
            BinaryOperator::Divide | BinaryOperator::DuckIntegerDivide => {
                if is_other(types.0.as_ref()) || is_other(types.1.as_ref()) {
                    return Ok(PlannerResult::Original(raw));
                }
                divided(float(raw.left, types.0.as_ref()), float(raw.right, types.1.as_ref()))
            }
            BinaryOperator::PGExp => {
                let args = vec![float(raw.left, types.0.as_ref()), float(raw.right, types.1.as_ref())];
                let func = datafusion_functions::math::power();
                Expr::ScalarFunction(ScalarFunction { func, args })
            }
            _ => return Ok(PlannerResult::Original(raw)),
        };
        Ok(PlannerResult::Planned(planned))
    }
}

fn divided(left: Expr, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op: Operator::Divide, right: Box::new(right) })
}

/// Whether this is no number: times are divided by DataFusion, or refused.
fn is_other(data_type: Option<&DataType>) -> bool {
    data_type.is_some_and(|t| !t.is_numeric() && !matches!(t, DataType::Null))
}

fn float(expr: Expr, data_type: Option<&DataType>) -> Expr {
    match data_type {
        Some(t) if t.is_floating() => expr,
        _ => Expr::Cast(Cast::new(Box::new(expr), DataType::Float64)),
    }
}
