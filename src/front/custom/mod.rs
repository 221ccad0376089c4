//! Functions that a program brings along: scalar functions ([`scalar`]), typed ones among them ([`typed`]), aggregates
//! ([`aggregate`]), those of closures among them ([`fold`]), and functions that make tables ([`table`]).
//!
//! Their names are one space beside the built-in ones: a name that is built in cannot be taken, since half of SQL is
//! written with it; a name of the program's own is replaced by what is registered last. Names are found in any case.
//!
//! What is the same for all: a panic in a function is an error that names it, as is a result of a wrong type or length.
//! Functions run on the session's threads, several at a time.

mod aggregate;
mod fold;
mod scalar;
mod table;
mod typed;

pub use aggregate::{Accumulate, AggregateFunction};
pub use fold::Step;
pub use scalar::ScalarFunction;
pub use table::TableFunction;
pub use typed::{Argument, Returned, TypedFunction};

use crate::error::{Error, Result};
use crate::formats::viewed;
use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion_expr::{AggregateUDF, ScalarUDF, Volatility};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A function of the program.
#[derive(Clone)]
pub(super) enum Function {
    Scalar(Arc<ScalarUDF>),
    Aggregate(Arc<AggregateUDF>),
    Table(Arc<TableFunction>),
}

/// The functions of a program by lower-case name.
#[derive(Clone, Default)]
pub(super) struct Custom(BTreeMap<String, Function>);

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Custom {
    pub(super) fn add(&mut self, name: &str, function: Function) {
        self.0.insert(name.to_string(), function);
    }

    pub(super) fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        match self.0.get(&name.to_lowercase()) {
            Some(Function::Scalar(f)) => Some(Arc::clone(f)),
            _ => None,
        }
    }

    pub(super) fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        match self.0.get(&name.to_lowercase()) {
            Some(Function::Aggregate(f)) => Some(Arc::clone(f)),
            _ => None,
        }
    }

    pub(super) fn table(&self, name: &str) -> Option<Arc<TableFunction>> {
        match self.0.get(&name.to_lowercase()) {
            Some(Function::Table(f)) => Some(Arc::clone(f)),
            _ => None,
        }
    }

    /// The names of the functions that `is` holds for.
    pub(super) fn names(&self, is: fn(&Function) -> bool) -> impl Iterator<Item = String> + '_ {
        self.0.iter().filter(move |(_, f)| is(f)).map(|(name, _)| name.clone())
    }
}

/// The name of a function as it is kept; `taken` are the built-in ones.
///
/// # Errors
/// `Query`, for what is no name or is built in.
pub(super) fn checked_name(name: &str, taken: impl IntoIterator<Item = String>) -> Result<String> {
    let name = name.to_lowercase();
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if !begins || !letters.all(|c| c.is_alphanumeric() || c == '_') {
        return Err(Error::query(format!("\"{name}\" cannot be the name of a function"))
            .advise("a letter first, then letters, digits and underscores"));
    }
    match taken.into_iter().any(|known| known == name) {
        true => Err(Error::query(format!("the function {name} is built in")).advise("choose another name")),
        false => Ok(name),
    }
}

fn volatility(volatile: bool) -> Volatility {
    if volatile { Volatility::Volatile } else { Volatility::Immutable }
}

/// The types, as the engine holds them, that arguments of types `given` are cast to for parameters of types `wanted`.
fn coerced(name: &str, wanted: &[DataType], given: &[DataType]) -> datafusion_common::Result<Vec<DataType>> {
    let fit = wanted.len() == given.len() && wanted.iter().zip(given).all(|(wanted, given)| fits(wanted, given));
    if fit {
        return Ok(wanted.iter().map(viewed).collect());
    }
    let words = |types: &[DataType]| types.iter().map(super::types::name).collect::<Vec<_>>().join(", ");
    datafusion_common::plan_err!("{name} takes ({}), not ({}); a cast may help", words(wanted), words(given))
}

/// Whether a value of type `given` may stand for one of type `wanted`, by a cast that fails rather than changes it.
fn fits(wanted: &DataType, given: &DataType) -> bool {
    use DataType as T;
    let (wanted, given_view) = (&viewed(wanted), &viewed(given));
    if wanted == given_view || matches!(given, T::Null) {
        return true;
    }
    // A literal; columns of text are views.
    let literal = matches!(given, T::Utf8);
    match (wanted, given_view) {
        (w, g) if w.is_floating() => g.is_numeric() || literal,
        (w, g) if w.is_integer() => g.is_integer() || literal,
        (w, g) if w.is_decimal() => g.is_integer() || g.is_decimal() || literal,
        (T::Timestamp(_, zone), T::Timestamp(_, given)) => zone.is_some() == given.is_some(),
        (T::Timestamp(_, None), T::Date32) => true,
        (T::Time32(_) | T::Time64(_), T::Time32(_) | T::Time64(_)) => true,
        (w, _) if w.is_temporal() => literal,
        (T::List(w) | T::LargeList(w), T::List(g) | T::LargeList(g)) => fits(w.data_type(), g.data_type()),
        (w, g) => w.equals_datatype(g),
    }
}

/// The columns in the types that a function declared.
fn as_declared(columns: &[ArrayRef], declared: &[DataType]) -> Result<Vec<ArrayRef>> {
    let one = |(column, declared): (&ArrayRef, &DataType)| match column.data_type() == declared {
        true => Ok(Arc::clone(column)),
        false => Ok(cast(column, declared)?),
    };
    columns.iter().zip(declared).map(one).collect()
}

/// What `what` returned, as the engine holds it.
///
/// # Errors
/// `Internal`, for a type other than the declared one, and another number of values.
fn returned(what: &str, made: ArrayRef, declared: &DataType, rows: usize) -> Result<ArrayRef> {
    let held = viewed(declared);
    if made.data_type() != declared && *made.data_type() != held {
        let (made, declared) = (super::types::name(made.data_type()), super::types::name(declared));
        return Err(Error::internal(format!("{what} returned {made}, but declared {declared}")));
    }
    if made.len() != rows {
        return Err(Error::internal(format!("{what} returned {} values for {rows} rows", made.len())));
    }
    if *made.data_type() == held { Ok(made) } else { Ok(cast(&made, &held)?) }
}
