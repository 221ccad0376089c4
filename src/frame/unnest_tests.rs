//! UNNEST in SQL: in the select list against a slow oracle, and in FROM.

use super::testing::{Random, ask, ask_sorted, error, file, roomy, sessions};
use std::fmt::Write;

type Lists = (Option<Vec<u64>>, Option<Vec<u64>>);

fn lists(count: usize) -> Vec<Lists> {
    let mut r = Random(0x9E37_79B9);
    let list = |r: &mut Random| (r.below(6) > 0).then(|| (0..r.below(5)).map(|_| r.below(100)).collect());
    let mut all: Vec<Lists> = (0..count).map(|_| (list(&mut r), list(&mut r))).collect();
    // One that is longer than any batch.
    all[count / 2].0 = Some((0..20_000).collect());
    all
}

fn json(rows: &[Lists]) -> String {
    let text = |l: &Option<Vec<u64>>| l.as_ref().map_or("null".into(), |l| format!("{l:?}"));
    rows.iter().enumerate().fold(String::new(), |mut out, (i, (a, b))| {
        let _ = writeln!(out, "{{\"id\":{i},\"a\":{},\"b\":{}}}", text(a), text(b));
        out
    })
}

fn expected(rows: &[Lists]) -> Vec<String> {
    let mut out = Vec::new();
    for (i, (a, b)) in rows.iter().enumerate() {
        let length = [a, b].map(|l| l.as_ref().map_or(0, Vec::len)).into_iter().max().unwrap_or(0);
        let cell = |l: &Option<Vec<u64>>, at: usize| {
            l.as_ref().and_then(|l| l.get(at)).map_or("-".to_string(), u64::to_string)
        };
        out.extend((0..length).map(|at| format!("{i}|{}|{}", cell(a, at), cell(b, at))));
    }
    out
}

#[test]
fn lists_of_different_lengths_are_filled_up() {
    let rows = lists(500);
    let (_keep, path) = file(".jsonl", &json(&rows));
    for session in sessions() {
        assert_eq!(ask(&session, &format!("select id, unnest(a), unnest(b) from '{path}'")), expected(&rows));
        // In the middle of a query, before something that holds rows.
        let sql =
            format!("select x, count(*) from (select unnest(a) as x from '{path}') group by x order by x limit 3");
        let count = |x: u64| rows.iter().flat_map(|r| r.0.iter().flatten()).filter(|v| **v == x).count();
        let wanted: Vec<String> = (0..3).map(|x| format!("{x}|{}", count(x))).collect();
        assert_eq!(ask(&session, &sql), wanted);
    }
}

#[test]
fn nested_lists_and_structs() {
    let session = roomy();
    assert_eq!(ask(&session, "select unnest([[1,2],[3]])"), ["[1, 2]", "[3]"]);
    assert_eq!(ask(&session, "select unnest(unnest([[1,2],[3]]))"), ["1", "2", "3"]);
    assert_eq!(ask(&session, "select unnest({'a': 1, 'b': 'x'})"), ["1|x"]);
    let both = "select unnest(l) as once, unnest(unnest(l)) as twice from (select [[1,2],[3]] as l)";
    assert_eq!(ask(&session, both), ["[1, 2]|1", "[3]|2", "[1, 2]|3", "[3]|-"]);
    assert_eq!(ask(&session, "select unnest(array_append([], 1)), 7"), ["1|7"]);
    assert_eq!(ask(&session, "select 1, unnest(make_array())").len(), 0);
    assert_eq!(ask(&session, "select sum(u) from (select unnest(range(5)) as u)"), ["10"]);
    assert_eq!(ask(&session, "select unnest(range(3)) as u group by u order by u desc"), ["2", "1", "0"]);
}

#[test]
fn beside_the_table_of_the_list() {
    let (_keep, path) =
        file(".jsonl", "{\"k\":1,\"l\":[5,6]}\n{\"k\":2,\"l\":null}\n{\"k\":3,\"l\":[]}\n{\"k\":4,\"l\":[7]}\n");
    for session in sessions() {
        session.register_file("t", &path).unwrap();
        let all = ["1|5", "1|6", "4|7"];
        for from in [
            "t, unnest(t.l) as u(x)",
            "t, unnest(l) u(x)",
            "t cross join unnest(t.l) as u(x)",
            "t, lateral unnest(t.l) as u(x)",
            "t join lateral (select unnest(t.l) as x) s on true",
            "t, (select unnest(l) as x) s",
        ] {
            assert_eq!(ask(&session, &format!("select k, x from {from}")), all, "{from}");
        }
        assert_eq!(ask(&session, "select k, u from t, unnest(l) as u where u > 5"), ["1|6", "4|7"]);
        assert_eq!(
            ask(&session, "select * from t left join unnest(l) u(x) on true"),
            ["1|[5, 6]|5", "1|[5, 6]|6", "2|-|-", "3|[]|-", "4|[7]|7"]
        );
        assert_eq!(
            ask(&session, "select k, x, y from t, unnest(l) u(x), range(x - 5) r(y)"),
            ["1|6|0", "4|7|0", "4|7|1"]
        );
        let counted = "select k, count(*) from t, unnest(l) u(x) group by k";
        assert_eq!(ask_sorted(&session, counted), ["1|2", "4|1"]);
        assert_eq!(
            ask(&session, "select k, x, n from t, unnest(l) with ordinality u(x, n)"),
            ["1|5|1", "1|6|2", "4|7|1"]
        );
    }
}

#[test]
fn in_from_alone() {
    let session = roomy();
    assert_eq!(ask(&session, "from unnest([1, 2, null])"), ["1", "2", "-"]);
    assert_eq!(session.sql("select * from unnest([1])").unwrap().schema().unwrap().field(0).name(), "unnest");
    assert_eq!(session.sql("select * from unnest([1]) as u").unwrap().schema().unwrap().field(0).name(), "u");
    assert_eq!(ask(&session, "select * from unnest([5, 6]) with ordinality"), ["5|1", "6|2"]);
    assert!(error(&session, "select * from unnest(7)").contains("array"));
}

#[test]
fn a_long_list_beside_itself_stays_small() {
    // Each row of the output holds the list once more: batches are cut by those bytes.
    let session = super::testing::starved(true);
    let sql = "select count(*), sum(array_length(l)) from (select l, unnest(l) as x from (select range(3000) as l))";
    assert_eq!(ask(&session, sql), ["3000|9000000"]);
}
