//! Functions as expressions of frames, by the names that SQL knows them by.

use super::functions::table;
use super::{Front, nearest::nearest};
use crate::error::{Error, Result};
use datafusion_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion_expr::{Expr, WindowFunctionDefinition};

fn ours(name: &str, args: Vec<Expr>) -> Result<Expr> {
    let function = table::named(name).ok_or_else(|| Error::internal(format!("no function {name}")))?;
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

/// The beginning of the interval in which a time lies; with a third argument, intervals are moved by it.
///
/// # Errors
/// None; the name is checked.
pub fn time_bucket(args: Vec<Expr>) -> Result<Expr> {
    ours("time_bucket", args)
}

/// A number that is equal for equal values.
///
/// # Errors
/// None; the name is checked.
pub fn hash(args: Vec<Expr>) -> Result<Expr> {
    ours("hash", args)
}

impl Front {
    /// A call of a scalar function, an aggregate, or a function over a window, whichever has the name.
    ///
    /// # Errors
    /// `Query`, with the nearest name.
    pub fn call(&self, name: &str, args: Vec<Expr>) -> Result<Expr> {
        let (known, name) = (self.known(), name.to_lowercase());
        if let Some(f) = known.scalar(&name) {
            return Ok(Expr::ScalarFunction(ScalarFunction::new_udf(f, args)));
        }
        if let Some(f) = known.aggregate(&name) {
            return Ok(Expr::AggregateFunction(AggregateFunction::new_udf(f, args, false, None, Vec::new(), None)));
        }
        if let Some(f) = known.window(&name) {
            return Ok(Expr::from(WindowFunction::new(WindowFunctionDefinition::WindowUDF(f), args)));
        }
        let error = Error::query(format!("no function \"{name}\""));
        let names = self.functions();
        Err(match nearest(&name, names.iter().map(String::as_str)) {
            Some(near) => error.advise(format!("did you mean {near}?")),
            None => error,
        })
    }
}
