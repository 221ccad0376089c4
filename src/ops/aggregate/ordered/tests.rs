//! What only shows beside SQL: accumulators, ranges that keep groups whole, values over several batches.

use crate::config::Tuning;
use crate::frame::Session;
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use std::io::Write;

/// Keys 0 to 36, each `rows / 37` times, and the row's number.
fn csv(rows: u64) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    let lines: Vec<String> = (0..rows).map(|i| format!("{},{i}\n", i * 5 % 37)).collect();
    file.write_all(("k,i\n".to_string() + &lines.concat()).as_bytes()).unwrap();
    file
}

fn session(memory: usize, hash_mask: u64) -> Session {
    let tuning = Tuning {
        page_bytes: Some(4096),
        batch_rows: 64,
        batch_bytes: 4096,
        split_bytes: 16 << 10,
        merge_fan_in: 3,
        hash_mask,
        ..Tuning::default()
    };
    Session::builder().memory(memory).unwrap().threads(3).tuning(tuning).build().unwrap()
}

/// Lists by key, each of which must hold its key's rows in the input's order.
fn check(session: &Session, rows: u64) {
    let file = csv(rows);
    let path = file.path().to_str().unwrap();
    let sql = format!("select k, array_agg(i) as list, nth_value(i, 2 order by i desc) from '{path}' group by k");
    let mut keys = Vec::new();
    for batch in session.sql(&sql).unwrap().collect().unwrap() {
        let (key, lists) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_list::<i32>());
        let second = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let list = lists.value(row);
            let expected: Vec<i64> = (0..rows as i64).filter(|i| i * 5 % 37 == key.value(row)).collect();
            assert_eq!(list.as_primitive::<Int64Type>().values(), expected.as_slice(), "key {}", key.value(row));
            assert_eq!(second.value(row), expected[expected.len() - 2]);
            keys.push(key.value(row));
        }
    }
    keys.sort_unstable();
    assert_eq!(keys, (0..37).collect::<Vec<_>>());
}

#[test]
fn no_range_cuts_a_group() {
    check(&session(64 << 20, u64::MAX), 9_000);
}

#[test]
fn many_runs_are_one_order() {
    let starved = session(4 << 20, u64::MAX);
    check(&starved, 150_000);
    assert!(starved.stats().scratch_written > 0);
}

#[test]
fn groups_with_equal_hashes_are_different_groups() {
    check(&session(64 << 20, 0), 9_000);
}

#[test]
fn what_has_no_state_of_its_own_is_accumulated() {
    let session = session(64 << 20, u64::MAX);
    let file = csv(37 * 100);
    let path = file.path().to_str().unwrap();
    let sql = format!(
        "select max(n) from (select k, approx_percentile_cont_with_weight(i, 1, 1.0) as n from '{path}' group by k)"
    );
    let batches = session.sql(&sql).unwrap().collect().unwrap();
    let largest = arrow::compute::cast(batches[0].column(0), &arrow::datatypes::DataType::Float64).unwrap();
    let largest = largest.as_primitive::<arrow::datatypes::Float64Type>();
    assert!(largest.is_valid(0) && largest.value(0) > 3_000.0);
}
