//! Aggregates with a state of fixed width: for each function its arguments as items, and its states as values.

use super::feed::{Arguments, Feed, Load};
use super::frame::Parts;
use super::running::Running;
use super::slide::Slide;
use super::source::{At, Evaluator};
use super::state::{Bits, Bools, Comoments, Count, Extreme, Moments, Product, State, SumFloat, SumInt, SumWide};
use super::tape::Tape;
use super::{Aggregate, Edge, Exclude, Need, Window};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayData, ArrayRef, ArrowNativeTypeOp, AsArray, BooleanArray, Float64Array, Int64Array};
use arrow::array::{Decimal128Array, Decimal256Array, UInt64Array, make_array};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{ArrowNativeType, ArrowPrimitiveType, DataType, Decimal256Type, Float16Type, Float32Type};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type, i256};
use std::sync::Arc;

type F16 = <Float16Type as ArrowPrimitiveType>::Native;

/// States to values of a type.
type Finish<S> = fn(&[S], Form, &DataType) -> Result<ArrayRef>;

/// What else decides how a state becomes a value.
#[derive(Clone, Copy, Default)]
struct Form {
    sample: bool,
    root: bool,
}

/// An aggregate over the frames of a window.
struct Engine<S: State> {
    left: Moving<S>,
    /// The row itself, and the rows behind the hole; only used by frames that leave something out.
    here: Feed<S::Item>,
    right: Slide<S>,
    exclude: bool,
    finish: Finish<S>,
    form: Form,
    output: DataType,
}

enum Moving<S: State> {
    Running(Running<S>),
    Slide(Slide<S>),
}

/// Whether there is a state for arguments of these types.
pub(super) fn takes(kind: Aggregate, types: &[DataType]) -> bool {
    let first = types.first();
    let is = |f: fn(&DataType) -> bool| first.is_some_and(f);
    let number = |t: &DataType| t.is_integer() || t.is_floating();
    match kind {
        Aggregate::Count => true,
        Aggregate::Sum => is(|t| t.is_numeric()),
        Aggregate::Avg | Aggregate::Product => first.is_some_and(number),
        Aggregate::Min | Aggregate::Max => first.is_some_and(has_order),
        Aggregate::Variance { .. } => first.is_some_and(number),
        Aggregate::Covariance { .. } | Aggregate::Corr => types.len() == 2 && types.iter().all(number),
        Aggregate::BoolAnd | Aggregate::BoolOr => is(|t| *t == DataType::Boolean),
        Aggregate::BitAnd | Aggregate::BitOr | Aggregate::BitXor => is(DataType::is_integer),
    }
}

fn has_order(data_type: &DataType) -> bool {
    data_type.is_numeric() || (data_type.is_temporal() && !matches!(data_type, DataType::Interval(_)))
}

/// The evaluator of an aggregate of arguments of these types.
pub(super) fn evaluator(
    kind: Aggregate,
    types: &[DataType],
    columns: &[usize],
    filter: Option<usize>,
    window: &Window,
    output: &DataType,
) -> Result<Box<dyn Evaluator>> {
    if !takes(kind, types) {
        return Err(Error::unsupported(format!("{kind:?} of {types:?} over a window")));
    }
    let make = Maker { columns, filter, window, output };
    let plain = Form::default();
    Ok(match kind {
        Aggregate::Count => make.engine::<Count>(Arc::new(|c| Ok(vec![(); rows(c)])), counts, plain),
        Aggregate::Sum => match types.first() {
            Some(t) if t.is_integer() => make.engine::<SumInt>(Arc::new(integers), sums, plain),
            Some(t) if t.is_decimal() => make.engine::<SumWide>(Arc::new(decimals), wide_sums, plain),
            _ => make.engine::<SumFloat>(Arc::new(floats), float_sums, plain),
        },
        Aggregate::Avg => make.engine::<SumFloat>(Arc::new(floats), averages, plain),
        Aggregate::Product => make.engine::<Product>(Arc::new(floats), products, plain),
        Aggregate::Min => make.extreme::<false>(types)?,
        Aggregate::Max => make.extreme::<true>(types)?,
        Aggregate::Variance { sample, root } => {
            make.engine::<Moments>(Arc::new(floats), variances, Form { sample, root })
        }
        Aggregate::Covariance { sample } => {
            make.engine::<Comoments>(Arc::new(pairs), covariances, Form { sample, root: false })
        }
        Aggregate::Corr => make.engine::<Comoments>(Arc::new(pairs), correlations, plain),
        Aggregate::BoolAnd => make.engine::<Bools>(Arc::new(bools), all, plain),
        Aggregate::BoolOr => make.engine::<Bools>(Arc::new(bools), any, plain),
        Aggregate::BitAnd => make.engine::<Bits>(Arc::new(words), |s, _, t| bits(s, |b| b.and, t), plain),
        Aggregate::BitOr => make.engine::<Bits>(Arc::new(words), |s, _, t| bits(s, |b| b.or, t), plain),
        Aggregate::BitXor => make.engine::<Bits>(Arc::new(words), |s, _, t| bits(s, |b| b.xor, t), plain),
    })
}

struct Maker<'a> {
    columns: &'a [usize],
    filter: Option<usize>,
    window: &'a Window,
    output: &'a DataType,
}

impl Maker<'_> {
    fn engine<S: State>(&self, load: Load<S::Item>, finish: Finish<S>, form: Form) -> Box<dyn Evaluator> {
        let arguments = Arguments { columns: self.columns.to_vec(), filter: self.filter, load };
        let (here, right) = (Feed::new(arguments.clone()), Slide::new(arguments.clone()));
        let left = match self.window.frame.start {
            Edge::Unbounded => Moving::Running(Running::new(arguments)),
            _ => Moving::Slide(Slide::new(arguments)),
        };
        let exclude = self.window.frame.exclude != Exclude::Nothing;
        Box::new(Engine { left, here, right, exclude, finish, form, output: self.output.clone() })
    }

    fn extreme<const MOST: bool>(&self, types: &[DataType]) -> Result<Box<dyn Evaluator>> {
        let data_type = types.first().ok_or_else(|| Error::internal("an extreme of nothing"))?;
        macro_rules! of {
            ($native:ty) => {
                self.engine::<Extreme<$native, MOST>>(
                    Arc::new(natives::<$native>),
                    extremes::<$native, MOST>,
                    Form::default(),
                )
            };
        }
        use DataType as T;
        Ok(match data_type {
            T::Int8 => of!(i8),
            T::Int16 => of!(i16),
            T::Int32 | T::Date32 | T::Time32(_) | T::Decimal32(..) => of!(i32),
            T::UInt8 => of!(u8),
            T::UInt16 => of!(u16),
            T::UInt32 => of!(u32),
            T::UInt64 => of!(u64),
            T::Float16 => of!(F16),
            T::Float32 => of!(f32),
            T::Float64 => of!(f64),
            T::Decimal128(..) => of!(i128),
            T::Decimal256(..) => of!(i256),
            _ => of!(i64),
        })
    }
}

impl<S: State> Evaluator for Engine<S> {
    fn sees_frames(&self) -> bool {
        true
    }

    fn need(&self) -> Need {
        Need::Nothing
    }

    fn arrive(&mut self, start: u64, end: u64, tape: &mut Tape) -> Result<()> {
        match &mut self.left {
            Moving::Running(running) => running.state(start, end, tape).map(|_| ()),
            Moving::Slide(slide) => slide.arrive(start, end, tape),
        }
    }

    fn evaluate(&mut self, at: At<'_>, tape: &mut Tape) -> Result<ArrayRef> {
        let mut states = Vec::with_capacity(at.rows.len());
        for parts in at.frames.parts() {
            let (start, end) = parts.left;
            let mut state = match &mut self.left {
                Moving::Running(running) => running.state(start, end, tape)?,
                Moving::Slide(slide) => slide.state(start, end, tape)?,
            };
            if self.exclude {
                self.behind_the_hole(&mut state, parts, tape)?;
            }
            states.push(state);
        }
        let values = (self.finish)(&states, self.form, &self.output)?;
        if values.data_type() == &self.output { Ok(values) } else { exact_cast(&values, &self.output) }
    }

    fn keeps(&self, next: u64) -> u64 {
        let left = match &self.left {
            Moving::Running(running) => running.keeps(next),
            Moving::Slide(slide) => slide.keeps(next),
        };
        if self.exclude { left.min(self.right.keeps(next)) } else { left }
    }
}

impl<S: State> Engine<S> {
    /// Adds the row itself, if it counts, and the rows behind the hole.
    fn behind_the_hole(&mut self, state: &mut S, parts: Parts, tape: &mut Tape) -> Result<()> {
        if let Some(row) = parts.here {
            self.here.load(row, tape)?;
            if let Some(item) = self.here.item(row) {
                state.add(item);
            }
        }
        let (start, end) = parts.right;
        state.merge(&self.right.state(start, end, tape)?);
        Ok(())
    }
}

/// A cast that fails where a value does not fit.
pub(super) fn exact_cast(array: &ArrayRef, output: &DataType) -> Result<ArrayRef> {
    Ok(cast_with_options(array, output, &CastOptions { safe: false, ..Default::default() })?)
}

fn rows(columns: &[ArrayRef]) -> usize {
    columns.first().map_or(0, |c| c.len())
}

fn column(columns: &[ArrayRef], index: usize) -> Result<&ArrayRef> {
    columns.get(index).ok_or_else(|| Error::internal("an aggregate without its argument"))
}

fn integers(columns: &[ArrayRef]) -> Result<Vec<i128>> {
    let column = column(columns, 0)?;
    Ok(match column.data_type() {
        DataType::UInt64 => column.as_primitive::<UInt64Type>().values().iter().map(|v| i128::from(*v)).collect(),
        _ => {
            let column = cast(column, &DataType::Int64)?;
            column.as_primitive::<Int64Type>().values().iter().map(|v| i128::from(*v)).collect()
        }
    })
}

fn words(columns: &[ArrayRef]) -> Result<Vec<u64>> {
    Ok(integers(columns)?.into_iter().map(|v| v as u64).collect())
}

fn decimals(columns: &[ArrayRef]) -> Result<Vec<i256>> {
    let column = column(columns, 0)?;
    let scale = match column.data_type() {
        DataType::Decimal32(_, s) | DataType::Decimal64(_, s) => *s,
        DataType::Decimal128(_, s) | DataType::Decimal256(_, s) => *s,
        _ => 0,
    };
    let column = cast(column, &DataType::Decimal256(76, scale))?;
    Ok(column.as_primitive::<Decimal256Type>().values().to_vec())
}

fn floats(columns: &[ArrayRef]) -> Result<Vec<f64>> {
    let column = cast(column(columns, 0)?, &DataType::Float64)?;
    Ok(column.as_primitive::<Float64Type>().values().to_vec())
}

fn pairs(columns: &[ArrayRef]) -> Result<Vec<(f64, f64)>> {
    let (x, y) = (cast(column(columns, 0)?, &DataType::Float64)?, cast(column(columns, 1)?, &DataType::Float64)?);
    let pairs = x.as_primitive::<Float64Type>().values().iter().zip(y.as_primitive::<Float64Type>().values());
    Ok(pairs.map(|(x, y)| (*x, *y)).collect())
}

fn bools(columns: &[ArrayRef]) -> Result<Vec<bool>> {
    let column = column(columns, 0)?.as_boolean_opt();
    let column = column.ok_or_else(|| Error::internal("an argument that is not a truth value"))?;
    Ok(column.values().iter().collect())
}

/// Values as arrays store them; every NaN is one NaN.
fn natives<N: ArrowNativeType + ArrowNativeTypeOp>(columns: &[ArrayRef]) -> Result<Vec<N>> {
    let data = one_nan(column(columns, 0)?).to_data();
    let buffer = data.buffers().first().ok_or_else(|| Error::internal("an argument without values"))?;
    Ok(ScalarBuffer::<N>::new(buffer.clone(), data.offset(), data.len()).to_vec())
}

/// Floats in which every NaN is the greatest one; zeros keep their sign.
fn one_nan(column: &ArrayRef) -> ArrayRef {
    fn map<T: ArrowPrimitiveType>(column: &ArrayRef, nan: T::Native, is_nan: fn(T::Native) -> bool) -> ArrayRef {
        Arc::new(column.as_primitive::<T>().unary::<_, T>(|v| if is_nan(v) { nan } else { v }))
    }
    match column.data_type() {
        DataType::Float16 => map::<Float16Type>(column, F16::NAN, |v| v.is_nan()),
        DataType::Float32 => map::<Float32Type>(column, f32::NAN, f32::is_nan),
        DataType::Float64 => map::<Float64Type>(column, f64::NAN, f64::is_nan),
        _ => column.clone(),
    }
}

fn counts(states: &[Count], _: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(Arc::new(Int64Array::from_iter_values(states.iter().map(|s| s.0))))
}

fn overflow(output: &DataType) -> Error {
    Error::query(format!("arithmetic overflow: a sum does not fit {output}"))
        .advise("cast the argument to a decimal or a float")
}

fn sums(states: &[SumInt], _: Form, output: &DataType) -> Result<ArrayRef> {
    let fit = |s: &SumInt| (s.1 > 0).then_some(s.0);
    Ok(match output {
        DataType::UInt64 => {
            let narrow = |s| fit(s).map(u64::try_from).transpose().map_err(|_| overflow(output));
            Arc::new(UInt64Array::from(states.iter().map(narrow).collect::<Result<Vec<_>>>()?))
        }
        DataType::Int64 => {
            let narrow = |s| fit(s).map(i64::try_from).transpose().map_err(|_| overflow(output));
            Arc::new(Int64Array::from(states.iter().map(narrow).collect::<Result<Vec<_>>>()?))
        }
        // 127 bits do not fit 38 digits, but 64 bits of rows of 63 bits do.
        _ => {
            let values = Decimal128Array::from_iter(states.iter().map(fit)).with_precision_and_scale(38, 0)?;
            Arc::new(values)
        }
    })
}

fn wide_sums(states: &[SumWide], _: Form, output: &DataType) -> Result<ArrayRef> {
    let value = |s: &SumWide| match (s.1, s.0) {
        (0, _) => Ok(None),
        (_, Some(sum)) => Ok(Some(sum)),
        (_, None) => Err(overflow(output)),
    };
    let values = states.iter().map(value).collect::<Result<Vec<_>>>()?;
    let (precision, scale) = match output {
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => (*p, *s),
        DataType::Decimal128(p, s) | DataType::Decimal256(p, s) => (*p, *s),
        other => return Err(Error::unsupported(format!("a sum of decimals as {other}"))),
    };
    let most = i256::from_i128(10).checked_pow(u32::from(precision)).unwrap_or(i256::MAX);
    if values.iter().flatten().any(|v| *v >= most || *v <= most.wrapping_neg()) {
        return Err(overflow(output));
    }
    let values = Decimal256Array::from(values).with_precision_and_scale(76.min(precision.max(38) * 2), scale)?;
    exact_cast(&(Arc::new(values) as ArrayRef), output)
}

fn optional_floats<S>(states: &[S], f: impl Fn(&S) -> Option<f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(states.iter().map(f)))
}

fn float_sums(states: &[SumFloat], _: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(optional_floats(states, |s| (s.rows > 0).then(|| s.value())))
}

fn products(states: &[Product], _: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(optional_floats(states, |Product(product, rows)| (*rows > 0).then_some(*product)))
}

fn averages(states: &[SumFloat], _: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(optional_floats(states, |s| (s.rows > 0).then(|| s.value() / s.rows as f64)))
}

fn variances(states: &[Moments], form: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(optional_floats(states, |Moments([count, _, m2])| {
        let divisor = if form.sample { count - 1.0 } else { *count };
        let variance = (*count > 0.0 && divisor > 0.0).then(|| m2 / divisor);
        if form.root { variance.map(f64::sqrt) } else { variance }
    }))
}

fn covariances(states: &[Comoments], form: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(optional_floats(states, |Comoments([count, _, _, _, _, co])| {
        let divisor = if form.sample { count - 1.0 } else { *count };
        (*count > 0.0 && divisor > 0.0).then(|| co / divisor)
    }))
}

fn correlations(states: &[Comoments], _: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(optional_floats(states, |Comoments([count, mx, my, x, y, co])| {
        if *count > 0.0 && (mx.is_nan() || my.is_nan()) {
            return Some(f64::NAN);
        }
        (*count >= 2.0 && *x != 0.0 && *y != 0.0).then(|| co / x.sqrt() / y.sqrt())
    }))
}

fn all(states: &[Bools], _: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::from_iter(states.iter().map(|s| (s.no || s.yes).then_some(!s.no)))))
}

fn any(states: &[Bools], _: Form, _: &DataType) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::from_iter(states.iter().map(|s| (s.no || s.yes).then_some(s.yes)))))
}

/// Integers whose low bits are these words.
fn bits(states: &[Bits], word: impl Fn(&Bits) -> u64, output: &DataType) -> Result<ArrayRef> {
    let width = output.primitive_width().filter(|w| *w <= 8);
    let width = width.ok_or_else(|| Error::internal(format!("bits as {output}")))?;
    let mut values = Vec::with_capacity(states.len() * width);
    for state in states {
        values.extend_from_slice(word(state).to_le_bytes().get(..width).unwrap_or_default());
    }
    fixed(output, states.len(), Buffer::from_vec(values), states.iter().map(|s| s.any))
}

fn extremes<N: ArrowNativeType, const MOST: bool>(
    states: &[Extreme<N, MOST>],
    _: Form,
    output: &DataType,
) -> Result<ArrayRef> {
    let values: Vec<N> = states.iter().map(|s| s.0.unwrap_or_default()).collect();
    fixed(output, states.len(), Buffer::from_vec(values), states.iter().map(|s| s.0.is_some()))
}

fn fixed(output: &DataType, rows: usize, values: Buffer, valid: impl Iterator<Item = bool>) -> Result<ArrayRef> {
    let nulls = NullBuffer::from_iter(valid);
    let data = ArrayData::builder(output.clone()).len(rows).add_buffer(values).nulls(Some(nulls));
    Ok(make_array(data.align_buffers(true).build()?))
}
