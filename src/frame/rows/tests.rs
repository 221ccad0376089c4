//! Rows into structs: every type, nested ones, and what does not fit.

use crate::frame::testing::{roomy, sessions};
use crate::{ErrorKind, Result};
use arrow::array::{ArrayRef, DictionaryArray, FixedSizeListArray, Int32Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{Int8Type, Int32Type};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

fn rows<T: DeserializeOwned>(sql: &str) -> Result<Vec<T>> {
    roomy().sql(sql)?.rows::<T>()?.collect()
}

fn one<T: DeserializeOwned>(select: &str) -> T {
    rows(&format!("SELECT {select}")).unwrap_or_else(|e| panic!("{select}: {e}")).pop().unwrap()
}

fn error<T: DeserializeOwned>(sql: &str) -> String {
    let error = rows::<T>(sql).map(|rows| rows.len()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    error.to_string()
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Walk,
    Ride,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Place {
    name: String,
    at: (f64, f64),
}

#[derive(Debug, Deserialize, PartialEq)]
struct Trip {
    id: u32,
    kind: Kind,
    from: Place,
    tags: Vec<Option<String>>,
    prices: BTreeMap<String, f32>,
    #[serde(default)]
    note: Option<String>,
    absent: Option<i64>,
}

#[test]
fn structs_nest() {
    let trips: Vec<Trip> = rows(
        "SELECT 'no field' AS other, MAP {'a': 1.5, 'b': 2} AS prices, ['x', NULL] AS tags, \
         {'at': [1, 2.5], 'name': 'here'} AS from, 'ride' AS kind, id, NULL AS note FROM range(7, 9) AS t(id)",
    )
    .unwrap();
    assert_eq!(trips.iter().map(|t| t.id).collect::<Vec<_>>(), [7, 8]);
    let wanted = Trip {
        id: 8,
        kind: Kind::Ride,
        from: Place { name: "here".into(), at: (1.0, 2.5) },
        tags: vec![Some("x".into()), None],
        prices: BTreeMap::from([("a".into(), 1.5), ("b".into(), 2.0)]),
        note: None,
        absent: None,
    };
    assert_eq!(trips[1], wanted);
}

#[test]
fn every_type_has_a_form() {
    assert_eq!(one::<(bool, i8, u64, f32)>("true, -5::TINYINT, 7::UBIGINT, 0.5::FLOAT"), (true, -5, 7, 0.5));
    assert_eq!(one::<(f64, f64, i32)>("1.25::DECIMAL(9, 2), 3, 4.00::DECIMAL(9, 2)"), (1.25, 3.0, 4));
    assert_eq!(one::<String>("1.250::DECIMAL(9, 3)"), "1.250");
    assert_eq!(one::<i128>("'170141183460469231731687303715884105'::DECIMAL(38, 0)"), i128::MAX / 1000);
    assert_eq!(one::<(String, i32)>("DATE '2024-02-29', DATE '1970-01-11'"), ("2024-02-29".into(), 10));
    let stamp = "TIMESTAMP '2024-02-29 12:00:00.5'";
    assert_eq!(one::<String>(stamp), "2024-02-29T12:00:00.5");
    assert_eq!(one::<i64>(stamp), 1_709_208_000_500_000);
    assert_eq!(one::<String>("TIMESTAMPTZ '2024-02-29 12:00:00+02'"), "2024-02-29T10:00:00Z");
    assert_eq!(one::<chrono_text::Day>("DATE '2024-02-29'").0, chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap());
    assert_eq!(one::<(String, String)>("TIME '04:05:06', INTERVAL 3 DAYS"), ("04:05:06".into(), "3 days".into()));
    assert_eq!(one::<(Vec<u8>,)>("'abc'::BLOB").0, b"abc");
    assert_eq!(one::<Vec<i64>>("1, 2, 3"), [1, 2, 3], "a row is a sequence of its columns");
    assert_eq!(one::<(char, Option<char>)>("'x', NULL"), ('x', None));
    assert_eq!(one::<(HashMap<i64, Vec<bool>>,)>("MAP {3: [true]}").0, HashMap::from([(3, vec![true])]));
    assert_eq!(one::<Option<Option<i64>>>("NULL::BIGINT"), None);
    let json: serde_json::Value = one("1 AS a, 'x' AS b, NULL AS c, [1.5] AS d, {'e': DATE '2024-01-01'} AS f, 1 AS g");
    assert_eq!(json.to_string(), r#"{"a":1,"b":"x","c":null,"d":[1.5],"f":{"e":"2024-01-01"},"g":1}"#);
}

/// A type that reads its text, as those of date libraries do.
mod chrono_text {
    pub(super) struct Day(pub(super) chrono::NaiveDate);

    impl<'de> serde::Deserialize<'de> for Day {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let text = String::deserialize(from)?;
            text.parse().map(Day).map_err(serde::de::Error::custom)
        }
    }
}

/// Types that queries seldom have, but batches of a program may.
#[test]
fn arrays_of_other_makes_are_read() {
    let dictionary: DictionaryArray<Int8Type> = vec!["a", "b", "a"].into_iter().collect();
    let pairs = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
        [Some(vec![Some(1), Some(2)]), None, Some(vec![Some(5), None])],
        2,
    );
    let columns: [(&str, ArrayRef); 4] = [
        ("d", Arc::new(dictionary)),
        ("p", Arc::new(pairs)),
        ("n", Arc::new(UInt64Array::from(vec![u64::MAX, 1, 2]))),
        ("s", Arc::new(StringArray::from(vec!["x", "y", "z"]))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap();
    let frame = roomy().from_batches(batch.schema(), vec![batch.slice(1, 2), batch.slice(0, 1)]).unwrap();
    type Row = (String, Option<Vec<Option<i64>>>, u64, String);
    let rows: Vec<Row> = frame.rows().unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(rows[0], ("b".into(), None, 1, "y".into()));
    assert_eq!(rows[1], ("a".into(), Some(vec![Some(5), None]), 2, "z".into()));
    assert_eq!(rows[2], ("a".into(), Some(vec![Some(1), Some(2)]), u64::MAX, "x".into()));
}

#[test]
fn what_does_not_fit_says_where() {
    #[derive(Debug, Deserialize)]
    struct Small {
        #[allow(dead_code)]
        n: i8,
    }
    let text = error::<Small>("SELECT n * 50 AS n FROM range(9) AS t(n)");
    assert_eq!(text, "row 4 is no Small: invalid value: integer `150`, expected i8 (column n)");
    let text = error::<Small>("SELECT 1 AS m, 2 AS k");
    assert!(text.contains("row 1 is no Small: there is nothing for the field n"), "{text}");
    assert!(text.contains("hint: the columns are m, k"), "{text}");
    let text = error::<Small>("SELECT NULL::INT AS n");
    assert!(text.contains("a null, where the type is no Option (column n)"), "{text}");
    let text = error::<Small>("SELECT 'x' AS n");
    assert!(text.contains("invalid type: string \"x\", expected i8 (column n)"), "{text}");
    let text = error::<Small>("SELECT 1.5 AS n");
    assert!(text.contains("(column n)"), "a fraction is no integer: {text}");
    let text = error::<(Kind,)>("SELECT 'swim' AS k");
    assert!(text.contains("unknown variant `swim`, expected `walk` or `ride` (column k)"), "{text}");
    let text = error::<(i64, i64)>("SELECT 1 AS a");
    assert!(text.contains("a row of 1 columns for a tuple of 2 values"), "{text}");
    assert!(error::<i64>("SELECT 1 AS a, 2 AS b").contains("a row of 2 columns for a single value"));
    let text = error::<HashMap<String, Vec<HashMap<String, u8>>>>("SELECT [{'a': 1}, {'a': -2}] AS list");
    assert!(text.contains("(column list[1].a)"), "{text}");
}

#[test]
fn rows_come_in_order_through_all_batches() {
    for session in sessions() {
        let frame = session.sql("SELECT n FROM range(30000) AS t(n) ORDER BY n DESC").unwrap();
        let rows: Vec<i64> = frame.rows().unwrap().collect::<Result<_>>().unwrap();
        assert!(rows.iter().rev().copied().eq(0..30_000));
        let mut rows =
            session.sql("SELECT 10 // (n - 5000) AS q FROM range(30000) AS t(n)").unwrap().rows::<i64>().unwrap();
        let failed = rows.by_ref().find_map(Result::err).unwrap();
        assert!(failed.to_string().contains("zero"), "{failed}");
        assert!(rows.next().is_none(), "an error is the end");
    }
    let int: ArrayRef = Arc::new(Int32Array::from(Vec::<i32>::new()));
    let empty = RecordBatch::try_from_iter([("a", int)]).unwrap();
    let frame = roomy().from_batches(empty.schema(), vec![empty]).unwrap();
    assert_eq!(frame.rows::<String>().unwrap().count(), 0, "no rows, nothing that does not fit");
}

#[derive(Clone, Debug, Deserialize, PartialEq, serde::Serialize)]
enum Shape {
    Point,
    Circle { radius: f64 },
}

#[derive(Clone, Debug, Deserialize, PartialEq, serde::Serialize)]
struct Thing {
    id: i64,
    name: Option<String>,
    sizes: Vec<Option<u8>>,
    at: Option<(f64, f64)>,
    prices: BTreeMap<String, i64>,
    inner: Option<Inner>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, serde::Serialize)]
struct Inner {
    deep: Vec<BTreeMap<i64, bool>>,
}

#[test]
fn rows_come_back_as_they_went() {
    let thing = |id: i64| Thing {
        id,
        name: (id % 3 != 0).then(|| format!("thing {id}")),
        sizes: (0..id % 4).map(|i| (i != 1).then_some(i as u8)).collect(),
        at: (id % 2 == 0).then_some((0.5, id as f64)),
        prices: (0..id % 3).map(|i| (format!("p{i}"), i)).collect(),
        inner: (id % 5 != 0).then(|| Inner { deep: vec![BTreeMap::from([(id, true)])] }),
    };
    let things: Vec<Thing> = (0..1000).map(thing).collect();
    for session in sessions() {
        let frame = session.from_rows(&things).unwrap();
        let sorted = frame.sort([datafusion_expr::col("id").sort(true, false)]).unwrap();
        let back: Vec<Thing> = sorted.rows().unwrap().collect::<Result<_>>().unwrap();
        assert_eq!(back, things);
    }
}

#[test]
fn types_are_those_of_all_rows() {
    let session = roomy();
    let types = |frame: crate::Result<crate::Frame>| {
        let schema = frame.unwrap().schema().unwrap();
        schema
            .fields()
            .iter()
            .map(|f| format!("{} {}", f.name(), crate::front::type_name(f.data_type())))
            .collect::<Vec<_>>()
    };
    assert_eq!(types(session.from_rows([(1, "a"), (2, "b")])), ["col0 bigint", "col1 varchar"]);
    assert_eq!(types(session.from_rows([u64::MAX, 1])), ["col0 ubigint"]);
    assert_eq!(types(session.from_rows([i128::from(u64::MAX), -1])), ["col0 decimal(38,0)"]);
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let mixed = [json(r#"{"a": 1}"#), json(r#"{"b": [], "a": 2.5}"#), json(r#"{"b": ["x"], "c": null}"#)];
    let frame = session.from_rows(mixed).unwrap();
    type Row = (Option<f64>, Option<Vec<String>>, Option<()>);
    let rows: Vec<Row> = frame.rows().unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(rows, [(Some(1.0), None, None), (Some(2.5), Some(vec![]), None), (None, Some(vec!["x".into()]), None)]);
    let shapes = session.from_rows([(Side::A, Shape::Point), (Side::B, Shape::Point)]).unwrap();
    assert_eq!(shapes.rows::<(String, Shape)>().unwrap().next().unwrap().unwrap(), ("A".into(), Shape::Point));
    let wrong = |e: crate::Result<crate::Frame>| e.err().unwrap().to_string();
    let text = wrong(session.from_rows([json(r#"{"a": {"b": 1}}"#), json(r#"{"a": {"b": "x"}}"#)]));
    assert!(text.contains("row 2: there is a text, where rows before have a whole number"), "{text}");
    let text = wrong(session.from_rows([json("9007199254740993"), json("0.5")]));
    assert!(text.contains("row 2: there is a float"), "a float cannot be that number: {text}");
    assert!(wrong(session.from_rows([(Shape::Point,), (Shape::Circle { radius: 1.0 },)])).contains("a struct"));
    assert!(wrong(session.from_rows(Vec::<i64>::new())).contains("no rows"));
    assert!(wrong(session.from_rows([HashMap::from([((1, 2), 3)])])).contains("keys are texts"));
    assert!(wrong(session.from_rows([u128::MAX])).contains("too many digits"));
    assert!(session.from_rows([i128::MAX]).is_err());
}

#[derive(serde::Serialize)]
enum Side {
    A,
    B,
}
