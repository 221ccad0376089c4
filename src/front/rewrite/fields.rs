//! What is reached through dots and brackets.
//!
//! - Fields of structs that are not columns: `{'a': 1}.a`, `f(x).a`, `l[1].a`. The binder wants the field's name as a text.
//! - Fields of what a lambda takes: `list_transform(users, u -> u.name)`.
//! - `ARRAY(SELECT x FROM t)`: the list of a subquery's values, in its order.
//! - Calls behind a dot: `l.list_transform(x -> x + 1)` is `list_transform(l, x -> x + 1)`.
//! - Slices with an open end: `l[:2]`, `l[2:]`.
//! - `INTERVAL (3) DAY`, whose parentheses the binder does not look through.

use crate::front::walk;
use crate::front::{make, names, parse};
use datafusion_sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, OneOrManyWithParens, Subscript,
    UnaryOperator, VisitMut, VisitorMut,
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
            Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. })
                if name.to_string().eq_ignore_ascii_case("array") =>
            {
                let listed = format!("SELECT coalesce(array_agg(element), []) FROM ({query}) AS listed(element)");
                if let Ok(listed) = parse::query(&listed) {
                    *expr = Expr::Subquery(listed);
                }
            }
            Expr::Lambda(lambda) => {
                let params = match &lambda.params {
                    OneOrManyWithParens::One(one) => std::slice::from_ref(one),
                    OneOrManyWithParens::Many(all) => all.as_slice(),
                };
                let params = params.iter().map(|param| names::normal(&param.name)).collect();
                let _ = walk::alter(&mut *lambda.body, &mut OfParams(params));
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

/// Fields of the parameters of a lambda: `x.a` is no column of a table x there.
struct OfParams(Vec<String>);

impl OfParams {
    fn holds(&self, ident: &Ident) -> bool {
        self.0.contains(&names::normal(ident))
    }
}

impl VisitorMut for OfParams {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::CompoundIdentifier(parts) => {
                if let [param, fields @ ..] = parts.as_slice()
                    && self.holds(param)
                {
                    let chain = fields.iter().map(of_name).collect();
                    *expr = reached(Expr::Identifier(param.clone()), chain);
                }
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                if matches!(&**root, Expr::Identifier(param) if self.holds(param)) {
                    for access in access_chain {
                        if let AccessExpr::Dot(Expr::Identifier(field)) = access {
                            *access = of_name(field);
                        }
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `['name']`.
fn of_name(field: &Ident) -> AccessExpr {
    AccessExpr::Subscript(Subscript::Index { index: make::text(names::normal(field)) })
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
