//! Dask's own tests of dataframes: expression trees with their input, and what pandas answers. Each operation that we have
//! is written with the frame's verbs (tests/dask/); docs/conformance.md says what is counted and what differs.
//!
//! The cases lie beside the repository, or are the file named by `CASES_FILE`; without them there is nothing to do. `CASES=Concat` runs those with this
//! operation on top and prints what differs.

use partita::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

#[path = "dask/compare.rs"]
mod compare;
#[path = "dask/data.rs"]
mod data;
#[path = "dask/eval.rs"]
mod eval;
#[path = "dask/grouped.rs"]
mod grouped;
#[path = "dask/joined.rs"]
mod joined;

use data::Stop;

const CASES: &str = "../shared/testdata/dask/expr_cases.jsonl";

/// What of the cases must be run, and what of these must agree.
const RUN: f64 = 0.60;
const AGREE: f64 = 0.97;

#[derive(Default)]
struct Tally {
    agreed: usize,
    differ: Vec<String>,
    skipped: BTreeMap<String, usize>,
}

#[test]
fn dask_expressions() {
    let path = std::env::var("CASES_FILE").unwrap_or_else(|_| CASES.into());
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("{path} is not there: nothing is compared");
        return;
    };
    let only = std::env::var("CASES").ok();
    let session = Session::builder().memory("256MiB").unwrap().threads(1).inline(true).build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (mut tally, mut cases) = (Tally::default(), 0);
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let top = data::text(&case["tree"]["op"]);
        if only.as_ref().is_some_and(|only| *only != top) {
            continue;
        }
        cases += 1;
        let eval = eval::Eval { session: &session, dir: dir.path(), frames: &case["frames"] };
        let answer = eval.node(&case["tree"]).and_then(|d| compare::compare(&d, &case["expected"], &case["check"]));
        let name = format!("{top}: {}", data::text(&case["test"]));
        match answer {
            Ok(None) => tally.agreed += 1,
            Ok(Some(difference)) => tally.differ.push(format!("{name}\n    {difference}")),
            Err(Stop::Failed(error)) => tally.differ.push(format!("{name}\n    {error}")),
            Err(Stop::Skipped(why)) => *tally.skipped.entry(why).or_default() += 1,
        }
    }
    let run = tally.agreed + tally.differ.len();
    println!("{cases} cases: {run} run, {} agree, {} differ", tally.agreed, tally.differ.len());
    if only.is_some() || std::env::var_os("SHOW").is_some() {
        tally.differ.iter().for_each(|d| println!("  {d}"));
        let mut skipped: Vec<_> = tally.skipped.into_iter().collect();
        skipped.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        skipped.iter().for_each(|(why, count)| println!("  {count} skipped: {why}"));
    }
    if only.is_none() {
        assert!(run as f64 >= RUN * cases as f64, "{run} of {cases} cases are run");
        assert!(tally.agreed as f64 >= AGREE * run as f64, "{} of {run} agree: {:#?}", tally.agreed, tally.differ);
    }
}
