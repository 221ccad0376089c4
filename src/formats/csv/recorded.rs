//! What others recorded: pandas' own parser tests (a text, options, the frame or that there is an error), and files that
//! broke other readers. `SHOW=1` prints what differs; docs/conformance.md explains it.

use crate::formats::testing::*;
use crate::formats::{Table, TableDef};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

fn testdata(path: &str) -> Option<PathBuf> {
    let root = std::env::var("PARTITA_TESTDATA").unwrap_or("../../shared/testdata".into());
    let path = PathBuf::from(root).join(path);
    if !path.exists() {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}

/// What pandas takes for null, if it is not told otherwise.
const NULLS: [&str; 18] = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "null",
];

/// Options of ours, and the columns that are asked for.
type Asked = (BTreeMap<String, String>, Option<Vec<Value>>);

/// Our options for pandas', and the columns that are wanted; `None` for what we do not have.
fn options(given: &Map<String, Value>, text: &str) -> Option<Asked> {
    let mut ours = BTreeMap::from([("delimiter".to_string(), ",".to_string())]);
    let mut nulls: Vec<String> = NULLS.iter().map(|n| n.to_string()).collect();
    if given.get("keep_default_na") == Some(&Value::Bool(false)) {
        nulls.clear();
    }
    let mut set = |name: &str, value: String| ours.insert(name.to_string(), value);
    set("header", "true".into());
    // A column that has an empty name, or none, is still one; comments and dates are not looked for.
    for (name, value) in [("comment", ""), ("quote", "\""), ("escape", ""), ("skip", "0"), ("decimal", ".")] {
        set(name, value.into());
    }
    let mut wanted = None;
    let short = |v: &Value| v.as_str().filter(|s| s.len() == 1).map(str::to_string);
    // Longer ones are regular expressions.
    let plain = |s: &&str| s.chars().count() == 1 || s.chars().all(|c| c.is_alphanumeric() || ":,;&~%".contains(c));
    let separator = |v: &Value| v.as_str().filter(plain).map(str::to_string);
    for (name, value) in given {
        match (name.as_str(), value) {
            (_, Value::Null) if name != "header" => continue,
            ("sep" | "delimiter", v) => set("delimiter", separator(v)?),
            ("true_values" | "false_values", v) => set(name, v.to_string()),
            ("quotechar", v) => set("quote", short(v)?),
            ("quoting", Value::Number(n)) if n.as_i64() == Some(3) => set("quote", String::new()),
            ("quoting", Value::Number(n)) if n.as_i64().is_some_and(|n| n < 3) => None,
            ("escapechar", v) => set("escape", v.as_str()?.into()),
            ("comment", v) => set("comment", short(v)?),
            ("decimal", v) => set("decimal", v.as_str()?.into()),
            ("thousands", v) => set("thousands", v.as_str()?.into()),
            ("encoding", v) => set("encoding", v.as_str()?.into()),
            ("lineterminator", v) => set("new_line", v.as_str()?.into()),
            ("header", Value::Null) => set("header", "false".into()),
            ("header", Value::Number(n)) if n.as_i64() == Some(0) => None,
            ("header", Value::Number(_)) => None,
            ("header", v) if v.as_str() == Some("infer") => None,
            ("skiprows", Value::Number(_)) => None,
            ("nrows", Value::Number(n)) if n.as_f64().is_some_and(|n| n.fract() == 0.0) => {
                set("limit", format!("{:.0}", n.as_f64()?))
            }
            ("nrows", v) => set("limit", v.as_str().map_or(v.to_string(), str::to_string)),
            ("skip_blank_lines", Value::Bool(true)) | ("keep_default_na", _) => None,
            ("on_bad_lines", v) if v.as_str() == Some("error") => None,
            ("skipfooter", Value::Number(n)) => set("skip_footer", n.to_string()),
            ("names", v) => {
                if !given.contains_key("header") {
                    set("header", "false".into());
                }
                set("names", v.to_string())
            }
            ("usecols", Value::Array(columns)) => {
                wanted = Some(columns.clone());
                None
            }
            ("na_values", Value::Object(_)) => return None,
            ("na_values", Value::Array(list)) => {
                nulls.extend(list.iter().map(|v| v.as_str().map_or(v.to_string(), str::to_string)));
                None
            }
            ("na_values", v) => {
                nulls.push(v.as_str().map_or(v.to_string(), str::to_string));
                None
            }
            ("dtype", v) => match v.as_str()? {
                "str" | "string" => set("all_text", "true".into()),
                _ => return None,
            },
            _ => return None,
        };
    }
    let lines = |name: &str| given.get(name).map_or(Some(0), |v| if v.is_null() { Some(0) } else { v.as_i64() });
    set("skip", (lines("header").unwrap_or(0) + lines("skiprows").unwrap_or(0)).to_string());
    set("nullstr", Value::from(nulls).to_string());
    // pandas reads lines of another length: short ones are filled.
    set("ragged", "pad".into());
    let first = text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    let delimiter = ours.get("delimiter").cloned().unwrap_or_default();
    // What pandas makes of a first column without a name: an index, which we do not have.
    let fields = |line: &str| line.matches(delimiter.as_str()).count();
    let rows: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).skip(1).collect();
    let indexed = ours.get("header").is_some_and(|h| h == "true")
        && !rows.is_empty()
        && !text.contains('"')
        && rows.iter().all(|r| fields(r) > fields(first));
    (!indexed).then_some((ours, wanted))
}

fn bytes(src: &Value) -> Vec<u8> {
    let text = src[1].as_str().unwrap();
    if src[0] == "text" { text.as_bytes().to_vec() } else { from_base64(text) }
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for b in text.bytes().filter(|b| *b != b'=') {
        held = (held << 6) | DIGITS.iter().position(|d| *d == b).unwrap() as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    out
}

fn read_case(case: &Value, options: BTreeMap<String, String>) -> crate::Result<(Arc<Table>, Cells)> {
    let file = TestFile::new("a.csv", bytes(&case["src"]));
    let open = |options: BTreeMap<String, String>| {
        let paths = vec![file.path().to_string_lossy().into_owned()];
        let table = Table::open(TableDef { format: Some("csv".into()), paths, options, ..TableDef::default() })?;
        let rows = read(&table, 1 << 20)?;
        Ok((table, rows))
    };
    match open(options.clone()) {
        Err(e) if crate::Error::is_misfit(&e) => {
            let mut options = options;
            options.insert("infer".into(), "full".into());
            open(options)
        }
        done => done,
    }
}

fn same_cell(ours: Option<&str>, theirs: Option<&str>) -> bool {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        let null = |t: Option<&str>| t.is_none_or(|t| t.is_empty() || t == "nan" || t == "NaN");
        return null(ours) && null(theirs);
    };
    let number = |t: &str| t.parse::<f64>().ok();
    match (number(ours), number(theirs)) {
        (Some(a), Some(b)) => ours == theirs || a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        _ if ours == theirs => true,
        _ => ours.eq_ignore_ascii_case(theirs) && matches!(ours, "true" | "false"),
    }
}

/// The place of a column that is wanted by name or by place.
fn place(table: &Table, wanted: &Value) -> Option<usize> {
    match wanted.as_u64() {
        Some(n) => Some(n as usize).filter(|n| *n < table.schema.fields().len()),
        None => table.schema.index_of(wanted.as_str()?).ok(),
    }
}

/// What differs, if anything does.
fn difference(case: &Value, options: BTreeMap<String, String>, wanted: Option<Vec<Value>>) -> Option<String> {
    let (table, rows) = match (read_case(case, options), case.get("error")) {
        (Err(_), Some(_)) => return None,
        (Err(e), None) => return Some(format!("we say {e}")),
        // A column that is not there cannot be selected.
        (Ok((table, _)), Some(_)) if wanted.iter().flatten().any(|w| place(&table, w).is_none()) => return None,
        (Ok((_, rows)), Some(theirs)) => return Some(format!("they say {theirs}, we {rows:?}")),
        (Ok(read), None) => read,
    };
    let names: Vec<String> = table.schema.fields().iter().map(|f| f.name().clone()).collect();
    let frame = &case["frame"];
    let columns = frame["columns"].as_array().unwrap();
    let places: Vec<Option<usize>> = match &wanted {
        Some(wanted) => {
            let mut places: Vec<_> = wanted.iter().map(|w| place(&table, w)).collect();
            places.sort();
            places
        }
        None => (0..names.len()).map(Some).collect(),
    };
    if places.len() != columns.len() {
        return Some(format!("they have columns {columns:?}, we {names:?}"));
    }
    if frame["int_columns"] != true {
        for (at, theirs) in places.iter().zip(columns) {
            let theirs = theirs.as_str().map_or(theirs.to_string(), str::to_string);
            let ours = at.and_then(|at| names.get(at)).cloned().unwrap_or_default();
            let same = ours == theirs || ours == theirs.replace('.', "_") || theirs.starts_with("Unnamed: ");
            if !same {
                return Some(format!("they have columns {columns:?}, we {names:?}"));
            }
        }
    }
    let theirs = frame["rows"].as_array().unwrap();
    if theirs.len() != rows.len() {
        return Some(format!("they have {} rows, we {}: {rows:?}", theirs.len(), rows.len()));
    }
    for (row, their_row) in rows.iter().zip(theirs) {
        for (at, theirs) in places.iter().zip(their_row.as_array().unwrap()) {
            let ours = at.and_then(|at| row.get(at)).and_then(|c| c.as_deref());
            if !same_cell(ours, theirs.as_str()) {
                return Some(format!("they have {theirs}, we {ours:?}"));
            }
        }
    }
    None
}

#[test]
fn pandas_parser_tests() {
    let Some(path) = testdata("csv/pandas/cases.jsonl") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let (mut run, mut passed, mut all) = (0, 0, 0);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        all += 1;
        let source = String::from_utf8_lossy(&bytes(&case["src"])).into_owned();
        let Some((options, wanted)) = options(case["opts"].as_object().unwrap(), &source) else { continue };
        run += 1;
        match difference(&case, options, wanted) {
            None => passed += 1,
            Some(why) if std::env::var_os("SHOW").is_some() => {
                eprintln!(
                    "{}\n  {:?} {}\n  {why}",
                    case["test"],
                    source.chars().take(80).collect::<String>(),
                    case["opts"]
                );
            }
            Some(_) => {}
        }
    }
    eprintln!("pandas: {all} cases, {run} run, {passed} passed");
    assert!(passed * 10 >= run * 9, "{passed} of {run} pass");
}

#[test]
fn files_that_broke_other_readers() {
    for folder in ["fuzz/arrow-csv", "fuzz/duckdb-ossfuzz"] {
        let Some(dir) = testdata(folder) else { return };
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path().to_string_lossy().into_owned();
            for options in [vec![], vec![("ragged", "truncate"), ("all_varchar", "true")]] {
                let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
                let def = TableDef { format: Some("csv".into()), paths: vec![path.clone()], options, schema: None };
                // Whatever comes of it, it ends, and every array is sound (see `batches`).
                if let Ok(table) = Table::open(def) {
                    let whole = read(&table, 1 << 20).map_err(|e| e.kind());
                    assert_eq!(whole, read(&table, 1 << 12).map_err(|e| e.kind()), "{path}");
                }
            }
        }
    }
}
