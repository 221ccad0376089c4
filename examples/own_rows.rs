//! Rows that a program has or makes, beside files: a reader of Arrow batches, a source of partitions, and a function that
//! makes a table, all in one query.
//!
//!     cargo run --release --example own_rows -- 1000000

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;
use partita::functions::Supply;
use partita::prelude::*;
use std::sync::Arc;

const BATCH: i64 = 4096;

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), false)).collect::<Vec<_>>()))
}

/// Measurements of one sensor, made as they are wanted.
fn measured(schema: SchemaRef, sensor: i64, rows: i64) -> impl Iterator<Item = partita::Result<RecordBatch>> + Send {
    (0..rows).step_by(BATCH as usize).map(move |from| {
        let ticks = from..(from + BATCH).min(rows);
        let values = ticks.clone().map(|t| (t as f64 / 1000.0).sin() + sensor as f64);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(ticks.clone().map(|_| sensor))),
            Arc::new(Int64Array::from_iter_values(ticks.clone())),
            Arc::new(Float64Array::from_iter_values(values)),
        ];
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    })
}

fn main() -> partita::Result<()> {
    let rows: i64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let session = Session::builder().memory("64MiB")?.build()?;

    // Partitions that run in parallel, as often as a query asks for them.
    let columns = schema(&[("sensor", DataType::Int64), ("tick", DataType::Int64), ("value", DataType::Float64)]);
    let open = {
        let columns = columns.clone();
        move |sensor: usize| Ok(measured(columns.clone(), sensor as i64, rows))
    };
    session.register("measured", &session.from_fn(columns, 4, open)?)?;

    // A reader, which can be read once; persist() keeps its rows for more.
    let names = schema(&[("id", DataType::Int64), ("name", DataType::Utf8)]);
    let batch = RecordBatch::try_new(
        names.clone(),
        vec![Arc::new(Int64Array::from(vec![0, 1, 2])), Arc::new(StringArray::from(vec!["roof", "cellar", "yard"]))],
    )?;
    let reader = RecordBatchIterator::new([Ok(batch)], names);
    session.register("sensors", &session.from_reader(reader)?.persist()?)?;

    // A table of its arguments.
    session.register_table_function("bins", &[DataType::Int64, DataType::Int64], |values| {
        let number = |i: usize| i64::try_from(values[i].clone()).map_err(|_| Error::query("bins(number, width)"));
        let (number, width) = (number(0)?, number(1)?);
        let columns = schema(&[("bin", DataType::Int64), ("low", DataType::Int64), ("high", DataType::Int64)]);
        let of = columns.clone();
        Ok(Supply::new("bins", columns, 1, move |_| {
            let bins = |f: fn(i64, i64) -> i64| -> ArrayRef {
                Arc::new(Int64Array::from_iter_values((0..number).map(|i| f(i, width))))
            };
            let columns = vec![bins(|i, _| i), bins(|i, w| i * w), bins(|i, w| (i + 1) * w)];
            Ok(std::iter::once(RecordBatch::try_new(of.clone(), columns).map_err(Error::from)))
        }))
    })?;

    let means = session.sql(&format!(
        "SELECT coalesce(name, 'nowhere') AS place, bin, count(*) AS values, round(avg(value), 3) AS mean \
         FROM measured LEFT JOIN sensors ON sensor = id JOIN bins(2, {}) AS b ON tick >= low AND tick < high \
         GROUP BY place, bin ORDER BY place, bin",
        (rows + 1) / 2
    ))?;
    println!("{}", pretty_format_batches(&means.collect()?)?);
    Ok(())
}
