//! GROUPING SETS, ROLLUP and CUBE: which keys there are, and which of them each set has.
//!
//! DataFusion hands over one expression with all sets, and expects a column behind the keys: bit by bit, from the last
//! key on, which keys a set does not have, and above these bits how often the same set was there before.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::graph::Fixed;
use crate::ops::expand::GroupingSet;
use crate::ops::expr::from_datafusion;
use crate::ops::values::ValuesOp;
use crate::plan::Inlet;
use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion_common::ScalarValue;
use datafusion_expr::utils::grouping_set_to_exprlist;
use datafusion_expr::{Aggregate, Expr, GroupingSet as Asked};
use std::sync::Arc;

/// The keys of an aggregate, and its sets, if it has any.
pub(super) struct Sets {
    /// Every key once.
    pub(super) keys: Vec<Expr>,
    /// The sets; `None` where all keys are one.
    pub(super) list: Option<Arc<[GroupingSet]>>,
    /// The type of the sets' numbers.
    pub(super) number: DataType,
}

impl Sets {
    pub(super) fn of(node: &Aggregate) -> Result<Self> {
        let [Expr::GroupingSet(asked)] = node.group_expr.as_slice() else {
            return Ok(Sets { keys: node.group_expr.clone(), list: None, number: DataType::Null });
        };
        let keys = grouping_set_to_exprlist(&node.group_expr).map_err(from_datafusion)?;
        let keys: Vec<Expr> = keys.into_iter().cloned().collect();
        let number = node.schema.fields().get(keys.len()).map(|f| f.data_type().clone());
        let number = number.ok_or_else(|| Error::internal("grouping sets have no column of numbers"))?;
        let mut list: Vec<GroupingSet> = Vec::new();
        for set in enumerate(asked)? {
            let absent: Vec<usize> = (0..keys.len()).filter(|i| !set.contains(&&keys[*i])).collect();
            let before = list.iter().filter(|s| s.absent == absent).count();
            let number = self::number(&absent, before, keys.len(), &number)?;
            list.push(GroupingSet { absent, number });
        }
        Ok(Sets { keys, list: Some(list.into()), number })
    }

    /// Whether there is a set without keys, which is one group though there may be no rows.
    pub(super) fn has_empty(&self) -> bool {
        self.empty().next().is_some()
    }

    fn empty(&self) -> impl Iterator<Item = &GroupingSet> {
        let sets = self.list.as_deref().unwrap_or_default();
        sets.iter().filter(|s| s.absent.len() == self.keys.len())
    }

    /// A row for each set without keys, in which nothing counts, so that its group is there.
    pub(super) fn empty_rows(&self, schema: &SchemaRef) -> Result<Inlet> {
        let row = |set: &GroupingSet| {
            let null = |f: &arrow::datatypes::FieldRef| new_null_array(f.data_type(), 1);
            let mut columns: Vec<ArrayRef> = schema.fields().iter().map(null).collect();
            if let Some(column) = columns.get_mut(self.keys.len()) {
                *column = set.number.to_array().map_err(from_datafusion)?;
            }
            Ok::<_, Error>(RecordBatch::try_new(schema.clone(), columns)?)
        };
        let batches = self.empty().map(row).collect::<Result<Vec<_>>>()?;
        Ok(Inlet {
            name: "sets without keys".into(),
            source: Arc::new(ValuesOp { batches: batches.into() }),
            meter: Arc::new(Meter::default()),
            layout: Arc::new(Fixed { tasks: 1, floor: 0 }),
            tasks: Some(1),
            in_flight: 0,
            after: Vec::new(),
            transforms: Vec::new(),
            settles: Vec::new(),
        })
    }
}

/// The keys of each set, in the order that SQL has them in.
fn enumerate(asked: &Asked) -> Result<Vec<Vec<&Expr>>> {
    Ok(match asked {
        Asked::GroupingSets(sets) => sets.iter().map(|set| set.iter().collect()).collect(),
        Asked::Rollup(keys) => (0..=keys.len()).rev().map(|n| keys.iter().take(n).collect()).collect(),
        Asked::Cube(keys) if keys.len() > 12 => {
            return Err(Error::unsupported("CUBE of more than 12 keys, which has more than 4096 sets"));
        }
        Asked::Cube(keys) => {
            let has = |mask: usize, i: usize| mask >> (keys.len() - 1 - i) & 1 == 0;
            let set = |mask: usize| keys.iter().enumerate().filter(|(i, _)| has(mask, *i)).map(|(_, k)| k).collect();
            (0..1usize << keys.len()).map(set).collect()
        }
    })
}

fn number(absent: &[usize], before: usize, keys: usize, data_type: &DataType) -> Result<ScalarValue> {
    let many = || Error::unsupported(format!("grouping sets over {keys} keys"));
    let bits = absent.iter().fold(0u128, |bits, i| bits | 1 << (keys - 1 - i));
    let number = bits | u128::try_from(before).unwrap_or(0).checked_shl(keys as u32).ok_or_else(many)?;
    let number = u64::try_from(number).map_err(|_| many())?;
    ScalarValue::UInt64(Some(number)).cast_to(data_type).map_err(from_datafusion)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion_expr::col;

    #[test]
    fn sets_are_as_sql_says() {
        let texts = |asked: &Asked| {
            let name = |set: Vec<&Expr>| set.iter().map(ToString::to_string).collect::<Vec<_>>().join("");
            enumerate(asked).unwrap().into_iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(texts(&Asked::Rollup(vec![col("a"), col("b")])), ["ab", "a", ""]);
        assert_eq!(texts(&Asked::Cube(vec![col("a"), col("b")])), ["ab", "a", "b", ""]);
        assert!(enumerate(&Asked::Cube(vec![col("a"); 13])).is_err());
    }

    #[test]
    fn numbers_tell_equal_sets_apart() {
        let of = |absent: &[usize], before| number(absent, before, 3, &DataType::UInt8).unwrap();
        assert_eq!(of(&[0, 2], 0), ScalarValue::UInt8(Some(0b101)));
        assert_eq!(of(&[2], 1), ScalarValue::UInt8(Some(0b1001)));
        assert!(number(&[0], 0, 70, &DataType::UInt64).is_err());
    }
}
