//! The name of a table as a value: `SELECT t FROM t` is a struct of its columns.
//!
//! A column of that name goes first. So this is done when binding has failed for lack of it, at the place that the binder
//! complains about.

use super::errors::Spot;
use super::make;
use super::names::normal;
use crate::front::walk;
use datafusion_common::Column;
use datafusion_sql::sqlparser::ast::{Expr, Select, SelectItem, Statement, VisitorMut};
use std::ops::ControlFlow;

/// Puts a struct of the columns of the table `name` where the name stands. Returns whether there is such a table.
pub(super) fn put(statement: &mut Statement, name: &str, valid: &[Column], spot: Spot) -> bool {
    let of_table = |c: &&Column| c.relation.as_ref().is_some_and(|r| r.table().eq_ignore_ascii_case(name));
    let field = |c: &Column| {
        let table = c.relation.as_ref().map_or_else(String::new, |r| r.table().to_string());
        let column = Expr::CompoundIdentifier(vec![make::quoted(table), make::quoted(c.name.as_str())]);
        [make::text(c.name.as_str()), column]
    };
    let fields: Vec<Expr> = valid.iter().filter(of_table).flat_map(field).collect();
    if fields.is_empty() {
        return false;
    }
    let mut visitor = Put { row: make::call("named_struct", fields), name, spot, done: false };
    let _ = walk::alter(statement, &mut visitor);
    visitor.done
}

struct Put<'a> {
    row: Expr,
    name: &'a str,
    spot: Spot,
    done: bool,
}

impl Put<'_> {
    fn is_here(&self, expr: &Expr) -> bool {
        let Expr::Identifier(ident) = expr else { return false };
        let start = ident.span.start;
        Spot { line: start.line, column: start.column } == self.spot && normal(ident).eq_ignore_ascii_case(self.name)
    }
}

impl VisitorMut for Put<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            let (text, before) = (expr.to_string(), std::mem::take(&mut self.done));
            let _ = walk::alter(expr, self);
            if self.done {
                // Called as it was written.
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: make::quoted(text) };
            }
            self.done |= before;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.is_here(expr) {
            *expr = self.row.clone();
            self.done = true;
        }
        ControlFlow::Continue(())
    }
}
