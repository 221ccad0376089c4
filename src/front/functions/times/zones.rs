//! `t AT TIME ZONE 'Europe/Berlin'`, which comes here as `timezone('Europe/Berlin', t)`: what clocks show becomes an
//! instant, an instant becomes what clocks show.

use super::super::args::{Args, primitives, some};
use super::super::cast::zone_shift;
use super::super::row::{Gives, Row, STAMP, stamp_utc};
use super::calendar::SECOND;
use super::zone_of;
use arrow::array::ArrayRef;
use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use chrono::{Offset, TimeZone};
use datafusion_common::Result;

pub(in super::super) const ROWS: &[Row] = &[Row::new(
    "at_time_zone",
    "text, timestamptz | text, timestamp",
    Gives::By(other),
    at_zone,
    "The instant at which clocks of a zone show a time, or what they show at an instant.",
    "TIMESTAMP '2020-01-01 10:00:00' AT TIME ZONE 'Europe/Berlin' --> 2020-01-01 09:00:00+00",
)];

fn other(types: &[DataType]) -> Result<DataType> {
    Ok(match types.get(1) {
        Some(DataType::Timestamp(_, Some(_))) => STAMP,
        _ => stamp_utc(),
    })
}

/// What clocks of a zone show at an instant.
pub(super) fn to_local(zone: &Tz, micros: i64) -> Option<i64> {
    let utc = chrono::DateTime::from_timestamp_micros(micros)?.naive_utc();
    let shift = zone.offset_from_utc_datetime(&utc).fix().local_minus_utc();
    micros.checked_add(i64::from(shift) * SECOND)
}

/// The instant at which clocks of a zone show this.
pub(super) fn to_instant(zone: &Tz, local: i64) -> Option<i64> {
    local.checked_sub(zone_shift(zone, local.div_euclid(SECOND))? * SECOND)
}

fn at_zone(args: &Args) -> Result<ArrayRef> {
    let (name, at) = (args.text(0)?, args.stamp(1)?);
    let instant = matches!(args.type_of(1), DataType::Timestamp(_, Some(_)));
    primitives::<TimestampMicrosecondType>(args, |row| {
        let (zone, at) = (zone_of(some!(name.get(row)))?, some!(at.get(row)));
        Ok(if instant { to_local(&zone, at) } else { to_instant(&zone, at) })
    })
}
