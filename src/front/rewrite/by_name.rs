//! `UNION BY NAME` of columns whose names differ in case only: the right side takes the left side's spelling, where the
//! binder would make two columns.

use super::{Known, Rewriter, derived, plain, select_all};
use crate::front::make;
use datafusion_sql::sqlparser::ast::{SelectItem, SetExpr, TableWithJoins};

/// Gives the columns of `right` the names that `left` has for them. What cannot be bound is left for the binder to refuse.
pub(super) fn spell_alike(rewriter: &Rewriter<'_>, left: &SetExpr, right: &mut SetExpr) {
    let from =
        |body: &SetExpr| vec![TableWithJoins { relation: derived(plain(body.clone()), None), joins: Vec::new() }];
    let (Ok(known), Ok(own)) = (rewriter.columns(&from(left)), rewriter.columns(&from(right))) else { return };
    let meant = |own: &Known| {
        let exact = known.iter().any(|k| k.name == own.name);
        let alike = known.iter().find(|k| k.name.to_lowercase() == own.name.to_lowercase());
        alike.filter(|_| !exact).map(|k| k.name.clone())
    };
    if own.iter().all(|own| meant(own).is_none()) {
        return;
    }
    let mut select = select_all(from(right));
    select.projection = own
        .iter()
        .map(|k| SelectItem::ExprWithAlias {
            expr: k.expr(),
            alias: make::quoted(meant(k).unwrap_or_else(|| k.name.clone())),
        })
        .collect();
    *right = SetExpr::Select(Box::new(select));
}
