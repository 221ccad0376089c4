//! Values, their order and equality, random numbers, and what makes two answers differ.

use super::query::Query;
use std::cmp::Ordering;

/// A value of a cell.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// Unscaled, with two places.
    Decimal(i128),
    Float(f64),
    /// Days since 1970.
    Date(i32),
    Text(String),
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// SQL's order of two values that are not null: NaN is the largest float, zeros are equal.
    pub fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(a.is_nan().cmp(&b.is_nan())),
            other => panic!("no order between {other:?}"),
        }
    }

    /// The same for equal values, nulls too: what groups go by.
    pub fn key(&self) -> String {
        match self {
            Value::Float(x) if *x == 0.0 => "Float(0.0)".into(),
            other => format!("{other:?}"),
        }
    }

    pub fn number(&self) -> f64 {
        match self {
            Value::Int(x) => *x as f64,
            Value::Float(x) => *x,
            other => panic!("{other:?} is no number"),
        }
    }

    /// Equal; floats but for rounding.
    fn agrees(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Float(a), Value::Float(b)) if a.is_nan() || b.is_nan() => a.is_nan() && b.is_nan(),
            (Value::Float(a), Value::Float(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3),
            (a, b) => a.key() == b.key(),
        }
    }
}

pub type Row = Vec<Value>;

/// What is wrong with an answer, if anything.
pub fn difference(query: &Query, rows: &[Row]) -> Option<String> {
    let mut expected = query.expected.clone();
    let mut found = rows.to_vec();
    if expected.len() != found.len() {
        return Some(format!("{} rows instead of {}", found.len(), expected.len()));
    }
    if !query.ordered {
        let key = |row: &Row| row.iter().take(query.keys).map(Value::key).collect::<Vec<_>>();
        expected.sort_by_cached_key(key);
        found.sort_by_cached_key(key);
    }
    let agree = |(a, b): &(&Row, &Row)| a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.agrees(b));
    let at = expected.iter().zip(&found).position(|pair| !agree(&pair))?;
    Some(format!("row {at} is {:?} instead of {:?}", found[at], expected[at]))
}

/// Xorshift, seeded.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Random((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        (0..8).for_each(|_| drop(random.next()));
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n
    }

    /// True in one of `n` cases.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
