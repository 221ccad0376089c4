//! The options of read_csv: one table, which the parser asks and docs/formats.md prints; and what was said by them.

use super::lexicon::Pattern;
use super::structure::{MOST, Tail};
use crate::error::{Error, Result};
use crate::formats::faults::OnError;
use crate::formats::options::{self, Given, Row};
use std::collections::BTreeMap;

const fn row(names: &'static [&'static str], takes: &'static str, does: &'static str) -> Row {
    Row { names, takes, does }
}

/// Every option there is, but for those of any table over files.
pub(in crate::formats) static READING: &[Row] = &[
    row(
        &["delimiter", "delim", "sep", "separator"],
        "a text of up to 8 bytes, `tab`, `auto`",
        "What separates fields. Found: `,` `;` `|`, tab, and where every line agrees `:` `~` `^`, space and the control \
         characters 1, 30, 31. Delimiters of several characters (`||`) are not looked for.",
    ),
    row(
        &["quote", "quotechar", "quote_char"],
        "a character, `''` for none, `auto`",
        "What quotes fields. Found: `\"`, `'`, none.",
    ),
    row(
        &["escape", "escapechar"],
        "a character, `''`, `auto`",
        "What stands before a quote in a quoted field, beside the quote itself; where nothing quotes, before any character. \
         Found: `\\`, none.",
    ),
    row(
        &["comment", "comment_prefix"],
        "a character, `''` for none, `auto`",
        "What begins a comment, at the beginning of a line or behind fields. Found: `#` at the beginning of lines that have \
         another number of fields than the rows.",
    ),
    row(
        &["header", "has_header"],
        "`true`, `false`, `auto`",
        "Whether the first row names the columns. Found: by types (text above numbers) and by look.",
    ),
    row(
        &["skip", "skip_rows", "skiprows"],
        "a number",
        "Lines before everything else that are skipped. Found: lines above a header, where the rows below it are alike.",
    ),
    row(
        &["skip_footer", "skipfooter"],
        "a number",
        "Lines at the end of each file that are skipped. Not of compressed files.",
    ),
    row(
        &["new_line", "lineterminator", "eol_char"],
        "`\\n`, `\\r\\n`, `\\r`, `auto`",
        "What ends lines. Found: `\\n`, with or without `\\r`; `\\r` where there is no `\\n`.",
    ),
    row(
        &["decimal_separator", "decimal"],
        "`.`, `,`, `auto`",
        "What separates the fraction of a number. Found: `,` where the delimiter is another and a column has no other numbers.",
    ),
    row(&["thousands"], "a character", "What separates groups of three digits in numbers. None, if it is not said."),
    row(
        &["on_error"],
        "`fail`, `null`, `reject`",
        "What becomes of rows that cannot be read and values that are not of their type: an error, a null in the value's \
         place, or a row that is left out and told by `FROM rejects()`.",
    ),
    row(&["ignore_errors"], "`true`, `false`", "True is `on_error => 'reject'`."),
    row(&["store_rejects"], "`true`, `false`", "True is `on_error => 'reject'`."),
    row(
        &["auto_detect"],
        "`true`, `false`",
        "Whether to look at the file. If not: `,`, `\"`, no header, no lines to skip, and all columns are text.",
    ),
    row(
        &["strict_mode"],
        "`true`, `false`, `auto`",
        "Whether a quote in the middle of a field, or text behind a closing quote, is an error. If not, they are read as \
         spreadsheets do: such a quote is text. `auto` is that, too, within a line: where it is noticed late, the query \
         starts over. Text behind the closing quote of a field of several lines means that a quote has swallowed lines: \
         then quotes have no meaning, if all rows are sound without and no field is in quotes; else it is an error.",
    ),
    row(&["names", "column_names", "new_columns"], "a list", "The names of the columns, from the first on."),
    row(
        &["types", "dtypes", "dtype", "column_types", "schema_overrides"],
        "a map from names to types, or a list",
        "Types of columns. They are never widened: a value that does not fit is an error.",
    ),
    row(&["columns", "schema"], "a map from names to types", "The names and types of all columns."),
    row(
        &["all_varchar", "all_text"],
        "`true`, `false`",
        "Whether all columns are text, but for those whose types are declared.",
    ),
    row(
        &["nullstr", "nulls", "null", "null_values", "na_values"],
        "a text, or a list",
        "Texts that are null, in all columns. An empty field always is. Without this option `NULL`, `null`, `NA`, `N/A`, \
         `n/a`, `#N/A`, `<NA>` and `\\N` are null where a column has numbers, dates, times or booleans otherwise; in columns \
         of text they stay text. A list without items turns that off.",
    ),
    row(
        &["allow_quoted_nulls"],
        "`true`, `false`",
        "Whether the texts of `nullstr` are null in quotes, too. Without it they are, but `\"\"` is an empty text.",
    ),
    row(
        &["skip_initial_space", "skipinitialspace"],
        "`true`, `false`, `auto`",
        "Whether blanks before a field are not of it, so that quotes behind them quote. Found: where quotes stand behind blanks.",
    ),
    row(
        &["true_values"],
        "a text, or a list",
        "Texts that are true, beside `true`. Where a column is declared to be boolean, `t`, `yes`, `y` and `1` are, too.",
    ),
    row(&["false_values"], "a text, or a list", "The same of what is false."),
    row(&["force_not_null"], "a list of names", "Columns of text whose empty fields, and nulls, are texts."),
    row(
        &["dateformat", "date_format"],
        "as `%d/%m/%Y`",
        "How dates are written. Without it: `2024-01-31`. Dates that could be read in two ways are text.",
    ),
    row(&["timestampformat", "timestamp_format"], "as `%d/%m/%Y %H:%M`", "How timestamps are written."),
    row(
        &["sample_size", "sample", "infer_schema_length"],
        "a number of rows, -1 for all",
        "How many rows the types are guessed from. Without it: those of 1 MiB, from the beginning, middle and end of up to \
         8 files.",
    ),
    row(&["infer"], "`sample`, `full`", "`full` reads everything before the types are told, as `sample_size => -1`."),
    row(&["limit", "nrows", "n_rows"], "a number", "At most so many rows of each file."),
    row(
        &["ragged"],
        "`error`, `pad`, `truncate`, `reject`",
        "Rows of another length. `pad`: what a short row lacks is null; one that is longer than the header (without one: \
         than the longest in the head of the file) is an error. `truncate`: that, and what a long row has too much is dropped. \
         `reject`: such rows are left out and told by `FROM rejects()`.",
    ),
    row(&["null_padding"], "`true`, `false`", "As `ragged => 'pad'`."),
    row(&["truncate_ragged_lines"], "`true`, `false`", "As `ragged => 'truncate'`."),
    row(&["normalize_names"], "`true`, `false`", "Whether names are made of lower-case letters, digits and `_` only."),
    row(
        &["max_line_size", "maximum_line_size"],
        "bytes",
        "The longest record; a longer one is an error. An eighth of the memory limit, if it is not said; a quarter at most.",
    ),
    row(&["parallel"], "`true`, `false`", "Whether a file is cut, if its dialect lets it be."),
    row(&["buffer_size"], "bytes", "Taken and without effect: buffers are sized by the budget."),
];

/// What becomes of rows of another length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ragged {
    #[default]
    Error,
    /// Short ones are filled with nulls.
    Pad,
    /// Short ones are filled, long ones cut.
    Truncate,
    /// They are left out, and told.
    Reject,
}

impl Ragged {
    /// Whether all rows that come out have the length that the file's first one has.
    pub(super) fn is_even(self) -> bool {
        matches!(self, Ragged::Error | Ragged::Reject)
    }
}

/// How many rows types are guessed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sampled {
    /// Pieces of several files.
    #[default]
    Pieces,
    /// The first rows of the first file.
    Rows(usize),
    /// Everything.
    All,
}

/// What the user said. `None` is to be found.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) delimiter: Option<(u8, Tail)>,
    pub(super) quote: Option<Option<u8>>,
    pub(super) escape: Option<Option<u8>>,
    pub(super) comment: Option<Option<u8>>,
    pub(super) newline: Option<u8>,
    pub(super) skip: Option<usize>,
    pub(super) footer: usize,
    pub(super) header: Option<bool>,
    pub(super) decimal: Option<u8>,
    pub(super) strict: Option<bool>,
    pub(super) thousands: Option<u8>,
    pub(super) names: Option<Vec<String>>,
    pub(super) nulls: Option<Vec<Vec<u8>>>,
    pub(super) quoted_nulls: Option<bool>,
    /// Whether what cannot be read is left out.
    pub(super) lenient: bool,
    pub(super) truths: [Vec<Vec<u8>>; 2],
    pub(super) spaced: Option<bool>,
    pub(super) keep_empty: Vec<String>,
    pub(super) dates: Option<Pattern>,
    pub(super) timestamps: Option<Pattern>,
    pub(super) ragged: Ragged,
    pub(super) limit: Option<u64>,
    /// The longest record in bytes, where that is said.
    pub(super) longest: Option<usize>,
    pub(super) normalize: bool,
    pub(super) all_text: bool,
    /// Whether a file is not to be cut.
    pub(super) one_piece: bool,
    pub(super) sampled: Sampled,
}

/// The longest that a record can be: places in a window are 32 bits.
const LONGEST: usize = 1 << 30;

impl Said {
    /// Reads the options.
    ///
    /// # Errors
    /// Options that do not exist, that are given twice, that cannot have such a value, or contradict each other.
    pub(super) fn of(options: &BTreeMap<String, String>) -> Result<Said> {
        let given = Given::reading(options, "csv", READING)?;
        let columns = given.get("columns").map(|text| options::map("columns", text)).transpose()?;
        let names = given.list("names")?;
        if columns.is_some() && names.is_some() {
            return Err(Error::query("the options columns and names both name the columns"));
        }
        let texts = |list: Vec<String>| list.into_iter().filter(|n| !n.is_empty()).map(String::into_bytes).collect();
        let truths = |name: &str| given.list(name).map(|list| list.map(texts).unwrap_or_default());
        let size = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        let mut said = Said {
            delimiter: delimiter(&given)?,
            quote: mark(&given, "quote")?,
            escape: mark(&given, "escape")?,
            comment: mark(&given, "comment")?,
            newline: newline(&given)?,
            skip: given.number("skip", 0)?.map(size),
            footer: given.number("skip_footer", 0)?.map_or(0, size),
            header: auto(&given, "header")?,
            decimal: decimal(&given)?,
            strict: auto(&given, "strict_mode")?,
            thousands: mark(&given, "thousands")?.flatten(),
            names: names.or(columns.map(|pairs| pairs.into_iter().map(|(name, _)| name).collect())),
            nulls: given.list("nullstr")?.map(texts),
            truths: [truths("true_values")?, truths("false_values")?],
            quoted_nulls: given.flag("allow_quoted_nulls")?,
            lenient: OnError::of(options)?.is_lenient(),
            spaced: auto(&given, "skip_initial_space")?,
            keep_empty: given.list("force_not_null")?.unwrap_or_default(),
            dates: pattern(&given, "dateformat")?,
            timestamps: pattern(&given, "timestampformat")?,
            ragged: ragged(&given)?,
            limit: given.number("limit", 0)?.and_then(|n| u64::try_from(n).ok()),
            longest: given.number("max_line_size", 1)?.map(|n| size(n).min(LONGEST)),
            normalize: given.flag("normalize_names")?.unwrap_or(false),
            all_text: given.flag("all_varchar")?.unwrap_or(false),
            one_piece: given.flag("parallel")? == Some(false),
            sampled: sampled(&given)?,
        };
        if given.flag("auto_detect")? == Some(false) {
            said.assume();
        }
        said.check()?;
        Ok(said)
    }

    /// What is not said is as RFC 4180 has it, without a header.
    fn assume(&mut self) {
        self.delimiter = self.delimiter.or(Some((b',', Tail::default())));
        self.spaced = self.spaced.or(Some(false));
        self.quote = self.quote.or(Some(Some(b'"')));
        self.escape = self.escape.or(Some(None));
        self.comment = self.comment.or(Some(None));
        self.skip = self.skip.or(Some(0));
        self.header = self.header.or(Some(false));
        self.decimal = self.decimal.or(Some(b'.'));
        self.all_text = true;
    }

    /// # Errors
    /// One character that means two things.
    fn check(&self) -> Result<()> {
        let single = self.delimiter.filter(|(_, tail)| tail.bytes().is_empty()).map(|(byte, _)| byte);
        if let (Some((first, tail)), Some(quote)) = (self.delimiter, self.quote.flatten())
            && (first == quote || tail.bytes().contains(&quote))
        {
            return Err(Error::query("the quote is part of the delimiter"));
        }
        let marks = [
            ("delimiter", single),
            ("quote", self.quote.flatten()),
            ("comment", self.comment.flatten()),
            ("thousands", self.thousands),
        ];
        for (i, (name, mark)) in marks.iter().enumerate() {
            let same = marks.iter().take(i).find(|(_, other)| mark.is_some() && mark == other);
            if let Some((other, _)) = same {
                return Err(Error::query(format!("the {name} and the {other} are the same character")));
            }
        }
        if self.escape.flatten().is_some_and(|e| self.delimiter.is_some_and(|(first, _)| first == e)) {
            return Err(Error::query("the escape and the delimiter are the same character"));
        }
        if self.thousands.is_some_and(|t| t == self.decimal.unwrap_or(b'.')) {
            return Err(Error::query("thousands and decimal_separator are the same character"));
        }
        Ok(())
    }
}

/// One character, or none; `auto` is as if nothing was said.
fn mark(given: &Given<'_>, name: &str) -> Result<Option<Option<u8>>> {
    match given.get(name) {
        None | Some("auto") => Ok(None),
        Some("" | "(empty)" | "\\0" | "\0") => Ok(Some(None)),
        Some(text) => options::byte(name, text).map(|b| Some(Some(b))),
    }
}

/// What separates fields: its first byte and the rest of it.
fn delimiter(given: &Given<'_>) -> Result<Option<(u8, Tail)>> {
    let text = match given.get("delimiter") {
        None | Some("auto" | "" | "(empty)") => return Ok(None),
        Some("\\t" | "tab") => "\t",
        Some(text) => text,
    };
    match Tail::of(text.as_bytes()).filter(|_| !text.contains(['\n', '\r'])) {
        Some(delimiter) => Ok(Some(delimiter)),
        None => {
            let message = format!("option delimiter: {text:?} is longer than {MOST} bytes, or ends lines");
            Err(Error::query(message).advise("new_line => .. says what ends lines"))
        }
    }
}

fn auto(given: &Given<'_>, name: &str) -> Result<Option<bool>> {
    if given.get(name) == Some("auto") { Ok(None) } else { given.flag(name) }
}

fn newline(given: &Given<'_>) -> Result<Option<u8>> {
    match given.get("new_line") {
        None | Some("auto") => Ok(None),
        Some("\n" | "\\n" | "\r\n" | "\\r\\n") => Ok(Some(b'\n')),
        Some("\r" | "\\r") => Ok(Some(b'\r')),
        Some(other) => {
            Err(Error::unsupported(format!("lines that end with {other:?}")).advise(r"'\n', '\r\n' or '\r'"))
        }
    }
}

fn decimal(given: &Given<'_>) -> Result<Option<u8>> {
    match given.get("decimal_separator") {
        None | Some("auto") => Ok(None),
        Some(".") => Ok(Some(b'.')),
        Some(",") => Ok(Some(b',')),
        Some(other) => Err(Error::query(format!("option decimal_separator: {other:?} is neither '.' nor ','"))),
    }
}

fn pattern(given: &Given<'_>, name: &str) -> Result<Option<Pattern>> {
    given.get(name).filter(|text| *text != "auto").map(|text| Pattern::new(name, text)).transpose()
}

fn ragged(given: &Given<'_>) -> Result<Ragged> {
    let said = match given.get("ragged") {
        None => None,
        Some("error") => Some(Ragged::Error),
        Some("pad") => Some(Ragged::Pad),
        Some("truncate") => Some(Ragged::Truncate),
        Some("reject") => Some(Ragged::Reject),
        Some(other) => {
            let error = Error::query(format!("option ragged: there is no {other:?}"));
            return Err(error.advise("'error', 'pad', 'truncate' or 'reject'"));
        }
    };
    let padded = given.flag("null_padding")?.filter(|yes| *yes).map(|_| Ragged::Pad);
    let cut = given.flag("truncate_ragged_lines")?.filter(|yes| *yes).map(|_| Ragged::Truncate);
    match (said, padded, cut) {
        (Some(a), Some(b), _) | (Some(a), _, Some(b)) if a != b => {
            Err(Error::query("ragged, null_padding and truncate_ragged_lines contradict each other"))
        }
        _ => Ok(said.or(cut).or(padded).unwrap_or_default()),
    }
}

fn sampled(given: &Given<'_>) -> Result<Sampled> {
    let full = match given.get("infer") {
        None | Some("sample") => false,
        Some("full") => true,
        Some(other) => {
            return Err(Error::query(format!("option infer: {other:?} is neither 'sample' nor 'full'")));
        }
    };
    Ok(match given.number("sample_size", -1)? {
        _ if full => Sampled::All,
        Some(-1) => Sampled::All,
        Some(rows) => Sampled::Rows(usize::try_from(rows).unwrap_or(usize::MAX)),
        None => Sampled::Pieces,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)]) -> Result<Said> {
        Said::of(&pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    #[test]
    fn values_and_their_errors() {
        let s = said(&[("delim", "tab"), ("quote", ""), ("skip", "2"), ("nullstr", "[\"NA\", \"\"]")]).unwrap();
        let tab = Some((b'\t', Tail::default()));
        assert_eq!((s.delimiter, s.quote, s.skip, s.escape), (tab, Some(None), Some(2), None));
        assert_eq!(said(&[("delimiter", "||")]).unwrap().delimiter, Tail::of(b"||"));
        assert_eq!(said(&[("ragged", "reject")]).unwrap().ragged, Ragged::Reject);
        assert_eq!(s.nulls, Some(vec![b"NA".to_vec()]));
        assert_eq!(said(&[("null_padding", "true")]).unwrap().ragged, Ragged::Pad);
        assert_eq!(said(&[("sample_size", "-1")]).unwrap().sampled, Sampled::All);
        assert_eq!(said(&[("columns", "{\"b\": \"int\", \"a\": \"text\"}")]).unwrap().names.unwrap(), ["b", "a"]);
        for (name, bad) in [
            ("delimiter", "123456789"),
            ("delimiter", "|\n"),
            ("skip", "-1"),
            ("skip", "x"),
            ("header", "maybe"),
            ("ragged", "drop"),
            ("decimal", "x"),
            ("sample", "-2"),
            ("new_line", "x"),
            ("dateformat", "%Q"),
            ("infer", "some"),
        ] {
            assert!(said(&[(name, bad)]).is_err(), "{name} {bad}");
        }
        for pair in [
            [("delimiter", "'"), ("quote", "'")],
            [("delimiter", "|'"), ("quote", "'")],
            [("delim", ","), ("sep", ",")],
            [("ragged", "truncate"), ("null_padding", "true")],
            [("thousands", ","), ("decimal", ",")],
            [("names", "a"), ("columns", "{\"a\": \"int\"}")],
        ] {
            assert!(said(&pair).is_err(), "{pair:?}");
        }
    }

    #[test]
    fn nobody_has_a_name_twice() {
        let mut names: Vec<&str> = READING.iter().flat_map(|row| row.names).copied().collect();
        names.extend(crate::formats::many::options::NAMES);
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
