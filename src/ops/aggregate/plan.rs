//! What an aggregate's query asks for, and the row layout and the parts of states that follow from it.

use super::input::{Input, InputPlan, Order, Shape};
use super::output::Finish;
use super::pick::{Encoding, Pick};
use super::state::{Bits, Kind, Part};
use super::text;
use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::ops::rows::RowLayout;
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, SchemaRef};

/// An aggregate function with a state of fixed width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Rows for which no argument is null; all rows, without arguments.
    Count,
    /// Of integers, durations and decimals (exact) and floats (compensated).
    Sum,
    /// As `Sum`, divided by the count; integers and floats give floats, decimals decimals, cut off towards zero.
    Avg,
    /// The smallest value of any type with an order; NaN is the largest float, a null inside a nested value the largest
    /// of all.
    Min,
    /// The largest value.
    Max,
    /// The variance of floats, of a sample or of the whole population.
    Variance {
        /// Whether to divide by one less than the count.
        sample: bool,
    },
    /// The root of the variance.
    Stddev {
        /// Whether to divide by one less than the count.
        sample: bool,
    },
    /// The covariance of two arguments.
    Covariance {
        /// Whether to divide by one less than the count.
        sample: bool,
    },
    /// Pearson's correlation of two arguments.
    Corr,
    /// Whether all values are true.
    BoolAnd,
    /// Whether any value is true.
    BoolOr,
    /// All bits that all integers have.
    BitAnd,
    /// All bits that any integer has.
    BitOr,
    /// Bits that an odd number of integers have.
    BitXor,
    /// The product of floats.
    Product,
    /// The geometric mean of floats.
    GeometricMean,
    /// The excess kurtosis of floats, of a sample or of the whole population.
    Kurtosis {
        /// Whether to correct for the bias of a sample.
        sample: bool,
    },
    /// The skewness of floats, of a sample.
    Skewness,
    /// The standard error of the mean of floats.
    StandardError,
    /// Linear regression of the first argument (y) on the second (x).
    Regression(Regression),
    /// The entropy in bits of a distribution, of which the argument has the counts.
    Entropy,
    /// The last argument of the row that comes first by all of them.
    Pick(Pick),
}

/// What is asked of a linear regression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regression {
    /// Pairs without nulls.
    Count,
    /// The mean of y.
    AvgY,
    /// The mean of x.
    AvgX,
    /// The sum of squared distances of y from its mean.
    Syy,
    /// The sum of squared distances of x from its mean.
    Sxx,
    /// The sum of products of both distances.
    Sxy,
    /// The slope of the line.
    Slope,
    /// Where the line meets x = 0.
    Intercept,
    /// The square of the correlation.
    R2,
}

/// One aggregate of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// What to compute.
    pub function: Function,
    /// Its arguments, as columns of the input.
    pub arguments: Vec<usize>,
    /// A column of truth values: only rows with true count.
    pub filter: Option<usize>,
}

/// What both phases know.
pub(super) struct Plan {
    pub(super) groups: Vec<usize>,
    pub(super) output: SchemaRef,
    /// Keys as the encoder makes them, without prefix.
    pub(super) key: RowLayout,
    /// Keys with hash and states.
    pub(super) row: RowLayout,
    pub(super) inputs: Vec<InputPlan>,
    pub(super) parts: Vec<Part>,
    pub(super) finish: Vec<Finish>,
    /// The prefix of a new row: hash and states of no rows.
    pub(super) prefix: Vec<u8>,
    /// Parts with text.
    pub(super) texts: Vec<TextPart>,
    /// Of just their places.
    pub(super) text_places: Vec<usize>,
    /// log2 of the partitions.
    pub(super) bits: u32,
    /// Whether every input row is to stay a row of its own in the first phase.
    pub(super) each_row: bool,
}

/// A part with text.
pub(super) struct TextPart {
    pub(super) at: usize,
    pub(super) input: usize,
    pub(super) most: bool,
}

impl Plan {
    pub(super) fn new(
        input: &SchemaRef,
        groups: Vec<usize>,
        aggregates: &[Aggregate],
        output: SchemaRef,
        tuning: &Tuning,
        limit: usize,
    ) -> Result<Self> {
        let types: Vec<DataType> = input.fields().iter().map(|f| f.data_type().clone()).collect();
        let column = |i: &usize| {
            types.get(*i).cloned().ok_or_else(|| Error::internal(format!("an aggregate's input has no column {i}")))
        };
        let keys = groups.iter().map(column).collect::<Result<Vec<_>>>()?;
        if output.fields().len() != groups.len() + aggregates.len() {
            return Err(Error::internal("an aggregate's output does not have a column for each key and value"));
        }
        let mut compiler = Compiler::default();
        for aggregate in aggregates {
            let arguments = aggregate.arguments.iter().map(column).collect::<Result<Vec<_>>>()?;
            compiler.aggregate(aggregate, &arguments)?;
        }
        let key = RowLayout::new(&keys);
        let (row, prefix) = compiler.layout(&keys);
        let texts: Vec<TextPart> = compiler.parts.iter().filter_map(TextPart::of).collect();
        Ok(Plan {
            bits: if groups.is_empty() { 0 } else { tuning.partition_bits(limit) },
            groups,
            output,
            key,
            row,
            inputs: compiler.inputs,
            parts: compiler.parts,
            finish: compiler.finish,
            prefix,
            text_places: texts.iter().map(|t| t.at).collect(),
            texts,
            each_row: false,
        })
    }

    /// How many partitions.
    pub(super) fn partitions(&self) -> usize {
        1 << self.bits
    }

    /// 8-byte words of a key, if all keys have that many, there are at most 32 columns, and rows never move; else 0.
    pub(super) fn key_words(&self) -> usize {
        let simple = self.key.constant_length().is_some() && self.key.head_bytes() == 8 && self.texts.is_empty();
        if simple { self.key.fixed_bytes() / 8 } else { 0 }
    }

    /// Bytes of the row of a group that begins with row `index` of a batch, whose encoded key is `key`.
    #[inline(always)]
    pub(super) fn row_bytes(&self, key: &[u8], inputs: &[Input], index: usize) -> usize {
        let slots = |t: &TextPart| text::slot(inputs[t.input].text(index).map_or(0, <[u8]>::len));
        let own = key.len() + self.prefix.len();
        if self.texts.is_empty() { own } else { own + self.texts.iter().map(slots).sum::<usize>() }
    }

    /// Writes a new group's row, of which `to` has the length.
    #[inline(always)]
    pub(super) fn write(&self, to: &mut [u8], hash: u64, key: &[u8], inputs: &[Input], index: usize) {
        let (head, cells) = (self.row.head_bytes(), self.row.cells_at());
        copy_words(&mut to[..head], &key[..head]);
        copy_words(&mut to[head..cells], &self.prefix);
        to[head..head + 8].copy_from_slice(&hash.to_le_bytes());
        copy_words(&mut to[cells..cells + key.len() - head], &key[head..]);
        let length = to.len() as u32;
        to[..4].copy_from_slice(&length.to_le_bytes());
        let mut slot = cells + key.len() - head;
        for part in &self.texts {
            let value = inputs[part.input].text(index);
            text::begin(to, part.at, slot, value);
            slot += text::slot(value.map_or(0, <[u8]>::len));
        }
    }

    /// Offers the texts of row `index` of a batch to the group at `row`; the place of the first that needs a larger slot,
    /// and its length.
    pub(super) fn offer(&self, row: &mut [u8], inputs: &[Input], index: usize) -> Option<(usize, usize)> {
        for part in &self.texts {
            if let Some(value) = inputs[part.input].text(index)
                && !text::offer(row, part.at, value, part.most)
            {
                return Some((part.at, value.len()));
            }
        }
        None
    }

    /// Offers the texts of the group in `other`; the place of the first that needs a larger slot, and its length.
    pub(super) fn offer_row(&self, row: &mut [u8], other: &[u8]) -> Option<(usize, usize)> {
        for part in &self.texts {
            if let Some(value) = text::value(other, part.at)
                && !text::offer(row, part.at, value, part.most)
            {
                return Some((part.at, value.len()));
            }
        }
        None
    }

    /// The row with a larger slot for the text whose state is at `part`.
    pub(super) fn enlarged(&self, row: &[u8], part: usize, length: usize) -> Result<Vec<u8>> {
        let slots = self.text_places.first().map_or(row.len(), |at| text::slot_offset(row, *at));
        text::enlarged(row, part, length, &self.text_places, slots)
    }
}

/// Copies a few 8-byte words: for these lengths a loop is cheaper than a call.
#[inline(always)]
pub(super) fn copy_words(to: &mut [u8], from: &[u8]) {
    if from.len() > 64 {
        return to.copy_from_slice(from);
    }
    for (to, from) in to.as_chunks_mut::<8>().0.iter_mut().zip(from.as_chunks::<8>().0) {
        *to = *from;
    }
}

impl TextPart {
    fn of(part: &Part) -> Option<TextPart> {
        match part.kind {
            Kind::Text { most } => Some(TextPart { at: part.at, input: part.input, most }),
            _ => None,
        }
    }
}

impl Input {
    /// The text of a row, if it counts.
    pub(super) fn text(&self, index: usize) -> Option<&[u8]> {
        if self.valid.as_ref().is_some_and(|v| !v.value(index)) {
            return None;
        }
        match &self.values {
            super::input::Values::Text(array) => Some(text_value(array, index)),
            super::input::Values::Rows(rows) => Some(rows.row(index).data()),
            _ => None,
        }
    }
}

fn text_value(array: &ArrayRef, index: usize) -> &[u8] {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().value(index).as_bytes(),
        _ => array.as_binary_view().value(index),
    }
}

#[derive(Default)]
struct Compiler {
    inputs: Vec<InputPlan>,
    parts: Vec<Part>,
    finish: Vec<Finish>,
}

impl Compiler {
    fn aggregate(&mut self, aggregate: &Aggregate, types: &[DataType]) -> Result<()> {
        let function = aggregate.function;
        let first = types.first();
        let known = || Error::unsupported(format!("{function:?} of {types:?}"));
        let mut part = |kind: Kind, shape: Shape| self.part(aggregate, kind, shape);
        let finish = match function {
            Function::Count => Finish::Count(part(Kind::Count, Shape::Rows)),
            Function::Sum => {
                let (kind, shape) = first.and_then(sum).ok_or_else(known)?;
                Finish::Sum(part(kind, shape))
            }
            Function::Avg => {
                let (kind, shape) = first.and_then(sum).ok_or_else(known)?;
                let scale = first.map_or(0, scale);
                Finish::Avg { sum: part(kind, shape), count: part(Kind::Count, Shape::Rows), scale }
            }
            Function::Min | Function::Max => {
                let most = function == Function::Max;
                let first = first.ok_or_else(known)?;
                match (is_text(first), Order::of(first)) {
                    (true, _) => Finish::Extreme(part(Kind::Text { most }, Shape::Text)),
                    (_, Some(order)) => Finish::Extreme(part(Kind::Extreme { order, most }, Shape::Order(order))),
                    _ => {
                        return self.pick(
                            aggregate,
                            // A null inside of a nested value is larger than what is there.
                            Pick { descending: u32::from(most), nulls_first: u32::from(most), required: 1 },
                            types,
                        );
                    }
                }
            }
            Function::Variance { sample } | Function::Stddev { sample } => {
                let root = matches!(function, Function::Stddev { .. });
                Finish::Variance { moments: part(Kind::Moments, Shape::Float), sample, root }
            }
            Function::Covariance { sample } => {
                Finish::Covariance { comoments: part(Kind::Comoments, Shape::Pair), sample }
            }
            Function::Corr => Finish::Corr(part(Kind::Comoments, Shape::Pair)),
            Function::BoolAnd => Finish::Bools { part: part(Kind::Bools, Shape::Bool), any: false },
            Function::BoolOr => Finish::Bools { part: part(Kind::Bools, Shape::Bool), any: true },
            Function::BitAnd => Finish::Bits(part(Kind::Bits(Bits::And), Shape::Int)),
            Function::BitOr => Finish::Bits(part(Kind::Bits(Bits::Or), Shape::Int)),
            Function::BitXor => Finish::Bits(part(Kind::Bits(Bits::Xor), Shape::Int)),
            Function::Product => Finish::Product(part(Kind::Product, Shape::Float)),
            Function::GeometricMean => {
                Finish::GeometricMean { sum: part(Kind::SumFloat, Shape::Log), count: part(Kind::Count, Shape::Rows) }
            }
            Function::Kurtosis { sample } => Finish::Kurtosis { moments: part(Kind::Moments4, Shape::Float), sample },
            Function::Skewness => Finish::Skewness(part(Kind::Moments4, Shape::Float)),
            Function::StandardError => Finish::StandardError(part(Kind::Moments, Shape::Float)),
            Function::Regression(what) => Finish::Regression { comoments: part(Kind::Comoments, Shape::Pair), what },
            Function::Entropy => {
                Finish::Entropy { logs: part(Kind::SumFloat, Shape::CountLog), count: part(Kind::SumInt, Shape::Int) }
            }
            Function::Pick(pick) => return self.pick(aggregate, pick, types),
        };
        let (wanted, fits) = arguments(function, types);
        if types.len() < wanted || !fits {
            return Err(known());
        }
        self.finish.push(finish);
        Ok(())
    }

    /// A pick, whose state is the smallest string of bytes.
    fn pick(&mut self, aggregate: &Aggregate, pick: Pick, types: &[DataType]) -> Result<()> {
        let encoding = Encoding::new(pick, types)?;
        let required = |i: &usize| Pick::has(pick.required, *i);
        let shape =
            Shape::Encoded { encoding: encoding.clone(), required: (0..types.len()).filter(required).collect() };
        let part = self.part(aggregate, Kind::Text { most: false }, shape);
        self.finish.push(Finish::Pick { part, encoding });
        Ok(())
    }

    /// The part with this kind and input, which may be there already.
    fn part(&mut self, aggregate: &Aggregate, kind: Kind, shape: Shape) -> usize {
        let input = InputPlan { columns: aggregate.arguments.clone(), filter: aggregate.filter, shape };
        let input = find_or_push(&mut self.inputs, |i| *i == input, || input.clone());
        let same = |p: &Part| p.kind == kind && p.input == input;
        find_or_push(&mut self.parts, same, || Part { kind, input, at: 0, flag: 0 })
    }

    /// Places the hash, the words of all parts and then their flags in the prefix of rows.
    fn layout(&mut self, keys: &[DataType]) -> (RowLayout, Vec<u8>) {
        let head = RowLayout::new(keys).head_bytes();
        let mut at = 8;
        for part in &mut self.parts {
            part.at = head + at;
            at += part.kind.width();
        }
        for part in self.parts.iter_mut().filter(|p| p.kind.has_flag()) {
            part.flag = head + at;
            at += 1;
        }
        let row = RowLayout::with_prefix(keys, at);
        let mut prefix = vec![0; row.prefix()];
        for part in &self.parts {
            let at = part.at - head;
            part.kind.init(&mut prefix[at..at + part.kind.width()]);
        }
        (row, prefix)
    }
}

fn find_or_push<T>(list: &mut Vec<T>, same: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> usize {
    list.iter().position(same).unwrap_or_else(|| {
        list.push(make());
        list.len() - 1
    })
}

/// How many arguments a function has, and whether their types fit.
fn arguments(function: Function, types: &[DataType]) -> (usize, bool) {
    let all = |f: fn(&DataType) -> bool| types.iter().all(f);
    match function {
        Function::Count => (0, true),
        Function::Corr | Function::Covariance { .. } | Function::Regression(_) => (2, all(DataType::is_numeric)),
        Function::Variance { .. } | Function::Stddev { .. } | Function::StandardError => (1, all(DataType::is_numeric)),
        Function::Product | Function::GeometricMean | Function::Kurtosis { .. } | Function::Skewness => {
            (1, all(DataType::is_numeric))
        }
        Function::Entropy => (1, all(DataType::is_integer)),
        Function::BoolAnd | Function::BoolOr => (1, all(|t| *t == DataType::Boolean)),
        Function::BitAnd | Function::BitOr | Function::BitXor => (1, all(DataType::is_integer)),
        _ => (1, true),
    }
}

fn is_text(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(data_type, T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView)
}

fn sum(data_type: &DataType) -> Option<(Kind, Shape)> {
    use DataType as T;
    Some(match data_type {
        T::Float16 | T::Float32 | T::Float64 => (Kind::SumFloat, Shape::Float),
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) => (Kind::SumWide, Shape::Wide),
        T::Decimal256(..) => (Kind::SumHuge, Shape::Huge),
        T::UInt64 => (Kind::SumInt, Shape::Unsigned),
        T::Duration(_) => (Kind::SumInt, Shape::Int),
        T::Boolean => (Kind::SumInt, Shape::Int),
        t if t.is_integer() => (Kind::SumInt, Shape::Int),
        _ => return None,
    })
}

fn scale(data_type: &DataType) -> i8 {
    use DataType as T;
    match data_type {
        T::Decimal32(_, s) | T::Decimal64(_, s) | T::Decimal128(_, s) | T::Decimal256(_, s) => *s,
        _ => 0,
    }
}
