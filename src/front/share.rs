//! A common table expression that is used twice is computed once.
//!
//! 1. Before binding, the query of each CTE that is named more than once goes into parentheses of a certain name
//!    ([`name_uses`]); binding puts a [`Shared`](super::extra::Kind::Shared) node under that name ([`number`]). The binder
//!    copies the plan of a CTE to each place that names it, and with it the number.
//! 2. Before any rule changes the plan, the nodes that are not worth it are taken out again ([`mark`]).
//!
//! The node is a wall that no rule moves anything through, since what one use does not want another may. `plan` computes
//! the first use and lets the others read its rows. A CTE of nothing but scans, filters and projections is cheaper to
//! compute again; one that is volatile (`random()`) must not be. A recursive one is computed at each use.

use super::extra::{Extra, Kind};
use super::mapped::Mapped;
use crate::error::{Error, Result as OurResult};
use crate::front::walk;
use datafusion_common::Result;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion_expr::LogicalPlan;
use datafusion_sql::sqlparser::ast::{Cte, ObjectName, Query, SetExpr, TableAlias, TableFactor, VisitorMut};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What the names of parentheses around the queries of CTEs begin with.
const NAME: &str = "shared query ";

/// Names the queries of CTEs that are used more than once; `next` gives them numbers.
///
/// # Errors
/// `Internal`, where the text that is made here has no meaning.
pub(super) fn name_uses(query: &mut Query, next: &AtomicUsize) -> OurResult<()> {
    let mut named = Named(BTreeMap::new());
    let _ = walk::alter(query, &mut named);
    walk::try_alter(query, &mut Naming { named: named.0, next })
}

/// How often each name stands where a table is named.
struct Named(BTreeMap<String, usize>);

impl VisitorMut for Named {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        *self.0.entry(name.to_string().to_lowercase()).or_insert(0) += 1;
        ControlFlow::Continue(())
    }
}

struct Naming<'a> {
    named: BTreeMap<String, usize>,
    next: &'a AtomicUsize,
}

impl VisitorMut for Naming<'_> {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Box<Error>> {
        let Some(with) = &mut query.with else { return ControlFlow::Continue(()) };
        for cte in &mut with.cte_tables {
            let name = cte.alias.name.to_string().to_lowercase();
            let often = self.named.get(&name).is_some_and(|count| *count > 1);
            if often
                && !(with.recursive && names_itself(cte, &name))
                && let Err(error) = self.wrap(cte)
            {
                return ControlFlow::Break(Box::new(error));
            }
        }
        ControlFlow::Continue(())
    }
}

fn names_itself(cte: &Cte, name: &str) -> bool {
    let mut named = Named(BTreeMap::new());
    let _ = walk::alter(&mut cte.query.clone(), &mut named);
    named.0.contains_key(name)
}

impl Naming<'_> {
    /// `q` becomes `SELECT * FROM (q) AS "shared query 7"`.
    fn wrap(&self, cte: &mut Cte) -> OurResult<()> {
        let number = self.next.fetch_add(1, Relaxed);
        let wrong = || Error::internal("a CTE cannot be put into parentheses");
        let mut made = super::parse::query(&format!("SELECT * FROM (SELECT 1) AS \"{NAME}{number}\""))?;
        let SetExpr::Select(select) = made.body.as_mut() else { return Err(wrong()) };
        let relation = select.from.first_mut().map(|from| &mut from.relation);
        let Some(TableFactor::Derived { subquery, .. }) = relation else { return Err(wrong()) };
        std::mem::swap(subquery, &mut cte.query);
        std::mem::swap(&mut cte.query, &mut made);
        Ok(())
    }
}

/// The number of the CTE around whose query these parentheses are.
pub(super) fn number(alias: Option<&TableAlias>) -> Option<usize> {
    alias?.name.value.strip_prefix(NAME)?.parse().ok()
}

/// Leaves the nodes of CTEs that are used more than once and worth sharing, in subqueries too, and numbers them from 0.
pub(super) fn mark(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut uses = Uses::default();
    uses.count(&plan)?;
    if uses.0.is_empty() {
        return Ok(plan);
    }
    walk::plan_up(plan, &mut |plan| match Extra::of(&plan).map(|extra| (extra.kind, extra.inputs.as_slice())) {
        Some((Kind::Shared(number), [input])) => Ok(Transformed::yes(match uses.shared(number) {
            Some(number) => Extra::plan(Kind::Shared(number), vec![input.clone()], Vec::new())?,
            None => input.clone(),
        })),
        _ => Ok(Transformed::no(plan)),
    })
    .data()
}

/// A plan under a number.
struct Use {
    number: usize,
    /// How often it is used.
    count: usize,
    /// Whether it is worth sharing.
    worth: bool,
}

/// The plans under numbers, in the order in which they are found.
#[derive(Default)]
struct Uses(Vec<Use>);

impl Uses {
    /// The new number of a plan that is shared.
    fn shared(&self, number: usize) -> Option<usize> {
        self.0.iter().filter(|u| u.count > 1 && u.worth).position(|u| u.number == number)
    }

    fn count(&mut self, plan: &LogicalPlan) -> Result<()> {
        walk::look_at_plans(plan, &mut |node| {
            let Some((Kind::Shared(number), [input])) = Extra::of(node).map(|e| (e.kind, e.inputs.as_slice())) else {
                return Ok(TreeNodeRecursion::Continue);
            };
            if let Some(known) = self.0.iter_mut().find(|u| u.number == number) {
                // What is below is used by the first use alone.
                known.count += 1;
                return Ok(TreeNodeRecursion::Jump);
            }
            self.0.push(Use { number, count: 1, worth: is_worth(input)? });
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }
}

/// Whether computing `plan` twice costs much, or gives two answers. Not what depends on the row of an outer query.
pub(super) fn is_worth(plan: &LogicalPlan) -> Result<bool> {
    let mut worth = false;
    let mut correlated = false;
    walk::look_at_plans(plan, &mut |node| {
        correlated |= node.contains_outer_reference();
        worth |= match node {
            LogicalPlan::Aggregate(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::RecursiveQuery(_) => true,
            // Nobody knows what a program's own step costs.
            LogicalPlan::Extension(node) if node.node.as_any().is::<Mapped>() => true,
            other => other.expressions().iter().any(datafusion_expr::Expr::is_volatile),
        };
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(worth && !correlated)
}
