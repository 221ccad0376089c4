//! Pieces of texts and of lists by place: `left`, `substring`, `x[2:3]`, lengths, repetition.

use super::super::args::{Args, ints, some, texts};
use super::super::lists::pick;
use super::super::row::{Gives, Row, element, is_text};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "left",
        "text, int",
        Gives::Text,
        left,
        "The first characters; with a negative number all but the last.",
        "left('hello', 2) --> he",
    ),
    Row::new(
        "right",
        "text, int",
        Gives::Text,
        right,
        "The last characters; with a negative number all but the first.",
        "right('hello', 2) --> lo",
    ),
    Row::new(
        "substr",
        "text, int, int?",
        Gives::Text,
        substring,
        "So many characters from a place; a negative place counts from the end, a negative number goes left.",
        "substring('hello', 2, 3) --> ell",
    )
    .also(&["substring"]),
    Row::new(
        "length",
        "text | list",
        Gives::Int,
        length,
        "The number of characters, or of elements.",
        "length('héé') --> 3",
    )
    .also(&["len", "char_length", "character_length"]),
    Row::new("strlen", "text", Gives::Int, strlen, "The number of bytes.", "strlen('é') --> 2"),
    Row::new(
        "octet_length",
        "blob | text",
        Gives::Int,
        octet_length,
        "The number of bytes.",
        "octet_length('é') --> 2",
    ),
    Row::new("bit_length", "text", Gives::Int, bit_length, "The number of bits.", "bit_length('é') --> 16"),
    Row::new(
        "repeat",
        "text, int | list, int",
        Gives::Same(0),
        repeat,
        "The text or the list so many times.",
        "repeat('ab', 3) --> ababab",
    ),
    Row::new(
        "array_extract",
        "text, int | list, int",
        Gives::By(element_or_text),
        extract,
        "The character or the element at a place; null where there is none.",
        "array_extract([10, 20], 2) --> 20",
    )
    .also(&["list_extract", "list_element"]),
    Row::new(
        "array_slice",
        "text, any, any, int? | list, any, any, int?",
        Gives::Same(0),
        slice,
        "The characters or elements from one place to another, both included.",
        "array_slice([1, 2, 3], 2, 3) --> [2, 3]",
    )
    .also(&["list_slice"]),
];

/// Most bytes of one text that a function makes.
const MOST: usize = 1 << 30;

/// Refuses texts that no batch could hold.
pub(in super::super) fn check_size(name: &str, piece: usize, times: usize) -> Result<()> {
    match piece.checked_mul(times) {
        Some(size) if size <= MOST => Ok(()),
        _ => exec_err!("{name} would make a text of more than {MOST} bytes"),
    }
}

fn element_or_text(types: &[DataType]) -> Result<DataType> {
    let first = types.first().unwrap_or(&DataType::Null);
    Ok(element(first).unwrap_or(first).clone())
}

/// The characters `from..to`.
fn chars(text: &str, from: usize, to: usize) -> String {
    text.chars().skip(from).take(to.saturating_sub(from)).collect()
}

fn side(args: &Args, left: bool) -> Result<ArrayRef> {
    let (text, n) = (args.text(0)?, args.int(1)?);
    texts(args, |row| {
        let (text, n) = (some!(text.get(row)), some!(n.get(row)));
        let have = text.chars().count();
        let wanted = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
        let keep = if n < 0 { have.saturating_sub(wanted) } else { wanted.min(have) };
        Ok(Some(if left { chars(text, 0, keep) } else { chars(text, have - keep, have) }))
    })
}

fn left(args: &Args) -> Result<ArrayRef> {
    side(args, true)
}

fn right(args: &Args) -> Result<ArrayRef> {
    side(args, false)
}

fn substring(args: &Args) -> Result<ArrayRef> {
    let (text, start, count) = (args.text(0)?, args.int(1)?, args.int_or(2, i64::MAX)?);
    texts(args, |row| {
        let text = some!(text.get(row));
        let have = text.chars().count() as i64;
        let (start, count) = (some!(start.get(row)), some!(count.get(row)));
        // Counted from 0; what lies before the beginning counts, too.
        let begin = if start < 0 { have.saturating_add(start) } else { start.saturating_sub(1) };
        let (from, to) = match count < 0 {
            true => (begin.saturating_add(count), begin),
            false => (begin, begin.saturating_add(count)),
        };
        let bound = |at: i64| usize::try_from(at.clamp(0, have)).unwrap_or(0);
        Ok(Some(chars(text, bound(from), bound(to))))
    })
}

fn length(args: &Args) -> Result<ArrayRef> {
    if is_text(args.type_of(0)) {
        let text = args.text(0)?;
        return ints(args, |row| Ok(Some(some!(text.get(row)).chars().count() as i64)));
    }
    let list = args.list(0)?;
    ints(args, |row| Ok(Some(some!(list.span(row)).len() as i64)))
}

fn strlen(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    ints(args, |row| Ok(Some(some!(text.get(row)).len() as i64)))
}

fn octet_length(args: &Args) -> Result<ArrayRef> {
    if is_text(args.type_of(0)) {
        return strlen(args);
    }
    let blob = args.blob(0)?;
    ints(args, |row| Ok(Some(some!(blob.get(row)).len() as i64)))
}

fn bit_length(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    ints(args, |row| Ok(Some(some!(text.get(row)).len() as i64 * 8)))
}

fn repeat(args: &Args) -> Result<ArrayRef> {
    let n = args.int(1)?;
    let times = |row: usize| n.get(row).map(|n| usize::try_from(n).unwrap_or(0));
    if is_text(args.type_of(0)) {
        let text = args.text(0)?;
        return texts(args, |row| {
            let (text, n) = (some!(text.get(row)), some!(times(row)));
            check_size(args.name(), text.len(), n)?;
            Ok(Some(text.repeat(n)))
        });
    }
    let list = args.list(0)?;
    pick(args, &list, |row, out| {
        let (span, n) = (some!(list.span(row)), some!(times(row)));
        check_size(args.name(), span.len() * 8, n)?;
        (0..n).for_each(|_| out.extend(span.clone().map(Some)));
        Ok(Some(()))
    })
}

/// The place, counted from 0, among `have`: 1 is the first, -1 the last.
pub(in super::super) fn place(at: i64, have: usize) -> Option<usize> {
    let from_end = usize::try_from(at.unsigned_abs()).ok()?;
    match at {
        0 => None,
        1.. => from_end.checked_sub(1).filter(|p| *p < have),
        _ => have.checked_sub(from_end),
    }
}

fn extract(args: &Args) -> Result<ArrayRef> {
    let at = args.int(1)?;
    if is_text(args.type_of(0)) {
        let text = args.text(0)?;
        return texts(args, |row| {
            let text = some!(text.get(row));
            let at = place(some!(at.get(row)), text.chars().count());
            Ok(Some(at.and_then(|at| text.chars().nth(at)).map(String::from).unwrap_or_default()))
        });
    }
    let list = args.list(0)?;
    super::super::lists::pick_one(args, &list, |row| {
        let span = some!(list.span(row));
        Ok(place(some!(at.get(row)), span.len()).map(|at| span.start + at))
    })
}

/// An end of a slice: absent (an empty list stands for it), null, or a place.
enum End {
    Open,
    Null,
    At(i64),
}

/// `[a:b]` among `have` as places counted from 0, the last excluded.
fn ends(begin: End, end: End, have: usize) -> Option<(usize, usize)> {
    let have = have as i64;
    let absolute = |at: i64| if at < 0 { have.saturating_add(at).saturating_add(1) } else { at };
    let from = match begin {
        End::Open => 1,
        End::Null => return None,
        End::At(at) => absolute(at),
    };
    let to = match end {
        End::Open => have,
        End::Null => return None,
        End::At(at) => absolute(at),
    };
    let from = usize::try_from((from - 1).clamp(0, have)).unwrap_or(0);
    let to = usize::try_from(to.clamp(0, have)).unwrap_or(0);
    Some((from, to.max(from)))
}

/// Reads an end of a slice from an argument that is an integer, null, or an empty list.
fn end_of(args: &Args, at: usize) -> Result<impl Fn(usize) -> End> {
    let open = matches!(args.type_of(at), DataType::List(_));
    let column = if open { None } else { Some(args.int(at)?) };
    Ok(move |row: usize| match &column {
        None => End::Open,
        Some(c) => c.get(row).map_or(End::Null, End::At),
    })
}

fn slice(args: &Args) -> Result<ArrayRef> {
    let (begin, end, step) = (end_of(args, 1)?, end_of(args, 2)?, args.int_or(3, 1)?);
    if is_text(args.type_of(0)) {
        let text = args.text(0)?;
        return texts(args, |row| {
            let text = some!(text.get(row));
            let (from, to) = some!(ends(begin(row), end(row), text.chars().count()));
            Ok(Some(chars(text, from, to)))
        });
    }
    let list = args.list(0)?;
    let mut made = Vec::new();
    pick(args, &list, |row, out| {
        let span = some!(list.span(row));
        let step = some!(step.get(row));
        // Backwards, the first end is the later one.
        let (first, last) = if step < 0 { (end(row), begin(row)) } else { (begin(row), end(row)) };
        let (from, to) = some!(ends(first, last, span.len()));
        let size = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
        if size == 0 {
            return exec_err!("the step of a slice is 0");
        }
        made.clear();
        made.extend((span.start + from..span.start + to).map(Some));
        if step < 0 {
            made.reverse();
        }
        out.extend(made.iter().step_by(size).copied());
        Ok(Some(()))
    })
}
