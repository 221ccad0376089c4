//! Operators and special forms as calls of our functions: `DATE - DATE`, `doc -> 'a'`, `list[1]`, `EXTRACT(year FROM t)`.

use super::super::dialect::JSON_ARROW;
use super::row::{STAMP, element, is_text};
use super::table;
use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion_expr::{BinaryExpr, Cast, Expr, ExprSchemable, GetFieldAccess, Operator, lit};
use datafusion_sql::sqlparser::ast::BinaryOperator;

/// Asked before DataFusion's planners.
#[derive(Debug)]
pub(super) struct OurPlanner;

fn call(name: &str, args: Vec<Expr>) -> Result<Expr> {
    match table::named(name) {
        Some(func) => Ok(Expr::ScalarFunction(ScalarFunction { func, args })),
        None => plan_err!("no function {name}"),
    }
}

fn planned<T>(name: &str, args: Vec<Expr>) -> Result<PlannerResult<T>> {
    Ok(PlannerResult::Planned(call(name, args)?))
}

fn is_time(t: &DataType) -> bool {
    matches!(t, DataType::Time32(_) | DataType::Time64(_))
}

fn is_interval(t: &DataType) -> bool {
    matches!(t, DataType::Interval(_))
}

fn is_stamp(t: &DataType) -> bool {
    matches!(t, DataType::Timestamp(..))
}

/// A date and an interval make a timestamp. Compared with a date, one of whole days may stay a date: readers can skip by
/// that. The date of such a sum.
fn sum_as_date(e: &Expr) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Plus | Operator::Minus), right }) = e else {
        return None;
    };
    let Expr::Cast(Cast { expr, field }) = left.as_ref() else { return None };
    let Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(v)), _) = right.as_ref() else { return None };
    (field.data_type() == &STAMP && v.nanoseconds == 0)
        .then(|| Expr::BinaryExpr(BinaryExpr { left: expr.clone(), op: *op, right: right.clone() }))
}

/// A comparison of a date with a date plus an interval.
fn date_comparison(op: &BinaryOperator, left: &Expr, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let op = comparison(op)?;
    let date = |e: &Expr| matches!(e.get_type(schema), Ok(DataType::Date32));
    let as_date = |e: &Expr| sum_as_date(e).filter(date);
    let (left, right) = match (as_date(left), as_date(right)) {
        (None, Some(right)) if date(left) => (left.clone(), right),
        (Some(left), None) if date(right) => (left, right.clone()),
        _ => return None,
    };
    Some(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) }))
}

/// What an operator between two types means; `None` where DataFusion knows.
fn arithmetic(op: &BinaryOperator, left: &Expr, right: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    use BinaryOperator as B;
    use DataType as T;
    let (Ok(l), Ok(r)) = (left.get_type(schema), right.get_type(schema)) else { return Ok(None) };
    let args = || vec![left.clone(), right.clone()];
    let swapped = || vec![right.clone(), left.clone()];
    let negated = |e: &Expr| Expr::Negative(Box::new(e.clone()));
    let made = match (op, &l, &r) {
        (B::Minus, T::Date32, T::Date32) => call("days_between", args())?,
        (B::Plus, T::Date32, n) if n.is_integer() => call("add_days", args())?,
        (B::Plus, n, T::Date32) if n.is_integer() => call("add_days", swapped())?,
        (B::Minus, T::Date32, n) if n.is_integer() => call("add_days", vec![left.clone(), negated(right)])?,
        (B::Minus, a, b) if is_stamp(a) && (is_stamp(b) || matches!(b, T::Date32)) => call("time_between", args())?,
        (B::Minus, T::Date32, b) if is_stamp(b) => call("time_between", args())?,
        (B::Plus, T::Date32, t) if is_time(t) => call("date_with_time", args())?,
        (B::Plus, t, T::Date32) if is_time(t) => call("date_with_time", swapped())?,
        (B::Plus, t, i) if is_time(t) && is_interval(i) => call("date_add", args())?,
        (B::Plus, i, t) if is_time(t) && is_interval(i) => call("date_add", swapped())?,
        (B::Minus, t, i) if is_time(t) && is_interval(i) => call("date_add", vec![left.clone(), negated(right)])?,
        (B::Plus, i, T::Date32) if is_interval(i) => {
            let stamp = Expr::Cast(Cast::new(Box::new(right.clone()), STAMP));
            let (left, right) = (Box::new(stamp), Box::new(left.clone()));
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right })
        }
        (B::Plus | B::Minus, T::Date32, i) if is_interval(i) => {
            let op = if *op == B::Plus { Operator::Plus } else { Operator::Minus };
            let stamp = Expr::Cast(Cast::new(Box::new(left.clone()), STAMP));
            Expr::BinaryExpr(BinaryExpr { left: Box::new(stamp), op, right: Box::new(right.clone()) })
        }
        (B::Multiply, i, n) if is_interval(i) && n.is_numeric() => call("interval_multiply", args())?,
        (B::Multiply, n, i) if is_interval(i) && n.is_numeric() => call("interval_multiply", swapped())?,
        (B::Divide, i, n) if is_interval(i) && n.is_numeric() => call("interval_divide", args())?,
        (op, a, b) if is_interval(a) && is_interval(b) => match comparison(op) {
            // Arrow compares months first, then days: 1 month and 30 days would differ.
            Some(op) => {
                let seconds = |e: &Expr| call("interval_seconds", vec![e.clone()]).map(Box::new);
                Expr::BinaryExpr(BinaryExpr { left: seconds(left)?, op, right: seconds(right)? })
            }
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(made))
}

/// What a JSON arrow looks into: structs, lists and maps as JSON.
fn as_json(value: Expr, schema: &DFSchema) -> Result<Expr> {
    match value.get_type(schema) {
        Ok(t @ (DataType::Struct(_) | DataType::Map(..))) if !is_text(&t) => call("to_json", vec![value]),
        Ok(t) if element(&t).is_some() => call("to_json", vec![value]),
        _ => Ok(value),
    }
}

/// Whether a text is known to be JSON: then `[1]` is an element, counted from 0, and else a character, counted from 1.
fn is_json(value: &Expr) -> bool {
    const NAMES: [&str; 8] =
        ["json", "json_extract", "to_json", "json_object", "json_array", "json_merge_patch", "json_remove", "jq"];
    match value {
        Expr::ScalarFunction(f) => NAMES.contains(&f.name()),
        Expr::Alias(alias) => is_json(&alias.expr),
        _ => false,
    }
}

fn comparison(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    })
}

/// `flag = 1`: true is 1 beside a number, and false is 0.
fn truth_as_number(op: &BinaryOperator, left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    if comparison(op).is_none() {
        return (left, right);
    }
    let (Ok(here), Ok(there)) = (left.get_type(schema), right.get_type(schema)) else { return (left, right) };
    let number = |truth: Expr| Expr::Cast(Cast::new(Box::new(truth), DataType::Int64));
    match (here, there) {
        (DataType::Boolean, t) if t.is_numeric() => (number(left), right),
        (t, DataType::Boolean) if t.is_numeric() => (left, number(right)),
        _ => (left, right),
    }
}

impl ExprPlanner for OurPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as B;
        let list = |e: &Expr| e.get_type(schema).is_ok_and(|t| element(&t).is_some());
        let null = |e: &Expr| matches!(e, Expr::Literal(value, _) if value.is_null());
        let RawBinaryExpr { op, left, right } = expr;
        let (left, right) = truth_as_number(&op, left, right, schema);
        match &op {
            B::Arrow => return planned("json_extract", vec![as_json(left, schema)?, right]),
            B::Custom(name) if name == JSON_ARROW => {
                return planned("json_extract", vec![as_json(left, schema)?, right]);
            }
            B::LongArrow => return planned("json_extract_string", vec![as_json(left, schema)?, right]),
            B::BitwiseXor | B::PGExp => return planned("power", vec![left, right]),
            B::PGBitwiseShiftLeft => return planned("left_shift", vec![left, right]),
            B::PGBitwiseShiftRight => return planned("right_shift", vec![left, right]),
            B::PGStartsWith => return planned("starts_with", vec![left, right]),
            B::PGRegexMatch => return planned("regexp_matches", vec![left, right]),
            B::PGRegexIMatch => return planned("regexp_matches", vec![left, right, lit("i")]),
            B::PGRegexNotMatch => {
                let test = call("regexp_matches", vec![left, right])?;
                return Ok(PlannerResult::Planned(Expr::Not(Box::new(test))));
            }
            B::PGRegexNotIMatch => {
                let test = call("regexp_matches", vec![left, right, lit("i")])?;
                return Ok(PlannerResult::Planned(Expr::Not(Box::new(test))));
            }
            B::PGOverlap if list(&left) && list(&right) => return planned("list_has_any", vec![left, right]),
            B::AtArrow if list(&left) && list(&right) => return planned("list_has_all", vec![left, right]),
            B::ArrowAt if list(&left) && list(&right) => return planned("list_has_all", vec![right, left]),
            // Unlike the function, the operator makes null of a null.
            B::StringConcat if list(&left) && (list(&right) || null(&right)) || null(&left) && list(&right) => {
                let both = call("list_concat", vec![left.clone(), right.clone()])?;
                return planned("constant_or_null", vec![both, left, right]);
            }
            _ => {}
        }
        let made = match date_comparison(&op, &left, &right, schema) {
            Some(made) => Some(made),
            None => arithmetic(&op, &left, &right, schema)?,
        };
        match made {
            Some(made) => Ok(PlannerResult::Planned(made)),
            None => Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        }
    }

    fn plan_field_access(
        &self,
        raw: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { expr, field_access } = raw;
        if matches!(expr, Expr::AggregateFunction(_)) {
            return Ok(PlannerResult::Original(RawFieldAccessExpr { expr, field_access }));
        }
        let of = expr.get_type(schema)?;
        match (field_access, &of) {
            (GetFieldAccess::NamedStructField { name }, DataType::Map(..)) => {
                planned("map_extract_value", vec![expr, lit(name)])
            }
            (GetFieldAccess::NamedStructField { name }, t) if is_text(t) => {
                planned("json_extract", vec![expr, lit(name)])
            }
            (GetFieldAccess::ListIndex { key }, t) if is_text(t) && is_json(&expr) => {
                planned("json_extract", vec![expr, *key])
            }
            (GetFieldAccess::ListIndex { key }, DataType::Map(..)) => planned("map_extract_value", vec![expr, *key]),
            (GetFieldAccess::ListIndex { key }, DataType::Struct(_)) => planned("struct_extract", vec![expr, *key]),
            (GetFieldAccess::ListIndex { key }, t) if is_text(t) || element(t).is_some() => {
                planned("array_extract", vec![expr, *key])
            }
            (GetFieldAccess::ListRange { start, stop, stride }, t) if is_text(t) || element(t).is_some() => {
                planned("array_slice", vec![expr, *start, *stop, *stride])
            }
            (field_access, _) => Ok(PlannerResult::Original(RawFieldAccessExpr { expr, field_access })),
        }
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        planned("date_part", args)
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        planned("strpos", args)
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        planned("substr", args)
    }
}
