//! Joins a CSV file with a Parquet file, both of which may be larger than the memory that is allowed: the join goes on in
//! scratch. Writes the result to Parquet and says what that took.
//!
//!     cargo run --release --example join_files -- orders.csv items.parquet KEY OUTPUT.parquet --memory 64MiB

use partita::prelude::*;

fn main() -> partita::Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let memory = match args.iter().position(|a| a == "--memory") {
        Some(at) if at + 1 < args.len() => args.drain(at..at + 2).nth(1),
        _ => None,
    };
    let [left, right, key, to] = args.as_slice() else {
        eprintln!("usage: join_files CSV PARQUET KEY OUTPUT.parquet [--memory SIZE]");
        std::process::exit(2);
    };
    let session = Session::builder().memory(memory.as_deref().unwrap_or("64MiB"))?.threads(2).build()?;
    let left = session.read_csv(left)?;
    // The key has one name on both sides; it is kept once.
    let right = session.read_parquet(right)?;
    let others: Vec<Expr> =
        right.schema()?.fields().iter().map(|f| f.name()).filter(|n| *n != key).map(ident).collect();
    let right = right.select([vec![ident(key).alias("_key")], others].concat())?;
    let columns: Vec<Expr> = (left.schema()?.fields().iter().chain(right.schema()?.fields()))
        .map(|f| f.name())
        .filter(|name| *name != "_key")
        .map(ident)
        .collect();
    let joined = left.join(right, JoinType::Inner, &[key.as_str()], &["_key"])?.select(columns)?;
    let rows = joined.to_parquet(to)?;
    let stats = session.stats();
    println!("{rows} rows");
    println!(
        "at most {} bytes of {} were accounted for, {} went through scratch",
        stats.peak_account, stats.budget, stats.scratch_written
    );
    Ok(())
}
