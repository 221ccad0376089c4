//! Random records of every format, written and read back, at every split; lines that do not match; broken input.

use crate::formats::testing::*;
use crate::formats::{RowFilter, ScanSpec, Table};
use crate::io::{AtomicFile, Compressed, Compression};
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use std::sync::Arc;

/// Numbers that look random, the same ones in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }

    /// A word of letters, some of them not ASCII.
    fn word(&mut self) -> String {
        let len = 1 + self.below(14);
        (0..len).map(|_| self.pick(&["a", "b", "z", "Q", "ä", "7", "_", "é"])).collect()
    }

    fn words(&mut self) -> String {
        let n = 1 + self.below(5);
        (0..n).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

type Record = (String, Vec<(&'static str, Option<String>)>);

/// A format: what comes before its records, and how one is written.
struct Case {
    name: &'static str,
    head: &'static str,
    record: fn(&mut Dice, usize) -> Record,
}

fn some(text: impl ToString) -> Option<String> {
    Some(text.to_string())
}

fn dash(text: &Option<String>) -> String {
    text.clone().unwrap_or_else(|| "-".to_string())
}

fn maybe(dice: &mut Dice, text: String) -> Option<String> {
    (dice.below(4) > 0).then_some(text)
}

fn combined(d: &mut Dice, _: usize) -> Record {
    let (user, path, bytes) = (d.word(), format!("/{}?q={}", d.word(), d.words()), d.below(99_999).to_string());
    let (user, bytes, agent) = (maybe(d, user), maybe(d, bytes), d.words());
    let agent = maybe(d, agent);
    let (status, hour) = (200 + d.below(400), d.below(24));
    let (dashed, sent, seen) = (dash(&user), dash(&bytes), dash(&agent));
    let line = format!(
        "::1 - {dashed} [29/Feb/2024:{hour:02}:15:59 +0000] \"GET {path} HTTP/1.1\" {status} {sent} \"-\" \"{seen}\"\n"
    );
    let time = some(format!("2024-02-29T{hour:02}:15:59Z"));
    let want = vec![
        ("ip", some("::1")),
        ("ident", None),
        ("user", user),
        ("timestamp", time),
        ("method", some("GET")),
        ("path", Some(path)),
        ("protocol", some("HTTP/1.1")),
        ("status", some(status)),
        ("bytes", bytes),
        ("referer", None),
        ("user_agent", agent),
    ];
    (line, want)
}

fn apache_error(d: &mut Dice, _: usize) -> Record {
    let (day, level, pid, message) = (1 + d.below(28), d.pick(&["error", "warn"]), d.below(9999), d.words());
    let line = format!("[Thu Feb {day:02} 12:30:15.000500 2024] [core:{level}] [pid {pid}] [client ::1] {message}\n");
    let want = vec![
        ("timestamp", some(format!("2024-02-{day:02}T12:30:15.000500"))),
        ("module", some("core")),
        ("level", some(level)),
        ("pid", some(pid)),
        ("tid", None),
        ("client", some("::1")),
        ("message", Some(message)),
    ];
    (line, want)
}

fn nginx_error(d: &mut Dice, _: usize) -> Record {
    let (day, pid, message, server) = (1 + d.below(28), d.below(9999), d.words(), d.word());
    let client = maybe(d, "10.0.0.1".to_string());
    let rest = client.as_ref().map(|c| format!(", client: {c}, server: {server}, request: \"GET / HTTP/1.1\""));
    let line = format!("2024/02/{day:02} 12:30:15 [error] {pid}#0: *7 {message}{}\n", rest.unwrap_or_default());
    let want = vec![
        ("timestamp", some(format!("2024-02-{day:02}T12:30:15"))),
        ("level", some("error")),
        ("pid", some(pid)),
        ("tid", some(0)),
        ("connection", some(7)),
        ("message", Some(message)),
        ("server", client.is_some().then_some(server)),
        ("request", client.is_some().then(|| "GET / HTTP/1.1".to_string())),
        ("client", client),
    ];
    (line, want)
}

fn syslog(d: &mut Dice, _: usize) -> Record {
    let (host, app, pid, message) = (d.word(), d.word(), d.below(9999), d.words());
    let line = format!("<{}>2024-02-29T12:30:15+01:00 {host} {app}[{pid}]: {message}\n", pid % 192);
    let want = vec![
        ("priority", some(pid % 192)),
        ("facility", some(pid % 192 / 8)),
        ("severity", some(pid % 8)),
        ("timestamp", some("2024-02-29T11:30:15Z")),
        ("host", Some(host)),
        ("app", Some(app)),
        ("pid", some(pid)),
        ("message", Some(message)),
    ];
    (line, want)
}

fn syslog5424(d: &mut Dice, _: usize) -> Record {
    let (host, message) = (d.word(), d.words());
    let (host, data) = (maybe(d, host), maybe(d, "[x@1 a=\"]\\\"\"][y]".to_string()));
    let line = format!("<14>1 2024-02-29T12:30:15.5Z {} app - - {} {message}\n", dash(&host), dash(&data));
    let want = vec![
        ("facility", some(1)),
        ("severity", some(6)),
        ("timestamp", some("2024-02-29T12:30:15.500Z")),
        ("host", host),
        ("app", some("app")),
        ("message", Some(message)),
        ("structured_data", data),
    ];
    (line, want)
}

fn elb(d: &mut Dice, _: usize) -> Record {
    let (sent, agent) = (d.below(99_999), d.words());
    let line = format!(
        "2024-02-29T12:30:15.5Z my-lb ::1:2817 - 0.5 -1 0.25 200 - 0 {sent} \"GET / HTTP/1.1\" \"{agent}\" - -\n"
    );
    let want = vec![
        ("timestamp", some("2024-02-29T12:30:15.500Z")),
        ("client", some("::1:2817")),
        ("backend", None),
        ("request_processing_time", some(0.5)),
        ("backend_status", None),
        ("sent_bytes", some(sent)),
        ("user_agent", Some(agent)),
    ];
    (line, want)
}

fn logfmt(d: &mut Dice, n: usize) -> Record {
    let (plain, quoted, number) = (d.word().replace('7', "x"), format!("{} \" \\ x", d.words()), d.below(1000));
    let written = quoted.replace('\\', "\\\\").replace('"', "\\\"");
    let line = match n {
        0 => format!("word=x text=\"{written}\" n={number} f=0.5\n"),
        _ if n.is_multiple_of(3) => format!("n={number} word={plain} text=\"{written}\"\n"),
        _ => format!("word={plain} text=\"{written}\" n={number} f=\n"),
    };
    let word = if n == 0 { "x".to_string() } else { plain };
    let float = (n == 0).then(|| "0.5".to_string());
    (line, vec![("word", Some(word)), ("text", Some(quoted)), ("n", some(number)), ("f", float)])
}

fn kv(d: &mut Dice, n: usize) -> Record {
    let (a, b, number) = (d.words(), d.words(), d.below(1000));
    let a = if n == 0 { "x y".to_string() } else { format!("{a} x") };
    let line = format!("[2024-02-29T12:30:15Z] I x: a={a}|b=x {b}|n={number}\n");
    let want = vec![
        ("timestamp", some("2024-02-29T12:30:15Z")),
        ("prefix", some("I x:")),
        ("a", Some(a)),
        ("b", Some(format!("x {b}"))),
        ("n", some(number)),
    ];
    (line, want)
}

fn w3c(d: &mut Dice, _: usize) -> Record {
    let (path, agent, status) = (d.word(), d.word(), 200 + d.below(300));
    let agent = maybe(d, format!("a+{agent}"));
    let line = format!("2024-02-29 12:30:15 /{path} {status} {}\n", dash(&agent));
    let want = vec![
        ("timestamp", some("2024-02-29T12:30:15Z")),
        ("date", some("2024-02-29")),
        ("cs_uri_stem", Some(format!("/{path}"))),
        ("sc_status", some(status)),
        ("cs_user_agent", agent),
    ];
    (line, want)
}

fn zeek(d: &mut Dice, _: usize) -> Record {
    let (uid, port, items) = (d.word(), d.below(65_000), 1 + d.below(3));
    let list: Vec<String> = (0..items).map(|_| d.word()).collect();
    let port = maybe(d, port.to_string());
    let line = format!("1709209815.5\t{uid}\\x09\\\\\t{}\tT\t{}\t0.25\n", dash(&port), list.join(","));
    let want = vec![
        ("ts", some("2024-02-29T12:30:15.500Z")),
        ("uid", Some(format!("{uid}\t\\"))),
        ("p", port),
        ("ok", some("true")),
        ("names", Some(format!("[{}]", list.join(", ")))),
        ("took", some(0.25)),
    ];
    (line, want)
}

fn messages(d: &mut Dice, n: usize) -> Record {
    let (level, message, lines) = (d.pick(&["INFO", "ERROR", "WARN"]), d.words(), d.below(4));
    let mut message = format!("x {message}");
    (0..lines).for_each(|_| message += &format!("\n\tat {}({})", d.word(), d.words()));
    let line = format!("2024-02-29 12:30:{:02},250 [main] {level}  com.example.Store - {message}\n", n % 60);
    let want = vec![
        ("timestamp", some(format!("2024-02-29T12:30:{:02}.250", n % 60))),
        ("level", some(level)),
        ("logger", some("com.example.Store")),
        ("thread", some("main")),
        ("message", Some(message)),
    ];
    (line, want)
}

fn journal(d: &mut Dice, n: usize) -> Record {
    let (message, unit) = (format!("x {}\n\n{}", d.word(), d.word()), d.word());
    let unit = if n == 0 { Some("x".to_string()) } else { maybe(d, format!("x{unit}")) };
    let mut bytes = format!("__REALTIME_TIMESTAMP=1709209815500000\nPRIORITY={}\nMESSAGE\n", n % 8);
    // The length of a text below 256 bytes, as eight bytes that are text themselves.
    assert!(message.len() < 128);
    bytes.push(message.len() as u8 as char);
    bytes.push_str("\0\0\0\0\0\0\0");
    bytes.push_str(&format!("{message}\n"));
    if let Some(unit) = &unit {
        bytes.push_str(&format!("_UNIT={unit}\n"));
    }
    bytes.push('\n');
    let want = vec![
        ("timestamp", some("2024-02-29T12:30:15.500Z")),
        ("PRIORITY", some(n % 8)),
        ("MESSAGE", Some(message)),
        ("_UNIT", unit),
    ];
    (bytes, want)
}

const CASES: &[Case] = &[
    Case { name: "combined", head: "", record: combined },
    Case { name: "apache_error", head: "", record: apache_error },
    Case { name: "nginx_error", head: "", record: nginx_error },
    Case { name: "syslog", head: "", record: syslog },
    Case { name: "syslog5424", head: "", record: syslog5424 },
    Case { name: "elb", head: "", record: elb },
    Case { name: "logfmt", head: "", record: logfmt },
    Case { name: "kv", head: "", record: kv },
    Case { name: "w3c", head: "#Software: x\n#Fields: date time cs-uri-stem sc-status cs(User-Agent)\n", record: w3c },
    Case {
        name: "zeek",
        head: "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tx\n\
               #fields\tts\tuid\tp\tok\tnames\ttook\n#types\ttime\tstring\tport\tbool\tset[string]\tinterval\n",
        record: zeek,
    },
    Case { name: "messages", head: "", record: messages },
    Case { name: "journal", head: "", record: journal },
];

struct Written {
    text: String,
    wanted: Vec<Vec<(&'static str, Option<String>)>>,
}

fn write(case: &Case, seed: u64, records: usize) -> Written {
    let mut dice = Dice(seed);
    let mut written = Written { text: case.head.to_string(), wanted: Vec::new() };
    for n in 0..records {
        let (line, want) = (case.record)(&mut dice, n);
        written.text += &line;
        written.wanted.push(want);
    }
    written
}

fn check(table: &Arc<Table>, rows: &Cells, wanted: &[Vec<(&'static str, Option<String>)>], case: &str) {
    assert_eq!(rows.len(), wanted.len(), "{case}");
    for (row, want) in rows.iter().zip(wanted) {
        for (column, value) in want {
            let at = table.schema.index_of(column).unwrap_or_else(|_| panic!("{case}: no {column}"));
            assert_eq!(&row[at], value, "{case}: {column}");
        }
    }
}

#[test]
fn records_of_every_format_come_back_wherever_they_are_cut() {
    for case in CASES {
        let few = write(case, 1, 9);
        let file = TestFile::new("x.log", &few.text);
        let table = file.open(&[]).unwrap();
        let named = file.open(&[("format", case.name)]).unwrap();
        assert_eq!(table.schema, named.schema, "{}", case.name);
        for split_bytes in (1..150).chain((150..few.text.len() + 2).step_by(97)) {
            let rows = read(&table, split_bytes).unwrap_or_else(|e| panic!("{} {split_bytes}: {e}", case.name));
            check(&table, &rows, &few.wanted, &format!("{} in splits of {split_bytes}", case.name));
        }
        for seed in 2..6 {
            let many = write(case, seed, 200);
            let file = TestFile::new("x.log", many.text.trim_end_matches('\n'));
            let table = file.open(&[]).unwrap();
            for split_bytes in [777, 10_000, 1 << 20] {
                let spec = ScanSpec { batch_rows: 50, ..all(&table) };
                let rows = cells(&batches(&table, spec, split_bytes).unwrap());
                check(&table, &rows, &many.wanted, &format!("{} {seed} {split_bytes}", case.name));
                let count = ScanSpec { projection: vec![], ..all(&table) };
                let rows: usize = batches(&table, count, split_bytes).unwrap().iter().map(RecordBatch::num_rows).sum();
                assert_eq!(rows, 200, "{}", case.name);
            }
        }
    }
}

#[test]
fn compressed_files_and_lines_that_end_as_windows_writes_them() {
    for case in CASES.iter().filter(|c| !matches!(c.name, "journal" | "messages")) {
        let some = write(case, 7, 40);
        let text = some.text.replace('\n', "\r\n");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log.gz");
        let mut out = Compressed::wrap(AtomicFile::create(&path).unwrap(), Compression::Gzip, 1 << 20).unwrap();
        std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
        out.complete().unwrap();
        let table = open(&path, &[]).unwrap();
        check(&table, &read(&table, 100).unwrap(), &some.wanted, case.name);
    }
}

#[test]
fn formats_that_look_alike_are_told_apart() {
    for (line, name) in [
        ("2024-02-29 12:30:15 INFO [main] a.B - user=1 action=2 took=3", "level"),
        ("2024-02-29 12:30:15 user=1 action=2 took=3", "action"),
        ("ts=2024-02-29T12:30:15Z level=info msg=x", "msg"),
        ("2024-02-29T12:30:15Z INFO a.b: x", "logger"),
        ("2024-02-29T12:30:15+01:00 host a.b[1]: x", "host"),
        ("Feb 29 12:30:15 host app: a=1 b=2 c=3", "app"),
        ("<14>1 2024-02-29T12:30:15Z h a - - - x=1 y=2 z=3", "structured_data"),
    ] {
        let file = TestFile::new("x.log", format!("{line}\n").repeat(5));
        let table = file.open(&[]).unwrap();
        assert!(table.schema.index_of(name).is_ok(), "{line}: {:?}", table.schema);
    }
}

#[test]
fn filters_refuse_rows() {
    let some = write(&CASES[0], 3, 100);
    let file = TestFile::new("x.log", &some.text);
    let table = file.open(&[]).unwrap();
    let status = table.schema.index_of("status").unwrap();
    let keep = |batch: &RecordBatch| {
        let status = batch.column(0).as_primitive::<Int64Type>();
        Ok(BooleanArray::from_iter(status.iter().map(|v| v.map(|v| v >= 500))))
    };
    let expected: Vec<_> = some.wanted.iter().filter(|r| r[7].1.as_ref().unwrap().as_str() >= "500").collect();
    for projection in [vec![0, 7, status], vec![7], vec![]] {
        let filter = RowFilter { columns: vec![status], bounds: vec![], eval: Arc::new(keep), parts: Vec::new() };
        let got = batches(&table, with_filter(ScanSpec { projection: projection.clone(), ..all(&table) }, filter), 500);
        let got = got.unwrap();
        assert_eq!(got.iter().map(RecordBatch::num_rows).sum::<usize>(), expected.len());
        if let Some(at) = projection.iter().position(|c| *c == 7) {
            let paths: Vec<_> = cells(&got).into_iter().map(|row| row[at].clone()).collect();
            assert_eq!(paths, expected.iter().map(|r| r[5].1.clone()).collect::<Vec<_>>());
        }
    }
}

const GOOD: &str = "::1 - - [26/Dec/2016:16:16:29 +0200] \"GET / HTTP/1.1\" 404 209\n";

#[test]
fn lines_that_do_not_match_are_told() {
    let bad = GOOD.replace("404", "4x4");
    let text = format!("{GOOD}{GOOD}broken\n\n{GOOD}{bad}{GOOD}{GOOD}");
    let file = TestFile::new("x.log", &text);
    let table = file.open(&[]).unwrap();
    for projection in [vec![], vec![6], (0..14).collect()] {
        for split_bytes in [1, 50, 1000] {
            let spec = ScanSpec { projection: projection.clone(), ..all(&table) };
            let rejects = spec.rejects.clone();
            let rows: usize = batches(&table, spec, split_bytes).unwrap().iter().map(RecordBatch::num_rows).sum();
            assert_eq!((rows, rejects.rows()), (5, 2), "{projection:?} {split_bytes}");
            let list = rejects.list();
            let lines: Vec<_> = list.iter().map(|r| (r.place.line, r.place.text.clone())).collect();
            assert_eq!(lines, [(Some(3), some("broken")), (Some(6), some(bad.trim_end()))]);
            assert_eq!(list[0].place.byte, Some(2 * GOOD.len() as u64));
        }
    }
    let included = file.open(&[("unmatched", "include")]).unwrap();
    let rows = read(&included, 60).unwrap();
    assert_eq!((rows.len(), rows[2][14].as_deref(), rows[2][13].as_deref()), (7, Some("broken"), None));
    assert!(rows.iter().all(|r| r[14].is_some() == r[4].is_none()));
    let e = read(&file.open(&[("on_error", "fail")]).unwrap(), 60).unwrap_err();
    assert_eq!((e.place().line, e.is_misfit()), (Some(3), false), "{e}");
    for bad in
        [("on_error", "no"), ("unmatched", "no"), ("format", "no"), ("formt", "elb"), ("types", "{\"x\":\"int\"}")]
    {
        assert!(file.open(&[bad]).is_err(), "{bad:?}");
    }
    let typed = file.open(&[("types", "{\"bytes\":\"double\",\"status\":\"text\"}")]).unwrap();
    assert_eq!(read(&typed, 60).unwrap()[0][10].as_deref(), Some("209.0"));
    assert_eq!(read(&typed, 60).unwrap().len(), 6);
}

#[test]
fn what_comes_before_the_first_head_is_told_once() {
    let text = "  stray\nlines\n2024-02-29 12:30:15 INFO a\n\tat b\n2024-02-29 12:30:15 INFO c\n";
    let file = TestFile::new("x.log", text);
    let table = file.open(&[]).unwrap();
    for split_bytes in 1..text.len() + 1 {
        let spec = all(&table);
        let rejects = spec.rejects.clone();
        let rows = cells(&batches(&table, spec, split_bytes).unwrap());
        let messages: Vec<_> = rows.iter().map(|r| r[5].as_deref().unwrap()).collect();
        assert_eq!((messages, rejects.rows()), (vec!["a\n\tat b", "c"], 2), "splits of {split_bytes}");
    }
    let strays = TestFile::new("x.log", "no\nhead\n");
    let table = strays.open(&[("format", "messages"), ("unmatched", "include")]).unwrap();
    for split_bytes in 1..9 {
        assert_eq!(read(&table, split_bytes).unwrap().len(), 2, "{split_bytes}");
    }
}

#[test]
fn what_the_sample_did_not_show_is_a_misfit() {
    let lines = |late: &str| -> String {
        (0..30_000).map(|i| if i == 10_000 { late.to_string() } else { format!("a=1 b={}\n", i % 7) }).collect()
    };
    for (late, rows) in [("a=x b=1\n", 30_000), ("a=1 new=2 b=1\n", 30_000), ("a=1.5 b=2\n", 30_000)] {
        let file = TestFile::new("x.log", lines(late));
        let spec = |t: &Arc<Table>| ScanSpec { batch_rows: 8192, ..all(t) };
        let table = file.open(&[]).unwrap();
        let e = batches(&table, spec(&table), 1 << 16).unwrap_err();
        assert!(e.is_misfit() && e.place().line == Some(10_001), "{e}");
        let table = file.open(&[("infer", "full")]).unwrap();
        let got: usize = batches(&table, spec(&table), 1 << 16).unwrap().iter().map(RecordBatch::num_rows).sum();
        assert_eq!(got, rows, "{late}");
    }
    let moments: String =
        (0..20_000).map(|i| format!("2024-02-29T12:30:15{} INFO x\n", if i == 5000 { "Z" } else { "" })).collect();
    let file = TestFile::new("x.log", moments);
    assert!(read(&file.open(&[]).unwrap(), 1 << 16).unwrap_err().is_misfit());
    let rows = read(&file.open(&[("infer", "full")]).unwrap(), 1 << 16).unwrap();
    assert_eq!(
        (rows[0][0].as_deref(), rows[5000][0].as_deref()),
        (Some("2024-02-29T12:30:15"), Some("2024-02-29T12:30:15Z"))
    );
}

#[test]
fn directives_that_change_are_followed() {
    let mut text = String::from("#Fields: date time s-ip sc-status\n");
    (0..8000).for_each(|_| text += "2024-02-29 12:30:15 ::1 200\n");
    text += "#Fields: date time sc-status cs-host\n2024-02-29 12:30:15 404 h\n#Fields: date time s-ip sc-status\n";
    (0..4000).for_each(|_| text += "2024-02-29 12:30:15 ::2 500\n");
    let file = TestFile::new("x.log", &text);
    let table = file.open(&[]).unwrap();
    if table.schema.index_of("cs_host").is_err() {
        assert!(read(&table, 1 << 14).unwrap_err().is_misfit());
    }
    let table = file.open(&[("infer", "full")]).unwrap();
    let rows = read(&table, 1 << 14).unwrap();
    assert_eq!(rows.len(), 12_001);
    let names: Vec<&str> = table.schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["timestamp", "date", "time", "s_ip", "sc_status", "cs_host"]);
    let cell = |row: usize, column: usize| rows[row][column].as_deref();
    assert_eq!((cell(8000, 3), cell(8000, 4), cell(8000, 5)), (None, Some("404"), Some("h")));
    assert_eq!((cell(7999, 4), cell(8001, 3), cell(8001, 4)), (Some("200"), Some("::2"), Some("500")));
}

/// One line that is broken makes no other format of a file.
#[test]
fn a_few_broken_lines_leave_the_format_what_it_is() {
    let good: String = (0..19).map(|i| format!("Oct {:2} 22:14:15 h app[{i}]: m{i}\n", i + 1)).collect();
    let file = TestFile::new("x.log", format!("{good}Feb 30 00:00:00 h app: bad\n"));
    let table = file.open(&[]).unwrap();
    assert_eq!(read(&table, 1 << 12).unwrap().len(), 19);
    assert!(table.schema.index_of("host").is_ok(), "{:?}", table.schema);
    // More than a few: lines that go on.
    let file = TestFile::new("x.log", good.replace('\n', "\n\tat a.b\n"));
    let table = file.open(&[]).unwrap();
    assert!(table.schema.index_of("host").is_err() && read(&table, 1 << 12).unwrap().len() == 19);
}

/// The moments have zones here and none there: they stay text, and no line is left out.
#[test]
fn a_mix_of_both_syslogs_is_read_as_a_whole() {
    let text = "<13>Oct 11 22:14:15 h su: failed\n<34>1 2024-01-01T10:00:00Z h app 1 ID47 - hello\nOct 12 01:02:03 h sshd[99]: ok\n";
    let table = TestFile::new("x.log", text);
    let opened = table.open(&[]).unwrap();
    let rows = read(&opened, 1 << 12).unwrap();
    let column = |name: &str| {
        let at = opened.schema.index_of(name).unwrap();
        rows.iter().map(|row| row[at].clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(column("timestamp"), ["Oct 11 22:14:15", "2024-01-01T10:00:00Z", "Oct 12 01:02:03"]);
    assert_eq!(column("app"), ["su", "app", "sshd"]);
    assert_eq!(column("message"), ["failed", "ID47 - hello", "ok"]);
}

#[test]
fn lines_as_they_stand() {
    let text = "\u{feff}one\r\n\n  three \nlast ä";
    let file = TestFile::new("x.txt", text);
    let open = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let paths = vec![file.path().to_string_lossy().into_owned()];
        Table::open(crate::formats::TableDef { format: Some("text".into()), paths, options, schema: None })
    };
    let table = open(&[]).unwrap();
    for split_bytes in 1..text.len() + 1 {
        let rows = read(&table, split_bytes).unwrap();
        let lines: Vec<_> = rows.iter().map(|r| (r[0].as_deref().unwrap(), r[1].as_deref().unwrap())).collect();
        assert_eq!(lines, [("one", "3"), ("", "8"), ("  three ", "9"), ("last ä", "18")], "{split_bytes}");
        assert!(rows.iter().all(|r| r[2].as_deref().unwrap().ends_with("x.txt")));
    }
    let long = "x".repeat(3 << 20);
    std::fs::write(file.path(), format!("a\n{long}\nb\n")).unwrap();
    let rows = read(&open(&[]).unwrap(), 1 << 12).unwrap();
    assert_eq!(rows.iter().map(|r| r[0].as_ref().unwrap().len()).collect::<Vec<_>>(), [1, 3 << 20, 1]);
    std::fs::write(file.path(), b"good\nb\xffd\nend\n").unwrap();
    let e = read(&open(&[]).unwrap(), 100).unwrap_err();
    assert_eq!(e.place().line, Some(2), "{e}");
    let rows = read(&open(&[("invalid_utf8", "replace")]).unwrap(), 100).unwrap();
    assert_eq!(rows[1][0].as_deref(), Some("b\u{fffd}d"));
}

#[test]
fn patterns_read_and_type() {
    let text = "55.3.244.1 GET /a 15824 0.5 é\n::1 POST /b x 1\n::1 POST /b 7 1 ü\n";
    let file = TestFile::new("x.log", text);
    let pattern = "^%{IP:ip} %{WORD:m} %{NOTSPACE:path} %{NOTSPACE:bytes:int} %{NUMBER:took:float}(?: (?<tail>.*))?$";
    let table = file.open(&[("format", pattern)]).unwrap();
    for split_bytes in 1..text.len() {
        let rows = read(&table, split_bytes).unwrap();
        let want = [
            ["55.3.244.1", "GET", "/a", "15824", "0.5", "é"].map(some).to_vec(),
            ["::1", "POST", "/b", "7", "1.0", "ü"].map(some).to_vec(),
        ];
        assert_eq!(rows, want, "{split_bytes}");
    }
    // A group that cuts a character is no text.
    let table = file.open(&[("format", r"(?-u)(?<x>\xc3)")]);
    if let Ok(table) = table {
        assert!(read(&table, 100).is_err());
    }
}

#[test]
fn broken_input_never_panics() {
    for case in CASES {
        let some = write(case, 11, 20);
        let mut dice = Dice(case.name.len() as u64);
        for _ in 0..60 {
            let mut bytes = some.text.clone().into_bytes();
            for _ in 0..1 + dice.below(6) {
                let at = dice.below(bytes.len() as u64) as usize;
                match dice.below(4) {
                    0 => bytes[at] = dice.below(256) as u8,
                    1 => bytes.truncate(at.max(1)),
                    2 => bytes.insert(at, b"\n\"[]=|\\-"[dice.below(8) as usize]),
                    _ => {
                        bytes.remove(at);
                        bytes.push(b'x');
                    }
                }
            }
            let file = TestFile::new("x.log", &bytes);
            for options in [&[][..], &[("format", case.name)], &[("format", case.name), ("invalid_utf8", "replace")]] {
                let Ok(table) = file.open(options) else { continue };
                let whole = read(&table, 1 << 20).map_err(|e| e.kind());
                let cut = read(&table, 7).map_err(|e| e.kind());
                assert_eq!(whole, cut, "{} {:?}", case.name, String::from_utf8_lossy(&bytes));
            }
        }
    }
}
