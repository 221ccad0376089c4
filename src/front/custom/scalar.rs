//! Scalar functions of a program: arrow arrays in, an arrow array out.
//!
//! Life of a call: the arguments are cast to the declared types (text comes as the declared kind of text), constants are
//! made columns; the body runs with panics caught; its result is checked, and cast to what the engine holds (text and
//! bytes as views, dictionaries as their values). A call of constants alone is computed once, unless it is volatile.

use super::{as_declared, coerced, returned, volatility};
use crate::error::Result;
use crate::formats::viewed;
use crate::front::context::external;
use crate::guard::calling;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

type Body = dyn Fn(&[ArrayRef], usize) -> Result<ArrayRef> + Send + Sync;

/// A scalar function: what it takes and gives, and how.
#[derive(Clone)]
pub struct ScalarFunction {
    /// The types of its arguments.
    pub arguments: Vec<DataType>,
    /// The type of its result.
    pub returns: DataType,
    /// Whether it may answer differently for the same arguments: then it is called for each row, and neither computed
    /// beforehand nor moved.
    pub volatile: bool,
    body: Arc<Body>,
}

impl ScalarFunction {
    /// A function whose answer depends on its arguments alone. `body` is given a column for each argument and the number
    /// of rows, and returns a column of that many values.
    pub fn new(
        arguments: &[DataType],
        returns: DataType,
        body: impl Fn(&[ArrayRef], usize) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Self {
        ScalarFunction { arguments: arguments.to_vec(), returns, volatile: false, body: Arc::new(body) }
    }

    /// The same, but called for each row.
    pub fn volatile(self) -> Self {
        ScalarFunction { volatile: true, ..self }
    }

    pub(in crate::front) fn named(self, name: &str) -> Arc<ScalarUDF> {
        let signature = match self.arguments.is_empty() {
            true => Signature::nullary(volatility(self.volatile)),
            false => Signature::user_defined(volatility(self.volatile)),
        };
        Arc::new(ScalarUDF::from(Named { name: name.to_string(), signature, function: self }))
    }
}

/// A function under its name, as DataFusion's binder and evaluator see it.
struct Named {
    name: String,
    signature: Signature,
    function: ScalarFunction,
}

impl Named {
    fn run(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let what = format!("the function {}", self.name);
        let columns = as_declared(columns, &self.function.arguments)?;
        let made = calling(&what, || (self.function.body)(&columns, rows))?;
        returned(&what, made, &self.function.returns, rows)
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A function that replaced another one of its name is another function.
impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.function.body, &other.function.body)
    }
}

impl Eq for Named {}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Named {
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

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> datafusion_common::Result<ColumnarValue> {
        let is_constant = |a: &ColumnarValue| matches!(a, ColumnarValue::Scalar(_));
        let constant = !self.function.volatile && !call.args.is_empty() && call.args.iter().all(is_constant);
        let rows = if constant { 1 } else { call.number_rows };
        let columns = call.args.iter().map(|a| a.clone().into_array(rows)).collect::<Result<Vec<_>, _>>()?;
        let made = self.run(&columns, rows).map_err(external)?;
        match constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)),
            false => Ok(ColumnarValue::Array(made)),
        }
    }
}
