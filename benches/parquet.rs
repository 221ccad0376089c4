//! How fast columns of a Parquet file are decoded, and what memory that takes.
//!
//! `cargo bench --bench parquet -- lineitem.parquet [copy.parquet]`: reads the first, four and all columns of the file,
//! split after split on one thread; with a second name also writes a copy, once for each compression.

use partita::Result;
use partita::formats::{FileRef, Format, Output, PARQUET, ScanSpec, Table, TableDef};
use partita::memory::anonymous_bytes;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Instant, UNIX_EPOCH};

struct ToFile(File);

impl Write for ToFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Output for ToFile {
    fn complete(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut names = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let Some(path) = names.next() else {
        println!("name a Parquet file: cargo bench --bench parquet -- lineitem.parquet");
        return Ok(());
    };
    let table = open(&path)?;
    let columns = table.schema.fields().len();
    for wanted in
        [vec![], vec![columns / 4], vec![columns - 1], (columns / 4..columns / 4 + 4).collect(), (0..columns).collect()]
    {
        measure(&table, wanted)?;
    }
    if let Some(copy) = names.next() {
        for compression in ["none", "lz4", "snappy", "zstd(1)", "zstd(3)"] {
            write(&table, &copy, compression)?;
            measure(&open(&copy)?, (0..columns).collect())?;
        }
    }
    Ok(())
}

fn open(path: &str) -> Result<Arc<Table>> {
    let meta = std::fs::metadata(path).map_err(|e| partita::Error::io(path, e))?;
    let modified = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |time| time.as_nanos() as i128);
    let files = vec![FileRef {
        path: path.into(),
        size: meta.len(),
        modified,
        pipe: None,
        remote: None,
        coding: Default::default(),
    }];
    let def = TableDef::default();
    let (schema, stats) = PARQUET.inspect(&def, &files, None)?;
    Ok(Arc::new(Table::of_files(def, &PARQUET, files, schema, stats)))
}

fn spec(projection: Vec<usize>) -> ScanSpec {
    ScanSpec {
        projection,
        filter: None,
        batch_rows: 8192,
        batch_bytes: 1 << 20,
        files: None,
        rejects: Default::default(),
        budget: None,
    }
}

fn measure(table: &Arc<Table>, wanted: Vec<usize>) -> Result<()> {
    let columns = wanted.len();
    let before = anonymous_bytes().unwrap_or(0);
    let (mut rows, mut batches, mut peak) = (0, 0, 0);
    let clock = Instant::now();
    let scan = table.scan(spec(wanted), 8 << 20)?;
    for index in 0..scan.splits().len() {
        let mut reader = scan.open(index)?;
        while let Some(batch) = reader.next()? {
            (rows, batches) = (rows + batch.num_rows(), batches + 1);
            if batches % 16 == 0 {
                peak = peak.max(anonymous_bytes().unwrap_or(0));
            }
        }
    }
    let seconds = clock.elapsed().as_secs_f64();
    println!(
        "{columns:>2} columns: {rows} rows in {} splits, {batches} batches, {:.1} M rows/s, {seconds:.3} s; peak {:.1} MiB above {:.1}, floor {:.1}",
        scan.splits().len(),
        rows as f64 / seconds / 1e6,
        peak.saturating_sub(before) as f64 / 1048576.0,
        before as f64 / 1048576.0,
        scan.floor() as f64 / 1048576.0,
    );
    Ok(())
}

fn write(table: &Arc<Table>, path: &str, compression: &str) -> Result<()> {
    let options = BTreeMap::from([("compression".to_string(), compression.to_string())]);
    let file = File::create(path).map_err(|e| partita::Error::io(path, e))?;
    let mut assembler = PARQUET.assembler(&table.schema, &options, Box::new(ToFile(file)))?;
    let mut encoder = PARQUET.encoder(&table.schema, &options, 16 << 20)?;
    let scan = table.scan(spec((0..table.schema.fields().len()).collect()), 8 << 20)?;
    let (mut peak, mut encoding) = (0, 0.0);
    let clock = Instant::now();
    for index in 0..scan.splits().len() {
        let mut reader = scan.open(index)?;
        while let Some(batch) = reader.next()? {
            let start = Instant::now();
            encoder.push(&batch)?;
            if encoder.held() >= 16 << 20 {
                peak = peak.max(anonymous_bytes().unwrap_or(0));
                assembler.append(encoder.piece()?)?;
            }
            encoding += start.elapsed().as_secs_f64();
        }
    }
    assembler.append(encoder.piece()?)?;
    let bytes = assembler.finish()?;
    let seconds = clock.elapsed().as_secs_f64();
    println!(
        "write {compression}: {:.1} MiB, {seconds:.2} s of which {encoding:.2} s encoding; peak {:.1} MiB",
        bytes as f64 / 1048576.0,
        peak as f64 / 1048576.0
    );
    Ok(())
}
