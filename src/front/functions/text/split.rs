//! Texts to lists of texts, and back.

use super::super::args::{Args, some, text_lists, texts};
use super::super::row::{Gives, Row};
use super::slices::place;
use arrow::array::ArrayRef;
use datafusion_common::Result;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "string_split",
        "text, text",
        Gives::Texts,
        split,
        "The pieces between separators; an empty separator splits into characters.",
        "string_split('a,b,c', ',') --> [a, b, c]",
    )
    .also(&["split", "str_split", "string_to_array", "string_to_list"]),
    Row::new(
        "split_part",
        "text, text, int",
        Gives::Text,
        split_part,
        "The piece at a place; empty where there is none.",
        "split_part('a,b,c', ',', 2) --> b",
    ),
    Row::new(
        "array_to_string",
        "list, text, text?",
        Gives::Text,
        join,
        "The texts of the elements with a separator between; nulls are left out, or said as the third.",
        "array_to_string([1, NULL, 2], ',') --> 1,2",
    )
    .also(&["list_to_string", "array_join", "list_join"]),
    Row::new(
        "array_to_string_comma_default",
        "list, text?",
        Gives::Text,
        join,
        "As array_to_string; the separator is a comma if it is left out.",
        "array_to_string_comma_default([1, 2]) --> 1,2",
    ),
    Row::new(
        "concat_ws",
        "text, any..",
        Gives::Text,
        concat_ws,
        "The texts of values with a separator between, nulls left out.",
        "concat_ws(',', 'a', NULL, 'b') --> a,b",
    ),
];

fn pieces(text: &str, separator: &str) -> Vec<String> {
    match separator.is_empty() {
        true => text.chars().map(String::from).collect(),
        false => text.split(separator).map(str::to_string).collect(),
    }
}

fn split(args: &Args) -> Result<ArrayRef> {
    let (text, separator) = (args.text(0)?, args.text(1)?);
    text_lists(args, |row| {
        let text = some!(text.get(row));
        let made = match separator.get(row) {
            Some(separator) => pieces(text, separator),
            None => vec![text.to_string()],
        };
        Ok(Some(made.into_iter().map(Some).collect()))
    })
}

fn split_part(args: &Args) -> Result<ArrayRef> {
    let (text, separator, at) = (args.text(0)?, args.text(1)?, args.int(2)?);
    texts(args, |row| {
        let (text, separator) = (some!(text.get(row)), some!(separator.get(row)));
        let all = if separator.is_empty() { vec![text.to_string()] } else { pieces(text, separator) };
        let at = place(some!(at.get(row)), all.len());
        Ok(Some(at.and_then(|at| all.get(at).cloned()).unwrap_or_default()))
    })
}

fn join(args: &Args) -> Result<ArrayRef> {
    let (list, separator) = (args.list(0)?, args.text_or(1, ",")?);
    let null = if args.has(2) { Some(args.text(2)?) } else { None };
    let values = super::super::cast::texts_in(list.array.values())?;
    texts(args, |row| {
        let (span, separator) = (some!(list.span(row)), some!(separator.get(row)));
        let null = null.as_ref().and_then(|n| n.get(row));
        let made = span.filter_map(|i| values.get(i).or(null)).collect::<Vec<_>>();
        Ok(Some(made.join(separator)))
    })
}

fn concat_ws(args: &Args) -> Result<ArrayRef> {
    let separator = args.text(0)?;
    let columns = (1..args.len()).map(|at| super::super::cast::pieces_of(args, at)).collect::<Result<Vec<_>>>()?;
    texts(args, |row| {
        let separator = some!(separator.get(row));
        let made: Vec<&str> = columns.iter().flat_map(|c| c.of(row)).collect();
        Ok(Some(made.join(separator)))
    })
}
