//! Unnest: transforms. Columns are put in the order of the output; then one level of lists after the other is opened, the
//! deepest first; then structs become their fields.
//!
//! A column that is unnested to several depths is there once for each: `unnest(l)` beside `unnest(unnest(l))` is two
//! columns `l`, of which the second is opened at both levels.

use crate::error::{Error, Result};
use crate::ops::unnest::{PickOp, UnnestOp, Without};
use crate::plan::{Lowering, Pipe, batch_schema};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::NullHandling;
use datafusion_expr::Unnest;
use std::sync::Arc;

/// As many rows as the longest list has elements.
pub fn lower(lowering: &mut Lowering, node: &Unnest) -> Result<Pipe> {
    let mut pipe = lowering.lower(&node.input)?;
    let outputs = outputs(node)?;
    let mut types: Vec<DataType> = outputs.iter().map(|o| o.data_type.clone()).collect();
    let columns = outputs.iter().map(|o| (o.input, None)).collect();
    pipe.push(Arc::new(PickOp { columns, schema: schema(&types) }), "pick", "");

    let without = match node.options.null_handling {
        NullHandling::Drop => Without::Drop,
        NullHandling::Preserve => Without::KeepNull,
        NullHandling::PreserveAndExpandEmpty => Without::Keep,
    };
    let deepest = outputs.iter().map(|o| o.depth).max().unwrap_or(0);
    for level in (1..=deepest).rev() {
        let opened: Vec<usize> = (0..outputs.len()).filter(|i| outputs[*i].depth >= level).collect();
        for column in &opened {
            types[*column] = element(&types[*column])?;
        }
        let op = UnnestOp { lists: opened.into(), without, schema: schema(&types) };
        pipe.push(
            Arc::new(op),
            "unnest",
            node.exec_columns.iter().map(|c| c.flat_name()).collect::<Vec<_>>().join(", "),
        );
    }
    let columns = outputs.iter().enumerate().flat_map(|(i, output)| match output.fields {
        None => vec![(i, None)],
        Some(fields) => (0..fields).map(|f| (i, Some(f))).collect(),
    });
    pipe.push(Arc::new(PickOp { columns: columns.collect(), schema: batch_schema(&node.schema) }), "pick", "");
    // What is opened rests here until it is used up.
    let bytes = lowering.limits.tuning.batch_bytes;
    pipe.inlets.iter_mut().for_each(|inlet| inlet.in_flight += bytes);
    Ok(pipe)
}

/// A column of the output, before structs become their fields.
struct Output {
    /// The column of the input.
    input: usize,
    data_type: DataType,
    /// Levels of lists to open.
    depth: usize,
    /// How many fields it becomes.
    fields: Option<usize>,
}

fn outputs(node: &Unnest) -> Result<Vec<Output>> {
    let schema = node.input.schema();
    let mut lists = node.list_type_columns.iter().peekable();
    let mut outputs = Vec::new();
    let mut depends = node.dependency_indices.iter();
    while let Some(input) = depends.next().copied() {
        let field = schema.fields().get(input);
        let data_type =
            field.ok_or_else(|| Error::internal("unnest of a column that is not there"))?.data_type().clone();
        let mut output = Output { input, data_type, depth: 0, fields: None };
        if let Some((_, list)) = lists.next_if(|(index, _)| *index == input) {
            output.depth = list.depth;
        } else if let (true, DataType::Struct(fields)) = (node.struct_type_columns.contains(&input), &output.data_type)
        {
            let fields = fields.len();
            output.fields = Some(fields);
            // Its other fields depend on it, too.
            for _ in 1..fields {
                depends.next();
            }
        }
        outputs.push(output);
    }
    Ok(outputs)
}

/// The type of a list's elements.
fn element(list: &DataType) -> Result<DataType> {
    match list {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            Ok(field.data_type().clone())
        }
        DataType::Map(field, _) => Ok(field.data_type().clone()),
        other => Err(Error::unsupported(format!("unnest of a column of type {other}"))),
    }
}

/// Columns without names of their own.
fn schema(types: &[DataType]) -> SchemaRef {
    let fields = types.iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
