//! Sessions in a log: events of a user belong together until there is a pause. Windows find the pauses and number what lies
//! between them; the log may be larger than memory.
//!
//!     cargo run --release --example sessions -- testdata/events.jsonl '4 minutes'

use arrow::util::pretty::pretty_format_batches;
use partita::prelude::*;

fn main() -> partita::Result<()> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "testdata/events.jsonl".into());
    let pause = args.next().unwrap_or_else(|| "4 minutes".into());
    let session = Session::builder().memory("64MiB")?.build()?;
    session.register("events", &session.read_json(&path)?)?;
    let sessions = session.sql_with(
        "WITH gaps AS ( \
             SELECT user.name AS who, at::TIMESTAMP AS at, kind, \
                    lag(at::TIMESTAMP) OVER (PARTITION BY user.name ORDER BY at) AS before \
             FROM events), \
         numbered AS ( \
             SELECT *, count(*) FILTER (WHERE before IS NULL OR at > before + CAST($pause AS INTERVAL)) \
                    OVER (PARTITION BY who ORDER BY at) AS number \
             FROM gaps) \
         SELECT who, number, min(at) AS began, max(at) - min(at) AS lasted, count(*) AS events, \
                count(*) FILTER (WHERE kind = 'buy') AS bought \
         FROM numbered GROUP BY who, number ORDER BY events DESC, who, number LIMIT 10",
        &[("pause", pause.as_str().into())],
    )?;
    println!("{}", pretty_format_batches(&sessions.collect()?)?);
    Ok(())
}
