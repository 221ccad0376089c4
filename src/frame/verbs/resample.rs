//! Windows of time without gaps.

use super::rows::unqualified;
use super::times::{TimeWindows, begin};
use crate::error::{Error, Result};
use crate::frame::{Frame, IntoExprs};
use crate::ops::expr::from_datafusion;
use arrow::array::ArrayRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_common::{JoinType, ScalarValue};
use datafusion_expr::Expr;
use datafusion_functions_aggregate::expr_fn::{max, min};

const FIRST: &str = "first window";
const LAST: &str = "last window";

impl Frame {
    /// One row for each window of time from the first to the last that has rows, in order; in one without rows, the
    /// aggregates are null. The column of the windows' beginnings has the name of `time`. A query runs now to find the first
    /// and the last. Rows whose time is null are left out.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// let trips = Session::builder().build()?.read_csv("testdata/trips.csv")?;
    /// let days = trips.resample("day", TimeWindows::every("1d")?, [sum(col("km")).alias("km")])?;
    /// assert_eq!(days.count()?, 6);
    /// assert_eq!(days.slice(2, 3)?.lines()?, ["2024-01-03T00:00:00|", "2024-01-04T00:00:00|", "2024-01-05T00:00:00|5"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for unknown columns and what is no time; `Unsupported` for overlapping windows.
    pub fn resample(self, time: &str, windows: TimeWindows, aggregates: impl IntoExprs) -> Result<Frame> {
        if windows.period.is_some() {
            return Err(Error::unsupported("resample with windows that overlap").advise("group_by_time"));
        }
        let column = super::columns::found(self.plan.schema(), time).map_err(from_datafusion)?;
        let begin = begin(Expr::Column(column.clone()), &windows)?;
        let ends = self.clone().agg([min(begin.clone()).alias(FIRST), max(begin).alias(LAST)])?;
        let every = ScalarValue::Utf8(Some(interval_text(&windows.every)?));
        let session = self.session.clone();
        let grouped = self.group_by_time(Expr::Column(column), windows, [])?.agg(aggregates)?;
        let name = grouped.plan.schema().columns().first().map(|c| c.name.clone()).unwrap_or_default();

        let (first, last) = texts(&ends)?;
        let series = match (first, last) {
            (Some(first), Some(last)) => session.sql_with(
                "SELECT w AS \"window of series\" FROM generate_series($first::timestamp, $last::timestamp, $every::interval) t(w)",
                &[("first", first.as_str().into()), ("last", last.as_str().into()), ("every", every)],
            )?,
            _ => return grouped.limit(0, 0),
        };
        let columns: Vec<String> = grouped.plan.schema().columns().into_iter().skip(1).map(|c| c.name).collect();
        let series = Frame::new(session, series.plan);
        let window = unqualified("window of series");
        let on = ([window.clone()], [unqualified(&name)]);
        let joined =
            series.join_exprs(grouped, JoinType::Left, on.0, on.1)?.sort([window.clone().sort(true, false)])?;
        let columns = columns.into_iter().map(|c| unqualified(&c));
        joined.select(std::iter::once(window.alias(name)).chain(columns))
    }
}

/// Both values of the only row.
fn texts(ends: &Frame) -> Result<(Option<String>, Option<String>)> {
    let options = FormatOptions::default();
    for batch in ends.collect()? {
        if let [first, last] = batch.columns()
            && batch.num_rows() > 0
        {
            let text = |column: &ArrayRef| -> Result<Option<String>> {
                let text = ArrayFormatter::try_new(column, &options)?.value(0).to_string();
                Ok((!column.is_null(0)).then_some(text))
            };
            return Ok((text(first)?, text(last)?));
        }
    }
    Ok((None, None))
}

fn interval_text(value: &ScalarValue) -> Result<String> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(v)) => {
            Ok(format!("{} months {} days {} microseconds", v.months, v.days, v.nanoseconds / 1000))
        }
        other => Err(Error::query(format!("{other} is no interval"))),
    }
}
