//! Functions of dates, times, timestamps and intervals, a family a file.
//!
//! A date is taken as the timestamp of its midnight. An instant (a timestamp with a zone) is taken as what clocks show in
//! its zone: [`Moments`] gives microseconds of local time, and the way back.

pub(super) mod bucket;
pub(super) mod calendar;
pub(super) mod diff;
pub(super) mod fields;
pub(super) mod intervals;
pub(super) mod make;
pub(super) mod operators;
pub(super) mod pattern;
pub(super) mod strftime;
pub(super) mod strptime;
pub(super) mod to_char;
pub(super) mod trunc;
mod weeks;
pub(super) mod zones;

use super::args::{Args, Column};
use super::cast::zone_shift;
use arrow::array::PrimitiveArray;
use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::{Offset, TimeZone};
use datafusion_common::{Result, exec_err};

/// Dates, timestamps or instants of an argument.
pub(super) struct Moments {
    column: Column<PrimitiveArray<TimestampMicrosecondType>>,
    zone: Option<Tz>,
}

impl Moments {
    pub(super) fn new(args: &Args, at: usize) -> Result<Moments> {
        let zone = match args.type_of(at) {
            DataType::Timestamp(_, Some(zone)) if !matches!(zone.as_ref(), "UTC" | "+00:00" | "Z") => {
                Some(zone_of(zone)?)
            }
            _ => None,
        };
        Ok(Moments { column: args.stamp(at)?, zone })
    }

    /// What clocks show, in microseconds since 1970.
    pub(super) fn get(&self, row: usize) -> Option<i64> {
        let micros = self.column.get(row)?;
        match &self.zone {
            Some(zone) => Some(micros.checked_add(self.shift(zone, micros)? * 1_000_000)?),
            None => Some(micros),
        }
    }

    /// Microseconds since 1970 in UTC (or of a timestamp without a zone).
    pub(super) fn instant(&self, row: usize) -> Option<i64> {
        self.column.get(row)
    }

    /// Seconds that the zone is east of UTC.
    pub(super) fn offset(&self, row: usize) -> Option<i64> {
        let micros = self.column.get(row)?;
        self.zone.as_ref().map_or(Some(0), |zone| self.shift(zone, micros))
    }

    fn shift(&self, zone: &Tz, micros: i64) -> Option<i64> {
        let utc = chrono::DateTime::from_timestamp_micros(micros)?.naive_utc();
        Some(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc().into())
    }

    /// The value whose clocks show this.
    pub(super) fn back(&self, local: i64) -> Option<i64> {
        match &self.zone {
            Some(zone) => local.checked_sub(zone_shift(zone, local.div_euclid(1_000_000))? * 1_000_000),
            None => Some(local),
        }
    }
}

/// A zone by its name.
pub(super) fn zone_of(name: &str) -> Result<Tz> {
    match name.parse::<Tz>() {
        Ok(zone) => Ok(zone),
        Err(_) => exec_err!("no time zone {name:?}: UTC, +01:00, Europe/Berlin"),
    }
}
