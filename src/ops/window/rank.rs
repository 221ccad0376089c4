//! Functions of a row's place among its partition's rows. They read no column but `ntile`'s.

use super::levels::Rows;
use super::source::{At, Evaluator};
use super::tape::Tape;
use super::{Function, Need, Shared, Window};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use std::sync::Arc;

/// One of them.
#[derive(Clone, Copy)]
pub(super) enum Rank {
    RowNumber,
    Plain,
    Dense,
    Percent,
    CumeDist,
    Ntile(usize),
}

/// A rank of a window.
pub(super) struct Ranks {
    rank: Rank,
    partition: usize,
    peers: usize,
    output: DataType,
    /// The number of the group before the partition's first.
    base: u64,
}

impl Ranks {
    /// The function, if it is one of these.
    pub(super) fn of(shared: &Shared, window: &Window, output: &DataType) -> Option<Self> {
        let rank = match window.function {
            Function::RowNumber => Rank::RowNumber,
            Function::Rank => Rank::Plain,
            Function::DenseRank => Rank::Dense,
            Function::PercentRank => Rank::Percent,
            Function::CumeDist => Rank::CumeDist,
            Function::Ntile(buckets) => Rank::Ntile(buckets),
            _ => return None,
        };
        let (partition, peers) = (shared.level(window.partition), shared.level(window.peers));
        Some(Ranks { rank, partition, peers, output: output.clone(), base: 0 })
    }

    fn numbers(&mut self, rows: &Rows) -> Result<ArrayRef> {
        let (partition, peers) = (rows.level(self.partition)?, rows.level(self.peers)?);
        let bounds = || partition.starts.iter().zip(&partition.ends);
        let share = |part: u64, whole: u64| part as f64 / whole as f64;
        Ok(match self.rank {
            Rank::RowNumber => numbers((rows.piece.first..).zip(&partition.starts).map(|(row, start)| row - start + 1)),
            Rank::Plain => numbers(peers.starts.iter().zip(&partition.starts).map(|(peer, start)| peer - start + 1)),
            Rank::Dense => {
                let mut dense = Vec::with_capacity(rows.len());
                for ((row, start), ordinal) in (rows.piece.first..).zip(&partition.starts).zip(&peers.ordinals) {
                    if row == *start {
                        self.base = ordinal - 1;
                    }
                    dense.push(ordinal - self.base);
                }
                Arc::new(UInt64Array::from(dense))
            }
            Rank::Percent => {
                let rank = |(peer, (start, end)): (&u64, (&u64, &u64))| match end - start {
                    1 => 0.0,
                    rows => share(peer - start, rows - 1),
                };
                Arc::new(Float64Array::from_iter_values(peers.starts.iter().zip(bounds()).map(rank)))
            }
            Rank::CumeDist => {
                let upto = |(peer, (start, end)): (&u64, (&u64, &u64))| share(peer - start, end - start);
                Arc::new(Float64Array::from_iter_values(peers.ends.iter().zip(bounds()).map(upto)))
            }
            Rank::Ntile(column) => {
                let buckets = cast(rows.piece.column(column)?, &DataType::Int64)?;
                let buckets = buckets.as_primitive::<Int64Type>();
                let mut tiles = Vec::with_capacity(rows.len());
                for ((i, row), (start, end)) in (rows.piece.first..).enumerate().zip(bounds()) {
                    tiles.push(match buckets.is_null(i) {
                        true => None,
                        false => Some(tile(row - start, end - start, buckets.value(i))?),
                    });
                }
                Arc::new(UInt64Array::from(tiles))
            }
        })
    }
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

/// The bucket of a row: the first ones have a row more where rows do not divide evenly.
fn tile(row: u64, rows: u64, buckets: i64) -> Result<u64> {
    let Some(buckets) = u64::try_from(buckets).ok().filter(|n| *n > 0) else {
        return Err(Error::query(format!("ntile needs a number of buckets above 0, not {buckets}")));
    };
    let (small, larger) = (rows / buckets, rows % buckets);
    let in_larger = larger * (small + 1);
    Ok(1 + match row < in_larger {
        true => row / (small + 1),
        false => larger + (row - in_larger) / small.max(1),
    })
}

impl Evaluator for Ranks {
    fn need(&self) -> Need {
        match self.rank {
            Rank::RowNumber | Rank::Plain | Rank::Dense => Need::Nothing,
            Rank::Percent | Rank::CumeDist | Rank::Ntile(_) => Need::Partition,
        }
    }

    fn evaluate(&mut self, at: At<'_>, _tape: &mut Tape) -> Result<ArrayRef> {
        let values = self.numbers(at.rows)?;
        if values.data_type() == &self.output { Ok(values) } else { Ok(cast(&values, &self.output)?) }
    }

    fn keeps(&self, next: u64) -> u64 {
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_differ_by_one_row_at_most() {
        let tiles = |rows, buckets| (0..rows).map(|row| tile(row, rows, buckets).unwrap()).collect::<Vec<_>>();
        assert_eq!(tiles(7, 3), [1, 1, 1, 2, 2, 3, 3]);
        assert_eq!(tiles(3, 5), [1, 2, 3]);
        assert_eq!(tiles(4, 2), [1, 1, 2, 2]);
        assert!(tile(0, 1, 0).is_err() && tile(0, 1, -1).is_err());
    }
}
