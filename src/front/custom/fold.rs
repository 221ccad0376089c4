//! Aggregates of Rust closures over single values: a beginning, a step for each row, an end.
//!
//! Types are read off the closures as in [`typed`](super::typed); a row with a null for an argument that is no `Option` does
//! not count.

use super::typed::{Argument, Returned, column, is_null, value};
use super::{Accumulate, AggregateFunction};
use crate::error::Result;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use std::marker::PhantomData;
use std::sync::Arc;

/// A closure that takes a row of up to three arguments into a state `S`. `Shape` is its own type.
pub trait Step<S, Shape>: Send + Sync + 'static {
    /// The types of its arguments.
    fn arguments() -> Vec<DataType>;

    /// Takes rows.
    ///
    /// # Errors
    /// Columns that are not of these types.
    fn take(&self, state: &mut S, columns: &[ArrayRef]) -> Result<()>;
}

macro_rules! step {
    ($($arg:ident $column:ident),*) => {
        impl<F, S, $($arg),*> Step<S, fn(&mut S, $($arg),*)> for F
        where
            $($arg: Argument,)*
            F: Fn(&mut S, $($arg),*) + for<'a> Fn(&mut S, $($arg::Value<'a>),*) + Send + Sync + 'static,
        {
            fn arguments() -> Vec<DataType> {
                vec![$($arg::data_type()),*]
            }

            fn take(&self, state: &mut S, columns: &[ArrayRef]) -> Result<()> {
                let rows = columns.first().map_or(0, |c| c.len());
                let mut columns = columns.iter();
                $(let $column = column::<$arg>(&mut columns)?;)*
                for row in 0..rows {
                    if $(!is_null::<$arg>(&$column, row))&&* {
                        self(&mut *state, $(value::<$arg>(&$column, row)?),*);
                    }
                }
                Ok(())
            }
        }
    };
}

step!(A a);
step!(A a, B b);
step!(A a, B b, C c);

/// A state with what to do with it.
struct Fold<S, F, G, Shape> {
    state: S,
    closures: Arc<(F, G)>,
    shape: PhantomData<fn() -> Shape>,
}

impl<S, F, G, R, Shape> Accumulate for Fold<S, F, G, Shape>
where
    S: Send + Sync,
    F: Step<S, Shape>,
    G: Fn(&S) -> R + Send + Sync,
    R: Returned,
{
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.closures.0.take(&mut self.state, columns)
    }

    fn value(&self) -> Result<ScalarValue> {
        let mut made = R::builder(1);
        R::add(Some((self.closures.1)(&self.state)), &mut made)?;
        ScalarValue::try_from_array(&R::finish(made), 0).map_err(crate::ops::expr::from_datafusion)
    }
}

impl AggregateFunction {
    /// A function whose groups begin with `begin()`, take each row by `step`, and have the value that `end` makes.
    pub fn fold<S, R, Shape>(
        begin: impl Fn() -> S + Send + Sync + 'static,
        step: impl Step<S, Shape>,
        end: impl Fn(&S) -> R + Send + Sync + 'static,
    ) -> Self
    where
        S: Send + Sync + 'static,
        R: Returned + 'static,
        Shape: 'static,
    {
        fn arguments<S, Shape, F: Step<S, Shape>>(_: &F) -> Vec<DataType> {
            F::arguments()
        }
        let arguments = arguments(&step);
        let closures = Arc::new((step, end));
        AggregateFunction::new(&arguments, R::data_type(), move || Fold {
            state: begin(),
            closures: Arc::clone(&closures),
            shape: PhantomData,
        })
    }
}
