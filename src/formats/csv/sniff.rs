//! Tells the dialect from the head of a file: a pure function over bytes.
//!
//! 1. Every combination of delimiter, quote, escape and comment that the bytes make possible cuts the sample into rows
//!    ([`Cut`]). What the user said is not varied.
//! 2. Its score ([`Sample::score`]) is the share of rows that have as many fields as the first one, plus a little for many fields, minus
//!    a little for what is unusual. Lines above a header, where all rows below are alike, are a preamble.
//! 3. The best cut's rows tell the header (text above other types; or all text, and nothing that says otherwise), the
//!    decimal comma, and whether quotes stand where none should ([`Marks::loose`]).
//!
//! A guess is made only where being wrong shows: a row of another length, or a value of another type, is an error or a new
//! start. Hence: delimiters that are frequent in text (space, colon) must cut every line alike, and make a column that is
//! not text; comments must not look like rows; a preamble needs evidence below it; numbers with commas are decimals only
//! where no number of the sample has a point and not all of them could be thousands.

use super::lexicon::{Lexicon, Pattern};
use super::options::{Ragged, Said};
use super::rows::{is_blank, unquote, unspaced};
use super::structure::{Broken, Marks, Piece, Structure, Tail};
use crate::formats::values::Kind;

/// Rows of the sample that are looked at.
const ROWS: usize = 1000;

/// Delimiters that are looked for anyway.
const USUAL: [u8; 4] = [b',', b';', b'|', b'\t'];

/// Delimiters that must cut all lines alike.
const RARE: [u8; 8] = [0x1F, 0x1E, 0x01, b'^', b'~', b':', b' ', b'/'];

/// A row as the values of its fields.
pub(super) type Texts = Vec<Vec<u8>>;

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) marks: Marks,
    /// Lines above the header or the first row.
    pub(super) skip: usize,
    pub(super) header: bool,
    pub(super) decimal: u8,
    /// How dates are written, if they are not as ISO 8601 has it.
    pub(super) dates: Option<Pattern>,
    /// How many columns there are; none where there is no row.
    pub(super) columns: usize,
    /// The first row.
    pub(super) first: Option<Texts>,
}

/// Tells the dialect. `usual` is the delimiter that the file's name suggests; `text` has no byte order mark.
pub(super) fn sniff(text: &[u8], last: bool, said: &Said, usual: u8) -> Found {
    let mut sample = Sample { bytes: text.to_vec(), len: text.len(), last };
    sample.bytes.resize(text.len() + 64, 0);
    let best = sample.best(said, usual);
    let mut marks = best.marks;
    let rows = sample.rows(&best, 0);
    let mut lexicon =
        Lexicon { decimal: said.decimal.unwrap_or(b'.'), thousands: said.thousands, ..Lexicon::default() };
    lexicon.nulls = said.nulls.clone().unwrap_or_default();
    lexicon.quoted_nulls = said.quoted_nulls.unwrap_or(true);
    lexicon.truths = said.truths.clone();
    lexicon.dates = said.dates.clone();
    lexicon.timestamps = said.timestamps.clone();
    if lexicon.dates.is_none() {
        lexicon.dates = dates(rows.get(1..).unwrap_or_default(), &lexicon);
    }
    if said.decimal.is_none() && marks.delimiter != b',' && said.thousands.is_none() && has_decimal_commas(&rows) {
        lexicon.decimal = b',';
    }
    let header = said.header.unwrap_or_else(|| is_header(&rows, said.names.as_deref(), &lexicon));
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let columns = match said.ragged {
        Ragged::Pad if !header => widest,
        _ => rows.first().map_or(0, Vec::len),
    };
    marks.loose = false;
    marks.joins = said.strict == Some(false);
    marks.loose = said.strict != Some(true) && (best.loosely > 0 || !marks.is_plain() || said.strict == Some(false));
    let first = rows.into_iter().next();
    Found { marks, skip: best.skip, header, decimal: lexicon.decimal, dates: lexicon.dates, columns, first }
}

/// How dates may be written.
const DATES: [&str; 7] = ["%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"];

/// How dates are written, where columns of them can be read in one way only, all in the same one, and none is as ISO 8601
/// has it.
fn dates(rows: &[Texts], lexicon: &Lexicon) -> Option<Pattern> {
    let patterns: Vec<Pattern> = DATES.iter().filter_map(|text| Pattern::new("dateformat", text).ok()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut found: Option<&Pattern> = None;
    for column in 0..columns {
        if matches!(column_kind(rows.iter(), column, lexicon), Kind::Date) {
            return None;
        }
        let null = |f: &[u8]| f.is_empty() || lexicon.is_null(f) || lexicon.is_marker(f);
        let values = || rows.iter().filter_map(|row| row.get(column)).filter(|f| !null(f));
        // What is no date at all is told by its first value.
        let fits = |p: &&Pattern| values().next().is_some() && values().all(|f| p.date(f.trim_ascii()).is_some());
        let mut fitting = patterns.iter().filter(fits);
        match (fitting.next(), fitting.next(), found) {
            (Some(one), None, Some(known)) if known != one => return None,
            (Some(one), None, _) => found = Some(one),
            _ => {}
        }
    }
    found.cloned()
}

/// The head of a file.
struct Sample {
    /// With padding.
    bytes: Vec<u8>,
    len: usize,
    last: bool,
}

/// One way to cut a sample.
#[derive(Clone)]
struct Cut {
    marks: Marks,
    /// Lines left out at the beginning.
    skip: usize,
    /// By row that is neither blank nor a comment: its place and its number of fields.
    rows: Vec<(usize, usize)>,
    /// The number of fields of comments, were they rows.
    comments: Vec<usize>,
    loosely: u32,
    /// Rows of several lines.
    tall: usize,
    /// Lines from a quote that is not closed to the end of the sample.
    open: usize,
}

impl Sample {
    fn text(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The marks that are possible.
    fn candidates(&self, said: &Said, usual: u8) -> Vec<Marks> {
        let text = self.text();
        let newline = said.newline.unwrap_or_else(|| newline(text));
        let has = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
        let mut delimiters = vec![usual];
        delimiters.extend(USUAL.iter().chain(&RARE).filter(|d| **d != usual && text.contains(d)));
        let delimiters: Vec<(u8, Tail)> = match said.delimiter {
            Some(delimiter) => vec![delimiter],
            None => delimiters.into_iter().map(|d| (d, Tail::default())).collect(),
        };
        let mut quotes = vec![Some(b'"')];
        if has(b"\"") {
            quotes.push(None);
        } else if has(b"'") {
            quotes.push(Some(b'\''));
        }
        if said.escape == Some(Some(b'"')) {
            quotes = vec![Some(b'"')]; // a quote that escapes itself is one that quotes
        }
        let quotes = said.quote.map_or(quotes, |q| vec![q]);
        let mut all = Vec::new();
        for quote in quotes {
            let escaped = quote.is_some_and(|q| has(&[b'\\', q]));
            let escapes = said.escape.map_or(if escaped { vec![None, Some(b'\\')] } else { vec![None] }, |e| vec![e]);
            let begins = text.first() == Some(&b'#') || has(&[newline, b'#']);
            let comments = said.comment.map_or(if begins { vec![None, Some(b'#')] } else { vec![None] }, |c| vec![c]);
            for escape in escapes.iter().map(|e| e.filter(|e| Some(*e) != quote)) {
                for comment in &comments {
                    let inline = said.comment.is_some();
                    let marks = Marks { escape, comment: *comment, inline, ..anyhow(Marks::new(0, quote, newline)) };
                    let free = |(d, _): &&(u8, Tail)| ![quote, *comment, escape].contains(&Some(*d));
                    for (delimiter, tail) in delimiters.iter().filter(free) {
                        let marks = Marks { delimiter: *delimiter, tail: *tail, ..marks };
                        let blank = || quote.is_some_and(|q| has(&[&marks.delimits()[..], b" ", &[q]].concat()));
                        match said.spaced {
                            Some(spaced) => all.push(Marks { spaced, ..marks }),
                            None if *delimiter != b' ' && blank() => {
                                all.extend([marks, Marks { spaced: true, ..marks }])
                            }
                            None => all.push(marks),
                        }
                    }
                }
            }
        }
        all
    }

    /// The best cut; the first of equals.
    fn best(&self, said: &Said, usual: u8) -> Cut {
        let mut best: Option<(f64, Cut)> = None;
        for marks in self.candidates(said, usual) {
            let whole = self.cut(marks, said.skip.unwrap_or(0));
            let below = if said.skip.is_none() { self.below_preamble(&whole, said) } else { None };
            for cut in std::iter::once(whole).chain(below) {
                let score = self.score(&cut, said);
                if best.as_ref().is_none_or(|(known, _)| score > *known) {
                    best = Some((score, cut));
                }
            }
        }
        let plain = || self.cut(anyhow(Marks::new(usual, None, newline(self.text()))), 0);
        let best = best.map_or_else(plain, |(_, cut)| cut);
        self.without_quotes(&best, said).unwrap_or(best)
    }

    /// The same cut with quotes that have no meaning, where they hardly have one: some stand where none should, others
    /// have made one row of several lines, and without any all lines are alike.
    fn without_quotes(&self, cut: &Cut, said: &Said) -> Option<Cut> {
        let (_, fields) = *cut.rows.first()?;
        let doubtful = cut.loosely > 0 && cut.tall > 0 && fields > 1;
        if !doubtful || said.quote.is_some() || said.escape.is_some() {
            return None;
        }
        let bare = self.cut(Marks { quote: None, escape: None, spaced: false, ..cut.marks }, cut.skip);
        bare.rows.iter().all(|(_, n)| *n == fields).then_some(bare)
    }

    fn cut(&self, marks: Marks, skip: usize) -> Cut {
        let start = behind_lines(self.text(), skip, marks.newline);
        let mut found = Structure::default();
        let piece = Piece { start, end: self.len, stop: self.len, last: self.last, max_rows: ROWS, rows_only: false };
        let open = match found.scan(&self.bytes, &marks, piece) {
            Err(Broken::OpenQuote(at)) => self.lines(at),
            // Rows that the sample cuts off are no rows; but a quote may have swallowed them.
            _ if found.row_ends.len() < ROWS => {
                let rows = found.row_ends.len();
                let end = if rows == 0 { start } else { found.row_end(rows - 1) + 1 };
                self.lines(end)
            }
            _ => 0,
        };
        let (rows, comments) = (Vec::new(), Vec::new());
        let mut cut = Cut { marks, skip, rows, comments, loosely: found.loosely, tall: 0, open };
        let mut before = 0;
        for (r, end) in found.row_ends.iter().enumerate() {
            let (at, stop, fields) = (found.row_start(r), found.row_end(r), (end - before) as usize);
            before = *end;
            if marks.comment.is_some() && self.bytes.get(at).copied() == marks.comment {
                let line = self.bytes.get(at..stop).unwrap_or_default();
                cut.comments.push(marks.pieces(line));
            } else if !is_blank(&self.bytes, at, stop) {
                let text = self.bytes.get(at..stop).unwrap_or_default();
                cut.tall += usize::from(memchr::memchr(marks.newline, text).is_some());
                cut.rows.push((at, fields));
            }
        }
        cut
    }

    fn lines(&self, from: usize) -> usize {
        memchr::memchr_iter(b'\n', self.text().get(from..).unwrap_or_default()).count()
    }

    /// The same below lines that are no rows: all further ones have one number of fields, and the first names them.
    fn below_preamble(&self, cut: &Cut, said: &Said) -> Option<Cut> {
        let (_, fields) = *cut.rows.last()?;
        let alike = cut.rows.iter().rev().take_while(|(_, n)| *n == fields).count();
        let first = cut.rows.len() - alike;
        let (above, below) = cut.rows.split_at_checked(first)?;
        let shorter = above.iter().all(|(_, n)| *n < fields);
        if first == 0 || fields < 2 || alike < 2 || !shorter || said.header == Some(false) {
            return None;
        }
        let (at, _) = *below.first()?;
        let skip = memchr::memchr_iter(cut.marks.newline, self.text().get(..at)?).count();
        let below = Cut { skip, rows: below.to_vec(), ..cut.clone() };
        self.has_evidence(&below, above, at).then_some(below)
    }

    /// Whether what is above rows is surely none of them: the first row is a header by its types, or behind a blank line;
    /// or the lines above begin like comments.
    fn has_evidence(&self, below: &Cut, above: &[(usize, usize)], at: usize) -> bool {
        let rows = self.rows(below, 0);
        let Some((first, rest)) = rows.split_first() else { return false };
        let named = mostly_text(first) && first.iter().all(|f| !f.is_empty()) && is_unique(first);
        let before = self.text().get(..at).unwrap_or_default();
        let before = before.strip_suffix(b"\n").map(|b| b.strip_suffix(b"\r").unwrap_or(b));
        let blank = before.is_some_and(|b| b.last() == Some(&b'\n'));
        let sign = |(at, _): &(usize, usize)| matches!(self.bytes.get(*at), Some(b'#' | b'%' | b'/' | b';' | b'*'));
        let signs = !above.is_empty() && above.iter().all(sign);
        signs || (named && (blank || differs(first, rest, &Lexicon::default())))
    }

    /// The values of the rows, from the `from`-th on.
    fn rows(&self, cut: &Cut, from: usize) -> Vec<Texts> {
        let mut found = Structure::default();
        let mut rows = Vec::with_capacity(cut.rows.len());
        for (at, _) in cut.rows.iter().skip(from) {
            let piece =
                Piece { start: *at, end: self.len, stop: self.len, last: self.last, max_rows: 1, rows_only: false };
            let _ = found.scan(&self.bytes, &cut.marks, piece); // what is broken is the reader's to tell
            rows.push(fields(&self.bytes, &found, 0, &cut.marks));
        }
        rows
    }

    /// How well a cut fits: at most about 1; 0 where there is no second field.
    fn score(&self, cut: &Cut, said: &Said) -> f64 {
        let Some((_, first)) = cut.rows.first().copied().filter(|(_, n)| *n > 1) else { return self.single(cut) };
        let alike = cut.rows.iter().filter(|(_, n)| *n == first).count() as f64 / cut.rows.len() as f64;
        if alike < 0.5 || (self.is_swallowed(cut) && said.quote.is_none()) {
            return 0.0;
        }
        if said.delimiter.is_none() && RARE.contains(&cut.marks.delimiter) && !(alike == 1.0 && self.is_rare(cut)) {
            return 0.0;
        }
        let unusual = match cut.marks.quote {
            Some(b'\'') if said.quote.is_none() => {
                if self.is_wrapped(cut) {
                    0.02
                } else {
                    -1.0
                }
            }
            // Quotes that nobody reads stay in the text: only where there is no other way.
            None if said.quote.is_none() => -0.2,
            _ => 0.0,
        };
        let rare = if RARE.contains(&cut.marks.delimiter) { 0.03 } else { 0.0 };
        let loosely = if cut.loosely > 0 { 0.05 } else { 0.0 };
        let skipped = if cut.skip > 0 { 0.01 } else { 0.0 };
        let escaped = if cut.marks.escape.is_some() { 0.001 } else { 0.0 };
        let spaced = if cut.marks.spaced { 0.0005 } else { 0.0 };
        // A comment that could be a row is worse than anything but one column: the reader asks about it.
        let commented = match cut.marks.comment {
            None => 0.0,
            Some(_) if cut.comments.contains(&first) && said.comment.is_none() => 0.45,
            Some(_) => 0.001,
        };
        let penalty = rare + loosely + skipped + escaped + spaced + commented;
        (alike + first.min(1000) as f64 * 1e-5 + unusual - penalty).max(0.0)
    }

    /// One column: only better than nothing, and only where the quotes are sound.
    fn single(&self, cut: &Cut) -> f64 {
        let sound = cut.marks.quote == Some(b'"') && cut.loosely == 0 && cut.open < 3 && cut.marks.comment.is_none();
        if sound && cut.marks.escape.is_none() { 1e-6 } else { 0.0 }
    }

    /// Whether a quote that nobody closes has swallowed lines, rather than the sample having cut off a field.
    fn is_swallowed(&self, cut: &Cut) -> bool {
        cut.marks.quote.is_some() && cut.open >= 3 && cut.rows.len() < ROWS && {
            let whole = self.lines(0);
            self.last || cut.open * 2 > whole
        }
    }

    /// Whether a delimiter that is frequent in text makes columns: lines are no dates or times, and not all columns text.
    fn is_rare(&self, cut: &Cut) -> bool {
        let rows = self.rows(cut, 0);
        let named = rows.first().is_some_and(mostly_text);
        let control = cut.marks.delimiter < b' ';
        let lexicon = Lexicon::default();
        let line = |at: usize| {
            let rest = self.text().get(at..).unwrap_or_default();
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            lexicon.kind(rest.get(..end).unwrap_or_default()) == Kind::Text
        };
        let typed = |c: usize| {
            let kind = column_kind(rows.iter().skip(1), c, &lexicon);
            !matches!(kind, Kind::Null | Kind::Text)
        };
        let columns = rows.first().map_or(0, Vec::len);
        rows.len() > 1
            && (control || (named && cut.rows.iter().skip(1).all(|(at, _)| line(*at)) && (0..columns).any(typed)))
    }

    /// Whether some column has all its values in quotes.
    fn is_wrapped(&self, cut: &Cut) -> bool {
        let Some(quote) = cut.marks.quote else { return false };
        let raw = Cut { marks: Marks { quote: None, ..cut.marks }, ..cut.clone() };
        let rows = self.rows(&raw, 0);
        let wrapped = |f: &Vec<u8>| f.len() > 1 && f.first() == Some(&quote) && f.last() == Some(&quote);
        // A value with a delimiter in it falls apart without quotes: its pieces do not count.
        let first = |row: &Texts| row.first().is_some_and(wrapped);
        let last = |row: &Texts| row.last().is_some_and(wrapped);
        let columns = rows.first().map_or(0, Vec::len);
        let whole = |c: usize| rows.iter().skip(1).all(|row| row.get(c).is_some_and(wrapped));
        let begins = |row: &Texts| row.first().is_some_and(|f| f.first() == Some(&quote));
        let ends = |row: &Texts| row.last().is_some_and(|f| f.last() == Some(&quote));
        let some = rows.iter().skip(1).any(|row| row.iter().any(wrapped) || (begins(row) && ends(row)));
        some && rows.len() > 1
            && ((0..columns).any(whole)
                || rows.iter().skip(1).all(|row| first(row) || begins(row))
                || rows.iter().skip(1).all(|row| last(row) || ends(row)))
    }
}

/// The marks for a first look: quotes as they come, whatever stands around them.
fn anyhow(marks: Marks) -> Marks {
    Marks { loose: true, joins: true, ..marks }
}

/// What ends lines.
pub(super) fn newline(text: &[u8]) -> u8 {
    if !text.contains(&b'\n') && text.contains(&b'\r') { b'\r' } else { b'\n' }
}

/// The place behind `skip` lines.
pub(super) fn behind_lines(text: &[u8], skip: usize, newline: u8) -> usize {
    match skip.checked_sub(1) {
        None => 0,
        Some(last) => memchr::memchr_iter(newline, text).nth(last).map_or(text.len(), |at| at + 1),
    }
}

/// The values of the fields of row `r`.
pub(super) fn fields(bytes: &[u8], found: &Structure, r: usize, marks: &Marks) -> Texts {
    let before = r.checked_sub(1).and_then(|r| found.row_ends.get(r)).copied().unwrap_or(0) as usize;
    let Some(end) = found.row_ends.get(r).map(|e| *e as usize) else { return Vec::new() };
    let mut spans = found.spans.get(before..=end).unwrap_or_default();
    if let (Some(mark), true, [.., last, _]) = (marks.comment, marks.inline, spans)
        && spans.len() > 2
        && bytes.get((*last as usize).saturating_sub(1)) == Some(&mark)
    {
        spans = spans.split_last().map_or(spans, |(_, rest)| rest);
    }
    let loose = anyhow(*marks);
    let last = spans.len().saturating_sub(2);
    let field = |(n, w): (usize, &[u32])| match w {
        [a, b] => {
            let width = if n == last { 1 } else { marks.width() };
            let (mut begin, mut end) = (*a as usize, (*b as usize).saturating_sub(width));
            if marks.newline == b'\n' && end > begin && bytes.get(end - 1) == Some(&b'\r') {
                end -= 1;
            }
            if let (Some(quote), true) = (marks.quote, marks.spaced) {
                (begin, end) = unspaced(bytes, begin, end, quote);
            }
            let text = bytes.get(begin..end).unwrap_or_default();
            unquote(text, &loose, true).map(|v| v.into_owned()).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    spans.windows(2).enumerate().map(field).collect()
}

/// Whether the first row names columns: all its fields are texts, different, not empty, and nothing below says otherwise; or
/// it is text above other types. With names given, it does where it is those names.
fn is_header(rows: &[Texts], given: Option<&[String]>, lexicon: &Lexicon) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    if let Some(names) = given {
        let same =
            !names.is_empty() && first.len() >= names.len() && first.iter().zip(names).all(|(a, b)| a == b.as_bytes());
        return same || (mostly_text(first) && differs(first, rest, lexicon));
    }
    let all_text = first.iter().all(|f| !f.is_empty() && lexicon.kind(f) == Kind::Text);
    if mostly_text(first) && differs(first, rest, lexicon) {
        return true;
    }
    all_text && is_unique(first) && !is_repeated(first, rest)
}

/// Whether every field of the first row stands again below it, in other rows than a repeated header: then it is a row.
fn is_repeated(first: &Texts, rest: &[Texts]) -> bool {
    let again = |c: usize| {
        let others = rest.iter().filter(|row| *row != first);
        others.filter_map(|row| row.get(c)).any(|f| Some(f) == first.get(c))
    };
    !first.is_empty() && (0..first.len()).all(again)
}

fn is_unique(first: &Texts) -> bool {
    first.iter().enumerate().all(|(i, f)| !first.iter().take(i).any(|g| g == f))
}

fn mostly_text(first: &Texts) -> bool {
    first.iter().all(|f| f.is_empty() || Kind::of(f) == Kind::Text)
}

/// Whether a column is text only in the first row.
fn differs(first: &Texts, rest: &[Texts], lexicon: &Lexicon) -> bool {
    (0..first.len()).any(|c| {
        let kind = column_kind(rest.iter(), c, lexicon);
        let name = first.get(c).filter(|f| !f.is_empty() && !lexicon.is_marker(f) && !lexicon.is_null(f));
        name.is_some() && !matches!(kind, Kind::Null | Kind::Text)
    })
}

fn column_kind<'r>(rows: impl Iterator<Item = &'r Texts>, column: usize, lexicon: &Lexicon) -> Kind {
    let values = rows.filter_map(|row| row.get(column));
    let values = values.filter(|f| !f.is_empty() && !lexicon.is_null(f) && !lexicon.is_marker(f));
    values.map(|f| lexicon.kind(f)).fold(Kind::Null, Kind::join)
}

/// Whether a column has only numbers, some of them with a comma that cannot be one of thousands, and no column has numbers
/// with a point.
fn has_decimal_commas(rows: &[Texts]) -> bool {
    let (plain, german) = (Lexicon::default(), Lexicon { decimal: b',', ..Lexicon::default() });
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut found = false;
    for c in 0..columns {
        let values =
            || rows.iter().skip(1).filter_map(|row| row.get(c)).filter(|f| !f.is_empty() && !plain.is_marker(f));
        if values().any(|f| f.contains(&b'.') && plain.kind(f) == Kind::Float) {
            return false;
        }
        let fraction = |f: &Vec<u8>| f.iter().rposition(|b| *b == b',').map(|at| f.len() - at - 1);
        let numbers = values().all(|f| matches!(german.kind(f), Kind::Int | Kind::Float | Kind::Decimal));
        found |= numbers && values().any(|f| fraction(f).is_some_and(|digits| digits != 3));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        sniff(text.as_bytes(), true, &Said::default(), b',')
    }

    /// Delimiter, columns, header, skip.
    fn told(text: &str) -> (char, usize, bool, usize) {
        let f = found(text);
        (f.marks.delimiter as char, f.columns, f.header, f.skip)
    }

    #[test]
    fn delimiters() {
        let cases: [(&str, char, usize); 23] = [
            ("a,b\n1,2\n", ',', 2),
            ("a;b\n1,5;2,5\n3,5;4,5\n", ';', 2),
            ("a|b|c\n1|2|3\n", '|', 3),
            ("a\tb\nx y\tz\n", '\t', 2),
            ("Stationx;76.7\nStationy;-3.0\n", ';', 2),
            ("c0\nv0\na;b\n", ',', 1),
            ("a,b\n\"x;y;z\",1\n\"x;y;z\",2\n", ',', 2),
            ("a,b\r\n1,2\r\n", ',', 2),
            ("a,b\r1,2\r", ',', 2),
            ("n:v\nx:1\ny:2\n", ':', 2),
            ("n v\nx 1\ny 2\n", ' ', 2),
            ("n~v\nx~1\ny~2\n", '~', 2),
            ("n^v^w\nx^1^a\ny^2^b\n", '^', 3),
            ("n\u{1f}v\nx\u{1f}a\n", '\u{1f}', 2),
            ("10:00:00\n11:30:00\n", ',', 1),
            ("t\n2024-01-01 10:00:00\n2024-01-01 11:00:00\n", ',', 1),
            ("2024-01-01 10:00:00\n2024-01-01 11:00:00\n", ',', 1),
            ("some words here\nand some more\n", ',', 1),
            ("http://a.org\nhttp://b.org\n", ',', 1),
            ("a b c;d\n1 2 3;4\n", ';', 2),
            ("x\n", ',', 1),
            ("", ',', 0),
            ("2024/01/31\n2024/02/01\n", ',', 1),
        ];
        for (text, delimiter, columns) in cases {
            let f = found(text);
            assert_eq!((f.marks.delimiter as char, f.columns), (delimiter, columns), "{text:?}");
        }
    }

    #[test]
    fn headers_by_types_and_by_look() {
        let header = |text: &str| found(text).header;
        assert!(header("a,b\n1,2\n") && header("name,city\nann,rome\n") && header("a,\n1,2\n"));
        assert!(!header("1,2\n3,4\n") && !header("x;76.7\ny;-3.0\n") && !header("a,a\nb,c\n"));
        assert!(!header("ann,rome\nbob,paris\nann,oslo\ncy,rome\n"), "the first row's values come again");
        assert!(header("a,b\nx,y\na,b\nz,w\n"), "a header may stand again");
        assert!(header("id,when\n1,NA\nNA,2024-01-01\n"), "what is null has no type");
        assert!(!header("NA,1\n2,3\n"));
        let names = vec!["who".to_string(), "n".to_string()];
        let said = Said { names: Some(names), ..Said::default() };
        assert!(!sniff(b"ann,bob\ncy,dee\n", true, &said, b',').header);
        assert!(sniff(b"who,n\ncy,dee\n", true, &said, b',').header);
    }

    #[test]
    fn quotes_and_escapes() {
        let marks = |text: &str| {
            let m = found(text).marks;
            (m.quote.map(char::from), m.escape.map(char::from), m.delimiter as char, m.loose)
        };
        assert_eq!(marks("a,b\n\"x\",1\n"), (Some('"'), None, ',', false));
        assert_eq!(marks("a,b\n'x,y',1\n'z',2\n"), (Some('\''), None, ',', false));
        assert_eq!(marks("a;b\n1;'x;y'\n2;'z'\n"), (Some('\''), None, ';', false));
        assert_eq!(marks("a,b\n'tis,1\nit's,2\n"), (Some('"'), None, ',', false));
        assert_eq!(marks("a,b\n\"x \\\"y\\\", z\",1\n\"w\",2\n"), (Some('"'), Some('\\'), ',', true));
        assert_eq!(
            marks("a,b\n\"x\\\",1\n\"y\",2\n"),
            (Some('"'), None, ',', false),
            "a path that ends with a backslash"
        );
        assert_eq!(marks("a,b\n12\" pipe,1\n\"x,y\",2\n"), (Some('"'), None, ',', true));
        assert_eq!(marks("a,b\n\"x\"y,1\nz,2\n"), (Some('"'), None, ',', true));
        assert_eq!(marks("a\tb\n\"x\t1\ny\t2\nz\t3\nw\t4\n"), (None, None, '\t', false), "a quote that nobody closes");
        assert_eq!(marks("a,b\n1,\"x\n").0, Some('"'), "a file that is cut off");
        let titles = "n\tt\n0\t\"\n0\t\"!\"\n0\t\"\"\"\n0\t\"a\"_b\n1\t\"c\n";
        assert_eq!(marks(titles), (None, None, '\t', false), "titles that begin with quotes");
        assert_eq!(marks("a,b\n\"x\ny\",1\nz\" w,2\n"), (Some('"'), None, ',', true), "a value of two lines");
    }

    #[test]
    fn quotes_behind_blanks() {
        let spaced = |text: &str| {
            let f = found(text);
            (f.marks.spaced, f.columns)
        };
        assert_eq!(spaced("a, b\n1, \"x,y\"\n2, \"z\"\n"), (true, 2));
        assert_eq!(spaced("a, b\n1, x\n2, y\n"), (false, 2));
        assert_eq!(spaced("a,b\n1,\"x, \"\"y\"\"\"\n2,z\n"), (false, 2));
        let said = Said { spaced: Some(false), ..Said::default() };
        assert!(!sniff(b"a, b\n1, \"xy\"\n2, \"z\"\n", true, &said, b',').marks.spaced);
        let said = Said { escape: Some(Some(b'"')), ..Said::default() };
        let doubled = sniff(b"1;\"a \"b\" c\"\n2;\"d\"\n", true, &said, b',');
        assert_eq!((doubled.marks.quote, doubled.marks.escape, doubled.columns), (Some(b'"'), None, 2));
    }

    #[test]
    fn comments_and_preambles() {
        let comment = |text: &str| found(text).marks.comment;
        assert_eq!(comment("# made today\na,b\n1,2\n# more\n3,4\n"), Some(b'#'));
        assert_eq!(comment("#a,b\n1,2\n"), None, "a header");
        assert_eq!(comment("a,b\n#1,x\n#2,y\n"), None, "rows");
        assert_eq!(comment("# made\na;b\n# x\n1;3\n# 20;7\n6;7\n"), Some(b'#'), "the reader asks about the last one");
        assert_eq!(told("Report\nof 2024\n\na,b\n1,2\n3,4\n"), (',', 2, true, 3));
        assert_eq!(told("Report, made by me\n\na;b;c\n1;2;x\n3;4;y\n"), (';', 3, true, 2));
        assert_eq!(told("% x\n% y\na,b,c\nx,y,z\n"), (',', 3, true, 2));
        assert_eq!(told("a,b\n1,2,3\n4,5,6\n").3, 0, "a short header is no preamble");
        assert_eq!(told("x\ny\n1,2\n3,4\n").3, 0, "without evidence");
        assert_eq!(told("a\nb\nc,d\ne,f\n").3, 0, "prose with commas");
    }

    #[test]
    fn decimal_commas() {
        let decimal = |text: &str| char::from(found(text).decimal);
        assert_eq!(decimal("a;b\n1,5;x\n22,75;y\n"), ',');
        assert_eq!(decimal("a;b\n1,500;x\n2,750;y\n"), '.', "they could be thousands");
        assert_eq!(decimal("a;b\n1,5;0.5\n2,5;1.5\n"), '.', "the other column has points");
        assert_eq!(decimal("a;b\n1,5;x\nx;y\n"), '.');
        assert_eq!(decimal("a\tb\n1,5\tx\n\ty\n-2,5\tz\n"), ',');
    }

    #[test]
    fn how_dates_are_written() {
        let told = |text: &str| found(text).dates.map(|p| p.text);
        let some = |text: &str| Some(text.to_string());
        assert_eq!(told("d,x\n31/01/2024,1\n01/02/2024,1\n"), some("%d/%m/%Y"));
        assert_eq!(told("d,x\n01/31/2024,1\nNA,1\n,1\n"), some("%m/%d/%Y"));
        assert_eq!(told("d;e\n1.2.2024;02.03.2024\n"), some("%d.%m.%Y"));
        assert_eq!(told("d,x\n2024/01/02,1\n"), some("%Y/%m/%d"));
        assert_eq!(told("d,e\n31/01/2024,01/31/2024\n"), None, "two ways");
        assert_eq!(told("d,e\n31/01/2024,2024-01-31\n"), None, "and ISO");
        assert_eq!(told("d,x\n01/02/2024,1\n03/04/2024,1\n"), None, "it could be either");
        assert_eq!(told("d,x\n31/01/2024,1\nnever,1\n"), None);
        assert!(found("d,e\n31/01/2024,28/02/2024\n01/01/2024,01/02/2024\n").header);
    }

    proptest::proptest! {
        #[test]
        fn anything_is_told_and_the_same_again(text in "[a1,;\"'#\n\r\\\\ |]{0,120}", last: bool) {
            let (a, b) = (sniff(text.as_bytes(), last, &Said::default(), b','), sniff(text.as_bytes(), last, &Said::default(), b','));
            assert_eq!(format!("{a:?}"), format!("{b:?}"));
        }
    }
}
