//! What goes in comes out, and equal keys have equal bytes.

use super::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

fn round<T: Item + PartialEq + fmt::Debug>(item: T) {
    let mut bytes = Vec::new();
    encode(&item, &mut bytes).unwrap();
    assert_eq!(decode::<T>(&bytes).unwrap(), item);
    let mut key = Vec::new();
    encode_key(&item, &mut key).unwrap();
    assert_eq!(decode::<T>(&key).unwrap(), item);
    for cut in 0..bytes.len() {
        assert!(decode::<T>(&bytes[..cut]).is_err(), "{item:?} cut at {cut}");
    }
}

fn key<T: Serialize>(item: T) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key(&item, &mut key).unwrap();
    key
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct Inner {
    a: i64,
    b: Option<String>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct Flat {
    id: u8,
    address: IpAddr,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
enum Tagged {
    Unit,
    One(i32),
    Two(i32, String),
    Named { x: f64, y: Vec<u8> },
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Maybe(Option<bool>),
    Text(String),
    Pair(String, i64),
    Map(Inner),
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
#[serde(tag = "type")]
enum Inside {
    A { at: u32 },
    B(Inner),
}

#[test]
fn everything_comes_back() {
    round((true, (), 'x', "text".to_string(), 1.5f32, f64::INFINITY));
    round((i64::MIN, i64::MAX, u64::MAX, i128::MIN, u128::MAX, -1i8, 0u8, 127, 128));
    round((None::<i32>, Some(3), Some(None::<i32>), Some(Some(1)), Some(())));
    round(vec![Vec::<i32>::new(), vec![1], vec![2, 3]]);
    round(HashMap::from([((1, 2), 'a'), ((3, 4), 'b')]));
    round(json!({"a": [1, -2, 2.5, null, true, "x", {"b": {}}], "": u64::MAX}));
    for item in [Tagged::Unit, Tagged::One(1), Tagged::Two(2, "b".into()), Tagged::Named { x: 0.5, y: vec![1, 2] }] {
        round(item);
    }
    let inner = Inner { a: 1, b: Some("x".into()) };
    for item in [
        Untagged::Number(-5),
        Untagged::Maybe(None),
        Untagged::Text("t".into()),
        Untagged::Pair("p".into(), 2),
        Untagged::Map(Inner { b: None, ..inner.clone() }),
    ] {
        round(item);
    }
    round(Inside::A { at: 3 });
    round(Inside::B(inner.clone()));
    let rest = BTreeMap::from([("more".to_string(), json!([1])), ("null".to_string(), Value::Null)]);
    round(Flat { id: 1, address: "10.0.0.1".parse().unwrap(), inner, rest });
    let nan: f64 = decode(&key(f64::NAN)).unwrap();
    assert!(nan.is_nan());
}

#[test]
fn equal_keys_have_equal_bytes() {
    assert_eq!(key(5u8), key(5i64));
    assert_eq!(key(0.0), key(-0.0));
    assert_eq!(key(f64::NAN), key(-f64::NAN));
    assert_ne!(key(1), key(1.0));
    assert_ne!(key(Some(0)), key(None::<i32>));
    assert_ne!(key("1"), key(1));
    assert_ne!(key(vec!["a", "bc"]), key(vec!["ab", "c"]));
    let one: HashMap<String, i32> = (0..50).map(|i| (i.to_string(), i)).collect();
    let other: HashMap<String, i32> = (0..50).rev().map(|i| (i.to_string(), i)).collect();
    assert_eq!(key(&one), key(&other), "hash maps have no order");
    assert_eq!(key(Inner { a: 1, b: None }), key(json!({"b": null, "a": 1})));
}

#[test]
fn what_does_not_fit_is_an_error_that_names_the_type() {
    let error = decode::<bool>(&key(3)).unwrap_err();
    assert!(error.to_string().contains("type bool") && error.advice().is_some(), "{error}");
    assert!(decode::<i8>(&key(300)).is_err() && decode::<(i32, i32)>(&key((1, 2, 3))).is_err());
    assert!(decode::<i32>(&[INT, 1, 1]).is_err(), "bytes that are left over");
    assert!(decode::<Value>(&[99]).is_err() && decode::<Value>(&[TEXT, 1, 0xFF]).is_err());
}
