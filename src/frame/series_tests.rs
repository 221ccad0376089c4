//! `range` and `generate_series` in FROM.

use super::testing::{ask, error, roomy, sessions, starved};

#[test]
fn integers() {
    let session = roomy();
    assert_eq!(ask(&session, "from range(3)"), ["0", "1", "2"]);
    assert_eq!(ask(&session, "from generate_series(3)"), ["0", "1", "2", "3"]);
    assert_eq!(ask(&session, "select range from range(2, 4)"), ["2", "3"]);
    assert_eq!(ask(&session, "select generate_series from generate_series(5, 1, -2)"), ["5", "3", "1"]);
    assert_eq!(ask(&session, "select t.i + 1 from range(1 + 1) t(i)"), ["1", "2"]);
    assert_eq!(ask(&session, "select i from range(2) i"), ["0", "1"]);
    assert_eq!(ask(&session, "select i.range from range(2) i"), ["0", "1"]);
    assert_eq!(ask(&session, "from range(1, 0)").len(), 0);
    assert_eq!(ask(&session, "from range(null)").len(), 0);
    assert!(error(&session, "from range(0, 3, 0)").contains("step"));
    assert!(error(&session, "from range('a')").contains("range"));
    assert!(error(&session, "from range(1, 2, 3, 4)").contains("range takes"));
}

#[test]
fn times() {
    let session = roomy();
    let days = "from range(date '2020-02-28', date '2020-03-01', interval 1 day)";
    assert_eq!(ask(&session, days), ["2020-02-28T00:00:00", "2020-02-29T00:00:00"]);
    let months = "from generate_series(timestamp '2020-01-31', timestamp '2020-03-29', interval 1 month)";
    assert_eq!(ask(&session, months), ["2020-01-31T00:00:00", "2020-02-29T00:00:00", "2020-03-29T00:00:00"]);
    let back = "from range(timestamp '2020-01-01 02:00:00', timestamp '2020-01-01', interval '-1 hour')";
    assert_eq!(ask(&session, back), ["2020-01-01T02:00:00", "2020-01-01T01:00:00"]);
    assert!(error(&session, "from range(date '2020-01-01', date '2020-01-03')").contains("interval"));
}

#[test]
fn many_rows_in_pieces() {
    for session in sessions() {
        let sql = "select count(*), sum(i), min(i), max(i) from range(3000000) t(i) where i % 3 = 1";
        assert_eq!(ask(&session, sql), ["1000000|1499999500000|1|2999998"]);
        assert_eq!(ask(&session, "from range(5000000) limit 2 offset 3000000"), ["3000000", "3000001"]);
    }
    // A series without an end in sight is counted, not made.
    assert_eq!(ask(&starved(true), "from range(9000000000000000000) limit 1"), ["0"]);
}

#[test]
fn beside_another_table() {
    let session = roomy();
    let sql = "select a, b from range(4) t(a), range(t.a) u(b) where a > 1";
    assert_eq!(ask(&session, sql), ["2|0", "2|1", "3|0", "3|1", "3|2"]);
    assert_eq!(ask(&session, "select * from range((select 2))"), ["0", "1"]);
}
