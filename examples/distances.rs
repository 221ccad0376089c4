//! A Rust function in SQL: how far apart places are, on a sphere, and an aggregate of one's own over them.
//!
//!     cargo run --release --example distances

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::pretty::pretty_format_batches;
use partita::functions::Accumulate;
use partita::prelude::*;

const PLACES: &str = "(VALUES ('Bergen', 60.39, 5.32), ('Oslo', 59.91, 10.75), ('Rome', 41.89, 12.51), ('Lima', -12.05, -77.04)) \
     AS t(name, lat, lon)";

/// Kilometres between two places, by the haversine formula.
fn distance(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    let (lat1, lat2) = (lat1.to_radians(), lat2.to_radians());
    let half = |x: f64| (x / 2.0).sin().powi(2);
    let a = half(lat2 - lat1) + lat1.cos() * lat2.cos() * half((lon2 - lon1).to_radians());
    6371.0 * 2.0 * a.sqrt().asin()
}

/// The root of the mean of squares.
#[derive(Default)]
struct Rms {
    squares: f64,
    count: u64,
}

impl Accumulate for Rms {
    fn update(&mut self, columns: &[ArrayRef]) -> partita::Result<()> {
        for value in columns[0].as_primitive::<Float64Type>().iter().flatten() {
            self.squares += value * value;
            self.count += 1;
        }
        Ok(())
    }

    fn value(&self) -> partita::Result<ScalarValue> {
        let mean = (self.count > 0).then(|| (self.squares / self.count as f64).sqrt());
        Ok(ScalarValue::Float64(mean))
    }
}

fn main() -> partita::Result<()> {
    let session = Session::builder().memory("128MiB")?.build()?;
    session.register_fn("distance", distance)?;
    session.register_aggregate("rms", &[DataType::Float64], DataType::Float64, Rms::default)?;
    let farthest = session.sql(&format!(
        "WITH places AS (SELECT * FROM {PLACES}) \
         SELECT a.name, arg_max(b.name, distance(a.lat, a.lon, b.lat, b.lon)) AS farthest, \
                round(max(distance(a.lat, a.lon, b.lat, b.lon))) AS km, \
                round(rms(distance(a.lat, a.lon, b.lat, b.lon))) AS typical \
         FROM places a JOIN places b ON a.name <> b.name GROUP BY a.name ORDER BY km DESC, a.name"
    ))?;
    println!("{}", pretty_format_batches(&farthest.collect()?)?);
    Ok(())
}
