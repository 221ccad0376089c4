//! Regular expressions. The syntax is that of the `regex` crate, which is RE2's but for rare classes: no look-around, no
//! back references, time linear in the text.
//!
//! Options are letters: `c` (case counts), `i` (it does not), `s` (a point takes line ends), `n`, `m`, `p` (it does not,
//! as without options), `l` (the pattern is plain text), `g` (replace every match).

use super::super::args::{Args, bools, some, text_lists, texts};
use super::super::row::{Gives, Row};
use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use regex::{Captures, Regex, RegexBuilder};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "regexp_matches",
        "text, text, text?",
        Gives::Bool,
        matches,
        "Whether a part of the text matches.",
        "regexp_matches('hello', 'l+') --> true",
    )
    .also(&["regexp_like"]),
    Row::new(
        "regexp_full_match",
        "text, text, text?",
        Gives::Bool,
        full_match,
        "Whether the whole text matches.",
        "regexp_full_match('hello', 'h.*o') --> true",
    ),
    Row::new(
        "regexp_extract",
        "text, text, int?, text?",
        Gives::Text,
        extract,
        "The first match, or a group of it by number; with a list of names a struct of the groups. Empty where nothing matches.",
        "regexp_extract('abc123', '([a-z]+)([0-9]+)', 2) --> 123",
    ),
    Row::new(
        "regexp_extract_all",
        "text, text, int?, text?",
        Gives::Texts,
        extract_all,
        "All matches, or a group of each.",
        "regexp_extract_all('a1b2', '[a-z]([0-9])', 1) --> [1, 2]",
    ),
    Row::new(
        "regexp_replace",
        "text, text, text, text?",
        Gives::Text,
        replace,
        "The first match (with the option g all) becomes another text, in which \\1 is a group.",
        "regexp_replace('aaa', 'a', 'b', 'g') --> bbb",
    ),
    Row::new(
        "string_split_regex",
        "text, text, text?",
        Gives::Texts,
        split,
        "The pieces between matches.",
        "string_split_regex('a1b22c', '[0-9]+') --> [a, b, c]",
    )
    .also(&["str_split_regex", "regexp_split_to_array"]),
    Row::new(
        "regexp_escape",
        "text",
        Gives::Text,
        escape,
        "The text as a pattern that matches it.",
        "regexp_escape('a.b') --> a\\.b",
    ),
];

/// The pattern of the last row, compiled: most calls have one pattern for all rows.
#[derive(Default)]
struct Compiled {
    last: Option<(String, String, bool, Regex)>,
}

impl Compiled {
    fn get(&mut self, pattern: &str, options: &str, whole: bool) -> Result<&Regex> {
        let same = |l: &(String, String, bool, Regex)| l.0 == pattern && l.1 == options && l.2 == whole;
        if !self.last.as_ref().is_some_and(same) {
            let made = compile(pattern, options, whole)?;
            self.last = Some((pattern.to_string(), options.to_string(), whole, made));
        }
        match &self.last {
            Some((.., regex)) => Ok(regex),
            None => exec_err!("no pattern"),
        }
    }
}

fn compile(pattern: &str, options: &str, whole: bool) -> Result<Regex> {
    let literal = options.contains('l');
    let text = if literal { regex::escape(pattern) } else { pattern.to_string() };
    let text = if whole { format!("^(?:{text})$") } else { text };
    let mut builder = RegexBuilder::new(&text);
    for option in options.chars() {
        match option {
            'c' => builder.case_insensitive(false),
            'i' => builder.case_insensitive(true),
            's' => builder.dot_matches_new_line(true),
            'm' | 'n' | 'p' => builder.dot_matches_new_line(false),
            'l' | 'g' => &mut builder,
            other => return exec_err!("no option {other:?} of regular expressions: c, i, l, m, n, p, s, g"),
        };
    }
    match builder.build() {
        Ok(regex) => Ok(regex),
        Err(e) => {
            let said = e.to_string();
            let reason = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
            exec_err!("{pattern:?} is no regular expression: {reason}")
        }
    }
}

fn test(args: &Args, whole: bool) -> Result<ArrayRef> {
    let (text, pattern, options) = (args.text(0)?, args.text(1)?, args.text_or(2, "")?);
    let mut compiled = Compiled::default();
    bools(args, |row| {
        let (text, pattern, options) = (some!(text.get(row)), some!(pattern.get(row)), some!(options.get(row)));
        Ok(Some(compiled.get(pattern, options, whole)?.is_match(text)))
    })
}

fn matches(args: &Args) -> Result<ArrayRef> {
    test(args, false)
}

fn full_match(args: &Args) -> Result<ArrayRef> {
    test(args, true)
}

fn group(found: &Captures, at: i64) -> Option<String> {
    let at = usize::try_from(at).ok()?;
    Some(found.get(at).map_or("", |m| m.as_str()).to_string())
}

fn check_group(regex: &Regex, at: i64) -> Result<()> {
    match usize::try_from(at) {
        Ok(at) if at < regex.captures_len() => Ok(()),
        _ => exec_err!("{:?} has no group {at}", regex.as_str()),
    }
}

fn extract(args: &Args) -> Result<ArrayRef> {
    let (text, pattern, options) = (args.text(0)?, args.text(1)?, args.text_or(3, "")?);
    let mut compiled = Compiled::default();
    let at = args.int_or(2, 0)?;
    texts(args, |row| {
        let (text, pattern, options) = (some!(text.get(row)), some!(pattern.get(row)), some!(options.get(row)));
        let at = some!(at.get(row));
        let regex = compiled.get(pattern, options, false)?;
        check_group(regex, at)?;
        Ok(Some(regex.captures(text).and_then(|found| group(&found, at)).unwrap_or_default()))
    })
}

fn extract_all(args: &Args) -> Result<ArrayRef> {
    let (text, pattern, options) = (args.text(0)?, args.text(1)?, args.text_or(3, "")?);
    let at = args.int_or(2, 0)?;
    let mut compiled = Compiled::default();
    text_lists(args, |row| {
        let (text, pattern, options) = (some!(text.get(row)), some!(pattern.get(row)), some!(options.get(row)));
        let at = some!(at.get(row));
        let regex = compiled.get(pattern, options, false)?;
        let Some(at) = usize::try_from(at).ok().filter(|at| *at < regex.captures_len()) else {
            return Ok(Some(Vec::new()));
        };
        Ok(Some(all_matches(regex, text, at)))
    })
}

/// A group of every match; null where it took no part. Behind a match an empty one may follow, as in RE2.
fn all_matches(regex: &Regex, text: &str, at: usize) -> Vec<Option<String>> {
    let mut made = Vec::new();
    let mut begin = 0;
    while let Some(found) = text.get(begin..).and_then(|_| regex.captures_at(text, begin)) {
        made.push(found.get(at).map(|m| m.as_str().to_string()));
        let Some(whole) = found.get(0) else { break };
        // An empty match: on to the next character.
        let step = text.get(whole.end()..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        begin = if whole.is_empty() { whole.end() + step } else { whole.end() };
    }
    made
}

/// DuckDB's `\1` as the crate's `${1}`.
fn template(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => made.push_str("$$"),
            '\\' => match chars.next() {
                Some(d) if d.is_ascii_digit() => made.push_str(&format!("${{{d}}}")),
                Some(other) => made.push(other),
                None => made.push('\\'),
            },
            other => made.push(other),
        }
    }
    made
}

fn replace(args: &Args) -> Result<ArrayRef> {
    let (text, pattern, to, options) = (args.text(0)?, args.text(1)?, args.text(2)?, args.text_or(3, "")?);
    let mut compiled = Compiled::default();
    texts(args, |row| {
        let (text, pattern, to) = (some!(text.get(row)), some!(pattern.get(row)), some!(to.get(row)));
        let options = some!(options.get(row));
        let regex = compiled.get(pattern, options, false)?;
        let limit = if options.contains('g') { 0 } else { 1 };
        Ok(Some(regex.replacen(text, limit, template(to).as_str()).into_owned()))
    })
}

fn split(args: &Args) -> Result<ArrayRef> {
    let (text, pattern, options) = (args.text(0)?, args.text(1)?, args.text_or(2, "")?);
    let mut compiled = Compiled::default();
    text_lists(args, |row| {
        let (text, pattern, options) = (some!(text.get(row)), some!(pattern.get(row)), some!(options.get(row)));
        if pattern.is_empty() {
            return Ok(Some(text.chars().map(|c| Some(c.to_string())).collect()));
        }
        let regex = compiled.get(pattern, options, false)?;
        Ok(Some(regex.split(text).map(|p| Some(p.to_string())).collect()))
    })
}

fn escape(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    texts(args, |row| {
        let mut made = String::new();
        for c in some!(text.get(row)).chars() {
            if c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' {
                made.push('\\');
            }
            made.push(c);
        }
        Ok(Some(made))
    })
}
