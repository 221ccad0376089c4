//! Rows written in the query.

use crate::error::Result;
use crate::events::Meter;
use crate::graph::Fixed;
use crate::ops::expr::{Compiled, Scope};
use crate::ops::values::ValuesOp;
use crate::plan::{Described, Inlet, Lowering, Pipe, batch_schema};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::DFSchema;
use datafusion_expr::{EmptyRelation, Values};
use std::sync::Arc;

/// No row, or one row without columns for a select without a table.
pub fn lower_empty(_lowering: &mut Lowering, node: &EmptyRelation) -> Result<Pipe> {
    let schema = batch_schema(&node.schema);
    let batch = if node.produce_one_row { one_row(&schema)? } else { RecordBatch::new_empty(schema) };
    Ok(pipe(vec![batch], "one row"))
}

fn one_row(schema: &SchemaRef) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> =
        schema.fields().iter().map(|f| arrow::array::new_null_array(f.data_type(), 1)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// The rows of a `VALUES`.
pub fn lower(_lowering: &mut Lowering, node: &Values) -> Result<Pipe> {
    let schema = batch_schema(&node.schema);
    let nothing = one_row(&Arc::new(Schema::empty()))?;
    let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::new(); schema.fields().len()];
    for row in &node.values {
        for ((expr, column), field) in row.iter().zip(&mut columns).zip(schema.fields()) {
            let value = Compiled::new(expr, &DFSchema::empty(), &Scope::default())?.eval(&nothing)?;
            column.push(cast(&value, field.data_type())?);
        }
    }
    let columns = columns
        .iter()
        .map(|values| Ok(concat(&values.iter().map(|v| v.as_ref()).collect::<Vec<_>>())?))
        .collect::<Result<Vec<_>>>()?;
    let batch = RecordBatch::try_new(schema, columns)?;
    let detail = format!("{} rows", batch.num_rows());
    Ok(pipe(vec![batch], &detail))
}

fn pipe(batches: Vec<RecordBatch>, detail: &str) -> Pipe {
    let meter = Arc::new(Meter::default());
    let top = Described::new("values", detail, meter.clone(), Vec::new());
    let inlet = Inlet {
        name: "values".into(),
        source: Arc::new(ValuesOp { batches: batches.into() }),
        meter,
        layout: Arc::new(Fixed { tasks: 1, floor: 0 }),
        in_flight: 0,
        tasks: Some(1),
        after: Vec::new(),
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    Pipe::from(inlet, top)
}
