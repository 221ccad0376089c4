//! The names of a query's columns: what the user wrote, each once.
//!
//! DataFusion wants the names in a select list to differ, and names an expression after its bound form
//! (`t.a + Int64(1)`). Before binding, an expression without alias gets its own text as an alias, and a name that is
//! taken gets a number: `a`, `a:1`. The headers of the result are the names without those numbers.
//!
//! Whether `SELECT t.*, a` or `SELECT a, t.a` repeats a name is known only when binding fails: then it is done again with
//! `every` set, which numbers such columns too.

use crate::front::walk;
use datafusion_sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, Ident, OrderByKind, Query, Select, SelectFlavor, SelectItem, SetExpr, TableFactor,
    Value, ValueWithSpan, VisitorMut, WildcardAdditionalOptions,
};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// Names every column of every select in `query`. Returns the headers of the names that got a number.
pub(super) fn name_columns(query: &mut Query, every: bool) -> HashMap<String, String> {
    let mut headers = HashMap::new();
    let relations = relations(query);
    let how = How { every, relations: &relations };
    name_query(query, how, &mut headers);
    let mut rest = Names { how };
    let _ = walk::alter(query, &mut rest);
    headers
}

/// The headers of a result whose columns have these names.
pub(super) fn headers<'a>(names: impl Iterator<Item = &'a String>, known: &HashMap<String, String>) -> Vec<String> {
    names.map(|n| known.get(n).unwrap_or(n).clone()).collect()
}

/// The headers, where unnested lists are called as they were written: the binder has no other name for them.
pub(super) fn unnested(query: &Query, headers: Vec<String>) -> Vec<String> {
    let SetExpr::Select(select) = &*query.body else { return headers };
    let written: Vec<String> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr) if is_unnest(expr) => Some(expr.to_string()),
            _ => None,
        })
        .collect();
    let is_bound = |name: &String| name.starts_with("UNNEST(");
    if headers.iter().filter(|name| is_bound(name)).count() != written.len() {
        return headers;
    }
    let mut written = written.into_iter();
    let named = |name: String| if is_bound(&name) { written.next().unwrap_or(name) } else { name };
    headers.into_iter().map(named).collect()
}

/// How names are given.
#[derive(Clone, Copy)]
struct How<'a> {
    /// Whether columns beside the star of a table, and of one name, get numbers.
    every: bool,
    /// What may stand before the dot of a column's name. Before another dot stands a struct.
    relations: &'a HashSet<String>,
}

/// The names and aliases of everything in FROM, anywhere in the query.
fn relations(query: &mut Query) -> HashSet<String> {
    let mut found = Relations(HashSet::new());
    let _ = walk::alter(query, &mut found);
    found.0
}

struct Relations(HashSet<String>);

impl VisitorMut for Relations {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let alias = match factor {
            TableFactor::Table { name, alias, .. } => {
                if let Some(last) = name.0.last().and_then(|part| part.as_ident()) {
                    self.0.extend([normal(last), super::files::name_of(&last.value)]);
                }
                alias
            }
            TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => alias,
            _ => return ControlFlow::Continue(()),
        };
        self.0.extend(alias.as_ref().map(|alias| normal(&alias.name)));
        ControlFlow::Continue(())
    }

    /// A file that a function reads; other texts do no harm.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(path), .. }) = expr {
            self.0.insert(super::files::name_of(path));
        }
        ControlFlow::Continue(())
    }
}

/// Names that differ from each other, where a second one would hide the first: `a`, `a` becomes `a`, `a_1`.
pub(super) fn apart(names: &[String]) -> Vec<String> {
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let mut seen = HashSet::new();
    let one = |name: &String| {
        if seen.insert(name.to_lowercase()) {
            return name.clone();
        }
        let free = (1..).map(|n| format!("{name}_{n}")).find(|made| taken.insert(made.clone()));
        free.unwrap_or_else(|| name.clone())
    };
    names.iter().map(one).collect()
}

struct Names<'a> {
    how: How<'a>,
}

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_query(query, self.how, &mut HashMap::new());
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

fn name_query(query: &mut Query, how: How<'_>, headers: &mut HashMap<String, String>) {
    if let SetExpr::Select(select) = &mut *query.body {
        let order = query.order_by.as_ref().map(|order| &order.kind);
        set_casts_aside(select, order, headers);
    }
    name_body(&mut query.body, how, headers);
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

fn name_body(body: &mut SetExpr, how: How<'_>, headers: &mut HashMap<String, String>) {
    match body {
        SetExpr::Select(select) => name_select(select, how, headers),
        SetExpr::Query(query) => name_body(&mut query.body, how, headers),
        SetExpr::SetOperation { left, right, .. } => {
            name_body(left, how, headers);
            name_body(right, how, &mut HashMap::new());
        }
        _ => {}
    }
}

fn name_select(select: &mut Select, how: How<'_>, headers: &mut HashMap<String, String>) {
    if select.projection.is_empty() && select.flavor == SelectFlavor::FromFirstNoSelect {
        select.projection.push(SelectItem::Wildcard(WildcardAdditionalOptions::default()));
    }
    let is_star = |i: &SelectItem| match i {
        SelectItem::Wildcard(_) => true,
        SelectItem::QualifiedWildcard(..) => how.every,
        _ => false,
    };
    let star = select.projection.iter().any(is_star);
    let mut taken = HashSet::new();
    for item in &mut select.projection {
        name_field(item, how.relations);
        if how.every {
            number_repeated(item, &mut taken, headers);
        }
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

/// `s.a`, a field of a struct, is called `a`. The binder would call it `t.s[a]`.
fn name_field(item: &mut SelectItem, relations: &HashSet<String>) {
    if let SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) = item
        && let [first, .., last] = parts.as_slice()
    {
        let depth = if relations.contains(&normal(first)) { 3 } else { 2 };
        if parts.len() >= depth {
            let alias = Ident::with_quote('"', normal(last));
            *item = SelectItem::ExprWithAlias { expr: Expr::CompoundIdentifier(parts.clone()), alias };
        }
    }
}

/// `a, t.a`: the second gets a number, as both may be one column.
fn number_repeated(item: &mut SelectItem, taken: &mut HashSet<String>, headers: &mut HashMap<String, String>) {
    let SelectItem::UnnamedExpr(expr) = item else { return };
    let (Origin::Column(_), Some(name)) = (origin(expr), last_part(expr)) else { return };
    if taken.contains(&name) {
        let alias = numbered(&name, taken, headers);
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    } else {
        taken.insert(name);
    }
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
