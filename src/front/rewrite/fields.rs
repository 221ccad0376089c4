//! What is reached through dots and brackets.
//!
//! - Fields of structs that are not columns: `{'a': 1}.a`, `f(x).a`, `l[1].a`. The binder wants the field's name as a text.
//! - Calls behind a dot: `l.list_transform(x -> x + 1)` is `list_transform(l, x -> x + 1)`.
//! - Slices with an open end: `l[:2]`, `l[2:]`.
//! - `INTERVAL (3) DAY`, whose parentheses the binder does not look through.

use crate::front::walk;
use crate::front::{make, names};
use datafusion_sql::sqlparser::ast::{
    AccessExpr, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Subscript, UnaryOperator, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Does all of the above in `node`.
pub(in super::super) fn name(node: &mut impl VisitMut) {
    let _ = walk::alter(node, &mut Fields);
}

struct Fields;

impl VisitorMut for Fields {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::CompoundFieldAccess { root, access_chain } => {
                let root = std::mem::replace(&mut **root, make::number(0));
                *expr = accessed(root, std::mem::take(access_chain));
            }
            Expr::Interval(interval) => {
                if let Expr::Nested(inner) = &*interval.value
                    && is_constant(inner)
                {
                    interval.value = inner.clone();
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) => true,
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => matches!(**expr, Expr::Value(_)),
        _ => false,
    }
}

fn accessed(mut root: Expr, chain: Vec<AccessExpr>) -> Expr {
    let mut held: Vec<AccessExpr> = Vec::new();
    for access in chain {
        match access {
            AccessExpr::Dot(Expr::Function(mut call)) => {
                let value = reached(root, std::mem::take(&mut held));
                if let FunctionArguments::List(list) = &mut call.args {
                    list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(value)));
                }
                root = Expr::Function(call);
            }
            AccessExpr::Dot(Expr::Identifier(ident)) if !held.is_empty() || !is_name(&root) => {
                held.push(AccessExpr::Dot(make::text(names::normal(&ident))));
            }
            AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                let lower_bound = lower_bound.or_else(|| Some(make::number(1)));
                let upper_bound = upper_bound.or_else(|| Some(make::number(-1)));
                held.push(AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }));
            }
            other => held.push(other),
        }
    }
    reached(root, held)
}

fn is_name(root: &Expr) -> bool {
    matches!(root, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

fn reached(root: Expr, chain: Vec<AccessExpr>) -> Expr {
    match chain.is_empty() {
        true => root,
        false => Expr::CompoundFieldAccess { root: Box::new(root), access_chain: chain },
    }
}
