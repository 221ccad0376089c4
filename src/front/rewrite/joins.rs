//! Joins by the names that DuckDB gives them: `SEMI JOIN` and `ANTI JOIN` keep rows of their left side. The keys of a
//! `NATURAL` join that keeps rows of its right side are named, so that [`using`](super::super::using) can give them their
//! meaning.

use super::Rewriter;
use crate::error::{Error, Result};
use crate::front::make;
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

/// Names the keys of a NATURAL join that keeps rows of its right side. One without keys is refused, since every pair of
/// rows is rarely what is meant, as is a key in two spellings.
fn natural(
    rewriter: &Rewriter<'_>,
    left: TableWithJoins,
    right: TableWithJoins,
    join: &mut JoinOperator,
) -> Result<()> {
    // What is wrong with a side, or depends on rows of the other, is the binder's.
    let (Ok(left), Ok(right)) = (rewriter.columns(&[left]), rewriter.columns(&[right])) else { return Ok(()) };
    let shared = left.iter().filter(|l| right.iter().any(|r| r.name == l.name));
    let names: Vec<ObjectName> = shared.map(|l| ObjectName::from(vec![Ident::with_quote('"', &l.name)])).collect();
    for l in &left {
        let alike = right.iter().find(|r| r.name.to_lowercase() == l.name.to_lowercase());
        if let Some(r) = alike.filter(|r| r.name != l.name) {
            return Err(Error::unsupported(format!("a NATURAL JOIN by \"{}\" and \"{}\"", l.name, r.name))
                .advise("write ON, or give both one name"));
        }
    }
    if names.is_empty() {
        return Err(Error::query("a NATURAL JOIN of tables that have no column in common")
            .advise("write ON; CROSS JOIN for every pair"));
    }
    if let JoinOperator::Right(c) | JoinOperator::RightOuter(c) | JoinOperator::FullOuter(c) = join {
        *c = JoinConstraint::Using(names);
    }
    Ok(())
}

pub(super) fn say_sides(rewriter: &Rewriter<'_>, from: &mut TableWithJoins) -> Result<()> {
    for at in 0..from.joins.len() {
        let before = from.joins.get(..at).unwrap_or_default().to_vec();
        let left = TableWithJoins { relation: from.relation.clone(), joins: before };
        let Some(join) = from.joins.get_mut(at) else { break };
        let right = TableWithJoins { relation: join.relation.clone(), joins: Vec::new() };
        if make::constraint_of(&mut join.join_operator).is_some_and(|c| *c == JoinConstraint::Natural) {
            natural(rewriter, left, right, &mut join.join_operator)?;
        }
        match &mut join.join_operator {
            JoinOperator::Semi(c) => join.join_operator = JoinOperator::LeftSemi(c.clone()),
            JoinOperator::Anti(c) => join.join_operator = JoinOperator::LeftAnti(c.clone()),
            _ => {}
        }
    }
    Ok(())
}
