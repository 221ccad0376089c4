//! Files behind http(s) and in S3-compatible stores, against a server that the test starts and that misbehaves as it is
//! told. What is asked of it is counted.
#![cfg(feature = "remote")]

mod remote {
    pub mod server;
}

use parquet::file::reader::{FileReader, SerializedFileReader};
use partita::prelude::*;
use partita::{Place, Session, SessionBuilder};
use remote::server::{Asked, How, Server};
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

fn session() -> Session {
    Session::builder().memory("64MiB").unwrap().threads(2).build().unwrap()
}

/// A session that gives up soon.
fn hasty() -> Session {
    let session = session();
    session.execute("SET http_retries = 2; SET http_timeout = 1").unwrap();
    session
}

/// A session that reads in small splits.
fn piecemeal(builder: SessionBuilder) -> Session {
    let tuning = partita::config::Tuning { split_bytes: 100_000, ..Default::default() };
    builder.memory("64MiB").unwrap().tuning(tuning).build().unwrap()
}

fn rows(session: &Session, sql: &str) -> Vec<String> {
    session.sql(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}")).lines().unwrap_or_else(|e| panic!("{sql}: {e:?}"))
}

fn failure(session: &Session, sql: &str) -> Error {
    match session.sql(sql).and_then(|frame| frame.lines()) {
        Ok(rows) => panic!("{sql} gave {} rows", rows.len()),
        Err(e) => e,
    }
}

/// A CSV with quotes, separators and newlines in its values.
fn csv(rows: usize) -> String {
    let mut text = String::from("id,name,amount\n");
    for i in 0..rows {
        writeln!(text, "{i},\"line {i}\nof \"\"{}\"\", quoted\",{}.5", i % 7, i * 3 % 1000).unwrap();
    }
    text
}

fn ndjson(rows: usize) -> String {
    (0..rows)
        .map(|i| format!("{{\"id\": {i}, \"tags\": [\"t{}\", null], \"deep\": {{\"x\": {}.25}}}}\n", i % 5, i))
        .collect()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// The file that a query makes.
fn made(dir: &Path, name: &str, sql: &str, options: &str) -> Vec<u8> {
    let path = dir.join(name);
    session().execute(&format!("COPY ({sql}) TO '{}' {options}", path.display())).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn every_format_gives_what_it_gives_here() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start();
    let some = "SELECT range AS id, range % 7 AS k, 'name ' || range AS name FROM range(5000)";
    let files = [
        ("a.csv", csv(5000).into_bytes()),
        ("b.csv.gz", gzipped(csv(5000).as_bytes())),
        ("c.jsonl", ndjson(5000).into_bytes()),
        ("d.parquet", made(dir.path(), "made.parquet", some, "")),
        ("e.arrow", made(dir.path(), "made.arrow", some, "")),
        ("access.log", std::fs::read("testdata/access.log").unwrap()),
        ("empty.csv", Vec::new()),
        ("f.json", format!("[{}]", ndjson(300).trim_end().replace('\n', ",")).into_bytes()),
    ];
    for how in [How::Well, How::Whole] {
        for (name, bytes) in &files {
            let local = dir.path().join(name);
            std::fs::write(&local, bytes).unwrap();
            let url = server.put(&format!("/{how:?}/{name}"), bytes.clone(), how);
            let by_ranges = name.ends_with("parquet") || name.ends_with("arrow");
            for threads in [1, 2] {
                let session = piecemeal(Session::builder().threads(threads));
                if how == How::Whole && by_ranges {
                    let error = failure(&session, &format!("FROM '{url}'"));
                    assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
                    assert!(error.message().contains("knows no ranges"), "{error}");
                    continue;
                }
                if *name == "empty.csv" {
                    let both = [url.clone(), local.display().to_string()].map(|name| {
                        session.sql(&format!("FROM read_csv('{name}')")).and_then(|f| f.lines()).map_err(|e| e.kind())
                    });
                    assert_eq!(both[0], both[1]);
                    continue;
                }
                let there = rows(&session, &format!("FROM '{url}'"));
                let here = rows(&session, &format!("FROM '{}'", local.display()));
                assert!(!here.is_empty() && there == here, "{name} {how:?}: {} {}", there.len(), here.len());
            }
        }
    }
}

#[test]
fn readers_of_the_library_take_addresses() {
    let server = Server::start();
    let url = server.put("/x/lines.txt", "one\ntwo\n\nfour\n", How::Well);
    let session = session();
    assert_eq!(session.read_text(&url).unwrap().count().unwrap(), 4);
    assert_eq!(session.read_text_rows(&url).unwrap().lines().unwrap()[1], format!("two|4|{url}"));
    let url = server.put("/x.jsonl?v=1", "", How::Well);
    server.put("/x.jsonl", ndjson(10), How::Well);
    assert_eq!(session.read_json(&url).unwrap().count().unwrap(), 10);
    assert_eq!(session.read_jq(&url, ".id", &TextOptions::default()).unwrap().count().unwrap(), 10);
    session.register_file("t", &url).unwrap();
    assert_eq!(rows(&session, "SELECT max(t.id) FROM t"), ["9"]);
    // The name of the file qualifies columns, and is what `filename` says.
    assert_eq!(rows(&session, &format!("SELECT max(x.id) FROM '{url}'")), ["9"]);
    assert_eq!(rows(&session, &format!("SELECT DISTINCT filename FROM read_json('{url}', filename => true)")), [url]);
    let csv = server.put("/sniffed.csv", "a;b\n1;2\n", How::Well);
    assert_eq!(rows(&session, &format!("SELECT \"Delimiter\" FROM sniff_csv('{csv}')")), [";"]);
}

#[test]
fn splits_are_read_by_ranges_and_nothing_twice() {
    let server = Server::start();
    let text = csv(60_000);
    let size = text.len();
    let url = server.put("/big.csv", text, How::Well);
    let session = piecemeal(Session::builder().threads(2));
    assert_eq!(rows(&session, &format!("SELECT count(*), sum(id) FROM '{url}'")), ["60000|1799970000"]);
    let asked = server.take();
    assert!(asked.len() > 10 && asked.iter().all(|a| a.status == 206 && a.range.is_some()), "{asked:#?}");
    // A block may come again that was given up for others; most do not.
    let sent: usize = asked.iter().map(|a| a.sent).sum();
    assert!(sent < size * 3 / 2, "{sent} bytes were sent for {size}");
}

/// Where the chunks of a column and the footer are.
fn places(bytes: &[u8], column: &str) -> Vec<Range<u64>> {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    let chunks = reader.metadata().row_groups().iter().flat_map(|g| g.columns().iter());
    let of = chunks.filter(|c| c.column_path().string() == column).map(|c| {
        let (start, length) = c.byte_range();
        start..start + length
    });
    of.chain([bytes.len() as u64 - (64 << 10)..bytes.len() as u64, 0..1]).collect()
}

fn lies_in(asked: &Asked, places: &[Range<u64>]) -> bool {
    let Some((from, to)) = asked.range else { return false };
    places.iter().any(|place| place.start <= from && to < place.end)
}

#[test]
fn parquet_reads_its_footer_and_the_wanted_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let columns: Vec<String> = (0..20).map(|c| format!("hash(range * {c} + 1) AS c{c}")).collect();
    let sql = format!("SELECT range AS id, {} FROM range(100000)", columns.join(", "));
    let bytes = made(dir.path(), "wide.parquet", &sql, "(row_group_size 25000)");
    let wanted = places(&bytes, "c7");
    let server = Server::start();
    for (threads, memory) in [(1, "64MiB"), (2, "1GiB")] {
        let url = server.put("/wide.parquet", bytes.clone(), How::Well);
        let session = Session::builder().memory(memory).unwrap().threads(threads).build().unwrap();
        assert_eq!(rows(&session, &format!("SELECT count(c7), count(DISTINCT c7) FROM '{url}'")), ["100000|100000"]);
        let asked = server.take();
        for one in &asked {
            assert!(lies_in(one, &wanted), "{one:?} is none of {wanted:?}");
        }
        let sent: usize = asked.iter().map(|a| a.sent).sum();
        assert!(sent < bytes.len() / 8, "{sent} of {}", bytes.len());
    }
}

#[test]
fn parquet_leaves_out_row_groups_and_pages() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "SELECT range AS id, hash(range) AS a, 'text ' || hash(range + 1) AS b FROM range(200000)";
    let bytes = made(dir.path(), "sorted.parquet", sql, "(row_group_size 50000)");
    let server = Server::start();
    let url = server.put("/sorted.parquet", bytes.clone(), How::Well);
    let local = dir.path().join("sorted.parquet");
    let session = session();
    for filter in ["id = 77777", "id BETWEEN 60000 AND 60100", "b LIKE '%123%' AND id < 30000"] {
        let query = |name: &str| format!("SELECT count(*), sum(a % 1000), max(b) FROM '{name}' WHERE {filter}");
        assert_eq!(rows(&session, &query(&url)), rows(&session, &query(&local.display().to_string())), "{filter}");
        let sent: usize = server.take().iter().map(|a| a.sent).sum();
        assert!(sent < bytes.len() / 2, "{filter}: {sent} of {}", bytes.len());
    }
    assert_eq!(rows(&session, &format!("SELECT count(*) FROM '{url}'")), ["200000"]);
    let counted: usize = server.take().iter().map(|a| a.sent).sum();
    assert!(counted <= 200 << 10, "{counted} bytes for a count that the footer knows");
}

#[test]
fn a_tight_budget_holds_and_gives_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let columns: Vec<String> = (0..12).map(|c| format!("hash(range + {c}) AS c{c}")).collect();
    let sql = format!("SELECT range AS id, {} FROM range(300000)", columns.join(", "));
    let bytes = made(dir.path(), "large.parquet", &sql, "");
    let server = Server::start();
    let url = server.put("/large.parquet", bytes, How::Well);
    let session = Session::builder().memory("64MiB").unwrap().threads(2).build().unwrap();
    let all: Vec<String> = (0..12).map(|c| format!("count(c{c})")).collect();
    let wanted = ["300000"; 12].join("|");
    assert_eq!(rows(&session, &format!("SELECT {} FROM '{url}'", all.join(", "))), [wanted]);
    let stats = session.stats();
    assert!(stats.peak_account <= stats.budget, "{stats:?}");
}

#[test]
fn what_the_server_refuses_is_said() {
    let server = Server::start();
    let session = hasty();
    let signed = "?X-Amz-Signature=hush&v=1";
    for (path, how, kind, says) in [
        ("/gone.csv", None, ErrorKind::Query, "no such file (status 404)"),
        ("/403.csv", Some(How::Status(403)), ErrorKind::Io, "denied (status 403): Refused, This is the reason."),
        ("/401.csv", Some(How::Status(401)), ErrorKind::Io, "status 401"),
        ("/400.csv", Some(How::Status(400)), ErrorKind::Io, "answered 400"),
        ("/500.csv", Some(How::Status(500)), ErrorKind::Io, "answered 500"),
        ("/torn.csv", Some(How::BreaksOff(usize::MAX)), ErrorKind::Io, "http"),
        ("/short.csv", Some(How::Short), ErrorKind::Io, "http"),
        ("/half.csv", Some(How::HalfOfWhole), ErrorKind::Io, "http"),
        ("/slow.csv", Some(How::Hangs(0)), ErrorKind::Io, "did not answer in time"),
    ] {
        let url = server.url(path);
        if let Some(how) = how {
            server.put(path, csv(20), how);
        }
        let error = failure(&session, &format!("SELECT count(*) FROM '{url}{signed}'"));
        let text = format!("{error} {error:?}");
        assert_eq!(error.kind(), kind, "{path}: {text}");
        assert!(text.contains(says) && text.contains(path), "{path}: {text}");
        assert!(!text.contains("hush") && !text.contains("LEAKED"), "{path}: {text}");
        assert!(error.advice().is_some(), "{path}: {text}");
    }
    let nobody = failure(&session, "FROM 'http://127.0.0.1:1/x.csv'");
    assert!(nobody.kind() == ErrorKind::Io && nobody.message().contains("cannot be reached"), "{nobody}");
}

#[test]
fn what_fails_for_a_moment_is_tried_again() {
    let server = Server::start();
    for how in [How::StatusFirst(500, 2), How::StatusFirst(503, 1), How::BreaksOff(2)] {
        let url = server.put("/x.csv", csv(100), how);
        let asked_before = server.take().len();
        assert_eq!(rows(&hasty(), &format!("SELECT count(*) FROM '{url}'")), ["100"], "{how:?}");
        assert!(server.take().len() > 1, "{how:?} {asked_before}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let sql = "SELECT range AS id, hash(range) AS a FROM range(200000)";
    let parquet = made(dir.path(), "x.parquet", sql, "(row_group_size 20000)");
    for how in [How::Changes(2), How::ChangesUnasked(2)] {
        for (path, bytes) in [("/x.csv", csv(60_000).into_bytes()), ("/x.parquet", parquet.clone())] {
            let url = server.put(path, bytes, how);
            let error = failure(&piecemeal(Session::builder().threads(2)), &format!("SELECT sum(id) FROM '{url}'"));
            assert!(error.message().contains("changed while it was read"), "{how:?} {path}: {error:?}");
            assert_eq!(error.kind(), ErrorKind::Data, "{how:?} {path}: {error:?}");
        }
    }
    // Without a tag, the size and the time tell.
    let url = server.put_untagged("/y.csv", csv(10), How::Well);
    assert_eq!(rows(&session(), &format!("SELECT count(*) FROM '{url}'")), ["10"]);
}

#[test]
fn a_file_that_changed_between_queries_is_read_anew() {
    let server = Server::start();
    let session = session();
    let url = server.put("/x.csv", "a\n1\n", How::Well);
    assert_eq!(rows(&session, &format!("SELECT a FROM '{url}'")), ["1"]);
    server.take();
    assert_eq!(rows(&session, &format!("SELECT a FROM '{url}'")), ["1"]);
    assert!(server.take().len() <= 2, "one look, and the rows where they are not here any more");
    server.put("/x.csv", "a\n5\n6\n", How::Well);
    assert_eq!(rows(&session, &format!("SELECT a FROM '{url}'")), ["5", "6"]);
}

#[test]
fn a_server_without_ranges_is_asked_once() {
    let server = Server::start();
    let session = session();
    let url = server.put("/x.csv", csv(30_000), How::Whole);
    for _ in 0..2 {
        assert_eq!(rows(&session, &format!("SELECT count(*), sum(id) FROM '{url}'")), ["30000|449985000"]);
    }
    let whole = server.take().iter().filter(|a| a.range.is_none()).count();
    assert_eq!(whole, 1);
}

#[test]
fn a_sample_that_was_wrong_starts_over() {
    let server = Server::start();
    let mut text = String::from("a\n");
    (0..400_000).for_each(|i| writeln!(text, "{i}").unwrap());
    text.insert_str(text.len() / 3, "\nx\n");
    for how in [How::Well, How::Whole] {
        let url = server.put(&format!("/{how:?}.csv"), text.clone(), how);
        let session = piecemeal(Session::builder().threads(2));
        let counted = rows(&session, &format!("SELECT count(*) FROM '{url}' WHERE a::VARCHAR = 'x'"));
        assert_eq!(counted, ["1"], "{how:?}");
    }
}

#[test]
fn a_bucket_is_listed_and_read() {
    let server = Server::start();
    let dir = tempfile::tempdir().unwrap();
    for i in 0..8 {
        server.put(&format!("/bucket/dir/part-{i}.csv"), format!("a\n{i}\n"), How::Well);
        server.put(&format!("/bucket/keys/k={i}/x.csv"), format!("a\n{i}\n"), How::Well);
        let one = made(dir.path(), "one.parquet", &format!("SELECT {i} AS n"), "");
        server.put(&format!("/bucket/dir/p{i}.parquet"), one, How::Well);
    }
    server.put("/bucket/dir/_SUCCESS", "", How::Well);
    server.put("/bucket/dir/.hidden.csv", "b\n1\n", How::Well);
    server.put("/bucket/all/1.csv", "a\n1\n", How::Well);
    server.put("/bucket/all/sub/2.csv", "a\n2\n", How::Well);
    let session = session();
    session.execute(&format!("SET s3_endpoint = '{}'", server.endpoint())).unwrap();
    for (sql, answer) in [
        ("SELECT sum(a), count(*) FROM 's3://bucket/dir/*.csv'", "28|8"),
        ("SELECT sum(n) FROM read_parquet('s3://bucket/dir/p?.parquet')", "28"),
        ("SELECT sum(a) FROM 's3://bucket/dir/part-{1,3}.csv'", "4"),
        ("SELECT sum(a + k), count(*) FROM 's3://bucket/keys/*/x.csv' WHERE k > 5", "26|2"),
        ("SELECT a FROM 's3://bucket/dir/part-5.csv'", "5"),
        ("SELECT sum(a) FROM read_csv('s3://bucket/all/')", "3"),
        ("SELECT sum(a) FROM read_csv('s3://bucket/all')", "3"),
        ("SELECT sum(a) FROM read_csv('s3://bucket/all/**/*.csv')", "3"),
        ("SELECT sum(a) FROM read_csv(['s3://bucket/all/1.csv', 's3a://bucket/all/sub/2.csv'])", "3"),
    ] {
        assert_eq!(rows(&session, sql), [answer], "{sql}");
    }
    let asked = server.take();
    assert!(asked.iter().all(|a| !a.signed), "without keys nothing is signed");
    for (name, says) in
        [("s3://bucket/none.csv", "none.csv"), ("s3://bucket/*.tsv", "no file matches"), ("s3:///x", "bucket")]
    {
        let error = failure(&session, &format!("FROM '{name}'"));
        assert!(error.kind() == ErrorKind::Query && format!("{error}").contains(says), "{name}: {error}");
    }
}

#[test]
fn keys_sign_and_are_never_shown() {
    let server = Server::start();
    server.put("/bucket/x.csv", "a\n1\n", How::Well);
    server.put("/bucket/refused.csv", "a\n1\n", How::Status(403));
    let session = hasty();
    let set = format!(
        "SET s3_endpoint = '{}'; SET s3_region = 'eu-north-1'; SET s3_access_key_id = 'AKIAQUIET'; \
         SET s3_secret_access_key = 'very-quiet'; SET s3_session_token = 'quiet-too'",
        server.endpoint()
    );
    for statement in session.statements(&set).unwrap() {
        let partita::Outcome::Done(said) = session.run(&statement).unwrap() else { panic!("rows") };
        assert!(!said.contains("quiet") && !said.contains("QUIET"), "{said}");
    }
    assert_eq!(rows(&session, "FROM 's3://bucket/x.csv'"), ["1"]);
    assert!(server.take().iter().all(|a| a.signed));
    let error = failure(&session, "FROM 's3://bucket/refused.csv'");
    let text = format!("{error} {error:?}");
    assert!(text.contains("AWS_ACCESS_KEY_ID") && text.contains("s3://bucket/refused.csv"), "{text}");
    assert!(!text.contains("quiet") && !text.contains("QUIET") && !text.contains("LEAKED"), "{text}");
    // Another setting, another store.
    server.take();
    session.execute("RESET s3_access_key_id; RESET s3_secret_access_key; RESET s3_session_token").unwrap();
    assert_eq!(rows(&session, "FROM 's3://bucket/x.csv'"), ["1"]);
    assert!(server.take().iter().all(|a| !a.signed));
}

/// A session that writes to the buckets of a server.
fn writing(server: &Server) -> Session {
    let session = hasty();
    session.execute(&format!("SET s3_endpoint = '{}'", server.endpoint())).unwrap();
    session
}

/// Rows of some twelve MiB as CSV.
const MANY: &str = "SELECT range AS id, 'a text of some length for the row ' || range AS t FROM range(250000)";

#[test]
fn what_is_written_is_read_again() {
    let server = Server::start();
    let session = writing(&server);
    for name in ["x.csv", "x.csv.gz", "dir/x.jsonl", "x.parquet", "x.arrow", "x.avro"] {
        for (query, few) in [(MANY, false), ("SELECT 1 AS id, 'x' AS t", true)] {
            session.execute(&format!("COPY ({query}) TO 's3://bucket/{name}'")).unwrap();
            let sums = |from: &str| rows(&session, &format!("SELECT count(*), sum(id), max(t) FROM {from}"));
            assert_eq!(sums(&format!("'s3://bucket/{name}'")), sums(&format!("({query}) AS q")), "{name}");
            let asked = server.take();
            let parts = asked.iter().filter(|a| a.parameters.contains("partNumber")).count();
            assert!((parts == 0 || !few) && server.uploads() == 0, "{name}: {parts} parts");
        }
    }
    session.execute(&format!("COPY ({MANY}) TO 's3://bucket/x.csv'")).unwrap();
    let parts = server.take().iter().filter(|a| a.method == "PUT").count();
    assert_eq!((parts, server.get("/bucket/x.csv").unwrap().len() > 11 << 20), (3, true));
    // The web's servers take a file as a whole.
    session.execute(&format!("COPY (SELECT 7 AS a) TO '{}'", server.url("/put/y.csv?v=1"))).unwrap();
    assert_eq!(server.get("/put/y.csv").unwrap(), b"a\n7\n");
    let error = session.execute(&format!("COPY ({MANY}) TO '{}'", server.url("/put/z.csv"))).unwrap_err();
    assert!(error.message().contains("MiB over http") && server.get("/put/z.csv").is_none(), "{error}");
    let frame = session.sql("SELECT 8 AS b").unwrap();
    frame.to_parquet("s3://bucket/frame.parquet").unwrap();
    assert_eq!(rows(&session, "FROM 's3://bucket/frame.parquet'"), ["8"]);
    assert!(session.stats().peak_account <= session.stats().budget);
}

#[test]
fn what_is_not_complete_does_not_appear() {
    let server = Server::start();
    let session = writing(&server);
    for how in [How::Status(403), How::Status(500), How::Hangs(0)] {
        server.take_parts(2, how);
        let error = session.execute(&format!("COPY ({MANY}) TO 's3://bucket/x.csv'")).unwrap_err();
        assert_eq!(
            (error.kind(), error.place().file.as_deref()),
            (ErrorKind::Io, Some("s3://bucket/x.csv")),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("LEAKED") && error.advice().is_some(), "{error}");
        assert_eq!((server.paths().len(), server.uploads()), (0, 0), "{how:?}");
    }
    server.take_parts(99, How::Well);
    let failing = format!(
        "COPY (SELECT id, t, CASE WHEN id = 249999 THEN CAST(t AS BIGINT) END AS e FROM ({MANY})) TO 's3://bucket/x.csv'"
    );
    session.execute(&failing).unwrap_err();
    assert_eq!((server.paths().len(), server.uploads()), (0, 0));
    server.put("/bucket/no.csv", "", How::Status(403));
    assert_eq!(session.execute("COPY (SELECT 1 AS a) TO 's3://bucket/no.csv'").unwrap_err().kind(), ErrorKind::Io);
    for name in ["s3://bucket/", "s3://bucket/dir/", "s3:///x.csv"] {
        let error = session.execute(&format!("COPY (SELECT 1 AS a) TO '{name}' (FORMAT csv)")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Query, "{error}");
    }
}

#[test]
fn a_cancel_aborts_an_upload() {
    let server = Server::start();
    let session = writing(&server);
    session.execute("SET http_timeout = 600").unwrap();
    server.take_parts(2, How::Hangs(0));
    let error = std::thread::scope(|scope| {
        let writes = scope.spawn(|| session.execute(&format!("COPY ({MANY}) TO 's3://bucket/x.csv'")).unwrap_err());
        server.wait_for(3);
        while !writes.is_finished() {
            session.cancel_all();
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        writes.join().unwrap()
    });
    assert_eq!((error.kind(), server.paths().len(), server.uploads()), (ErrorKind::Cancelled, 0, 0), "{error}");
}

#[test]
fn files_of_a_directory_appear_together() {
    let server = Server::start();
    let session = writing(&server);
    let rows_of = "SELECT range AS id, 'k' || range % 3 AS k FROM range(3000)";
    let copy = |options: &str| session.execute(&format!("COPY ({rows_of}) TO 's3://bucket/out' ({options})"));
    copy("FORMAT parquet, PARTITION_BY (k)").unwrap();
    let paths = ["k0", "k1", "k2"].map(|k| format!("/bucket/out/k={k}/data_0.parquet"));
    assert_eq!((server.paths(), server.uploads()), (paths.to_vec(), 0));
    let asked = server.take();
    let last_part = asked.iter().rposition(|a| a.parameters.contains("partNumber")).unwrap();
    let ends = |a: &Asked| a.method == "POST" && a.parameters.starts_with("uploadId");
    assert!(asked.iter().position(ends).unwrap() > last_part);
    let read = "SELECT k, count(*), sum(id) FROM 's3://bucket/out/**/*.parquet' GROUP BY k ORDER BY k";
    assert_eq!(rows(&session, read), ["k0|1000|1498500", "k1|1000|1499500", "k2|1000|1500500"]);
    // What is there is not written over without a word.
    assert_eq!(copy("FORMAT parquet, PARTITION_BY (k)").unwrap_err().kind(), ErrorKind::Query);
    copy("FORMAT parquet, PARTITION_BY (k), OVERWRITE_OR_IGNORE").unwrap();
    assert_eq!(rows(&session, "SELECT count(*) FROM 's3://bucket/out/**/*.parquet'"), ["3000"]);
    copy("FORMAT csv, PARTITION_BY (k), APPEND").unwrap();
    assert_eq!(rows(&session, "SELECT count(*) FROM 's3://bucket/out/**/*.csv'"), ["3000"]);
    assert_eq!((server.paths().len(), server.uploads()), (6, 0));
    // One that fails takes the others along.
    let failing = "COPY (SELECT id, k, CASE WHEN id = 2999 THEN CAST(k AS BIGINT) END AS e FROM (FROM range(3000) AS r(id), \
                   (VALUES ('a'), ('b')) AS v(k))) TO 's3://bucket/more' (FORMAT csv, PARTITION_BY (k))";
    session.execute(failing).unwrap_err();
    assert_eq!((server.paths().len(), server.uploads()), (6, 0));
    assert!(server.paths().iter().all(|path| !path.contains("more")));
}

#[test]
fn names_that_are_not_read_are_refused_by_name() {
    let server = Server::start();
    let session = session();
    server.put("/x.csv", "a\n1\n", How::Well);
    for (sql, says) in [
        ("FROM 'gs://bucket/x.csv'".to_string(), "gs://"),
        ("FROM 'hdfs://bucket/x.csv'".to_string(), "hdfs://"),
        ("FROM 'file:///x.csv'".to_string(), "file://"),
        (format!("FROM '{}'", server.url("/*.csv")), "glob"),
    ] {
        let error = failure(&session, &sql);
        assert!(error.kind() == ErrorKind::Unsupported && format!("{error}").contains(says), "{sql}: {error}");
    }
    for target in ["gs://bucket/x.csv", "file:///x.parquet"] {
        let error = session.execute(&format!("COPY (SELECT 1 AS a) TO '{target}'")).unwrap_err();
        assert_eq!((error.kind(), error.advice().is_some()), (ErrorKind::Unsupported, true), "{target}: {error}");
    }
    for (target, options) in [("https://h/x", "PARTITION_BY (a)"), ("s3://b/x", "PARTITION_BY (a), OVERWRITE")] {
        let sql = format!("COPY (SELECT 1 AS a, 2 AS b) TO '{target}' (FORMAT csv, {options})");
        let error = session.execute(&sql).unwrap_err();
        assert_eq!((error.kind(), error.advice().is_some()), (ErrorKind::Unsupported, true), "{target}: {error}");
    }
    assert!(session.execute("SET s3_endpiont = 'x'").unwrap_err().advice().is_some_and(|a| a.contains("s3_endpoint")));
}

/// A session that would wait for long, but not for ever: what hangs shall fail.
fn patient(threads: usize) -> Session {
    let session = Session::builder().memory("64MiB").unwrap().threads(threads).build().unwrap();
    session.execute("SET http_timeout = 120; SET http_retries = 0").unwrap();
    session
}

/// A query whose file hangs from now on.
fn bound(server: &Server, session: &Session) -> Frame {
    let url = server.put("/bound.csv", csv(60_000), How::Well);
    let frame = session.sql(&format!("SELECT id FROM '{url}'")).unwrap();
    frame.schema().unwrap();
    server.put("/bound.csv", csv(60_000), How::Hangs(1));
    server.take();
    frame
}

#[test]
fn a_cancel_ends_waiting_for_a_server_that_hangs() {
    let server = Server::start();
    // While it is looked at.
    let url = server.put("/x.csv", csv(60_000), How::Hangs(0));
    let session = patient(2);
    let (other, sql) = (session.clone(), format!("SELECT sum(id) FROM '{url}'"));
    let asked = std::thread::spawn(move || other.sql(&sql).and_then(|frame| frame.lines()));
    server.wait_for(1);
    session.cancel_all();
    assert_eq!(asked.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    // While it is read; and another query goes on.
    let frame = bound(&server, &session);
    let again = frame.clone();
    let asked = std::thread::spawn(move || again.lines());
    server.wait_for(2);
    session.cancel_all();
    assert_eq!(asked.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    server.put("/bound.csv", csv(60_000), How::Well);
    assert_eq!(frame.lines().unwrap().len(), 60_000);
}

#[test]
fn a_cancel_ends_looking_whether_a_file_has_changed() {
    let server = Server::start();
    let session = patient(2);
    let url = server.put("/x.csv", csv(10), How::Well);
    let sql = format!("SELECT sum(id) FROM '{url}'");
    assert_eq!(rows(&session, &sql), ["45"]);
    server.put("/x.csv", csv(10), How::Hangs(0));
    server.take();
    let other = session.clone();
    let asked = std::thread::spawn(move || other.sql(&sql).and_then(|frame| frame.lines()));
    server.wait_for(1);
    session.cancel_all();
    assert_eq!(asked.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn what_a_cancelled_query_asked_for_is_asked_again() {
    let server = Server::start();
    let session = patient(2);
    let frame = bound(&server, &session);
    let first = frame.batches().unwrap();
    server.wait_for(2);
    // It has begun, but all threads wait for what the first one asked for.
    server.put("/bound.csv", csv(60_000), How::Well);
    let second = frame.batches().unwrap();
    drop(first);
    assert_eq!(second.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 60_000);
}

#[test]
fn dropped_rows_give_the_thread_back() {
    let server = Server::start();
    let session = patient(1);
    let batches = bound(&server, &session).batches().unwrap();
    server.wait_for(2);
    drop(batches);
    // The only thread does not wait any more.
    assert_eq!(rows(&session, "SELECT count(*) FROM range(10)"), ["10"]);
}

#[test]
fn a_reader_that_waits_ends_when_another_task_fails() {
    let server = Server::start();
    // A worker for each piece of the file (about a MiB), and one for what fails.
    let session = patient(8);
    let hangs = bound(&server, &session);
    let fails = session.sql("SELECT 9223372036854775807 + range AS id FROM range(9)").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.csv").display().to_string();
    // Who writes waits until all tasks have ended.
    let error = concat([hangs, fails]).unwrap().to_csv(&out).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Query, "{error}");
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.args(["--memory", "64MiB"]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn the_command_reads_addresses_and_the_environment() {
    let server = Server::start();
    let url = server.put("/x.csv", "a,b\n1,x\n2,y\n", How::Well);
    let sum = format!("SELECT sum(a) AS s FROM '{url}'");
    let done = command(&["--format", "csv", "-c", &sum]).output().unwrap();
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "s\n3\n");
    let named = format!("t={url}");
    let done = command(&["--format", "csv", "-t", &named, "-c", "SELECT max(b) AS m FROM t"]).output().unwrap();
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "m\ny\n");
    server.put("/bucket/x.csv", "a\n7\n", How::Well);
    server.take();
    let mut signed = command(&["--format", "csv", "-c", "FROM 's3://bucket/x.csv'"]);
    signed.env("AWS_ENDPOINT_URL", server.endpoint()).env("AWS_REGION", "us-east-1");
    signed.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "quiet");
    let done = signed.output().unwrap();
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "a\n7\n", "{}", String::from_utf8_lossy(&done.stderr));
    assert!(server.take().iter().all(|a| a.signed));
}

#[test]
fn the_command_writes_to_a_bucket() {
    let server = Server::start();
    let run = |args: &[&str]| {
        let mut run = command(args);
        run.env("AWS_ENDPOINT_URL", server.endpoint()).env("AWS_REGION", "us-east-1");
        run.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "quiet");
        run.output().unwrap()
    };
    let done = run(&["-o", "s3://bucket/out.csv.gz", "-c", "SELECT range AS a FROM range(3)"]);
    assert!(done.status.success() && done.stdout.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    let done = run(&["-csv", "-c", "SELECT sum(a) AS s FROM 's3://bucket/out.csv.gz'"]);
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "s\n3\n");
    let failed = run(&["-o", "s3://bucket/none.csv", "-c", "SELECT error('no') FROM range(3)"]);
    assert!(!failed.status.success());
    let read = run(&["-csv", "-c", "FROM 's3://bucket/none.csv'"]);
    assert!(!read.status.success(), "what failed does not appear");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_command_though_a_server_hangs() {
    let server = Server::start();
    let url = server.put("/x.csv", csv(60_000), How::Well);
    let described = command(&["-c", &format!("DESCRIBE FROM '{url}'")]).output().unwrap();
    assert!(described.status.success(), "{described:?}");
    let needed = server.take().len();
    // While it is looked at, and while it is read.
    for answers in [0, needed] {
        server.put("/x.csv", csv(60_000), How::Hangs(answers));
        server.take();
        let sql = format!("SET http_timeout = 120; SELECT sum(id) FROM '{url}'");
        let child = command(&["-c", &sql]).spawn().unwrap();
        server.wait_for(answers + 1);
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(killed.success() && done.status.code() == Some(130), "{done:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("interrupted"), "{done:?}");
    }
}

#[test]
fn an_error_of_a_row_names_the_address() {
    let server = Server::start();
    let url = server.put("/bad.csv", "a,b\n1,2\n3\n", How::Well);
    let error = failure(&session(), &format!("FROM '{url}'"));
    let Place { file, line, .. } = error.place().clone();
    assert_eq!((file.as_deref(), line), (Some(&*url), Some(3)), "{error}");
}
