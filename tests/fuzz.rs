//! Fuzz targets for every reader, as tests. Each checks its seeds and a few made-up inputs; `FUZZ_SECONDS=600 cargo test --test
//! fuzz csv` goes on for ten minutes. An input is a seed with a few edits ([`inputs`]); of any input holds what
//! [`check`] says, and where it is cheap, that it is read alike in other ways.

mod fuzz {
    #[macro_use]
    pub mod check;
    pub mod inputs;
}

use fuzz::check::{Bench, Watched, in_time, judged, written};
use fuzz::inputs::Inputs;
use partita::prelude::*;
use std::io::Write;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// One of `list`, by the part of `knobs` that the caller has not used yet.
fn pick<'a>(knobs: &mut u64, list: &[&'a str]) -> &'a str {
    let chosen = list[(*knobs % list.len() as u64) as usize];
    *knobs /= list.len() as u64;
    chosen
}

fn csv_inputs() -> Inputs {
    let tokens = [
        "\"",
        "\"\"",
        "\"\n\"",
        ",",
        ";",
        "\t",
        "|",
        "\n",
        "\r\n",
        "\r",
        "#",
        "\\",
        "\u{feff}",
        "\0",
        "NULL",
        "NaN",
        "-inf",
        "1e999",
        "99999999999999999999",
        "2024-02-30",
        "2024-02-29 23:59:60+01:00",
        "1.234,5",
        "true",
        "'",
        "\u{fffd}",
        "é",
        "\u{1f600}",
    ];
    Inputs::new(&tokens)
        .of_text()
        .files("testdata", &[".csv"])
        .seed("a;b\n1,5;2024-01-01\n\n;\"x\"\"y\n\"\n")
        .seed("# comment\n\nname\tn\n'a\tb'\t1\n")
        .seed(b"a,b\xff\xfe\n1,\xc3\x28\n".as_slice())
        .seed("x\n")
        .seed("")
        .shared("fuzz/arrow-csv", &[], 20)
        .shared("csv", &[".csv"], 40)
}

#[test]
fn csv() {
    let bench = Bench::new("input.csv");
    fuzz!(csv_inputs(), move |bytes: &[u8], knobs: u64| {
        bench.write(bytes);
        let mut knobs = knobs;
        let options = [
            pick(&mut knobs, &["", ", header => true", ", header => false"]),
            pick(&mut knobs, &["", "", ", delimiter => ';'", ", delimiter => '\t'", ", delimiter => ','"]),
            pick(&mut knobs, &["", "", ", quote => ''", ", quote => ''''", ", quote => '\"', escape => '\\'"]),
            pick(&mut knobs, &["", "", ", comment => '#'", ", skip => 2"]),
            pick(&mut knobs, &["", "", ", all_varchar => true", ", sample_size => 3", ", infer => 'full'"]),
            pick(&mut knobs, &["", ", ragged => 'pad'", ", ragged => 'truncate'", ", nulls => ['x', '']"]),
            pick(&mut knobs, &["", "", "", ", decimal_separator => ','", ", encoding => 'latin-1'"]),
        ];
        let options = options.concat();
        let before = bench.restarts();
        let strict = bench.same_in_pieces(&format!("FROM read_csv({{}}{options})"));
        // A value that is not of a guessed type widens it, or is left out.
        let guessed = bench.restarts() > before;
        let lax = bench.same_in_pieces(&format!("FROM read_csv({{}}{options}, on_error => 'reject')"));
        let nulls = bench.same_in_pieces(&format!("SELECT count(*) FROM read_csv({{}}{options}, on_error => 'null')"));
        if let (Ok(strict), Ok(lax), false) = (&strict, &lax, guessed) {
            assert_eq!(strict, lax, "nothing was to be left out{options}");
        }
        if let (Ok(strict), Ok(nulls)) = (&strict, &nulls) {
            assert_eq!(nulls, &[strict.len().to_string()], "{options}");
        }
        let _ = bench.rows(&bench.whole, "FROM sniff_csv({})");
    });
}

fn json_inputs() -> Inputs {
    let tokens = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\u0000",
        "\\ud800",
        "\\udc00",
        "\\",
        "null",
        "true",
        "1e400",
        "-0",
        "123456789012345678901",
        "0.1",
        "\n",
        "\r",
        " ",
        "\u{feff}",
        "{\"a\":",
        "[[[[[[[[",
        "\"a\":1,\"a\":2",
        "\0",
        "\u{1f600}",
        "/*",
    ];
    Inputs::new(&tokens)
        .of_text()
        .seed("[{\"a\": 1, \"b\": [1, null, {\"c\": \"x\"}]},\n {\"a\": \"two\", \"d\": {\"e\": 1.5}}]")
        .seed("{\"rows\": [{\"a\": 1}, {\"a\": 2}], \"next\": null}")
        .seed("{\"a\": 1}\n{\"a\": [1]}\n\n{\"b\": {\"c\": 1e10}}\n")
        .seed("1\n\"x\"\n[1,2]\n")
        .seed("")
        .shared("json/JSONTestSuite", &[".json"], 120)
}

#[test]
fn json() {
    let bench = Bench::new("input.json");
    fuzz!(json_inputs(), move |bytes: &[u8], knobs: u64| {
        bench.write(bytes);
        let mut knobs = knobs;
        let format = pick(&mut knobs, &["", "", ", format => 'newline_delimited'", ", format => 'array'"]);
        let more = pick(&mut knobs, &["", "", ", sample_size => 2", ", infer => 'full'"]);
        let before = bench.restarts();
        let strict = bench.same_in_pieces(&format!("FROM read_json({{}}{format}{more})"));
        let guessed = bench.restarts() > before;
        let lax = bench.same_in_pieces(&format!("FROM read_json({{}}{format}{more}, on_error => 'reject')"));
        if let (Ok(strict), Ok(lax), false) = (&strict, &lax, guessed) {
            assert_eq!(strict, lax, "nothing was to be left out{format}{more}");
        }
        if let Ok(rows) = &strict {
            let counted = bench.same_in_pieces(&format!("SELECT count(*) FROM read_json({{}}{format}{more})"));
            assert_eq!(counted, Ok(vec![rows.len().to_string()]));
        }
    });
}

const LOGS: &[&str] = &[
    "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /a?b=c HTTP/1.0\" 200 2326 \"http://x/\" \"Mozilla/4.08 [en]\"\n",
    "<165>1 2003-10-11T22:14:15.003Z host app 111 ID47 [ex@1 a=\"b\\\"c\"] message\n",
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed\nOct 12 00:00:00 host app[1]: text\n",
    "level=info ts=2024-01-02T03:04:05Z msg=\"a \\\"b\\\"\" n=5\nlevel=warn msg=x\n",
    "#Fields: date time c-ip cs-method sc-status\n2024-01-02 03:04:05 1.2.3.4 GET 200\n",
    "#separator \\x09\n#fields\tts\tuid\tn\n#types\ttime\tstring\tcount\n1.5\tC1\t3\n",
    "[Wed Oct 11 14:32:52.123456 2000] [core:error] [pid 1:tid 2] [client 1.2.3.4:5] AH1: text\n",
    "2024/01/02 03:04:05 [error] 1#2: *3 open() failed, client: 1.2.3.4, server: x, request: \"GET / HTTP/1.1\"\n",
    "2024-02-29 12:30:15,123 INFO [main] a.b.C - ready\njava.lang.X: y\n\tat a.b.C(C.java:1)\n2024-02-29 12:30:16,000 WARN x\n",
    "https 2018-07-02T22:23:00.186641Z app/lb/1 1.2.3.4:2817 10.0.0.1:80 0.08 0.02 0.0 200 200 34 366 \"GET https://x:443/ HTTP/1.1\" \"curl\" - - arn:x \"Root=1\" \"x\" \"y\" 0 2018-07-02T22:22:48.364000Z \"forward\" \"-\" \"-\" \"-\" \"-\" \"-\" \"-\"\n",
    "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=hello\n_PID=5\n\n__CURSOR=s=2\nMESSAGE=x\n",
    "{\"time\": \"2024-01-02T03:04:05Z\", \"level\": \"info\", \"msg\": \"x\"}\n",
    "a=1 b=\"two words\" c=\n",
    "text without form\nmore of it\n",
];

#[test]
fn logs() {
    let bench = Bench::new("input.log");
    let tokens = [
        "\"",
        "[",
        "]",
        "=",
        " ",
        "\n",
        "\t",
        "<34>",
        "- ",
        "\\",
        "#Fields: ",
        "2024-02-30T25:61:61Z",
        "\0",
        "\u{fffd}",
        "\r\n",
    ];
    let inputs = Inputs::new(&tokens).of_text().seeds(LOGS.iter().copied());
    let inputs = inputs.shared("logs/filebeat", &[".log"], 40).shared("logs/zeek", &[".log"], 20);
    fuzz!(inputs, move |bytes: &[u8], knobs: u64| {
        bench.write(bytes);
        let formats = [
            "",
            "",
            "json",
            "zeek",
            "w3c",
            "journal",
            "combined",
            "alb",
            "elb",
            "syslog5424",
            "apache_error",
            "nginx_error",
            "syslog",
            "logfmt",
            "kv",
            "messages",
            "%{IP:client} %{WORD:verb} %{GREEDYDATA:rest}",
            "(?<a>\\\\w+)=(?<b>.*)",
        ];
        let mut knobs = knobs;
        let format = pick(&mut knobs, &formats);
        let format = if format.is_empty() { String::new() } else { format!(", format => '{format}'") };
        let _ = bench.same_in_pieces(&format!("FROM read_log({{}}{format})"));
    });
}

#[test]
fn patterns_of_logs() {
    let bench = Bench::new("input.log");
    let tokens = [
        "%{",
        "}",
        ":",
        "IP",
        "GREEDYDATA",
        "(?<a>",
        ")",
        "*",
        "+",
        "{1000}",
        "[",
        "]",
        "|",
        "\\d",
        "(?:",
        "\\p{L}",
        "^",
        "$",
    ];
    let inputs = Inputs::new(&tokens)
        .seed("%{IP:client} %{WORD:verb} %{URIPATHPARAM:path} %{NUMBER:bytes:int}")
        .seed("%{COMBINEDAPACHELOG}")
        .seed("(?<day>\\d{4}-\\d{2}-\\d{2}) (?<rest>.*)")
        .seed("%{TIMESTAMP_ISO8601:ts} %{LOGLEVEL:level} (?:%{GREEDYDATA:m})?");
    fuzz!(inputs, move |bytes: &[u8], _: u64| {
        bench.write(LOGS.concat().as_bytes());
        let Ok(pattern) = std::str::from_utf8(bytes) else { return };
        let format = pattern.replace('\'', "''").replace('\0', "");
        let _ = bench.rows(&bench.whole, &format!("FROM read_log({{}}, format => '{format}')"));
    });
}

#[test]
fn encodings() {
    let bench = Bench::new("input.txt");
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let inputs = Inputs::new(&["\u{feff}", "\0", "\n", "\r\n", "é", "\u{1f600}"])
        .seed("plain\ntext\n")
        .seed("Grüße\n日本語\n\u{1f600}\n")
        .seed(utf16("\u{feff}a,b\n1,é\n"))
        .seed(utf16("a,b\n1,2\n"))
        .seed(b"\xfe\xff\0a\0\n".as_slice())
        .seed(b"\x83\x65\x83\x58\x83\x67,\xb1\n".as_slice())
        .seed(b"\x1b$B%F%9\x1b(B\n".as_slice());
    fuzz!(inputs, move |bytes: &[u8], knobs: u64| {
        bench.write(bytes);
        let names = [
            "auto",
            "utf-8",
            "utf-16",
            "utf-16be",
            "latin-1",
            "windows-1251",
            "shift_jis",
            "gb18030",
            "euc-kr",
            "iso-2022-jp",
        ];
        let mut knobs = knobs;
        let encoding = pick(&mut knobs, &names);
        let lines = bench.same_in_pieces(&format!("FROM read_text({{}}, encoding => '{encoding}')"));
        let again = bench.same_in_pieces(&format!("SELECT count(*) FROM read_text({{}}, encoding => '{encoding}')"));
        if let (Ok(lines), Ok(again)) = (lines, again) {
            assert_eq!(again, [lines.len().to_string()], "{encoding}");
        }
        let _ = bench.same_in_pieces(&format!("FROM read_csv({{}}, encoding => '{encoding}', header => false)"));
    });
}

#[test]
fn compressed() {
    let bench = Bench::new("input.packed");
    let dir = tempfile::tempdir().unwrap();
    let sql = "SELECT range AS id, 'text ' || (range * 7919 % 1000) AS t FROM range(800)";
    let kinds = ["gzip", "zstd", "bzip2", "xz", "lz4", "snappy"];
    let packed = kinds.map(|kind| written(dir.path(), kind, sql, &format!("(FORMAT csv, COMPRESSION '{kind}')")));
    let empty = {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"").unwrap();
        packer.finish().unwrap()
    };
    let inputs = Inputs::new(&["\u{1f}\u{8b}\u{8}", "\0\0\0\0", "BZh9"]).seeds(packed).seed(empty);
    fuzz!(inputs, move |bytes: &[u8], knobs: u64| {
        bench.write(bytes);
        let mut knobs = knobs;
        let said = pick(
            &mut knobs,
            &["", "", "", ", compression => 'gzip'", ", compression => 'zstd'", ", compression => 'xz'"],
        );
        let once = bench.rows(&bench.whole, &format!("FROM read_text({{}}{said})"));
        assert_eq!(once, bench.rows(&bench.pieces, &format!("FROM read_text({{}}{said})")), "{said}");
        let _ = bench.same_in_pieces(&format!("FROM read_csv({{}}, on_error => 'reject'{said})"));
    });
}

/// A table of many types, for formats that have them.
const TYPES: &str = "SELECT range AS i, range::SMALLINT AS s, (range * 1.5)::DOUBLE AS f, (range / 7)::DECIMAL(12, 3) AS d, \
    CASE WHEN range % 3 = 0 THEN NULL ELSE 'text ' || range END AS t, range % 2 = 0 AS b, \
    DATE '2024-01-01' + range::INT AS day, TIMESTAMP '2024-01-01 00:00:00' AS at, [range, NULL] AS l, \
    {'a': range, 'b': 'x' || range} AS r, encode('x' || range) AS bytes FROM range(300) AS t(range)";

#[test]
fn parquet() {
    let bench = Bench::new("input.parquet");
    let dir = tempfile::tempdir().unwrap();
    let kinds = [
        "(row_group_size 100)",
        "(COMPRESSION 'snappy')",
        "(COMPRESSION 'gzip', row_group_size 50)",
        "(COMPRESSION 'none')",
    ];
    let made = kinds.map(|options| written(dir.path(), "made.parquet", TYPES, options));
    let small = written(dir.path(), "small.parquet", "SELECT 1 AS a, 'x' AS b", "(COMPRESSION 'none')");
    let inputs = Inputs::new(&["PAR1", "\0\0\0\0", "\u{7f}\u{7f}\u{7f}\u{7f}"]).seeds(made).seed(small);
    let inputs = inputs.shared("fuzz/arrow-parquet", &[], 100).shared("parquet/parquet-testing", &[".parquet"], 60);
    fuzz!(inputs, move |bytes: &[u8], knobs: u64| read_typed(&bench, bytes, knobs));
}

#[test]
fn arrow() {
    let bench = Bench::new("input.arrow");
    let dir = tempfile::tempdir().unwrap();
    let kinds = ["", "(COMPRESSION 'zstd')", "(COMPRESSION 'lz4')", "(CONTAINER 'stream')"];
    let made = kinds.map(|options| written(dir.path(), "made.arrow", TYPES, options));
    let small = written(dir.path(), "small.arrow", "SELECT 1 AS a, 'x' AS b", "");
    let inputs = Inputs::new(&["ARROW1", "\0\0\0\0", "\u{7f}\u{7f}\u{7f}\u{7f}"]).seeds(made).seed(small);
    fuzz!(inputs, move |bytes: &[u8], _: u64| {
        bench.write(bytes);
        let _ = bench.same_in_pieces("FROM {}");
        let _ = bench.rows(&bench.whole, "SELECT count(*) FROM {} WHERE i > 5");
    });
}

/// Programs and inputs of jq's manual.
fn jq_cases() -> Vec<(String, String)> {
    let text = std::fs::read_to_string("testdata/jq/manual.txt").unwrap();
    let cases = text.split("\n\n").filter_map(|case| {
        let mut lines = case.lines().filter(|line| !line.starts_with('#'));
        Some((lines.next()?.to_string(), lines.next()?.to_string()))
    });
    cases.collect()
}

#[test]
fn jq_programs() {
    let tokens = [
        "|",
        ",",
        ".[]",
        "..",
        ".a",
        "?",
        "//",
        "reduce ",
        "foreach ",
        " as $x ",
        "def f: ",
        "; ",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "try ",
        "@base64",
        "limit(3; ",
        "\"\\(",
        ")\"",
        "input",
        "$__loc__",
        "label $out | ",
        "break $out",
        "if ",
        " then ",
        " else ",
        " end",
        "-1",
        "1e9",
        "tojson",
        "splits(\"a\")",
        "test(\"(\")",
        "range(10)",
        "path(..)",
        "|= ",
        "+= 1",
        "getpath([\"a\",0])",
        "ltrimstr(\"x\")",
        "implode",
        "fromjson",
    ];
    let cases = jq_cases();
    assert!(cases.len() > 50);
    let inputs = Inputs::new(&tokens).seeds(cases.into_iter().map(|(program, input)| format!("{program}\n{input}")));
    let session = Session::builder().memory("64MiB").unwrap().threads(1).build().unwrap();
    fuzz!(inputs, move |bytes: &[u8], _: u64| {
        let text = String::from_utf8_lossy(bytes);
        let (program, input) = text.rsplit_once('\n').unwrap_or((&text, "null"));
        let (one, program, input) = (session.clone(), program.to_string(), input.to_string());
        let answer = in_time(&session, move || {
            let program = Jq::new(format!("fromjson | ({program})"));
            Bag::from_iter(&one, [input], 1).jq(program).and_then(|bag| bag.collect())
        });
        let _ = judged(&session, &text, answer);
    });
}

#[test]
fn jq_inputs() {
    let session = Session::builder().memory("64MiB").unwrap().threads(1).inline(true).build().unwrap();
    let programs = [
        ".",
        ".a",
        ".[]?",
        "..",
        "keys?",
        "tojson | fromjson",
        "select(.a > 1)",
        "{a, b: .c.d?}",
        "[.[]? | length?]",
        "to_entries?",
        "tostring",
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("input.jsonl");
    fuzz!(json_inputs(), move |bytes: &[u8], knobs: u64| {
        let mut knobs = knobs;
        let program = pick(&mut knobs, &programs);
        std::fs::write(&path, bytes).unwrap();
        let name = path.display().to_string();
        let ours = session.read_jq(&name, program, &TextOptions::default()).and_then(|bag| bag.collect());
        let apart = session.read_json_lines::<Json>(&name);
        let apart = apart.and_then(|items| items.jq(program)).and_then(|bag| bag.collect());
        let text = |items: Vec<Json>| items.iter().map(|item| item.as_str().to_string()).collect::<Vec<_>>();
        let ours = judged(&session, program, ours).map(text);
        let apart = judged(&session, program, apart).map(text);
        if let (Ok(ours), Ok(apart)) = (ours, apart) {
            assert_eq!(ours, apart, "{program}");
        }
    });
}

/// The queries of our own scripts.
fn statements() -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("testdata/sql").unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for case in text.split("\n\n").filter(|case| case.starts_with("query") || case.starts_with("statement")) {
            let sql: Vec<&str> = case.lines().skip(1).take_while(|line| *line != "----").collect();
            found.push(sql.join("\n"));
        }
    }
    found.sort();
    found
}

#[test]
fn sql() {
    let tokens = [
        "SELECT ",
        " FROM t ",
        " WHERE ",
        " GROUP BY ALL ",
        " ORDER BY ",
        " LIMIT 1 ",
        "(",
        ")",
        ",",
        "'",
        "\"",
        "/*",
        "--",
        ";",
        "$1",
        "::INT",
        " OVER ()",
        "[",
        "]",
        "{'a': ",
        "}",
        " UNION ALL ",
        " EXCEPT ",
        " IN (",
        "NOT ",
        "NULL",
        "CASE WHEN ",
        " END",
        "*",
        "COLUMNS('a')",
        " QUALIFY ",
        "x -> x + 1",
        "INTERVAL 1 DAY",
        "1e400",
        "99999999999999999999999999999999999999999",
        "WITH RECURSIVE r AS (",
        " PIVOT ",
        " LATERAL ",
        "unnest(",
        "e'\\x'",
        "\0",
    ];
    let inputs = Inputs::new(&tokens).seeds(statements()).shared("fuzz/duckdb-ossfuzz", &[], 60);
    assert!(inputs.seeds.len() > 100);
    let session = Session::builder().memory("64MiB").unwrap().threads(1).build().unwrap();
    session.execute("CREATE TABLE t AS SELECT range AS a, 'x' || range AS b, range * 1.5 AS c FROM range(20)").unwrap();
    fuzz!(inputs, move |bytes: &[u8], _: u64| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        // Files are other targets; standard input would be waited for, and a server.
        let lower = text.to_lowercase();
        if ["://", "/dev", "'-'", "\"-\"", "copy", "export", "import", "attach"].iter().any(|word| lower.contains(word))
        {
            return;
        }
        let (one, sql) = (session.clone(), text.clone());
        let answer = in_time(&session, move || one.sql(&sql).and_then(|frame| frame.count()));
        let _ = judged(&session, &text, answer);
    });
}

/// A file with columns of [`TYPES`] (or none of it): all rows, their number, and some of them.
fn read_typed(bench: &Bench, bytes: &[u8], mut knobs: u64) {
    bench.write(bytes);
    let all = bench.same_in_pieces("FROM {}");
    let counted = bench.rows(&bench.whole, "SELECT count(*) FROM {}");
    if let (Ok(all), Ok(counted)) = (&all, &counted) {
        assert_eq!(counted, &[all.len().to_string()]);
    }
    let filter = pick(&mut knobs, &["i = 7", "t = 'text 10'", "i > 250 AND b", "a < 5", "day IS NULL", "f < 3"]);
    let _ = bench.same_in_pieces(&format!("SELECT * FROM {{}} WHERE {filter}"));
}

#[test]
fn avro() {
    let bench = Bench::new("input.avro");
    let dir = tempfile::tempdir().unwrap();
    let kinds = ["", "(COMPRESSION 'deflate')", "(COMPRESSION 'zstd')", "(COMPRESSION 'none')"];
    let made = kinds.map(|options| written(dir.path(), "made.avro", TYPES, options));
    let small = written(dir.path(), "small.avro", "SELECT 1 AS a, 'x' AS b", "(COMPRESSION 'none')");
    let inputs = Inputs::new(&[
        "Obj\u{1}",
        "avro.schema",
        "avro.codec",
        "\"null\"",
        "\"long\"",
        "\0\0",
        "\u{2}",
        "\u{7f}\u{7f}",
    ]);
    let inputs = inputs.seeds(made).seed(small).files("testdata", &[".avro"]);
    fuzz!(inputs, move |bytes: &[u8], knobs: u64| read_typed(&bench, bytes, knobs));
}
