//! `try(expr)`: null for the rows for which `expr` fails.
//!
//! A batch is evaluated as a whole; only if that fails, each half of it, and so on to the rows that fail. So rows without
//! errors cost what they always do, and one error among `n` rows some `log2(n)` evaluations of small pieces.

use super::expr::from_datafusion;
use crate::error::ErrorKind;
use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Schema};
use datafusion_common::Result;
use datafusion_common::tree_node::Transformed;
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The name of the function, whose own body only hands on its argument.
pub const TRY: &str = "try";

/// Puts the attempt where the function stands.
pub(super) fn attempted(expr: Arc<dyn PhysicalExpr>) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    let tried = expr.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.fun().name() == TRY);
    Ok(match tried.and_then(|call| call.args().first()) {
        Some(inner) => Transformed::yes(Arc::new(Attempt { inner: inner.clone() })),
        None => Transformed::no(expr),
    })
}

#[derive(Debug, Eq)]
struct Attempt {
    inner: Arc<dyn PhysicalExpr>,
}

impl PartialEq for Attempt {
    fn eq(&self, other: &Self) -> bool {
        *self.inner == *other.inner
    }
}

impl Hash for Attempt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TRY}({})", self.inner)
    }
}

impl Attempt {
    /// The values of some rows, in pieces.
    fn pieces(&self, rows: &RecordBatch, made: &mut Vec<ArrayRef>) -> Result<()> {
        match self.inner.evaluate(rows).and_then(|value| value.into_array(rows.num_rows())) {
            Ok(values) => made.push(values),
            Err(error) => {
                let error = from_datafusion(error);
                if !matches!(error.kind(), ErrorKind::Query | ErrorKind::Data) {
                    return Err(datafusion_common::DataFusionError::External(Box::new(error)));
                }
                let half = rows.num_rows() / 2;
                if half == 0 {
                    made.push(new_null_array(&self.inner.data_type(rows.schema_ref())?, rows.num_rows()));
                    return Ok(());
                }
                self.pieces(&rows.slice(0, half), made)?;
                self.pieces(&rows.slice(half, rows.num_rows() - half), made)?;
            }
        }
        Ok(())
    }
}

impl PhysicalExpr for Attempt {
    fn data_type(&self, input: &Schema) -> Result<DataType> {
        self.inner.data_type(input)
    }

    fn nullable(&self, _input: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let mut made = Vec::new();
        self.pieces(batch, &mut made)?;
        match made.as_slice() {
            [whole] => Ok(ColumnarValue::Array(whole.clone())),
            pieces => {
                let pieces: Vec<_> = pieces.iter().map(|p| p.as_ref()).collect();
                Ok(ColumnarValue::Array(concat(&pieces)?))
            }
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| self.inner.clone());
        Ok(Arc::new(Attempt { inner }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TRY}(")?;
        self.inner.fmt_sql(f)?;
        f.write_str(")")
    }
}
