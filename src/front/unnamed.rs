//! Subqueries in FROM that have no name get one where they stand beside others: their columns may have equal names, and
//! `USING`, `NATURAL` and `*` must tell whose is meant.

use super::walk;
use datafusion_sql::sqlparser::ast::{Ident, Query, Select, TableAlias, TableFactor, TableWithJoins, VisitorMut};
use std::ops::ControlFlow;

/// Names them in every select of `query`.
pub(super) fn name(query: &mut Query) {
    let _ = walk::alter(query, &mut Naming);
}

struct Naming;

impl VisitorMut for Naming {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut unnamed = Vec::new();
        let several = select.from.len() > 1 || select.from.iter().any(|from| !from.joins.is_empty());
        select.from.iter_mut().for_each(|from| collect(from, &mut unnamed));
        if several {
            for (number, alias) in unnamed.into_iter().enumerate() {
                // A name with blanks is nobody else's.
                let name = Ident::with_quote('"', format!("unnamed subquery {}", number + 1));
                *alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
            }
        }
        ControlFlow::Continue(())
    }
}

fn collect<'a>(from: &'a mut TableWithJoins, unnamed: &mut Vec<&'a mut Option<TableAlias>>) {
    let factors = std::iter::once(&mut from.relation).chain(from.joins.iter_mut().map(|join| &mut join.relation));
    for factor in factors {
        match factor {
            TableFactor::Derived { alias: alias @ None, .. } => unnamed.push(alias),
            TableFactor::NestedJoin { table_with_joins, alias: None } => collect(table_with_joins, unnamed),
            _ => {}
        }
    }
}
