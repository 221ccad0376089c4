//! Aggregate functions of a program.
//!
//! Life of a call: the rows of a group come together, in the input's order, by the external sort of `ops::aggregate::ordered`
//! that serves lists and joined texts, too; so there is one state at a time for each worker, however many groups there
//! are, what does not fit rests in scratch as rows, and states are never merged or written out. What a state holds is
//! asked for ([`Accumulate::held`]) and charged to the budget. Over a window a state takes the rows of a frame.

use super::{as_declared, coerced};
use crate::error::{Error, Result};
use crate::formats::viewed;
use crate::front::context::external;
use crate::guard::calling;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The state of an aggregate for one group.
pub trait Accumulate: Send + Sync {
    /// Takes rows of the group: a column for each argument, nulls among the values. The pieces of a group come in the
    /// input's order, cut anywhere.
    ///
    /// # Errors
    /// Whatever the function has to say; it ends the query.
    fn update(&mut self, columns: &[ArrayRef]) -> Result<()>;

    /// The value for the rows so far, of the declared type; for a state that saw none, that of an empty group. Over a
    /// window more rows may come afterwards.
    ///
    /// # Errors
    /// Whatever the function has to say; it ends the query.
    fn value(&self) -> Result<ScalarValue>;

    /// Bytes that the state holds on the heap, about.
    fn held(&self) -> usize {
        0
    }
}

type Begin = dyn Fn() -> Box<dyn Accumulate> + Send + Sync;

/// An aggregate function: what it takes and gives, and how a state begins.
#[derive(Clone)]
pub struct AggregateFunction {
    /// The types of its arguments.
    pub arguments: Vec<DataType>,
    /// The type of its value.
    pub returns: DataType,
    begin: Arc<Begin>,
}

impl AggregateFunction {
    /// A function whose groups begin with a state that `begin` makes.
    pub fn new<S: Accumulate + 'static>(
        arguments: &[DataType],
        returns: DataType,
        begin: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        let begin = Arc::new(move || Box::new(begin()) as Box<dyn Accumulate>);
        AggregateFunction { arguments: arguments.to_vec(), returns, begin }
    }

    pub(in crate::front) fn named(self, name: &str) -> Arc<AggregateUDF> {
        let signature = match self.arguments.is_empty() {
            true => Signature::nullary(Volatility::Immutable),
            false => Signature::user_defined(Volatility::Immutable),
        };
        Arc::new(AggregateUDF::from(Named { name: name.to_string(), signature, function: self }))
    }
}

/// A function under its name, as DataFusion's binder sees it.
struct Named {
    name: String,
    signature: Signature,
    function: AggregateFunction,
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.function.begin, &other.function.begin)
    }
}

impl Eq for Named {}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl AggregateUDFImpl for Named {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> datafusion_common::Result<Vec<DataType>> {
        coerced(&self.name, &self.function.arguments, types)
    }

    fn return_type(&self, _: &[DataType]) -> datafusion_common::Result<DataType> {
        Ok(viewed(&self.function.returns))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> datafusion_common::Result<Box<dyn Accumulator>> {
        let what: Arc<str> = format!("the aggregate {}", self.name).into();
        let state = calling(&what, || Ok((self.function.begin)())).map_err(external)?;
        Ok(Box::new(Running { what, function: self.function.clone(), state }))
    }
}

/// A state as DataFusion's accumulator.
struct Running {
    what: Arc<str>,
    function: AggregateFunction,
    state: Box<dyn Accumulate>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Running {
    fn value(&self) -> Result<ScalarValue> {
        let value = calling(&self.what, || self.state.value())?;
        let (made, held) = (value.data_type(), viewed(&self.function.returns));
        if made == held {
            return Ok(value);
        }
        if made == self.function.returns || value == ScalarValue::Null {
            return value.cast_to(&held).map_err(crate::ops::expr::from_datafusion);
        }
        let (made, declared) = (crate::front::types::name(&made), crate::front::types::name(&self.function.returns));
        Err(Error::internal(format!("{} returned {made}, but declared {declared}", self.what)))
    }
}

impl Accumulator for Running {
    fn update_batch(&mut self, values: &[ArrayRef]) -> datafusion_common::Result<()> {
        let columns = as_declared(values, &self.function.arguments).map_err(external)?;
        calling(&self.what, || self.state.update(&columns)).map_err(external)
    }

    fn evaluate(&mut self) -> datafusion_common::Result<ScalarValue> {
        self.value().map_err(external)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + calling(&self.what, || Ok(self.state.held())).unwrap_or(0)
    }

    fn state(&mut self) -> datafusion_common::Result<Vec<ScalarValue>> {
        Err(external(Error::internal(format!("{} is asked for its state", self.what))))
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> datafusion_common::Result<()> {
        Err(external(Error::internal(format!("{} is asked to merge states", self.what))))
    }
}
