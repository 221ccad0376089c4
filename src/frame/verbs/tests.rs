//! Verbs beyond their examples: larger frames, little memory, threads; answers against a naive way to the same.

use crate::frame::testing::{Random, file, sessions};
use crate::prelude::*;

/// Rows of (n, k, v) with nulls in `v`, n in the order of the file, and the values.
fn table(rows: usize) -> (String, Vec<(i64, i64, Option<i64>)>) {
    let mut random = Random(7);
    let values: Vec<(i64, i64, Option<i64>)> = (0..rows as i64)
        .map(|n| {
            let v = random.below(1000) as i64;
            (n, random.below(37) as i64, (v % 5 != 0).then_some(v))
        })
        .collect();
    let line =
        |(n, k, v): &(i64, i64, Option<i64>)| format!("{n},{k},{}\n", v.map_or(String::new(), |v| v.to_string()));
    (format!("n,k,v\n{}", values.iter().map(line).collect::<String>()), values)
}

fn text(value: Option<i64>) -> String {
    value.map_or(String::new(), |v| v.to_string())
}

#[test]
fn windows_without_an_order_go_by_that_of_the_file() -> Result<()> {
    let (csv, values) = table(20_000);
    let (_file, path) = file(".csv", &csv);
    let mut wanted = Vec::new();
    let (mut sum, mut last) = (0, None);
    for (i, (n, _, v)) in values.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| values[i].2).unwrap_or_default();
        sum += v.unwrap_or(0);
        last = v.or(last);
        wanted.push(format!("{n}|{}|{}|{}", text(before), text(v.map(|_| sum)), text(last)));
    }
    for session in sessions() {
        let frame = session.read_csv(&path)?;
        let windows =
            [shift(col("v"), 1).alias("a"), cum_sum(col("v")).alias("b"), forward_fill(col("v"), None).alias("c")];
        let got = frame.select([col("n")].into_iter().chain(windows))?.lines()?;
        assert!(got == wanted, "{:?}", got.iter().zip(&wanted).find(|(a, b)| a != b));
    }
    Ok(())
}

#[test]
fn the_ends_of_a_file_are_its_ends() -> Result<()> {
    let (csv, values) = table(20_000);
    let (_file, path) = file(".csv", &csv);
    let numbers =
        |from: usize, to: usize| -> Vec<String> { values[from..to].iter().map(|r| r.0.to_string()).collect() };
    for session in sessions() {
        let n = session.read_csv(&path)?.columns(&["n"])?;
        assert_eq!(n.clone().tail(3000)?.lines()?, numbers(17_000, 20_000));
        assert_eq!(n.clone().slice(-20, 5)?.lines()?, numbers(19_980, 19_985));
        assert_eq!(n.clone().slice(-20_001, 2)?.lines()?, numbers(0, 2));
        let mut backwards = numbers(0, 20_000);
        backwards.reverse();
        assert!(n.clone().reverse()?.lines()? == backwards);
        let both = concat([n.clone(), n.clone()])?;
        assert_eq!(both.tail(20_001)?.limit(0, 2)?.lines()?, ["19999", "0"]);
        assert_eq!(n.with_row_index("i")?.filter(col("i").not_eq(col("n")))?.count()?, 0);
    }
    Ok(())
}

#[test]
fn a_key_keeps_its_first_or_last_row() -> Result<()> {
    let (csv, values) = table(20_000);
    let (_file, path) = file(".csv", &csv);
    let of = |rows: &mut dyn Iterator<Item = &(i64, i64, Option<i64>)>| -> Vec<String> {
        let mut kept = std::collections::BTreeMap::new();
        rows.for_each(|(n, k, v)| drop(kept.insert(*k, format!("{n}|{k}|{}", text(*v)))));
        kept.into_values().collect()
    };
    let (first, last) = (of(&mut values.iter().rev()), of(&mut values.iter()));
    for session in sessions() {
        let frame = session.read_csv(&path)?;
        let kept = |keep| frame.clone().distinct_on(&["k"], keep)?.sort([col("k").sort(true, false)])?.lines();
        assert_eq!(kept(Keep::First)?, first);
        assert_eq!(kept(Keep::Last)?, last);
        assert_eq!(kept(Keep::None)?.len(), 0);
        assert_eq!(frame.clone().distinct_on(&["n"], Keep::None)?.count()?, 20_000);
    }
    Ok(())
}

#[test]
fn a_seed_takes_the_same_rows_in_every_session() -> Result<()> {
    let (csv, _) = table(20_000);
    let (_file, path) = file(".csv", &csv);
    for size in [Sample::Fraction(0.25), Sample::Rows(500)] {
        let mut answers = Vec::new();
        for session in sessions() {
            let frame = session.read_csv(&path)?.columns(&["n"])?;
            answers.push(frame.clone().sample(size, Some(3))?.lines()?);
            assert_ne!(answers.last(), Some(&frame.sample(size, Some(4))?.lines()?), "another seed, other rows");
        }
        assert!(answers[0] == answers[1] && answers[1] == answers[2]);
        let numbers: Vec<i64> = answers[0].iter().map(|l| l.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "rows stay in order");
        let wanted = if size == Sample::Rows(500) { 500..=500 } else { 4500..=5500 };
        assert!(wanted.contains(&numbers.len()), "{}", numbers.len());
    }
    let session = Session::builder().inline(true).build()?;
    let numbers = session.sql("FROM range(100) t(n)")?;
    assert_eq!(numbers.clone().sample(Sample::Fraction(1.0), Some(1))?.count()?, 100);
    assert_eq!(numbers.clone().sample(Sample::Fraction(0.0), Some(1))?.count()?, 0);
    assert_eq!(numbers.clone().sample(Sample::Rows(200), None)?.count()?, 100);
    assert_eq!(numbers.sample(Sample::Fraction(1.5), None).err().unwrap().kind(), ErrorKind::Query);
    Ok(())
}

#[test]
fn the_nearest_row_of_all() -> Result<()> {
    let mut random = Random(11);
    let mut rows =
        |n: usize| -> Vec<(i64, i64)> { (0..n).map(|_| (random.below(3) as i64, random.below(5000) as i64)).collect() };
    let (left, right) = (rows(1500), rows(300));
    let csv = |rows: &[(i64, i64)]| rows.iter().map(|(k, t)| format!("{k},{t}\n")).collect::<String>();
    let (_l, left_path) = file(".csv", &format!("k,t\n{}", csv(&left)));
    let (_r, right_path) = file(".csv", &format!("k,t\n{}", csv(&right)));
    for session in sessions() {
        let (l, r) = (session.read_csv(&left_path)?, session.read_csv(&right_path)?);
        for direction in [Direction::Backward, Direction::Forward, Direction::Nearest] {
            for (tolerance, exact) in [(None, true), (Some(12), true), (None, false), (Some(12), false)] {
                let near = |k: i64, t: i64| {
                    let fits = |to: i64| match direction {
                        Direction::Backward => to <= t,
                        Direction::Forward => to >= t,
                        Direction::Nearest => true,
                    };
                    let times = right.iter().filter(|(key, _)| *key == k).map(|(_, to)| *to);
                    let near =
                        times.filter(|to| fits(*to) && (exact || *to != t)).min_by_key(|to| ((to - t).abs(), *to));
                    near.filter(|to| tolerance.is_none_or(|most| (to - t).abs() <= most))
                };
                let mut wanted: Vec<String> =
                    left.iter().map(|(k, t)| format!("{k}|{t}|{}", text(near(*k, *t)))).collect();
                wanted.sort();
                let by = vec![(col("k"), col("k"))];
                let asof = Asof { by, direction, tolerance: tolerance.map(lit), exact, ..Asof::on(col("t"), col("t")) };
                let joined = l.clone().join_asof(r.clone(), asof.clone())?;
                let mut got = joined.columns(&["k", "t", "t_right"])?.lines()?;
                got.sort();
                assert!(got == wanted, "{direction:?} {tolerance:?} {exact}");
                let inner = l.clone().join_asof(r.clone(), Asof { how: JoinType::Inner, ..asof })?.count()?;
                assert_eq!(inner, wanted.iter().filter(|line| !line.ends_with('|')).count());
            }
        }
    }
    Ok(())
}

#[test]
fn rolling_sees_what_a_loop_sees() -> Result<()> {
    let (csv, values) = table(3000);
    let (_file, path) = file(".csv", &csv);
    let around = |i: usize, before: usize, behind: usize, least: usize| -> Option<i64> {
        let rows = &values[i.saturating_sub(before)..(i + behind + 1).min(values.len())];
        let present: Vec<i64> = rows.iter().filter_map(|r| r.2).collect();
        (present.len() >= least).then(|| present.iter().sum())
    };
    let reach = |i: usize| -> Option<i64> {
        let from = values[i].0 - 7;
        let rows: Vec<i64> = values[..=i].iter().filter(|r| r.0 > from).filter_map(|r| r.2).collect();
        (!rows.is_empty()).then(|| rows.iter().sum())
    };
    for session in sessions() {
        let frame = session.read_csv(&path)?;
        let full = rolling(sum(col("v")), Rolling::rows(5))?.alias("a");
        let some = rolling(sum(col("v")), Rolling { rows: 4, least: Some(2), center: true })?.alias("b");
        let near = rolling_by(sum(col("v")), col("n"), 7)?.alias("c");
        let got = frame.select([full, some, near])?.lines()?;
        for (i, line) in got.iter().enumerate() {
            let wanted = [around(i, 4, 0, 5), around(i, 2, 1, 2), reach(i)].map(text).join("|");
            assert_eq!(*line, wanted, "row {i}");
        }
    }
    Ok(())
}

#[test]
fn limits_of_filling() -> Result<()> {
    let session = Session::builder().inline(true).build()?;
    let frame = session.sql("FROM (VALUES (1), (NULL), (NULL), (4), (NULL)) t(v)")?;
    assert_eq!(frame.clone().fill_forward(&[], Some(1))?.lines()?, ["1", "1", "", "4", "4"]);
    assert_eq!(frame.clone().fill_backward(&["v"], Some(1))?.lines()?, ["1", "", "4", "4", ""]);
    let kinds = session.sql("SELECT NULL::INT AS i, NULL::VARCHAR AS s, NULL::BOOLEAN AS b, NULL::DATE AS d")?;
    assert_eq!(kinds.clone().fill_null(1.5)?.lines()?, ["1.5|||"]);
    assert_eq!(kinds.clone().fill_null("x")?.lines()?, ["|x||"]);
    assert_eq!(kinds.fill_null(true)?.lines()?, ["||true|"]);
    Ok(())
}

#[test]
fn joins_that_meet_themselves() -> Result<()> {
    let session = Session::builder().inline(true).build()?;
    let t = session.sql("FROM (VALUES (1, 'a'), (2, 'b'), (NULL, 'c')) t(k, v)")?;
    let u = session.sql("FROM (VALUES (2, 'B'), (3, 'C')) u(k, v)")?;
    let sorted = |how| -> Result<Vec<String>> {
        let mut lines = t.clone().join_using(u.clone(), how, &["k"])?.lines()?;
        lines.sort();
        Ok(lines)
    };
    assert_eq!(sorted(JoinType::Inner)?, ["2|b|B"]);
    assert_eq!(sorted(JoinType::Left)?, ["1|a|", "2|b|B", "|c|"]);
    assert_eq!(sorted(JoinType::Right)?, ["2|b|B", "3||C"]);
    assert_eq!(sorted(JoinType::Full)?, ["1|a|", "2|b|B", "3||C", "|c|"]);
    assert_eq!(sorted(JoinType::LeftSemi)?, ["2|b"]);
    assert_eq!(sorted(JoinType::LeftAnti)?, ["1|a", "|c"]);
    assert_eq!(sorted(JoinType::RightSemi)?, ["2|B"]);
    assert_eq!(sorted(JoinType::RightAnti)?, ["3|C"]);
    let own = t.clone().join_using(t.clone(), JoinType::Inner, &["k"])?;
    assert_eq!(own.clone().sort([col("k").sort(true, false)])?.lines()?, ["1|a|a", "2|b|b"]);
    let names: Vec<String> = own.schema()?.fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["k", "v", "v_right"]);
    let wrong = t.clone().join_exprs(u, JoinType::Inner, [col("k")], []).err().unwrap();
    assert_eq!(wrong.kind(), ErrorKind::Query);
    assert!(t.drop(&["q"]).err().unwrap().to_string().contains("\"q\""));
    Ok(())
}

#[test]
fn windows_in_filters_see_all_rows() -> Result<()> {
    let session = Session::builder().inline(true).build()?;
    let t = session.sql("FROM (VALUES (1, 'a'), (2, 'a'), (3, 'b')) t(v, k)")?;
    let largest = over(max(col("v")), [col("k")], [])?;
    let rows = t.filter(col("v").eq(largest))?.sort([col("v").sort(true, false)])?;
    assert_eq!(rows.lines()?, ["2|a", "3|b"]);
    let composite = over(diff(col("v"), 1), [col("k")], [col("v").sort(false, false)])?;
    assert_eq!(rows.select([composite.alias("d")])?.lines()?, ["", ""]);
    Ok(())
}

#[test]
fn windows_of_time_that_overlap() -> Result<()> {
    let session = Session::builder().inline(true).build()?;
    let t =
        session.sql("SELECT TIMESTAMP '2024-01-01 00:00:00' + INTERVAL (20 * i) MINUTE AS t, i FROM range(7) r(i)")?;
    let windows = TimeWindows { period: Some(interval("1h")?), ..TimeWindows::every("30m")? };
    let counts = t.clone().group_by_time(col("t"), windows, [])?.agg([count(lit(1)).alias("n")])?;
    let lines = counts.sort([col("t").sort(true, false)])?.lines()?;
    let wanted = [
        "2023-12-31T23:30:00|2",
        "2024-01-01T00:00:00|3",
        "2024-01-01T00:30:00|3",
        "2024-01-01T01:00:00|3",
        "2024-01-01T01:30:00|2",
        "2024-01-01T02:00:00|1",
    ];
    assert_eq!(lines, wanted);
    let hours = t.clone().filter(col("i").lt(lit(2)).or(col("i").gt(lit(5))))?;
    let hours = hours.resample("t", TimeWindows::every("1h")?, [sum(col("i")).alias("i")])?;
    assert_eq!(hours.lines()?, ["2024-01-01T00:00:00|1", "2024-01-01T01:00:00|", "2024-01-01T02:00:00|6"]);
    assert_eq!(t.limit(0, 0)?.resample("t", TimeWindows::every("1h")?, [sum(col("i"))])?.count()?, 0);
    for wrong in ["", "1x", "h1"] {
        assert_eq!(interval(wrong).err().map(|e| e.kind()), Some(ErrorKind::Query), "{wrong:?}");
    }
    Ok(())
}

#[test]
fn verbs_upon_verbs() -> Result<()> {
    let session = Session::builder().inline(true).build()?;
    let t = session.sql("FROM (VALUES (1, 10.5), (2, 7.25), (3, 2.0), (4, 9.0)) t(k, v)")?;
    let four = t.clone().join_using(t.clone(), JoinType::Inner, &["k"])?;
    let four = four.join_exprs(t.clone(), JoinType::Left, [col("k")], [col("k")])?.columns(&["k", "v_right"])?;
    let four = t.clone().join_using(four, JoinType::Left, &["k"])?.cross_join(t.clone().columns(&["k"])?)?;
    assert_eq!(four.count()?, 16);
    assert_eq!(four.nlargest(1, &["k", "k_right"])?.lines()?, ["4|9.0|9.0|4"]);
    let pair = (col("k"), col("k"));
    let asof = Asof { by: vec![pair.clone()], direction: Direction::Nearest, ..Asof::on(pair.0, pair.1) };
    let twice = t.clone().join_asof(t.clone(), asof.clone())?.columns(&["k", "v_right"])?.join_asof(t.clone(), asof)?;
    assert_eq!(twice.clone().sort([col("k").sort(true, false)])?.limit(0, 1)?.lines()?, ["1|10.5|1|10.5"]);
    assert_eq!(t.clone().tail(3)?.tail(2)?.reverse()?.columns(&["k"])?.lines()?, ["4", "3"]);
    assert_eq!(t.clone().sample(Sample::Rows(3), Some(1))?.sample(Sample::Rows(2), Some(2))?.tail(5)?.count()?, 2);
    assert_eq!(t.clone().with_row_index("a")?.with_row_index("b")?.tail(1)?.lines()?, ["3|3|4|9.0"]);
    assert_eq!(t.clone().describe()?.rename(&[("statistic", "name")])?.describe()?.count()?, 9);
    let shifted = t.clone().select([col("k"), shift(col("v"), 1).alias("v")])?;
    let both = t.clone().hstack(shifted)?;
    assert_eq!(both.lines()?, ["1|10.5|1|", "2|7.25|2|10.5", "3|2.0|3|7.25", "4|9.0|4|2.0"]);
    let together = both.clone().agg([sum(col("v")), sum(col("v_right")), sum(col("v") * col("v_right"))])?;
    assert_eq!(together.lines()?, ["28.75|19.75|108.625"]);
    let alone = both.agg([corr(col("v"), col("v_right")).alias("c")])?;
    let wanted = session.sql("SELECT corr(a, b) FROM (VALUES (7.25, 10.5), (2.0, 7.25), (9.0, 2.0)) t(a, b)")?;
    assert_eq!(alone.lines()?, wanted.lines()?);
    Ok(())
}

#[test]
fn verbs_spill() -> Result<()> {
    // About 24 MB of text with a budget of 8 MiB.
    let rows = 60_000;
    let text = |n: usize| format!("x{n:0>400}");
    let csv: String =
        std::iter::once("n,t\n".to_string()).chain((0..rows).map(|n| format!("{n},{}\n", text(n)))).collect();
    let (_file, path) = file(".csv", &csv);
    let session = crate::frame::testing::starved(true);
    let frame = session.read_csv(&path)?;
    let shifted = frame.clone().select([col("n"), shift(col("t"), -1).alias("t")])?;
    let mut written = 0;
    let mut spilled = |session: &Session| {
        let now = session.stats().scratch_written;
        std::mem::replace(&mut written, now) < now
    };
    assert_eq!(shifted.filter(col("t").is_null())?.columns(&["n"])?.lines()?, ["59999"]);
    assert!(spilled(&session), "a window over all rows");
    assert_eq!(frame.clone().reverse()?.lines()?.first(), Some(&format!("59999|{}", text(59_999))));
    assert!(spilled(&session), "rows backwards");
    assert_eq!(frame.clone().distinct_on(&["t"], Keep::Last)?.agg([sum(col("n"))])?.lines()?, ["1799970000"]);
    assert!(spilled(&session), "the last of each key");
    assert_eq!(
        frame.clone().join_using(frame, JoinType::Full, &["t"])?.agg([sum(col("n_right"))])?.lines()?,
        ["1799970000"]
    );
    assert!(spilled(&session), "a join with itself");
    Ok(())
}
