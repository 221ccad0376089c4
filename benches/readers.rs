//! How fast the readers are: `cargo bench --bench readers -- FILE [COLUMNS] [THREADS]` reads all columns of a file, or
//! those whose numbers are given (`0,2`, or `-` for none), and prints seconds and GB/s.

use partita::formats::{Scan, ScanSpec, Table, TableDef};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

fn work(scan: &dyn Scan, next: &AtomicUsize) -> partita::Result<usize> {
    let mut rows = 0;
    loop {
        let index = next.fetch_add(1, Relaxed);
        if index >= scan.splits().len() {
            return Ok(rows);
        }
        let mut reader = scan.open(index)?;
        while let Some(batch) = reader.next()? {
            rows += batch.num_rows();
        }
    }
}

fn main() -> partita::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let Some(path) = args.first() else {
        println!("name a file");
        return Ok(());
    };
    let table = Table::open(TableDef { paths: vec![path.clone()], ..TableDef::default() })?;
    let all: Vec<usize> = (0..table.schema.fields().len()).collect();
    let projection = match args.get(1).map(String::as_str) {
        None | Some("all") => all,
        Some(list) => list.split(',').filter_map(|c| c.parse().ok()).collect(),
    };
    let threads = args.get(2).and_then(|t| t.parse().ok()).unwrap_or(2);
    for _ in 0..3 {
        let start = Instant::now();
        let spec = ScanSpec {
            projection: projection.clone(),
            filter: None,
            batch_rows: 8192,
            batch_bytes: 1 << 20,
            files: None,
            rejects: Default::default(),
            budget: None,
        };
        let scan = table.scan(spec, 8 << 20)?;
        let next = AtomicUsize::new(0);
        let rows: partita::Result<usize> = std::thread::scope(|s| {
            let workers: Vec<_> = (0..threads).map(|_| s.spawn(|| work(&*scan, &next))).collect();
            workers.into_iter().map(|w| w.join().unwrap_or(Ok(0))).sum()
        });
        let (rows, seconds) = (rows?, start.elapsed().as_secs_f64());
        println!("{rows} rows, {seconds:.3} s, {:.2} GB/s", table.stats.bytes as f64 / seconds / 1e9);
    }
    Ok(())
}
