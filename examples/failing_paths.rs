//! The paths of an access log whose failed answers (5xx) sent the most bytes, and who asked for them.
//!
//!     cargo run --release --example failing_paths -- 'testdata/access*.log' 5

use arrow::util::pretty::pretty_format_batches;
use partita::prelude::*;

fn main() -> partita::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "testdata/access.log".into());
    let most = args.next().and_then(|n| n.parse().ok()).unwrap_or(5);
    let session = Session::builder().memory("128MiB")?.build()?;
    let failed = session.read_log(&path)?.filter(col("status").gt_eq(lit(500)).and(col("status").lt(lit(600))))?;
    let by_path = failed.group_by([col("path")]).agg([
        sum(col("bytes")).alias("bytes"),
        count(lit(1)).alias("answers"),
        count_distinct(col("ip")).alias("clients"),
        max(col("timestamp")).alias("last"),
    ])?;
    let top = by_path.sort([col("bytes").sort(false, false), col("path").sort(true, false)])?.limit(0, most)?;
    println!("{}", pretty_format_batches(&top.collect()?)?);
    Ok(())
}
