//! INTERSECT and EXCEPT, with and without ALL, against counting.

use super::testing::{Random, ask_sorted, sessions};
use std::collections::BTreeMap;

fn values(rows: &[(Option<u64>, u64)]) -> String {
    let text = |(a, b): &(Option<u64>, u64)| format!("({}, 'text {b}')", a.map_or("null".into(), |a| a.to_string()));
    rows.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn counts(rows: &[(Option<u64>, u64)]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (a, b) in rows {
        let row = format!("{}|text {b}", a.map_or("-".into(), |a| a.to_string()));
        *counts.entry(row).or_insert(0) += 1;
    }
    counts
}

#[test]
fn copies_count() {
    let mut r = Random(7);
    let mut table = |n: u64| -> Vec<(Option<u64>, u64)> {
        (0..n).map(|_| ((r.below(4) > 0).then(|| r.below(30)), r.below(3))).collect()
    };
    let (left, right) = (table(900), table(700));
    let (l, r) = (counts(&left), counts(&right));
    let wanted = |times: &dyn Fn(usize, usize) -> usize| -> Vec<String> {
        let of = |(row, n): (&String, &usize)| vec![row.clone(); times(*n, r.get(row).copied().unwrap_or(0))];
        l.iter().flat_map(of).collect()
    };
    for session in sessions() {
        for (operation, times) in [
            ("except all", &(|l: usize, r: usize| l.saturating_sub(r)) as &dyn Fn(usize, usize) -> usize),
            ("intersect all", &|l, r| l.min(r)),
            ("except", &|_, r| usize::from(r == 0)),
            ("intersect", &|_, r| usize::from(r > 0)),
        ] {
            let sql = format!("select * from (values {}) t(a, b) {operation} values {}", values(&left), values(&right));
            assert_eq!(ask_sorted(&session, &sql), wanted(times), "{operation}");
        }
    }
}

#[test]
fn types_and_names() {
    for session in sessions() {
        let sql = "select a from (values (1), (1), (2)) t(a) except all select b from (values (1.0), (7.5)) u(b)";
        assert_eq!(ask_sorted(&session, &format!("select a + 1 from ({sql})")), ["2", "3"]);
        let chained = "select 1 as x union all select 1 union all select 2 intersect all select 2 except all select 1";
        assert_eq!(ask_sorted(&session, &format!("select x from ({chained})")), ["1", "2"]);
        // A join whose keys are compared like that by its user.
        let join = "select a from (values (1), (1), (null)) t(a) where exists (select 1 from (values (1), (null)) u(b) \
                    where t.a is not distinct from u.b)";
        assert_eq!(ask_sorted(&session, join), ["-", "1", "1"]);
    }
}
