//! The types of the columns and what is known of the rows, from samples or (`infer => 'full'`) from everything.

use super::dialect::{BARE, Dialect, LOOSE, WHOLE, behind_skipped};
use super::footer::{self, end_without};
use super::options::{Ragged, Sampled};
use super::rows::{Rows, unquote};
use super::structure::{Broken, Piece, Structure};
use crate::error::Result;
use crate::formats::faults::OnError;
use crate::formats::sample::{Sample, samples};
use crate::formats::text::{Declared, Distinct, Growth, base_type, longest_of, pass_line};
use crate::formats::values::Kind;
use crate::formats::{ColumnStats, FileRef, TableDef, TableStats};
use crate::io::{Compression, Spares, Window};
use crate::memory::Budget;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of decompressed text for each byte of a compressed file, about.
const INFLATION: u64 = 5;

/// Bytes that are brought into memory at a time.
const WINDOW: usize = 1 << 20;

/// Tells schema and statistics.
///
/// # Errors
/// As [`Dialect::of`]; a type that is declared for no column, or does not exist.
pub(super) fn inspect(def: &TableDef, files: &[FileRef], budget: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
    let mut dialect = Dialect::of(def, files)?;
    let declared = Declared::of(def)?;
    declared.check(&dialect.names)?;
    let mut settled = BTreeMap::new();
    let lenient = OnError::of(&def.options)?.is_lenient();
    let mut told = seen(&dialect, files, lenient, budget)?;
    if told.strays {
        dialect.loosen();
        settled.insert(LOOSE.0.to_string(), LOOSE.1.to_string());
        told = seen(&dialect, files, lenient, budget)?;
    }
    if told.swallowed
        && let Some(bare) = dialect.bare()
        && let Some(other) = seen_bare(&dialect, &bare, files, budget)?
    {
        settled = BTreeMap::from([(BARE.0.to_string(), BARE.1.to_string())]);
        (dialect, told) = (bare, other);
    }
    if told.broken {
        settled.insert(WHOLE.0.to_string(), WHOLE.1.to_string());
    }
    let (kinds, mut stats) = (told.kinds, told.stats);
    stats.settled = settled;
    let field = |(c, name): (usize, &String)| -> Result<Field> {
        let kind = kinds.get(c).copied().unwrap_or_default();
        let guessed = if dialect.said.all_text { DataType::Utf8View } else { kind.data_type() };
        let data_type = match declared.get(c, name) {
            Some(DataType::Utf8 | DataType::LargeUtf8) => DataType::Utf8View,
            Some(declared) => declared.clone(),
            None => guessed,
        };
        base_type(&data_type)?;
        Ok(Field::new(name, data_type, true))
    };
    let fields: Vec<Field> = dialect.names.iter().enumerate().map(field).collect::<Result<_>>()?;
    Ok((Arc::new(Schema::new(fields)), stats))
}

/// What was seen of the files.
struct Told {
    /// The kinds of the columns.
    kinds: Vec<Kind>,
    stats: TableStats,
    /// Whether everything was read and has quotes where none should be, which nobody said.
    strays: bool,
    /// Whether everything was read and has quotes that are wrong, so that rows are left out.
    broken: bool,
    /// Whether everything was read, and a quote has swallowed lines.
    swallowed: bool,
}

/// What is seen where quotes have no meaning; `None` where they have one after all: not all rows have as many fields as there
/// are columns then, or some field is in quotes.
fn seen_bare(quoting: &Dialect, bare: &Dialect, files: &[FileRef], budget: Option<&Budget>) -> Result<Option<Told>> {
    let mut seen = Seen::new(bare, budget);
    seen.watched = quoting.marks.quote;
    for file in files {
        if !seen.whole(file)? || seen.wrapped {
            return Ok(None);
        }
    }
    let mut told = self::seen(bare, files, false, budget)?;
    told.kinds = seen.kinds;
    Ok(Some(told))
}

fn seen(dialect: &Dialect, files: &[FileRef], lenient: bool, budget: Option<&Budget>) -> Result<Told> {
    let mut seen = Seen::new(dialect, budget);
    seen.lenient = lenient;
    match dialect.said.sampled {
        Sampled::Rows(rows) => seen.first_rows(files, rows)?,
        _ => {
            for sample in samples(files)? {
                seen.sample(&sample)?;
            }
        }
    }
    let stats = seen.stats(files);
    if dialect.is_full() {
        seen.settled = lenient;
        for file in files {
            seen.whole(file)?;
        }
    }
    let Seen { kinds, strays, broken, swallowed, .. } = seen;
    Ok(Told { kinds, stats, strays, broken, swallowed })
}

/// What was seen of the columns.
struct Seen<'a> {
    dialect: &'a Dialect,
    budget: Option<&'a Budget>,
    kinds: Vec<Kind>,
    distinct: Vec<Distinct>,
    rows: u64,
    bytes: u64,
    found: Structure,
    /// Whether rows that cannot be read are left out.
    lenient: bool,
    /// Whether a value that would make a column text is left out.
    settled: bool,
    /// Most rows that are taken.
    most: usize,
    /// Whether all is read, and a quote stands where none should.
    strays: bool,
    /// Whether all is read, and a quote is wrong, whatever the dialect.
    broken: bool,
    /// Whether all is read, and a quote has swallowed lines.
    swallowed: bool,
    /// A byte that has no meaning; whether it is around some field all the same.
    watched: Option<u8>,
    wrapped: bool,
}

impl<'a> Seen<'a> {
    fn new(dialect: &'a Dialect, budget: Option<&'a Budget>) -> Self {
        let columns = dialect.names.len();
        let distinct = (0..columns).map(|_| Distinct::default()).collect();
        let kinds = vec![Kind::Null; columns];
        Seen {
            dialect,
            budget,
            kinds,
            distinct,
            rows: 0,
            bytes: 0,
            found: Structure::default(),
            lenient: false,
            settled: false,
            most: usize::MAX,
            strays: false,
            broken: false,
            swallowed: false,
            watched: None,
            wrapped: false,
        }
    }

    /// Takes the first rows of the first file that has any.
    fn first_rows(&mut self, files: &[FileRef], rows: usize) -> Result<()> {
        let Some(file) = files.iter().find(|f| !f.is_empty()) else { return Ok(()) };
        self.most = rows;
        self.whole(file)?;
        (self.most, self.strays, self.broken, self.swallowed) = (usize::MAX, false, false, false);
        Ok(())
    }

    /// Takes a piece of a file. One from the middle may begin inside quotes: it is used only if its rows come out right
    /// one way or the other.
    fn sample(&mut self, sample: &Sample) -> Result<()> {
        let marks = self.dialect.marks;
        let end = match sample.last {
            true => end_without(sample.bytes(), &self.dialect.said, marks.newline),
            false => sample.len,
        };
        let piece = |start: usize| Piece {
            start: start.min(end),
            end,
            stop: end,
            last: sample.last,
            max_rows: usize::MAX,
            rows_only: false,
        };
        if sample.first {
            let start = behind_skipped(sample.bytes(), self.dialect.skip, marks.newline);
            self.take(&sample.bytes, piece(start), usize::from(self.dialect.header), true);
            return Ok(());
        }
        let after = |from: usize| {
            let rest = sample.bytes().get(from..).unwrap_or_default();
            memchr::memchr(marks.newline, rest).map_or(sample.len, |n| from + n + 1)
        };
        let outside = after(0);
        if !self.take(&sample.bytes, piece(outside), 0, true)
            && let Some(at) = marks.quote.and_then(|q| memchr::memchr(q, sample.bytes()))
        {
            self.take(&sample.bytes, piece(after(at + 1)), 0, true);
        }
        Ok(())
    }

    /// Takes the rows of a piece, but for the first `skip`; false where they do not fit the columns.
    fn take(&mut self, bytes: &[u8], piece: Piece, skip: usize, count: bool) -> bool {
        let (mut found, mut spare) = (std::mem::take(&mut self.found), Vec::new());
        let ok = found.scan(bytes, &self.dialect.marks, piece).is_ok() || (self.lenient && !found.row_ends.is_empty());
        let shape = self.dialect.shape();
        let rows = match self.lenient || shape.ragged == Ragged::Reject {
            true => Ok(Rows::regular(bytes, &found, &mut spare, &shape, &mut |_| ())),
            false => Rows::new(bytes, &found, &mut spare, &shape),
        };
        let fits = ok && rows.is_ok();
        if let (true, Ok(mut rows)) = (ok, rows) {
            rows.truncate(self.most.saturating_add(skip));
            self.most = self.most.saturating_sub(rows.len().saturating_sub(skip));
            self.watch(&rows);
            self.rows(&rows, skip, count);
        }
        if fits && count && !found.row_ends.is_empty() {
            self.bytes += (found.row_end(found.row_ends.len() - 1) + 1 - piece.start) as u64;
        }
        self.found = found;
        fits
    }

    /// Looks for fields in quotes that have no meaning, the header's too.
    fn watch(&mut self, rows: &Rows<'_>) {
        let Some(quote) = self.watched else { return };
        let columns = self.dialect.names.len();
        let wrapped = |text: &[u8]| text.len() > 1 && text.first() == Some(&quote) && text.last() == Some(&quote);
        self.wrapped |= (0..rows.len()).any(|r| (0..columns).any(|c| wrapped(rows.text(r, c).trim_ascii())));
    }

    fn rows(&mut self, rows: &Rows<'_>, skip: usize, count: bool) {
        let (marks, lexicon) = (&self.dialect.marks, &self.dialect.lexicon);
        for (c, (kind, distinct)) in self.kinds.iter_mut().zip(&mut self.distinct).enumerate() {
            for r in skip..rows.len() {
                let text = rows.text(r, c);
                if count {
                    distinct.add(text);
                }
                if *kind == Kind::Text || text.is_empty() || lexicon.is_null(text) || lexicon.is_marker(text) {
                    continue;
                }
                let value = unquote(text, marks, true).unwrap_or(text.into());
                let quoted = text.first() == marks.quote.as_ref();
                if !(value.is_empty() || quoted && lexicon.is_quoted_null(&value)) {
                    let joined = kind.join(lexicon.kind(&value));
                    if !self.settled || joined != Kind::Text || *kind == Kind::Null {
                        *kind = joined;
                    }
                }
            }
        }
        if count {
            self.rows += rows.len().saturating_sub(skip) as u64;
        }
    }

    /// Takes all rows of a file; false where it cannot go on. What is broken is left to the reader, which tells the place.
    fn whole(&mut self, file: &FileRef) -> Result<bool> {
        let footer = footer::begin_of(file, &self.dialect.said, self.dialect.marks.newline)?;
        let mut window = Window::whole(file, Spares::default())?;
        let mut growth = Growth::new(self.budget, 2 * WINDOW);
        let longest = longest_of(self.dialect.said.longest, self.budget);
        let mut skip = usize::from(self.dialect.header);
        window.refill(WINDOW)?;
        window.advance_to(behind_skipped(window.rest(), self.dialect.skip, self.dialect.marks.newline));
        loop {
            window.refill(WINDOW)?;
            let (start, end) = (window.pos(), window.place(footer));
            let last = window.is_last() || window.offset(end) >= footer;
            if start >= end && last {
                return Ok(true);
            }
            let piece = Piece { start, end, stop: end, last, max_rows: usize::MAX, rows_only: false };
            if !self.take(window.bytes(), piece, skip, false) {
                let scanned = self.found.scan(window.bytes(), &self.dialect.marks, piece);
                let stray = scanned.is_err_and(|broken| self.dialect.may_be_loose(broken));
                self.strays |= stray;
                self.broken |= scanned.is_err() && !stray;
                self.swallowed |= matches!(scanned, Err(Broken::Swallowed(..)));
                let line = memchr::memchr(self.dialect.marks.newline, window.rest());
                let Some(n) = line.filter(|_| self.lenient && !stray) else { return Ok(false) };
                window.advance_to(start + n + 1);
                continue;
            }
            if self.most == 0 {
                return Ok(true);
            }
            let rows = self.found.row_ends.len();
            if rows == 0 && window.rest().len() > longest {
                // The reader tells of it, or leaves it out.
                if !self.lenient || !pass_line(&mut window, self.dialect.marks.newline)? {
                    return Ok(false);
                }
                continue;
            }
            if rows == 0 {
                if !growth.overshoot(&mut window, 0, file)? && (last || window.rest().is_empty()) {
                    return Ok(true);
                }
                continue;
            }
            skip = 0;
            window.advance_to(self.found.row_end(rows - 1) + 1);
        }
    }

    fn stats(&self, files: &[FileRef]) -> TableStats {
        let mut bytes = 0;
        let mut text = 0;
        for file in files {
            bytes += file.size;
            let packed = !matches!(Compression::of_name(&file.path).0, Compression::None);
            text += if packed { file.size * INFLATION } else { file.size };
        }
        let rows = (self.bytes > 0).then(|| (text as f64 * self.rows as f64 / self.bytes as f64) as u64);
        let column = |(distinct, kind): (&Distinct, &Kind)| ColumnStats {
            distinct: distinct.guess(rows.unwrap_or(0)),
            unseen: *kind == Kind::Null,
            ..ColumnStats::default()
        };
        let columns = self.distinct.iter().zip(&self.kinds).map(column).collect();
        TableStats { rows, bytes, columns, settled: BTreeMap::new() }
    }
}
