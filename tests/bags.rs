//! Bags on data of others, which is looked for beside the repository, or in the directory `SHARED_TESTDATA`.
//!
//! The cases that Dask's own tests of bags record: the same operations on the same items give the same answers. And real logs
//! and records: counts that agree with what `grep`, `jq` and Python say.
//!
//! Deliberate differences: the order of keys is unspecified after an operation by key (Dask's is that of a Python dict), the
//! items of a group keep their order (Dask's do not), and a join puts the left item first.

use partita::prelude::*;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// A file of the data of others; `None`, with a message, where it is not there.
fn shared(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    let path = std::env::var("SHARED_TESTDATA").map_or_else(|_| beside(), PathBuf::from).join(name);
    if !path.exists() {
        eprintln!("{} is not here: skipped", path.display());
        return None;
    }
    Some(path)
}

/// Sessions on both pools, the second with little memory.
fn sessions() -> [Session; 2] {
    [("64MiB", true), ("32MiB", false)]
        .map(|(memory, inline)| Session::builder().memory(memory).unwrap().threads(2).inline(inline).build().unwrap())
}

/// What a case asks, as words.
struct Case<'a> {
    session: &'a Session,
    input: &'a Value,
    partitions: usize,
    ops: &'a str,
}

fn int(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn even(value: &Value) -> bool {
    int(value) % 2 == 0
}

fn pairs<A: serde::Serialize + Send + 'static, B: serde::Serialize + Send + 'static>(bag: Bag<(A, B)>) -> Value {
    json!(bag.collect().unwrap())
}

impl Case<'_> {
    fn bag(&self) -> Bag<Value> {
        Bag::from_iter(self.session, self.input.as_array().unwrap().clone(), self.partitions)
    }

    fn numbers(&self) -> Bag<i64> {
        self.bag().map(|item| int(&item))
    }

    fn text(&self) -> Bag<String> {
        self.bag().map(|item| item.as_str().unwrap().to_string())
    }

    /// The number behind `word=`.
    fn split_every(&self, default: usize) -> usize {
        let (_, behind) = self.ops.split_once("split_every=").unwrap_or_default();
        behind.parse().unwrap_or(default)
    }

    /// The answer; `None` for words that are not understood.
    fn answer(&self) -> Option<Value> {
        let bag = self.bag_or_range();
        let every = self.split_every(8);
        let first = self.ops.split(" split_every").next()?;
        Some(match first {
            "map x+1" => json!(bag.map(|x| int(&x) + 1).collect().unwrap()),
            "filter x%2==0" => json!(bag.filter(even).collect().unwrap()),
            "remove x%2==0" => json!(bag.remove(even).collect().unwrap()),
            "pluck 0" => json!(bag.pluck(0).collect().unwrap()),
            "pluck 1" => json!(bag.pluck(1).collect().unwrap()),
            "pluck [1,0]" => json!(bag.pluck_all([1, 0], Value::Null).collect().unwrap()),
            "map [x,x+1,x+2]; unzip 3; take column 2" => {
                json!(bag.map(|x| json!([x, int(&x) + 1, int(&x) + 2])).pluck(2).collect().unwrap())
            }
            "fold add" => json!(self.numbers().fold(0, |a, b| a + b, |a, b| a + b).unwrap()),
            "fold add initial=10 (added once per partition)" => {
                json!(self.numbers().fold(10, |a, b| a + b, |a, b| a + b).unwrap())
            }
            "fold concat initial=[]" => {
                let join = |mut a: Vec<Value>, b: Vec<Value>| {
                    a.extend(b);
                    a
                };
                let add = move |a, item: Value| join(a, item.as_array().unwrap().clone());
                json!(bag.fold(Vec::new(), add, join).unwrap())
            }
            "distinct key=a (first occurrence kept)" => json!(bag.distinct_by(|x| int(&x["a"])).collect().unwrap()),
            "frequencies" => pairs(bag.frequencies()),
            "filter x<10; frequencies" => pairs(bag.filter(|x| int(x) < 10).frequencies()),
            "filter truthy; frequencies" => pairs(bag.filter(|x| int(x) != 0).frequencies()),
            "topk 4" => json!(self.numbers().topk(4).unwrap()),
            "topk 4 key=-x" => json!(self.numbers().split_every(every).topk_by(4, |x| -x).unwrap()),
            "sum" => json!(self.numbers().split_every(every).sum().unwrap().map(|sum| sum as i64)),
            "mean" => json!(self.numbers().mean().unwrap()),
            "count" => json!(bag.count().unwrap()),
            "range(100) npartitions 10; sum" => {
                json!(Bag::range(self.session, 0..100, 10).sum().unwrap().map(|sum| sum as i64))
            }
            "filter x%2==0; sum (some partitions empty)" => {
                json!(self.numbers().filter(|x| x % 2 == 0).sum().unwrap().map(|sum| sum as i64))
            }
            "filter x%2==0; max (some partitions empty)" => json!(self.numbers().filter(|x| x % 2 == 0).max().unwrap()),
            "filter x%2==0; min (some partitions empty)" => json!(self.numbers().filter(|x| x % 2 == 0).min().unwrap()),
            "filter x%2==0; count (some partitions empty)" => {
                json!(self.numbers().filter(|x| x % 2 == 0).count().unwrap())
            }
            "join other=[1,2,3] on_self=x%2==1 on_other=x%2==0" => {
                let other = Bag::from_iter(self.session, [1i64, 2, 3], 2);
                let joined = self.numbers().join(&other, |x| x % 2 == 1, |y| y % 2 == 0);
                pairs(joined.map(|(x, y)| (y, x)))
            }
            "join other=[1,2,3] on x%2==1 (both)" => {
                let other = Bag::from_iter(self.session, [1i64, 2, 3], 2);
                pairs(self.numbers().join(&other, |x| x % 2, |y| y % 2).map(|(x, y)| (y, x)))
            }
            "foldby key=x%2==0 add" => {
                let folded = self.numbers().split_every(every).foldby(|x| x % 2 == 0, 0, |a, b| a + b, |a, b| a + b);
                pairs(folded)
            }
            "product other=[10,20,30]" => pairs(bag.product(&Bag::from_iter(self.session, [10, 20, 30], 2))),
            "groupby x" => pairs(bag.groupby(Value::clone).lists()),
            "groupby field 0" => pairs(bag.groupby(|x| x[0].clone()).lists()),
            "str.upper" => json!(self.text().map(|text| text.to_uppercase()).collect().unwrap()),
            "str.lower" => json!(self.text().map(|text| text.to_lowercase()).collect().unwrap()),
            "str.match '*Smith'" => json!(self.text().filter(|text| text.ends_with("Smith")).collect().unwrap()),
            "str.split" => {
                let words = |text: String| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
                json!(self.text().map(words).collect().unwrap())
            }
            _ => return None,
        })
    }

    fn bag_or_range(&self) -> Bag<Value> {
        match self.input {
            Value::Array(_) => self.bag(),
            _ => Bag::from_iter(self.session, [], 0),
        }
    }
}

/// Lists inside of a list, and what is unordered, in one order.
fn settled(value: &Value, unordered: bool) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| settled(item, unordered && item.is_array())).collect();
            if unordered {
                items.sort_by_key(Value::to_string);
            }
            Value::Array(items)
        }
        other => other.clone(),
    }
}

#[test]
fn cases_of_dask() {
    let Some(path) = shared("dask/bag_cases.json") else { return };
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() >= 50);
    for session in sessions() {
        for case in &cases {
            let partitions = case["npartitions"].as_u64().map_or(5, |n| n as usize);
            let ops = case["ops"].as_str().unwrap();
            let asked = Case { session: &session, input: &case["input"], partitions, ops };
            let answer = asked.answer().unwrap_or_else(|| panic!("{}: {ops} is not understood", case["id"]));
            let by_key = ["distinct", "groupby", "foldby", "frequencies"].iter().any(|word| ops.contains(word));
            let unordered = by_key || case["unordered"] == json!(true);
            let (ours, theirs) = (settled(&answer, unordered), settled(&case["expected"], unordered));
            assert_eq!(ours, theirs, "{}: {ops}", case["id"]);
        }
    }
}

#[test]
fn events_of_github() {
    #[derive(serde::Deserialize)]
    struct Event {
        r#type: String,
        actor: Actor,
        payload: Payload,
    }
    #[derive(serde::Deserialize)]
    struct Actor {
        login: String,
    }
    #[derive(serde::Deserialize)]
    struct Payload {
        #[serde(default)]
        commits: Vec<serde::de::IgnoredAny>,
    }
    let Some(path) = shared("json/gharchive/gh_1000.ndjson") else { return };
    for session in sessions() {
        for split_bytes in [5_000, 100_000, 10_000_000] {
            let options = TextOptions { split_bytes: Some(split_bytes), ..TextOptions::default() };
            let path = path.to_string_lossy();
            let events = session.read_json_lines_with::<Event>(&path, &options).unwrap();
            assert_eq!(events.count().unwrap(), 1000);
            let types = events.map(|event| event.r#type).frequencies();
            let most = types.topk_by(2, |(_, count)| *count).unwrap();
            assert_eq!(most, [("PushEvent".to_string(), 596), ("IssueCommentEvent".to_string(), 86)]);
            assert_eq!(types.count().unwrap(), 13);
            assert_eq!(events.map(|event| event.actor.login).distinct().count().unwrap(), 678);
            assert_eq!(events.map(|event| event.payload.commits.len() as u64).sum().unwrap(), Some(1086));
            let values = session.read_json_lines_with::<Value>(&path, &options).unwrap();
            let repos =
                values.map(|event| event["repo"]["name"].as_str().unwrap_or_default().to_string()).frequencies();
            let first = repos.topk_by(1, |(name, count)| (*count, Reverse(name.clone()))).unwrap();
            assert_eq!(first, [("KenanSulayman/heartbeat".to_string(), 10)]);
            let groups = values.groupby(|event| event["type"].clone()).map(|_, events| events.count() as u64);
            assert_eq!((groups.sum().unwrap(), groups.max().unwrap()), (Some(1000), Some(596)));
            let frame = values.map(|event| json!({"id": event["id"], "type": event["type"]})).to_frame().unwrap();
            let pushes = frame.filter(col("type").eq(lit("PushEvent"))).unwrap();
            assert_eq!(pushes.count().unwrap(), 596);
        }
    }
}

#[test]
fn an_access_log() {
    let Some(path) = shared("logs/elastic-examples/apache_logs_first3000.log") else { return };
    for session in sessions() {
        let options = TextOptions { split_bytes: Some(10_000), ..TextOptions::default() };
        let lines = session.read_text_with(&path.to_string_lossy(), &options).unwrap();
        assert_eq!(lines.count().unwrap(), 3000);
        assert_eq!(
            lines.map(|line| line.split(' ').next().unwrap_or_default().to_string()).distinct().count().unwrap(),
            586
        );
        let answers = lines.flat_map(|line| {
            let behind = line.split("\" ").nth(1).map(str::to_string);
            behind.and_then(|text| {
                let mut words = text.split(' ').map(str::to_string);
                Some((words.next()?, words.next()?.parse::<u64>().unwrap_or(0)))
            })
        });
        let by_status =
            answers.aggregate_by(|a| a.0.clone(), (aggregates::count(), aggregates::sum(|a: &(String, u64)| a.1)));
        let rows = by_status.sorted_by(|(_, (count, _))| Reverse(*count)).collect().unwrap();
        let counts: Vec<(&str, u64)> = rows.iter().map(|(status, (count, _))| (status.as_str(), *count)).collect();
        assert_eq!(counts, [("200", 2641), ("304", 211), ("301", 68), ("404", 58), ("206", 21), ("500", 1)]);
        assert_eq!(rows.iter().map(|(_, (_, bytes))| bytes).sum::<i128>(), 495_063_329);
    }
}

/// The records that filebeat expects are arrays over many lines; the logs that they were made of are read as logs.
#[test]
fn logs_of_filebeat_and_what_it_expects() {
    let Some(root) = shared("logs/filebeat") else { return };
    let at = |name: &str| root.join(name).to_string_lossy().into_owned();
    for session in sessions() {
        for (name, count) in [
            ("apache/access/test.log", 7),
            ("apache/access/ubuntu-2.2.22.log", 9),
            ("nginx/ingress_controller/test.log", 24),
            ("osquery/result/osquery.rootkit.log", 60),
        ] {
            let expected = session.read_json_lines::<Value>(&format!("{}-expected.json", at(name))).unwrap();
            let read = Bag::<Value>::read_log(&session, &at(name)).unwrap();
            assert_eq!((expected.count().unwrap(), read.count().unwrap()), (count, count), "{name}");
        }
        // As `jq -r '.[][\"http.response.status_code\"]' *-expected.json | sort | uniq -c` counts.
        for split_bytes in [100, 1 << 20] {
            let options = TextOptions { split_bytes: Some(split_bytes), ..TextOptions::default() };
            let all = at("apache/access/*-expected.json");
            let statuses = session.read_jq(&all, ".[\"http.response.status_code\"]", &options).unwrap();
            let counts = statuses.map(|status| status.to_string()).frequencies().sorted_by(|(_, n)| Reverse(*n));
            let told = [("404", 13), ("200", 7), ("408", 3), ("null", 2)].map(|(s, n)| (s.to_string(), n));
            assert_eq!(counts.collect().unwrap(), told);
        }
        let levels = session.read_jq(&at("*/*/*-expected.json"), ".[\"log.level\"] // empty", &TextOptions::default());
        let levels = levels.unwrap().decode::<String>().frequencies().topk_by(2, |(_, n)| *n).unwrap();
        assert_eq!(levels, [("LOG".to_string(), 392), ("Note".to_string(), 148)]);
        let names =
            session.read_jq(&at("osquery/result/osquery.rootkit.log"), ".name", &TextOptions::default()).unwrap();
        let names = names.decode::<String>().frequencies().topk_by(1, |(_, n)| *n).unwrap();
        assert_eq!(names, [("pack_osquery-monitoring_schedule".to_string(), 58)]);
    }
}

#[test]
fn collections_of_mongodb() {
    for (name, count) in
        [("books", 431), ("countries-small", 248), ("products", 11), ("restaurant", 2548), ("students", 200)]
    {
        let Some(path) = shared(&format!("json/mongodb/{name}.ndjson")) else { return };
        for session in sessions() {
            let bag = session.read_json_lines::<Value>(&path.to_string_lossy()).unwrap();
            assert_eq!(bag.count().unwrap(), count, "{name}");
            assert_eq!(bag.persist().unwrap().filter(|item| item.is_object()).count().unwrap(), count, "{name}");
        }
    }
}
