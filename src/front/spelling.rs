//! Column names without regard to case, as DuckDB does it: `Name` and `name` both find the column `Name`.
//!
//! SQL folds names without quotes to lower case. When binding fails because such a name is missing and exactly one column
//! differs from it in case only, the name is written as the column is, in quotes, and binding is tried again.

use crate::front::walk;
use datafusion_common::Column;
use datafusion_sql::sqlparser::ast::{Expr, Ident, SelectItem, Statement, VisitorMut};
use std::ops::ControlFlow;

/// The spelling of the only column that `missing` can mean.
pub(super) fn meant(missing: &Column, valid: &[Column]) -> Option<String> {
    let wanted = missing.name.to_lowercase();
    let mut alike: Vec<&str> = valid.iter().map(|c| c.name.as_str()).filter(|n| n.to_lowercase() == wanted).collect();
    alike.sort_unstable();
    alike.dedup();
    match alike.as_slice() {
        [one] if *one != missing.name => Some(one.to_string()),
        _ => None,
    }
}

/// Writes `spelling` wherever the name that was missing stands without quotes. Returns whether it stood anywhere.
pub(super) fn respell(statement: &mut Statement, missing: &str, spelling: &str) -> bool {
    let mut visitor = Respell { missing, spelling, found: false };
    let _ = walk::alter(statement, &mut visitor);
    visitor.found
}

struct Respell<'a> {
    missing: &'a str,
    spelling: &'a str,
    found: bool,
}

impl Respell<'_> {
    fn ident(&mut self, ident: &mut Ident) {
        let same = match ident.quote_style {
            None => ident.value.to_lowercase() == self.missing,
            // DuckDB looks past case in quotes as well; the exact name was tried first.
            Some(_) => ident.value == self.missing,
        };
        if same {
            let span = ident.span;
            *ident = Ident::with_quote_and_span('"', span, self.spelling);
            self.found = true;
        }
    }
}

impl VisitorMut for Respell<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(i) => self.ident(i),
            Expr::CompoundIdentifier(parts) => {
                if let Some(last) = parts.last_mut() {
                    self.ident(last);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut datafusion_sql::sqlparser::ast::Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item
                && alias.quote_style.is_none()
            {
                self.ident(alias);
            }
        }
        ControlFlow::Continue(())
    }
}
