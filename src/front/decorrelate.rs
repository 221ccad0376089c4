//! Subqueries in expressions that DataFusion's rules do not plan, or plan wrongly.
//!
//! Its rules are good at what they know: EXISTS and IN as conditions of a filter, aggregates that are correlated by
//! equality. They refuse the rest, and forget nulls where IN stands under OR. So there are two passes:
//!
//! - [`hard`], always: IN that is no condition by itself, NOT IN that is correlated, EXISTS and IN outside of filters.
//! - [`all`], when the optimizer refused the plan: whatever is correlated, LATERAL too.
//!
//! ```text
//! filter a OR b IN (P(t.c))                 filter a OR value
//!   t                             ->          left join on t.b, t.c = domain (null equals null)
//!                                               t
//!                                               value by domain
//!                                                 P over domain: distinct t.b, t.c      (see `dependent`)
//! ```

use super::dependent::Domain;
use super::extra::{Extra, Kind};
use super::{only_row, share};
use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, NullEquality, Result, ScalarValue, Spans};
use datafusion_expr::expr::SetQuantifier;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::logical_plan::{Aggregate, Distinct, Join, JoinConstraint, Limit, Projection, Subquery};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{
    Expr, FetchType, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, SkipType, binary_expr, lit, not, when,
};
use datafusion_functions_aggregate::expr_fn::{bool_or, count, min};
use std::sync::Arc;

/// Numbers of shared plans that are made here begin here.
const FIRST_SHARED: usize = 1 << 20;

/// Plans what DataFusion would plan wrongly.
pub(super) fn hard(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !has_subqueries(&plan)? {
        return Ok(plan);
    }
    Decorrelator { all: false, made: 0 }.plan(super::sided::to_filters(plan)?)
}

/// Plans whatever is correlated; `None` where nothing is.
pub(super) fn all(plan: LogicalPlan) -> Result<Option<LogicalPlan>> {
    // Numbers differ from those of the first pass.
    let mut decorrelator = Decorrelator { all: true, made: 1 << 10 };
    let made = decorrelator.plan(plan)?;
    Ok((decorrelator.made > 1 << 10).then_some(made))
}

/// Whether an optimized plan still depends on rows from outside somewhere.
pub(super) fn is_left(plan: &LogicalPlan) -> Result<bool> {
    let mut left = false;
    walk::look_at_plans(plan, &mut |node| {
        left |= matches!(node, LogicalPlan::Subquery(s) if !s.outer_ref_columns.is_empty());
        left |= matches!(node, LogicalPlan::Join(join) if dangles(join));
        walk::look_at_exprs(node, &mut |expr| {
            left |= expr.exists(|e| {
                Ok(matches!(
                    e,
                    Expr::OuterReferenceColumn(..) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
                ))
            })?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if left { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(left)
}

/// Whether a join's condition names a column of neither side: the rules made that of a subquery in a subquery that names
/// the outermost query.
fn dangles(join: &Join) -> bool {
    let known = |column: &Column| join.left.schema().has_column(column) || join.right.schema().has_column(column);
    let pairs = join.on.iter().flat_map(|(left, right)| [left, right]);
    pairs.chain(&join.filter).any(|expr| !expr.column_refs().into_iter().all(known))
}

fn has_subqueries(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    walk::look_at_plans(plan, &mut |node| {
        walk::look_at_exprs(node, &mut |expr| {
            found |= expr.exists(|e| Ok(subquery_of(e).is_some()))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

pub(super) fn subquery_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(list) => Some(&list.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery),
        _ => None,
    }
}

struct Decorrelator {
    all: bool,
    /// How many subqueries were planned.
    made: usize,
}

/// What a subquery's rows say of a row.
enum Asked {
    /// Their only value.
    Value,
    /// Whether there are any.
    Any,
    /// Whether the comparison with one of them is true.
    Compared { value: Expr, operator: Operator },
}

impl Asked {
    /// Whether the answer is looked up among rows that are the same for every row outside.
    fn is_listed(&self, outer: &[Column]) -> bool {
        let plain = matches!(self, Asked::Any | Asked::Compared { operator: Operator::Eq, .. });
        plain && outer.is_empty()
    }
}

impl Decorrelator {
    fn plan(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let plan = plan.map_children(|child| self.plan(child).map(Transformed::yes))?.data;
        let plan = plan.map_subqueries(|subquery| self.plan(subquery).map(Transformed::yes))?.data;
        match &plan {
            LogicalPlan::Filter(_) | LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Sort(_) => {
                self.expressions(plan)
            }
            LogicalPlan::Join(join) if self.all => Ok(self.lateral(join)?.unwrap_or(plan)),
            _ => Ok(plan),
        }
    }

    /// A node with one input, whose expressions have subqueries.
    fn expressions(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let inputs = plan.inputs();
        let [input] = inputs.as_slice() else { return Ok(plan) };
        let columns = input.schema().columns();
        let wanted = self.wanted(&plan, input)?;
        // Each subquery depends on the rows that came in, not on what the ones before it added: the plan grows with
        // their number, not by doubling.
        let rows = self.rows(input, &wanted)?;
        let mut input = rows.clone();
        let mut found: Vec<(Expr, Expr)> = Vec::new();
        for expr in wanted {
            if found.iter().any(|(known, _)| *known == expr) {
                continue;
            }
            if let Some((wider, value)) = self.attach(input.clone(), &rows, &expr)? {
                input = wider;
                found.push((expr, value));
            }
        }
        if found.is_empty() {
            return Ok(plan);
        }
        let names = NamePreserver::new(&plan);
        let replaced = |expr: Expr| {
            let name = names.save(&expr);
            let done = walk::expr_down(expr, &mut |e| match found.iter().find(|(known, _)| *known == e) {
                Some((_, value)) => Ok(Transformed::new(value.clone(), true, TreeNodeRecursion::Jump)),
                None => Ok(Transformed::no(e)),
            })?;
            Ok(name.restore(done.data))
        };
        let exprs = plan.expressions().into_iter().map(replaced).collect::<Result<Vec<_>>>()?;
        let made = plan.with_new_exprs(exprs, vec![input])?;
        match made {
            LogicalPlan::Filter(_) | LogicalPlan::Sort(_) => {
                LogicalPlanBuilder::from(made).project(columns.into_iter().map(Expr::Column))?.build()
            }
            other => Ok(other),
        }
    }

    /// The rows that subqueries are asked for, computed once where one of them depends on them.
    fn rows(&mut self, input: &LogicalPlan, wanted: &[Expr]) -> Result<LogicalPlan> {
        for expr in wanted {
            if let (Some(subquery), Some((asked, _))) = (subquery_of(expr), asked(expr))
                && !asked.is_listed(&outer_columns(subquery, input)?)
            {
                return shared(input.clone(), FIRST_SHARED + self.number());
            }
        }
        Ok(input.clone())
    }

    /// The subqueries of a node that are planned here.
    fn wanted(&self, plan: &LogicalPlan, input: &LogicalPlan) -> Result<Vec<Expr>> {
        let mut found = Vec::new();
        let is_filter = matches!(plan, LogicalPlan::Filter(_));
        for expr in plan.expressions() {
            for part in split_conjunction(&expr) {
                let plain = is_filter && self.knows(part, input)?;
                walk::look_at_parts(part, &mut |e| {
                    let Some(subquery) = subquery_of(e) else { return Ok(TreeNodeRecursion::Continue) };
                    let correlated = !outer_columns(subquery, input)?.is_empty();
                    let wanted = match e {
                        Expr::ScalarSubquery(_) => self.all && correlated,
                        // A mark says all there is to say.
                        Expr::Exists(_) if is_filter => self.all && correlated,
                        Expr::SetComparison(_) if is_filter => self.all,
                        _ => !plain || (self.all && correlated),
                    };
                    if wanted {
                        found.push(e.clone());
                    }
                    Ok(TreeNodeRecursion::Jump)
                })?;
            }
        }
        Ok(found)
    }

    /// Whether a condition is an IN that becomes a semi or a null-aware anti join.
    fn knows(&self, condition: &Expr, input: &LogicalPlan) -> Result<bool> {
        match condition {
            Expr::InSubquery(list) => Ok(!list.negated || outer_columns(&list.subquery, input)?.is_empty()),
            _ => Ok(false),
        }
    }

    /// A wider input, which has the columns of `rows`, and what stands for the subquery in it.
    fn attach(&mut self, input: LogicalPlan, rows: &LogicalPlan, expr: &Expr) -> Result<Option<(LogicalPlan, Expr)>> {
        let (Some(subquery), Some((asked, negated))) = (subquery_of(expr), asked(expr)) else { return Ok(None) };
        let outer = outer_columns(subquery, rows)?;
        let made = match &asked {
            Asked::Any if asked.is_listed(&outer) => {
                self.made += 1;
                let some = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).limit(0, Some(1))?.build()?;
                Some((input, scalar(some, count(lit(1_i64)))?.gt(lit(0_i64))))
            }
            Asked::Compared { value, .. } if asked.is_listed(&outer) => Some(self.in_list(input, value, subquery)?),
            _ => self.correlated(input, rows, subquery, outer, asked)?,
        };
        Ok(made.map(|(plan, value)| (plan, if negated { not(value) } else { value })))
    }

    /// IN of a list that is the same for all rows: a lookup, and what is known of the whole list.
    fn in_list(&mut self, input: LogicalPlan, value: &Expr, subquery: &Subquery) -> Result<(LogicalPlan, Expr)> {
        let number = self.number();
        let name = format!("listed {number}");
        let column = || Expr::Column(Column::from_name(&name));
        let first = subquery.subquery.schema().columns().into_iter().take(1).map(|c| Expr::Column(c).alias(&name));
        let list = LogicalPlan::Projection(Projection::try_new(first.collect(), subquery.subquery.clone())?);
        let list = Extra::plan(Kind::Shared(FIRST_SHARED + number), vec![list], Vec::new())?;
        let known = LogicalPlanBuilder::from(list.clone()).filter(column().is_not_null())?.distinct()?.build()?;
        let rows = scalar(list.clone(), count(lit(1_i64)))?;
        let values = scalar(list, count(column()))?;
        let on = Some(binary_expr(value.clone(), Operator::Eq, column()));
        let joined = left_join(input, known, Vec::new(), on)?;
        let found = when(column().is_not_null(), lit(true))
            .when(rows.clone().eq(lit(0_i64)), lit(false))
            .when(value.clone().is_null().or(values.lt(rows)), Expr::Literal(ScalarValue::Boolean(None), None))
            .otherwise(lit(false))?;
        Ok((joined, found))
    }

    fn number(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    fn correlated(
        &mut self,
        input: LogicalPlan,
        rows: &LogicalPlan,
        subquery: &Subquery,
        outer: Vec<Column>,
        asked: Asked,
    ) -> Result<Option<(LogicalPlan, Expr)>> {
        let number = self.number();
        let mut keys: Vec<Expr> = outer.iter().cloned().map(Expr::Column).collect();
        if let Asked::Compared { value, .. } = &asked {
            keys.push(value.clone());
        }
        let domain = domain(rows, &outer, &keys, number)?;
        let plan = match asked {
            Asked::Any => without_order(&subquery.subquery),
            _ => &subquery.subquery,
        };
        let Some(rows) = domain.over(plan)? else { return Ok(None) };
        // What depended on the domain inside of it depends on its columns now.
        let rows = self.plan(rows)?;
        let name = format!("value {number}");
        let value = Expr::Column(Column::from_name(&name));
        let (rows, value) = match asked {
            Asked::Value => (only_values(&domain, rows, plan, &name)?, value),
            Asked::Any => {
                let some = Aggregate::try_new(Arc::new(rows), domain.columns(), Vec::new())?;
                let exprs = domain.columns().into_iter().chain([lit(true).alias(&name)]).collect();
                let some = Projection::try_new(exprs, Arc::new(LogicalPlan::Aggregate(some)))?;
                (LogicalPlan::Projection(some), value.is_not_null())
            }
            Asked::Compared { operator, .. } => {
                let found = format!("found {number}");
                let compared = compared(&domain, rows, operator, &name, &found)?;
                let absent = Expr::Column(Column::from_name(&found)).is_null();
                (compared, when(absent, lit(false)).otherwise(value)?)
            }
        };
        let on = keys.into_iter().zip(domain.columns()).collect();
        Ok(Some((left_join(input, rows, on, None)?, value)))
    }

    /// A lateral join.
    fn lateral(&mut self, join: &Join) -> Result<Option<LogicalPlan>> {
        let (subquery, alias) = match &*join.right {
            LogicalPlan::Subquery(subquery) => (subquery, None),
            LogicalPlan::SubqueryAlias(alias) => match &*alias.input {
                LogicalPlan::Subquery(subquery) => (subquery, Some(alias)),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let outer = outer_columns(subquery, &join.left)?;
        if outer.is_empty() || !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
            return Ok(None);
        }
        let number = self.number();
        let left = shared(join.left.as_ref().clone(), FIRST_SHARED + number)?;
        let keys: Vec<Expr> = outer.iter().cloned().map(Expr::Column).collect();
        let domain = domain(&left, &outer, &keys, number)?;
        let rows = match alias {
            Some(alias) => domain.alias(alias)?,
            None => domain.over(&subquery.subquery)?,
        };
        let Some(rows) = rows else { return Ok(None) };
        let rows = self.plan(rows)?;
        let on = keys.into_iter().zip(domain.columns()).collect();
        let joined = LogicalPlan::Join(Join::try_new(
            Arc::new(left),
            Arc::new(rows),
            on,
            join.filter.clone(),
            join.join_type,
            JoinConstraint::On,
            NullEquality::NullEqualsNull,
            false,
        )?);
        let columns = join.schema.columns().into_iter().map(Expr::Column);
        LogicalPlanBuilder::from(joined).project(columns)?.build().map(Some)
    }
}

/// What a subquery is asked, and whether the answer is turned round; `None` where nothing plans it here.
fn asked(expr: &Expr) -> Option<(Asked, bool)> {
    Some(match expr {
        Expr::Exists(exists) => (Asked::Any, exists.negated),
        Expr::InSubquery(list) => {
            (Asked::Compared { value: list.expr.as_ref().clone(), operator: Operator::Eq }, list.negated)
        }
        Expr::SetComparison(comparison) => {
            let value = comparison.expr.as_ref().clone();
            match (comparison.quantifier, comparison.op.negate()) {
                (SetQuantifier::Any, _) => (Asked::Compared { value, operator: comparison.op }, false),
                (SetQuantifier::All, Some(operator)) => (Asked::Compared { value, operator }, true),
                (SetQuantifier::All, None) => return None,
            }
        }
        _ => (Asked::Value, false),
    })
}

/// The columns of `input` that a subquery refers to, each once.
fn outer_columns(subquery: &Subquery, input: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found: Vec<Column> = Vec::new();
    walk::look_at_plans(&subquery.subquery, &mut |node| {
        walk::look_at_exprs(node, &mut |expr| {
            walk::look_at_parts(expr, &mut |e| {
                if let Expr::OuterReferenceColumn(_, column) = e
                    && input.schema().has_column(column)
                    && !found.contains(column)
                {
                    found.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// `plan`, computed once where that is worth it.
fn shared(plan: LogicalPlan, number: usize) -> Result<LogicalPlan> {
    if share::is_worth(&plan)? { Extra::plan(Kind::Shared(number), vec![plan], Vec::new()) } else { Ok(plan) }
}

/// The different values of `keys`, of which the first are `outer`.
fn domain(input: &LogicalPlan, outer: &[Column], keys: &[Expr], number: usize) -> Result<Domain> {
    let name = |i: usize| Column::from_name(format!("outer {number}.{i}"));
    let exprs = keys.iter().enumerate().map(|(i, e)| e.clone().alias(name(i).name)).collect();
    let values = LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input.clone()))?);
    Ok(Domain {
        plan: LogicalPlan::Distinct(Distinct::All(Arc::new(values))),
        names: outer.iter().enumerate().map(|(i, c)| (c.clone(), name(i))).collect(),
        distinct: true,
        keeps: false,
    })
}

fn left_join(
    left: LogicalPlan,
    right: LogicalPlan,
    on: Vec<(Expr, Expr)>,
    filter: Option<Expr>,
) -> Result<LogicalPlan> {
    let nulls = if on.is_empty() { NullEquality::NullEqualsNothing } else { NullEquality::NullEqualsNull };
    let (left, right) = (Arc::new(left), Arc::new(right));
    Join::try_new(left, right, on, filter, JoinType::Left, JoinConstraint::On, nulls, false).map(LogicalPlan::Join)
}

/// An aggregate over all rows of a plan, as a value.
fn scalar(plan: LogicalPlan, aggregate: Expr) -> Result<Expr> {
    let plan = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![aggregate])?.build()?;
    Ok(Expr::ScalarSubquery(Subquery { subquery: Arc::new(plan), outer_ref_columns: Vec::new(), spans: Spans::new() }))
}

/// The one value for each row of the domain; more than one is an error.
fn only_values(domain: &Domain, rows: LogicalPlan, plan: &LogicalPlan, name: &str) -> Result<LogicalPlan> {
    let columns = domain.columns();
    let values = rows.schema().columns().into_iter().skip(columns.len()).take(1).map(Expr::Column);
    let values: Vec<Expr> = values.collect();
    let rows = LogicalPlanBuilder::from(rows);
    if has_one_row(plan) {
        let values = values.into_iter().map(|v| v.alias(name));
        return rows.project(columns.into_iter().chain(values))?.build();
    }
    let mut aggregates: Vec<Expr> = values.into_iter().map(|v| min(v).alias("value")).collect();
    aggregates.push(count(lit(1_i64)).alias("rows"));
    let (value, count) = (Expr::Column(Column::from_name("value")), Expr::Column(Column::from_name("rows")));
    let checked = only_row::call(value, count).alias(name);
    rows.aggregate(columns.clone(), aggregates)?.project(columns.into_iter().chain([checked]))?.build()
}

/// Whether a plan has at most one row, whatever its input.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(node) => node.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Projection(node) => has_one_row(&node.input),
        LogicalPlan::Filter(node) => has_one_row(&node.input),
        LogicalPlan::Sort(node) => has_one_row(&node.input),
        LogicalPlan::SubqueryAlias(node) => has_one_row(&node.input),
        LogicalPlan::Limit(node) => {
            matches!(node.get_fetch_type(), Ok(FetchType::Literal(Some(0 | 1)))) || has_one_row(&node.input)
        }
        _ => false,
    }
}

/// What decides whether there is a row: without order, and without a limit that leaves one.
fn without_order(plan: &Arc<LogicalPlan>) -> &Arc<LogicalPlan> {
    let leaves_one = |limit: &Limit| {
        matches!(limit.get_skip_type(), Ok(SkipType::Literal(0)))
            && matches!(limit.get_fetch_type(), Ok(FetchType::Literal(n)) if n != Some(0))
    };
    match &**plan {
        LogicalPlan::Limit(limit) if leaves_one(limit) => without_order(&limit.input),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => without_order(&sort.input),
        _ => plan,
    }
}

/// Whether the last column of the domain compares with a value; null where that is not known.
fn compared(domain: &Domain, rows: LogicalPlan, operator: Operator, name: &str, found: &str) -> Result<LogicalPlan> {
    let columns = domain.columns();
    let value = rows.schema().columns().into_iter().nth(columns.len()).map(Expr::Column);
    let (Some(key), Some(value)) = (columns.last().cloned(), value) else {
        return datafusion_common::plan_err!("a comparison with a subquery without columns");
    };
    let is = binary_expr(key, operator, value);
    let aggregates = vec![bool_or(is.clone()).alias("any"), count(is).alias("known"), count(lit(1_i64)).alias("all")];
    let (any, known, all) = ("any", "known", "all");
    let column = |name: &str| Expr::Column(Column::from_name(name));
    let answer = when(column(any), lit(true))
        .when(column(known).lt(column(all)), Expr::Literal(ScalarValue::Boolean(None), None))
        .otherwise(lit(false))?;
    let exprs = columns.iter().cloned().chain([answer.alias(name), lit(true).alias(found)]);
    LogicalPlanBuilder::from(rows).aggregate(columns.clone(), aggregates)?.project(exprs.collect::<Vec<_>>())?.build()
}
