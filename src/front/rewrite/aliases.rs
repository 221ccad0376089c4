//! Names of the select list in the same select: `SELECT a + 1 AS b, b * 2 AS c FROM t WHERE b > 1`.
//!
//! A column of that name goes first. So this is done when binding has failed for lack of it: at the place that the binder
//! complains about, the name becomes what it stands for, in parentheses, and with it every other such name of that select.

use crate::front::errors::Spot;
use crate::front::names::normal;
use crate::front::walk;
use datafusion_sql::sqlparser::ast::{Expr, Select, SelectItem, Statement, VisitorMut};
use std::ops::ControlFlow;

/// Puts what `name` stands for into the select that names it at `spot`. Returns whether there is one.
pub(in super::super) fn put(statement: &mut Statement, name: &str, spot: Spot) -> bool {
    let mut visitor = Selects { name, spot, done: false };
    let _ = walk::alter(statement, &mut visitor);
    visitor.done
}

struct Selects<'a> {
    name: &'a str,
    spot: Spot,
    done: bool,
}

impl VisitorMut for Selects<'_> {
    type Break = ();

    /// After its subqueries: the innermost select comes first.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if self.done || !self.stands_in(select) {
            return ControlFlow::Continue(());
        }
        let Some((at, meaning)) = meaning(select, self.name) else { return ControlFlow::Continue(()) };
        let with = |ident: &datafusion_sql::sqlparser::ast::Ident| {
            (normal(ident).eq_ignore_ascii_case(self.name)).then(|| Expr::Nested(Box::new(meaning.clone())))
        };
        for (i, item) in select.projection.iter_mut().enumerate() {
            if i != at {
                super::params::replace_names(item, &with);
            }
        }
        super::params::replace_names(&mut select.selection, &with);
        super::params::replace_names(&mut select.group_by, &with);
        super::params::replace_names(&mut select.having, &with);
        super::params::replace_names(&mut select.qualify, &with);
        self.done = true;
        ControlFlow::Break(())
    }
}

impl Selects<'_> {
    fn stands_in(&self, select: &mut Select) -> bool {
        let mut find = Find { name: self.name, spot: self.spot, found: false };
        let _ = walk::alter(&mut select.projection, &mut find);
        let _ = walk::alter(&mut select.selection, &mut find);
        let _ = walk::alter(&mut select.group_by, &mut find);
        let _ = walk::alter(&mut select.having, &mut find);
        let _ = walk::alter(&mut select.qualify, &mut find);
        find.found
    }
}

/// The item of the select list that has the name.
fn meaning(select: &Select, name: &str) -> Option<(usize, Expr)> {
    select.projection.iter().enumerate().find_map(|(at, item)| match item {
        SelectItem::ExprWithAlias { expr, alias } if normal(alias).eq_ignore_ascii_case(name) => {
            Some((at, expr.clone()))
        }
        _ => None,
    })
}

struct Find<'a> {
    name: &'a str,
    spot: Spot,
    found: bool,
}

impl VisitorMut for Find<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(ident) = expr {
            let start = ident.span.start;
            let here = Spot { line: start.line, column: start.column } == self.spot;
            self.found |= here && normal(ident).eq_ignore_ascii_case(self.name);
        }
        ControlFlow::Continue(())
    }
}
