//! `x NOT IN (SELECT ..)` where it is not the whole condition: under OR, it becomes a mark join, whose mark says "no" where
//! SQL says "unknown". What is true of it is said without that:
//!
//! ```text
//! x NOT IN (S)  is true  iff  S is empty, or x is no null, S has no null, and x is not in S
//! ```
//!
//! In a condition, "unknown" and "no" are the same as long as nothing negates them; so this is put where a NOT IN stands
//! under AND and OR alone. A NOT IN that all of the condition depends on stays: its join knows about nulls.
//!
//! Limits: inside of NOT, CASE, IS NULL and the like nothing is changed. A NOT IN of tuples stays, too.

use super::{derived, plain, select_all};
use crate::front::make;
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableWithJoins,
    UnaryOperator,
};

pub(super) fn null_aware(select: &mut Select) {
    for condition in [&mut select.selection, &mut select.having, &mut select.qualify].into_iter().flatten() {
        walk(condition, false);
    }
}

fn walk(condition: &mut Expr, under_or: bool) {
    match condition {
        Expr::Nested(inner) => walk(inner, under_or),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            walk(left, under_or);
            walk(right, under_or);
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            walk(left, true);
            walk(right, true);
        }
        Expr::InSubquery { expr, subquery, negated: true } if under_or && !matches!(**expr, Expr::Tuple(_)) => {
            *condition = is_outside(expr, subquery);
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } if under_or => {
            let mut inner = &**expr;
            while let Expr::Nested(one) = inner {
                inner = one;
            }
            if let Expr::InSubquery { expr, subquery, negated: false } = inner
                && !matches!(**expr, Expr::Tuple(_))
            {
                *condition = is_outside(expr, subquery);
            }
        }
        _ => {}
    }
}

fn is_outside(x: &Expr, subquery: &Query) -> Expr {
    let is_in = Expr::InSubquery {
        expr: Box::new(Expr::Nested(Box::new(x.clone()))),
        subquery: Box::new(subquery.clone()),
        negated: false,
    };
    let value = Expr::Identifier(Ident::with_quote('"', "value"));
    let nulls = count(subquery, Some(Expr::IsNull(Box::new(value))));
    let known = make::and(
        Some(make::and(Some(Expr::IsNotNull(Box::new(x.clone()))), make::binary(nulls, BinaryOperator::Eq, make::number(0)))),
        make::negated(is_in, true),
    );
    let empty = make::binary(count(subquery, None), BinaryOperator::Eq, make::number(0));
    make::binary(empty, BinaryOperator::Or, known)
}

/// `(SELECT count(1) FROM (subquery) AS inside(value) WHERE condition)`.
fn count(subquery: &Query, condition: Option<Expr>) -> Expr {
    let column = TableAliasColumnDef { name: Ident::with_quote('"', "value"), data_type: None };
    let alias = TableAlias { explicit: true, name: Ident::new("inside"), columns: vec![column], at: None };
    let relation = derived(subquery.clone(), Some(alias));
    let mut select = select_all(vec![TableWithJoins { relation, joins: Vec::new() }]);
    select.projection = vec![SelectItem::UnnamedExpr(make::call("count", vec![make::number(1)]))];
    select.selection = condition;
    Expr::Subquery(Box::new(plain(SetExpr::Select(Box::new(select)))))
}
