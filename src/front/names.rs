//! The names of a query's columns: what the user wrote, each once.
//!
//! DataFusion wants the names in a select list to differ, and names an expression after its bound form
//! (`t.a + Int64(1)`). Before binding, an expression without alias gets its own text as an alias, and a name that is
//! taken gets a number: `a`, `a:1`. The headers of the result are the names without those numbers.
//!
//! Whether `SELECT t.*, a` repeats a name is known only when binding fails: then it is done again with `every` set, which
//! numbers such columns too.

use crate::front::walk;
use datafusion_sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, Ident, OrderByKind, Query, Select, SelectFlavor, SelectItem, SetExpr, VisitorMut,
    WildcardAdditionalOptions,
};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// Names every column of every select in `query`. Returns the headers of the names that got a number.
pub(super) fn name_columns(query: &mut Query, every: bool) -> HashMap<String, String> {
    let mut headers = HashMap::new();
    name_query(query, every, &mut headers);
    let mut rest = Names { every };
    let _ = walk::alter(query, &mut rest);
    headers
}

/// The headers of a result whose columns have these names.
pub(super) fn headers<'a>(names: impl Iterator<Item = &'a String>, known: &HashMap<String, String>) -> Vec<String> {
    names.map(|n| known.get(n).unwrap_or(n).clone()).collect()
}

struct Names {
    every: bool,
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_query(query, self.every, &mut HashMap::new());
        order_by_names(query);
        ControlFlow::Continue(())
    }
}

/// `SELECT DISTINCT a + 1 .. ORDER BY a + 1` sorts by the output column, which has a name now.
fn order_by_names(query: &mut Query) {
    let (SetExpr::Select(select), Some(order)) = (&*query.body, &mut query.order_by) else { return };
    let (Some(_), OrderByKind::Expressions(list)) = (&select.distinct, &mut order.kind) else { return };
    for wanted in list {
        let alias = select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if *expr == wanted.expr => Some(alias.clone()),
            _ => None,
        });
        if let Some(alias) = alias {
            wanted.expr = Expr::Identifier(alias);
        }
    }
}

fn name_query(query: &mut Query, every: bool, headers: &mut HashMap<String, String>) {
    if let SetExpr::Select(select) = &mut *query.body {
        let order = query.order_by.as_ref().map(|order| &order.kind);
        set_casts_aside(select, order, headers);
    }
    name_body(&mut query.body, every, headers);
}

/// `SELECT i::VARCHAR FROM t ORDER BY i` sorts by the column of `t`: the cast has no name of its own, only a header.
fn set_casts_aside(select: &mut Select, order: Option<&OrderByKind>, headers: &mut HashMap<String, String>) {
    let Some(OrderByKind::Expressions(order)) = order else { return };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    if select.distinct.is_some() || grouped {
        return;
    }
    let is_named = |name: &str, item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => normal(alias) == name,
        SelectItem::UnnamedExpr(expr) => {
            matches!(origin(expr), Origin::Column(_)) && last_part(expr).as_deref() == Some(name)
        }
        _ => true,
    };
    for by in order {
        let Expr::Identifier(by) = &by.expr else { continue };
        let name = normal(by);
        if select.projection.iter().any(|item| is_named(&name, item)) {
            continue;
        }
        let mut taken = HashSet::new();
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && matches!(origin(expr), Origin::CastColumn(_))
                && last_part(expr).as_deref() == Some(&name)
            {
                let alias = numbered(&name, &mut taken, headers);
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
    }
}

fn name_body(body: &mut SetExpr, every: bool, headers: &mut HashMap<String, String>) {
    match body {
        SetExpr::Select(select) => name_select(select, every, headers),
        SetExpr::Query(query) => name_body(&mut query.body, every, headers),
        SetExpr::SetOperation { left, right, .. } => {
            name_body(left, every, headers);
            name_body(right, every, &mut HashMap::new());
        }
        _ => {}
    }
}

fn name_select(select: &mut Select, every: bool, headers: &mut HashMap<String, String>) {
    if select.projection.is_empty() && select.flavor == SelectFlavor::FromFirstNoSelect {
        select.projection.push(SelectItem::Wildcard(WildcardAdditionalOptions::default()));
    }
    let is_star = |i: &SelectItem| match i {
        SelectItem::Wildcard(_) => true,
        SelectItem::QualifiedWildcard(..) => every,
        _ => false,
    };
    let star = select.projection.iter().any(is_star);
    let mut taken = HashSet::new();
    for item in &mut select.projection {
        name_item(item, star, &mut taken, headers);
    }
}

/// Where a column's name comes from.
enum Origin {
    /// A column of the input, with its table if that is said: two of the same name may come from two tables.
    Column(String),
    /// A cast of a column: named after the column.
    CastColumn(String),
    /// Anything else: its text.
    Computed(String),
}

fn name_item(item: &mut SelectItem, star: bool, taken: &mut HashSet<String>, headers: &mut HashMap<String, String>) {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => {
            let name = normal(alias);
            if !taken.insert(name.clone()) {
                *alias = numbered(&name, taken, headers);
            }
        }
        SelectItem::UnnamedExpr(expr) if !is_unnest(expr) => {
            let alias = match origin(expr) {
                Origin::Column(key) if star || !taken.insert(key.clone()) => {
                    Some(numbered(last_part(expr).as_deref().unwrap_or(&key), taken, headers))
                }
                Origin::Column(_) => None,
                Origin::CastColumn(name) => match star || !taken.insert(name) {
                    true => Some(text_alias(expr.to_string(), taken, headers)),
                    false => last_part(expr).map(|name| Ident::with_quote('"', name)),
                },
                Origin::Computed(text) => Some(text_alias(text, taken, headers)),
            };
            if let Some(alias) = alias {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
        _ => {}
    }
}

fn text_alias(text: String, taken: &mut HashSet<String>, headers: &mut HashMap<String, String>) -> Ident {
    match taken.insert(text.clone()) {
        true => Ident::with_quote('"', text),
        false => numbered(&text, taken, headers),
    }
}

/// `name:1`, or the next number that is free.
fn numbered(name: &str, taken: &mut HashSet<String>, headers: &mut HashMap<String, String>) -> Ident {
    let mut number = 1;
    let mut made = format!("{name}:{number}");
    while !taken.insert(made.clone()) {
        number += 1;
        made = format!("{name}:{number}");
    }
    headers.insert(made.clone(), name.to_string());
    Ident::with_quote('"', made)
}

fn origin(expr: &Expr) -> Origin {
    match expr {
        Expr::Identifier(i) => Origin::Column(normal(i)),
        Expr::CompoundIdentifier(parts) => Origin::Column(parts.iter().map(normal).collect::<Vec<_>>().join(".")),
        Expr::Nested(inner) => origin(inner),
        Expr::Cast { expr, .. } => match origin(expr) {
            Origin::Column(name) | Origin::CastColumn(name) => Origin::CastColumn(name),
            Origin::Computed(_) => Origin::Computed(format!("{expr}")),
        },
        other => Origin::Computed(other.to_string()),
    }
}

fn last_part(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(i) => Some(normal(i)),
        Expr::CompoundIdentifier(parts) => parts.last().map(normal),
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => last_part(inner),
        _ => None,
    }
}

/// An unnested struct becomes several columns: it cannot have one name.
fn is_unnest(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(Function { name, .. }) if name.to_string().eq_ignore_ascii_case("unnest"))
}

/// The name that an identifier binds to.
pub(super) fn normal(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}
