//! What is wrong with the text of a program, and where.
//!
//! ```text
//! jq: expected a closing parenthesis
//!   select(.a > 3 | .b
//!         ^
//! ```

use crate::error::Error;
use jaq_core::compile::Undefined;
use jaq_core::load::{self, Errors, span};

/// The longest program.
pub(super) const MOST_BYTES: usize = 16 << 10;

/// An error at the part of a program that begins at `at`.
pub(super) fn at(program: &str, at: usize, what: &str) -> Error {
    let at = (0..=at.min(program.len())).rev().find(|at| program.is_char_boundary(*at)).unwrap_or(0);
    let begin = program.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
    let line = program.get(begin..).unwrap_or_default().lines().next().unwrap_or_default();
    let indent = program.get(begin..at).unwrap_or_default().chars().count();
    let shown: String = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    Error::query(format!("jq: {what}\n  {shown}\n  {}^", " ".repeat(indent)))
}

pub(super) fn not_loaded(program: &str, errors: &Errors<&str, ()>) -> Error {
    let first = errors.iter().find_map(|(_, error)| match error {
        load::Error::Io(all) => all
            .first()
            .map(|(path, _)| Error::unsupported(format!("jq: there are no modules here: {path:?} cannot be included"))),
        load::Error::Lex(all) => all.first().map(|(wanted, rest)| {
            at(program, span(program, rest).start, &format!("expected {}", article(wanted.as_str())))
        }),
        load::Error::Parse(all) => all.first().map(|(wanted, found)| {
            let found_is = if found.is_empty() { "the end".to_string() } else { format!("{:?}", first_word(found)) };
            let what = format!("expected {}, not {found_is}", article(wanted.as_str()));
            at(program, span(program, found).start, &what)
        }),
    });
    first.unwrap_or_else(|| at(program, 0, "the program cannot be read"))
}

/// Names that jq has, and that cannot be here.
const BEYOND: &[&str] = &["input", "inputs", "input_line_number", "get_search_list", "modulemeta"];

pub(super) fn not_compiled(program: &str, errors: &jaq_core::compile::Errors<&str, ()>) -> Error {
    let first = errors.iter().flat_map(|(_, errors)| errors).next();
    let Some((name, what)) = first else { return at(program, 0, "the program cannot be compiled") };
    let place = span(program, name).start;
    match what {
        Undefined::Filter(_) if BEYOND.contains(name) => {
            let what = format!("{name} would reach beyond the item, which programs cannot do here");
            Error::unsupported(at(program, place, &what).message())
        }
        Undefined::Filter(arguments) => at(program, place, &format!("there is no function {name}/{arguments}")),
        other => at(program, place, &format!("there is no {} {name}", other.as_str())),
    }
}

fn article(what: &str) -> String {
    match what.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {what}"),
        Some(c) if c.is_ascii_alphanumeric() => format!("a {what}"),
        _ => format!("{what:?}"),
    }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or(text)
}

/// How deep a program's brackets go; jaq's parser has no limit of its own.
pub(super) fn too_deep(program: &str) -> Option<usize> {
    const MOST: usize = 200;
    let mut depth = 0usize;
    for (at, c) in program.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MOST {
            return Some(at);
        }
    }
    None
}
