//! The engine in some setting, and its answers as values.

use super::table::Tables;
use super::value::{Random, Row, Value};
use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::*;
use partita::config::Tuning;
use partita::{ErrorKind, Result, Session};

/// What the engine can do today; the rest of the queries switch on by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Supported {
    pub sort: bool,
    pub join: bool,
}

impl Supported {
    pub fn probe() -> Supported {
        let session = Session::builder().build().unwrap();
        let can = |sql: &str| match session.sql(sql).and_then(|frame| frame.collect()) {
            Err(error) if error.kind() == ErrorKind::Unsupported => false,
            other => other.map(|_| true).unwrap(),
        };
        Supported {
            sort: can("SELECT x FROM (VALUES (2), (1)) AS t(x) ORDER BY x"),
            join: can("SELECT a.x FROM (VALUES (1), (2)) AS a(x) JOIN (VALUES (1), (3)) AS b(x) ON a.x = b.x"),
        }
    }
}

/// How the engine runs.
#[derive(Clone, Debug)]
pub struct Setting {
    inline: bool,
    threads: usize,
    batch_rows: usize,
    /// Small pages, partitions, splits and tables before them.
    tiny: bool,
    starved: bool,
    hash_mask: u64,
}

/// A budget that admits every query of these, with these settings.
const ADMITS: usize = 4 << 20;

impl Setting {
    /// A plain one, and two others.
    pub fn some(random: &mut Random, seed: u64) -> Vec<Setting> {
        let plain =
            Setting { inline: true, threads: 1, batch_rows: 8192, tiny: false, starved: false, hash_mask: u64::MAX };
        let mut other = |starved: bool| Setting {
            inline: random.one_in(3),
            threads: *random.pick(&[1, 2, 7]),
            batch_rows: *random.pick(&[1, 7, 8192]),
            tiny: starved || random.one_in(2),
            starved,
            // All hashes equal is slow: only now and then.
            hash_mask: if seed % 16 == 5 { 0 } else { u64::MAX },
        };
        vec![plain, other(false), other(true)]
    }

    fn tuning(&self) -> Tuning {
        let tuning = Tuning { batch_rows: self.batch_rows, hash_mask: self.hash_mask, ..Tuning::default() };
        match self.tiny {
            false => tuning,
            true => Tuning {
                page_bytes: Some(4096),
                batch_bytes: 4096,
                split_bytes: 700,
                radix_bits: Some(1),
                preaggregate_slots: 8,
                merge_fan_in: 2,
                scratch_write_bytes: 4096,
                broadcast_bytes: 2000,
                result_queue_bytes: 4096,
                ..tuning
            },
        }
    }

    fn open(&self, tables: &Tables, memory: usize) -> Result<Session> {
        let builder = Session::builder().memory(memory)?.threads(self.threads).inline(self.inline);
        let session = builder.tuning(self.tuning()).build()?;
        for table in &tables.tables {
            let frame = session.read(table.def(tables.dir.path()))?;
            session.register(table.name, &frame)?;
        }
        Ok(session)
    }

    /// A roomy session; a starved one differs from query to query.
    pub fn session(&self, tables: &Tables) -> Option<Session> {
        (!self.starved).then(|| self.open(tables, 256 << 20).unwrap())
    }

    /// The rows of the answer, and whether scratch was written. Starved, with the smallest budget (a power of two) whose
    /// floor admits the query.
    pub fn answer(&self, session: Option<&Session>, tables: &Tables, sql: &str) -> Result<(Vec<Row>, bool)> {
        let ask = |session: &Session| {
            let rows = rows(&session.sql(sql)?.collect()?)?;
            Ok((rows, session.stats().scratch_written > 0))
        };
        if let Some(session) = session {
            return ask(session);
        }
        let mut memory = 128 << 10;
        loop {
            match self.open(tables, memory).and_then(|session| ask(&session)) {
                Err(error) if error.kind() == ErrorKind::Resources && memory < ADMITS => memory *= 2,
                other => return other,
            }
        }
    }
}

fn rows(batches: &[RecordBatch]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(values).collect::<Result<Vec<_>>>()?;
        rows.extend((0..batch.num_rows()).map(|i| columns.iter().map(|column| column[i].clone()).collect::<Row>()));
    }
    Ok(rows)
}

fn values(column: &ArrayRef) -> Result<Vec<Value>> {
    fn all<T>(values: impl Iterator<Item = Option<T>>, make: impl Fn(T) -> Value) -> Vec<Value> {
        values.map(|value| value.map_or(Value::Null, &make)).collect()
    }
    Ok(match column.data_type() {
        DataType::Boolean => all(column.as_boolean().iter(), Value::Bool),
        DataType::Float64 => all(column.as_primitive::<Float64Type>().iter(), Value::Float),
        DataType::Date32 => all(column.as_primitive::<Date32Type>().iter(), Value::Date),
        DataType::Utf8View => all(column.as_string_view().iter(), |text| Value::Text(text.to_string())),
        DataType::Decimal128(_, 0) => all(column.as_primitive::<Decimal128Type>().iter(), |v| Value::Int(v as i64)),
        DataType::Decimal128(_, 2) => all(column.as_primitive::<Decimal128Type>().iter(), Value::Decimal),
        kind if kind.is_integer() => {
            all(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().iter(), Value::Int)
        }
        other => panic!("an answer of type {other}"),
    })
}
