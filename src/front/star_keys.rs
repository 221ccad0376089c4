//! `*` over a join with USING: each key once, where its left table has it. The binder keeps the key of the table whose name
//! comes first in the alphabet, which is null in rows of a LEFT JOIN that match nothing.
//!
//! ```text
//! SELECT * FROM t LEFT JOIN a USING (k)         SELECT t.*, a.* EXCLUDE (k)
//! SELECT * FROM t FULL JOIN a USING (k)         SELECT t.* REPLACE (coalesce(t.k, a.k) AS k), a.* EXCLUDE (k)
//! ```
//!
//! Limits: where a table has no name, or two have the same, the star stays as it is; a star with EXCLUDE or REPLACE over one
//! join gets the right values, not the right places.

use super::using::{JoinKey, constraint, last, replacing, table_name};
use datafusion_sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ReplaceSelectItem, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableWithJoins, WildcardAdditionalOptions,
};
use std::collections::BTreeSet;

/// Spreads the plain stars of a select; `keys` are those that mean both sides' columns.
pub(super) fn spread(select: &mut Select, keys: &[JoinKey]) {
    for options in select.projection.iter_mut().filter_map(with_options) {
        keep_left(options, &select.from);
    }
    let Some(stars) = stars(&select.from, keys) else { return };
    let items = std::mem::take(&mut select.projection);
    select.projection = items
        .into_iter()
        .flat_map(|item| match item {
            SelectItem::Wildcard(options) if is_plain(&options) => stars.clone(),
            other => vec![other],
        })
        .collect();
}

fn with_options(item: &mut SelectItem) -> Option<&mut WildcardAdditionalOptions> {
    match item {
        SelectItem::Wildcard(options) if !is_plain(options) => Some(options),
        _ => None,
    }
}

/// A star that leaves out or replaces columns stays; its keys are those of the left table, at whatever place.
fn keep_left(options: &mut WildcardAdditionalOptions, from: &[TableWithJoins]) {
    let [TableWithJoins { relation, joins }] = from else { return };
    let ([join], Some(left)) = (joins.as_slice(), table_name(relation)) else { return };
    let (Some(JoinConstraint::Using(names)), false) = constraint(join) else { return };
    let gone: Vec<String> = match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => last(name).into_iter().collect(),
        Some(ExcludeSelectItem::Multiple(names)) => names.iter().filter_map(last).collect(),
        None => Vec::new(),
    };
    let replaced = options.opt_replace.iter().flat_map(|r| &r.items).map(|i| super::names::normal(&i.column_name));
    let taken: Vec<String> = gone.into_iter().chain(replaced).collect();
    let key = |name: String| JoinKey::of_left(&left, name);
    let keys: Vec<JoinKey> = names.iter().filter_map(last).filter(|n| !taken.contains(n)).map(key).collect();
    if let Some(more) = replacing(&keys) {
        options.opt_replace.get_or_insert(ReplaceSelectItem { items: Vec::new() }).items.extend(more.items);
    }
}

fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    let WildcardAdditionalOptions { opt_exclude, opt_except, opt_replace, opt_rename, opt_ilike, .. } = options;
    opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_ilike.is_none()
}

/// A star for each table; `None`, where the plain one will do or must do.
fn stars(from: &[TableWithJoins], keys: &[JoinKey]) -> Option<Vec<SelectItem>> {
    let (mut stars, mut names, mut using) = (Vec::new(), BTreeSet::new(), false);
    for table in from {
        let mut star = |name: Ident, gone: Vec<Ident>, keys: &[JoinKey]| {
            let options = WildcardAdditionalOptions {
                opt_exclude: (!gone.is_empty())
                    .then(|| ExcludeSelectItem::Multiple(gone.into_iter().map(ObjectName::from).collect())),
                opt_replace: replacing(keys),
                ..WildcardAdditionalOptions::default()
            };
            let new = names.insert(super::names::normal(&name));
            let kind = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![name]));
            stars.push(SelectItem::QualifiedWildcard(kind, options));
            new.then_some(())
        };
        let own = if table.joins.is_empty() { &[] } else { keys };
        star(table_name(&table.relation)?, Vec::new(), own)?;
        for join in &table.joins {
            if !shows_right(join)? {
                continue;
            }
            let gone: Vec<Ident> = match constraint(join).0 {
                Some(JoinConstraint::Using(names)) => names.iter().filter_map(last).map(quoted).collect(),
                Some(JoinConstraint::Natural) => return None,
                _ => Vec::new(),
            };
            using |= !gone.is_empty();
            star(table_name(&join.relation)?, gone, &[])?;
        }
    }
    using.then_some(stars)
}

fn quoted(name: String) -> Ident {
    Ident::with_quote('"', name)
}

/// Whether a join shows the columns of its right side; `None` for joins that are not thought of here.
fn shows_right(join: &Join) -> Option<bool> {
    match &join.join_operator {
        _ if join.global => None,
        JoinOperator::Join(_)
        | JoinOperator::Inner(_)
        | JoinOperator::Left(_)
        | JoinOperator::LeftOuter(_)
        | JoinOperator::Right(_)
        | JoinOperator::RightOuter(_)
        | JoinOperator::FullOuter(_)
        | JoinOperator::CrossJoin(_) => Some(true),
        JoinOperator::Semi(_) | JoinOperator::LeftSemi(_) | JoinOperator::Anti(_) | JoinOperator::LeftAnti(_) => {
            Some(false)
        }
        _ => None,
    }
}
