//! `sum(x)` beside `sum(x::DOUBLE)`: the binder names a cast after what it casts, and takes both for one.
//!
//! Done when binding failed because a name repeats: then every cast gets a name with its type,
//! `"as written"(x::DOUBLE, 'DOUBLE')`.

use crate::front::make;
use crate::front::walk;
use datafusion_sql::sqlparser::ast::{CastKind, Expr, Query, VisitorMut};
use std::ops::ControlFlow;

/// The function whose value is its first argument. A name with a blank is nobody's to call, and is not listed.
pub(in super::super) const AS_WRITTEN: &str = "as written";

/// Gives every cast of the query a name of its own.
pub(in super::super) fn tell_apart(query: &mut Query) {
    let _ = walk::alter(query, &mut Casts);
}

struct Casts;

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: inner, data_type, kind, .. } = expr
            && !matches!(**inner, Expr::Value(_))
        {
            let lenient = if matches!(kind, CastKind::TryCast | CastKind::SafeCast) { "try " } else { "" };
            let name = make::text(format!("{lenient}{data_type}"));
            *expr = make::call(AS_WRITTEN, vec![expr.clone(), name]);
        }
        ControlFlow::Continue(())
    }
}
