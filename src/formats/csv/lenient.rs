//! Decoding where rows and values that cannot be read are left out (`on_error`): good rows next to bad ones stay.
//!
//! 1. Rows with another number of fields go first; then, of each column that counts, values that are no UTF-8, not of the
//!    column's type, or quoted wrongly. They are null in their arrays.
//! 2. With `reject`, a row with any of these is dropped; with `null` they stay null.
//! 3. What is left goes through the filter as ever.
//!
//! A value that a wider type of its kind would hold, in a column whose type was guessed, is a misfit as ever: the query
//! starts over with the wider type. See [`faults`](crate::formats::faults).

use super::decode::{Bad, Column, Decoder};
use super::reader::{CsvReader, batch, place, type_name};
use super::rows::{Rows, Uneven, unquote};
use super::scan::Shared;
use crate::error::{Error, Place, Result};
use crate::formats::faults::{Fault, Leaving, OnError};
use crate::formats::text::{kept, narrowed};
use crate::formats::values::Kind;
use crate::io::Window;
use crate::rejects::Left;
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use std::cell::RefCell;

/// Bytes of a line that are told at most, and more.
const TOLD: usize = 4 << 10;

/// Leaves out the line at which the window stands: what is wrong with it cannot be told from the rows behind.
pub(super) fn leave_line(leaving: &mut Leaving, window: &mut Window, newline: u8, reason: &str) -> Result<()> {
    // What is told of it is its beginning: the rest of a long one is only passed.
    let end = loop {
        let end = memchr::memchr(newline, window.rest()).map(|n| window.pos() + n);
        if end.is_some() || window.rest().len() >= TOLD || !window.overshoot()? {
            break end.unwrap_or(window.filled());
        }
    };
    let fault = Fault { left: Left::Row, at: window.pos(), end, column: None, reason: reason.to_string() };
    leaving.leave(fault, window);
    loop {
        let end = memchr::memchr(newline, window.rest());
        let next = end.map_or(window.filled(), |n| window.pos() + n + 1);
        leaving.passed(next, window);
        window.advance_to(next);
        if end.is_some() || !window.overshoot()? {
            return Ok(());
        }
    }
}

/// What is told of a row of another length.
pub(super) fn fault_of(row: Uneven, columns: usize) -> Fault {
    Fault { left: Left::Row, at: row.at, end: row.end, column: None, reason: row.reason(columns) }
}

impl CsvReader {
    /// Decodes the rows found, those that can be read and that the filter keeps.
    pub(super) fn decode_leniently(&mut self) -> Result<Option<RecordBatch>> {
        let Some((window, _)) = &self.input else { return Ok(None) };
        let scan = &*self.scan;
        let (mut spare, mut faults) = (Vec::new(), Vec::new());
        let columns = scan.dialect.names.len();
        let mut uneven = |row: Uneven| faults.push(fault_of(row, columns));
        let rows = Rows::regular(window.bytes(), &self.found, &mut spare, &scan.dialect.shape(), &mut uneven);
        let decoding = Decoding { reader: self, scan, window, rows: &rows };
        let decoded = decoding.run(&mut faults)?;
        faults.sort_by_key(|fault| fault.at);
        if let Some(leaving) = &mut self.leaving {
            faults.into_iter().for_each(|fault| leaving.leave(fault, window));
        }
        Ok(decoded)
    }
}

/// One batch being decoded.
struct Decoding<'a> {
    reader: &'a CsvReader,
    scan: &'a Shared,
    window: &'a Window,
    rows: &'a Rows<'a>,
}

impl Decoding<'_> {
    fn run(&self, faults: &mut Vec<Fault>) -> Result<Option<RecordBatch>> {
        let scan = self.scan;
        let mut good = vec![true; self.rows.len()];
        let mut arrays = Vec::with_capacity(scan.checked.len());
        for column in &scan.checked {
            arrays.push(self.column(column, faults, &mut good)?);
        }
        let mask = (scan.on_error == OnError::Reject && good.contains(&false)).then(|| BooleanArray::from(good));
        if let Some(mask) = &mask {
            for array in &mut arrays {
                *array = arrow::compute::filter(array, mask)?;
            }
        }
        let rows = mask.map_or(self.rows.len(), |mask| mask.true_count());
        if rows == 0 {
            return Ok(None);
        }
        let pick = |columns: &[Column]| -> Result<Vec<ArrayRef>> {
            let of = |c: &Column| scan.checked.iter().position(|k| k.index == c.index).and_then(|i| arrays.get(i));
            let picked: Option<Vec<ArrayRef>> = columns.iter().map(|c| of(c).cloned()).collect();
            picked.ok_or_else(|| Error::internal("a column was not decoded"))
        };
        let wanted = batch(scan, pick(&scan.wanted)?, rows)?;
        let Some(filter) = &scan.spec.filter else { return Ok(Some(wanted)) };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let tested = RecordBatch::try_new_with_options(scan.filter_schema.clone(), pick(&scan.filter)?, &options)?;
        let passed = (filter.eval)(&tested)?;
        match kept(&passed).len() {
            0 => Ok(None),
            all if all == rows => Ok(Some(wanted)),
            _ => Ok(Some(arrow::compute::filter_record_batch(&wanted, &passed)?)),
        }
    }

    /// The values of a column; what cannot be read is null, told, and no longer `good`.
    fn column(&self, column: &Column, faults: &mut Vec<Fault>, good: &mut [bool]) -> Result<ArrayRef> {
        let dialect = &self.scan.dialect;
        let (met, buffer) = (RefCell::new(Vec::new()), self.window.buffer());
        let unread = if column.is_text() { self.not_utf8(column) } else { Vec::new() };
        let decoder = Decoder {
            rows: self.rows,
            buffer: &buffer,
            marks: &dialect.marks,
            lexicon: &dialect.lexicon,
            loose: dialect.joins_behind_quotes(),
            met: Some(&met),
            unread: &unread,
        };
        let array = decoder.column(column, None).map_err(|bad| match bad {
            Bad::Other(error) => error,
            _ => Error::internal("a fault that was not noted"),
        })?;
        let (array, unfit) = narrowed(array, &column.wanted)?;
        let mut told = |row: usize, reason: String| {
            let (at, end) = self.rows.field(row, column.index);
            let left = if self.scan.on_error == OnError::Reject { Left::Row } else { Left::Value };
            // A row with several faults is one reject.
            if left == Left::Value || good.get(row) == Some(&true) {
                faults.push(Fault { left, at, end, column: dialect.names.get(column.index).cloned(), reason });
            }
            if let Some(good) = good.get_mut(row) {
                *good = false;
            }
        };
        unread.iter().for_each(|row| told(*row, "the text is not UTF-8".into()));
        for bad in met.into_inner() {
            match bad {
                Bad::Misfit(row) if column.guessed && self.would_widen(column, row) => {
                    return Err(self.misfit(column, row));
                }
                Bad::Misfit(row) => told(row, format!("the value is not {}", type_name(&column.wanted))),
                Bad::Quote(row) => told(row, "text follows the closing quote of a field".into()),
                Bad::Other(error) => return Err(error),
            }
        }
        unfit.into_iter().for_each(|row| told(row, format!("the value is not {}", type_name(&column.wanted))));
        debug_assert_eq!(array.len(), self.rows.len());
        Ok(array)
    }

    /// The rows whose text in a column is no UTF-8.
    fn not_utf8(&self, column: &Column) -> Vec<usize> {
        let (start, end) = self.rows.extent();
        if simdutf8::basic::from_utf8(self.window.bytes().get(start..end).unwrap_or_default()).is_ok() {
            return Vec::new();
        }
        let broken = |row: &usize| simdutf8::basic::from_utf8(self.rows.text(*row, column.index)).is_err();
        (0..self.rows.len()).filter(broken).collect()
    }

    /// Whether a wider type, but for text, holds the value and what is in its column.
    fn would_widen(&self, column: &Column, row: usize) -> bool {
        let text = self.rows.text(row, column.index);
        let dialect = &self.scan.dialect;
        if dialect.is_full() {
            return false; // whatever widens has widened
        }
        let value = unquote(text, &dialect.marks, true).unwrap_or(text.into());
        let seen = dialect.lexicon.kind(&value);
        Kind::of_type(&column.data_type).is_some_and(|kind| kind.join(seen) != Kind::Text)
    }

    fn misfit(&self, column: &Column, row: usize) -> Error {
        let (at, _) = self.rows.field(row, column.index);
        let name = self.scan.dialect.names.get(column.index).cloned();
        let text = self.rows.text(row, column.index);
        Error::data(format!("the value is not {}", type_name(&column.wanted)))
            .misfit()
            .at(place(&self.reader.file, self.window.offset(at), self.scan, text))
            .at(Place { column: name, ..Place::default() })
    }
}

#[cfg(test)]
mod tests {
    use crate::formats::testing::*;
    use crate::formats::{RowFilter, ScanSpec};
    use crate::rejects::Rejects;
    use arrow::array::{AsArray, BooleanArray, RecordBatch};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    const TYPES: (&str, &str) = ("types", "{\"a\": \"bigint\", \"c\": \"date\", \"d\": \"tinyint\"}");

    /// The rows that come out, and the rejects as `line:column:text`.
    fn read_leniently(text: &[u8], split_bytes: usize, on_error: &str) -> (Vec<String>, Vec<String>, Rejects) {
        let file = TestFile::new("a.csv", text);
        let options = [TYPES, ("strict_mode", "true"), ("on_error", on_error)];
        let read = |options: &[(&str, &str)]| {
            let (table, rejects) = (file.open(options).unwrap(), Rejects::default());
            let spec = ScanSpec { rejects: rejects.clone(), ..all(&table) };
            batches(&table, spec, split_bytes).map(|batches| (cells(&batches), rejects))
        };
        // Quotes that are wrong start the query over, where a file is cut.
        let (rows, rejects) = match read(&options) {
            Err(e) if e.is_misfit() && split_bytes < text.len() => {
                read(&[&options[..], &[("infer", "full")]].concat()).unwrap()
            }
            read => read.unwrap(),
        };
        let rows = rows.iter().map(|row| row.iter().map(|c| c.as_deref().unwrap_or("-")).collect::<Vec<_>>().join("|"));
        let told = rejects.list().into_iter().map(|reject| {
            let (line, column) = (reject.place.line.unwrap(), reject.place.column.unwrap_or_default());
            format!("{line}:{column}:{}", reject.place.text.unwrap())
        });
        (rows.collect(), told.collect(), rejects)
    }

    const BAD: &[u8] = b"a,b,c,d\n1,x,2024-01-01,1\ntwo,y,2024-01-02,2\n3,z,2024-13-01,3\n4,v,2024-01-04\n\n5,\xff\xfe,2024-01-05,5\n\
                         6,a\"b,2024-01-06,6\n7,\"q\"q,2024-01-07,7\n8,w,2024-01-08,999\n9,\"two\nlines\",2024-01-09,9\n0x,k,nodate,300\n10,last,2024-01-10,10\n11,\"open,2024-01-11,1\n12,good,2024-01-12,12\n";

    #[test]
    fn good_rows_next_to_bad_ones_stay() {
        for split_bytes in [1, 70, 100_000] {
            let (rows, told, rejects) = read_leniently(BAD, split_bytes, "reject");
            let good =
                ["1|x|2024-01-01|1", "9|two\nlines|2024-01-09|9", "10|last|2024-01-10|10", "12|good|2024-01-12|12"];
            assert_eq!(rows, good);
            let want = [
                "3:a:two",
                "4:c:2024-13-01",
                "5::4,v,2024-01-04",
                "7:b:\u{fffd}\u{fffd}",
                "8::6,a\"b,2024-01-06,6",
                "9:b:\"q\"q",
                "10:d:999",
                "13:a:0x",
                "15::11,\"open,2024-01-11,1",
            ];
            assert_eq!((told, rejects.rows(), rejects.values()), (want.map(str::to_string).to_vec(), 9, 0));
        }
    }

    #[test]
    fn values_become_null_and_rows_stay() {
        let (rows, told, rejects) = read_leniently(BAD, 1 << 20, "null");
        let want = [
            "1|x|2024-01-01|1",
            "-|y|2024-01-02|2",
            "3|z|-|3",
            "5|-|2024-01-05|5",
            "7|-|2024-01-07|7",
            "8|w|2024-01-08|-",
            "9|two\nlines|2024-01-09|9",
            "-|k|-|-",
            "10|last|2024-01-10|10",
            "12|good|2024-01-12|12",
        ];
        assert_eq!((rows, rejects.rows(), rejects.values()), (want.map(str::to_string).to_vec(), 3, 8));
        assert_eq!(told.iter().filter(|t| t.starts_with("13:")).count(), 3);
    }

    /// Which rows are out does not depend on what is read of them.
    #[test]
    fn counts_and_filters_agree() {
        let file = TestFile::new("a.csv", BAD);
        let table = file.open(&[TYPES, ("strict_mode", "true"), ("ignore_errors", "true")]).unwrap();
        let count = ScanSpec { projection: vec![], ..all(&table) };
        let rows: usize = batches(&table, count, 1000).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 4);
        let keep = |batch: &RecordBatch| {
            let a = batch.column(0).as_primitive::<Int64Type>();
            Ok(BooleanArray::from_iter(a.iter().map(|v| v.map(|v| v >= 9))))
        };
        let rejects = Rejects::default();
        let filter = RowFilter { columns: vec![0], bounds: vec![], eval: Arc::new(keep), parts: Vec::new() };
        let spec = ScanSpec { projection: vec![1], rejects: rejects.clone(), ..with_filter(all(&table), filter) };
        assert_eq!(cells(&batches(&table, spec, 1000).unwrap()).len(), 3);
        assert_eq!(rejects.rows(), 9);
    }

    #[test]
    fn types_of_a_sample_are_settled_but_for_wider_numbers() {
        let mut text = String::from("a,b\n");
        for i in 0..300_000 {
            match i {
                120_000 => text += "1.5,2024-01-01\n",
                120_010 => text += "x,2024-01-01\n",
                120_020 => text += "1,2024-01-01 10:00:00\n",
                120_030 => text += "1,never\n",
                _ => text += "1,2024-01-01\n",
            }
        }
        let file = TestFile::new("a.csv", &text);
        let options = [("on_error", "reject")];
        let table = file.open(&options).unwrap();
        let spec = ScanSpec { batch_rows: 8192, ..all(&table) };
        assert!(batches(&table, spec, 1 << 20).unwrap_err().is_misfit());
        let table = file.open(&[options[0], ("infer", "full")]).unwrap();
        let types: Vec<String> = table.schema.fields().iter().map(|f| f.data_type().to_string()).collect();
        assert_eq!(types, ["Float64", "Timestamp(µs)"]);
        let rejects = Rejects::default();
        let spec = ScanSpec { batch_rows: 8192, rejects: rejects.clone(), ..all(&table) };
        let rows: usize = batches(&table, spec, 1 << 20).unwrap().iter().map(RecordBatch::num_rows).sum();
        let told: Vec<_> = rejects.list().iter().map(|r| r.place.line).collect();
        assert_eq!((rows, told), (299_998, vec![Some(120_012), Some(120_032)]));
    }

    proptest::proptest! {
        /// Against a reader that looks at line after line.
        #[test]
        fn agrees_with_line_after_line(rows in proptest::collection::vec("(1|22|x|)(,(a|bb|)){0,2}(,(2024-02-29|2023-02-29|))?(,(7|128|))?", 0..20), split_bytes in 1usize..200) {
            let text = format!("a,b,c,d\n{}", rows.iter().map(|r| format!("{r}\n")).collect::<String>());
            let is_good = |row: &&String| {
                let fields: Vec<&str> = row.split(',').collect();
                fields.len() == 4 && fields[0] != "x" && ["2024-02-29", ""].contains(&fields[2]) && ["7", ""].contains(&fields[3])
            };
            let want: Vec<String> = rows.iter().filter(is_good).map(|row| {
                row.split(',').map(|f| if f.is_empty() { "-" } else { f }).collect::<Vec<_>>().join("|")
            }).collect();
            let blank = rows.iter().filter(|r| r.is_empty()).count();
            let (got, _, rejects) = read_leniently(text.as_bytes(), split_bytes, "reject");
            assert_eq!((got, rejects.rows() as usize), (want.clone(), rows.len() - want.len() - blank));
        }
    }
}
