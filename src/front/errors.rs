//! What DataFusion and the parser say, in this crate's words: one sentence, the place in the SQL text with a caret under
//! it, and the nearest name where a name is wrong.

use super::nearest::nearest;
use crate::error::Error;
use crate::ops::expr::from_datafusion;
use datafusion_common::diagnostic::Diagnostic;
use datafusion_common::{Column, DataFusionError, SchemaError};
use datafusion_sql::sqlparser::parser::ParserError;

/// A place in a SQL text; lines and columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl Spot {
    /// " at line 1, column 8", the line of text, and a caret under the place; empty when the text has no such place.
    pub(super) fn show(self, sql: &str) -> String {
        let line = usize::try_from(self.line).ok().and_then(|n| sql.lines().nth(n.checked_sub(1)?));
        let Some(text) = line else { return String::new() };
        let column = usize::try_from(self.column).unwrap_or(1).max(1);
        // Tabs stay tabs, so that the caret stands where the terminal puts the character.
        let pad: String = text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let gap = " ".repeat((column - 1).saturating_sub(pad.chars().count()));
        format!(" at line {}, column {}\n  {text}\n  {pad}{gap}^", self.line, self.column)
    }
}

/// An error of the parser or the tokenizer.
pub(super) fn parse_error(error: &ParserError, sql: &str) -> Error {
    let text = match error {
        ParserError::ParserError(m) | ParserError::TokenizerError(m) => m.as_str(),
        ParserError::RecursionLimitExceeded => return Error::query("the SQL text is nested too deeply"),
    };
    let (message, spot) = split_spot(text);
    let found = message.strip_prefix("Expected: an SQL statement, found: ");
    let message = match message.strip_prefix("Expected: ") {
        Some(rest) => format!("syntax error: expected {}", rest.replace("found: EOF", "found the end of the text")),
        None => format!("syntax error: {message}"),
    };
    // The parser has no place for the end of the text.
    let spot = spot.filter(|s| s.line > 0).or_else(|| end_of(sql));
    let error = Error::query(format!("{message}{}", spot.map(|s| s.show(sql)).unwrap_or_default()));
    match found {
        Some(".") => error.advise("there are no dot commands: SHOW TABLES, DESCRIBE t; partita --help has the options"),
        Some(word) => match nearest(word, STATEMENTS.iter().copied()) {
            Some(near) => error.advise(format!("did you mean {near}?")),
            None => error,
        },
        None => error,
    }
}

/// Words that begin a statement.
const STATEMENTS: &[&str] = &[
    "SELECT",
    "FROM",
    "WITH",
    "VALUES",
    "CREATE",
    "INSERT",
    "DROP",
    "TRUNCATE",
    "COPY",
    "DESCRIBE",
    "SUMMARIZE",
    "SHOW",
    "EXPLAIN",
    "PIVOT",
    "UNPIVOT",
    "SET",
    "RESET",
    "PREPARE",
    "EXECUTE",
    "EXPORT",
    "IMPORT",
    "PRAGMA",
];

/// Where the text ends, behind its last character.
fn end_of(sql: &str) -> Option<Spot> {
    let text = sql.trim_end();
    let last = text.lines().last()?;
    Some(Spot { line: text.lines().count() as u64, column: last.chars().count() as u64 + 1 })
}

/// Splits " at Line: 1, Column: 8" off a message.
fn split_spot(message: &str) -> (&str, Option<Spot>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let spot = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some(Spot { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }));
    (text, spot)
}

/// An error of binding or optimizing, told about `sql` if there is one.
pub(super) fn bind_error(error: DataFusionError, sql: Option<&str>) -> Error {
    let at = sql.and_then(|sql| spot_of(&error).map(|s| s.show(sql))).unwrap_or_default();
    if let Some((field, valid)) = missing_field(&error) {
        return no_column(field, valid, &at);
    }
    if let Some(name) = ambiguous_field(&error) {
        return Error::query(format!("column \"{name}\" is ambiguous{at}"))
            .advise("say whose it is: table.column, with an alias for each table");
    }
    let plain = from_datafusion(error);
    if at.is_empty() || plain.message().contains(" at line ") {
        return plain;
    }
    let located = Error::new(plain.kind(), format!("{}{at}", plain.message()));
    match plain.advice() {
        Some(advice) => located.advise(advice),
        None => located,
    }
}

/// The function that is not there.
pub(super) fn missing_function(error: &DataFusionError) -> Option<String> {
    let text = error.strip_backtrace();
    let (_, rest) = text.split_once("Invalid function '")?;
    rest.split_once('\'').map(|(name, _)| name.to_string())
}

/// A function that nobody knows.
pub(super) fn no_function(error: &DataFusionError, name: &str, known: &[String], sql: &str) -> Error {
    let at = spot_of(error).map(|s| s.show(sql)).unwrap_or_default();
    let made = Error::query(format!("no function \"{name}\"{at}"));
    if known.iter().any(|known| known == name) {
        return made.advise(format!("{name} is a window function: {name}(..) OVER (ORDER BY ..)"));
    }
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => made.advise(format!("did you mean {near}?")),
        None => made,
    }
}

/// The column that is not there, and those that are.
pub(super) fn missing_field(error: &DataFusionError) -> Option<(&Column, &[Column])> {
    match error.find_root() {
        DataFusionError::SchemaError(e, _) => match &**e {
            SchemaError::FieldNotFound { field, valid_fields } => Some((field, valid_fields)),
            _ => None,
        },
        DataFusionError::Diagnostic(_, inner) => missing_field(inner),
        DataFusionError::Collection(all) => all.iter().find_map(missing_field),
        _ => None,
    }
}

fn ambiguous_field(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::SchemaError(e, _) => match &**e {
            SchemaError::AmbiguousReference { field } => Some(field.name.clone()),
            _ => None,
        },
        DataFusionError::Diagnostic(_, inner) => ambiguous_field(inner),
        _ => None,
    }
}

fn no_column(field: &Column, valid: &[Column], at: &str) -> Error {
    let name = field.relation.as_ref().map_or(field.name.clone(), |r| format!("{r}.{}", field.name));
    let tables: Vec<String> = valid.iter().filter_map(|c| c.relation.as_ref().map(|r| r.to_string())).collect();
    if let Some(relation) = &field.relation
        && !tables.is_empty()
        && !tables.contains(&relation.to_string())
    {
        let relation = relation.to_string();
        let error = Error::query(format!("no table \"{relation}\" in FROM, for the column {name}{at}"));
        return match nearest(&relation, tables.iter().map(String::as_str)) {
            Some(near) => error.advise(format!("did you mean {near}?")),
            None => error.advise(format!("tables here: {}", some_of(tables.iter().map(String::as_str)))),
        };
    }
    let error = Error::query(format!("no column \"{name}\"{at}"));
    match nearest(&field.name, valid.iter().map(|c| c.name.as_str())) {
        Some(near) => error.advise(format!("did you mean {}?", quoted(near))),
        None if valid.is_empty() => error,
        None => error.advise(format!("columns here: {}", some_of(valid.iter().map(|c| c.name.as_str())))),
    }
}

/// The name as it is written in SQL.
pub(super) fn quoted(name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Up to a dozen names, each once.
fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    let shown: Vec<String> = seen.iter().take(12).map(|n| quoted(n)).collect();
    let more = seen.len().saturating_sub(12);
    if more == 0 { shown.join(", ") } else { format!("{}, and {more} more", shown.join(", ")) }
}

/// Where in the text the error is.
pub(super) fn spot_of(error: &DataFusionError) -> Option<Spot> {
    let span = diagnostic(error)?.span?;
    Some(Spot { line: span.start.line, column: span.start.column })
}

fn diagnostic(error: &DataFusionError) -> Option<&Diagnostic> {
    match error {
        DataFusionError::Diagnostic(d, inner) if d.span.is_some() => diagnostic(inner).or(Some(d)),
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => diagnostic(inner),
        DataFusionError::Shared(inner) => diagnostic(inner),
        DataFusionError::Collection(all) => all.iter().find_map(diagnostic),
        _ => None,
    }
}
