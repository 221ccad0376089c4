//! JSON lines into structs: what the database does well is said in SQL, the rest in Rust, row by row.
//!
//!     cargo run --release --example structs -- testdata/events.jsonl

use partita::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    View,
    Buy,
    Click,
}

#[derive(Deserialize)]
struct User {
    id: u32,
    name: String,
}

#[derive(Deserialize)]
struct Event {
    at: String,
    kind: Kind,
    user: User,
    tags: Vec<String>,
    amount: Option<f64>,
}

fn main() -> partita::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "testdata/events.jsonl".into());
    let session = Session::builder().memory("128MiB")?.build()?;
    // Filters and columns that nobody asks for are the reader's business: the loop sees what is left.
    let events = session.read_json(&path)?.filter(col("kind").in_list(vec![lit("buy"), lit("view")], false))?;
    let (mut kinds, mut last) = (BTreeMap::new(), BTreeMap::new());
    for event in events.rows::<Event>()? {
        let Event { at, kind, user, tags, amount } = event?;
        let (count, total, tagged) = kinds.entry(kind).or_insert((0, 0.0, 0));
        *count += 1;
        *total += amount.unwrap_or_default();
        *tagged += usize::from(!tags.is_empty());
        last.insert(user.name, (at, user.id));
    }
    for (kind, (count, total, tagged)) in kinds {
        println!("{kind:?}: {count} events, {tagged} of them tagged, {total:.2} in all");
    }
    for (name, (at, id)) in last {
        println!("{name} was last seen at {at} as {id}");
    }
    Ok(())
}
