//! Keys that records have, though the sample did not show them: looked for in the files when a query names them.
//!
//! A table knows the keys of its sample. Where a query names another one, it is perhaps a slip of the pen, perhaps a key
//! that comes late. So the bytes of the files are searched for it, as records write keys; if it is there, all is looked at
//! to tell its type, and the query is bound again.

use super::Table;
use crate::error::Result;
use crate::io::{FileRef, Spares, Window};
use memchr::memmem::Finder;
use std::sync::Arc;

/// Bytes that are searched at a time.
const PIECE: usize = 1 << 20;

/// The first file of a table that may have records with the key `name`, which its sample did not show.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn file_with_key(table: &Table, name: &str) -> Result<Option<Arc<str>>> {
    let Some(key) = written(table, name) else { return Ok(None) };
    let finder = Finder::new(&key);
    for file in &table.files {
        if holds(file, &finder)? {
            return Ok(Some(file.path.clone()));
        }
    }
    Ok(None)
}

/// How records write the key; `None` where all keys are known.
fn written(table: &Table, name: &str) -> Option<Vec<u8>> {
    let options = &table.def.options;
    let told = table.def.schema.is_some() || options.contains_key("columns");
    let full = options.get("infer").is_some_and(|text| text == "full");
    if told || full || table.schema.index_of(name).is_ok() {
        return None;
    }
    match table.format.name() {
        "json" => Some(serde_json::Value::from(name).to_string().into_bytes()),
        "log" => Some(name.as_bytes().to_vec()),
        _ => None,
    }
}

fn holds(file: &FileRef, key: &Finder<'_>) -> Result<bool> {
    let mut window = Window::whole(file, Spares::default())?;
    loop {
        window.refill(PIECE)?;
        if key.find(window.rest()).is_some() {
            return Ok(true);
        }
        // The key may go on behind what is here.
        let kept = window.filled().saturating_sub(key.needle().len().saturating_sub(1)).max(window.pos());
        window.advance_to(kept);
        if window.is_last() || (!window.refill(PIECE)? && !window.overshoot()?) {
            return Ok(key.find(window.rest()).is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::testing::TestFile;

    #[test]
    fn keys_beyond_the_sample() {
        let first = "{\"a\":1}\n".repeat(400_000);
        for (at, end) in [(0, "{\"l\\\"ate\":2}\n"), (3, "{\"l\\\"ate\":2}\n"), (7, "{\"l\\\"ate\":2}")] {
            // Neither in the middle nor at an end.
            let text = format!("{first}{}{end}{first}{first}", " ".repeat(at));
            let file = TestFile::new("a.jsonl", text);
            let table = file.open(&[]).unwrap();
            assert!(file_with_key(&table, "l\"ate").unwrap().is_some());
            assert!(file_with_key(&table, "other").unwrap().is_none());
            assert!(file_with_key(&table, "a").unwrap().is_none(), "it is known");
        }
        let csv = TestFile::new("a.csv", "a\nlate\n").open(&[]).unwrap();
        assert!(file_with_key(&csv, "late").unwrap().is_none());
        let full = TestFile::new("a.jsonl", "{\"a\":\"late\"}").open(&[("infer", "full")]).unwrap();
        assert!(file_with_key(&full, "late").unwrap().is_none());
    }

    #[test]
    fn a_key_that_a_piece_cuts() {
        let key = b"\"key\"";
        for shift in 0..12 {
            let text = format!("{}\"key\":1{}", "x".repeat(PIECE - 6 + shift), "y".repeat(PIECE));
            let file = TestFile::new("a", text);
            let found = FileRef::of(&file.path()).unwrap();
            assert!(holds(&found, &Finder::new(key)).unwrap(), "{shift}");
            assert!(!holds(&found, &Finder::new(b"\"kez\"")).unwrap());
        }
    }
}
