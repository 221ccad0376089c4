//! ASOF JOIN and POSITIONAL JOIN.

use super::testing::{Random, ask, ask_sorted, error, file, roomy, sessions};
use std::fmt::Write;

/// A key and a time, which may be missing; the number of the row is its value.
type Row = (Option<u64>, Option<u64>);

fn rows(count: usize, seed: u64) -> Vec<Row> {
    let mut r = Random(seed);
    // Few keys, one of them in a third of the rows.
    let key = |r: &mut Random| if r.below(3) == 0 { 0 } else { r.below(20) };
    (0..count).map(|_| ((r.below(20) > 0).then(|| key(&mut r)), (r.below(20) > 0).then(|| r.below(1000)))).collect()
}

fn csv(rows: &[Row]) -> String {
    let text = |v: Option<u64>| v.map_or(String::new(), |v| v.to_string());
    rows.iter().enumerate().fold("k,t,v\n".to_string(), |mut out, (i, (k, t))| {
        let _ = writeln!(out, "{},{},{i}", text(*k), text(*t));
        out
    })
}

/// The best right time for each left row, as text.
fn expected(left: &[Row], right: &[Row], op: &str, keeps_left: bool) -> Vec<String> {
    let fits = |l: u64, r: u64| match op {
        ">=" => r <= l,
        ">" => r < l,
        "<=" => r >= l,
        _ => r > l,
    };
    let mut out = Vec::new();
    for (i, (k, t)) in left.iter().enumerate() {
        let near = right.iter().filter(|(rk, _)| k.is_some() && rk == k).filter_map(|(_, rt)| *rt);
        let near = near.filter(|r| t.is_some_and(|t| fits(t, *r)));
        let best = if op.starts_with('>') { near.max() } else { near.min() };
        match best {
            Some(best) => out.push(format!("{i}|{best}")),
            None if keeps_left => out.push(format!("{i}|-")),
            None => {}
        }
    }
    out.sort();
    out
}

#[test]
fn the_nearest_row_on_one_side() {
    let (left, right) = (rows(3000, 3), rows(2000, 5));
    let ((_l, l), (_r, r)) = (file(".csv", &csv(&left)), file(".csv", &csv(&right)));
    for session in sessions() {
        for op in [">=", ">", "<=", "<"] {
            for (join, keeps_left) in [("asof join", false), ("ASOF LEFT JOIN", true)] {
                let sql = format!("select a.v, b.t from '{l}' a {join} '{r}' b on a.k = b.k and a.t {op} b.t");
                assert_eq!(ask_sorted(&session, &sql), expected(&left, &right, op, keeps_left), "{op} {join}");
            }
        }
        let using = format!("select a.v, b.t from '{l}' a asof join '{r}' b using (k, t)");
        assert_eq!(ask_sorted(&session, &using), expected(&left, &right, ">=", false));
        let turned = format!("select a.v, b.t from '{l}' a asof join '{r}' b on b.t <= a.t and b.k = a.k");
        assert_eq!(ask_sorted(&session, &turned), expected(&left, &right, ">=", false));
    }
}

#[test]
fn other_columns_and_no_keys() {
    let session = roomy();
    let from = "(values (1, 'x'), (5, 'y')) l(t, a) asof left join (values (0.5, 'p'), (3, 'q')) r(t, b) on l.t >= r.t";
    assert_eq!(ask_sorted(&session, &format!("select a, b from {from}")), ["x|p", "y|q"]);
    assert_eq!(ask_sorted(&session, &format!("select a from {from} where b = 'q'")), ["y"]);
    assert_eq!(ask(&session, &format!("select count(*) from {from}")), ["2"]);
    let three = "select a.t, b.t, c.t from (values (9)) a(t) asof join (values (5), (7)) b(t) on a.t > b.t \
                 asof join (values (6), (8)) c(t) on b.t >= c.t";
    assert_eq!(ask(&session, three), ["9|7|6"]);
}

#[test]
fn what_is_no_asof_join() {
    let session = roomy();
    let ask = |on: &str| {
        error(&session, &format!("select 1 from (values (1, 2)) a(x, y) asof join (values (1, 2)) b(x, y) {on}"))
    };
    assert!(ask("on a.x = b.x").contains("one inequality"));
    assert!(ask("on a.x > b.x and a.y > b.y").contains("one inequality"));
    assert!(ask("on a.x > b.x and a.y = 2").contains("ASOF"));
    let full = "select 1 from (values (1)) a(x) asof full join (values (1)) b(x) on a.x > b.x";
    assert!(error(&session, full).contains("ASOF"));
}

#[test]
fn positional() {
    for session in sessions() {
        assert_eq!(
            ask(&session, "select * from (values (1), (2), (3)) a positional join (values ('x')) b"),
            ["1|x", "2|-", "3|-"]
        );
        let sql = "select count(*), count(i), count(j), sum(j - i) from range(30000) a(i) positional join range(5, 20005) b(j)";
        assert_eq!(ask(&session, sql), ["30000|30000|20000|100000"]);
        assert_eq!(ask(&session, "select * from range(0) a positional join range(2) b"), ["-|0", "-|1"]);
    }
}
