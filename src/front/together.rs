//! Several plans that run as one: what they have in common is computed once.
//!
//! 1. Of the bound plans, the largest subtrees that occur twice and are worth it ([`share::is_worth`]) become
//!    [`Shared`](Kind::Shared) nodes. Two subtrees are equal when their nodes and the tables that they read are.
//! 2. All plans become the inputs of one [`Roots`](Kind::Roots) node, and go through the rules together.
//! 3. Of the optimized plan, scans of one table of text, or of rows of the program, become one shared scan of the columns
//!    that any of them wants, of the rows that any of them wants; each filters and projects on its own. Parquet is read
//!    again: its columns are as near there as in scratch. So is what a limit may end early.

use super::catalog::{Source, TableRef, WorkTable};
use super::extra::{Extra, Kind};
use super::share;
use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result};
use datafusion_expr::logical_plan::TableScan;
use datafusion_expr::utils::{conjunction, disjunction};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The plans as one; `next` gives what they share its numbers.
pub(super) fn join(plans: Vec<LogicalPlan>, next: &AtomicUsize) -> Result<LogicalPlan> {
    Extra::plan(Kind::Roots, share_subtrees(plans, next)?, Vec::new())
}

/// A plan that is equal to another one that reads the same tables.
struct Subtree<'a>(&'a LogicalPlan);

impl Hash for Subtree<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Subtree<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 && same_tables(self.0, other.0)
    }
}

impl Eq for Subtree<'_> {}

/// Whether the scans of two plans of one form read the same tables: the plans themselves compare by their names.
fn same_tables(a: &LogicalPlan, b: &LogicalPlan) -> bool {
    match (scans(a), scans(b)) {
        (Ok(a), Ok(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same_table(a, b)),
        _ => false,
    }
}

fn scans(plan: &LogicalPlan) -> Result<Vec<TableScan>> {
    let mut found = Vec::new();
    walk::look_at_plans(plan, &mut |node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.push(scan.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn same_table(a: &TableScan, b: &TableScan) -> bool {
    let works = (WorkTable::of(a.source.as_ref()), WorkTable::of(b.source.as_ref()));
    match (Source::of(a.source.as_ref()), Source::of(b.source.as_ref()), works) {
        (Some(a), Some(b), _) => a.table.is_same(&b.table),
        (None, None, (Some(a), Some(b))) => a.name == b.name,
        _ => false,
    }
}

fn share_subtrees(plans: Vec<LogicalPlan>, next: &AtomicUsize) -> Result<Vec<LogicalPlan>> {
    let mut counts: HashMap<Subtree<'_>, usize> = HashMap::new();
    for plan in &plans {
        plan.apply(|node| {
            if share::is_worth(node)? {
                *counts.entry(Subtree(node)).or_insert(0) += 1;
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    counts.retain(|_, count| *count > 1);
    let often: Vec<&LogicalPlan> = counts.keys().map(|subtree| subtree.0).collect();
    let numbers: HashMap<Subtree<'_>, usize> =
        often.into_iter().map(|plan| (Subtree(plan), next.fetch_add(1, Relaxed))).collect();
    plans.iter().map(|plan| shared(plan.clone(), &numbers).data()).collect()
}

/// The plan with the subtrees that have a number under it, from the top down: those inside of others, too, which is for
/// [`share::mark`] to judge.
fn shared(plan: LogicalPlan, numbers: &HashMap<Subtree<'_>, usize>) -> Result<Transformed<LogicalPlan>> {
    let number = numbers.get(&Subtree(&plan)).copied();
    let inside = plan.map_children(|child| shared(child, numbers))?;
    match number {
        Some(number) => Ok(Transformed::yes(Extra::plan(Kind::Shared(number), vec![inside.data], Vec::new())?)),
        None => Ok(inside),
    }
}

/// Scans of one table that are worth reading once.
struct Group {
    scans: Vec<TableScan>,
    /// What all of them read, once it is laid, and the filter that its rows passed.
    shared: Option<(LogicalPlan, Option<Expr>)>,
}

/// Shares the scans of an optimized plan.
pub(super) fn share_scans(plan: LogicalPlan) -> Result<LogicalPlan> {
    let (mut groups, numbers) = groups(&plan)?;
    groups.retain(|group| group.scans.len() > 1);
    if groups.is_empty() {
        return Ok(plan);
    }
    for (group, number) in groups.iter_mut().zip(numbers..) {
        group.shared = group.lay(number)?;
    }
    let mut seen = HashSet::new();
    plan.transform_down(|node| {
        if is_seen(&node, &mut seen) {
            return Ok(Transformed::new(node, false, TreeNodeRecursion::Jump));
        }
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let group = groups.iter().find(|g| is_shareable(scan) && g.takes(scan));
        match group.and_then(|g| g.shared.clone()) {
            Some((shared, passed)) => {
                Ok(Transformed::new(narrowed(shared, passed, scan)?, true, TreeNodeRecursion::Jump))
            }
            None => Ok(Transformed::no(node)),
        }
    })
    .data()
}

/// Whether this is a shared plan that was there before: it is computed where it is first.
fn is_seen(node: &LogicalPlan, seen: &mut HashSet<usize>) -> bool {
    matches!(Extra::of(node).map(|e| e.kind), Some(Kind::Shared(number)) if !seen.insert(number))
}

/// The scans by their tables, and the first number that is free.
fn groups(plan: &LogicalPlan) -> Result<(Vec<Group>, usize)> {
    let mut groups: Vec<Group> = Vec::new();
    let mut seen = HashSet::new();
    plan.apply(|node| {
        if is_seen(node, &mut seen) {
            return Ok(TreeNodeRecursion::Jump);
        }
        if let LogicalPlan::TableScan(scan) = node
            && is_shareable(scan)
        {
            match groups.iter_mut().find(|g| g.takes(scan)) {
                Some(group) => group.scans.push(scan.clone()),
                None => groups.push(Group { scans: vec![scan.clone()], shared: None }),
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok((groups, free_number(plan)?))
}

/// The first number that no shared plan has, those of subqueries included.
fn free_number(plan: &LogicalPlan) -> Result<usize> {
    let mut free = 0;
    walk::look_at_plans(plan, &mut |node| {
        if let Some(Kind::Shared(number)) = Extra::of(node).map(|e| e.kind) {
            free = free.max(number + 1);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(free)
}

fn is_shareable(scan: &TableScan) -> bool {
    let reads = match Source::of(scan.source.as_ref()).map(|source| &source.table) {
        Some(TableRef::Files(table)) => matches!(table.format.name(), "csv" | "json"),
        Some(TableRef::Supplied(_)) => true,
        _ => false,
    };
    reads && scan.fetch.is_none()
}

impl Group {
    fn takes(&self, scan: &TableScan) -> bool {
        self.scans.first().is_some_and(|first| first.table_name == scan.table_name && same_table(first, scan))
    }

    /// A shared scan of what any of the scans wants; nothing for scans that only count rows.
    fn lay(&self, number: usize) -> Result<Option<(LogicalPlan, Option<Expr>)>> {
        let Some(first) = self.scans.first() else { return Ok(None) };
        let schema = first.source.schema();
        let mut columns = BTreeSet::new();
        for scan in &self.scans {
            columns.extend(scan.projection.clone().unwrap_or_else(|| (0..schema.fields().len()).collect()));
            for column in scan.filters.iter().flat_map(Expr::column_refs) {
                columns.insert(schema.index_of(&column.name)?);
            }
        }
        if columns.is_empty() {
            return Ok(None);
        }
        let wanted = self.scans.iter().map(|scan| conjunction(scan.filters.clone()));
        let filter = wanted.collect::<Option<Vec<_>>>().and_then(|all| {
            let different: HashSet<&Expr> = all.iter().collect();
            if different.len() == 1 { all.first().cloned() } else { disjunction(all) }
        });
        let (name, source) = (first.table_name.clone(), Arc::clone(&first.source));
        let columns = Some(columns.into_iter().collect());
        let filters = filter.iter().cloned().collect();
        let scan = LogicalPlanBuilder::scan_with_filters(name, source, columns, filters)?.build()?;
        Ok(Some((Extra::plan(Kind::Shared(number), vec![scan], Vec::new())?, filter)))
    }
}

/// What `scan` wanted of the rows of `shared`, which passed a filter.
fn narrowed(shared: LogicalPlan, passed: Option<Expr>, scan: &TableScan) -> Result<LogicalPlan> {
    let mut plan = LogicalPlanBuilder::from(shared);
    if let Some(filter) = conjunction(scan.filters.clone())
        && Some(&filter) != passed.as_ref()
    {
        plan = plan.filter(filter)?;
    }
    let columns = scan.projected_schema.iter().map(|(q, f)| Expr::Column(Column::from((q, f))));
    plan.project(columns.collect::<Vec<_>>())?.build()
}
