//! The key of `RIGHT` and `FULL JOIN .. USING`.
//!
//! A key that is named without its table means the left table's column to the binder, which is null in rows that only the
//! right table has. Before binding, such a name becomes `coalesce(left.key, right.key)` in the select that joins, and `*`
//! is told to show that.
//!
//! Limits, all refused: `NATURAL RIGHT` and `NATURAL FULL` joins; such a join of more than one table on its left side;
//! another `USING` with the same key behind it.

use super::names::normal;
use crate::error::{Error, Result};
use crate::front::walk;
use datafusion_sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, OrderByKind, Query, ReplaceSelectElement,
    ReplaceSelectItem, Select, SelectItem, SetExpr, TableFactor, TableWithJoins, VisitorMut,
};
use std::ops::ControlFlow;

/// Rewrites the keys of every select in `query`.
///
/// # Errors
/// `Unsupported`, for what the limits above say.
pub(super) fn coalesce_keys(query: &mut Query) -> Result<()> {
    walk::try_alter(query, &mut Queries)
}

/// A key of a join: its name, and what it means.
pub(super) struct JoinKey {
    name: String,
    value: Expr,
}

impl JoinKey {
    /// A key that is the left table's.
    pub(super) fn of_left(table: &Ident, name: String) -> Self {
        let value = Expr::CompoundIdentifier(vec![table.clone(), Ident::with_quote('"', name.clone())]);
        JoinKey { name, value }
    }
}

struct Queries;

impl VisitorMut for Queries {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Box<Error>> {
        let SetExpr::Select(select) = &mut *query.body else { return ControlFlow::Continue(()) };
        let keys = match keys_of(select) {
            Ok(keys) => keys,
            Err(e) => return ControlFlow::Break(Box::new(e)),
        };
        let Some(order) = &mut query.order_by else { return ControlFlow::Continue(()) };
        if let OrderByKind::Expressions(list) = &mut order.kind {
            // Where the select shows the key, its name is the output's.
            let hidden = keys.into_iter().filter(|k| !shows(select, &k.name)).collect();
            let mut replace = Replace { keys: hidden, depth: 0 };
            for item in list {
                let _ = walk::alter(item, &mut replace);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Box<Error>> {
        match keys_of(select) {
            Ok(keys) => {
                super::star_keys::spread(select, &keys);
                if !keys.is_empty() {
                    rewrite(select, keys);
                }
                ControlFlow::Continue(())
            }
            Err(e) => ControlFlow::Break(Box::new(e)),
        }
    }
}

fn keys_of(select: &Select) -> Result<Vec<JoinKey>> {
    let mut keys = Vec::new();
    for from in &select.from {
        keys_of_joins(from, &mut keys)?;
    }
    Ok(keys)
}

fn keys_of_joins(from: &TableWithJoins, keys: &mut Vec<JoinKey>) -> Result<()> {
    for (before, join) in from.joins.iter().enumerate() {
        let (constraint, keeps_right) = constraint(join);
        let names: Vec<String> = match constraint {
            Some(JoinConstraint::Using(names)) => names.iter().filter_map(last).collect(),
            Some(JoinConstraint::Natural) if keeps_right => {
                return Err(Error::unsupported("NATURAL RIGHT and FULL joins").advise("name the keys: USING (key)"));
            }
            _ => continue,
        };
        if let Some(again) = names.iter().find(|n| keys.iter().any(|k| k.name == **n)) {
            return Err(Error::unsupported(format!("USING ({again}) behind a RIGHT or FULL join on the same key"))
                .advise("write ON, with coalesce() for the key"));
        }
        if !keeps_right {
            continue;
        }
        let (left, right) = (table_name(&from.relation), table_name(&join.relation));
        let (Some(left), Some(right), 0) = (left, right, before) else {
            return Err(Error::unsupported("RIGHT or FULL JOIN .. USING behind another join, or without table names")
                .advise("write ON, with coalesce() for the key"));
        };
        for name in names {
            let value = coalesce(&left, &right, &name)?;
            keys.push(JoinKey { name, value });
        }
    }
    Ok(())
}

/// The constraint of a join, and whether it keeps rows of the right side that match nothing.
pub(super) fn constraint(join: &Join) -> (Option<&JoinConstraint>, bool) {
    match &join.join_operator {
        JoinOperator::Right(c) | JoinOperator::RightOuter(c) | JoinOperator::FullOuter(c) => (Some(c), true),
        JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => {
            (Some(c), false)
        }
        _ => (None, false),
    }
}

pub(super) fn last(name: &ObjectName) -> Option<String> {
    name.0.last().and_then(|p| p.as_ident()).map(normal)
}

/// The name that a table's columns can be qualified with.
pub(super) fn table_name(factor: &TableFactor) -> Option<Ident> {
    match factor {
        TableFactor::Table { alias: Some(a), .. } | TableFactor::Derived { alias: Some(a), .. } => Some(a.name.clone()),
        TableFactor::Table { name, args: None, .. } => {
            let ident = name.0.last().and_then(|p| p.as_ident())?;
            match ident.quote_style {
                Some(quote) if quote == '\'' || super::files::is_path(&ident.value) => {
                    Some(Ident::with_quote('"', super::files::name_of(&ident.value)))
                }
                _ => Some(ident.clone()),
            }
        }
        _ => None,
    }
}

fn coalesce(left: &Ident, right: &Ident, key: &str) -> Result<Expr> {
    let key = Ident::with_quote('"', key);
    super::parse::expression(&format!("coalesce({left}.{key}, {right}.{key})"))
}

/// `REPLACE (value AS key, ..)`, if there is a key.
pub(super) fn replacing(keys: &[JoinKey]) -> Option<ReplaceSelectItem> {
    let item = |key: &JoinKey| {
        let column_name = Ident::with_quote('"', key.name.clone());
        Box::new(ReplaceSelectElement { expr: key.value.clone(), column_name, as_keyword: true })
    };
    (!keys.is_empty()).then(|| ReplaceSelectItem { items: keys.iter().map(item).collect() })
}

fn rewrite(select: &mut Select, keys: Vec<JoinKey>) {
    for item in &mut select.projection {
        match item {
            SelectItem::Wildcard(options) => {
                let shown = options.opt_replace.get_or_insert(ReplaceSelectItem { items: Vec::new() });
                shown.items.extend(replacing(&keys).into_iter().flat_map(|r| r.items));
            }
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => {
                if let Some(key) = keys.iter().find(|k| k.name == normal(ident)) {
                    *item = SelectItem::ExprWithAlias { expr: key.value.clone(), alias: ident.clone() };
                }
            }
            _ => {}
        }
    }
    let joins = std::mem::take(&mut select.from);
    let mut replace = Replace { keys, depth: 0 };
    // A star's replacements are done already, and hold no bare key.
    let _ = walk::alter(select, &mut replace);
    select.from = joins;
}

/// Whether the select has an output column of that name.
fn shows(select: &Select, name: &str) -> bool {
    select.projection.iter().any(|item| match item {
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::ExprWithAlias { alias, .. } => normal(alias) == name,
        SelectItem::UnnamedExpr(Expr::Identifier(i)) => normal(i) == name,
        _ => false,
    })
}

/// Replaces bare keys, but not in subqueries: there the name may be another table's.
struct Replace {
    keys: Vec<JoinKey>,
    depth: usize,
}

impl VisitorMut for Replace {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let (Expr::Identifier(ident), 0) = (&*expr, self.depth)
            && let Some(key) = self.keys.iter().find(|k| k.name == normal(ident))
        {
            *expr = key.value.clone();
        }
        ControlFlow::Continue(())
    }
}
