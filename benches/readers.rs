//! How fast the readers are: `cargo bench --bench readers -- FILE [COLUMNS] [THREADS]` reads all columns of a file, or
//! those whose numbers are given (`0,2`, or `-` for none), and prints seconds and GB/s. `combined` in place of a file is
//! 256 MiB of an access log, made on the spot.

use partita::formats::{Scan, ScanSpec, Table, TableDef};
use std::io::{BufWriter, Write};
use std::path::Path;
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
    let dir = std::env::temp_dir().join(format!("partita-readers-{}", std::process::id()));
    let path = if path == "combined" { combined(&dir).unwrap_or_default() } else { path.clone() };
    let table = Table::open(TableDef { paths: vec![path], ..TableDef::default() })?;
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
    let _ = std::fs::remove_dir_all(&dir);
    Ok(())
}

/// An access log in the format `combined`.
fn combined(dir: &Path) -> std::io::Result<String> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join("access.log");
    let mut out = BufWriter::new(std::fs::File::create(&path)?);
    let (mut written, mut n) = (0, 0u64);
    while written < 256 << 20 {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (a, b) = (n >> 33, n >> 45);
        let line = format!(
            "10.{}.{}.{} - - [{:02}/Oct/2024:{:02}:{:02}:{:02} +0000] \"GET /shop/{}/item?id={a} HTTP/1.1\" {} {} \
             \"https://example.org/{b}\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{}\"\n",
            a % 256,
            b % 256,
            a % 253,
            1 + a % 28,
            a % 24,
            b % 60,
            a % 60,
            a % 97,
            [200, 200, 304, 404, 500][(a % 5) as usize],
            a % 100_000,
            b % 120,
        );
        written += line.len();
        out.write_all(line.as_bytes())?;
    }
    out.flush()?;
    Ok(path.to_string_lossy().into_owned())
}
