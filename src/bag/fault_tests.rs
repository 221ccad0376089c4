//! Bags under faults: whichever operation of the disk breaks and whichever memory is refused, the answer is right or the
//! error is clear, and nothing is left.

use super::*;
use crate::frame::faulted::{Case, break_everywhere};
use std::fmt::Debug;

/// How many places of each fault are tried.
const PLACES: u64 = 10;

fn items(session: &Session) -> Bag<(u64, String)> {
    Bag::range(session, 0..1200, 9).map(|n| {
        let n = n as u64;
        (if n.is_multiple_of(3) { 0 } else { n * 7919 % 400 }, format!("item number {n:0>40}"))
    })
}

fn lines<T: Debug + Ord>(items: Result<Vec<T>>) -> Result<Vec<String>> {
    let mut items = items?;
    items.sort();
    Ok(items.iter().map(|item| format!("{item:?}")).collect())
}

fn check(cases: Vec<Case>) {
    let count = cases.len() as u64;
    let met = break_everywhere(cases, PLACES, true, &|_| Ok(()));
    assert!(met.starved.is_empty(), "{:#?}", met.starved);
    assert!(met.faults >= count * PLACES * 3 && met.answers < met.faults, "{met:?}");
}

#[test]
fn groups_and_folds() {
    check(vec![
        Case::of("groupby", |session| {
            lines(
                items(session)
                    .groupby(|i| i.0)
                    .map(|key, items| (key, items.map(|i| i.1.len()).sum::<usize>()))
                    .collect(),
            )
        }),
        Case::of("foldby", |session| {
            let add = |all: String, item: (u64, String)| if all > item.1 { all } else { item.1 };
            let join = |a: String, b: String| if a > b { a } else { b };
            lines(items(session).foldby(|i| i.0, String::new(), add, join).collect())
        }),
        Case::of("distinct", |session| lines(items(session).map(|i| i.1).distinct().collect())),
        Case::of("frequencies", |session| lines(items(session).map(|i| i.1).frequencies().collect())),
    ]);
}

#[test]
fn joins_sorts_and_stored_bags() {
    check(vec![
        Case::of("join", |session| {
            let (left, right) = (items(session), items(session).filter(|i| i.0 > 100));
            lines(left.join(&right, |l| l.0, |r| r.0).map(|(l, r)| (l.1, r.1)).collect())
        }),
        Case::of("outer join", |session| {
            let (left, right) = (items(session).filter(|i| i.0 > 0), items(session).filter(|i| i.0 > 100));
            lines(left.outer_join(&right, |l| l.1.clone(), |r| r.1.clone()).collect())
        }),
        Case::of("sort", |session| {
            let sorted = items(session).sorted_by(|i| (i.1.len(), i.0, i.1.clone())).collect()?;
            Ok(sorted.iter().map(|item| format!("{item:?}")).collect())
        }),
        Case::of("persist", |session| {
            let kept = items(session).persist()?;
            lines(kept.filter(|i| i.0 < 200).collect())
        }),
    ]);
}
