//! Windows as people write them, for the binder:
//!
//! - Names are replaced by what they mean, so that one window may go on from another: `OVER (w ROWS 1 PRECEDING)`.
//! - A RANGE without a distance, which is what a window with an order has if nothing is said, sees whole groups of peers: it
//!   becomes one of GROUPS, since the binder computes with the keys of a RANGE, and not all keys are numbers or times.
//! - Offsets of frames become plain numbers, or intervals of quoted text: `2 * 3 PRECEDING`, `INTERVAL 1 DAY PRECEDING`.

use super::names::normal;
use crate::error::{Error, Result};
use crate::front::walk;
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, NamedWindowDefinition, NamedWindowExpr, OrderByKind, Query, Select, SetExpr,
    UnaryOperator, Value, VisitorMut, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Makes all windows in `query` plain.
///
/// # Errors
/// `Query`, for a window that is not defined, or that gives itself what the window it goes on from has.
pub(super) fn plain(query: &mut Query) -> Result<()> {
    walk::try_alter(query, &mut Windows)
}

/// Windows by name.
type Known = HashMap<String, WindowSpec>;

struct Windows;

impl VisitorMut for Windows {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Box<Error>> {
        let SetExpr::Select(select) = &*query.body else { return ControlFlow::Continue(()) };
        let Some(order) = &mut query.order_by else { return ControlFlow::Continue(()) };
        let mut resolve = Resolve::new(select.named_window.clone())?;
        if let OrderByKind::Expressions(list) = &mut order.kind {
            for item in list {
                walk::alter(item, &mut resolve)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Box<Error>> {
        let mut resolve = Resolve::new(std::mem::take(&mut select.named_window))?;
        walk::alter(select, &mut resolve)
    }
}

/// Completes the windows of one select, not those of queries inside.
struct Resolve {
    known: Known,
    depth: usize,
}

impl Resolve {
    fn new(windows: Vec<NamedWindowDefinition>) -> ControlFlow<Box<Error>, Self> {
        let mut known = Known::new();
        for NamedWindowDefinition(name, window) in windows {
            let spec = match window {
                NamedWindowExpr::NamedWindow(other) => named(&known, &other),
                NamedWindowExpr::WindowSpec(spec) => whole(&known, spec),
            };
            match spec {
                Ok(spec) => known.insert(normal(&name), spec),
                Err(error) => return ControlFlow::Break(Box::new(error)),
            };
        }
        ControlFlow::Continue(Resolve { known, depth: 0 })
    }
}

impl VisitorMut for Resolve {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Box<Error>> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Box<Error>> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let spec = match function.over.take() {
            None => return ControlFlow::Continue(()),
            Some(WindowType::NamedWindow(name)) => named(&self.known, &name),
            Some(WindowType::WindowSpec(spec)) => whole(&self.known, spec),
        };
        match spec {
            Ok(mut spec) => {
                by_peers(&mut spec);
                function.over = Some(WindowType::WindowSpec(spec));
            }
            Err(error) => return ControlFlow::Break(Box::new(error)),
        }
        ControlFlow::Continue(())
    }
}

fn named(known: &Known, name: &Ident) -> Result<WindowSpec> {
    known.get(&normal(name)).cloned().ok_or_else(|| Error::query(format!("no window \"{}\"", name.value)))
}

/// The window with all that the one it goes on from has.
fn whole(known: &Known, mut spec: WindowSpec) -> Result<WindowSpec> {
    plain_spec(&mut spec);
    let Some(name) = spec.window_name.take() else { return Ok(spec) };
    let mut base = named(known, &name)?;
    if !base.order_by.is_empty() && !spec.order_by.is_empty() {
        return Err(Error::query(format!("the window \"{}\" has an ORDER BY already", name.value)));
    }
    if spec.window_frame.is_some() && base.window_frame.is_some() {
        return Err(Error::query(format!("the window \"{}\" has a frame already", name.value)));
    }
    base.partition_by.append(&mut spec.partition_by);
    base.order_by.append(&mut spec.order_by);
    base.window_frame = spec.window_frame.or(base.window_frame);
    Ok(base)
}

/// Makes a RANGE without a distance one of GROUPS; without an order, the other way round.
fn by_peers(spec: &mut WindowSpec) {
    let default = WindowFrame {
        units: WindowFrameUnits::Range,
        start_bound: WindowFrameBound::Preceding(None),
        end_bound: Some(WindowFrameBound::CurrentRow),
    };
    let has_order = spec.order_by.iter().any(|by| !matches!(by.expr, Expr::Value(_)));
    let frame = match &mut spec.window_frame {
        Some(frame) => frame,
        None if has_order => spec.window_frame.insert(default),
        None => return,
    };
    let bounds = std::iter::once(&frame.start_bound).chain(&frame.end_bound);
    let distant =
        |b: &WindowFrameBound| matches!(b, WindowFrameBound::Preceding(Some(_)) | WindowFrameBound::Following(Some(_)));
    let free = !bounds.into_iter().any(distant);
    match frame.units {
        WindowFrameUnits::Range if free && has_order => frame.units = WindowFrameUnits::Groups,
        WindowFrameUnits::Groups if free && !has_order => frame.units = WindowFrameUnits::Range,
        _ => {}
    }
}

fn plain_spec(spec: &mut WindowSpec) {
    let Some(frame) = &mut spec.window_frame else { return };
    for bound in std::iter::once(&mut frame.start_bound).chain(&mut frame.end_bound) {
        if let WindowFrameBound::Preceding(Some(offset)) | WindowFrameBound::Following(Some(offset)) = bound {
            plain_offset(offset);
        }
    }
}

fn plain_offset(offset: &mut Expr) {
    match offset {
        Expr::Interval(interval) => {
            if let Some(number) = number(&interval.value) {
                *interval.value = Expr::Value(Value::SingleQuotedString(number.to_string()).into());
            }
        }
        Expr::Value(_) => {}
        other => {
            if let Some(number) = number(other) {
                *other = Expr::Value(Value::Number(number.to_string(), false).into());
            } else if let Expr::Nested(inner) | Expr::Cast { expr: inner, .. } = other {
                let mut inner = (**inner).clone();
                plain_offset(&mut inner);
                *other = inner;
            }
        }
    }
}

/// The value of an expression of integers, if it is one.
fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        Expr::Nested(inner) => number(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => number(expr)?.checked_neg(),
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (number(left)?, number(right)?);
            match op {
                BinaryOperator::Plus => left.checked_add(right),
                BinaryOperator::Minus => left.checked_sub(right),
                BinaryOperator::Multiply => left.checked_mul(right),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion_sql::sqlparser::ast::Statement;
    use datafusion_sql::sqlparser::parser::Parser;

    #[test]
    fn offsets_become_plain() {
        for (sql, wanted) in [
            ("ROWS BETWEEN 1 + 1 PRECEDING AND (2 * 3) FOLLOWING", "ROWS BETWEEN 2 PRECEDING AND 6 FOLLOWING"),
            ("RANGE INTERVAL 3 DAY PRECEDING", "RANGE INTERVAL '3' DAY PRECEDING"),
            ("RANGE BETWEEN 0.5 PRECEDING AND CURRENT ROW", "RANGE BETWEEN 0.5 PRECEDING AND CURRENT ROW"),
            ("ROWS x PRECEDING", "ROWS x PRECEDING"),
        ] {
            let query = made_plain(&format!("SELECT sum(x) OVER (ORDER BY x {sql}) FROM t")).unwrap();
            assert!(query.contains(wanted), "{query}");
        }
    }

    #[test]
    fn windows_go_on_from_others() {
        let sql = "SELECT sum(x) OVER w, sum(y) OVER (w ROWS 1 PRECEDING) FROM t \
                   WINDOW v AS (PARTITION BY a), w AS (v ORDER BY b) ORDER BY rank() OVER w";
        let wanted = "SELECT sum(x) OVER (PARTITION BY a ORDER BY b GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), \
                      sum(y) OVER (PARTITION BY a ORDER BY b ROWS 1 PRECEDING) FROM t \
                      ORDER BY rank() OVER (PARTITION BY a ORDER BY b GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)";
        assert_eq!(made_plain(sql).unwrap(), wanted);
        for sql in [
            "SELECT sum(x) OVER w FROM t",
            "SELECT sum(x) OVER (w ORDER BY a) FROM t WINDOW w AS (ORDER BY b)",
            "SELECT sum(x) OVER (w ROWS 1 PRECEDING) FROM t WINDOW w AS (ORDER BY b ROWS 2 PRECEDING)",
        ] {
            assert!(made_plain(sql).is_err(), "{sql}");
        }
    }

    fn made_plain(sql: &str) -> Result<String> {
        let parsed = Parser::parse_sql(&crate::front::dialect::PartitaDialect, sql).unwrap().remove(0);
        let Statement::Query(mut query) = parsed else { panic!("{sql}") };
        plain(&mut query)?;
        Ok(query.to_string())
    }
}
