//! Values for parameters, `?`, `$1` and `$name`, put where they stand.

use crate::error::{Error, Result};
use crate::front::walk;
use crate::front::{make, nearest::nearest};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_sql::sqlparser::ast::{Expr, Ident, Query, Statement, Value, VisitMut, VisitorMut};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Values by parameter: `1`, `2`, .. or names, without the dollar.
pub(in super::super) type Values = BTreeMap<String, Expr>;

/// Puts `values` into `statement`.
///
/// # Errors
/// `Query`, for a parameter without value, and a value without parameter.
pub(in super::super) fn put(statement: &mut Statement, values: &Values) -> Result<()> {
    let mut visitor = Put { values, marks: 0, used: BTreeSet::new() };
    if let ControlFlow::Break(error) = walk::alter(statement, &mut visitor) {
        return Err(*error);
    }
    let used = visitor.used;
    match values.keys().find(|name| !used.contains(*name)) {
        Some(name) => Err(Error::query(format!("a value for the parameter {name}, which is not in the statement"))),
        None => Ok(()),
    }
}

struct Put<'a> {
    values: &'a Values,
    /// How many `?` were met.
    marks: usize,
    used: BTreeSet<String>,
}

impl VisitorMut for Put<'_> {
    type Break = Box<Error>;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        let Expr::Value(value) = &*expr else { return ControlFlow::Continue(()) };
        let Value::Placeholder(mark) = &value.value else { return ControlFlow::Continue(()) };
        let name = match mark.strip_prefix(['?', '$', ':']) {
            Some("") | None => {
                self.marks += 1;
                self.marks.to_string()
            }
            Some(name) => name.to_lowercase(),
        };
        match self.values.get(&name) {
            Some(value) => {
                self.used.insert(name);
                *expr = Expr::Nested(Box::new(value.clone()));
                ControlFlow::Continue(())
            }
            None => {
                let error = Error::query(format!("no value for the parameter {mark}"));
                let near = nearest(&name, self.values.keys().map(String::as_str));
                ControlFlow::Break(Box::new(match near {
                    Some(near) if name.parse::<usize>().is_err() => error.advise(format!("did you mean {near}?")),
                    _ => error.advise("EXECUTE name(value, ..), or Session::sql_with"),
                }))
            }
        }
    }
}

/// A value as a literal.
///
/// # Errors
/// `Unsupported`, for types that have no literal: lists, structs, maps.
pub(in super::super) fn literal(value: &ScalarValue) -> Result<Expr> {
    let data_type = value.data_type();
    let cast = |to: &str| -> Result<Expr> {
        let text = value.cast_to(&DataType::Utf8).map_err(crate::ops::expr::from_datafusion)?.to_string();
        crate::front::parse::expression(&format!("CAST('{}' AS {to})", text.replace('\'', "''")))
    };
    if value.is_null() {
        return Ok(Expr::Value(Value::Null.into()));
    }
    match &data_type {
        DataType::Boolean => Ok(Expr::Value(Value::Boolean(*value == ScalarValue::Boolean(Some(true))).into())),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(make::text(value.to_string())),
        t if t.is_integer() => Ok(make::number(value)),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => cast("DOUBLE"),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => cast(&format!("DECIMAL({p}, {s})")),
        DataType::Date32 | DataType::Date64 => cast("DATE"),
        DataType::Time32(_) | DataType::Time64(_) => cast("TIME"),
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            None,
        ) => cast("TIMESTAMP"),
        DataType::Timestamp(_, Some(_)) => cast("TIMESTAMPTZ"),
        other => Err(Error::unsupported(format!("a parameter of the type {}", crate::front::type_name(other)))),
    }
}

/// Replaces bare names, but not in subqueries: there a name may be another table's.
pub(in super::super) fn replace_names(node: &mut impl VisitMut, with: &dyn Fn(&Ident) -> Option<Expr>) {
    let _ = walk::alter(node, &mut Replace { with, depth: 0 });
}

struct Replace<'a> {
    with: &'a dyn Fn(&Ident) -> Option<Expr>,
    depth: usize,
}

impl VisitorMut for Replace<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let (Expr::Identifier(ident), 0) = (&*expr, self.depth)
            && let Some(value) = (self.with)(ident)
        {
            *expr = value;
        }
        ControlFlow::Continue(())
    }
}
