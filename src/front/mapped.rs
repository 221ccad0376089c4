//! A step of a plan that a program computes: batches in, batches out. No rule moves anything through it, and all columns of
//! its input are computed.

use crate::error::Result;
use crate::ops::map::Mapper;
use arrow::datatypes::SchemaRef;
use datafusion_common::{DFSchema, DFSchemaRef, plan_err};
use datafusion_expr::logical_plan::{Extension, UserDefinedLogicalNodeCore};
use datafusion_expr::{Expr, LogicalPlan};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// See the module's head.
#[derive(Clone)]
pub struct Mapped {
    /// Where its rows come from.
    pub input: LogicalPlan,
    /// What is done with them.
    pub mapper: Arc<Mapper>,
    schema: DFSchemaRef,
}

impl Mapped {
    /// The plan that does `mapper`'s step over `input`.
    ///
    /// # Errors
    /// `Query`, for two columns of one name.
    pub fn plan(input: LogicalPlan, mapper: Mapper) -> Result<LogicalPlan> {
        let held: SchemaRef = mapper.schema();
        let schema = DFSchema::try_from(held.as_ref().clone()).map_err(crate::ops::expr::from_datafusion)?;
        let node = Mapped { input, mapper: Arc::new(mapper), schema: Arc::new(schema) };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mapped")
    }
}

impl PartialEq for Mapped {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mapper, &other.mapper) && self.input == other.input
    }
}

impl Eq for Mapped {}

impl PartialOrd for Mapped {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Hash for Mapped {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for Mapped {
    fn name(&self) -> &str {
        "Mapped"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Mapped")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> datafusion_common::Result<Self> {
        match <[LogicalPlan; 1]>::try_from(inputs) {
            Ok([input]) => Ok(Mapped { input, ..self.clone() }),
            Err(inputs) => plan_err!("a mapped plan with {} inputs", inputs.len()),
        }
    }
}
