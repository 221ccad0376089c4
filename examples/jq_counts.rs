//! What a program of jq puts out most often for files of JSON lines, such as logs.
//!
//! `cargo run --example jq_counts -- 'logs/*.jsonl' 'select(.status >= 500) | .path' 10`

use partita::prelude::*;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let path = args.first().map_or("testdata/events.jsonl", String::as_str);
    let program = args.get(1).map_or(".kind", String::as_str);
    let most = args.get(2).and_then(|n| n.parse().ok()).unwrap_or(10);
    let session = Session::builder().memory("256MiB")?.build()?;
    // Lines that are no JSON are left out, and counted.
    let bad = BadItems::skip();
    let outputs = session.read_jq(path, program, &TextOptions::default())?.on_error(&bad);
    for (output, count) in outputs.frequencies().topk_by(most, |(_, count)| *count)? {
        println!("{count} {}", output.text().unwrap_or_else(|| output.as_str().into()));
    }
    if bad.count() > 0 {
        eprintln!("{} lines were left out", bad.count());
    }
    Ok(())
}
