//! Converts files (CSV, NDJSON, compressed or not, globs) to one Parquet file, in order, within a budget.
//!
//!     cargo run --release --example convert -- 'testdata/*.jsonl' events.parquet

use partita::prelude::*;

fn main() -> partita::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = args.as_slice() else {
        eprintln!("usage: convert FILES OUTPUT.parquet");
        std::process::exit(2);
    };
    let session = Session::builder().memory("128MiB")?.build()?;
    let rows = session.sql(&format!("SELECT * FROM '{from}'"))?.to_parquet(to)?;
    println!("{rows} rows");
    Ok(())
}
