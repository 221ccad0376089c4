//! `IN`, `EXISTS`, `ANY` and `ALL` with subqueries, where the binder's joins for them are not there or not exact.
//!
//! `x NOT IN (SELECT ..)` under OR becomes a mark join, whose mark says "no" where SQL says "unknown". What is true of it
//! is said without that:
//!
//! ```text
//! x NOT IN (S)  is true  iff  S is empty, or x is no null, S has no null, and x is not in S
//! ```
//!
//! In a condition, "unknown" and "no" are the same as long as nothing negates them; so this is put where a NOT IN stands
//! under AND and OR alone. A NOT IN that all of the condition depends on stays: its join knows about nulls.
//!
//! In a select list, and inside of CASE, NOT, IS NULL and the like, all three answers count, and there is no join: `IN`
//! becomes a CASE over counts of the subquery, `EXISTS` a count; `x > ALL (S)` compares with the largest value, and so on.
//! Everywhere, `= ANY` is `IN`, `<> ALL` is `NOT IN`.
//!
//! `(a, b) IN (S)` in a condition becomes an EXISTS.
//!
//! Limits: an `IN` of tuples in a select list, and one there whose subquery names columns from outside, are refused by the
//! binder.

use super::{derived, plain, select_all};
use crate::error::Result;
use crate::front::walk;
use crate::front::{make, parse};
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Distinct, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, TableWithJoins,
    UnaryOperator, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// The name of the subquery's column: one that nobody else uses, since what it is compared with stands beside it.
const VALUE: &str = "value inside";

/// Rewrites all of the above in one select.
pub(super) fn rewrite(select: &mut Select) -> Result<()> {
    for item in &mut select.projection {
        exactly(item)?;
    }
    for condition in [&mut select.selection, &mut select.having, &mut select.qualify].into_iter().flatten() {
        walk(condition, false)?;
    }
    Ok(())
}

fn walk(condition: &mut Expr, under_or: bool) -> Result<()> {
    match condition {
        Expr::Nested(inner) => walk(inner, under_or),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            walk(left, under_or)?;
            walk(right, under_or)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            walk(left, true)?;
            walk(right, true)
        }
        Expr::InSubquery { expr, subquery, negated } => {
            match (&**expr, *negated && under_or) {
                (Expr::Tuple(values), _) => *condition = is_tuple_in(values, subquery, *negated),
                (_, true) => *condition = is_outside(expr, subquery),
                (_, false) => one_select(subquery),
            }
            Ok(())
        }
        Expr::Exists { .. } => Ok(()),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => match turned(expr) {
            Some(outside) => {
                *condition = outside;
                walk(condition, under_or)
            }
            None => exactly(expr),
        },
        Expr::AnyOp { .. } | Expr::AllOp { .. } => match as_membership(condition) {
            Some(membership) => {
                *condition = membership;
                walk(condition, under_or)
            }
            // The binder has joins for these, which also take subqueries that name columns from outside.
            None => {
                one_of_its_own(condition);
                Ok(())
            }
        },
        other => exactly(other),
    }
}

/// What `NOT expr` is, where the expression is an IN or an EXISTS.
fn turned(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Nested(inner) => turned(inner),
        Expr::InSubquery { expr, subquery, negated } => {
            Some(Expr::InSubquery { expr: expr.clone(), subquery: subquery.clone(), negated: !negated })
        }
        Expr::Exists { subquery, negated } => Some(Expr::Exists { subquery: subquery.clone(), negated: !negated }),
        _ => None,
    }
}

/// `= ANY` and `<> ALL` as IN and NOT IN.
fn as_membership(expr: &Expr) -> Option<Expr> {
    let (left, right, negated) = match expr {
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => (left, right, false),
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => (left, right, true),
        _ => return None,
    };
    let Expr::Subquery(subquery) = &**right else { return None };
    Some(Expr::InSubquery { expr: left.clone(), subquery: subquery.clone(), negated })
}

/// The binder gives set operations in IN names that repeat: a select around them has none.
fn one_select(subquery: &mut Box<Query>) {
    if matches!(*subquery.body, SetExpr::SetOperation { .. }) {
        wrap(subquery);
    }
}

/// The binder puts the left side of ANY and ALL beside the subquery's column, where `t.c > ALL (SELECT c FROM t)` would
/// compare the column with itself: the subquery's gets a name of its own.
fn one_of_its_own(condition: &mut Expr) {
    if let Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } = condition
        && let Expr::Subquery(subquery) = &mut **right
    {
        wrap(subquery);
    }
}

/// A select of the subquery's only column, under its name.
fn wrap(subquery: &mut Box<Query>) {
    let mut select = select_all(inside(subquery));
    select.projection = vec![SelectItem::UnnamedExpr(value())];
    **subquery = plain(SetExpr::Select(Box::new(select)));
}

fn is_outside(x: &Expr, subquery: &Query) -> Expr {
    let mut within = Box::new(subquery.clone());
    one_select(&mut within);
    let is_in =
        Expr::InSubquery { expr: Box::new(Expr::Nested(Box::new(x.clone()))), subquery: within, negated: false };
    let nulls = count(subquery, Some(Expr::IsNull(Box::new(value()))));
    let has_no_null = make::binary(nulls, BinaryOperator::Eq, make::number(0));
    let known = make::and(Some(Expr::IsNotNull(Box::new(x.clone()))), has_no_null);
    let known = make::and(Some(known), make::negated(is_in, true));
    let empty = make::binary(count(subquery, None), BinaryOperator::Eq, make::number(0));
    make::binary(empty, BinaryOperator::Or, known)
}

/// `(a, b) IN (S)` as `EXISTS (SELECT .. FROM (S) AS s(x, y) WHERE a = x AND b = y)`. Not in it is a tuple of which no row of
/// `S` is equal, nor perhaps equal.
fn is_tuple_in(values: &[Expr], subquery: &Query, negated: bool) -> Expr {
    let names: Vec<String> = (0..values.len()).map(|i| format!("{VALUE} {i}")).collect();
    let alias = super::alias_of("inside", names.iter().cloned());
    let relation = derived(subquery.clone(), Some(alias));
    let equal = |(value, name): (&Expr, &String)| {
        let inside = Expr::Identifier(Ident::with_quote('"', name));
        make::binary(Expr::Nested(Box::new(value.clone())), BinaryOperator::Eq, inside)
    };
    let all = values.iter().zip(&names).map(equal).fold(None, |all, next| Some(make::and(all, next)));
    let perhaps = |all: Expr| Expr::IsNotFalse(Box::new(Expr::Nested(Box::new(all))));
    let mut select = select_all(vec![TableWithJoins { relation, joins: Vec::new() }]);
    select.selection = if negated { all.map(perhaps) } else { all };
    Expr::Exists { subquery: Box::new(plain(SetExpr::Select(Box::new(select)))), negated }
}

fn value() -> Expr {
    Expr::Identifier(Ident::with_quote('"', VALUE))
}

/// The subquery as a table with one column of that name.
fn inside(subquery: &Query) -> Vec<TableWithJoins> {
    let alias = super::alias_of("inside", std::iter::once(VALUE.to_string()));
    vec![TableWithJoins { relation: derived(subquery.clone(), Some(alias)), joins: Vec::new() }]
}

/// `(SELECT function(value) FROM (subquery) AS inside(value) WHERE condition)`.
fn aggregate(subquery: &Query, function: Expr, condition: Option<Expr>) -> Expr {
    let mut select = select_all(inside(subquery));
    select.projection = vec![SelectItem::UnnamedExpr(function)];
    select.selection = condition;
    Expr::Subquery(Box::new(plain(SetExpr::Select(Box::new(select)))))
}

fn count(subquery: &Query, condition: Option<Expr>) -> Expr {
    aggregate(subquery, make::call("count", vec![make::number(1)]), condition)
}

/// Rewrites what stands in `node`, outside of subqueries, so that all three answers are right.
fn exactly(node: &mut impl VisitMut) -> Result<()> {
    walk::try_alter(node, &mut Exactly { depth: 0 })
}

struct Exactly {
    depth: usize,
}

impl VisitorMut for Exactly {
    type Break = Box<crate::error::Error>;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        if let Some(membership) = as_membership(expr) {
            *expr = membership;
        }
        match exact(expr) {
            Ok(Some(made)) => *expr = made,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(Box::new(error)),
        }
        ControlFlow::Continue(())
    }
}

fn exact(expr: &Expr) -> Result<Option<Expr>> {
    match expr {
        Expr::InSubquery { expr: x, subquery, negated } if !matches!(**x, Expr::Tuple(_)) => {
            is_in(x, subquery).map(|made| Some(make::negated(made, *negated)))
        }
        Expr::Exists { subquery, negated } => {
            let rows = rows_of(subquery);
            let op = if *negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
            Ok(Some(make::binary(rows, op, make::number(0))))
        }
        Expr::AnyOp { left, compare_op, right, .. } => compared(left, compare_op, right, true),
        Expr::AllOp { left, compare_op, right } => compared(left, compare_op, right, false),
        _ => Ok(None),
    }
}

fn is_in(x: &Expr, subquery: &Query) -> Result<Expr> {
    let same = count(subquery, Some(make::binary(value(), BinaryOperator::Eq, x.clone())));
    let nulls = count(subquery, Some(Expr::IsNull(Box::new(value()))));
    let all = count(subquery, None);
    parse::expression(&format!(
        "CASE WHEN {same} > 0 THEN true WHEN {all} = 0 THEN false WHEN ({x}) IS NULL OR {nulls} > 0 THEN NULL \
         ELSE false END"
    ))
}

/// `x op ANY (S)` and `x op ALL (S)`, by the one value that decides.
fn compared(x: &Expr, op: &BinaryOperator, right: &Expr, any: bool) -> Result<Option<Expr>> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let Expr::Subquery(subquery) = right else { return Ok(None) };
    let of = |function: &str| aggregate(subquery, make::call(function, vec![value()]), None);
    let decides = match (op, any) {
        (Gt | GtEq, true) | (Lt | LtEq, false) => format!("({x}) {op} {}", of("min")),
        (Gt | GtEq, false) | (Lt | LtEq, true) => format!("({x}) {op} {}", of("max")),
        (Eq, false) => format!("(({x}) = {} AND ({x}) = {})", of("min"), of("max")),
        (NotEq, true) => format!("(({x}) <> {} OR ({x}) <> {})", of("min"), of("max")),
        _ => return Ok(None),
    };
    let all = count(subquery, None);
    let nulls = count(subquery, Some(Expr::IsNull(Box::new(value()))));
    let made = match any {
        true => format!(
            "CASE WHEN {all} = 0 THEN false WHEN {decides} THEN true WHEN {nulls} > 0 THEN NULL ELSE {decides} END"
        ),
        false => format!(
            "CASE WHEN {all} = 0 THEN true WHEN NOT ({decides}) THEN false WHEN {nulls} > 0 THEN NULL ELSE {decides} END"
        ),
    };
    parse::expression(&made).map(Some)
}

/// How many rows a subquery has. Where it is a plain select, its list is replaced, so that it may still name columns from
/// outside.
fn rows_of(subquery: &Query) -> Expr {
    let mut query = subquery.clone();
    let none = GroupByExpr::Expressions(Vec::new(), Vec::new());
    if let SetExpr::Select(select) = &mut *query.body
        && subquery.limit_clause.is_none()
        && select.group_by == none
        && select.having.is_none()
        && select.qualify.is_none()
        && !matches!(select.distinct, Some(Distinct::On(_) | Distinct::Distinct))
        && !select.projection.iter().any(calls)
    {
        select.projection = vec![SelectItem::UnnamedExpr(make::call("count", vec![make::number(1)]))];
        query.order_by = None;
        return Expr::Subquery(Box::new(query));
    }
    let mut select = select_all(vec![TableWithJoins { relation: derived(query, None), joins: Vec::new() }]);
    select.projection = vec![SelectItem::UnnamedExpr(make::call("count", vec![make::number(1)]))];
    Expr::Subquery(Box::new(plain(SetExpr::Select(Box::new(select)))))
}

/// Whether an item calls a function: it might be an aggregate, or make rows.
fn calls(item: &SelectItem) -> bool {
    struct Calls(bool);
    impl VisitorMut for Calls {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            self.0 |= matches!(expr, Expr::Function(_));
            ControlFlow::Continue(())
        }
    }
    let mut calls = Calls(false);
    let _ = walk::alter(&mut item.clone(), &mut calls);
    calls.0
}
