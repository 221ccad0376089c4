//! Records that are longer than buffers, where all of a table is looked at for its types: what they take is accounted to
//! the budget, and refused where it has no room.

use super::testing::*;
use super::{Table, TableDef};
use crate::error::{ErrorKind, Result};
use crate::io::Pipes;
use crate::memory::Budget;
use std::sync::Arc;

const MIB: usize = 1 << 20;

/// Files whose second record has about so many bytes; the third one has what no sample shows, since others follow. With
/// the format, and a word that the last field of a full look has.
fn files(long: usize) -> Vec<(TestFile, &'static str, &'static str)> {
    let x = "x".repeat(long);
    let rest = |row: &str| row.repeat(MIB / row.len());
    let csv = format!("a,b\n1,2\n\"{x}\",3\n4,5.5\n{}", rest("6,7\n"));
    let lines = format!("{{\"a\":1}}\n{{\"a\":2,\"b\":\"{x}\"}}\n{{\"late\":3}}\n{}", rest("{\"a\":4}\n"));
    let array = format!("[{{\"a\":1}},\n{{\"a\":2,\"b\":\"{x}\"}},\n{{\"late\":3}}{}]\n", rest(",\n{\"a\":4}"));
    let pairs = format!("a=1 b=2\na=2 b={x}\na=3 late=4\n{}", rest("a=5 b=6\n"));
    let w3c = format!("#Fields: a b\n1 {x}\n#Fields: a late\n1 2\n#Fields: a b\n{}", rest("1 2\n"));
    vec![
        (TestFile::new("a.csv", csv), "csv", "Float64"),
        (TestFile::new("a.jsonl", lines), "json", "late"),
        (TestFile::new("a.json", array), "json", "late"),
        (TestFile::new("a.log", pairs), "logfmt", "late"),
        (TestFile::new("b.log", w3c), "w3c", "late"),
    ]
}

fn open_within(file: &TestFile, format: &str, options: &[(&str, &str)], budget: &Budget) -> Result<Arc<Table>> {
    let mut options: std::collections::BTreeMap<String, String> =
        options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    options.insert("infer".into(), "full".into());
    let format = match format {
        "csv" | "json" => format,
        name => {
            options.insert("format".into(), name.into());
            "log"
        }
    };
    let paths = vec![file.path().to_string_lossy().into_owned()];
    let def = TableDef { format: Some(format.into()), paths, options, schema: None };
    Table::open_with(def, &Pipes::default(), Some(budget))
}

#[test]
fn a_long_record_is_accounted_while_all_is_looked_at() {
    for (file, format, word) in files(3 * MIB) {
        let budget = Budget::new(64 * MIB);
        let table = open_within(&file, format, &[], &budget).unwrap();
        let last = table.schema.fields().last().unwrap();
        assert!(format!("{} {}", last.name(), last.data_type()).contains(word), "{format}: {last}");
        assert!((2 * MIB..16 * MIB).contains(&budget.peak()), "{format}: {}", budget.peak());
        assert_eq!(budget.held(), 0, "{format}: it is given back");
    }
}

#[test]
fn a_long_record_is_refused_where_there_is_no_room() {
    for (file, format, _) in files(3 * MIB) {
        let budget = Budget::new(64 * MIB);
        let other = budget.reserve("other", 63 * MIB, true).unwrap();
        let e = open_within(&file, format, &[], &budget).err().unwrap();
        assert_eq!(e.kind(), ErrorKind::Resources, "{format}: {e}");
        let place = e.place();
        assert_eq!(place.file.as_deref(), file.path().to_str(), "{format}");
        assert!(place.byte.is_some_and(|byte| byte < 20), "{format}: {e}");
        assert!(e.to_string().contains("raise the memory limit"), "{format}: {e}");
        assert!(e.message().contains("a record has "), "{format}: {e}");
        assert!(budget.peak() <= 64 * MIB, "{format}: {}", budget.peak());
        drop(other);
        assert!(open_within(&file, format, &[], &budget).is_ok(), "{format}");
    }
}

#[test]
fn what_is_too_long_for_the_budget_is_left_to_the_reader() {
    let budget = Budget::new(6 * MIB);
    for (file, format, word) in files(3 * MIB) {
        for said in [None, Some(("csv", "max_line_size")), Some(("json", "maximum_object_size"))] {
            let options: Vec<(&str, &str)> =
                said.iter().filter(|(of, _)| *of == format).map(|(_, name)| (*name, "1000000000")).collect();
            let table = open_within(&file, format, &options, &budget).unwrap();
            assert!(!format!("{:?}", table.schema).contains(word), "{format}: the rest is not looked at");
            let spec = super::ScanSpec { budget: Some(budget.clone()), ..all(&table) };
            let e = batches(&table, spec, MIB).unwrap_err();
            let longest = if options.is_empty() { "768.0 KiB" } else { "1.5 MiB" };
            assert!(e.message().contains(&format!("a record is longer than {longest}")), "{format}: {e}");
            assert_eq!(e.to_string().contains("may take a quarter of it"), !options.is_empty(), "{format}: {e}");
        }
    }
    assert!(budget.peak() <= 6 * MIB, "{}", budget.peak());
}

#[test]
fn a_long_line_that_is_left_out_hides_nothing_behind_it() {
    let budget = Budget::new(8 * MIB);
    for (file, format, word) in files(9 * MIB).into_iter().take(2) {
        let table = open_within(&file, format, &[("on_error", "reject")], &budget).unwrap();
        let last = table.schema.fields().last().unwrap();
        assert!(format!("{} {}", last.name(), last.data_type()).contains(word), "{format}: {last}");
        let spec = super::ScanSpec { budget: Some(budget.clone()), ..all(&table) };
        let rejects = spec.rejects.clone();
        batches(&table, super::ScanSpec { batch_rows: 8192, ..spec }, MIB).unwrap();
        assert_eq!(rejects.rows(), 1, "{format}");
        assert!(budget.peak() <= 8 * MIB, "{format}: {}", budget.peak());
    }
}

#[test]
fn keys_without_end_are_refused() {
    let lines: String = (0..50_000).map(|i| format!("{{\"key{i}\":1}}\n")).collect();
    let pairs: String = (0..50_000).map(|i| format!("key{i}=1\n")).collect();
    for (file, format) in [(TestFile::new("a.jsonl", lines), "json"), (TestFile::new("a.log", pairs), "logfmt")] {
        let budget = Budget::new(8 * MIB);
        let other = budget.reserve("other", 7 * MIB, true).unwrap();
        let e = open_within(&file, format, &[], &budget).err().unwrap();
        assert_eq!(e.kind(), ErrorKind::Resources, "{format}: {e}");
        assert!(e.message().contains("so many different keys"), "{format}: {e}");
        drop(other);
    }
}
