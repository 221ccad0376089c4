//! A plan that depends on the rows of another one, without the dependence: the other plan, the *domain*, goes down into
//! it until nothing depends on it any more (Neumann and Kemper, "Unnesting Arbitrary Queries", 2015).
//!
//! ```text
//! for each row d of the domain: P(d)      ->      one plan with the columns of the domain, then those of P
//! ```
//!
//! | node | over the domain |
//! |---|---|
//! | does not depend on it | cross join of the domain with it |
//! | projection, filter, unnest, alias | the same, with the domain's columns beside it |
//! | aggregate, distinct, window, limit | the same for each row of the domain |
//! | join | the domain goes into the side that depends on it; into both, they meet where it is equal |
//! | union | of both over the domain |
//!
//! The last three need a domain without equal rows. What is not in the table makes `None` of the whole.

use crate::front::walk;
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, NullHandling, Result};
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::logical_plan::{
    Aggregate, Distinct, Filter, Join, Limit, Projection, Sort, Subquery, SubqueryAlias, Union, Unnest, Window,
};
use datafusion_expr::{
    Expr, ExprFunctionExt, FetchType, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, SkipType, SortExpr,
    WindowFrame, binary_expr, lit,
};
use datafusion_functions::core::expr_fn::coalesce;
use std::sync::Arc;

/// The rows that a plan depends on.
#[derive(Clone)]
pub(super) struct Domain {
    /// The plan that yields them.
    pub plan: LogicalPlan,
    /// The columns as the dependent plan names them, and as the domain does.
    pub names: Vec<(Column, Column)>,
    /// Whether no two rows are equal.
    pub distinct: bool,
    /// Whether an unnest keeps rows without elements.
    pub keeps: bool,
}

impl Domain {
    /// `plan` for each row of the domain: its columns, then those of `plan`; `None` where that cannot be said.
    pub fn over(&self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        if let LogicalPlan::EmptyRelation(empty) = plan
            && empty.produce_one_row
        {
            return Ok(Some(self.plan.clone()));
        }
        if !self.is_wanted(plan)? {
            let crossed = LogicalPlanBuilder::from(self.plan.clone()).cross_join(plan.clone())?.build()?;
            return Ok((!self.keeps).then_some(crossed));
        }
        match plan {
            LogicalPlan::Projection(node) => self.projection(node),
            LogicalPlan::Filter(node) if !self.keeps => self.filter(node),
            LogicalPlan::Unnest(node) => self.unnest(node),
            LogicalPlan::SubqueryAlias(node) => self.alias(node),
            LogicalPlan::Subquery(node) => self.over(&node.subquery),
            LogicalPlan::Sort(node) if node.fetch.is_none() && self.distinct => self.sort(node),
            LogicalPlan::Aggregate(node) if self.distinct => self.aggregate(node),
            LogicalPlan::Distinct(Distinct::All(input)) if self.distinct => {
                Ok(self.over(input)?.map(|input| LogicalPlan::Distinct(Distinct::All(Arc::new(input)))))
            }
            LogicalPlan::Window(node) if self.distinct => self.window(node),
            LogicalPlan::Limit(node) if self.distinct => self.limit(node),
            LogicalPlan::Join(node) if self.distinct => self.join(node),
            LogicalPlan::Union(node) if self.distinct => self.union(node),
            _ => Ok(None),
        }
    }

    /// Whether anything in `plan` depends on the domain.
    pub fn is_wanted(&self, plan: &LogicalPlan) -> Result<bool> {
        let mut found = false;
        walk::look_at_plans(plan, &mut |node| {
            found = found || self.is_wanted_here(node)?;
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        Ok(found)
    }

    fn is_wanted_here(&self, node: &LogicalPlan) -> Result<bool> {
        let mut found = false;
        walk::look_at_exprs(node, &mut |expr| {
            found = found || self.is_wanted_by(expr)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    }

    fn is_wanted_by(&self, expr: &Expr) -> Result<bool> {
        expr.exists(|e| Ok(matches!(e, Expr::OuterReferenceColumn(_, column) if self.name(column).is_some())))
    }

    fn name(&self, outer: &Column) -> Option<&Column> {
        self.names.iter().find(|(known, _)| known == outer).map(|(_, column)| column)
    }

    /// The domain's columns.
    pub fn columns(&self) -> Vec<Expr> {
        self.plan.schema().iter().map(|field| Expr::Column(Column::from(field))).collect()
    }

    /// `expr` with columns of the domain in place of references to them; those in subqueries stay references.
    pub fn inner(&self, expr: Expr) -> Result<Expr> {
        walk::expr_up(expr, &mut |e| match e {
            Expr::OuterReferenceColumn(field, column) => Ok(match self.name(&column) {
                Some(name) => Transformed::yes(Expr::Column(name.clone())),
                None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
            }),
            Expr::ScalarSubquery(subquery) => Ok(Transformed::yes(Expr::ScalarSubquery(self.renamed(subquery)?))),
            Expr::Exists(mut exists) => {
                exists.subquery = self.renamed(exists.subquery)?;
                Ok(Transformed::yes(Expr::Exists(exists)))
            }
            Expr::InSubquery(mut list) => {
                list.subquery = self.renamed(list.subquery)?;
                Ok(Transformed::yes(Expr::InSubquery(list)))
            }
            Expr::SetComparison(mut comparison) => {
                comparison.subquery = self.renamed(comparison.subquery)?;
                Ok(Transformed::yes(Expr::SetComparison(comparison)))
            }
            other => Ok(Transformed::no(other)),
        })
        .data()
    }

    /// A subquery that refers to the domain's columns by their names here.
    fn renamed(&self, subquery: Subquery) -> Result<Subquery> {
        let mut rename = |expr: Expr| {
            walk::expr_up(expr, &mut |e| match e {
                Expr::OuterReferenceColumn(field, column) => Ok(match self.name(&column) {
                    Some(name) => Transformed::yes(Expr::OuterReferenceColumn(field, name.clone())),
                    None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
                }),
                other => Ok(Transformed::no(other)),
            })
        };
        let plan = subquery.subquery.as_ref().clone();
        let plan = walk::plan_up(plan, &mut |node| walk::exprs(node, &mut rename)).data()?;
        let references = subquery.outer_ref_columns.into_iter().map(|e| rename(e).data()).collect::<Result<_>>()?;
        Ok(Subquery { subquery: Arc::new(plan), outer_ref_columns: references, spans: subquery.spans })
    }

    /// The columns of `plan` behind the domain's, under the names that `like` has for them.
    fn named(&self, plan: LogicalPlan, like: &LogicalPlan) -> Result<LogicalPlan> {
        let mut exprs = self.columns();
        let made = plan.schema().iter().skip(exprs.len()).zip(like.schema().iter());
        let renamed: Vec<Expr> =
            made.map(|(field, to)| as_column(Expr::Column(Column::from(field)), &Column::from(to))).collect();
        exprs.extend(renamed);
        Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(plan))?))
    }

    fn projection(&self, node: &Projection) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.over(&node.input)? else { return Ok(None) };
        let mut exprs = self.columns();
        for (expr, field) in node.expr.iter().zip(node.schema.iter()) {
            exprs.push(as_column(self.inner(expr.clone())?, &Column::from(field)));
        }
        Ok(Some(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?)))
    }

    fn filter(&self, node: &Filter) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.over(&node.input)? else { return Ok(None) };
        let predicate = self.inner(node.predicate.clone())?;
        Ok(Some(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?)))
    }

    fn unnest(&self, node: &Unnest) -> Result<Option<LogicalPlan>> {
        // Of two unnests, the one below would keep rows that the one above finds no place for.
        if self.keeps && node.input.exists(|p| Ok(matches!(p, LogicalPlan::Unnest(_))))? {
            return Ok(None);
        }
        let Some(input) = self.over(&node.input)? else { return Ok(None) };
        let mut options = node.options.clone();
        if self.keeps {
            options.null_handling = NullHandling::PreserveAndExpandEmpty;
        }
        let unnest = Unnest::try_new(Arc::new(input), node.exec_columns.clone(), options)?;
        Ok(Some(LogicalPlan::Unnest(unnest)))
    }

    /// The columns of a plan under another table's name.
    pub fn alias(&self, node: &SubqueryAlias) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.over(&node.input)? else { return Ok(None) };
        let mut exprs = self.columns();
        let renamed = input.schema().iter().skip(exprs.len()).map(|(relation, field)| {
            let to = Column::new(Some(node.alias.clone()), field.name());
            as_column(Expr::Column(Column::from((relation, field))), &to)
        });
        let renamed: Vec<Expr> = renamed.collect();
        exprs.extend(renamed);
        Ok(Some(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?)))
    }

    fn aggregate(&self, node: &Aggregate) -> Result<Option<LogicalPlan>> {
        if node.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) {
            return Ok(None);
        }
        let Some(input) = self.over(&node.input)? else { return Ok(None) };
        let inner = |e: &Expr| self.inner(e.clone());
        let mut groups = self.columns();
        groups.extend(node.group_expr.iter().map(inner).collect::<Result<Vec<_>>>()?);
        let values = node.aggr_expr.iter().map(inner).collect::<Result<Vec<_>>>()?;
        let made = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), groups, values)?);
        let like = LogicalPlan::Aggregate(node.clone());
        let made = self.named(made, &like)?;
        if node.group_expr.is_empty() { self.with_empty_groups(made, node).map(Some) } else { Ok(Some(made)) }
    }

    /// An aggregate without groups has a row even of no rows: nulls, and 0 where it counts.
    fn with_empty_groups(&self, made: LogicalPlan, node: &Aggregate) -> Result<LogicalPlan> {
        let all = self.again("all")?;
        let on = all.equal_columns(self);
        let joined = LogicalPlan::Join(Join::try_new(
            Arc::new(all.plan.clone()),
            Arc::new(made),
            on,
            None,
            JoinType::Left,
            datafusion_expr::logical_plan::JoinConstraint::On,
            datafusion_common::NullEquality::NullEqualsNull,
            false,
        )?);
        let own = all.columns().into_iter().zip(self.columns());
        let own = own.map(|(from, to)| as_column(from, &column_of(&to))).collect::<Vec<_>>();
        let values = node.aggr_expr.iter().zip(node.schema.iter()).map(|(expr, field)| {
            let column = Column::from(field);
            let value = Expr::Column(column.clone());
            match counts(expr) {
                true => coalesce(vec![value, lit(0_i64)]).alias_qualified(column.relation, column.name),
                false => value,
            }
        });
        let exprs = own.into_iter().chain(values).collect();
        Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(joined))?))
    }

    /// The same domain under names that `word` makes different.
    fn again(&self, word: &str) -> Result<Domain> {
        let name = |c: &Column| Column::from_name(format!("{} {word}", c.name));
        let exprs = self.columns().into_iter().map(|e| {
            let to = name(&column_of(&e));
            as_column(e, &to)
        });
        let plan = LogicalPlan::Projection(Projection::try_new(exprs.collect(), Arc::new(self.plan.clone()))?);
        let names = self.names.iter().map(|(outer, column)| (outer.clone(), name(column))).collect();
        Ok(Domain { plan, names, ..self.clone() })
    }

    /// The columns of this domain and of the same one under other names.
    fn equal_columns(&self, other: &Domain) -> Vec<(Expr, Expr)> {
        self.columns().into_iter().zip(other.columns()).collect()
    }

    fn window(&self, node: &Window) -> Result<Option<LogicalPlan>> {
        let Some(input) = self.over(&node.input)? else { return Ok(None) };
        let partitioned = |expr: &Expr| {
            let expr = self.inner(expr.clone())?;
            walk::expr_down(expr, &mut |e| match e {
                Expr::WindowFunction(mut call) => {
                    call.params.partition_by.extend(self.columns());
                    Ok(Transformed::new(Expr::WindowFunction(call), true, TreeNodeRecursion::Jump))
                }
                other => Ok(Transformed::no(other)),
            })
            .data()
        };
        let exprs = node.window_expr.iter().map(partitioned).collect::<Result<Vec<_>>>()?;
        let made = LogicalPlan::Window(Window::try_new(exprs, Arc::new(input))?);
        self.named(made, &LogicalPlan::Window(node.clone())).map(Some)
    }

    /// All rows in the order: so are those for each row of the domain.
    fn sort(&self, node: &Sort) -> Result<Option<LogicalPlan>> {
        let Some(rows) = self.over(&node.input)? else { return Ok(None) };
        let inner = |by: &SortExpr| Ok(by.with_expr(self.inner(by.expr.clone())?));
        let expr = node.expr.iter().map(inner).collect::<Result<_>>()?;
        Ok(Some(LogicalPlan::Sort(Sort { expr, input: Arc::new(rows), fetch: None })))
    }

    /// The first rows for each row of the domain: those whose number is low.
    fn limit(&self, node: &Limit) -> Result<Option<LogicalPlan>> {
        // ORDER BY a column that is not selected sorts below the projection.
        if let LogicalPlan::Projection(above) = &*node.input {
            let limit = Limit { input: Arc::clone(&above.input), ..node.clone() };
            let projection = Projection::try_new(above.expr.clone(), Arc::new(LogicalPlan::Limit(limit)))?;
            return self.projection(&projection);
        }
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) = (node.get_skip_type()?, node.get_fetch_type()?)
        else {
            return Ok(None);
        };
        let (input, order) = match &*node.input {
            LogicalPlan::Sort(Sort { expr, input, .. }) => (input, expr.clone()),
            _ => (&node.input, Vec::new()),
        };
        let Some(rows) = self.over(input)? else { return Ok(None) };
        let order = order.into_iter().map(|s| Ok(s.with_expr(self.inner(s.expr.clone())?))).collect::<Result<_>>()?;
        let function = datafusion_functions_window::row_number::row_number_udwf();
        let call = Expr::from(WindowFunction::new(function, Vec::new()));
        let number = call
            .partition_by(self.columns())
            .order_by(order)
            .window_frame(WindowFrame::new(None))
            .build()?
            .alias("row number");
        let numbered = LogicalPlan::Window(Window::try_new(vec![number], Arc::new(rows))?);
        let number = || Expr::Column(Column::from_name("row number"));
        let mut kept = number().gt(lit(skip as u64));
        if let Some(last) = fetch.map(|n| n.saturating_add(skip)) {
            kept = kept.and(number().lt_eq(lit(last as u64)));
        }
        let kept = LogicalPlan::Filter(Filter::try_new(kept, Arc::new(numbered))?);
        self.named(kept, input).map(Some)
    }

    fn join(&self, node: &Join) -> Result<Option<LogicalPlan>> {
        use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi};
        if !matches!(node.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark) {
            return Ok(None);
        }
        let in_right = self.is_wanted(&node.right)?;
        let in_left = self.is_wanted(&node.left)? || !in_right || node.join_type != Inner;
        let left = if in_left { self.over(&node.left)? } else { Some(node.left.as_ref().clone()) };
        let again = if in_left { self.again("too")? } else { self.clone() };
        let right = if in_right { again.over(&node.right)? } else { Some(node.right.as_ref().clone()) };
        let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
        let pair = |(l, r): &(Expr, Expr)| Ok((self.inner(l.clone())?, self.inner(r.clone())?));
        let mut filters = node.filter.iter().map(|f| self.inner(f.clone())).collect::<Result<Vec<_>>>()?;
        if in_left && in_right {
            let same = |(l, r)| binary_expr(l, Operator::IsNotDistinctFrom, r);
            filters.extend(self.equal_columns(&again).into_iter().map(same));
        }
        let joined = LogicalPlan::Join(Join::try_new(
            Arc::new(left),
            Arc::new(right),
            node.on.iter().map(pair).collect::<Result<_>>()?,
            filters.into_iter().reduce(Expr::and),
            node.join_type,
            node.join_constraint,
            node.null_equality,
            node.null_aware,
        )?);
        let wanted = node.schema.iter().map(|field| Expr::Column(Column::from(field)));
        let exprs = self.columns().into_iter().chain(wanted).collect();
        Ok(Some(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(joined))?)))
    }

    fn union(&self, node: &Union) -> Result<Option<LogicalPlan>> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in &node.inputs {
            let Some(over) = self.over(input)? else { return Ok(None) };
            inputs.push(Arc::new(over));
        }
        let made = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        self.named(made, &LogicalPlan::Union(node.clone())).map(Some)
    }
}

/// Whether an aggregate of no rows is 0.
fn counts(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => counts(&alias.expr),
        Expr::AggregateFunction(call) => matches!(call.func.name(), "count" | "approx_distinct" | "regr_count"),
        _ => false,
    }
}

fn column_of(expr: &Expr) -> Column {
    match expr {
        Expr::Column(column) => column.clone(),
        other => Column::from_name(other.schema_name().to_string()),
    }
}

/// `expr` under the name `column`.
pub(super) fn as_column(expr: Expr, column: &Column) -> Expr {
    let expr = match expr {
        Expr::Alias(alias) => *alias.expr,
        other => other,
    };
    match &expr {
        Expr::Column(same) if same == column => expr,
        _ => expr.alias_qualified(column.relation.clone(), column.name.clone()),
    }
}
