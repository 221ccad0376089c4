//! `[a, b]` where it names columns: a call of `list_value`.
//!
//! The binder binds what is in a list as if nothing were around it: neither the columns of the query outside of a subquery,
//! nor those on the left of an UNNEST in FROM, nor the parameters of a lambda. Those of a call it sees.

use super::make;
use super::walk;
use datafusion_sql::sqlparser::ast::{Expr, Query, VisitorMut};
use std::ops::ControlFlow;

/// Writes the lists of `query` that name something as calls.
pub(super) fn as_calls(query: &mut Query) {
    let _ = walk::alter(query, &mut Lists);
}

struct Lists;

impl VisitorMut for Lists {
    type Break = ();

    /// After what is in it: a list of lists is a call of calls.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Array(list) = expr
            && !list.elem.is_empty()
            && list.elem.iter_mut().any(names_something)
        {
            *expr = make::call("list_value", std::mem::take(&mut list.elem));
        }
        ControlFlow::Continue(())
    }
}

fn names_something(expr: &mut Expr) -> bool {
    walk::alter(expr, &mut Names).is_break()
}

struct Names;

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}
