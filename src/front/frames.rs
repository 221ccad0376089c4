//! Offsets of frames as people write them: `2 * 3 PRECEDING`, `INTERVAL 1 DAY PRECEDING`. The binder takes plain numbers and
//! intervals of quoted text only.

use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Select, UnaryOperator, Value, VisitMut, VisitorMut, WindowFrameBound, WindowSpec,
    WindowType,
};
use std::ops::ControlFlow;

/// Makes the offsets of all frames in `query` plain.
pub(super) fn plain(query: &mut Query) {
    let _ = query.visit(&mut Frames);
}

struct Frames;

impl VisitorMut for Frames {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(WindowType::WindowSpec(spec)) = &mut function.over
        {
            plain_spec(spec);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        use datafusion_sql::sqlparser::ast::NamedWindowExpr::WindowSpec as Spec;
        for named in &mut select.named_window {
            if let Spec(spec) = &mut named.1 {
                plain_spec(spec);
            }
        }
        ControlFlow::Continue(())
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
            let sql = format!("SELECT sum(x) OVER (ORDER BY x {sql}) FROM t WINDOW w AS (ORDER BY x {sql})");
            let parsed = Parser::parse_sql(&crate::front::dialect::PartitaDialect, &sql).unwrap().remove(0);
            let Statement::Query(mut query) = parsed else { panic!("{sql}") };
            plain(&mut query);
            assert_eq!(query.to_string().matches(wanted).count(), 2, "{query}");
        }
    }
}
