//! Common table expressions that are used more than once.

use super::testing::{ask, ask_sorted, roomy, sessions};

#[test]
fn computed_once() {
    let session = roomy();
    let sql = "with t as (select i % 10 as k, sum(i) as s from range(1000) r(i) group by k) \
               select a.k, b.s from t a join t b on a.k = b.k where a.k < 3 order by a.k";
    for session in sessions() {
        assert_eq!(ask(&session, sql), ["0|49500", "1|49600", "2|49700"]);
    }
    let plan = session.sql(sql).unwrap().explain().unwrap();
    assert_eq!((plan.matches("aggregate").count(), plan.matches("shared: 0").count()), (1, 2), "{plan}");
    let cheap = session.sql("with t as (select i from range(9) r(i) where i > 2) select * from t a, t b").unwrap();
    assert!(!cheap.explain().unwrap().contains("shared"));
}

#[test]
fn random_numbers_are_the_same_everywhere() {
    for session in sessions() {
        let sql = "with t as (select i, random() as x from range(1000) r(i)) \
                   select count(*) from t a join t b on a.i = b.i where a.x <> b.x";
        assert_eq!(ask(&session, sql), ["0"]);
        let apart =
            "select count(*) from (select random() as x from range(1000)) a, (select random() as x) b where a.x = b.x";
        assert_eq!(ask(&session, apart), ["0"]);
    }
}

#[test]
fn in_subqueries_and_in_each_other() {
    for session in sessions() {
        let sql = "with a as (select i % 7 as k, count(*) as n from range(100) r(i) group by k), \
                   b as (select k, n, (select max(n) from a) as most from a where n < (select max(n) from a)) \
                   select * from b union all select k, n, 0 from b where k in (select k from a)";
        let wanted =
            ["2|14|0", "2|14|15", "3|14|0", "3|14|15", "4|14|0", "4|14|15", "5|14|0", "5|14|15", "6|14|0", "6|14|15"];
        assert_eq!(ask_sorted(&session, sql), wanted);
        let spilled = "with t as (select i, 'text of row ' || i as s from range(20000) r(i) order by i desc) \
                       select count(*), count(distinct a.s) from t a join t b on a.i = b.i";
        assert_eq!(ask(&session, spilled), ["20000|20000"]);
    }
}
