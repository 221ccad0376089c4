//! `ASOF JOIN` and `POSITIONAL JOIN`, for which neither the parser nor the binder has a word.
//!
//! 1. Before parsing, the words ASOF and POSITIONAL become GLOBAL (of another dialect), which the parser keeps and nobody
//!    else here writes ([`mark_words`]).
//! 2. Before binding, a GLOBAL join becomes a plain one whose right side is in parentheses of a certain name
//!    ([`name_sides`]); binding makes a [`Side`](super::extra::Kind::Side) of that ([`special`]).
//! 3. After binding, a join with such a side becomes the join that it is ([`plan`]).
//!
//! An as-of join has equalities and one inequality, in ON; in USING, the last column is the inequality (`left >= right`).

use super::extra::{Extra, Kind, Special};
use crate::error::{Error, Result};
use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult};
use datafusion_common::{Column, Result as PlanResult, plan_err};
use datafusion_expr::logical_plan::Join;
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{BinaryExpr, Expr, JoinType, LogicalPlan, Operator};
use datafusion_sql::sqlparser::ast::{
    Ident, JoinOperator, Query, Select, TableAlias, TableFactor, TableWithJoins, VisitorMut,
};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use std::ops::ControlFlow;

/// The names of the parentheses around right sides.
const NAMES: [(&str, Special); 2] = [("asof join", Special::Asof), ("positional join", Special::Positional)];

/// Renames the words before JOIN that the parser does not know.
pub(super) fn mark_words(tokens: &mut [TokenWithSpan]) {
    let words: Vec<usize> = (0..tokens.len()).filter(|i| !matches!(tokens[*i].token, Token::Whitespace(_))).collect();
    for at in words.windows(3) {
        let [first, second, third] = [at[0], at[1], at[2]];
        let asof = is_word(&tokens[first], "asof")
            && (is_keyword(&tokens[second], Keyword::JOIN) || is_join_type(&tokens[second], &tokens[third]));
        let positional = is_word(&tokens[first], "positional") && is_keyword(&tokens[second], Keyword::JOIN);
        if asof || positional {
            tokens[first].token = word("GLOBAL", Keyword::GLOBAL);
        }
        if positional {
            tokens[second].token = word("STRAIGHT_JOIN", Keyword::STRAIGHT_JOIN);
        }
    }
}

fn is_word(token: &TokenWithSpan, text: &str) -> bool {
    matches!(&token.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(text))
}

fn is_keyword(token: &TokenWithSpan, keyword: Keyword) -> bool {
    matches!(&token.token, Token::Word(w) if w.keyword == keyword)
}

fn is_join_type(token: &TokenWithSpan, next: &TokenWithSpan) -> bool {
    let joins = [Keyword::LEFT, Keyword::RIGHT, Keyword::FULL, Keyword::INNER, Keyword::SEMI, Keyword::ANTI];
    joins.iter().any(|k| is_keyword(token, *k)) && (is_keyword(next, Keyword::JOIN) || is_keyword(next, Keyword::OUTER))
}

fn word(value: &str, keyword: Keyword) -> Token {
    Token::Word(Word { value: value.into(), quote_style: None, keyword })
}

/// Puts the right sides of such joins into parentheses that binding finds.
///
/// # Errors
/// `Unsupported`, for kinds of as-of joins that are not built.
pub(super) fn name_sides(query: &mut Query) -> Result<()> {
    walk::try_alter(query, &mut Sides)
}

struct Sides;

impl VisitorMut for Sides {
    type Break = Box<Error>;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Box<Error>> {
        for from in &mut select.from {
            if let Err(error) = name_joins(from) {
                return ControlFlow::Break(Box::new(error));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Box<Error>> {
        match factor {
            TableFactor::NestedJoin { table_with_joins, .. } => match name_joins(table_with_joins) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Box::new(error)),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}

fn name_joins(from: &mut TableWithJoins) -> Result<()> {
    for join in from.joins.iter_mut().filter(|j| j.global) {
        join.global = false;
        let special = match &join.join_operator {
            JoinOperator::StraightJoin(constraint) => {
                join.join_operator = JoinOperator::CrossJoin(constraint.clone());
                Special::Positional
            }
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {
                Special::Asof
            }
            _ => return Err(Error::unsupported("an ASOF JOIN other than INNER and LEFT")),
        };
        let name = NAMES.iter().find(|(_, s)| *s == special).map_or("", |(name, _)| *name);
        let relation = TableWithJoins { relation: join.relation.clone(), joins: Vec::new() };
        let alias = TableAlias { explicit: true, name: Ident::with_quote('"', name), columns: Vec::new(), at: None };
        join.relation = TableFactor::NestedJoin { table_with_joins: Box::new(relation), alias: Some(alias) };
    }
    Ok(())
}

/// Which join the parentheses around a right side stand for.
pub(super) fn special(alias: Option<&TableAlias>) -> Option<Special> {
    let name = alias?.name.value.as_str();
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, special)| *special)
}

/// Makes special joins of the plain ones that were bound, in subqueries too.
pub(super) fn plan(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    walk::plan_up(plan, &mut |plan| {
        let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
        let Some((special, right)) = side(&join.right) else { return Ok(Transformed::no(plan)) };
        let inputs = vec![join.left.as_ref().clone(), right];
        let made = match special {
            Special::Positional => Extra::plan(Kind::Positional, inputs, Vec::new()),
            Special::Asof => Extra::plan(Kind::Asof(join.join_type), inputs, conditions(join)?),
        };
        made.map(Transformed::yes)
    })
    .data()
}

fn side(plan: &LogicalPlan) -> Option<(Special, LogicalPlan)> {
    let extra = Extra::of(plan)?;
    match (extra.kind, extra.inputs.as_slice()) {
        (Kind::Side(special), [input]) => Some((special, input.clone())),
        _ => None,
    }
}

/// The equalities of an as-of join, then its inequality; each with the left side's expression on its left.
fn conditions(join: &Join) -> PlanResult<Vec<Expr>> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return plan_err!("an ASOF JOIN is INNER or LEFT");
    }
    let binary =
        |(l, r): &(Expr, Expr), op| Expr::BinaryExpr(BinaryExpr::new(Box::new(l.clone()), op, Box::new(r.clone())));
    if let Some((last, keys)) = join.on.split_last() {
        let mut all: Vec<Expr> = keys.iter().map(|pair| binary(pair, Operator::Eq)).collect();
        all.push(binary(last, Operator::GtEq));
        return Ok(all);
    }
    let (mut equal, mut unequal) = (Vec::new(), Vec::new());
    for part in join.filter.iter().flat_map(split_conjunction) {
        let Some((op, left, right)) = sided(part, join) else {
            return plan_err!("an ASOF JOIN takes comparisons of the left side with the right side, not {part}");
        };
        match op {
            Operator::Eq => equal.push(binary(&(left, right), op)),
            Operator::Gt | Operator::GtEq | Operator::Lt | Operator::LtEq => unequal.push(binary(&(left, right), op)),
            _ => return plan_err!("an ASOF JOIN takes =, <, <=, > and >=, not {part}"),
        }
    }
    match unequal.len() {
        1 => Ok(equal.into_iter().chain(unequal).collect()),
        n => plan_err!("an ASOF JOIN takes one inequality (such as l.time >= r.time), not {n}"),
    }
}

/// A comparison with the left side's expression on its left.
fn sided(expr: &Expr, join: &Join) -> Option<(Operator, Expr, Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
    let of = |e: &Expr, plan: &LogicalPlan| {
        let columns: Vec<&Column> = e.column_refs().into_iter().collect();
        !columns.is_empty() && columns.iter().all(|c| plan.schema().has_column(c))
    };
    if of(left, &join.left) && of(right, &join.right) {
        Some((*op, left.as_ref().clone(), right.as_ref().clone()))
    } else if of(right, &join.left) && of(left, &join.right) {
        Some((op.swap()?, right.as_ref().clone(), left.as_ref().clone()))
    } else {
        None
    }
}
