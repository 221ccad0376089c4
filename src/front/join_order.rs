//! The order of inner joins, from the guesses of [`stats`](super::stats).
//!
//! Greedy operator ordering (Fegaras 1998; Moerkotte, "Building Query Compilers", 3.3.3): the joins of a group are taken
//! apart into inputs, equalities and other conditions; then, again and again, the two inputs are joined whose result is
//! guessed to be the smallest, until one is left. The tree may be bushy.
//!
//! 1. A group is a maximal tree of inner joins and of projections that only leave columns out.
//! 2. Conditions on one input become filters there; equalities of two inputs are edges; the rest are filters of the first
//!    join that has all their columns.
//! 3. Inputs without an edge are joined last, the smallest first.
//! 4. A projection on top restores the columns and their order.
//!
//! Groups of two inputs stay as they are: which side is built is [`build_side`](super::stats::build_side)'s to say.

use super::stats::{Key, divisor, key, rows};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{Column, JoinType, NullEquality, Result};
use datafusion_expr::logical_plan::{Filter, Join, JoinConstraint, Projection};
use datafusion_expr::utils::{conjunction, split_conjunction_owned};
use datafusion_expr::{Expr, LogicalPlan};
use std::sync::Arc;

/// Inputs of a group are counted by the bits of a word.
const MOST_INPUTS: usize = 64;

/// Orders every group of three inner joins or more, in subqueries too.
pub(super) fn reorder(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let plan = plan.map_subqueries(reorder)?;
    plan.transform_data(|plan| match Group::of(&plan) {
        Some(group) => group.order(&plan),
        None => plan.map_children(reorder),
    })
}

/// A set of inputs.
type Set = u64;

/// The parts of a group of inner joins.
#[derive(Default)]
struct Group {
    inputs: Vec<LogicalPlan>,
    equal: Vec<(Expr, Expr)>,
    others: Vec<Expr>,
}

/// An equality between two sets of inputs.
struct Edge {
    left: (Set, Expr, Key),
    right: (Set, Expr, Key),
}

/// Some inputs, joined.
struct Joined {
    set: Set,
    rows: f64,
    plan: LogicalPlan,
}

impl Group {
    /// The group whose topmost join is `plan`; `None` if there is nothing to order.
    fn of(plan: &LogicalPlan) -> Option<Group> {
        if !is_inner(plan) {
            return None;
        }
        let mut group = Group::default();
        group.take(plan);
        (group.inputs.len() > 2 && group.inputs.len() <= MOST_INPUTS).then_some(group)
    }

    fn take(&mut self, plan: &LogicalPlan) {
        match plan {
            LogicalPlan::Join(join) if is_inner(plan) => {
                self.take(&join.left);
                self.take(&join.right);
                self.equal.extend(join.on.iter().cloned());
                self.others.extend(join.filter.iter().cloned().flat_map(split_conjunction_owned));
            }
            LogicalPlan::Projection(p) if leaves_out(p) => self.take(&p.input),
            other => self.inputs.push(other.clone()),
        }
    }

    fn order(mut self, top: &LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let inputs = std::mem::take(&mut self.inputs);
        let inputs = inputs.into_iter().map(|p| reorder(p).data()).collect::<Result<Vec<_>>>()?;
        let (edges, mut conditions) = self.edges(&inputs);
        let mut joined = start(inputs, &mut conditions)?;
        while joined.len() > 1 {
            let (left, right) = cheapest(&joined, &edges);
            // `right` is the later one: taking it out does not move `left`.
            let (right, left) = (joined.remove(right), joined.remove(left));
            joined.push(join(left, right, &edges, &mut conditions)?);
        }
        let Some(Joined { plan, .. }) = joined.pop() else { return Ok(Transformed::no(top.clone())) };
        let left_over: Vec<Expr> = conditions.into_iter().map(|(_, e)| e).collect();
        let columns = top.schema().iter().map(|(q, f)| Expr::Column(Column::new(q.cloned(), f.name()))).collect();
        let plan = filtered(plan, left_over)?;
        Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?)))
    }

    /// The equalities that are edges, and all other conditions with the inputs that they need.
    fn edges(self, inputs: &[LogicalPlan]) -> (Vec<Edge>, Vec<(Set, Expr)>) {
        let mut edges = Vec::new();
        let mut conditions: Vec<(Set, Expr)> = self.others.into_iter().map(|e| (needs(&e, inputs), e)).collect();
        for (left, right) in self.equal {
            let (l, r) = (needs(&left, inputs), needs(&right, inputs));
            if l == 0 || r == 0 || l & r != 0 {
                conditions.push((l | r, left.eq(right)));
                continue;
            }
            let (lk, rk) = (key_of(&left, l, inputs), key_of(&right, r, inputs));
            edges.push(Edge { left: (l, left, lk), right: (r, right, rk) });
        }
        (edges, conditions)
    }
}

fn is_inner(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(j)
        if j.join_type == JoinType::Inner && j.null_equality == NullEquality::NullEqualsNothing && !j.null_aware)
}

/// Whether a projection only leaves columns out, over a join.
fn leaves_out(projection: &Projection) -> bool {
    let through = matches!(&*projection.input, LogicalPlan::Join(_) | LogicalPlan::Projection(_));
    through && projection.expr.iter().all(|e| matches!(e, Expr::Column(_)))
}

/// The inputs that `expr` has columns of.
fn needs(expr: &Expr, inputs: &[LogicalPlan]) -> Set {
    let of = |c: &Column| inputs.iter().position(|p| p.schema().has_column(c));
    expr.column_refs().into_iter().filter_map(of).fold(0, |set, i| set | 1 << i)
}

fn key_of(expr: &Expr, set: Set, inputs: &[LogicalPlan]) -> Key {
    let index = set.trailing_zeros() as usize;
    match inputs.get(index) {
        Some(plan) => key(expr, plan, rows(plan)),
        None => Key { distinct: None, base: 1.0 },
    }
}

/// The inputs with the conditions that need nothing else.
fn start(inputs: Vec<LogicalPlan>, conditions: &mut Vec<(Set, Expr)>) -> Result<Vec<Joined>> {
    let mut joined = Vec::with_capacity(inputs.len());
    for (i, plan) in inputs.into_iter().enumerate() {
        let set = 1 << i;
        let plan = filtered(plan, take_conditions(conditions, set))?;
        joined.push(Joined { set, rows: rows(&plan), plan });
    }
    Ok(joined)
}

/// Takes out the conditions that `set` suffices for.
fn take_conditions(conditions: &mut Vec<(Set, Expr)>, set: Set) -> Vec<Expr> {
    let (now, later) = std::mem::take(conditions).into_iter().partition(|(need, _)| *need != 0 && need & !set == 0);
    *conditions = later;
    let now: Vec<(Set, Expr)> = now;
    now.into_iter().map(|(_, e)| e).collect()
}

fn filtered(plan: LogicalPlan, conditions: Vec<Expr>) -> Result<LogicalPlan> {
    match conjunction(conditions) {
        Some(all) => Ok(LogicalPlan::Filter(Filter::try_new(all, Arc::new(plan))?)),
        None => Ok(plan),
    }
}

/// What a choice costs, to be compared: whether it is a product, then two estimates.
type Cost = (bool, f64, f64);

/// The edges between two sets, each turned so that its left is in the first.
fn between(edges: &[Edge], left: Set, right: Set) -> impl Iterator<Item = ((&Expr, Key), (&Expr, Key))> {
    let within = |part: Set, whole: Set| part & !whole == 0;
    edges.iter().filter_map(move |e| {
        let ((ls, l, lk), (rs, r, rk)) = (&e.left, &e.right);
        if within(*ls, left) && within(*rs, right) {
            Some(((l, *lk), (r, *rk)))
        } else if within(*rs, left) && within(*ls, right) {
            Some(((r, *rk), (l, *lk)))
        } else {
            None
        }
    })
}

/// The two to join next: with an edge before without, then by the rows of the result, then of both, then as written.
fn cheapest(joined: &[Joined], edges: &[Edge]) -> (usize, usize) {
    let mut best: Option<(Cost, (usize, usize))> = None;
    for (j, right) in joined.iter().enumerate() {
        for (i, left) in joined.iter().enumerate().take(j) {
            let apart = between(edges, left.set, right.set).next().is_none();
            let cost = (apart, result_rows(left, right, edges), left.rows + right.rows);
            let better = best.is_none_or(|(least, _)| {
                let order = cost.0.cmp(&least.0).then(cost.1.total_cmp(&least.1)).then(cost.2.total_cmp(&least.2));
                order.is_lt()
            });
            if better {
                best = Some((cost, (i, j)));
            }
        }
    }
    best.map_or((0, 1), |(_, pair)| pair)
}

fn result_rows(left: &Joined, right: &Joined, edges: &[Edge]) -> f64 {
    let keys = between(edges, left.set, right.set).map(|((_, l), (_, r))| (l, r));
    left.rows * right.rows / divisor(keys)
}

fn join(left: Joined, right: Joined, edges: &[Edge], conditions: &mut Vec<(Set, Expr)>) -> Result<Joined> {
    let set = left.set | right.set;
    let rows = result_rows(&left, &right, edges);
    let on = between(edges, left.set, right.set).map(|((l, _), (r, _))| (l.clone(), r.clone())).collect();
    let filter = conjunction(take_conditions(conditions, set));
    let plan = LogicalPlan::Join(Join::try_new(
        Arc::new(left.plan),
        Arc::new(right.plan),
        on,
        filter,
        JoinType::Inner,
        JoinConstraint::On,
        NullEquality::NullEqualsNothing,
        false,
    )?);
    Ok(Joined { set, rows, plan })
}
