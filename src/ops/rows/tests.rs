//! What goes into rows comes out; equal values have equal bytes.

use super::*;
use crate::memory::Memory;
use crate::ops::Cancel;
use crate::store::Scratch;
use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int32Type, IntervalMonthDayNanoType, TimeUnit};
use std::sync::Arc;

fn columns(n: usize) -> Vec<ArrayRef> {
    let gap = |i: usize, every: usize| i % every != every - 1;
    let text: Vec<Option<String>> = (0..n).map(|i| gap(i, 5).then(|| "xyz".repeat(i % 11))).collect();
    let ints = Int64Array::from_iter((0..n).map(|i| gap(i, 3).then_some(i as i64 * -7)));
    let lists: Vec<Option<Vec<Option<i32>>>> =
        (0..n).map(|i| gap(i, 4).then(|| (0..i % 4).map(|k| gap(k, 2).then_some(k as i32)).collect())).collect();
    let dictionary: DictionaryArray<Int32Type> = (0..n).map(|i| gap(i, 6).then_some(["a", "bb"][i % 2])).collect();
    vec![
        Arc::new(ints.clone()),
        Arc::new(StringViewArray::from_iter(text.iter().map(|t| t.as_deref()))),
        Arc::new(BooleanArray::from_iter((0..n).map(|i| gap(i, 2).then_some(i % 3 == 0)))),
        Arc::new(StringArray::from_iter(text.iter().map(|t| t.as_deref()))),
        Arc::new(BinaryViewArray::from_iter(text.iter().map(|t| t.as_ref().map(|t| t.as_bytes())))),
        Arc::new(Int8Array::from_iter((0..n).map(|i| Some(i as i8)))),
        Arc::new(Float32Array::from_iter((0..n).map(|i| Some(i as f32 / 3.0)))),
        Arc::new(Decimal128Array::from_iter((0..n).map(|i| gap(i, 7).then_some(i as i128 - 5)))),
        Arc::new(Decimal256Array::from_iter(
            (0..n).map(|i| gap(i, 7).then_some(arrow::datatypes::i256::from_i128(i as i128))),
        )),
        Arc::new(TimestampMicrosecondArray::from_iter((0..n).map(|i| Some(i as i64))).with_timezone("+01:00")),
        Arc::new(PrimitiveArray::<IntervalMonthDayNanoType>::from_iter(
            (0..n).map(|i| Some(arrow::datatypes::IntervalMonthDayNano::new(i as i32, -1, 5))),
        )),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        Arc::new(dictionary),
        Arc::new(NullArray::new(n)),
        Arc::new(Date32Array::from_iter((0..n).map(|i| gap(i, 9).then_some(i as i32)))),
    ]
}

fn types(columns: &[ArrayRef]) -> Vec<DataType> {
    columns.iter().map(|c| c.data_type().clone()).collect()
}

#[test]
fn every_type_comes_back() {
    for n in [0, 1, 7, 300] {
        // 45 columns: more than one word of null bits.
        let columns: Vec<ArrayRef> = (0..3).flat_map(|_| columns(n + 20)).map(|c| c.slice(20, n)).collect();
        let layout = RowLayout::with_prefix(&types(&columns), 16);
        let mut rows = EncodedRows::default();
        RowEncoder::new(&layout).unwrap().encode(&columns, n, &mut rows).unwrap();
        assert!((0..n).all(|i| rows.row(i).len() % 8 == 0 && row_bytes(rows.row(i)) == rows.row(i).len()));
        let mut order: Vec<usize> = (0..n).rev().collect();
        order.extend(0..n);
        let list: Vec<&[u8]> = order.iter().map(|i| rows.row(*i)).collect();
        let indices = UInt64Array::from_iter_values(order.iter().map(|i| *i as u64));
        let back = RowDecoder::new(&layout).unwrap().decode(&list).unwrap();
        for (column, back) in columns.iter().zip(&back) {
            let expected = arrow::compute::take(column, &indices, None).unwrap();
            assert_eq!(back.data_type(), column.data_type());
            assert_eq!(back, &expected);
        }
    }
}

#[test]
fn equal_values_have_equal_bytes() {
    let odd_nan = f64::from_bits(f64::NAN.to_bits() | 1 << 63 | 9);
    // Null cells with rubbish below them.
    let nulls = arrow::buffer::NullBuffer::from(vec![true, true, true, true, false, false]);
    let floats = Float64Array::new(vec![0.0, -0.0, f64::NAN, odd_nan, 1.0, 2.0].into(), Some(nulls));
    let layout = RowLayout::new(&[DataType::Float64]);
    let mut rows = EncodedRows::default();
    RowEncoder::new(&layout).unwrap().encode(&[Arc::new(floats)], 6, &mut rows).unwrap();
    assert!([0, 2, 4].iter().all(|i| rows.row(*i) == rows.row(i + 1)));
    assert!(rows.row(0) != rows.row(2) && rows.row(0) != rows.row(4));
    assert_eq!(layout.constant_length(), Some(16));
}

#[test]
fn narrow_cells_share_a_word() {
    let layout = RowLayout::new(&[DataType::Int8, DataType::Int32, DataType::Boolean, DataType::Int64]);
    assert_eq!((layout.fixed_bytes(), layout.head_bytes()), (16, 8));
    let field = Field::new("x", DataType::Timestamp(TimeUnit::Second, None), true);
    assert_eq!(RowLayout::new(&[field.data_type().clone(), DataType::Utf8View]).fixed_bytes(), 16);
}

#[test]
fn pages_keep_rows_through_scratch() {
    let memory = Memory::new(20 * 4096, 4096);
    let owner = memory.budget.reserve("rows", 0, true).unwrap();
    let mut writer = Scratch::new(vec![], None, 0).unwrap().writer();
    // One text is larger than a page.
    let texts: Vec<String> = (0..200).map(|i| "ab".repeat(if i == 50 { 4000 } else { i })).collect();
    let column: ArrayRef = Arc::new(StringViewArray::from_iter_values(&texts));
    let layout = RowLayout::new(&[DataType::Utf8View]);
    let mut rows = EncodedRows::default();
    RowEncoder::new(&layout).unwrap().encode(std::slice::from_ref(&column), 200, &mut rows).unwrap();
    let mut pages = RowPages::default();
    let mut refusals = 0;
    for i in 0..200 {
        while pages.append(rows.row(i), &memory, &owner).unwrap().is_some() {
            refusals += 1;
            assert!(pages.spill(4096, &mut writer, &Cancel::default()).unwrap() > 0);
        }
    }
    assert!(refusals == 0 && pages.spilled() == 0, "twenty pages hold all of it");
    assert!(pages.spill(3 * 4096, &mut writer, &Cancel::default()).unwrap() >= 3 * 4096);
    assert_eq!((pages.rows(), pages.bytes()), (200, rows.bytes().len()));
    assert_eq!(owner.held(), pages.held());
    let mut back: Vec<Vec<u8>> = Vec::new();
    let mut buffer = Vec::new();
    let mut gather = |rows: Rows<'_>| {
        back.extend(rows.map(|(_, row)| row.to_vec()));
        Ok(())
    };
    pages.for_each(&mut buffer, &mut gather).unwrap();
    assert_eq!(back.len(), 200);
    assert!(back.iter().enumerate().all(|(i, row)| row == rows.row(i)));
}

#[test]
fn a_refused_page_leaves_the_row_out() {
    let memory = Memory::new(4096, 4096);
    let owner = memory.budget.reserve("rows", 0, true).unwrap();
    let mut pages = RowPages::default();
    let mut row = vec![0; 3000];
    row[..4].copy_from_slice(&3000u32.to_le_bytes());
    assert_eq!(pages.append(&row, &memory, &owner).unwrap(), None);
    assert_eq!(pages.append(&row, &memory, &owner).unwrap(), Some(4096));
    assert_eq!(pages.rows(), 1);
    assert!(pages.append(&row[..8], &memory, &owner).is_err());
}

#[test]
fn dead_rows_are_passed_over() {
    let layout = RowLayout::new(&[DataType::Int64]);
    let mut rows = EncodedRows::default();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    RowEncoder::new(&layout).unwrap().encode(&[column], 3, &mut rows).unwrap();
    let mut bytes = rows.bytes().to_vec();
    mark_dead(&mut bytes[16..]);
    let alive: Vec<usize> = Rows::new(&bytes, 0).map(|(at, _)| at).collect();
    assert_eq!(alive, [0, 32]);
    for length in [0, 16, 32] {
        leave_out(&mut bytes, length);
        let alive: Vec<usize> = Rows::new(&bytes, 0).map(|(at, _)| at).collect();
        assert_eq!(alive, if length == 0 { vec![0, 32] } else { vec![32] }, "{length}");
    }
}
