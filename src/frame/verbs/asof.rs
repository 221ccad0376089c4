//! As-of join: each row beside the nearest row of another frame.
//!
//! `Nearest` is two joins, one that looks back and one that looks ahead, of which the nearer row is taken.

use super::join::Right;
use super::when::when;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::front::extra::{Extra, Kind};
use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, JoinType, Result as PlanResult, plan_err};
use datafusion_expr::expr_rewriter::normalize_col;
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, cast};

/// Which row is nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The last one before.
    Backward,
    /// The first one behind.
    Forward,
    /// Whichever is nearer; of two, the one before.
    Nearest,
}

/// What an as-of join goes by.
#[derive(Clone, Debug)]
pub struct Asof {
    /// What is near: a time or a number of this frame, and one of the other.
    pub on: (Expr, Expr),
    /// What must be equal.
    pub by: Vec<(Expr, Expr)>,
    /// Which row is nearest.
    pub direction: Direction,
    /// How far it may be away, as a number or an interval.
    pub tolerance: Option<Expr>,
    /// Whether a row at the same time counts.
    pub exact: bool,
    /// `Left`, or `Inner`: without the rows that find none.
    pub how: JoinType,
}

impl Asof {
    /// The last row whose `right` is at most `left`.
    pub fn on(left: Expr, right: Expr) -> Self {
        Asof {
            on: (left, right),
            by: Vec::new(),
            direction: Direction::Backward,
            tolerance: None,
            exact: true,
            how: JoinType::Left,
        }
    }
}

impl Frame {
    /// Each row beside the nearest row of `other`, with nulls where there is none. All columns stay; a right one whose name is
    /// taken gets `_right` behind. Neither frame needs to be sorted; the order of the result is unspecified.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let session = Session::builder().build()?;
    /// let trades = session.sql("FROM (VALUES (1, 'a'), (5, 'a'), (6, 'b')) t(at, k)")?;
    /// let quotes = session.sql("FROM (VALUES (2, 'a', 20), (4, 'a', 40), (9, 'b', 90)) q(at, k, price)")?;
    /// let asof = |direction, tolerance: Option<i64>| -> Result<Vec<String>> {
    ///     let by = vec![(col("k"), col("k"))];
    ///     let nearest = Asof { by, direction, tolerance: tolerance.map(lit), ..Asof::on(col("at"), col("at")) };
    ///     let joined = trades.clone().join_asof(quotes.clone(), nearest)?.sort([col("t.at").sort(true, false)])?;
    ///     joined.columns(&["t.at", "price"])?.lines()
    /// };
    /// assert_eq!(asof(Direction::Backward, None)?, ["1|", "5|40", "6|"]);
    /// assert_eq!(asof(Direction::Forward, None)?, ["1|20", "5|", "6|90"]);
    /// assert_eq!(asof(Direction::Nearest, None)?, ["1|20", "5|40", "6|90"]);
    /// assert_eq!(asof(Direction::Nearest, Some(1))?, ["1|20", "5|40", "6|"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns, types that cannot be compared, and joins other than `Left` and `Inner`.
    pub fn join_asof(self, other: Frame, nearest: Asof) -> Result<Frame> {
        if !matches!(nearest.how, JoinType::Left | JoinType::Inner) {
            return Err(Error::query(format!("an as-of join that is {}", nearest.how)).advise("Left or Inner"));
        }
        let number = self.session.0.front.number();
        self.then(|left| match nearest.direction {
            Direction::Nearest => either(left, other.plan, &nearest, number),
            direction => one(left, other.plan, &nearest, direction, number),
        })
    }
}

fn keys(nearest: &Asof) -> Vec<Expr> {
    nearest.by.iter().map(|(_, right)| right.clone()).chain([nearest.on.1.clone()]).collect()
}

/// The node; all columns of the left side stay, whatever finds nothing.
fn plan(
    left: LogicalPlan,
    right: &Right,
    nearest: &Asof,
    direction: Direction,
    exact: bool,
) -> PlanResult<LogicalPlan> {
    let operator = match (direction, exact) {
        (Direction::Forward, true) => Operator::LtEq,
        (Direction::Forward, false) => Operator::Lt,
        (_, true) => Operator::GtEq,
        (_, false) => Operator::Gt,
    };
    let keys = right.keys();
    let Some((time, by)) = keys.split_last() else { return plan_err!("an as-of join without a time") };
    let compare = |l: &Expr, op, r: &Expr| -> PlanResult<Expr> {
        let l = normalize_col(l.clone(), &left)?;
        Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(l), op, Box::new(r.clone()))))
    };
    let mut on = Vec::with_capacity(keys.len());
    for ((l, _), r) in nearest.by.iter().zip(by) {
        on.push(compare(l, Operator::Eq, r)?);
    }
    on.push(compare(&nearest.on.0, operator, time)?);
    Extra::plan(Kind::Asof(JoinType::Left), vec![left, right.plan.clone()], on)
}

/// Whether the row that was found is near enough.
fn near(nearest: &Asof, time: &Expr, direction: Direction) -> Expr {
    let left = nearest.on.0.clone();
    match (&nearest.tolerance, direction) {
        (None, _) => time.clone().is_not_null(),
        (Some(most), Direction::Forward) => time.clone().lt_eq(left + most.clone()),
        (Some(most), _) => time.clone().gt_eq(left - most.clone()),
    }
}

fn one(
    left: LogicalPlan,
    right: LogicalPlan,
    nearest: &Asof,
    direction: Direction,
    number: usize,
) -> PlanResult<LogicalPlan> {
    let columns = left.schema().columns();
    let right = Right::new(right, format!("right {number}"), keys(nearest))?;
    let joined = plan(left, &right, nearest, direction, nearest.exact)?;
    let time = right.keys().pop();
    let Some(near) = time.map(|time| near(nearest, &time, direction)) else { return Ok(joined) };
    let mut made = LogicalPlanBuilder::from(joined);
    if nearest.how == JoinType::Inner {
        made = made.filter(near.clone())?;
    }
    let keeps_all = nearest.tolerance.is_none() || nearest.how == JoinType::Inner;
    let outputs = right.outputs(&columns, &[], |_, e| match keeps_all {
        true => e,
        false => super::running::only_if(near.clone(), e),
    });
    let all: Vec<Expr> = columns.into_iter().map(Expr::Column).chain(outputs).collect();
    made.project(all)?.build()
}

fn either(left: LogicalPlan, right: LogicalPlan, nearest: &Asof, number: usize) -> PlanResult<LogicalPlan> {
    let columns = left.schema().columns();
    let back = Right::new(right.clone(), format!("back {number}"), keys(nearest))?;
    let ahead = Right::new(right, format!("ahead {number}"), keys(nearest))?;
    let joined = plan(left, &back, nearest, Direction::Backward, nearest.exact)?;
    let joined = plan(joined, &ahead, nearest, Direction::Forward, false)?;
    let (Some(before), Some(behind)) = (back.keys().pop(), ahead.keys().pop()) else { return Ok(joined) };
    let schema = joined.schema();
    let own = distance(normalize_col(nearest.on.0.clone(), &joined)?, schema)?;
    let (to_before, to_behind) =
        (own.clone() - distance(before.clone(), schema)?, distance(behind.clone(), schema)? - own);
    let (before, behind) = (near(nearest, &before, Direction::Backward), near(nearest, &behind, Direction::Forward));
    let takes_behind = behind.clone().and(before.clone().is_not_true().or(to_behind.lt(to_before)));
    let found = before.clone().is_true().or(behind.is_true());
    let outputs = back.outputs(&columns, &[], |i, e| {
        when(takes_behind.clone(), ahead.column(i)).when(before.clone(), e).otherwise_null()
    });
    let all: Vec<Expr> = columns.into_iter().map(Expr::Column).chain(outputs).collect();
    let mut made = LogicalPlanBuilder::from(joined);
    if nearest.how == JoinType::Inner {
        made = made.filter(found)?;
    }
    made.project(all)?.build()
}

/// What can be subtracted and compared exactly.
fn distance(time: Expr, schema: &DFSchema) -> PlanResult<Expr> {
    Ok(match time.get_type(schema)? {
        t if t.is_integer() => cast(time, DataType::Decimal128(20, 0)),
        DataType::Date32 => cast(cast(time, DataType::Int32), DataType::Int64),
        t if t.is_temporal() => cast(time, DataType::Int64),
        _ => time,
    })
}
