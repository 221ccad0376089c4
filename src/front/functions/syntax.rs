//! Forms of DuckDB's SQL that the binder does not know, as forms that it knows; done on the parsed statement.
//!
//! ```text
//! struct_pack(a := 1)           named_struct('a', 1)
//! struct_insert(s, b := 2)      struct_insert(s, 'b', 2)
//! if(c, x, y)                   CASE WHEN c THEN x ELSE y END
//! ifnull(x, y)                  coalesce(x, y)
//! sum(NULL)                     sum(NULL::BIGINT)
//! t AT TIME ZONE 'UTC'          at_time_zone('UTC', t)
//! INTERVAL (n) DAY              to_days(n)
//! x[2:]                         x[2:-1]
//! ~x                            xor(x, -1)
//! date_part(['year'], d)        {'year': date_part('year', d)}
//! json_group_array(x)           to_json(array_agg(x))
//! regexp_extract(s, p, ['a'])   {'a': regexp_extract(s, p, 1)}
//! 18446744073709551616          '18446744073709551616'::DECIMAL(38, 0)
//! ```

use super::likes;
use crate::front::walk;
use datafusion_sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion_sql::sqlparser::ast::{
    AccessExpr, CaseWhen, CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, Select, Statement, Subscript,
    UnaryOperator, Value, VisitorMut,
};
use std::ops::ControlFlow;

/// Rewrites what stands in the statement.
pub(in crate::front) fn rewrite(statement: &mut Statement) {
    let _ = walk::alter(statement, &mut Forms);
}

struct Forms;

impl VisitorMut for Forms {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        likes::order(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        likes::shown(select);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(made) = likes::rewrite(expr).or_else(|| rewritten(expr)) {
            *expr = made;
        }
        ControlFlow::Continue(())
    }
}

fn rewritten(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Function(function) => call(function),
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => huge(digits),
            _ => None,
        },
        Expr::AtTimeZone { timestamp, time_zone } => {
            Some(function("at_time_zone", vec![time_zone.as_ref().clone(), timestamp.as_ref().clone()]))
        }
        Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr } => {
            Some(function("xor", vec![expr.as_ref().clone(), number("-1")]))
        }
        Expr::Interval(interval) => {
            let Some(unit) = interval.leading_field.as_ref() else {
                if let Expr::Value(v) = interval.value.as_mut()
                    && let Value::SingleQuotedString(text) = &mut v.value
                {
                    *text = plain_interval(text)?;
                }
                return None;
            };
            let name = made_by(unit)?;
            if matches!(unit, DateTimeField::Quarter | DateTimeField::Millennium | DateTimeField::Millenium) {
                // Arrow does not know these units.
                let value = match interval.value.as_ref() {
                    Expr::Value(v) => match &v.value {
                        Value::Number(digits, _) | Value::SingleQuotedString(digits) => number(digits),
                        _ => return None,
                    },
                    other => other.clone(),
                };
                return Some(function(name, vec![value]));
            }
            let constant = |e: &Expr| matches!(e, Expr::Value(_) | Expr::UnaryOp { .. } | Expr::BinaryOp { .. });
            let value = match interval.value.as_ref() {
                Expr::Nested(inner) => inner.as_ref(),
                other if constant(other) => return None,
                other => other,
            };
            Some(function(name, vec![value.clone()]))
        }
        Expr::CompoundFieldAccess { access_chain, .. } => {
            access_chain.iter_mut().for_each(close_slice);
            None
        }
        _ => None,
    }
}

/// The interval that a text means, in words that Arrow reads the same way.
fn plain_interval(text: &str) -> Option<String> {
    let v = super::cast::parse_interval(text)?;
    let (sign, nanos) = (if v.nanoseconds < 0 { "-" } else { "" }, v.nanoseconds.unsigned_abs());
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    Some(format!("{} months {} days {sign}{seconds}.{fraction:09} seconds", v.months, v.days))
}

/// The function that makes an interval of a number of units.
fn made_by(unit: &DateTimeField) -> Option<&'static str> {
    use DateTimeField as D;
    Some(match unit {
        D::Millennium | D::Millenium => "to_millennia",
        D::Century => "to_centuries",
        D::Decade => "to_decades",
        D::Year | D::Years => "to_years",
        D::Quarter => "to_quarters",
        D::Month | D::Months => "to_months",
        D::Week(_) | D::Weeks => "to_weeks",
        D::Day | D::Days => "to_days",
        D::Hour | D::Hours => "to_hours",
        D::Minute | D::Minutes => "to_minutes",
        D::Second | D::Seconds => "to_seconds",
        D::Millisecond | D::Milliseconds => "to_milliseconds",
        D::Microsecond | D::Microseconds => "to_microseconds",
        _ => return None,
    })
}

/// An integer of more than 64 bits, which would be a float, rounded.
fn huge(digits: &str) -> Option<Expr> {
    let value = digits.parse::<u128>().ok().filter(|value| *value > u128::from(u64::MAX))?;
    let digits = value.to_string();
    (digits.len() <= 38).then(|| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::SingleQuotedString(digits))),
        data_type: DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, 0)),
        array: false,
        format: None,
    })
}

fn number(digits: &str) -> Expr {
    Expr::value(Value::Number(digits.to_string(), false))
}

/// Gives an open end of a slice its place.
fn close_slice(access: &mut AccessExpr) {
    if let AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, .. }) = access {
        lower_bound.get_or_insert_with(|| number("1"));
        upper_bound.get_or_insert_with(|| number("-1"));
    }
}

/// A call of a function by name.
fn function(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn call(call: &Function) -> Option<Expr> {
    let name = call.name.to_string().to_ascii_lowercase();
    let FunctionArguments::List(list) = &call.args else { return None };
    match (name.as_str(), list.args.len()) {
        ("struct_pack", _) => Some(function("named_struct", named(&list.args, true)?)),
        ("struct_insert" | "struct_update", 2..) => {
            let all = named(&list.args, false)?;
            let changed = list.args.iter().any(|a| !matches!(a, FunctionArg::Unnamed(_)));
            changed.then(|| function(&name, all))
        }
        ("if" | "iff", 3) => {
            let [condition, result, other] = plain(&list.args)?.try_into().ok()?;
            Some(Expr::Case {
                case_token: AttachedToken::empty(),
                end_token: AttachedToken::empty(),
                operand: None,
                conditions: vec![CaseWhen { condition, result }],
                else_result: Some(Box::new(other)),
            })
        }
        ("date_part" | "datepart", 2) => {
            let [parts, of] = plain(&list.args)?.try_into().ok()?;
            structure(&parts, |_, part| function("date_part", vec![part.clone(), of.clone()]))
        }
        ("regexp_extract", 3..) => {
            let args = plain(&list.args)?;
            let [text, pattern, names, options @ ..] = args.as_slice() else { return None };
            structure(names, |at, _| {
                let group = [text.clone(), pattern.clone(), number(&(at + 1).to_string())];
                function("regexp_extract", group.into_iter().chain(options.iter().cloned()).collect())
            })
        }
        ("sum" | "avg" | "bit_and" | "bit_or" | "bit_xor", 1) => of_null(call),
        ("ifnull" | "nvl", 2) => Some(function("coalesce", plain(&list.args)?)),
        ("json_group_array", 1) => Some(function("to_json", vec![renamed(call, "array_agg")])),
        ("timezone", 2) => Some(function("at_time_zone", plain(&list.args)?)),
        _ => None,
    }
}

/// The same call of another function.
fn renamed(call: &Function, name: &str) -> Expr {
    Expr::Function(Function { name: ObjectName::from(vec![Ident::new(name)]), ..call.clone() })
}

/// `sum(NULL)` as `sum(NULL::BIGINT)`: an aggregate of numbers, none of which is known.
fn of_null(call: &Function) -> Option<Expr> {
    let mut made = call.clone();
    let FunctionArguments::List(list) = &mut made.args else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] = list.args.as_mut_slice() else { return None };
    match value {
        Expr::Value(v) if v.value == Value::Null => {
            *value = crate::front::parse::expression("CAST(NULL AS BIGINT)").ok()?;
            Some(Expr::Function(made))
        }
        _ => None,
    }
}

/// A struct with a field for each of the constant texts in an array.
fn structure(names: &Expr, value: impl Fn(usize, &Expr) -> Expr) -> Option<Expr> {
    let Expr::Array(names) = names else { return None };
    let is_text = |e: &Expr| matches!(e, Expr::Value(v) if matches!(v.value, Value::SingleQuotedString(_)));
    if !names.elem.iter().all(is_text) {
        return None;
    }
    let fields = names.elem.iter().enumerate().flat_map(|(at, name)| [name.clone(), value(at, name)]);
    Some(function("named_struct", fields.collect()))
}

fn expr_of(arg: &FunctionArgExpr) -> Option<Expr> {
    match arg {
        FunctionArgExpr::Expr(e) => Some(e.clone()),
        _ => None,
    }
}

fn plain(args: &[FunctionArg]) -> Option<Vec<Expr>> {
    let one = |a: &FunctionArg| match a {
        FunctionArg::Unnamed(e) => expr_of(e),
        _ => None,
    };
    args.iter().map(one).collect()
}

/// Arguments with their names before them as texts. Where `all` must have one, a column is named after itself.
fn named(args: &[FunctionArg], all: bool) -> Option<Vec<Expr>> {
    let text = |name: &Ident| Expr::value(Value::SingleQuotedString(super::super::names::normal(name)));
    let mut made = Vec::new();
    for arg in args {
        match arg {
            FunctionArg::Named { name, arg, .. } => made.extend([text(name), expr_of(arg)?]),
            FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => {
                made.extend([text(name), expr_of(arg)?]);
            }
            FunctionArg::ExprNamed { .. } => return None,
            FunctionArg::Unnamed(e) if all => {
                let e = expr_of(e)?;
                let name = match &e {
                    Expr::Identifier(name) => text(name),
                    Expr::CompoundIdentifier(parts) => text(parts.last()?),
                    _ => return None,
                };
                made.extend([name, e]);
            }
            FunctionArg::Unnamed(e) => made.push(expr_of(e)?),
        }
    }
    Some(made)
}
