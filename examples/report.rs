//! A report of several tables over one input, which is read once: frames that share work are collected together.
//!
//!     cargo run --release --example report -- testdata/sales.csv testdata/regions.csv

use arrow::util::pretty::pretty_format_batches;
use partita::prelude::*;

fn main() -> partita::Result<()> {
    let mut args = std::env::args().skip(1);
    let sales = args.next().unwrap_or_else(|| "testdata/sales.csv".into());
    let regions = args.next().unwrap_or_else(|| "testdata/regions.csv".into());
    let session = Session::builder().memory("128MiB")?.build()?;
    // What all tables of the report are made of: the join is done once.
    let sold = session
        .read_csv(&sales)?
        .join(
            session.read_csv(&regions)?.select([col("region").alias("r"), col("manager")])?,
            JoinType::Inner,
            &["region"],
            &["r"],
        )?
        .with_columns([(cast(col("quantity"), arrow::datatypes::DataType::Float64) * col("price")).alias("value")])?;
    let total = || sum(col("value")).alias("value");
    let by_manager = sold.clone().group_by([col("manager")]).agg([total(), count(lit(1)).alias("sales")])?;
    let by_product = sold.clone().group_by([col("product")]).agg([total(), max(col("price")).alias("dearest")])?;
    let largest = sold.clone().sort([col("value").sort(false, false)])?.limit(0, 3)?;
    let whole = sold.group_by([]).agg([total(), min(col("day")).alias("from"), max(col("day")).alias("to")])?;
    let titles = ["In all", "By manager", "By product", "The largest sales"];
    let tables = collect_all(&[
        whole,
        by_manager.sort([col("value").sort(false, false)])?,
        by_product.sort([col("value").sort(false, false)])?,
        largest,
    ])?;
    for (title, table) in titles.iter().zip(tables) {
        println!("{title}\n{}\n", pretty_format_batches(&table)?);
    }
    Ok(())
}
