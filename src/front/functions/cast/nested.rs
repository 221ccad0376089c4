//! Lists, structs and maps, cast inside and read from text: `[1, 2]`, `{'a': 1}`, `{k=1}`.
//!
//! A text is cut at its own level only: the pieces are texts again, one column of them for the elements of all rows, and
//! are cast to the elements' type by the same function as any text.

use super::super::row::element;
use super::{misfit, plain};
use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, ListArray, MapArray, StringViewArray, StringViewBuilder, StructArray,
    new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Fields};
use datafusion_common::{Result, exec_err, plan_err};
use std::sync::Arc;

pub(super) fn convert(array: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    match (array.data_type(), to) {
        (from, DataType::List(field)) if element(from).is_some() => {
            let list = as_list(array)?;
            let values = super::convert(list.values(), field.data_type(), lenient)?;
            let made = ListArray::try_new(Arc::clone(field), list.offsets().clone(), values, list.nulls().cloned())?;
            Ok(Arc::new(made))
        }
        (from, DataType::FixedSizeList(field, size)) if element(from).is_some() => fixed(array, field, *size, lenient),
        (DataType::Struct(_), DataType::Struct(fields)) => struct_to_struct(array.as_struct(), fields, lenient),
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let map = array.as_map();
            let DataType::Struct(fields) = entries.data_type() else { return plain(array, to, lenient) };
            let columns = map.entries().columns().iter().zip(fields);
            let columns = columns.map(|(c, f)| super::convert(c, f.data_type(), lenient)).collect::<Result<_>>()?;
            let inner = StructArray::try_new(fields.clone(), columns, None)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, inner, nulls, *sorted)?))
        }
        (from, to) => {
            let (from, to) = (crate::front::types::name(from), crate::front::types::name(to));
            plan_err!("{from} cannot be cast to {to}")
        }
    }
}

fn as_list(array: &ArrayRef) -> Result<ListArray> {
    let item = element(array.data_type()).cloned().unwrap_or(DataType::Null);
    let array = match array.data_type() {
        DataType::List(_) => Arc::clone(array),
        _ => cast(array, &DataType::new_list(item, true))?,
    };
    match array.as_list_opt::<i32>() {
        Some(list) => Ok(list.clone()),
        None => exec_err!("no list: {}", array.data_type()),
    }
}

fn fixed(array: &ArrayRef, field: &FieldRef, size: i32, lenient: bool) -> Result<ArrayRef> {
    let list = as_list(array)?;
    let wanted = usize::try_from(size).unwrap_or(0);
    let odd = (0..list.len()).find(|row| list.is_valid(*row) && list.value(*row).len() != wanted);
    if let Some(row) = odd {
        return exec_err!("a list of {} elements cannot be cast to an array of {wanted}", list.value(row).len());
    }
    let values = super::convert(list.values(), field.data_type(), lenient)?;
    // Nulls have no elements in a list, and some here.
    let mut at = arrow::array::UInt32Builder::new();
    for row in 0..list.len() {
        let begin = list.value_offsets().get(row).and_then(|o| u32::try_from(*o).ok()).unwrap_or(0);
        for i in 0..u32::try_from(wanted).unwrap_or(0) {
            at.append_option(list.is_valid(row).then_some(begin + i));
        }
    }
    let values = arrow::compute::take(&values, &at.finish(), None)?;
    Ok(Arc::new(FixedSizeListArray::try_new(Arc::clone(field), size, values, list.nulls().cloned())?))
}

/// Fields by name; one that is missing is null, one that is not wanted goes away.
fn struct_to_struct(from: &StructArray, fields: &Fields, lenient: bool) -> Result<ArrayRef> {
    let names = from.fields();
    let place = |name: &str| names.iter().position(|f| f.name().eq_ignore_ascii_case(name));
    let positional = !fields.iter().any(|f| place(f.name()).is_some());
    if positional && names.len() != fields.len() {
        return exec_err!("no field of the struct has a name that is wanted");
    }
    let columns = fields.iter().enumerate().map(|(i, f)| {
        let at = if positional { Some(i) } else { place(f.name()) };
        match at.and_then(|at| from.columns().get(at)) {
            Some(column) => super::convert(column, f.data_type(), lenient),
            None => Ok(new_null_array(f.data_type(), from.len())),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, from.nulls().cloned())?))
}

pub(super) fn from_text(text: &StringViewArray, to: &DataType, lenient: bool) -> Result<ArrayRef> {
    match to {
        DataType::List(field) => list_from_text(text, to, field, lenient),
        DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            let plain = DataType::List(Arc::clone(field));
            convert(&list_from_text(text, &plain, field, lenient)?, to, lenient)
        }
        DataType::Struct(fields) => struct_from_text(text, to, fields, lenient),
        DataType::Map(entries, sorted) => map_from_text(text, to, entries, *sorted, lenient),
        other => exec_err!("no nested type: {other}"),
    }
}

/// What each row's text is cut into; null where it is null, or is cut wrongly and that is `lenient`.
fn cut_each<T>(
    text: &StringViewArray,
    to: &DataType,
    lenient: bool,
    cut: impl Fn(&str) -> Option<T>,
) -> Result<Vec<Option<T>>> {
    let mut made = Vec::with_capacity(text.len());
    super::parse_each(text, to, lenient, cut, |v| made.push(v))?;
    Ok(made)
}

fn list_from_text(text: &StringViewArray, to: &DataType, field: &FieldRef, lenient: bool) -> Result<ArrayRef> {
    let rows = cut_each(text, to, lenient, |t| Some(pieces(inside(t, '[', ']')?)?.iter().map(|p| value(p)).collect()))?;
    let rows: Vec<Option<Vec<Option<String>>>> = rows;
    let items: StringViewArray = rows.iter().flatten().flatten().map(Option::as_deref).collect();
    let values = super::from_any_text(&items, field.data_type(), lenient)?;
    let lengths = rows.iter().map(|r| r.as_ref().map_or(0, Vec::len));
    let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), OffsetBuffer::from_lengths(lengths), values, Some(nulls))?))
}

fn struct_from_text(text: &StringViewArray, to: &DataType, fields: &Fields, lenient: bool) -> Result<ArrayRef> {
    let mut rows = cut_each(text, to, lenient, |t| pairs(inside(t, '{', '}')?, ':'))?;
    let known = |name: &str| fields.iter().any(|f| f.name().eq_ignore_ascii_case(name));
    for (row, pairs) in rows.iter_mut().enumerate() {
        let strange = pairs.iter().flatten().any(|(k, _)| !k.as_deref().is_some_and(known));
        if strange && !lenient {
            return Err(misfit(text.value(row), to));
        }
        if strange {
            *pairs = None;
        }
    }
    let columns = fields.iter().map(|f| {
        let mut out = StringViewBuilder::new();
        for pairs in &rows {
            let named = |(k, _): &&(Option<String>, Option<String>)| {
                k.as_deref().is_some_and(|k| k.eq_ignore_ascii_case(f.name()))
            };
            out.append_option(pairs.iter().flatten().find(named).and_then(|(_, v)| v.as_deref()));
        }
        super::from_any_text(&out.finish(), f.data_type(), lenient)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, Some(nulls))?))
}

fn map_from_text(
    text: &StringViewArray,
    to: &DataType,
    entries: &FieldRef,
    sorted: bool,
    lenient: bool,
) -> Result<ArrayRef> {
    let DataType::Struct(fields) = entries.data_type() else { return exec_err!("no map: {to}") };
    let rows = cut_each(text, to, lenient, |t| pairs(inside(t, '{', '}')?, '='))?;
    let all = || rows.iter().flatten().flatten();
    let keys: StringViewArray = all().map(|(k, _)| k.as_deref()).collect();
    let values: StringViewArray = all().map(|(_, v)| v.as_deref()).collect();
    let columns = fields.iter().zip([keys, values]);
    let columns = columns.map(|(f, c)| super::from_any_text(&c, f.data_type(), lenient)).collect::<Result<_>>()?;
    let inner = StructArray::try_new(fields.clone(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|r| r.as_ref().map_or(0, Vec::len)));
    let nulls = NullBuffer::from_iter(rows.iter().map(Option::is_some));
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, inner, Some(nulls), sorted)?))
}

/// What stands between the brackets.
fn inside(text: &str, open: char, close: char) -> Option<&str> {
    text.trim().strip_prefix(open)?.strip_suffix(close).map(str::trim)
}

/// The pieces between commas that are not inside of brackets or quotes.
fn pieces(text: &str) -> Option<Vec<&str>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let mut made = Vec::new();
    let mut begin = 0;
    let ends = split_at(text, ',')?;
    for end in ends.into_iter().chain([text.len()]) {
        let piece = text.get(begin..end)?.trim();
        if piece.is_empty() {
            return None;
        }
        made.push(piece);
        begin = end + 1;
    }
    Some(made)
}

/// Where `mark` stands outside of brackets and quotes; `None` if those do not close.
fn split_at(text: &str, mark: char) -> Option<Vec<usize>> {
    let (mut open, mut quote, mut escaped, mut made) = (Vec::new(), None, false, Vec::new());
    // A quote begins a quoted text only where a value begins.
    let mut begins = true;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), _) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if begins => quote = Some(c),
            (None, '[' | '{' | '(') => open.push(c),
            (None, ']' | '}' | ')') => {
                open.pop()?;
            }
            (None, _) if c == mark && open.is_empty() => made.push(at),
            _ => {}
        }
        begins = (begins && c == ' ') || matches!(c, ',' | ':' | '=' | '[' | '{' | '(');
    }
    (quote.is_none() && open.is_empty()).then_some(made)
}

/// Keys and values.
fn pairs(text: &str, mark: char) -> Option<Vec<(Option<String>, Option<String>)>> {
    let cut = |piece: &str| {
        let at = *split_at(piece, mark)?.first()?;
        Some((value(piece.get(..at)?.trim()), value(piece.get(at + mark.len_utf8()..)?.trim())))
    };
    pieces(text)?.into_iter().map(cut).collect()
}

/// A piece without its quotes; `NULL` is null.
fn value(piece: &str) -> Option<String> {
    let quote = piece.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let quoted = quote.and_then(|q| piece.strip_prefix(q)?.strip_suffix(q));
    match quoted {
        Some(inner) => {
            let mut made = String::with_capacity(inner.len());
            let mut chars = inner.chars();
            while let Some(c) = chars.next() {
                made.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
            }
            Some(made)
        }
        None if piece.eq_ignore_ascii_case("null") => None,
        None => Some(piece.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_their_own_level() {
        assert_eq!(pieces("1, [2, 3], '4, 5'").unwrap(), ["1", "[2, 3]", "'4, 5'"]);
        assert_eq!(pieces("").unwrap(), Vec::<&str>::new());
        for bad in ["1, ", "[1", "1]", "'a"] {
            assert_eq!(pieces(bad), None, "{bad}");
        }
        assert_eq!(value("'it\\'s'"), Some("it's".into()));
        assert_eq!(value("it's"), Some("it's".into()));
        assert_eq!(value("NULL"), None);
        assert_eq!(value("'NULL'"), Some("NULL".into()));
    }
}
