//! The cases that Dask's own tests of bags record: the same operations on the same items give the same answers. They are
//! read from beside the repository, or from the file `DASK_CASES`.
//!
//! Deliberate differences: the order of keys is unspecified after an operation by key (Dask's is that of a Python dict), the
//! items of a group keep their order (Dask's do not), and a join puts the left item first.

use partita::prelude::*;
use serde_json::{Value, json};
use std::path::Path;

const CASES: &str = "../shared/testdata/dask/bag_cases.json";

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
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join(CASES);
    let path = std::env::var("DASK_CASES").map_or_else(|_| beside(), Into::into);
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("{CASES} is not here: skipped");
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() >= 50);
    for inline in [true, false] {
        let session = Session::builder().memory("64MiB").unwrap().threads(2).inline(inline).build().unwrap();
        for case in &cases {
            let partitions = case["npartitions"].as_u64().map_or(5, |n| n as usize);
            let ops = case["ops"].as_str().unwrap();
            let asked = Case { session: &session, input: &case["input"], partitions, ops };
            let answer = asked.answer().unwrap_or_else(|| panic!("{}: {ops} is not understood", case["id"]));
            let by_key = ["distinct", "groupby", "foldby", "frequencies"].iter().any(|word| ops.contains(word));
            // Groups are compared with their items in order where ours are; Dask's are not.
            let unordered = by_key || case["unordered"] == json!(true);
            let (ours, theirs) = (settled(&answer, unordered), settled(&case["expected"], unordered));
            assert_eq!(ours, theirs, "{}: {ops}", case["id"]);
        }
    }
}
