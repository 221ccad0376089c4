//! Macros: `CREATE MACRO f(a, b := 5) AS a + b`, `CREATE MACRO g(n) AS TABLE SELECT ..`.
//!
//! A call becomes the body with the arguments in the places of the parameters, in parentheses, before anything is bound.
//! Macros may call macros made before them.

use crate::error::{Error, Result};
use crate::front::names::normal;
use crate::front::walk;
use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, MacroArg, MacroDefinition, Query, Select,
    SelectItem, TableFactor, VisitMut, VisitorMut,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The most calls that one statement may hold, those inside of macros included.
const MOST_CALLS: usize = 1000;

/// A macro of the session.
#[derive(Clone, Debug)]
pub struct Macro {
    params: Vec<(String, Option<Expr>)>,
    body: MacroDefinition,
}

impl Macro {
    /// The macro that a statement makes.
    pub(in super::super) fn new(args: Option<&Vec<MacroArg>>, body: &MacroDefinition) -> Macro {
        let params = args.into_iter().flatten().map(|arg| (normal(&arg.name), arg.default_expr.clone())).collect();
        Macro { params, body: body.clone() }
    }

    /// By parameter, what a call gives it.
    fn values(&self, name: &str, args: &[FunctionArg]) -> Result<BTreeMap<String, Expr>> {
        let mut values = BTreeMap::new();
        let mut order = self.params.iter();
        for arg in args {
            let (param, arg) = match arg {
                FunctionArg::Unnamed(arg) => (order.next().map(|(param, _)| param.clone()), arg),
                FunctionArg::Named { name, arg, .. } => (Some(normal(name)), arg),
                FunctionArg::ExprNamed { name, arg, .. } => (Some(name.to_string().to_lowercase()), arg),
            };
            let known = param.filter(|param| self.params.iter().any(|(name, _)| name == param));
            match (known, arg) {
                (Some(param), FunctionArgExpr::Expr(value)) => drop(values.insert(param, value.clone())),
                (_, arg) => {
                    let names: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
                    return Err(Error::query(format!("the macro {name} cannot take {arg}"))
                        .advise(format!("{name}({})", names.join(", "))));
                }
            }
        }
        for (param, default) in &self.params {
            if !values.contains_key(param) {
                let default = default.clone();
                let value =
                    default.ok_or_else(|| Error::query(format!("the macro {name} wants a value for {param}")))?;
                values.insert(param.clone(), value);
            }
        }
        Ok(values)
    }
}

/// How deep macros may call each other.
const DEEPEST: usize = 50;

/// Writes out every call of a macro in `node`.
pub(in super::super) fn expand(node: &mut impl VisitMut, find: &dyn Fn(&str) -> Option<Arc<Macro>>) -> Result<()> {
    let mut calls = Calls { find, left: MOST_CALLS, depth: 0 };
    walk::try_alter(node, &mut calls)
}

struct Calls<'a> {
    find: &'a dyn Fn(&str) -> Option<Arc<Macro>>,
    left: usize,
    depth: usize,
}

impl Calls<'_> {
    fn expr(&mut self, call: &Function) -> Result<Option<Expr>> {
        let Function { name, args: FunctionArguments::List(list), over: None, filter: None, .. } = call else {
            return Ok(None);
        };
        let name = name.to_string().to_lowercase();
        let Some(known) = (self.find)(&name) else { return Ok(None) };
        let MacroDefinition::Expr(body) = &known.body else {
            return Err(Error::query(format!("the macro {name} is a table")).advise(format!("FROM {name}(..)")));
        };
        let mut body = Expr::Nested(Box::new(body.clone()));
        self.put(&mut body, &known.values(&name, &list.args)?)?;
        Ok(Some(body))
    }

    fn table(&mut self, factor: &TableFactor) -> Result<Option<Query>> {
        let TableFactor::Table { name, args: Some(args), .. } = factor else { return Ok(None) };
        let name = name.to_string().to_lowercase();
        let Some(known) = (self.find)(&name) else { return Ok(None) };
        let MacroDefinition::Table(body) = &known.body else { return Ok(None) };
        let mut body = (**body).clone();
        self.put(&mut body, &known.values(&name, &args.args)?)?;
        Ok(Some(body))
    }

    /// Puts the values into a body, and writes out the calls that it holds.
    fn put(&mut self, body: &mut impl VisitMut, values: &BTreeMap<String, Expr>) -> Result<()> {
        if self.left == 0 || self.depth == DEEPEST {
            return Err(Error::query("too many calls of macros in one statement").advise("does a macro call itself?"));
        }
        self.left -= 1;
        self.depth += 1;
        let _ = walk::alter(body, &mut Put(values));
        let done = walk::alter(body, self);
        self.depth -= 1;
        match done {
            ControlFlow::Break(error) => Err(*error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }
}

impl VisitorMut for Calls<'_> {
    type Break = Box<Error>;

    /// A call is called as it was written, not as its body.
    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Box<Error>> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(Expr::Function(call)) = item
                && (self.find)(&call.name.to_string().to_lowercase()).is_some()
            {
                let alias = Ident::with_quote('"', call.to_string());
                *item = SelectItem::ExprWithAlias { expr: Expr::Function(call.clone()), alias };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Box<Error>> {
        let Expr::Function(call) = &*expr else { return ControlFlow::Continue(()) };
        match self.expr(call) {
            Ok(Some(body)) => *expr = body,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(Box::new(error)),
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Box<Error>> {
        let made = match self.table(factor) {
            Ok(Some(query)) => query,
            Ok(None) => return ControlFlow::Continue(()),
            Err(error) => return ControlFlow::Break(Box::new(error)),
        };
        if let TableFactor::Table { alias, .. } = factor {
            *factor = super::derived(made, alias.take());
        }
        ControlFlow::Continue(())
    }
}

/// Puts values in the places of parameters, wherever they stand.
struct Put<'a>(&'a BTreeMap<String, Expr>);

impl Put<'_> {
    fn value(&self, ident: &Ident) -> Option<Expr> {
        self.0.get(&normal(ident)).map(|value| Expr::Nested(Box::new(value.clone())))
    }
}

impl VisitorMut for Put<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(ident) = &*expr
            && let Some(value) = self.value(ident)
        {
            *expr = value;
        }
        ControlFlow::Continue(())
    }
}
