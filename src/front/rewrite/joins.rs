//! Joins by the names that DuckDB gives them: `SEMI JOIN` and `ANTI JOIN` keep rows of their left side. The keys of a
//! `NATURAL` join that keeps rows of its right side are named, so that [`using`](super::super::using) can give them their
//! meaning.

use super::Rewriter;
use crate::error::{Error, Result};
use datafusion_sql::sqlparser::ast::{Ident, Join, JoinConstraint, JoinOperator, ObjectName, TableWithJoins};

/// Refuses a join whose condition was forgotten: every pair of rows is rarely what is meant.
pub(super) fn wants_condition(join: &Join) -> Result<()> {
    use JoinOperator as J;
    // ASOF and POSITIONAL joins carry the mark.
    match &join.join_operator {
        J::Join(c) | J::Inner(c) | J::Left(c) | J::LeftOuter(c) | J::Right(c) | J::RightOuter(c) | J::FullOuter(c)
            if *c == JoinConstraint::None && !join.global =>
        {
            Err(Error::query(format!("{} has no condition", join.to_string().trim()))
                .advise("ON a = b, or USING (a); CROSS JOIN for every pair"))
        }
        _ => Ok(()),
    }
}

pub(super) fn say_sides(rewriter: &Rewriter<'_>, from: &mut TableWithJoins) -> Result<()> {
    for at in 0..from.joins.len() {
        let before = from.joins.get(..at).unwrap_or_default().to_vec();
        let left = TableWithJoins { relation: from.relation.clone(), joins: before };
        let Some(join) = from.joins.get_mut(at) else { break };
        let right = TableWithJoins { relation: join.relation.clone(), joins: Vec::new() };
        match &mut join.join_operator {
            JoinOperator::Semi(c) => join.join_operator = JoinOperator::LeftSemi(c.clone()),
            JoinOperator::Anti(c) => join.join_operator = JoinOperator::LeftAnti(c.clone()),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) | JoinOperator::FullOuter(c)
                if *c == JoinConstraint::Natural =>
            {
                let (left, right) = (rewriter.columns(&[left])?, rewriter.columns(&[right])?);
                let shared = left.iter().filter(|l| right.iter().any(|r| r.name == l.name));
                let names: Vec<ObjectName> =
                    shared.map(|l| ObjectName::from(vec![Ident::with_quote('"', &l.name)])).collect();
                *c = if names.is_empty() { JoinConstraint::None } else { JoinConstraint::Using(names) };
            }
            _ => {}
        }
    }
    Ok(())
}
