//! Guesses: how many rows a plan yields, from what is known of its tables. Pure functions; nothing is read.
//!
//! Where a column's number of different values is known it is used; for integers the distance of minimum and maximum is
//! an upper bound. A join on a key that nobody counted is taken for one from a foreign key to a primary key: each row of
//! the larger table meets one of the smaller, as far as that was not filtered away. The textbook's guesses serve for the
//! rest (a third for an inequality, a tenth for a pattern).
//!
//! Known limits: columns are taken for independent; histograms and skew are unknown; a wrong guess costs time, not rows,
//! since every operator spills and `plan` measures build sides.

use super::catalog::Source;
use crate::formats::{ColumnStats, TableStats};
use datafusion_common::{Column, JoinType, ScalarValue};
use datafusion_expr::expr::{InList, Like};
use datafusion_expr::logical_plan::{Aggregate, Distinct, FetchType, Join, Limit, TableScan};
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use std::collections::BTreeMap;

/// Rows of a table of which nothing is known.
const UNKNOWN_ROWS: f64 = 10_000.0;
/// Bytes of a row of a table of which only the size is known.
const ROW_BYTES: f64 = 100.0;
/// Selectivity of what cannot be judged.
const SOME: f64 = 1.0 / 3.0;

/// A side of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first input.
    Left,
    /// The second input.
    Right,
}

/// The side that a hash table should be built of: the one with fewer bytes by guess, the right one when they are equal.
pub fn build_side(join: &Join) -> Side {
    let bytes = |p: &LogicalPlan| rows(p) * width(p);
    if bytes(&join.left) < bytes(&join.right) { Side::Left } else { Side::Right }
}

/// A guess of a row's bytes.
pub fn width(plan: &LogicalPlan) -> f64 {
    let fields = plan.schema().fields().iter();
    fields.map(|f| f.data_type().primitive_width().map_or(24.0, |w| w as f64)).sum::<f64>().max(1.0)
}

/// A guess of the rows that `plan` yields; at least 0, never infinite or NaN.
pub fn rows(plan: &LogicalPlan) -> f64 {
    let guess = match plan {
        LogicalPlan::TableScan(scan) => scan_rows(scan),
        LogicalPlan::Filter(f) => rows(&f.input) * selectivity(&f.predicate, &f.input),
        LogicalPlan::Join(join) => join_rows(join),
        LogicalPlan::Aggregate(aggregate) => groups(aggregate),
        LogicalPlan::Distinct(Distinct::All(input)) => rows(input) * 0.7,
        LogicalPlan::Distinct(Distinct::On(on)) => rows(&on.input) * 0.5,
        LogicalPlan::Limit(limit) => limited(limit),
        LogicalPlan::Sort(sort) => fetched(rows(&sort.input), sort.fetch),
        LogicalPlan::Union(union) => union.inputs.iter().map(|p| rows(p)).sum(),
        LogicalPlan::EmptyRelation(e) => f64::from(u8::from(e.produce_one_row)),
        LogicalPlan::Values(v) => v.values.len() as f64,
        LogicalPlan::Unnest(u) => rows(&u.input) * 3.0,
        LogicalPlan::RecursiveQuery(r) => rows(&r.static_term) * 10.0,
        other => other.inputs().first().map_or(UNKNOWN_ROWS, |p| rows(p)),
    };
    if guess.is_finite() { guess.clamp(0.0, 1e18) } else { 1e18 }
}

fn fetched(rows: f64, fetch: Option<usize>) -> f64 {
    fetch.map_or(rows, |n| rows.min(n as f64))
}

fn limited(limit: &Limit) -> f64 {
    let fetch = match limit.get_fetch_type() {
        Ok(FetchType::Literal(n)) => n,
        _ => None,
    };
    fetched(rows(&limit.input), fetch)
}

/// What is known of a scan's table.
fn table_stats(scan: &TableScan) -> TableStats {
    Source::of(scan.source.as_ref()).map(|s| s.table.stats()).unwrap_or_default()
}

fn table_rows(stats: &TableStats) -> f64 {
    match (stats.rows, stats.bytes) {
        (Some(rows), _) => rows as f64,
        (None, 0) => UNKNOWN_ROWS,
        (None, bytes) => bytes as f64 / ROW_BYTES,
    }
}

fn scan_rows(scan: &TableScan) -> f64 {
    let stats = table_stats(scan);
    let base = table_rows(&stats);
    let known = |c: &Column| scan_column(scan, &stats, &c.name);
    let kept = base * conjunction(scan.filters.iter().flat_map(split_conjunction), &known);
    fetched(kept, scan.fetch)
}

/// What is known of a column: its values, and the rows of the table that it comes from.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What the table knows.
    pub stats: ColumnStats,
    /// Rows of the table, before any filter.
    pub table_rows: f64,
}

impl Known {
    /// How many different values there are, if that can be said.
    pub fn distinct(&self) -> Option<f64> {
        let span = match (integer(&self.stats.min), integer(&self.stats.max)) {
            (Some(min), Some(max)) if max >= min => Some(max - min + 1.0),
            _ => None,
        };
        let counted = self.stats.distinct.map(|n| n as f64);
        let least = counted.or(span)?;
        Some(least.min(self.table_rows).max(1.0))
    }
}

fn integer(value: &Option<ScalarValue>) -> Option<f64> {
    let value = value.as_ref()?;
    use arrow::datatypes::DataType;
    let whole = value.data_type().is_integer() || matches!(value.data_type(), DataType::Date32);
    if whole { number(value) } else { None }
}

/// A value as a number, so that ranges can be compared.
fn number(value: &ScalarValue) -> Option<f64> {
    use arrow::datatypes::DataType;
    let value = match value.data_type() {
        DataType::Date32 => value.cast_to(&DataType::Int32).ok()?,
        DataType::Timestamp(..) | DataType::Date64 => value.cast_to(&DataType::Int64).ok()?,
        t if t.is_numeric() => value.clone(),
        _ => return None,
    };
    match value.cast_to(&DataType::Float64).ok()? {
        ScalarValue::Float64(x) => x.filter(|x| x.is_finite()),
        _ => None,
    }
}

fn scan_column(scan: &TableScan, stats: &TableStats, name: &str) -> Option<Known> {
    let index = scan.source.schema().index_of(name).ok()?;
    Some(Known { stats: stats.columns.get(index)?.clone(), table_rows: table_rows(stats) })
}

/// What is known of a column of a plan's output.
pub fn column(plan: &LogicalPlan, column: &Column) -> Option<Known> {
    known_at(plan, plan.schema().maybe_index_of_column(column)?)
}

fn known_at(plan: &LogicalPlan, index: usize) -> Option<Known> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let name = scan.projected_schema.fields().get(index)?.name();
            scan_column(scan, &table_stats(scan), name)
        }
        LogicalPlan::Projection(p) => of_expr(p.expr.get(index)?, &p.input),
        LogicalPlan::Aggregate(a) => of_expr(a.group_expr.get(index)?, &a.input),
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            match join.join_type {
                JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => known_at(&join.right, index),
                _ if index < left => known_at(&join.left, index),
                _ => known_at(&join.right, index - left),
            }
        }
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => known_at(plan.inputs().first()?, index),
        _ => None,
    }
}

fn of_expr(expr: &Expr, input: &LogicalPlan) -> Option<Known> {
    match expr {
        Expr::Column(c) => column(input, c),
        Expr::Alias(a) => of_expr(&a.expr, input),
        _ => None,
    }
}

/// The share of `input`'s rows that `predicate` keeps, from 0 to 1.
pub fn selectivity(predicate: &Expr, input: &LogicalPlan) -> f64 {
    conjunction(split_conjunction(predicate).into_iter(), &|c| column(input, c))
}

/// Looks a column up.
type Lookup<'a> = &'a dyn Fn(&Column) -> Option<Known>;

/// The ranges of one column are judged together: `x > 1 AND x < 3` is the overlap of both, not their product.
fn conjunction<'a>(parts: impl Iterator<Item = &'a Expr>, known: Lookup) -> f64 {
    let mut share = 1.0;
    let mut ranges: BTreeMap<String, f64> = BTreeMap::new();
    for part in parts {
        match range_share(part, known) {
            Some((column, kept)) => *ranges.entry(column).or_insert(1.0) += kept - 1.0,
            None => share *= share_of(part, known),
        }
    }
    ranges.values().fold(share, |s, kept| s * kept.clamp(0.001, 1.0))
}

fn share_of(expr: &Expr, known: Lookup) -> f64 {
    let share = match expr {
        Expr::Literal(ScalarValue::Boolean(Some(true)), _) => 1.0,
        Expr::Literal(..) => 0.0,
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            share_of(left, known) * share_of(right, known)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (l, r) = (share_of(left, known), share_of(right, known));
            l + r - l * r
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => equal(left, right, known),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::NotEq, right }) => 1.0 - equal(left, right, known),
        Expr::Not(inner) => 1.0 - share_of(inner, known),
        Expr::InList(InList { expr, list, negated }) => {
            let one = column_in(expr).and_then(known).and_then(|k| k.distinct()).map_or(0.05, |d| 1.0 / d);
            let kept = (one * list.len() as f64).min(1.0);
            if *negated { 1.0 - kept } else { kept }
        }
        Expr::Like(Like { negated, .. }) => {
            if *negated {
                0.9
            } else {
                0.1
            }
        }
        Expr::IsNull(inner) => nulls(inner, known).unwrap_or(0.1),
        Expr::IsNotNull(inner) => 1.0 - nulls(inner, known).unwrap_or(0.1),
        _ => range_share(expr, known).map_or(SOME, |(_, kept)| kept),
    };
    share.clamp(0.0, 1.0)
}

fn equal(left: &Expr, right: &Expr, known: Lookup) -> f64 {
    let one = |e: &Expr| column_in(e).and_then(known).and_then(|k| k.distinct());
    match (one(left), one(right)) {
        (Some(l), Some(r)) => 1.0 / l.max(r),
        (Some(d), None) | (None, Some(d)) => 1.0 / d,
        (None, None) => 0.05,
    }
}

fn nulls(expr: &Expr, known: Lookup) -> Option<f64> {
    let known = known(column_in(expr)?)?;
    Some(known.stats.nulls? as f64 / known.table_rows.max(1.0))
}

/// The column, behind casts.
fn column_in(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(c) => Some(c),
        Expr::Cast(c) => column_in(&c.expr),
        Expr::Alias(a) => column_in(&a.expr),
        _ => None,
    }
}

/// The column and the share of its range that a comparison with a constant keeps.
fn range_share(expr: &Expr, known: Lookup) -> Option<(String, f64)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
    let (column, op, value) = match (column_in(left), column_in(right)) {
        (Some(c), None) => (c, *op, right),
        (None, Some(c)) => (c, op.swap()?, left),
        _ => return None,
    };
    let above = match op {
        Operator::Gt | Operator::GtEq => true,
        Operator::Lt | Operator::LtEq => false,
        _ => return None,
    };
    let Expr::Literal(value, _) = &**value else { return None };
    Some((column.flat_name(), known(column).and_then(|k| beyond(&k, value, above)).unwrap_or(SOME)))
}

fn beyond(known: &Known, value: &ScalarValue, above: bool) -> Option<f64> {
    let (min, max) = (number(known.stats.min.as_ref()?)?, number(known.stats.max.as_ref()?)?);
    let value = number(value)?;
    let below = if max > min { ((value - min) / (max - min)).clamp(0.0, 1.0) } else { 0.5 };
    Some(if above { 1.0 - below } else { below })
}

fn join_rows(join: &Join) -> f64 {
    let (left, right) = (rows(&join.left), rows(&join.right));
    let keys = join.on.iter().map(|(l, r)| (key(l, &join.left, left), key(r, &join.right, right)));
    let mut inner = left * right / divisor(keys);
    if join.filter.is_some() {
        inner *= SOME;
    }
    match join.join_type {
        JoinType::Inner => inner,
        JoinType::Left => inner.max(left),
        JoinType::Right => inner.max(right),
        JoinType::Full => inner.max(left).max(right),
        JoinType::LeftSemi => inner.min(left),
        JoinType::RightSemi => inner.min(right),
        JoinType::LeftAnti => (left - inner).max(left * 0.1),
        JoinType::RightAnti => (right - inner).max(right * 0.1),
        JoinType::LeftMark => left,
        JoinType::RightMark => right,
        #[allow(unreachable_patterns)] // kinds of joins that later versions may bring
        _ => inner,
    }
}

/// A join key: its different values if known, and the rows of the table that it comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) distinct: Option<f64>,
    pub(super) base: f64,
}

/// The key `expr` of a plan that yields `rows`.
pub(super) fn key(expr: &Expr, plan: &LogicalPlan, rows: f64) -> Key {
    match column_in(expr).and_then(|c| column(plan, c)) {
        Some(known) => Key { distinct: known.distinct(), base: known.table_rows.max(1.0) },
        None => Key { distinct: None, base: rows.max(1.0) },
    }
}

/// What the product of two inputs' rows is divided by, for an equality on each of `keys`: together they cannot tell more
/// rows apart than the smaller table has.
pub(super) fn divisor(keys: impl Iterator<Item = (Key, Key)>) -> f64 {
    let (mut product, mut most) = (1.0_f64, f64::INFINITY);
    for (left, right) in keys {
        product *= match (left.distinct, right.distinct) {
            (Some(l), Some(r)) => l.max(r),
            (Some(d), None) | (None, Some(d)) => d.max(left.base.min(right.base)),
            (None, None) => left.base.min(right.base),
        };
        most = most.min(left.base.max(1.0)).min(right.base.max(1.0)).max(1.0);
    }
    product.min(most.max(1.0)).max(1.0)
}

/// Groups: the product of the keys' different values, at most the rows.
fn groups(aggregate: &Aggregate) -> f64 {
    if aggregate.group_expr.is_empty() {
        return 1.0;
    }
    let input = rows(&aggregate.input);
    let distinct = |e: &Expr| of_expr(e, &aggregate.input).and_then(|k| k.distinct());
    let counted: Option<f64> = aggregate.group_expr.iter().map(distinct).product();
    counted.unwrap_or_else(|| input.powf(0.8)).min(input)
}
