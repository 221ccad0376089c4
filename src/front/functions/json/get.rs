//! `json_get(doc, 'a', 0, 'b')` and its kin: a path of any number of keys and indexes.

use super::super::args::{Args, bools, floats, ints, some, text_lists, texts};
use super::super::cast::texts_of;
use super::super::row::{Gives, Row, is_text};
use super::path::{Children, Path, Step, children, minified, plain};
use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "json_get",
        "text, any..",
        Gives::Text,
        get,
        "The piece of JSON behind keys and indexes.",
        "json_get('{\"a\": [1, 2]}', 'a', 1) --> 2",
    )
    .also(&["json_get_json"]),
    Row::new(
        "json_get_str",
        "text, any..",
        Gives::Text,
        get_str,
        "As json_get; a text without its quotes.",
        "json_get_str('{\"a\": \"x\"}', 'a') --> x",
    )
    .also(&["json_as_text"]),
    Row::new(
        "json_get_int",
        "text, any..",
        Gives::Int,
        get_int,
        "The integer behind keys and indexes; null if it is none.",
        "json_get_int('{\"a\": 5}', 'a') --> 5",
    ),
    Row::new(
        "json_get_float",
        "text, any..",
        Gives::Float,
        get_float,
        "The number behind keys and indexes as a float.",
        "json_get_float('{\"a\": 1.5}', 'a') --> 1.5",
    ),
    Row::new(
        "json_get_bool",
        "text, any..",
        Gives::Bool,
        get_bool,
        "The truth behind keys and indexes.",
        "json_get_bool('{\"a\": true}', 'a') --> true",
    ),
    Row::new(
        "json_length",
        "text, any..",
        Gives::Int,
        length,
        "How many values are in the object or array.",
        "json_length('[1, 2]') --> 2",
    ),
    Row::new(
        "json_object_keys",
        "text, any..",
        Gives::Texts,
        keys,
        "The keys of the object.",
        "json_object_keys('{\"a\": 1, \"b\": 2}') --> [a, b]",
    ),
];

/// What is found behind the steps of a row.
fn finder(args: &Args) -> Result<impl Fn(usize) -> Option<String>> {
    let doc = args.text(0)?;
    let mut steps = Vec::new();
    for at in 1..args.len() {
        let index = args.type_of(at).is_integer();
        if !index && !is_text(args.type_of(at)) {
            return exec_err!("{} wants keys (text) or indexes (integers)", args.name());
        }
        steps.push((texts_of(args, at)?, index));
    }
    Ok(move |row: usize| {
        let step = |(column, index): &(super::super::args::Column<arrow::array::StringViewArray>, bool)| {
            let text = column.get(row)?;
            if *index { text.parse().ok().map(Step::Index) } else { Some(Step::Key(text.to_string())) }
        };
        let path = Path(steps.iter().map(step).collect::<Option<_>>()?);
        path.first(doc.get(row)?).map(str::to_string)
    })
}

fn get(args: &Args) -> Result<ArrayRef> {
    let find = finder(args)?;
    texts(args, |row| Ok(find(row).as_deref().and_then(minified)))
}

fn get_str(args: &Args) -> Result<ArrayRef> {
    let find = finder(args)?;
    texts(args, |row| Ok(find(row).as_deref().and_then(plain)))
}

fn get_int(args: &Args) -> Result<ArrayRef> {
    let find = finder(args)?;
    ints(args, |row| Ok(find(row).and_then(|json| json.trim().parse().ok())))
}

fn get_float(args: &Args) -> Result<ArrayRef> {
    let find = finder(args)?;
    floats(args, |row| Ok(find(row).and_then(|json| serde_json::from_str(&json).ok())))
}

fn get_bool(args: &Args) -> Result<ArrayRef> {
    let find = finder(args)?;
    bools(args, |row| Ok(find(row).and_then(|json| serde_json::from_str(&json).ok())))
}

fn length(args: &Args) -> Result<ArrayRef> {
    let find = finder(args)?;
    ints(args, |row| Ok(find(row).and_then(|json| children(&json).map(|c| super::extract::size(&c) as i64))))
}

fn keys(args: &Args) -> Result<ArrayRef> {
    let find = finder(args)?;
    text_lists(args, |row| {
        let found = some!(find(row));
        let Some(Children::Object(pairs)) = children(&found) else { return Ok(None) };
        Ok(Some(pairs.into_iter().map(|(key, _)| Some(key)).collect()))
    })
}
