//! Table functions of a program: constants in, a [`Supply`] of rows out. `FROM numbers(10) AS n` calls one.

use super::fits;
use crate::error::{Error, Result};
use crate::formats::viewed;
use crate::guard::calling;
use crate::ops::supply::Supply;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use std::sync::Arc;

type Make = dyn Fn(&[ScalarValue]) -> Result<Supply> + Send + Sync;

/// A table function: the types of its arguments, and what makes the rows of their values.
pub struct TableFunction {
    /// The types of its arguments.
    pub arguments: Vec<DataType>,
    make: Box<Make>,
}

impl TableFunction {
    /// A function that `make`s a table of its arguments' values, which may be null. It is called while a query is bound,
    /// perhaps more than once: reading is for the iterators of the supply.
    pub fn new(
        arguments: &[DataType],
        make: impl Fn(&[ScalarValue]) -> Result<Supply> + Send + Sync + 'static,
    ) -> Self {
        TableFunction { arguments: arguments.to_vec(), make: Box::new(make) }
    }

    /// The table of these values.
    ///
    /// # Errors
    /// `Query`, for values that do not fit; what the function says.
    pub(in crate::front) fn call(&self, name: &str, values: &[ScalarValue]) -> Result<Arc<Supply>> {
        let types: Vec<DataType> = values.iter().map(ScalarValue::data_type).collect();
        let fit = types.len() == self.arguments.len() && self.arguments.iter().zip(&types).all(|(w, g)| fits(w, g));
        if !fit {
            let words = |types: &[DataType]| types.iter().map(crate::front::types::name).collect::<Vec<_>>().join(", ");
            let (wanted, given) = (words(&self.arguments), words(&types));
            return Err(Error::query(format!("{name} takes ({wanted}), not ({given})")));
        }
        let cast = |(value, to): (&ScalarValue, &DataType)| {
            let held = value.cast_to(&viewed(to)).and_then(|v| v.cast_to(to));
            held.map_err(crate::ops::expr::from_datafusion)
        };
        let values = values.iter().zip(&self.arguments).map(cast).collect::<Result<Vec<_>>>()?;
        calling(&format!("the table function {name}"), || (self.make)(&values)).map(Arc::new)
    }
}
