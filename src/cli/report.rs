//! Errors for people: what happened, where, and what to do, on standard error.
//!
//! ```text
//! error: there is no column "prize"
//!   line 1: SELECT prize FROM sales
//!                  ^^^^^
//! hint: did you mean "price"?
//! ```
//!
//! An error of a query knows its place in the SQL as an offset, as the word at fault, or only in its message
//! (`at Line: 1, Column: 8`); whichever is there gets the caret.

use partita::{Error, ErrorKind, Place};
use unicode_width::UnicodeWidthStr;

/// The text for an error of the statements in `sql`.
pub fn describe(error: &Error, sql: &str) -> String {
    let mut text = format!("error: {}", error.sentence());
    let place = error.place();
    match caret(error, sql) {
        Some(lines) => text.push_str(&format!("\n{lines}")),
        None if *place != Place::default() => text.push_str(&format!("\n  at {place}")),
        None => {}
    }
    if let Some(advice) = error.advice() {
        text.push_str(&format!("\nhint: {advice}"));
    }
    text.push('\n');
    text
}

/// The line of the SQL at fault, and a caret below the fault.
fn caret(error: &Error, sql: &str) -> Option<String> {
    let place = error.place();
    if place.file.is_some() || !matches!(error.kind(), ErrorKind::Query | ErrorKind::Unsupported) {
        return None;
    }
    let at = by_offset(place, sql).or_else(|| by_message(error.message(), sql)).or_else(|| by_word(place, sql))?;
    let begin = sql[..at].rfind('\n').map_or(0, |n| n + 1);
    let line = sql[begin..].lines().next().unwrap_or("");
    let number = sql[..begin].matches('\n').count() + 1;
    let label = format!("  line {number}: ");
    let spaces = " ".repeat(label.len() + sql[begin..at].replace('\t', " ").width());
    let carets = "^".repeat(word_at(&sql[at..]).width().max(1));
    Some(format!("{label}{}\n{spaces}{carets}", line.replace('\t', " ")))
}

fn by_offset(place: &Place, sql: &str) -> Option<usize> {
    let at = usize::try_from(place.byte?).ok()?;
    sql.is_char_boundary(at).then_some(at)
}

/// The parser says `at Line: 1, Column: 8` in its message; both count from 1, columns in characters.
fn by_message(message: &str, sql: &str) -> Option<usize> {
    let (_, rest) = message.rsplit_once("Line: ")?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (line, column): (usize, usize) = (line.parse().ok()?, rest[..digits].parse().ok()?);
    let begin: usize = sql.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let line = sql.get(begin..)?.lines().next()?;
    let within = line.char_indices().nth(column.checked_sub(1)?).map_or(line.len(), |(i, _)| i);
    Some(begin + within)
}

/// The word at fault, if it stands in the SQL once.
fn by_word(place: &Place, sql: &str) -> Option<usize> {
    let word = place.text.as_deref().or(place.column.as_deref()).filter(|word| !word.is_empty())?;
    let mut hits = sql.match_indices(word).filter(|(at, _)| is_whole(sql, *at, word.len()));
    let (at, _) = hits.next()?;
    hits.next().is_none().then_some(at)
}

fn is_whole(sql: &str, at: usize, len: usize) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    !sql[..at].chars().next_back().is_some_and(is_part) && !sql[at + len..].chars().next().is_some_and(is_part)
}

/// The word, number or quoted text that `sql` begins with; of anything else its first character.
fn word_at(sql: &str) -> &str {
    let line = sql.lines().next().unwrap_or("");
    let end = match line.chars().next() {
        Some(quote @ ('\'' | '"')) => line[1..].find(quote).map_or(line.len(), |n| n + 2),
        Some(c) if c.is_alphanumeric() || c == '_' => {
            line.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(line.len())
        }
        Some(c) => c.len_utf8(),
        None => 0,
    };
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_gets_a_caret() {
        let sql = "SELECT a,\né, prize FROM sales";
        let place = Place { byte: sql.find("prize").map(|at| at as u64), ..Place::default() };
        let error = Error::query("there is no column \"prize\"").at(place).advise("did you mean \"price\"?");
        // The caret counts characters, not bytes.
        let text = "\
error: there is no column \"prize\"
  line 2: é, prize FROM sales
             ^^^^^
hint: did you mean \"price\"?
";
        assert_eq!(describe(&error, sql), text);
    }

    #[test]
    fn the_parsers_message_gets_a_caret() {
        let error = Error::query("Expected: an expression, found: FROM at Line: 1, Column: 8");
        assert!(describe(&error, "SELECT FROM t").ends_with("\n  line 1: SELECT FROM t\n                 ^^^^\n"));
        let beyond = Error::query("found: EOF at Line: 9, Column: 80");
        assert_eq!(describe(&beyond, "SELECT"), "error: found: EOF at Line: 9, Column: 80\n");
    }

    #[test]
    fn a_word_that_stands_once_gets_a_caret() {
        let place = Place { column: Some("b".into()), ..Place::default() };
        let error = Error::query("no column b").at(place);
        assert!(describe(&error, "SELECT ab, b").contains("\n                     ^\n"));
        assert!(describe(&error, "SELECT b, b").contains("\n  at column b\n"));
    }

    #[test]
    fn a_place_in_a_file_is_said() {
        let place = Place { file: Some("a.csv".into()), line: Some(3), ..Place::default() };
        let error = Error::data("\"x\" is no integer").at(place);
        assert_eq!(describe(&error, "SELECT x"), "error: \"x\" is no integer\n  at a.csv, line 3\n");
    }
}
