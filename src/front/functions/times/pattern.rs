//! Patterns of `strftime` and `strptime`: text and directives.

use datafusion_common::{Result, exec_err};

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// A letter, and whether `-` stood before it: no leading zeros.
    Directive(char, bool),
}

/// The directives that are known.
const DIRECTIVES: &str = "aAwuduBbhmyYGHIpMSfgnzZjUWVcxX";

/// Takes a pattern apart; `%c`, `%x` and `%X` are spelled out.
pub(super) fn pieces(pattern: &str) -> Result<Vec<Piece>> {
    let mut made = Vec::new();
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut letter = chars.next();
        let short = letter == Some('-');
        if short {
            letter = chars.next();
        }
        let spelled = match letter {
            Some('%') => {
                text.push('%');
                continue;
            }
            Some('c') => "%Y-%m-%d %H:%M:%S",
            Some('x') => "%Y-%m-%d",
            Some('X') => "%H:%M:%S",
            Some('T') => "%H:%M:%S",
            Some('D') => "%m/%d/%y",
            _ => "",
        };
        if !text.is_empty() {
            made.push(Piece::Text(std::mem::take(&mut text)));
        }
        match letter {
            _ if !spelled.is_empty() => made.extend(pieces(spelled)?),
            Some(l) if DIRECTIVES.contains(l) => made.push(Piece::Directive(l, short)),
            Some(l) => return exec_err!("no directive %{l} of times, in {pattern:?}"),
            None => return exec_err!("a % at the end of {pattern:?}"),
        }
    }
    if !text.is_empty() {
        made.push(Piece::Text(text));
    }
    Ok(made)
}
