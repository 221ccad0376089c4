//! Files named in a query, with a format that reads nothing.

use super::front;
use crate::error::{Error, Result};
use crate::formats::*;
use crate::front::{Bound, Planned, Source, TableRef, stats};
use crate::memory::Budget;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_expr::LogicalPlan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A format for tables whose schema and statistics are known.
struct Blank;

impl Format for Blank {
    fn name(&self) -> &'static str {
        "blank"
    }
    fn endings(&self) -> &'static [&'static str] {
        &["blank"]
    }
    fn inspect(&self, _: &TableDef, _: &[FileRef], _: Option<&Budget>) -> Result<(SchemaRef, TableStats)> {
        Err(Error::unsupported("blank"))
    }
    fn scan(&self, _: &Arc<Table>, _: ScanSpec, _: usize) -> Result<Box<dyn Scan>> {
        Err(Error::unsupported("blank"))
    }
    fn encoder(&self, _: &SchemaRef, _: &BTreeMap<String, String>, _: usize) -> Result<Box<dyn Encode>> {
        Err(Error::unsupported("blank"))
    }
    fn assembler(&self, _: &SchemaRef, _: &BTreeMap<String, String>, _: Box<dyn Output>) -> Result<Box<dyn Assemble>> {
        Err(Error::unsupported("blank"))
    }
}

static BLANK: Blank = Blank;

fn table(rows: u64, columns: &[(&str, i64, i64)]) -> TableRef {
    let fields = columns.iter().map(|(n, _, _)| Field::new(*n, DataType::Int64, true)).collect::<Vec<_>>();
    let known = |min, max| ColumnStats {
        min: Some(ScalarValue::Int64(Some(min))),
        max: Some(ScalarValue::Int64(Some(max))),
        ..ColumnStats::default()
    };
    let columns = columns.iter().map(|(_, min, max)| known(*min, *max)).collect();
    let def = TableDef { paths: vec!["x.blank".into()], ..TableDef::default() };
    let stats = TableStats { rows: Some(rows), columns, ..TableStats::default() };
    let schema = Arc::new(Schema::new(fields));
    TableRef::Files(Arc::new(Table::of_files(def, &BLANK, vec![], schema, stats)))
}

fn planned(sql: &str) -> Planned {
    let front = front();
    front.register("big", table(1_000_000, &[("k", 1, 1000), ("v", 0, 99)]), false).unwrap();
    front.register("small", table(1000, &[("k", 1, 1000), ("w", 0, 9)]), false).unwrap();
    let statement = front.parse(sql).unwrap().remove(0);
    match front.bind(&statement).unwrap() {
        Bound::Query(p) => p,
        _ => panic!("{sql} is no query"),
    }
}

fn guess(sql: &str) -> f64 {
    stats::rows(&planned(sql).optimized).round()
}

#[test]
fn rows_are_guessed_from_statistics() {
    assert_eq!(guess("select k from big"), 1_000_000.0);
    assert_eq!(guess("select k from big where v < 49.5"), 500_000.0);
    assert_eq!(guess("select v from big where k = 5"), 1000.0);
    assert_eq!(guess("select k from big where k between 500 and 510"), 10_010.0);
    assert_eq!(guess("select k from big where k > 2000"), 1000.0); // never nothing
    assert_eq!(guess("select big.v from big join small on big.k = small.k"), 1_000_000.0);
    assert_eq!(guess("select big.v from big join small on big.k = small.k where w = 3"), 100_000.0);
    assert_eq!(guess("select v, count(*) from big group by v"), 100.0);
    assert_eq!(guess("select count(*) from big"), 1.0);
    assert_eq!(guess("select k from big order by k limit 7"), 7.0);
    assert_eq!(guess("select k from big union all select k from small"), 1_001_000.0);
    assert_eq!(guess("select k from big where 1 = 0"), 0.0);
}

#[test]
fn the_smaller_side_is_built() {
    for (sql, side) in [
        ("select v, w from big join small on big.k = small.k", stats::Side::Right),
        ("select v, w from small join big on big.k = small.k", stats::Side::Left),
    ] {
        let plan = planned(sql).optimized;
        let mut found = None;
        datafusion_common::tree_node::TreeNode::apply(&plan, |n| {
            if let LogicalPlan::Join(j) = n {
                found = Some(stats::build_side(j));
            }
            Ok(datafusion_common::tree_node::TreeNodeRecursion::Continue)
        })
        .unwrap();
        assert_eq!(found, Some(side), "{sql}");
    }
}

#[test]
fn a_scan_knows_its_table() {
    let LogicalPlan::TableScan(scan) = planned("from big").optimized else { panic!("no scan") };
    let source = Source::of(scan.source.as_ref()).unwrap();
    assert!(matches!(&source.table, TableRef::Files(t) if t.stats.rows == Some(1_000_000)));
}
