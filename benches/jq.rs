//! A filter of jq over a file of JSON lines: natively in a bag, and by jaq alone on one thread.
//!
//! `cargo bench --bench jq -- FILE [PROGRAM [THREADS]]`; without a program `select(.status >= 500) | .path`.

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data::JustLut, unwrap_valr};
use jaq_json::{Val, read};
use partita::prelude::*;
use std::io::BufRead;
use std::time::Instant;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let Some(path) = args.first() else {
        println!("name a file");
        return Ok(());
    };
    let program = args.get(1).map_or("select(.status >= 500) | .path", String::as_str);
    let threads = args.get(2).and_then(|t| t.parse().ok()).unwrap_or(2);
    let bytes = std::fs::metadata(path).map_or(0, |m| m.len()) as f64;
    let session = Session::builder().memory("256MiB")?.threads(threads).build()?;
    for _ in 0..3 {
        let begun = Instant::now();
        let count = session.read_jq(path, program, &TextOptions::default())?.count()?;
        told("partita", threads, count, bytes, begun);
    }
    let begun = Instant::now();
    let count = jaq(path, program);
    told("jaq", 1, count, bytes, begun);
    Ok(())
}

fn told(who: &str, threads: usize, count: u64, bytes: f64, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    println!("{who:<8} {threads} threads  {count} outputs  {seconds:.3} s  {:.3} GB/s", bytes / seconds / 1e9);
}

/// How many outputs jaq has for the lines of the file.
fn jaq(path: &str, program: &str) -> u64 {
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(defs).load(&arena, File { code: program, path: () });
    let Some(filter) = modules.ok().and_then(|m| Compiler::default().with_funs(funs).compile(m).ok()) else { return 0 };
    let Ok(file) = std::fs::File::open(path) else { return 0 };
    let lines = std::io::BufReader::new(file).split(b'\n').map_while(|line| line.ok());
    let outputs = lines.map(|line| {
        let Ok(item) = read::parse_single(&line) else { return 0 };
        let ctx = Ctx::<JustLut<Val>>::new(&filter.lut, Vars::new([]));
        filter.id.run((ctx, item)).map(unwrap_valr).filter(|made| made.is_ok()).count() as u64
    });
    outputs.sum()
}
