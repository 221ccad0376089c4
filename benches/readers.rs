//! How fast the readers are, on one core where nothing else is said.
//!
//! `cargo bench --bench readers` measures what the readers are built for, each beside its bound:
//!
//! | name | what | beside |
//! |---|---|---|
//! | `structure` | where fields and rows of a CSV without quotes end | |
//! | `count` | `count(*)` of that file | reading it |
//! | `column` | one integer column of a wide CSV | |
//! | `two-of-eleven` | two fields of NDJSON with eleven | |
//! | `packed` | the CSV in gzip and zstd, counted | the decompressor alone |
//!
//! `-- NAME` measures one of them. Files are made on the spot, or named: `PARTITA_CSV`, `PARTITA_WIDE_CSV`, `PARTITA_NDJSON`
//! (whose first and fifth fields are read), `PARTITA_PACKED` (one file, packed). `-- FILE [COLUMNS] [THREADS]` reads all columns
//! of a file, or those whose numbers are given (`0,2`, or `-` for none); `combined` in place of a file is 256 MiB of an access
//! log. GB are of the text, unpacked.

use partita::formats::{Scan, ScanSpec, Table, TableDef, scan_structure};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

type Done = Result<(), Box<dyn std::error::Error>>;

/// One of the measurements, with a directory for the files that it makes.
type Bench = fn(&Path) -> Done;

/// Bytes of a file that is made.
const MADE: usize = 256 << 20;

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

/// The rows of a scan of some columns.
fn rows(table: &Arc<Table>, projection: &[usize], threads: usize) -> partita::Result<usize> {
    let spec = ScanSpec {
        projection: projection.to_vec(),
        filter: None,
        batch_rows: 8192,
        batch_bytes: 1 << 20,
        files: None,
        rejects: Default::default(),
        budget: None,
    };
    let scan = table.scan(spec, 8 << 20)?;
    let next = AtomicUsize::new(0);
    std::thread::scope(|s| {
        let workers: Vec<_> = (0..threads).map(|_| s.spawn(|| work(&*scan, &next))).collect();
        workers.into_iter().map(|w| w.join().unwrap_or(Ok(0))).sum()
    })
}

fn open(path: &str) -> partita::Result<Arc<Table>> {
    Table::open(TableDef { paths: vec![path.to_string()], ..TableDef::default() })
}

/// Measures the best of five, and prints it.
fn measure(what: &str, bytes: u64, mut once: impl FnMut() -> Result<usize, Box<dyn std::error::Error>>) -> Done {
    let (mut best, mut count) = (f64::MAX, 0);
    for _ in 0..5 {
        let start = Instant::now();
        count = once()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{what:34} {:6.2} GB/s  {best:.3} s  ({count})", bytes as f64 / best / 1e9);
    Ok(())
}

fn main() -> Done {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let dir = std::env::temp_dir().join(format!("partita-readers-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let all: [(&str, Bench); 5] = [
        ("structure", structure),
        ("count", count),
        ("column", column),
        ("two-of-eleven", two_of_eleven),
        ("packed", packed),
    ];
    let chosen = args.first().and_then(|name| all.iter().find(|(n, _)| n == name));
    let done = match (args.first(), chosen) {
        (None, _) => all.iter().try_for_each(|(_, run)| run(&dir)),
        (_, Some((_, run))) => run(&dir),
        (Some(path), None) => file(&dir, path, &args),
    };
    let _ = std::fs::remove_dir_all(&dir);
    done
}

/// A file by itself.
fn file(dir: &Path, path: &str, args: &[String]) -> Done {
    let path = if path == "combined" { made(dir, "access.log", access)? } else { path.to_string() };
    let table = open(&path)?;
    let projection = match args.get(1).map(String::as_str) {
        None | Some("all") => (0..table.schema.fields().len()).collect(),
        Some(list) => list.split(',').filter_map(|c| c.parse().ok()).collect::<Vec<_>>(),
    };
    let threads = args.get(2).and_then(|t| t.parse().ok()).unwrap_or(2);
    measure(&path, table.stats.bytes, || Ok(rows(&table, &projection, threads)?))
}

/// The file that a variable names, or one that is made.
fn named(variable: &str, dir: &Path, name: &str, line: fn(u64) -> String) -> Result<String, std::io::Error> {
    match std::env::var(variable) {
        Ok(path) => Ok(path),
        Err(_) => made(dir, name, line),
    }
}

fn structure(dir: &Path) -> Done {
    let text = std::fs::read(named("PARTITA_CSV", dir, "plain.csv", plain)?)?;
    measure("structure", text.len() as u64, || Ok(scan_structure(&text)))
}

fn count(dir: &Path) -> Done {
    let path = named("PARTITA_CSV", dir, "plain.csv", plain)?;
    let table = open(&path)?;
    measure("count(*)", table.stats.bytes, || Ok(rows(&table, &[], 1)?))?;
    let mut buffer = vec![0; 512 << 10];
    measure("  reading the file", table.stats.bytes, || drain(File::open(&path)?, &mut buffer))
}

fn column(dir: &Path) -> Done {
    let table = open(&named("PARTITA_WIDE_CSV", dir, "wide.csv", wide)?)?;
    measure("one integer column of a wide CSV", table.stats.bytes, || Ok(rows(&table, &[0], 1)?))
}

fn two_of_eleven(dir: &Path) -> Done {
    let table = open(&named("PARTITA_NDJSON", dir, "events.jsonl", event)?)?;
    measure("two fields of eleven of NDJSON", table.stats.bytes, || Ok(rows(&table, &[0, 4], 1)?))
}

/// What is packed is read ahead on a thread of its own.
fn packed(dir: &Path) -> Done {
    if let Ok(path) = std::env::var("PARTITA_PACKED") {
        return beside(&path);
    }
    let plain = made(dir, "plain.csv", plain)?;
    let (gzip, zstd) = (format!("{plain}.gz"), format!("{plain}.zst"));
    let mut packer = flate2::write::GzEncoder::new(File::create(&gzip)?, flate2::Compression::new(6));
    std::io::copy(&mut File::open(&plain)?, &mut packer)?;
    packer.finish()?;
    zstd::stream::copy_encode(File::open(&plain)?, File::create(&zstd)?, 3)?;
    beside(&gzip)?;
    beside(&zstd)
}

fn beside(path: &str) -> Done {
    let unpacker = || -> Result<Box<dyn Read>, std::io::Error> {
        let file = std::io::BufReader::with_capacity(128 << 10, File::open(path)?);
        Ok(match path.ends_with("zst") {
            true => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
            false => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        })
    };
    let mut buffer = vec![0; 512 << 10];
    let bytes = drain(unpacker()?, &mut buffer)? as u64;
    let table = open(path)?;
    let name = Path::new(path).extension().unwrap_or_default().to_string_lossy().into_owned();
    measure(&format!("count(*) of {name}"), bytes, || Ok(rows(&table, &[], 1)?))?;
    measure("  the decompressor alone", bytes, || drain(unpacker()?, &mut buffer))
}

fn drain(mut from: impl Read, buffer: &mut [u8]) -> Result<usize, Box<dyn std::error::Error>> {
    let mut bytes = 0;
    loop {
        match from.read(buffer)? {
            0 => return Ok(bytes),
            read => bytes += read,
        }
    }
}

/// Numbers that look random, the same ones in every run.
fn random(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn made(dir: &Path, name: &str, line: fn(u64) -> String) -> Result<String, std::io::Error> {
    let path = dir.join(name);
    if !path.exists() {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        let head = match name {
            "plain.csv" => "id,name,city,amount,day\n".to_string(),
            "wide.csv" => (0..20).map(|c| format!("c{c}")).collect::<Vec<_>>().join(",") + "\n",
            _ => String::new(),
        };
        out.write_all(head.as_bytes())?;
        let (mut written, mut n) = (0, 0);
        while written < MADE {
            let line = line(n);
            out.write_all(line.as_bytes())?;
            (written, n) = (written + line.len(), n + 1);
        }
        out.flush()?;
    }
    Ok(path.to_string_lossy().into_owned())
}

fn plain(n: u64) -> String {
    let x = random(n);
    format!(
        "{n},customer {},city {},{}.{:02},2024-{:02}-{:02}\n",
        x % 100_000,
        x % 977,
        x % 10_000,
        x % 100,
        1 + x % 12,
        1 + x % 28
    )
}

fn wide(n: u64) -> String {
    let cell = |c: u64| match (random(n * 20 + c), c) {
        (x, 0 | 1) => (x % 1_000_000).to_string(),
        (x, 2..6) => format!("{}.{}", x % 1000, x % 997),
        (x, _) => format!("text {}", x % 100_000),
    };
    (0..20).map(cell).collect::<Vec<_>>().join(",") + "\n"
}

fn event(n: u64) -> String {
    let x = random(n);
    format!(
        "{{\"id\":{n},\"type\":\"PushEvent\",\"actor\":{{\"id\":{},\"login\":\"user{}\"}},\"repo\":\"org{}/repo{}\",\"size\":{},\
         \"public\":true,\"created_at\":\"2024-{:02}-{:02}T10:11:12Z\",\"message\":\"a message with \\\"quotes\\\" and {} words\",\
         \"ratio\":0.{},\"tags\":[\"a\",\"b{}\"],\"parent\":null}}\n",
        x % 1_000_000,
        x % 99_991,
        x % 997,
        x % 9973,
        x % 5000,
        1 + x % 12,
        1 + x % 28,
        x % 100,
        x % 1_000_003,
        x % 7
    )
}

/// A line of an access log in the format `combined`.
fn access(n: u64) -> String {
    let (a, b) = (random(n) >> 33, random(n) >> 45);
    format!(
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
    )
}
