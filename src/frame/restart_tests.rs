//! Guessed types that turn out to be wrong: the query starts over once, wherever the value stands; the session remembers.

use super::Session;
use super::testing::{ask, error, file, roomy, small, starved};

/// Bytes of the first piece of a sample (see `formats::sample`): a third of 1 MiB.
const SAMPLED: usize = (1 << 20) / 3;

/// Rows of eight bytes each, `value` in the `at`-th.
fn rows(count: usize, at: usize, plain: &str, value: &str) -> String {
    (0..count).map(|i| if i == at { format!("{value}\n") } else { format!("{plain}\n") }).collect()
}

/// Before, at and behind the end of what is sampled, in both formats, up every step of the ladder of types.
#[test]
fn a_change_at_the_edge_of_the_sample() {
    let steps = [
        ("1234567", "1.5", "double"),
        ("1234567", "12345678901234567890", "hugeint"),
        ("1234567", "x", "varchar"),
        ("1.25000", "x", "varchar"),
        ("1234567", "0123456", "varchar"),
        ("1.25000", "9007199254740993", "varchar"),
        ("   true", "maybe", "varchar"),
    ];
    for (plain, value, wanted) in steps {
        let plain = plain.trim();
        let width = plain.len() + 1;
        for at in [SAMPLED / width - 2, SAMPLED / width - 1, SAMPLED / width, SAMPLED / width + 1, SAMPLED / width + 2]
        {
            let count = 4 * SAMPLED / width;
            let (_file, path) = file(".csv", &format!("a\n{}", rows(count, at, plain, value)));
            let session = roomy();
            let sql = format!("SELECT count(*), count(DISTINCT a), any_value(typeof(a)) FROM '{path}'");
            let got = ask(&session, &sql);
            assert_eq!(got[0].to_lowercase().replace(' ', ""), format!("{}|2|{wanted}", count), "{value} at {at}");
            assert!(session.stats().restarts <= 1);
            // What was learnt is remembered.
            let restarts = session.stats().restarts;
            ask(&session, &format!("SELECT max(a) FROM '{path}'"));
            assert_eq!(session.stats().restarts, restarts);
        }
    }
    let steps = [
        ("{\"a\":1}", "{\"a\":1.5}", "double"),
        ("{\"a\":1}", "{\"a\":12345678901234567890}", "hugeint"),
        ("{\"a\":\"2024-01-01\"}", "{\"a\":\"2024-01-01T10:00:00\"}", "timestamp"),
        ("{\"a\":\"2024-01-01T10:00:00Z\"}", "{\"a\":\"2024-01-01T10:00:00+01:00\"}", "timestampwithtimezone"),
        ("{\"a\":1}", "{\"a\":[true]}", "varchar"),
        ("{\"a\":1.5}", "{\"a\":9007199254740993}", "varchar"),
    ];
    for (plain, value, wanted) in steps {
        let width = plain.len() + 1;
        for at in [SAMPLED / width - 1, SAMPLED / width, SAMPLED / width + 1] {
            let count = 4 * SAMPLED / width;
            let (_file, path) = file(".jsonl", &rows(count, at, plain, value));
            let session = roomy();
            let sql = format!("SELECT count(*), count(DISTINCT a), any_value(typeof(a)) FROM '{path}'");
            let got = ask(&session, &sql);
            assert_eq!(got[0].to_lowercase().replace(' ', ""), format!("{}|2|{wanted}", count), "{value} at {at}");
            // A key that appears late is a column all the same.
            let (_file, path) = file(".jsonl", &rows(count, at, plain, "{\"late\":{\"b\":7}}"));
            let mut batches = session.sql(&format!("FROM '{path}'")).unwrap().batches().unwrap();
            let (mut rows, mut late) = (0, 0);
            while let Some(batch) = batches.next() {
                match batch {
                    Ok(batch) => {
                        rows += batch.num_rows();
                        late += batch.column_by_name("late").map_or(0, |c| c.len() - c.null_count());
                    }
                    Err(error) if batches.start_over(&error).unwrap() => (rows, late) = (0, 0),
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!((rows, late), (count, 1));
        }
    }
}

/// A key that no sample shows is a column when a query names it, wherever it stands.
#[test]
fn a_late_key_by_its_name() {
    let plain = "{\"a\":1,\"b\":\"x\"}";
    let count = 4 * SAMPLED / (plain.len() + 1);
    let (_file, path) = file(".jsonl", &rows(count, count / 3, plain, "{\"a\":2,\"late\":7.5}"));
    let (_log, log) = file(".log", &rows(200_000, 90_000, "a=1 c=2", "a=1 late=7.5"));
    for session in [roomy(), starved(false)] {
        for from in [format!("'{path}'"), format!("read_json('{path}')"), "t".into(), format!("'{log}'")] {
            if from == "t" {
                session.register_file("t", &path).unwrap();
            }
            let before = session.stats().restarts;
            let missing = error(&session, &format!("SELECT latest FROM {from}"));
            assert!(missing.contains("no column \"latest\""), "{missing}");
            assert_eq!(session.stats().restarts, before);
            let sql = format!("SELECT sum(late), count(late), count(*) > 50000 FROM {from} WHERE a > 0");
            assert_eq!(ask(&session, &sql), ["7.5|1|true"], "{from}");
            assert!(session.stats().restarts <= before + 1);
        }
    }
}

/// When rows are out, who has them decides; a rerun has all rows, of the wider type.
#[test]
fn rows_that_are_out_come_again() {
    let text = format!("a\n{}", rows(400_000, 110_000, "1000000", "x"));
    let (_file, path) = file(".csv", &text);
    let session = Session::builder().memory("16MiB").unwrap().threads(2).inline(true).tuning(small()).build().unwrap();
    let mut batches = session.sql(&format!("FROM '{path}'")).unwrap().batches().unwrap();
    let mut before = 0;
    let error = loop {
        match batches.next().unwrap() {
            Ok(batch) => before += batch.num_rows(),
            Err(error) => break error,
        }
    };
    assert!(before > 0 && error.is_misfit() && error.place().line == Some(110_002), "{before} {error}");
    assert!(batches.next().is_none());
    assert!(batches.start_over(&error).unwrap());
    let all: usize = batches.by_ref().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!((all, batches.schema().field(0).data_type()), (400_000, &arrow::datatypes::DataType::Utf8View));
    assert!(!batches.start_over(&error).unwrap());
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    for (ending, row) in [(".csv", "1,2\n"), (".jsonl", "{\"a\":1}\n")] {
        let (_file, path) = file(ending, &row.repeat(2_000_000));
        let session =
            Session::builder().memory("16MiB").unwrap().threads(1).inline(true).tuning(small()).build().unwrap();
        let mut batches = session.sql(&format!("FROM '{path}'")).unwrap().batches().unwrap();
        assert!(batches.next().unwrap().is_ok());
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .map(|mut f| std::io::Write::write_all(&mut f, row.as_bytes()))
            .unwrap()
            .unwrap();
        let error = batches.find_map(|batch| batch.err()).expect("an error");
        assert!(error.message().contains("changed while it was read"), "{error}");
    }
}

/// Verbs find late keys as SQL does, and frames start over as statements do.
#[test]
fn frames_with_verbs_know_late_keys_and_widen() {
    use crate::prelude::*;
    let plain = "{\"a\":1,\"b\":\"x\"}";
    let count = 4 * SAMPLED / (plain.len() + 1);
    let (_file, path) = file(".jsonl", &rows(count, count / 3, plain, "{\"a\":2.5,\"late\":7.5}"));
    let read = || roomy().read_json(&path).unwrap();
    let sums = [sum(col("late")).alias("late"), sum(col("a")).alias("a")];
    let sums = read().filter(col("a").gt(lit(0))).unwrap().group_by([] as [Expr; 0]).agg(sums).unwrap();
    assert_eq!(sums.lines().unwrap(), [format!("7.5|{:?}", count as f64 + 1.5)]);
    let late = col("late").is_not_null();
    assert_eq!(read().filter(late.clone()).unwrap().select([col("a")]).unwrap().lines().unwrap(), ["2.5"]);
    let sorted = read().sort([col("late").sort(false, false)]).unwrap().limit(0, 1).unwrap();
    assert_eq!(sorted.lines().unwrap(), ["2.5||7.5"]);
    let twice = read().with_columns([(col("late") * lit(2)).alias("twice")]).unwrap();
    assert_eq!(twice.filter(late).unwrap().select([col("twice")]).unwrap().lines().unwrap(), ["15.0"]);
    let session = roomy();
    let of_sql = session.sql(&format!("FROM '{path}'")).unwrap().select([max(col("late"))]);
    assert!(of_sql.is_err() || of_sql.unwrap().lines().is_err(), "an aggregate is no column");
    assert_eq!(session.sql(&format!("FROM '{path}'")).unwrap().select([col("late")]).unwrap().count().unwrap(), count);
    let missing = read().select([col("latest")]).map(|_| ()).unwrap_err();
    assert!(missing.to_string().contains("latest"), "{missing}");
    // A value of another type starts a frame over, and what is written.
    let session = roomy();
    let frame = session.read_json(&path).unwrap().select([(col("a") + lit(1)).alias("more")]).unwrap();
    let more = frame.clone().filter(col("more").gt(lit(3))).unwrap();
    assert_eq!((more.lines().unwrap(), session.stats().restarts), (vec!["3.5".to_string()], 1));
    let session = roomy();
    let to = path.replace(".jsonl", ".csv");
    let written = session.read_json(&path).unwrap().select([col("a")]).unwrap().to_csv(&to);
    std::fs::remove_file(&to).unwrap();
    assert_eq!((written.unwrap(), session.stats().restarts), (count as u64, 1));
}
