//! Walks over the parser's trees and the planner's, each compiled once.
//!
//! Both libraries bring walks that are generic over the visitor or the closure, so that every rewrite would compile the
//! walk over all kinds of nodes anew: they were a third of this crate's code. Here the visitor is a trait object.

use crate::error::{Error, Result};
use datafusion_common::Result as Planned;
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, LogicalPlan};
use datafusion_sql::sqlparser::ast::{self, VisitMut, VisitorMut};
use std::ops::ControlFlow;

/// Lets `visitor` change `node`, until it breaks off.
pub(super) fn alter<B>(node: &mut impl VisitMut, visitor: &mut dyn VisitorMut<Break = B>) -> ControlFlow<B> {
    node.visit(&mut Altering(visitor))
}

/// Lets `visitor` change `node`, until it finds an error.
///
/// # Errors
/// What the visitor found.
pub(super) fn try_alter(node: &mut impl VisitMut, visitor: &mut dyn VisitorMut<Break = Box<Error>>) -> Result<()> {
    match alter(node, visitor) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Altering<'a, B>(&'a mut dyn VisitorMut<Break = B>);

impl<B> VisitorMut for Altering<'_, B> {
    type Break = B;

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<B> {
        self.0.pre_visit_query(query)
    }

    fn post_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<B> {
        self.0.post_visit_query(query)
    }

    fn pre_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<B> {
        self.0.pre_visit_select(select)
    }

    fn post_visit_select(&mut self, select: &mut ast::Select) -> ControlFlow<B> {
        self.0.post_visit_select(select)
    }

    fn pre_visit_relation(&mut self, name: &mut ast::ObjectName) -> ControlFlow<B> {
        self.0.pre_visit_relation(name)
    }

    fn post_visit_relation(&mut self, name: &mut ast::ObjectName) -> ControlFlow<B> {
        self.0.post_visit_relation(name)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut ast::TableFactor) -> ControlFlow<B> {
        self.0.pre_visit_table_factor(factor)
    }

    fn post_visit_table_factor(&mut self, factor: &mut ast::TableFactor) -> ControlFlow<B> {
        self.0.post_visit_table_factor(factor)
    }

    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<B> {
        self.0.pre_visit_expr(expr)
    }

    fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<B> {
        self.0.post_visit_expr(expr)
    }

    fn pre_visit_statement(&mut self, statement: &mut ast::Statement) -> ControlFlow<B> {
        self.0.pre_visit_statement(statement)
    }

    fn post_visit_statement(&mut self, statement: &mut ast::Statement) -> ControlFlow<B> {
        self.0.post_visit_statement(statement)
    }

    fn pre_visit_value(&mut self, value: &mut ast::ValueWithSpan) -> ControlFlow<B> {
        self.0.pre_visit_value(value)
    }

    fn post_visit_value(&mut self, value: &mut ast::ValueWithSpan) -> ControlFlow<B> {
        self.0.post_visit_value(value)
    }
}

/// What an alteration of a plan does to a node.
type Alter<'a, T> = &'a mut dyn FnMut(T) -> Planned<Transformed<T>>;

/// What a look at a tree does with a node.
type Look<'a, T> = &'a mut dyn FnMut(&T) -> Planned<TreeNodeRecursion>;

/// Alters every node of `plan` and of its subqueries, those below first.
///
/// # Errors
/// Those of `step`, here and in all others.
pub(crate) fn plan_up(plan: LogicalPlan, step: Alter<'_, LogicalPlan>) -> Planned<Transformed<LogicalPlan>> {
    plan.transform_up_with_subqueries(step)
}

/// Alters every node of `plan` and of its subqueries, those above first.
pub(crate) fn plan_down(plan: LogicalPlan, step: Alter<'_, LogicalPlan>) -> Planned<Transformed<LogicalPlan>> {
    plan.transform_down_with_subqueries(step)
}

/// Looks at every node of `plan` and of its subqueries, those above first.
pub(crate) fn look_at_plans(plan: &LogicalPlan, look: Look<'_, LogicalPlan>) -> Planned<TreeNodeRecursion> {
    plan.apply_with_subqueries(look)
}

/// Alters the expressions of one node of a plan, each as a whole.
pub(crate) fn exprs(plan: LogicalPlan, step: Alter<'_, Expr>) -> Planned<Transformed<LogicalPlan>> {
    plan.map_expressions(step)
}

/// Looks at the expressions of one node of a plan, each as a whole.
pub(crate) fn look_at_exprs(plan: &LogicalPlan, look: Look<'_, Expr>) -> Planned<TreeNodeRecursion> {
    plan.apply_expressions(look)
}

/// Alters every part of `expr`, those below first.
pub(crate) fn expr_up(expr: Expr, step: Alter<'_, Expr>) -> Planned<Transformed<Expr>> {
    expr.transform_up(step)
}

/// Alters every part of `expr`, those above first.
pub(crate) fn expr_down(expr: Expr, step: Alter<'_, Expr>) -> Planned<Transformed<Expr>> {
    expr.transform_down(step)
}

/// Looks at every part of `expr`, those above first.
pub(crate) fn look_at_parts(expr: &Expr, look: Look<'_, Expr>) -> Planned<TreeNodeRecursion> {
    expr.apply(look)
}
