//! The value of an uncorrelated scalar subquery: one column, at most one row.

use super::expr::Scope;
use super::{Cx, Flow, Sink, SinkOp};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::graph::Sizes;
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use std::sync::{Arc, Mutex};

/// Sets a slot of a [`Scope`] to the value of its input: null without a row, an error with two.
pub struct ScalarOp {
    scope: Scope,
    slot: usize,
    data_type: DataType,
    value: Arc<Mutex<Option<ScalarValue>>>,
}

impl ScalarOp {
    /// The value of type `data_type` for the `slot`-th subquery of `scope`.
    pub fn new(scope: Scope, slot: usize, data_type: DataType) -> Self {
        ScalarOp { scope, slot, data_type, value: Arc::default() }
    }
}

impl SinkOp for ScalarOp {
    fn local(&self, _cx: &Cx) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Scalar { value: self.value.clone() }))
    }

    fn finish(&self, _cx: &Cx) -> Result<Sizes> {
        let value = self.value.lock().unwrap_or_else(|e| e.into_inner()).take();
        let null = || ScalarValue::try_new_null(&self.data_type).unwrap_or(ScalarValue::Null);
        self.scope.set(self.slot, value.unwrap_or_else(null))?;
        Ok(Sizes::default())
    }
}

struct Scalar {
    value: Arc<Mutex<Option<ScalarValue>>>,
}

impl Sink for Scalar {
    fn push(&mut self, batch: Batch, _cx: &Cx) -> Result<Flow> {
        let mut value = self.value.lock().unwrap_or_else(|e| e.into_inner());
        for row in 0..batch.rows() {
            if value.is_some() {
                return Err(Error::query("a subquery used as a value has more than one row")
                    .advise("add LIMIT 1, or an aggregate such as max"));
            }
            let column = batch.data.columns().first().ok_or_else(|| Error::internal("a subquery without columns"))?;
            let scalar = ScalarValue::try_from_array(column, row).map_err(super::expr::from_datafusion)?;
            *value = Some(scalar);
        }
        Ok(Flow::Ready)
    }

    fn finish(self: Box<Self>, _cx: &Cx) -> Result<()> {
        Ok(())
    }
}
