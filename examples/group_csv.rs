//! Sums a CSV file of any size by one column, within a budget.
//!
//!     cargo run --release --example group_csv -- testdata/sales.csv region quantity

use partita::prelude::*;

fn main() -> partita::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, key, value] = args.as_slice() else {
        eprintln!("usage: group_csv FILE KEY VALUE");
        std::process::exit(2);
    };
    let session = Session::builder().memory("64MiB")?.threads(2).build()?;
    let sums = session
        .read_csv(path)?
        .group_by([col(key)])
        .agg([sum(col(value)).alias("total"), count(lit(1)).alias("rows")])?;
    for batch in sums.batches()? {
        let batch = batch?;
        println!("{} groups: {:?}", batch.num_rows(), batch.columns());
    }
    let stats = session.stats();
    eprintln!("at most {} bytes of {} were accounted for", stats.peak_account, stats.budget);
    Ok(())
}
