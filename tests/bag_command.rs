//! `partita bag` from outside: verbs, exit codes, pipes, and counts of real files that agree with counting by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn partita() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn bag(arguments: &[&str]) -> Output {
    partita().arg("bag").args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What it prints, where it succeeds.
fn printed(arguments: &[&str]) -> String {
    let output = bag(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(arguments: &[&str]) -> Vec<String> {
    printed(arguments).lines().map(str::to_string).collect()
}

/// Its exit code and what it says.
fn failed(arguments: &[&str]) -> (i32, String) {
    let output = bag(arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let a = "{\"k\":\"x\",\"n\":1}\n{\"k\":\"y\",\"n\":2.5}\n\n{\"k\":\"x\",\"n\":10}\n{\"n\":null}\n";
    std::fs::write(dir.path().join("a.jsonl"), a).unwrap();
    std::fs::write(dir.path().join("b.jsonl"), "{\"k\":\"x\",\"m\":1}\n{\"k\":\"z\",\"m\":2}\n").unwrap();
    dir
}

#[test]
fn every_verb_does_what_it_says() {
    let dir = dir();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let (a, b) = (at("a.jsonl"), at("b.jsonl"));
    let sorted = |arguments: &[&str]| {
        let mut all = lines(arguments);
        all.sort();
        all
    };
    assert_eq!(lines(&[&a, "jq", "-c", "[.k, .n]"]), ["[\"x\",1]", "[\"y\",2.5]", "[\"x\",10]", "[null,null]"]);
    assert_eq!(lines(&[&a, "jq", "-r", ".k"]), ["x", "y", "x", "null"]);
    assert_eq!(
        printed(&[&a, "jq", "{a: [.n]}", "then", "take", "1", "then", "jq", "."]),
        "{\n  \"a\": [\n    1\n  ]\n}\n"
    );
    assert_eq!(
        lines(&[&a, "jq", "-c", "--arg", "v", "x", "--argjson", "w", "[2]", "[$v, $w[0]]", "then", "take", "1"]),
        ["[\"x\",2]"]
    );
    assert_eq!(lines(&[&a, "filter", ".n >= 2.5 or .k == null", "then", "count"]), ["3"]);
    assert_eq!(lines(&[&a, "pluck", ".k"]), ["\"x\"", "\"y\"", "\"x\"", "null"]);
    assert_eq!(lines(&[&a, "pluck", ".k", "--default", "0", "then", "take", "4"])[3], "0");
    assert_eq!(lines(&[&a, "pluck", "[.n, .n]", "then", "flatten", "then", "count"]), ["8"]);
    assert_eq!(
        sorted(&[&a, "frequencies", ".k"]),
        ["{\"item\":\"x\",\"count\":2}", "{\"item\":\"y\",\"count\":1}", "{\"item\":null,\"count\":1}"]
    );
    assert_eq!(lines(&[&a, "topk", "2", ".n", "then", "pluck", ".n"]), ["10", "2.5"]);
    assert_eq!(sorted(&[&a, "distinct", ".k", "then", "pluck", ".n"]), ["1", "2.5", "null"]);
    let folded = sorted(&[&a, "foldby", ".k", "count", "sum(.n)", "max(.n)", "p50(.n)"]);
    assert!(folded[0].starts_with("{\"key\":\"x\",\"count\":2,\"sum_n\":11"), "{folded:?}");
    assert_eq!(folded.len(), 3);
    let groups = sorted(&[&a, "groupby", ".k", "then", "jq", "-c", "[.key, (.items | length)]"]);
    assert_eq!(groups, ["[\"x\",2]", "[\"y\",1]", "[null,1]"]);
    assert_eq!(
        sorted(&[&a, "join", &b, "--on", ".k", "then", "jq", "-c", "[.key, .left.n, .right.m]"]),
        ["[\"x\",1,1]", "[\"x\",10,1]"]
    );
    assert_eq!(lines(&[&a, "join", &b, "--on", ".k", "--left", "then", "count"]), ["4"]);
    assert_eq!(lines(&[&a, "join", &b, "--on", ".k", "--outer", "then", "count"]), ["5"]);
    assert_eq!(lines(&[&a, "join", &b, "--on", ".k", "--semi", "then", "count"]), ["2"]);
    assert_eq!(lines(&[&a, "join", &b, "--on", ".k", "--anti", "then", "count"]), ["2"]);
    assert_eq!(lines(&[&a, "sort", "-r", ".n", "then", "pluck", ".n"]), ["10", "2.5", "1", "null"]);
    assert_eq!(lines(&[&a, "sort", ".n", "then", "pluck", ".n"]), ["null", "1", "2.5", "10"]);
    assert_eq!(lines(&[&a, "sample", "2", "--seed", "3", "then", "count"]), ["2"]);
    assert_eq!(lines(&[&a, &b, "count"]), ["6"]);
    assert_eq!(lines(&["--text", &a, "jq", "-r", ".", "then", "count"]), ["5"]);
    assert_eq!(lines(&[&a, "schema", "--format", "csv"]).len(), 3);
    assert_eq!(lines(&[&a, "stats", "--format", "csv"]).len(), 3);
    assert_eq!(lines(&[&a, "--format", "csv", "--null", "-"]), ["k,n", "x,1.0", "y,2.5", "x,10.0", "-,-"]);
    let out = at("out-*.jsonl.gz");
    assert_eq!(printed(&[&a, "filter", ".n > 2", "then", "to", &out]), "");
    assert_eq!(lines(&[&at("out-*.gz"), "count"]), ["2"]);
    let file = at("kept.jsonl");
    assert_eq!(printed(&["-o", &file, &a, "jq", "-c", ".n"]), "");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "1\n2.5\n10\nnull\n");
}

#[test]
fn documents_and_other_formats_come_in_and_go_out() {
    let dir = dir();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let (a, array, page) = (at("a.jsonl"), at("array.json"), at("page.json"));
    printed(&[&a, "to", &array]);
    assert!(std::fs::read_to_string(&array).unwrap().starts_with("[\n{"), "one array");
    assert_eq!(lines(&[&array, "pluck", ".k"]), ["\"x\"", "\"y\"", "\"x\"", "null"]);
    std::fs::write(&page, "{\"next\": null,\n \"data\": {\"items\": [{\"n\": 1},\n {\"n\": 2}]}}").unwrap();
    assert_eq!(lines(&["--records", "data.items", &page, "jq", "-c", ".n"]), ["1", "2"]);
    assert_eq!(lines(&["--records=data.items", &page, "count"]), ["2"]);
    assert_eq!(lines(&["--records", "data", "-", "count"]), ["0"], "nothing comes");
    for name in ["x-*.avro", "x.avro", "x.csv", "x.parquet"] {
        let path = at(name);
        assert_eq!(printed(&[&a, "to", &path]), "", "{name}");
        assert_eq!(lines(&[&path, "filter", ".k == \"x\"", "then", "jq", "-c", ".n"]), ["1.0", "10.0"], "{name}");
        std::fs::remove_file(at(&name.replace('*', "0"))).unwrap();
    }
    assert_eq!(
        lines(&["testdata/avro/types.avro", "pluck", ".user.name", "then", "frequencies", "then", "count"]),
        ["4"]
    );
    let (code, said) = failed(&["testdata/avro/list.avro", "count"]);
    assert!(code == 1 && said.contains("Avro"), "{code} {said}");
}

/// What it prints for bytes of standard input.
fn fed(input: Vec<u8>, arguments: &[&str]) -> Output {
    let mut command = partita();
    let command =
        command.arg("bag").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    // Whoever has enough closes it.
    let feeding = std::thread::spawn(move || drop(to.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeding.join().unwrap();
    output
}

#[test]
fn standard_input_may_be_packed_and_larger_than_memory() {
    let dir = dir();
    let packed = dir.path().join("p-*.jsonl.gz").to_str().unwrap().to_string();
    printed(&["testdata/events.jsonl", "to", &packed]);
    let bytes = std::fs::read(packed.replace('*', "0")).unwrap();
    let count = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap().trim().to_string();
    let expected = printed(&["testdata/events.jsonl", "count"]);
    assert_eq!(count(&fed(bytes.clone(), &["-", "count"])), expected.trim());
    let torn = fed(bytes[..bytes.len() / 2].to_vec(), &["-", "count"]);
    assert_eq!(torn.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&torn.stderr).contains("compressed data is broken"));
    let many: Vec<u8> =
        (0..60_000u32).flat_map(|n| format!("{{\"n\":{n},\"s\":\"{:0>800}\"}}\n", n % 50_000).into_bytes()).collect();
    for (verbs, expected) in [
        (&["frequencies", ".s", "then", "count"][..], "50000"),
        (&["sort", "-r", ".n", "then", "take", "1", "then", "pluck", ".n"], "59999"),
        (&["groupby", ".s", "then", "count"], "50000"),
        (&["distinct", ".s", "then", "count"], "50000"),
        (&["foldby", ".s", "count", "then", "count"], "50000"),
    ] {
        let arguments: Vec<&str> = ["--memory", "32MiB", "-"].into_iter().chain(verbs.iter().copied()).collect();
        let output = fed(many.clone(), &arguments);
        assert_eq!(count(&output), expected, "{verbs:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let long = fed(vec![b'1'; 8 << 20], &["--memory", "64MiB", "-", "count"]);
    assert_eq!(long.status.code(), Some(4), "{}", String::from_utf8_lossy(&long.stderr));
}

#[test]
fn standard_input_may_be_a_document() {
    let given = |text: &str, arguments: &[&str]| {
        let output = fed(text.into(), arguments);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let numbers: &[&str] = &["-", "jq", "-c", ".n"];
    for text in
        ["[{\"n\":1},\n{\"n\":2}]", "{\n\"n\":1\n}\n{\"n\":2}", "[\n{\"n\":1},{\"n\":2}\n]\n", "{\"n\":1}\n\n{\"n\":2}"]
    {
        assert_eq!(given(text, numbers), (0, "1\n2\n".into()), "{text}");
    }
    assert_eq!(given("[1,2]\n[3]\n", &["-", "count"]), (0, "2\n".into()), "lines that are arrays");
    let page = "{\"next\": null,\n \"data\": {\"items\": [{\"n\": 1},\n {\"n\": 2}]}}";
    assert_eq!(given(page, &["--records", "data.items", "-", "jq", "-c", ".n"]), (0, "1\n2\n".into()));
    let large: Vec<String> = (0..50_000).map(|n| format!("{{\"n\":{n}, \"s\":\"{n:0>300}\"}}")).collect();
    let large = format!("[{}]", large.join(",\n"));
    assert_eq!(
        given(&large, &["--memory", "32MiB", "-", "foldby", ".n % 3", "count", "then", "count"]),
        (0, "3\n".into())
    );
    let broken = fed("[{\"n\":1},\n{\"n\" 2}]".into(), numbers);
    let said = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(broken.status.code() == Some(3) && said.contains("standard input") && said.contains("byte 15"), "{said}");
}

/// What a broken document on standard input gives is what the same document gives as a file.
#[test]
fn a_document_that_breaks_on_standard_input_is_skipped_as_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.json");
    let path = path.to_str().unwrap();
    let long: String = (0..30_000).map(|n| format!("{{\"n\": {n}}},\n")).collect();
    for text in ["[{\"n\":1},\n{\"n\" 2}]".to_string(), "[\n{\"n\": 1}, {\"n\":".into(), format!("[\n{long}x")] {
        std::fs::write(path, &text).unwrap();
        for verb in [&["jq", ".n"][..], &["count"]] {
            let file = bag(&[&["--on-error", "skip", path], verb].concat());
            let pipe = fed(text.clone().into(), &[&["--on-error", "skip", "-"], verb].concat());
            for output in [&file, &pipe] {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success() && said.contains("1 bad item was left out"), "{verb:?}: {said}");
                assert!(!output.stdout.is_empty(), "{verb:?}");
            }
            assert_eq!(file.stdout, pipe.stdout, "{verb:?}");
        }
        let failed = fed(text.clone().into(), &["-", "count"]);
        assert_eq!(failed.status.code(), Some(3));
    }
}

#[test]
fn what_is_packed_on_standard_input_and_breaks_is_skipped_from_there_on() {
    let text: String = (0..30_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    packed.truncate(packed.len() / 2);
    let skipped = fed(packed.clone(), &["--on-error", "skip", "-", "jq", ".n"]);
    let said = String::from_utf8_lossy(&skipped.stderr).into_owned();
    assert!(skipped.status.success() && said.contains("1 bad item was left out"), "{said}");
    assert!(skipped.stdout.starts_with(b"0\n1\n2\n"));
    assert_eq!(fed(packed, &["-", "jq", ".n"]).status.code(), Some(3));
}

#[test]
fn a_group_that_is_too_large_is_an_error_of_memory() {
    let one: String = (0..40_000).map(|n| format!("{{\"k\":1,\"s\":\"{n:0>100}\"}}\n")).collect();
    for skip in [&[][..], &["--on-error", "skip"]] {
        let arguments: Vec<&str> = [&["--memory", "32MiB"], skip, &["-", "groupby", ".k"]].concat();
        let output = fed(one.clone().into(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(4) && said.contains("the items of the key 1 are more than"), "{said}");
    }
}

/// JSON by chance: records whose fields are there or not, of any type.
fn records(count: u64, mut seed: u64) -> Vec<String> {
    let mut next = move |n: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % n
    };
    let keys = [
        "1",
        "1.0",
        "\"1\"",
        "null",
        "true",
        "[1, 2]",
        "[1,2]",
        "{\"a\":1,\"b\":2}",
        "{\"b\": 2, \"a\": 1}",
        "\"\\u0041\"",
        "\"A\"",
        "-0",
        "0",
        "\"é\"",
        "{}",
        "1e2",
    ];
    let numbers = ["1", "2", "-7", "null", "9007199254740993", "12"];
    let record = |_| {
        let mut fields = Vec::new();
        if next(8) > 0 {
            fields.push(format!("\"k\": {}", keys[next(16) as usize]));
        }
        if next(8) > 0 {
            fields.push(format!("\"n\" :{}", numbers[next(6) as usize]));
        }
        if next(4) == 0 {
            fields.push(format!("\"k\":{}", keys[next(16) as usize]));
        }
        format!("{{{}}}", fields.join(" , "))
    };
    (0..count).map(record).collect()
}

#[test]
fn a_first_verb_that_reads_answers_as_one_behind_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("random.jsonl");
    let path = path.to_str().unwrap();
    for (seed, count) in [(0, 20), (1, 1500)] {
        let records = records(count, seed);
        std::fs::write(path, records.join("\n")).unwrap();
        let values: Vec<serde_json::Value> = records.iter().map(|r| serde_json::from_str(r).unwrap()).collect();
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        for verb in [
            &["frequencies", ".k"][..],
            &["frequencies"],
            &["distinct", ".k"],
            &["groupby", ".k"],
            &["topk", "7", ".n"],
            &["sort", ".n"],
            &["count"],
            &["foldby", ".k", "count", "sum(.n)", "min(.n)", "count(.n)"],
            &["foldby", ".k | type", "count", "max(.k)"],
            &["join", path, "--on", "[.k, .n]", "--semi"],
        ] {
            let first = sorted(lines(&[&[path], verb].concat()));
            let behind = sorted(lines(&[&[path, "jq", "-c", ".", "then"], verb].concat()));
            // What is copied is not read as it was written there, so this goes through jaq.
            let slow = sorted(lines(&[&[path, "jq", "-c", ". as $x | $x", "then"], verb].concat()));
            assert_eq!(first, behind, "{verb:?}");
            assert_eq!(first, slow, "{verb:?}");
            assert!(!first.is_empty());
        }
        let mut counts = std::collections::BTreeMap::<String, (u64, i64)>::new();
        for value in &values {
            // An integer's zero has no sign in jq.
            let key = value["k"].to_string();
            let one = counts.entry(if key == "-0.0" { "0".into() } else { key }).or_default();
            one.0 += 1;
            one.1 += value["n"].as_i64().unwrap_or(0);
        }
        // One text for equal values, as jq writes it.
        let by_hand: std::collections::BTreeMap<String, u64> =
            counts.iter().map(|(k, (n, _))| (k.clone(), *n)).collect();
        let mut found = std::collections::BTreeMap::<String, u64>::new();
        for line in lines(&[path, "frequencies", ".k"]) {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            *found.entry(line["item"].to_string()).or_default() += line["count"].as_u64().unwrap();
        }
        assert_eq!(found, by_hand);
        let total: i64 = counts.values().map(|(_, sum)| sum).sum();
        let sums = lines(&[path, "foldby", "null", "sum(.n)", "then", "pluck", ".sum_n"]);
        assert_eq!(sums, [total.to_string()]);
    }
}

#[test]
fn items_of_which_a_key_fails_are_bad_items() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.jsonl");
    std::fs::write(&path, "{\"u\":{\"id\":1}}\n{\"u\":3}\nx\n{\"u\":{\"id\":1}}\n").unwrap();
    let path = path.to_str().unwrap();
    for verb in
        [&["foldby", ".u.id", "count"][..], &["frequencies", ".u.id"], &["distinct", ".u.id"], &["topk", "1", ".u.id"]]
    {
        let (code, said) = failed(&[&[path], verb].concat());
        assert!(code == 3 && said.contains("line 2") && said.contains("keys.jsonl"), "{verb:?}: {said}");
        let output = bag(&[&["--on-error", "skip", path], verb].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("2 bad items were left out"), "{verb:?}: {said}");
        assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1, "{verb:?}");
    }
}

#[test]
fn exit_codes_and_messages_are_as_documented() {
    let dir = dir();
    let path = dir.path().join("bad.jsonl");
    std::fs::write(&path, "{\"n\":1}\n{\"n\":\n{\"n\":3}\n").unwrap();
    let bad = path.to_str().unwrap();
    let (code, said) = failed(&[bad, "jq", ".n"]);
    assert_eq!(code, 3);
    assert!(said.contains("ends too early") && said.contains("line 2"), "{said}");
    let (code, said) = failed(&[bad, "jq", "select(.n"]);
    assert!(code == 1 && said.contains("select(.n\n") && said.contains('^'), "{code} {said}");
    assert_eq!(failed(&[bad, "nothing"]).0, 1, "an input that is not there");
    assert_eq!(failed(&[bad, "take"]).0, 2);
    assert_eq!(failed(&["count"]).0, 2);
    assert_eq!(failed(&[bad, "count", "-c", "SELECT 1"]).0, 2);
    let (code, said) = failed(&["testdata/events.jsonl", "jq", "def f: f; f"]);
    assert!(code == 4 && said.contains("without an end"), "{code} {said}");
    let (code, said) = failed(&["testdata/events.jsonl", "jq", "halt"]);
    assert!(code == 1 && said.contains("halt"), "{code} {said}");
    let output = bag(&["--on-error", "skip", bad, "jq", "-c", ".n"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"1\n3\n"[..]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 bad item was left out"));
    assert!(printed(&["--help"]).contains("foldby KEY FOLD.."));
}

#[test]
fn what_users_of_jq_type() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.jsonl");
    let text = "{\"id\":1,\"name\":\"Ann\",\"tags\":[\"x\",\"y\"],\"n\":3,\"u\":{\"city\":\"Rome\"}}\n\
                {\"id\":2,\"name\":\"Bob, \\\"B\\\"\",\"tags\":[],\"n\":null,\"u\":{\"city\":\"Oslo\"}}\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let jq = |arguments: &[&str]| printed(&[&[file, "jq"], arguments].concat());
    let cases: &[(&[&str], &str)] = &[
        (&["-r", ".name"], "Ann\nBob, \"B\"\n"),
        (&[".id", "-r"], "1\n2\n"),
        (&["-j", ".name, 1"], "Ann1Bob, \"B\"1"),
        (&["-rc", ".tags"], "[\"x\",\"y\"]\n[]\n"),
        (&["-cr", "[.id, .name, .n] | @csv"], "1,\"Ann\",3\n2,\"Bob, \"\"B\"\"\",\n"),
        (&["-r", "[.id, .name, .n] | @tsv"], "1\tAnn\t3\n2\tBob, \"B\"\t\n"),
        (&["-c", "keys"], "[\"id\",\"n\",\"name\",\"tags\",\"u\"]\n[\"id\",\"n\",\"name\",\"tags\",\"u\"]\n"),
        (
            &["-c", "del(.u) | to_entries | map(.key)"],
            "[\"id\",\"name\",\"tags\",\"n\"]\n[\"id\",\"name\",\"tags\",\"n\"]\n",
        ),
        (&["--arg", "x", "Rome", "select(.u.city == $x) | .id"], "1\n"),
        (&["--argjson", "x", "2", "select(.id == $x) | .id"], "2\n"),
        (&["first(.tags[]), ([limit(1; .tags[])] | length)"], "\"x\"\n1\n0\n"),
        (&["-c", ".tags | group_by(.)"], "[[\"x\"],[\"y\"]]\n[]\n"),
        (&["-c", "[.tags[] | test(\"X\"; \"i\")]"], "[true,false]\n[]\n"),
        (&["-r", ".tags + [null, .id] | join(\"-\")"], "x-y--1\n-2\n"),
        (&["-c", "[.id, .name | ltrimstr(\"A\") | rtrimstr(\"n\")]"], "[1,\"n\"]\n[2,\"Bob, \\\"B\\\"\"]\n"),
        (
            &["-c", "-S", "{b: 1, a: [{d: 1, c: .id}]}"],
            "{\"a\":[{\"c\":1,\"d\":1}],\"b\":1}\n{\"a\":[{\"c\":2,\"d\":1}],\"b\":1}\n",
        ),
        (&["-cS", "def f: {b: 1, a: 2}; f # as it is"], "{\"a\":2,\"b\":1}\n{\"a\":2,\"b\":1}\n"),
        (&["-length", "then", "jq", "."], "-5\n-5\n"),
        (&["$ENV.PATH == env.PATH"], "true\ntrue\n"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(jq(arguments), *expected, "{arguments:?}");
    }
    assert_eq!(lines(&[file, "filter", "$ENV.PATH and .id > 1", "then", "jq", ".id"]), ["2"]);
    for (arguments, words) in [
        (&[file, "jq", "-s", "."][..], &["no option -s", "one at a time", "groupby"][..]),
        (&[file, "jq", "--slurp", "."], &["no option --slurp", "one at a time"]),
        (&[file, "jq", "-nr", "[inputs]"], &["no option -n", "each item"]),
        (&[file, "jq", "-R", "."], &["no option -R", "--text"]),
        (&[file, "jq", "--tab", "."], &["no option --tab", "jq [-r] [-c] [-j] [-S]"]),
        (&["-r", ".name", file], &["-r is an option of the verb jq", "INPUT.. jq [-r]"]),
        (&["--arg", "x", "y", file, "jq", "."], &["--arg is an option of the verb jq"]),
        (&["jq", ".id", file], &["a.jsonl\" is too much", "inputs stand before the verb"]),
        (&["-c", ".id", file, "jq", "."], &["verbs, not SQL"]),
    ] {
        let (code, said) = failed(arguments);
        assert!(code == 2 && words.iter().all(|word| said.contains(word)), "{arguments:?}: {code} {said}");
    }
    let (code, said) = failed(&[file, "jq", "-S", ".id | foo"]);
    assert!(code == 1 && said.contains("  .id | foo\n        ^"), "{said}");
}

fn piped(arguments: &[&str]) -> Child {
    partita().arg("bag").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn what_arrives_is_delivered_before_more_comes() {
    let mut child = piped(&["-", "filter", ".n > 0", "then", "jq", "-c", ".n * 2"]);
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for n in 1..4 {
        writeln!(input, "{{\"n\":0}}\n{{\"n\":{n}}}").unwrap();
        input.flush().unwrap();
        // Nothing more is written before this was read.
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{}\n", n * 2));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut child = partita()
        .args(["bag", "testdata/events.jsonl", "jq", "range(100000)"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0; 10]).unwrap();
    drop(output);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_pipe_that_never_ends_may_be_left() {
    let mut child = piped(&["-", "take", "2", "then", "jq", "-c", "."]);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"1\n2\n3\n").unwrap();
    input.flush().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "1\n2\n");
    assert!(child.wait().unwrap().success());
    drop(input);
}

/// A file of the shared test data; says so where it is not there.
fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var("SHARED_TESTDATA").unwrap_or_else(|_| "../shared/testdata".into());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(root).join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
    }
    path.exists().then_some(path)
}

fn values(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn real_events_are_counted_as_by_hand() {
    let Some(path) = shared("json/gharchive/gh_1000.ndjson") else { return };
    let (events, path) = (values(&path), path.to_str().unwrap());
    let pushes = events.iter().filter(|e| e["type"] == "PushEvent" && e["payload"]["size"].as_u64() > Some(1)).count();
    let counted = lines(&[path, "filter", ".type == \"PushEvent\" and .payload.size > 1", "then", "count"]);
    assert_eq!(counted, [pushes.to_string()]);
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    events.iter().for_each(|e| *kinds.entry(e["type"].to_string()).or_default() += 1);
    let by_hand: Vec<String> = kinds.iter().map(|(k, n)| format!("{{\"item\":{k},\"count\":{n}}}")).collect();
    assert_eq!(lines(&[path, "frequencies", ".type", "then", "sort", ".item"]), by_hand);
    let commits = events.iter().filter_map(|e| e["payload"]["commits"].as_array()).flatten();
    let long = commits.filter(|c| c["message"].as_str().is_some_and(|m| m.starts_with("Merge"))).count();
    let program = ".payload.commits[]?.message | select(startswith(\"Merge\"))";
    // The native way and jaq's.
    assert_eq!(lines(&[path, "jq", program, "then", "count"]), [long.to_string()]);
    let slow = "[.payload.commits[]?.message] | .[] as $m | $m | select(startswith(\"Merge\"))";
    assert_eq!(lines(&[path, "jq", slow, "then", "count"]), [long.to_string()]);
    // All of it, through every text and number.
    let same = lines(&[path, "jq", "-c", "."]);
    assert_eq!(same.iter().map(|l| serde_json::from_str(l).unwrap()).collect::<Vec<serde_json::Value>>(), events);
    let slow = lines(&[path, "jq", "-c", ". as $x | $x"]);
    assert_eq!(same, slow);
    let sizes: u64 = events.iter().filter_map(|e| e["payload"]["size"].as_u64()).sum();
    let folded = lines(&[
        path,
        "foldby",
        ".type",
        "sum(.payload.size)",
        "then",
        "filter",
        ".key == \"PushEvent\"",
        "then",
        "pluck",
        ".sum_payload_size | tonumber",
    ]);
    assert_eq!(folded, [sizes.to_string()]);
}

#[test]
fn collections_of_mongodb_are_counted_as_by_hand() {
    let Some(path) = shared("json/mongodb/restaurant.ndjson") else { return };
    let (all, path) = (values(&path), path.to_str().unwrap());
    let good = all.iter().filter(|r| r["rating"].as_f64().is_some_and(|rating| rating >= 5.0)).count();
    assert_eq!(
        lines(&[path, "filter", ".rating >= 5 and (.rating | type == \"number\")", "then", "count"]),
        [good.to_string()]
    );
    let Some(path) = shared("json/mongodb/books.ndjson") else { return };
    let (all, path) = (values(&path), path.to_str().unwrap());
    let categories = all.iter().filter_map(|b| b["categories"].as_array()).flatten().filter(|c| *c == "Java").count();
    assert_eq!(
        lines(&[path, "jq", ".categories[]? | select(. == \"Java\")", "then", "count"]),
        [categories.to_string()]
    );
    let pages: i64 = all.iter().filter_map(|b| b["pageCount"].as_i64()).max().unwrap();
    assert_eq!(lines(&[path, "topk", "1", ".pageCount", "then", "pluck", ".pageCount"]), [pages.to_string()]);
}

#[test]
fn programs_of_jq_say_things_and_know_their_file() {
    let dir = dir();
    let a = dir.path().join("a.jsonl").to_str().unwrap().to_string();
    let output = bag(&[&a, "filter", ".k == \"y\"", "then", "jq", "-c", "debug | .n | debug(\"n\", .) | stderr"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2.5\n");
    let said = "[\"DEBUG:\",{\"k\":\"y\",\"n\":2.5}]\n[\"DEBUG:\",\"n\"]\n[\"DEBUG:\",2.5]\n2.5";
    assert_eq!(String::from_utf8_lossy(&output.stderr), said);
    let quoted = serde_json::Value::from(a.as_str()).to_string();
    assert_eq!(lines(&[&a, "jq", "input_filename", "then", "distinct"]), [quoted.as_str()]);
    assert_eq!(lines(&[&a, "filter", ".n == 10", "then", "jq", "input_filename"]), [quoted.as_str()]);
}
