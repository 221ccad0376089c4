//! Where fields and rows end in the dialects that masks cannot tell: byte by byte, exact whatever the quotes do.
//!
//! ```text
//!              quote                 escape: skips the next byte, in quotes or where nothing quotes
//!   Row ---> Field ------> Quoted <----.
//!    |         | other        | quote  | quote (a doubled one)
//!    |         v              v        |
//!    |       Plain <------ Closed -----'
//!    |         |    other     |            Plain, Closed, Field: a delimiter ends the field, a newline the row
//!    v         v              v
//!  Comment (to the newline; at the beginning of a line it is a row of one field, which `rows` drops)
//! ```
//!
//! This is how spreadsheets (and the `csv` crate) read quotes where no quote should be: in `Plain` they are text, and text
//! behind a closing quote belongs to the field, if that is in one line. [`Structure::loosely`](super::structure::Structure) counts such places. A
//! comment behind fields ends the last one, and is one more field, which begins behind the comment's mark. Where blanks
//! before fields are not of them (`spaced`), a quote behind them quotes, and blanks behind the closing one are none of it.

use super::structure::{Broken, Piece, Scan};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Row,
    Field,
    /// Blanks before a field, where they are not of it.
    Blank,
    Plain,
    Quoted,
    Closed,
    Comment,
}

impl Scan<'_> {
    /// Finds the rows of the piece.
    ///
    /// # Errors
    /// A quoted field that the file does not close; unless the dialect is loose, a quote inside a plain field.
    pub(super) fn walk(&mut self) -> Result<(), Broken> {
        let Piece { start, end, max_rows, .. } = self.piece;
        let mut at = start;
        let mut state = State::Row;
        while at < end && self.out.row_ends.len() < max_rows {
            let byte = self.bytes.get(at).copied().unwrap_or(0);
            let escaped = Some(byte) == self.marks.escape;
            if escaped && (state == State::Quoted || (self.marks.quote.is_none() && state != State::Comment)) {
                state = if state == State::Quoted { state } else { State::Plain };
                at += 2;
                continue;
            }
            state = self.next(state, byte, at)?;
            let behind = state == State::Field && byte == self.marks.delimiter;
            at += if behind { self.marks.width() } else { 1 };
        }
        let inside = state == State::Quoted;
        self.finish(at, inside)
    }

    fn next(&mut self, state: State, byte: u8, at: usize) -> Result<State, Broken> {
        let quote = Some(byte) == self.marks.quote;
        let comment = Some(byte) == self.marks.comment;
        let blank = self.marks.spaced && byte == b' ' && byte != self.marks.delimiter;
        Ok(match state {
            State::Row if comment => State::Comment,
            State::Row | State::Field | State::Blank if blank => State::Blank,
            State::Row | State::Field | State::Blank if quote => {
                self.opened = at;
                State::Quoted
            }
            State::Quoted => {
                if quote {
                    State::Closed
                } else {
                    State::Quoted
                }
            }
            State::Closed if quote => State::Quoted,
            State::Comment if byte != self.marks.newline => State::Comment,
            _ if byte == self.marks.newline => {
                self.flatten(at, 1, 1);
                State::Row
            }
            _ if byte == self.marks.delimiter && self.goes_on(at) => {
                self.end_field(at + self.marks.width() - 1);
                State::Field
            }
            _ if comment && self.marks.inline => {
                self.end_field(at);
                State::Comment
            }
            State::Closed if blank => State::Closed,
            State::Closed if byte == b'\r' && self.bytes.get(at + 1) == Some(&self.marks.newline) => State::Closed,
            State::Closed if self.has_swallowed(at) => return Err(Broken::Swallowed(self.opened, at - 1)),
            State::Closed => self.loosely(at)?,
            State::Plain if quote => self.loosely(at)?,
            _ => State::Plain,
        })
    }

    /// Whether the delimiter that begins here is all here.
    fn goes_on(&self, at: usize) -> bool {
        let (tail, end) = (self.marks.tail.bytes(), at + self.marks.width());
        tail.is_empty() || (end <= self.piece.end && self.bytes.get(at + 1..end) == Some(tail))
    }

    fn end_field(&mut self, at: usize) {
        if !self.piece.rows_only {
            self.flatten(at, 1, 0);
        }
    }

    /// Whether the quoted field that closed before `at` has several lines, and text behind it.
    fn has_swallowed(&self, at: usize) -> bool {
        let inside = || self.bytes.get(self.opened..at).unwrap_or_default();
        !self.marks.joins && self.is_text(at) && memchr::memchr(self.marks.newline, inside()).is_some()
    }

    fn loosely(&mut self, at: usize) -> Result<State, Broken> {
        self.out.loosely += 1;
        if self.marks.loose { Ok(State::Plain) } else { Err(Broken::StrayQuote(at)) }
    }
}
