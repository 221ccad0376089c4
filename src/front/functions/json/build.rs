//! Documents made of values.

use super::super::args::{Args, some, texts};
use super::super::row::{Gives, Row, is_text};
use super::path::{Children, Path, Step, children, minified};
use crate::cells::{Column, quoted};
use arrow::array::{Array, ArrayRef, StringViewBuilder};
use datafusion_common::{DataFusionError, Result, exec_err};
use std::sync::Arc;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "to_json",
        "any",
        Gives::Text,
        to_json,
        "The value as JSON.",
        "to_json({'a': [1, NULL]}) --> {\"a\":[1,null]}",
    )
    .also(&["array_to_json", "row_to_json"]),
    Row::new("json_quote", "any", Gives::Text, to_json, "The value as JSON.", "json_quote('a\"b') --> \"a\\\"b\""),
    Row::new(
        "json_object",
        "any..",
        Gives::Text,
        object,
        "An object of keys and values.",
        "json_object('a', 1, 'b', [1]) --> {\"a\":1,\"b\":[1]}",
    ),
    Row::new(
        "json_array",
        "any..",
        Gives::Text,
        array,
        "An array of values.",
        "json_array(1, 'a', NULL) --> [1,\"a\",null]",
    ),
    Row::new(
        "json_remove",
        "text, text.. | text, texts",
        Gives::Text,
        remove,
        "The document without what is at the paths.",
        "json_remove('{\"a\": 1, \"b\": [1, 2]}', '$.a', '$.b[0]') --> {\"b\":[2]}",
    ),
    Row::new(
        "json_merge_patch",
        "text, text, text..",
        Gives::Text,
        merge_patch,
        "The first document changed by the others (RFC 7386).",
        "json_merge_patch('{\"a\":1}', '{\"b\":2,\"a\":null}') --> {\"b\":2}",
    ),
];

/// Each value as JSON.
fn documents(array: &ArrayRef) -> Result<Vec<String>> {
    let cells = Column::new(array).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let mut bytes = Vec::new();
    let one = |row: usize| {
        bytes.clear();
        cells.json(row, &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok((0..array.len()).map(one).collect())
}

fn to_json(args: &Args) -> Result<ArrayRef> {
    let value = args.full(0)?;
    let documents = documents(&value)?;
    let mut out = StringViewBuilder::with_capacity(args.rows);
    let nulls = value.logical_nulls();
    for (row, json) in documents.into_iter().enumerate() {
        out.append_option(nulls.as_ref().is_none_or(|n| n.is_valid(row)).then_some(json));
    }
    Ok(Arc::new(out.finish()))
}

fn columns(args: &Args) -> Result<Vec<Vec<String>>> {
    (0..args.len()).map(|at| documents(&args.full(at)?)).collect()
}

fn array(args: &Args) -> Result<ArrayRef> {
    let columns = columns(args)?;
    texts(args, |row| {
        let items: Vec<&str> = columns.iter().filter_map(|c| c.get(row).map(String::as_str)).collect();
        Ok(Some(format!("[{}]", items.join(","))))
    })
}

fn object(args: &Args) -> Result<ArrayRef> {
    if args.len() % 2 == 1 || (0..args.len()).step_by(2).any(|at| !is_text(args.type_of(at))) {
        return exec_err!("json_object takes keys (text) and values in turns");
    }
    let columns = columns(args)?;
    let keys = (0..args.len()).step_by(2).map(|at| args.text(at)).collect::<Result<Vec<_>>>()?;
    texts(args, |row| {
        let mut pairs = Vec::new();
        for (key, values) in keys.iter().zip(columns.iter().skip(1).step_by(2)) {
            let Some(key) = key.get(row) else { return exec_err!("a key of json_object is null") };
            let mut made = Vec::new();
            quoted(key, &mut made);
            let value = values.get(row).map_or("null", String::as_str);
            pairs.push(format!("{}:{value}", String::from_utf8_lossy(&made)));
        }
        Ok(Some(format!("{{{}}}", pairs.join(","))))
    })
}

fn merge_patch(args: &Args) -> Result<ArrayRef> {
    let documents = (0..args.len()).map(|at| args.text(at)).collect::<Result<Vec<_>>>()?;
    texts(args, |row| {
        let mut made: Option<String> = None;
        for document in &documents {
            let text = some!(document.get(row));
            let Some(patch) = minified(text) else { return exec_err!("{text:?} is not JSON") };
            made = Some(match made {
                Some(target) => patched(Some(&target), &patch),
                None => patch,
            });
        }
        Ok(made)
    })
}

/// RFC 7386: what is null in the patch goes away, objects are merged, all else is replaced.
fn patched(target: Option<&str>, patch: &str) -> String {
    let Some(Children::Object(changes)) = children(patch) else { return patch.to_string() };
    let mut all: Vec<(String, String)> = match target.and_then(children) {
        Some(Children::Object(pairs)) => pairs.into_iter().map(|(k, v)| (k, v.to_string())).collect(),
        _ => Vec::new(),
    };
    for (key, value) in changes {
        let at = all.iter().position(|(k, _)| *k == key);
        if value.trim() == "null" {
            at.map(|at| all.remove(at));
            continue;
        }
        let made = patched(at.and_then(|at| all.get(at)).map(|(_, v)| v.as_str()), value);
        match at.and_then(|at| all.get_mut(at)) {
            Some((_, old)) => *old = made,
            None => all.push((key, made)),
        }
    }
    let pair = |(key, value): &(String, String)| {
        let mut made = Vec::new();
        quoted(key, &mut made);
        format!("{}:{value}", String::from_utf8_lossy(&made))
    };
    format!("{{{}}}", all.iter().map(pair).collect::<Vec<_>>().join(","))
}

fn remove(args: &Args) -> Result<ArrayRef> {
    let doc = args.text(0)?;
    let paths = (1..args.len()).map(|at| super::super::cast::pieces_of(args, at)).collect::<Result<Vec<_>>>()?;
    texts(args, |row| {
        let text = some!(doc.get(row));
        let Some(mut made) = minified(text) else { return exec_err!("{text:?} is not JSON") };
        for path in paths.iter().flat_map(|p| p.of(row)) {
            made = some!(without(&made, &Path::parse(path)?.0));
        }
        Ok(Some(made))
    })
}

/// The document without what the steps lead to; nothing is left of it where there are no steps.
fn without(json: &str, steps: &[Step]) -> Option<String> {
    let (step, rest) = steps.split_first()?;
    let inner = |hit: bool, value: &str| if hit { without(value, rest) } else { Some(value.to_string()) };
    match (children(json), step) {
        (Some(Children::Object(pairs)), Step::Key(_) | Step::Part(_) | Step::AnyKey) => {
            let hit = |key: &str| matches!(step, Step::Key(k) | Step::Part(k) if k == key) || *step == Step::AnyKey;
            let kept = pairs.into_iter().filter_map(|(key, value)| {
                let value = inner(hit(&key), value)?;
                let mut made = Vec::new();
                quoted(&key, &mut made);
                Some(format!("{}:{value}", String::from_utf8_lossy(&made)))
            });
            Some(format!("{{{}}}", kept.collect::<Vec<_>>().join(",")))
        }
        (Some(Children::Array(items)), _) => {
            let place = match step {
                Step::Index(at) if *at < 0 => {
                    usize::try_from(at.unsigned_abs()).ok().and_then(|n| items.len().checked_sub(n))
                }
                Step::Index(at) => usize::try_from(*at).ok(),
                Step::Part(digits) => digits.parse().ok(),
                _ => None,
            };
            let hit = |at: usize| place == Some(at) || *step == Step::AnyIndex;
            let kept = items.iter().enumerate().filter_map(|(at, value)| inner(hit(at), value));
            Some(format!("[{}]", kept.collect::<Vec<_>>().join(",")))
        }
        _ => Some(json.to_string()),
    }
}
