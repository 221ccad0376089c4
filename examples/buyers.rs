//! Who bought, and for how much: filters JSON lines, adds a column, groups, and shows what will run.
//!
//!     cargo run --release --example buyers -- testdata/events.jsonl

use arrow::util::pretty::pretty_format_batches;
use partita::prelude::*;

fn main() -> partita::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "testdata/events.jsonl".into());
    let session = Session::builder().memory("128MiB")?.build()?;
    let buyers = session
        .read_json(&path)?
        .filter(col("kind").eq(lit("buy")).and(col("amount").is_not_null()))?
        .with_columns([col("amount").gt(lit(50.0)).alias("large")])?
        .group_by([col("large")])
        .agg([count(lit(1)).alias("purchases"), sum(col("amount")).alias("spent"), max(col("amount")).alias("most")])?;
    println!("{}", buyers.explain()?);
    println!("{}", pretty_format_batches(&buyers.collect()?)?);
    Ok(())
}
