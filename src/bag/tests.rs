//! Bags against slow, obvious ways to the same answers: many partitions and none, empty ones, one giant key, little memory,
//! both pools.

use super::*;
use crate::config::Tuning;
use crate::error::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Constants with which a few thousand items spill.
fn small() -> Tuning {
    Tuning {
        page_bytes: Some(4096),
        radix_bits: Some(2),
        batch_rows: 100,
        batch_bytes: 1 << 14,
        split_bytes: 1 << 12,
        merge_fan_in: 4,
        scratch_write_bytes: 4096,
        ..Tuning::default()
    }
}

fn session(memory: &str, inline: bool, tuning: Tuning) -> Session {
    Session::builder().memory(memory).unwrap().threads(2).inline(inline).tuning(tuning).build().unwrap()
}

/// With much memory, with little, on both pools, and where all hashes are equal.
fn sessions() -> Vec<Session> {
    let alike = Tuning { hash_mask: 0, ..small() };
    vec![
        session("256MiB", true, Tuning::default()),
        session("256MiB", false, Tuning::default()),
        session("5MiB", true, small()),
        session("5MiB", false, small()),
        session("5MiB", true, alike),
    ]
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n
    }
}

/// Items in partitions of random lengths, some of them empty.
fn partitions(random: &mut Random, count: usize, items: u64, keys: u64) -> Vec<Vec<(u64, String)>> {
    let mut all = vec![Vec::new(); count];
    for i in 0..items {
        let partition = if count > 2 { (random.below(count as u64) & !1) as usize } else { count.saturating_sub(1) };
        // Half of the items have the same key.
        let key = if random.below(2) == 0 { 0 } else { random.below(keys) };
        if let Some(partition) = all.get_mut(partition) {
            partition.push((key, format!("item {i} {}", "x".repeat(random.below(40) as usize))));
        }
    }
    all
}

fn bag_of(session: &Session, partitions: &[Vec<(u64, String)>]) -> Bag<(u64, String)> {
    let all = Arc::new(partitions.to_vec());
    Bag::from_fn(session, all.len(), move |partition| all[partition].clone())
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

const COUNTS: [usize; 7] = [0, 1, 2, 7, 127, 128, 129];

#[test]
fn items_and_reductions_agree_with_iterators() {
    let mut random = Random(7);
    for count in COUNTS {
        let parts = partitions(&mut random, count, 3000, 50);
        let all: Vec<(u64, String)> = parts.concat();
        for session in sessions() {
            let bag = bag_of(&session, &parts);
            assert_eq!(bag.collect().unwrap(), all);
            assert_eq!(bag.count().unwrap(), all.len() as u64);
            let keys = bag.map(|(key, _)| key);
            let sum: u64 = all.iter().map(|(key, _)| key).sum();
            assert_eq!(keys.sum().unwrap(), (!all.is_empty()).then_some(i128::from(sum)));
            assert_eq!(keys.max().unwrap(), all.iter().map(|(key, _)| *key).max());
            assert_eq!(bag.min().unwrap(), all.iter().min().cloned());
            let text = bag.fold(String::new(), |a, (_, b)| a + &b, |a, b| a + &b).unwrap();
            let texts: String = all.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(text, (!all.is_empty()).then_some(texts), "merged in order");
            assert_eq!(bag.take(10).unwrap(), all.iter().take(10).cloned().collect::<Vec<_>>());
            let mut best = all.clone();
            best.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
            best.truncate(5);
            assert_eq!(bag.topk_by(5, |(key, _)| *key).unwrap(), best, "of equal ones the first");
            let numbered: Vec<_> = (0..).zip(all.clone()).filter(|(_, (key, _))| key % 2 == 1).collect();
            assert_eq!(bag.enumerate().filter(|(_, (key, _))| key % 2 == 1).collect().unwrap(), numbered);
            assert_eq!(bag.coalesce(3).collect().unwrap(), all);
            assert_eq!(bag.concat(&bag).count().unwrap(), 2 * all.len() as u64);
            assert_eq!(bag.zip(&keys.coalesce(2)).filter(|((a, _), b)| a != b).count().unwrap(), 0);
        }
    }
}

#[test]
fn keyed_bags_agree_with_maps() {
    let mut random = Random(11);
    for count in COUNTS {
        let parts = partitions(&mut random, count, 3000, 400);
        let all: Vec<(u64, String)> = parts.concat();
        let mut groups: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        all.iter().for_each(|(key, text)| groups.entry(*key).or_default().push(text.clone()));
        for session in sessions() {
            let bag = bag_of(&session, &parts);
            let lists = bag.groupby(|(key, _)| *key).map(|key, items| (key, items.map(|(_, text)| text).collect()));
            let expected: Vec<(u64, Vec<String>)> = groups.clone().into_iter().collect();
            assert_eq!(sorted(lists.collect().unwrap()), expected, "groups in the bag's order");
            let folded = bag.foldby(|(key, _)| *key, String::new(), |a, (_, b)| a + &b, |a, b| a + &b);
            let expected: Vec<(u64, String)> = groups.iter().map(|(key, texts)| (*key, texts.concat())).collect();
            assert_eq!(sorted(folded.collect().unwrap()), expected, "folded in the bag's order");
            let expected: Vec<(u64, u64)> = groups.iter().map(|(key, texts)| (*key, texts.len() as u64)).collect();
            assert_eq!(sorted(bag.map(|(key, _)| key).frequencies().collect().unwrap()), expected);
            let firsts: Vec<(u64, String)> = groups.iter().map(|(key, texts)| (*key, texts[0].clone())).collect();
            assert_eq!(sorted(bag.distinct_by(|(key, _)| *key).collect().unwrap()), firsts);
            let mut ordered = all.clone();
            ordered.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
            assert_eq!(bag.sorted_by(|(key, _)| std::cmp::Reverse(*key)).collect().unwrap(), ordered, "ties in order");
            let persisted = bag.persist().unwrap();
            assert_eq!(persisted.collect().unwrap(), all);
            let fives = persisted.repartition(5);
            assert_eq!(fives.collect().unwrap(), all);
            let sizes = fives.map_partitions(|items| [items.count()]).collect().unwrap();
            assert!(sizes.len() == 5 && sizes.iter().all(|n| n.abs_diff(all.len() / 5) <= 1), "{sizes:?}");
        }
    }
}

#[test]
fn joins_agree_with_nested_loops() {
    let mut random = Random(13);
    for count in [0, 1, 2, 7, 128] {
        let (left, right) = (partitions(&mut random, count, 150, 60), partitions(&mut random, 3, 120, 90));
        let (ls, rs) = (left.concat(), right.concat());
        let met = |l: &(u64, String)| rs.iter().any(|r| r.0 == l.0);
        for session in sessions() {
            let (a, b) = (bag_of(&session, &left), bag_of(&session, &right));
            let pairs =
                ls.iter().flat_map(|l| rs.iter().filter(move |r| r.0 == l.0).map(move |r| (l.clone(), r.clone())));
            let pairs: Vec<_> = sorted(pairs.collect());
            assert_eq!(sorted(a.join(&b, |l| l.0, |r| r.0).collect().unwrap()), pairs);
            let some: Vec<_> = pairs.iter().map(|(l, r)| (l.clone(), Some(r.clone()))).collect();
            let alone = ls.iter().filter(|l| !met(l)).map(|l| (l.clone(), None));
            let lefts = sorted(some.into_iter().chain(alone).collect());
            assert_eq!(sorted(a.left_join(&b, |l| l.0, |r| r.0).collect().unwrap()), lefts);
            let both = lefts.iter().map(|(l, r)| (Some(l.clone()), r.clone()));
            let others = rs.iter().filter(|r| !ls.iter().any(|l| l.0 == r.0)).map(|r| (None, Some(r.clone())));
            let outer = sorted(both.chain(others).collect());
            assert_eq!(sorted(a.outer_join(&b, |l| l.0, |r| r.0).collect().unwrap()), outer);
            let semi = sorted(ls.iter().filter(|l| met(l)).cloned().collect());
            assert_eq!(sorted(a.semi_join(&b, |l| l.0, |r| r.0).collect().unwrap()), semi);
            let anti = sorted(ls.iter().filter(|l| !met(l)).cloned().collect());
            assert_eq!(sorted(a.anti_join(&b, |l| l.0, |r| r.0).collect().unwrap()), anti);
            assert_eq!(a.product(&b).count().unwrap(), (ls.len() * rs.len()) as u64);
        }
    }
}

#[test]
fn what_does_not_fit_goes_to_scratch() {
    let session = session("4MiB", true, small());
    let numbers = Bag::range(&session, 0..60_000, 20).map(|n| (n % 30_000, format!("{n:0>60}")));
    let spilled = |before: u64| session.stats().scratch_written - before;
    for step in ["groupby", "foldby", "aggregate_by", "join", "sort", "persist"] {
        let before = session.stats().scratch_written;
        match step {
            "groupby" => {
                let sizes = numbers.groupby(|n| n.0).map(|_, items| items.count());
                assert_eq!(sizes.filter(|n| *n == 2).count().unwrap(), 30_000);
            }
            "foldby" => {
                let folded = numbers.foldby(|n| n.0, 0u64, |a, _| a + 1, |a, b| a + b);
                assert_eq!(folded.filter(|n| n.1 == 2).count().unwrap(), 30_000);
            }
            "aggregate_by" => {
                let last = aggregates::max(|n: &(i64, String)| n.1.clone());
                let both = numbers.aggregate_by(|n| n.0, (aggregates::count(), last));
                assert_eq!(both.filter(|(_, (n, _))| *n == 2).count().unwrap(), 30_000);
            }
            "join" => assert_eq!(numbers.join(&numbers, |l| l.0, |r| r.0).count().unwrap(), 120_000),
            "sort" => {
                let sorted = numbers.sorted_by(|n| (n.0, n.1.clone())).map(|n| n.1);
                assert_eq!(sorted.take(2).unwrap(), [format!("{:0>60}", 0), format!("{:0>60}", 30_000)]);
            }
            _ => assert_eq!(numbers.persist().unwrap().count().unwrap(), 60_000),
        }
        assert!(spilled(before) > 100_000, "{step} wrote {}", spilled(before));
    }
}

#[test]
fn one_giant_group_streams() {
    let session = session("4MiB", true, small());
    let numbers = Bag::range(&session, 0..100_000, 9).map(|n| format!("{n:0>80}"));
    let groups = numbers.groupby(|_| ()).map(|(), items| {
        let mut last = String::new();
        items.fold((0u64, true), |(count, ordered), item| {
            let ordered = ordered && last < item;
            last = item;
            (count + 1, ordered)
        })
    });
    assert_eq!(groups.collect().unwrap(), [(100_000, true)], "8 MB in a budget of 4 MiB, in order");
    let first = numbers.groupby(|n| n.len()).map(|len, items| (len, items.next()));
    assert_eq!(first.collect().unwrap(), [(80, Some(format!("{:0>80}", 0)))], "what is not read is skipped");
}

#[test]
fn take_opens_no_more_partitions_than_it_needs() {
    for session in sessions() {
        let opened = Arc::new(AtomicUsize::new(0));
        let seen = opened.clone();
        let bag = Bag::from_fn(&session, 1000, move |partition| {
            seen.fetch_add(1, Relaxed);
            vec![partition; partition % 2]
        });
        assert_eq!(bag.take(3).unwrap(), [1, 3, 5]);
        assert!(opened.load(Relaxed) <= 7, "{} of 1000", opened.load(Relaxed));
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_run_and_a_slow_one_is_waited_for() {
    for session in sessions() {
        let made = Arc::new(AtomicUsize::new(0));
        let seen = made.clone();
        let endless = Bag::from_fn(&session, 3, |_| 0u64..).inspect_count(seen);
        let firsts: Vec<u64> = endless.iter().unwrap().take(2000).map(|n| n.unwrap()).collect();
        assert_eq!(firsts, (0..2000).collect::<Vec<_>>());
        assert!(made.load(Relaxed) < 50_000, "{} items were made for 2000", made.load(Relaxed));
    }
}

impl<T: Send + 'static> Bag<T> {
    fn inspect_count(&self, made: Arc<AtomicUsize>) -> Bag<T> {
        self.map(move |item| {
            made.fetch_add(1, Relaxed);
            item
        })
    }
}

#[test]
fn a_panicking_function_is_an_error_that_names_the_item() {
    for session in sessions() {
        let bag = Bag::range(&session, 0..100, 4).map(|n| if n == 60 { panic!("on purpose") } else { n });
        for error in [
            bag.count().unwrap_err(),
            bag.collect().unwrap_err(),
            bag.take(100).unwrap_err(),
            bag.frequencies().count().unwrap_err(),
            bag.sorted_by(|n| *n).count().unwrap_err(),
            bag.map_partitions(|items| items.step_by(2)).count().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Internal);
            let text = error.to_string();
            assert!(text.contains("item 11 of partition 2") && text.contains("on purpose"), "{text}");
        }
        let merged = Bag::range(&session, 0..100, 4).fold(0, |a, b| a + b, |_, _| panic!("in a merge"));
        assert!(merged.unwrap_err().to_string().contains("in a merge"));
    }
}

#[test]
fn endless_filters_are_cancelled() {
    for inline in [true, false] {
        let session = session("64MiB", inline, Tuning::default());
        let canceller = session.clone();
        let stop = move |n: &i64| {
            if *n == 100_000 {
                canceller.cancel_all();
            }
            false
        };
        let error = Bag::range(&session, 0..i64::MAX, 1).filter(stop).count().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn hashes_are_the_same_in_every_version() {
    let tuning = Tuning::default();
    let mut key = Vec::new();
    coding::encode_key(&("a", 1), &mut key).unwrap();
    assert_eq!(key, [9, 6, 1, b'a', 3, 1, 11]);
    assert_eq!(super::hash::hash(&key, &tuning), 7_767_902_627_037_430_864);
}

#[test]
fn quantiles_and_histograms() {
    let mut random = Random(17);
    let mut numbers: Vec<f64> = (0..999).map(|_| random.below(1_000_000) as f64 / 7.0).collect();
    let session = session("4MiB", true, small());
    let bag = Bag::from_iter(&session, numbers.clone(), 9);
    let histogram = bag.histogram(&[0.0, 1e4, 5e4, 2e5]).unwrap();
    numbers.sort_by(f64::total_cmp);
    let between = |a: f64, b: f64| numbers.iter().filter(|x| **x >= a && **x < b).count() as u64;
    assert_eq!(histogram.counts, [between(0.0, 1e4), between(1e4, 5e4), between(5e4, 2e5)]);
    for q in [0.0, 0.25, 0.5, 0.999, 1.0] {
        let at: f64 = q * 998.0;
        let (low, high) = (numbers[at.floor() as usize], numbers[at.ceil() as usize]);
        let expected = low + (high - low) * at.fract();
        assert_eq!(bag.quantile(q).unwrap(), Some(expected), "{q}");
    }
    assert!(bag.quantile(1.1).is_err() && bag.histogram(&[1.0]).is_err());
}

#[test]
fn samples_are_fair_and_the_same_for_a_seed() {
    let session = session("64MiB", true, Tuning::default());
    let bag = Bag::range(&session, 0..10, 3);
    let (mut chosen, mut drawn) = ([0u32; 10], [0u32; 10]);
    for seed in 0..3000 {
        let sample = bag.sample(3, seed).unwrap();
        assert_eq!(sorted(sample.clone()).windows(2).filter(|w| w[0] == w[1]).count(), 0, "{sample:?}");
        sample.into_iter().for_each(|n| chosen[n as usize] += 1);
        bag.choices(3, seed).unwrap().into_iter().for_each(|n| drawn[n as usize] += 1);
    }
    // 9000 draws, 900 for each of ten: four standard deviations are 120.
    for counts in [chosen, drawn] {
        assert!(counts.iter().all(|n| n.abs_diff(900) < 120), "{counts:?}");
    }
    assert_eq!(bag.sample(4, 1).unwrap(), bag.sample(4, 1).unwrap());
}

/// Files with these contents, in a directory of their own.
fn files(contents: &[(&str, &[u8])]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in contents {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let path = dir.path().to_string_lossy().into_owned();
    (dir, path)
}

#[test]
fn lines_are_the_same_wherever_files_are_cut() {
    let mut random = Random(19);
    let mut text = String::from("\u{FEFF}");
    let mut lines = Vec::new();
    for i in 0..200 {
        let line = format!("{i}{}", "é".repeat(random.below(30) as usize));
        text.push_str(&line);
        text.push_str(if random.below(3) == 0 { "\r\n" } else { "\n" });
        lines.push(line);
    }
    text.push_str("\n\nlast");
    lines.extend(["", "", "last"].map(String::from));
    let (_dir, path) = files(&[("a.txt", text.as_bytes()), ("b.txt", b""), ("c.txt", b"\n"), ("d.txt", b"x")]);
    lines.extend(["", "x"].map(String::from));
    let session = session("64MiB", true, Tuning::default());
    for split_bytes in (1..60).chain([1000, 1 << 20]) {
        let options = TextOptions { split_bytes: Some(split_bytes), ..TextOptions::default() };
        let bag = session.read_text_with(&format!("{path}/*.txt"), &options).unwrap();
        assert_eq!(bag.collect().unwrap(), lines, "pieces of {split_bytes} bytes");
    }
    let options = TextOptions { files_per_partition: Some(3), ..TextOptions::default() };
    let bag = session.read_text_with(&path, &options).unwrap();
    assert_eq!(bag.collect().unwrap(), lines);
    assert_eq!(bag.map_partitions(|items| [items.count()]).count().unwrap(), 2);
}

#[test]
fn long_delimiters_are_found_across_cuts() {
    let (_dir, path) = files(&[("a.txt", b"one<>two<><>three<four>five<>")]);
    let session = session("64MiB", true, Tuning::default());
    for split_bytes in 1..40 {
        let options =
            TextOptions { split_bytes: Some(split_bytes), delimiter: Some(b"<>".to_vec()), ..TextOptions::default() };
        let lines = session.read_text_with(&path, &options).unwrap().collect().unwrap();
        assert_eq!(lines, ["one", "two", "", "three<four>five"], "{split_bytes}");
    }
    for wrong in [&b""[..], b"aba"] {
        let options = TextOptions { delimiter: Some(wrong.to_vec()), ..TextOptions::default() };
        assert_eq!(session.read_text_with(&path, &options).unwrap_err().kind(), ErrorKind::Usage);
    }
}

#[test]
fn bad_lines_are_told_with_their_place() {
    let text = b"{\"n\": 1}\n\n{\"n\": 2\n{\"n\": \"x\"}\n{\"n\": 3}\n\xFF\n{\"n\": 4}\n";
    let (_dir, path) = files(&[("a.jsonl", text)]);
    #[derive(serde::Deserialize)]
    struct Record {
        n: i64,
    }
    for split_bytes in [1, 7, 1000] {
        let session = session("64MiB", true, Tuning::default());
        let options = TextOptions { split_bytes: Some(split_bytes), ..TextOptions::default() };
        let bag = session.read_json_lines_with::<Record>(&path, &options).unwrap().map(|record| record.n);
        let error = bag.count().unwrap_err();
        let place = error.place();
        assert_eq!((error.kind(), place.line, place.byte), (ErrorKind::Data, Some(3), Some(16)), "{error}");
        assert!(place.file.as_deref().is_some_and(|f| f.ends_with("a.jsonl")) && place.text.is_some());
        let bad = BadItems::reject();
        assert_eq!(bag.on_error(&bad).sum().unwrap(), Some(8));
        let rejects = bad.rejects();
        let mut lines: Vec<_> = rejects.iter().map(|r| (r.place.line, r.place.column.clone())).collect();
        lines.sort();
        let column = |n: u64| Some(n.to_string());
        assert_eq!(lines, [(Some(3), column(7)), (Some(4), column(9)), (Some(6), column(1))], "{rejects:?}");
        assert!(rejects.iter().any(|r| r.reason.contains("expected i64")), "{rejects:?}");
        let (skipped, told) = (BadItems::skip(), Arc::new(AtomicUsize::new(0)));
        let seen = told.clone();
        let each = BadItems::each(move |_| {
            seen.fetch_add(1, Relaxed);
        });
        assert_eq!(bag.on_error(&skipped).count().unwrap() + bag.on_error(&each).count().unwrap(), 6);
        assert_eq!((skipped.count(), skipped.rejects().len(), told.load(Relaxed)), (3, 0, 3));
        let text = session.read_text(&path).unwrap();
        let error = text.count().unwrap_err();
        assert!(error.to_string().contains("not UTF-8") && error.place().line == Some(6), "{error}");
        let options = TextOptions { invalid_utf8: InvalidUtf8::Replace, ..TextOptions::default() };
        assert_eq!(session.read_text_with(&path, &options).unwrap().count().unwrap(), 7);
        assert_eq!(session.read_lines(&path, &TextOptions::default()).unwrap().max().unwrap(), Some(vec![0xFF]));
    }
}

#[test]
fn a_panic_names_the_file_and_the_line() {
    let (_dir, path) = files(&[("a.txt", b"1\n2\n"), ("b.txt", b"3\nx\n")]);
    let session = session("64MiB", true, Tuning::default());
    let numbers = session.read_text(&path).unwrap().map(|line| line.parse::<i64>().unwrap());
    let error = numbers.sum().unwrap_err().to_string();
    assert!(error.contains("b.txt, line 2, byte 2") && error.contains("panicked"), "{error}");
}

#[test]
fn torn_files_are_refused() {
    let mut packed = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::new(6));
    std::io::Write::write_all(&mut encoder, &b"line\n".repeat(1000)).unwrap();
    encoder.finish().unwrap();
    let torn = &packed[..packed.len() - 9];
    let (_dir, path) = files(&[("b.txt.gz", &packed), ("c.txt.gz", torn)]);
    let session = session("64MiB", true, Tuning::default());
    assert_eq!(session.read_text(&format!("{path}/b.txt.gz")).unwrap().count().unwrap(), 1000);
    let error: Error = session.read_text(&format!("{path}/c.txt.gz")).unwrap().count().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(session.read_text(&format!("{path}/no*")).is_err());
}

#[test]
fn failed_writes_leave_nothing() {
    let (dir, path) = files(&[]);
    for session in sessions() {
        let bag = Bag::range(&session, 0..100, 10).map(|n| if n == 95 { panic!("no") } else { n.to_string() });
        assert!(bag.to_text_files(&format!("{path}/*.txt")).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let same = Bag::range(&session, 0..10, 2).map(|n| n.to_string());
        assert!(same.to_text_files_named(|_| "/nowhere/at/all".into()).is_err());
        let one = dir.path().join("one.txt").to_string_lossy().into_owned();
        let error = same.to_text_files_named(move |_| one.clone()).unwrap_err();
        assert!(error.to_string().contains("two partitions are named"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let written = same.to_json_lines(&format!("{path}/x/*.jsonl"));
        assert!(written.is_err(), "a directory that is not there");
    }
}

#[test]
fn zips_of_different_lengths_are_errors() {
    for session in sessions() {
        for (a, b) in [(4, 6), (6, 4), (0, 1), (1, 0)] {
            let zipped = Bag::range(&session, 0..a, 2).zip(&Bag::range(&session, 0..b, 2));
            assert_eq!(zipped.count().unwrap_err().kind(), ErrorKind::Query);
        }
        let even = Bag::range(&session, 0..100, 2).zip(&Bag::range(&session, 0..100, 7));
        assert_eq!(even.filter(|(a, b)| a == b).count().unwrap(), 100);
    }
}

#[test]
fn frames_and_bags_become_each_other() {
    use serde_json::{Value, json};
    let mut random = Random(23);
    let record = |i: u64, random: &mut Random| match i % 4 {
        0 => json!({"id": i, "name": format!("n{i}")}),
        1 => json!({"id": i, "score": random.below(100) as f64 / 8.0, "tags": ["a", "b"]}),
        2 => json!({"id": i, "score": null, "in": {"x": i, "y": {"z": [1]}}}),
        _ => json!({"id": i, "tags": [], "in": {"x": -1}, "late": true}),
    };
    let records: Vec<Value> = (0..2000).map(|i| record(i, &mut random)).collect();
    for session in sessions() {
        for partitions in [1, 2, 129] {
            let bag = Bag::from_iter(&session, records.clone(), partitions);
            let frame = bag.to_frame().unwrap();
            let names: Vec<String> = frame.schema().unwrap().fields().iter().map(|f| f.name().clone()).collect();
            assert_eq!(names, ["id", "name", "score", "tags", "in", "late"], "as they first appear");
            // What a row does not have is null, and comes back as such.
            let back = frame.to_bag::<Value>().map(|row| without_nulls(&row)).collect().unwrap();
            let expected: Vec<Value> = records.iter().map(without_nulls).collect();
            assert_eq!(back, expected);
            session.register(&format!("records{partitions}"), &frame).unwrap();
            let sql = format!("SELECT id % 10 AS k, count(*) AS n FROM records{partitions} WHERE late GROUP BY k");
            let counts = session.sql(&sql).unwrap().to_bag::<(BTreeMap<String, i64>,)>();
            assert!(counts.count().unwrap_err().to_string().contains("does not fit"), "a row is no tuple");
            let counts = session.sql(&sql).unwrap().to_bag::<BTreeMap<String, i64>>();
            assert_eq!(counts.map(|row| row["n"]).sum().unwrap(), Some(500));
        }
        let none = Bag::from_iter(&session, Vec::<Value>::new(), 3).to_frame().unwrap();
        assert_eq!((none.count().unwrap(), none.to_bag::<Value>().count().unwrap()), (0, 0));
        let numbers = Bag::range(&session, 0..3, 1).to_frame();
        assert!(numbers.is_err_and(|e| e.to_string().contains("no JSON object")));
    }
}

#[test]
fn lines_of_items_rest_in_pieces_and_make_the_columns_of_all() {
    use crate::bag::Json;
    use serde_json::{Value, json};
    // JSON as it stands in files: line ends between values, keys in any order, values of several types, null, late keys.
    let texts: Vec<String> = (0..500)
        .map(|n| match n % 5 {
            0 => format!("{{\"a\":\n {n},\n \"b\": \"x\\ny\"}}"),
            1 => format!("{{ \"b\" : {n} , \"a\":null }}"),
            2 => format!("{{\"\\u0061\":{n}.5}}"),
            3 => "{}".to_string(),
            _ => format!("{{\"c\":[{{\"d\":{n}}}]}}"),
        })
        .collect();
    for session in sessions() {
        for partitions in [1, 3, 128] {
            let items: Vec<Json> = texts.iter().map(|text| text.parse().unwrap()).collect();
            let frame = Bag::from_iter(&session, items, partitions).to_frame().unwrap();
            assert_eq!(frame.count().unwrap(), 500);
            let rows: Vec<Value> = frame.to_bag::<Value>().map(|row| without_nulls(&row)).collect().unwrap();
            let row = |n: i64| match n % 5 {
                // Values that have nothing in common are the text of their JSON.
                0 => json!({"a": n as f64, "b": "\"x\\ny\""}),
                1 => json!({"b": n.to_string()}),
                2 => json!({"a": n as f64 + 0.5}),
                3 => json!({}),
                _ => json!({"c": [{"d": n}]}),
            };
            assert_eq!(rows, (0..500).map(row).collect::<Vec<_>>());
            session.register(&format!("mixed{partitions}"), &frame).unwrap();
            let sums = session.sql(&format!("SELECT sum(a) AS s FROM mixed{partitions}")).unwrap();
            let sums = sums.to_bag::<Value>().collect().unwrap();
            let expected: f64 =
                (0..500).map(|n| [f64::from(n), 0.0, f64::from(n) + 0.5, 0.0, 0.0][n as usize % 5]).sum();
            assert_eq!(sums, [json!({"s": expected})]);
        }
    }
}

#[test]
fn errors_of_memory_are_not_an_items() {
    let session = Session::builder().memory("64MiB").unwrap().build().unwrap();
    let bad = BadItems::skip();
    let numbers = Bag::range(&session, 0..9, 2);
    let full = numbers.try_map(|n| if n == 7 { Err(Error::resources("full")) } else { Ok(n) }).on_error(&bad);
    assert_eq!(full.count().unwrap_err().kind(), ErrorKind::Resources);
    let wrong = numbers.try_map(|n| if n == 7 { Err(Error::data("wrong")) } else { Ok(n) }).on_error(&bad);
    assert_eq!((wrong.count().unwrap(), format!("{bad:?}").as_str()), (8, "1 bad item"));
}

/// The value without fields that are null.
fn without_nulls(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            serde_json::Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn a_fold_that_minds_the_order_begins_few_values() {
    let session = session("64MiB", true, Tuning::default());
    let merges = Arc::new(AtomicUsize::new(0));
    let seen = merges.clone();
    let merge = move |a: Vec<i64>, b: Vec<i64>| {
        seen.fetch_add(1, Relaxed);
        [a, b].concat()
    };
    let append = |mut list: Vec<i64>, n: i64| {
        list.push(n);
        list
    };
    let numbers = Bag::range(&session, 0..4000, 100);
    let lists = sorted(numbers.foldby(|n| n % 10, Vec::new(), append, merge).collect().unwrap());
    let expected: Vec<_> = (0..10).map(|key| (key, (0..400).map(|i| key + 10 * i).collect::<Vec<_>>())).collect();
    assert_eq!(lists, expected);
    // Two threads, two runs each.
    assert_eq!(merges.load(Relaxed), 10 * 3);
}

#[test]
fn a_table_that_grew_gives_memory_back() {
    // One fold after the other: what the first one's table took beyond its floor is free for the sort of the second one.
    for inline in [true, false] {
        let session = session("8MiB", inline, Tuning { batch_rows: 256, ..small() });
        let numbers = Bag::range(&session, 0..40_000, 16).map(|n| format!("{:0>40}", n % 20_000));
        let counted = numbers.frequencies().map(|(text, n)| (text.len() as u64 + n, text));
        let again = counted.foldby(|(_, text)| text.clone(), 0, |all, (n, _)| all + n, |a, b| a + b);
        assert_eq!(again.filter(|(_, n)| *n == 42).count().unwrap(), 20_000);
    }
}

#[test]
fn steps_by_key_follow_each_other_in_one_run() {
    for session in sessions() {
        let numbers = Bag::range(&session, 0..20_000, 16);
        let groups = numbers.groupby(|n| n % 5000).map(|key, items| (key, items.sum::<i64>()));
        let folded = groups.foldby(|(key, _)| key % 700, 0i64, |a, (_, sum)| a + sum, |a, b| a + b);
        let joined = folded.join(&groups, |(key, _)| *key, |(key, _)| *key);
        let sorted =
            joined.sorted_by(|((key, _), _)| std::cmp::Reverse(*key)).map(|((key, all), (_, one))| (key, all, one));
        let both = sorted.concat(&sorted.distinct_by(|(key, ..)| key % 7));
        let rows = both.collect().unwrap();
        assert_eq!(rows.len(), 707);
        let sum_of = |key: i64| (0..4).map(|i| key + 5000 * i).sum::<i64>();
        let all_of = |key: i64| (0..8).map(|i| key + 700 * i).filter(|k| *k < 5000).map(sum_of).sum::<i64>();
        let expected: Vec<_> = (0..700).rev().map(|key| (key, all_of(key), sum_of(key))).collect();
        assert_eq!(rows[..700], expected);
        let zipped = sorted.zip(&numbers.coalesce(3).sorted_by(|n| *n).filter(|n| *n < 700));
        assert!(zipped.all(|((key, ..), n)| key + n == 699).unwrap());
        let product = numbers.filter(|n| *n < 30).product(&groups.filter(|(key, _)| *key < 40));
        assert_eq!(product.distinct().count().unwrap(), 1200);
    }
}

#[test]
fn functions_may_run_bags_of_the_same_session() {
    for inline in [true, false] {
        let session = session("64MiB", inline, Tuning::default());
        let inner = session.clone();
        let sums = Bag::range(&session, 0..8, 4).map(move |n| Bag::range(&inner, 0..n, 3).count().unwrap());
        assert_eq!(sums.collect().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}

#[test]
fn json_items_pass_through_jq_rest_and_travel_by_key() {
    for session in sessions() {
        for partitions in [0, 1, 2, 129] {
            let items = Bag::range(&session, 0..5000, partitions.max(1)).filter(move |n| partitions > 0 || *n < 0);
            // Natively, and by jaq.
            let native = items.jq("{n: ., text: \"item \\(. % 7)\", digits: 1.10}").unwrap();
            let slow = items.jq(". as $n | {n: $n, text: \"item \\($n % 7)\", digits: 1.10}").unwrap();
            assert_eq!(native.collect().unwrap(), slow.collect().unwrap());
            let counts =
                native.jq(".text").unwrap().frequencies().map(|(text, n)| (text.decode::<String>().unwrap(), n));
            let expected: Vec<(String, u64)> = (0..7)
                .map(|k| (format!("item {k}"), (0..5000).filter(|n| partitions > 0 && n % 7 == k).count() as u64))
                .filter(|(_, n)| *n > 0)
                .collect();
            assert_eq!(sorted(counts.collect().unwrap()), expected);
            let rested = native.persist().unwrap();
            assert_eq!(rested.collect().unwrap(), native.collect().unwrap(), "texts rest as they are");
            let last = native.groupby(|item| item.decode::<serde_json::Value>().unwrap()["n"].as_i64().unwrap() % 2);
            let last = sorted(last.map(|key, items| (key, items.last().map(|i| i.to_string()))).collect().unwrap());
            assert_eq!(last.len(), if partitions > 0 { 2 } else { 0 });
            assert!(last.iter().all(|(_, item)| item.as_ref().unwrap().ends_with("\"digits\":1.10}")));
        }
    }
}

#[test]
fn programs_that_fail_are_bad_items_and_endless_ones_end_the_run() {
    let session = session("64MiB", false, Tuning::default());
    let numbers = Bag::range(&session, 0..100, 4);
    let program = "if . == 57 then error(\"no\") else (., .) end";
    let error = numbers.jq(program).unwrap().count().unwrap_err();
    assert!(error.kind() == ErrorKind::Data && error.message() == "jq: no", "{error}");
    let bad = BadItems::reject();
    assert_eq!(numbers.jq(program).unwrap().on_error(&bad).count().unwrap(), 198);
    assert_eq!((bad.count(), bad.rejects()[0].reason.as_str()), (1, "jq: no"));
    for program in ["def f: f; f", "range(1e18)", "[range(1e9)]", "def f: [f]; f"] {
        let error = numbers.jq(program).unwrap().on_error(&bad).count().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Resources, "{program}: {error}");
    }
    assert_eq!(numbers.count().unwrap(), 100, "the session goes on");
}
