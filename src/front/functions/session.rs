//! Functions that say something of a value, of the session or of an error.

use super::args::{Args, primitives, texts};
use super::row::{Gives, Row};
use crate::front::types;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, UInt64Type};
use datafusion_common::{Result, exec_err};
use std::hash::Hasher;

pub(super) const ROWS: &[Row] = &[
    Row::new("typeof", "any", Gives::Text, type_of, "The name of the value's type.", "typeof('a') --> VARCHAR"),
    Row {
        volatile: true,
        ..Row::new("error", "text", Gives::By(null), error, "Fails with this message.", "error('no') --> error: no")
    },
    Row::new(
        crate::ops::attempt::TRY,
        "any",
        Gives::Same(0),
        same,
        "The value, or null where computing it fails.",
        "try('x'::INT) --> NULL",
    ),
    Row::new(
        crate::front::rewrite::casts::AS_WRITTEN,
        "any, text",
        Gives::Same(0),
        same,
        "The first value; what is told apart by the text has a name of its own.",
        "\"as written\"(1, 'BIGINT') --> 1",
    ),
    Row::new(
        "hash",
        "any..",
        Gives::By(hash_type),
        hash,
        "A number that is equal for equal values; it may change between releases.",
        "hash('a') = hash('a') --> true",
    ),
    Row::new("version", "", Gives::Text, version, "The version of this program.", "version() = version() --> true"),
    Row::new("current_schema", "", Gives::Text, schema, "The name of the schema.", "current_schema() --> main"),
    Row::new(
        "current_database",
        "",
        Gives::Text,
        database,
        "The name of the database.",
        "current_database() --> memory",
    )
    .also(&["current_catalog"]),
];

/// What becomes of errors is up to who evaluates the call.
fn same(args: &Args) -> Result<ArrayRef> {
    args.full(0)
}

fn null(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Null)
}

fn hash_type(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::UInt64)
}

fn type_of(args: &Args) -> Result<ArrayRef> {
    let name = types::long_name(args.type_of(0));
    texts(args, |_| Ok(Some(name.as_str())))
}

fn error(args: &Args) -> Result<ArrayRef> {
    let message = args.text(0)?;
    for row in 0..args.rows {
        if let Some(message) = message.get(row) {
            return exec_err!("{message}");
        }
    }
    Ok(arrow::array::new_null_array(&DataType::Null, args.rows))
}

fn hash(args: &Args) -> Result<ArrayRef> {
    let columns = (0..args.len()).map(|at| super::cast::texts_of(args, at)).collect::<Result<Vec<_>>>()?;
    primitives::<UInt64Type>(args, |row| {
        let mut hasher = twox_hash::XxHash64::with_seed(0);
        for column in &columns {
            match column.get(row) {
                Some(text) => {
                    hasher.write_u8(1);
                    hasher.write(text.as_bytes());
                }
                None => hasher.write_u8(0),
            }
        }
        Ok(Some(hasher.finish()))
    })
}

fn version(args: &Args) -> Result<ArrayRef> {
    texts(args, |_| Ok(Some(concat!("v", env!("CARGO_PKG_VERSION")))))
}

fn schema(args: &Args) -> Result<ArrayRef> {
    texts(args, |_| Ok(Some("main")))
}

fn database(args: &Args) -> Result<ArrayRef> {
    texts(args, |_| Ok(Some("memory")))
}
