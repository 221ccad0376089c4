//! The bits of integers.

use super::super::args::{Args, ints, primitives, some};
use super::super::row::{Gives, Row};
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "bit_count",
        "integer",
        Gives::By(tiny),
        bit_count,
        "The number of bits that are 1.",
        "bit_count(7) --> 3",
    ),
    Row::new(
        "left_shift",
        "int, int",
        Gives::Int,
        left_shift,
        "The bits so many places to the left; an error where one would be lost.",
        "1 << 3 --> 8",
    ),
    Row::new(
        "right_shift",
        "int, int",
        Gives::Int,
        right_shift,
        "The bits so many places to the right.",
        "16 >> 2 --> 4",
    ),
    Row::new("xor", "integer, like", Gives::Same(0), xor, "The bits that differ.", "xor(5, 3) --> 6"),
];

fn tiny(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Int8)
}

/// How many bits a type has.
fn width(t: &DataType) -> u32 {
    8 * u32::try_from(t.primitive_width().unwrap_or(8)).unwrap_or(8)
}

fn bit_count(args: &Args) -> Result<ArrayRef> {
    let width = width(args.type_of(0));
    if args.type_of(0) == &DataType::UInt64 {
        let n = args.any(0)?;
        let values = n.array.as_primitive::<arrow::datatypes::UInt64Type>().clone();
        return primitives::<arrow::datatypes::Int8Type>(args, |row| {
            Ok(i8::try_from(values.value(some!(n.at(row))).count_ones()).ok())
        });
    }
    let n = args.int(0)?;
    primitives::<arrow::datatypes::Int8Type>(args, |row| {
        let n = some!(n.get(row));
        // A negative number has ones in the bits that its type lacks.
        let extra = if n < 0 { 64 - width } else { 0 };
        Ok(i8::try_from(n.count_ones() - extra).ok())
    })
}

fn xor(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.int(0)?, args.int(1)?);
    let mut made = arrow::array::PrimitiveBuilder::<Int64Type>::with_capacity(args.rows);
    for row in 0..args.rows {
        made.append_option(a.get(row).zip(b.get(row)).map(|(a, b)| a ^ b));
    }
    Ok(cast(&(std::sync::Arc::new(made.finish()) as ArrayRef), args.gives)?)
}

fn left_shift(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.int(0)?, args.int(1)?);
    ints(args, |row| {
        let (value, by) = (some!(a.get(row)), some!(b.get(row)));
        let moved = u32::try_from(by).ok().filter(|by| *by < 64).map(|by| value << by);
        match moved.filter(|m| value >= 0 && m >> by == value && *m >= 0) {
            Some(moved) => Ok(Some(moved)),
            None => exec_err!("overflow in {value} << {by}"),
        }
    })
}

fn right_shift(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.int(0)?, args.int(1)?);
    ints(args, |row| {
        let (value, by) = (some!(a.get(row)), some!(b.get(row)));
        Ok(Some(if (0..64).contains(&by) { value >> by } else { 0 }))
    })
}
