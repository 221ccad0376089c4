//! Column names without regard to case, as DuckDB does it: `Name` and `name` both find the column `Name`.
//!
//! SQL folds names without quotes to lower case. When binding fails because such a name is missing and exactly one column
//! differs from it in case only, the name is written as the column is, in quotes, and binding is tried again.

use crate::front::errors::Spot;
use crate::front::{make, walk};
use datafusion_common::Column;
use datafusion_sql::sqlparser::ast::{Expr, Ident, JoinConstraint, ObjectNamePart, SelectItem, Statement, VisitorMut};
use std::collections::BTreeSet;
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

/// The names of one statement that were written anew.
#[derive(Default)]
pub(super) struct Spelling(BTreeSet<(String, String)>);

impl Spelling {
    /// Writes `meant` wherever the name that was missing stands without quotes; only at `spot`, where one query of the
    /// statement wants the one spelling and another the other. Returns whether it stood anywhere.
    pub(super) fn respell(
        &mut self,
        statement: &mut Statement,
        missing: &str,
        meant: &str,
        spot: Option<Spot>,
    ) -> bool {
        let back = self.0.contains(&(meant.to_string(), missing.to_string()));
        self.0.insert((missing.to_string(), meant.to_string()));
        let only = spot.filter(|_| back);
        let mut visitor = Respell { missing, spelling: meant, only, found: false };
        let _ = walk::alter(statement, &mut visitor);
        visitor.found
    }
}

struct Respell<'a> {
    missing: &'a str,
    spelling: &'a str,
    only: Option<Spot>,
    found: bool,
}

impl Respell<'_> {
    fn ident(&mut self, ident: &mut Ident) {
        let same = match ident.quote_style {
            None => ident.value.to_lowercase() == self.missing,
            // DuckDB looks past case in quotes as well; the exact name was tried first.
            Some(_) => ident.value == self.missing,
        };
        let start = ident.span.start;
        let here = self.only.is_none_or(|spot| Spot { line: start.line, column: start.column } == spot);
        if same && here {
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
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            if let Some(JoinConstraint::Using(keys)) = make::constraint_of(&mut join.join_operator) {
                for part in keys.iter_mut().filter_map(|key| key.0.last_mut()) {
                    if let ObjectNamePart::Identifier(key) = part {
                        self.ident(key);
                    }
                }
            }
        }
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item
                && alias.quote_style.is_none()
                && self.only.is_none()
            {
                self.ident(alias);
            }
        }
        ControlFlow::Continue(())
    }
}
