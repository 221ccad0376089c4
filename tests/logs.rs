//! Logs of others: filebeat's module tests, Zeek's logs in both of its formats, an access log. They lie in ../shared/testdata, or
//! where `SHARED_TESTDATA` says; without them nothing is tested, and the test says so.

use partita::config::Tuning;
use partita::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var("SHARED_TESTDATA").unwrap_or_else(|_| "../shared/testdata".into());
    let path = PathBuf::from(root).join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

fn session(threads: usize) -> Session {
    let tuning = Tuning { split_bytes: 64 << 10, batch_rows: 500, ..Tuning::default() };
    Session::builder().memory("64MiB").unwrap().threads(threads).tuning(tuning).build().unwrap()
}

/// What filebeat expects of a field, and the column that says it.
type Claim = (&'static str, &'static str);

const ACCESS: &[Claim] = &[
    ("@timestamp", "timestamp"),
    ("source.address", "ip"),
    ("user.name", "user"),
    ("http.request.method", "method"),
    ("url.original", "path"),
    ("http.version", "substr(protocol, 6)"),
    ("http.response.status_code", "status"),
    ("http.response.body.bytes", "bytes"),
    ("http.request.referrer", "referer"),
    ("user_agent.original", "user_agent"),
];

const IIS: &[Claim] = &[
    ("@timestamp", "timestamp"),
    ("destination.address", "s_ip"),
    ("destination.port", "s_port"),
    ("http.request.method", "cs_method"),
    ("url.path", "cs_uri_stem"),
    ("url.query", "cs_uri_query"),
    ("source.address", "c_ip"),
    ("user_agent.original", "replace(cs_user_agent, '+', ' ')"),
    ("http.response.status_code", "sc_status"),
    ("iis.access.sub_status", "sc_substatus"),
    ("iis.access.win32_status", "sc_win32_status"),
    ("event.duration", "time_taken * 1000000"),
];

const MESSAGES: &[Claim] = &[("@timestamp", "timestamp"), ("log.level", "level")];

const MYSQL: &[Claim] = &[("log.level", "level"), ("mysql.thread_id", "pid")];

const REDIS: &[Claim] = &[
    (
        "log.level",
        "CASE level WHEN '*' THEN 'notice' WHEN '#' THEN 'warning' WHEN '-' THEN 'verbose' WHEN '.' THEN 'debug' END",
    ),
    ("message", "message"),
    ("process.pid", "pid"),
];

const POSTGRES_CSV: &[Claim] = &[
    ("@timestamp", "timestamp"),
    ("log.level", "level"),
    ("process.pid", "pid"),
    ("user.name", "user_name"),
    ("postgresql.log.database", "database_name"),
    ("postgresql.log.session_id", "session_id"),
    ("postgresql.log.command_tag", "command_tag"),
    ("postgresql.log.sql_state_code", "sql_state_code"),
    ("postgresql.log.virtual_transaction_id", "virtual_transaction_id"),
    ("postgresql.log.transaction_id", "transaction_id"),
    ("postgresql.log.application_name", "application_name"),
];

/// Elasticsearch's JSON, before version 8 and since.
const NODE: &[Claim] = &[
    ("@timestamp", "timestamp"),
    ("log.level", "level"),
    ("elasticsearch.component", "component"),
    ("elasticsearch.cluster.name", "\"cluster.name\""),
    ("elasticsearch.node.name", "\"node.name\""),
];
const ECS: &[Claim] = &[
    ("@timestamp", "\"@timestamp\""),
    ("log.level", "\"log.level\""),
    ("log.logger", "\"log.logger\""),
    ("message", "message"),
    ("process.thread.name", "\"process.thread.name\""),
];

const OSQUERY: &[Claim] = &[
    ("osquery.result.name", "name"),
    ("osquery.result.action", "action"),
    ("osquery.result.calendar_time", "\"calendarTime\""),
    ("osquery.result.host_identifier", "\"hostIdentifier\""),
    ("osquery.result.unix_time", "\"unixTime\""),
];

/// Files, and what is claimed of their records.
const CLAIMS: &[(&str, &str, &[Claim], &[Claim])] = &[
    ("combined", "apache/access/darwin-2.4.23.log", ACCESS, &[]),
    ("combined", "apache/access/test.log", ACCESS, &[]),
    ("combined", "apache/access/test-vhost.log", ACCESS, &[("destination.domain", "vhost")]),
    ("combined", "apache/access/ubuntu-2.2.22.log", ACCESS, &[]),
    ("combined", "nginx/ingress_controller/test.log", ACCESS, &[]),
    (
        "ssl_request",
        "apache/access/ssl-request.log",
        &[("@timestamp", "timestamp"), ("source.address", "ip"), ("tls.cipher", "ssl_cipher")],
        &[
            ("apache.access.ssl.protocol", "ssl_protocol"),
            ("http.request.method", "method"),
            ("url.original", "path"),
            ("http.version", "substr(protocol, 6)"),
            ("http.response.body.bytes", "bytes"),
        ],
    ),
    ("json", "elasticsearch/deprecation/es_deprecation-json.800.log", ECS, &[]),
    ("json", "elasticsearch/deprecation/test-json.log", NODE, &[("message", "message")]),
    ("json", "elasticsearch/server/elasticsearch-json.800.log", ECS, &[]),
    ("json", "elasticsearch/server/test-json.log", NODE, &[]),
    (
        "json",
        "logstash/log/logstash-json.log",
        &[("log.level", "level"), ("logstash.log.module", "\"loggerName\"")],
        &[("logstash.log.thread", "thread"), ("message", "\"logEvent\"['message']")],
    ),
    ("json", "osquery/result/osquery.rootkit.log", OSQUERY, &[]),
    ("json", "osquery/result/osqueryd.results.sample.log", OSQUERY, &[]),
    ("json", "osquery/result/test.log", OSQUERY, &[]),
    ("syslog5424", "pensando/dfw/test.log", &[("@timestamp", "timestamp")], &[]),
    (
        "messages",
        "elasticsearch/gc/gc.log",
        &[("@timestamp", "timestamp"), ("process.pid", "pid")],
        &[("message", "message")],
    ),
    ("messages", "elasticsearch/gc/test.log", &[("@timestamp", "timestamp")], &[]),
    ("messages", "mysql/error/error.log", MYSQL, &[("message", "message")]),
    ("messages", "mysql/error/mariadb-10.4.8.log", MYSQL, &[("message", "message")]),
    ("messages", "mysql/error/mysql-darwin-brew-5.7.10.log", MYSQL, &[("message", "message")]),
    ("messages", "mysql/error/mysql-ubuntu-5.5.53.log", MYSQL, &[("@timestamp", "timestamp"), ("message", "message")]),
    (
        "messages",
        "mysql/error/mysql-ubuntu-8.0.15.log",
        MYSQL,
        &[("@timestamp", "timestamp"), ("message", "concat('[', logger, '] ', message)")],
    ),
    ("postgres_csv", "postgresql/log/postgresql-11-autovacuum.csv.log", POSTGRES_CSV, &[]),
    ("postgres_csv", "postgresql/log/postgresql-11-connection-disconnection.csv.log", POSTGRES_CSV, &[]),
    ("postgres_csv", "postgresql/log/postgresql-11-duration.csv.log", POSTGRES_CSV, &[]),
    ("postgres_csv", "postgresql/log/postgresql-11-ipv6.csv.log", POSTGRES_CSV, &[]),
    ("postgres_csv", "postgresql/log/postgresql-11-multi-line.csv.log", POSTGRES_CSV, &[]),
    ("postgres_csv", "postgresql/log/postgresql-11-parse-bind.csv.log", POSTGRES_CSV, &[]),
    ("postgres_csv", "postgresql/log/postgresql-11-start-stop.csv.log", POSTGRES_CSV, &[("message", "message")]),
    ("postgres_csv", "postgresql/log/postgresql-11-tempfile.csv.log", POSTGRES_CSV, &[]),
    ("postgres_csv", "postgresql/log/postgresql-13-error-code.csv.log", POSTGRES_CSV, &[]),
    (
        "postgres_csv",
        "postgresql/log/postgresql-13.csv.log",
        POSTGRES_CSV,
        &[("postgresql.log.backend_type", "backend_type")],
    ),
    ("messages", "redis/log/redis-5.0.3.log", REDIS, &[]),
    ("messages", "redis/log/redis-darwin-3.0.2.log", REDIS, &[]),
    ("messages", "redis/log/redis-debian-1.2.6.log", REDIS, &[]),
    ("messages", "redis/log/redis-windows-2.4.6.log", REDIS, &[]),
    ("w3c", "iis/access/test.log", IIS, &[]),
    ("w3c", "iis/access/test-iis-7.5.log", IIS, &[]),
    ("w3c", "iis/access/test-ipv6zone.log", IIS, &[]),
    ("messages", "elasticsearch/server/elasticsearch.624.log", MESSAGES, &[("elasticsearch.component", "logger")]),
    ("messages", "elasticsearch/server/test.log", MESSAGES, &[("elasticsearch.component", "logger")]),
    ("messages", "elasticsearch/deprecation/elasticsearch_deprecation.log", MESSAGES, &[("message", "message")]),
    ("messages", "elasticsearch/deprecation/other_elasticsearch_deprecation.log", MESSAGES, &[("message", "message")]),
    (
        "messages",
        "logstash/log/logstash-plain.log",
        MESSAGES,
        &[("logstash.log.module", "logger"), ("message", "message")],
    ),
    ("messages", "logstash/log/logstash-plain-7.4.log", MESSAGES, &[("logstash.log.module", "logger")]),
    ("messages", "icinga/main/test.log", MESSAGES, &[("icinga.main.facility", "logger"), ("message", "message")]),
    ("messages", "icinga/debug/test.log", MESSAGES, &[("icinga.debug.facility", "logger"), ("message", "message")]),
    ("messages", "nats/log/test.log", &[("@timestamp", "timestamp")], &[("process.pid", "pid")]),
    ("messages", "postgresql/log/postgresql-10-default.log", MESSAGES, &[("process.pid", "pid")]),
    ("messages", "postgresql/log/postgresql-10-min-duration-statement.log", MESSAGES, &[]),
    ("messages", "postgresql/log/postgresql-11.4.log", MESSAGES, &[("process.pid", "pid")]),
    (
        "messages",
        "postgresql/log/postgresql-12-default.log",
        MESSAGES,
        &[("process.pid", "pid"), ("message", "message")],
    ),
    ("messages", "postgresql/log/postgresql-12-min-duration-statement.log", MESSAGES, &[("process.pid", "pid")]),
    ("messages", "postgresql/log/postgresql-13-log-statement-all.log", MESSAGES, &[("process.pid", "pid")]),
    ("messages", "postgresql/log/postgresql-9-log-statement-all.log", MESSAGES, &[("process.pid", "pid")]),
    ("messages", "postgresql/log/postgresql-9.6-debian-with-slowlog.log", MESSAGES, &[("process.pid", "pid")]),
    ("messages", "postgresql/log/postgresql-9.6-multi-core.log", MESSAGES, &[("process.pid", "pid")]),
    ("messages", "postgresql/log/postgresql-9.6-new-timestamp.log", MESSAGES, &[("process.pid", "pid")]),
    ("messages", "postgresql/log/postgresql-query-steps-slowlog.log", MESSAGES, &[("process.pid", "pid")]),
    (
        "messages",
        "postgresql/log/postgresql-ubuntu-9.5.log",
        MESSAGES,
        &[("process.pid", "pid"), ("message", "message")],
    ),
    (
        "kv",
        "santa/log/santa.log",
        &[("@timestamp", "timestamp"), ("santa.action", "action"), ("santa.decision", "decision")],
        &[
            ("santa.reason", "reason"),
            ("santa.mode", "mode"),
            ("process.hash.sha256", "sha256"),
            ("process.pid", "pid"),
            ("process.parent.pid", "ppid"),
            ("group.name", "\"group\""),
            ("user.name", "\"user\""),
        ],
    ),
];

/// Records at the end of a file that contradict the directive above them: they are left out, and told.
const CONTRADICTING: &[(&str, usize)] = &[("iis/access/test.log", 2)];

/// A value as text, moments without `T` and zone, to milliseconds.
fn text(value: &Value, is_moment: bool) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if !is_moment {
        return text;
    }
    let plain = text.replace('T', " ");
    let seconds = plain.get(..19).unwrap_or(&plain);
    let fraction: String =
        plain.get(19..).unwrap_or_default().trim_start_matches('.').chars().take_while(char::is_ascii_digit).collect();
    format!("{seconds}.{:0<3.3}", fraction)
}

/// What one file's records say of the claimed fields: agreeing, and a line for each that differs.
fn compare(session: &Session, file: &Path, claims: &[Claim]) -> (usize, Vec<String>) {
    let expected = std::fs::read_to_string(format!("{}-expected.json", file.display())).unwrap();
    let expected: Vec<BTreeMap<String, Value>> = serde_json::from_str(&expected).unwrap();
    let columns: Vec<String> = claims.iter().enumerate().map(|(n, (_, column))| format!("{column} AS c{n}")).collect();
    let query = format!("SELECT {} FROM '{}'", columns.join(", "), file.display());
    let rows = match session.sql(&query).and_then(|frame| frame.to_bag::<BTreeMap<String, Value>>().collect()) {
        Ok(rows) => rows,
        Err(e) => return (0, vec![format!("{}: {e}", file.display()); expected.len() * claims.len()]),
    };
    let (mut agree, mut differ) = (0, Vec::new());
    let left = CONTRADICTING.iter().find(|(name, _)| file.ends_with(name)).map_or(0, |(_, n)| *n);
    for (nth, record) in expected.iter().enumerate().take(expected.len() - left) {
        for (n, (field, _)) in claims.iter().enumerate() {
            let Some(wanted) = record.get(*field) else { continue };
            let is_moment = *field == "@timestamp";
            let wanted = text(wanted, is_moment);
            let got = rows.get(nth).and_then(|row| row.get(&format!("c{n}"))).unwrap_or(&Value::Null);
            let got = if got.is_null() { "-".to_string() } else { text(got, is_moment) };
            match got == wanted {
                true => agree += 1,
                false => differ.push(format!("{} {nth} {field}: wanted {wanted:.80} got {got:.80}", file.display())),
            }
        }
    }
    (agree, differ)
}

#[test]
fn filebeat() {
    let Some(root) = shared("logs/filebeat") else { return };
    let session = session(2);
    let mut counts: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    let mut all = Vec::new();
    for (format, path, claims, more) in CLAIMS {
        let claims: Vec<Claim> = claims.iter().chain(*more).copied().collect();
        let (agree, differ) = compare(&session, &root.join(path), &claims);
        let count = counts.entry(format).or_default();
        *count = (count.0 + 1, count.1 + agree, count.2 + differ.len());
        all.extend(differ);
    }
    for (format, (files, agree, differ)) in &counts {
        println!("{format}: {files} files, {agree} fields agree, {differ} differ");
    }
    all.iter().for_each(|line| println!("{line}"));
    for (format, (_, agree, differ)) in counts {
        assert!(agree * 100 >= (agree + differ) * 95, "{format}: {agree} agree, {differ} differ");
    }
}

/// A pair's columns that both have, as expressions whose texts agree.
fn common(tsv: &Frame, json: &Frame) -> Vec<String> {
    let (tsv, json) = (tsv.schema().unwrap(), json.schema().unwrap());
    let both = tsv.fields().iter().filter(|f| json.index_of(f.name()).is_ok());
    let column = |f: &std::sync::Arc<arrow::datatypes::Field>| match f.data_type() {
        // Zeek writes six digits of intervals into one, all of them into the other.
        t if t.is_floating() => format!("round(\"{}\", 6)", f.name()),
        t if t.is_nested() => format!("array_to_string(\"{}\", ',')", f.name()),
        _ => format!("CAST(\"{}\" AS VARCHAR)", f.name()),
    };
    both.map(column).collect()
}

#[test]
fn zeek_twins() {
    let Some(root) = shared("logs/zeek") else { return };
    let session = session(2);
    let mut pairs = 0;
    for entry in std::fs::read_dir(root.join("tsv")).unwrap() {
        let tsv = entry.unwrap().path();
        let name = tsv.file_name().unwrap().to_string_lossy().replace(".log.gz", "");
        let json = root.join(format!("json/{name}.json.gz"));
        let (of_tsv, of_json) = (format!("'{}'", tsv.display()), format!("'{}'", json.display()));
        let frames = [&of_tsv, &of_json].map(|from| session.sql(&format!("SELECT * FROM {from}")).unwrap());
        let columns = common(&frames[0], &frames[1]);
        assert!(columns.len() >= 4, "{name}");
        let rows = [&of_tsv, &of_json].map(|from| {
            let mut rows = session.sql(&format!("SELECT {} FROM {from}", columns.join(", "))).unwrap().lines().unwrap();
            rows.sort();
            rows
        });
        assert!(!rows[0].is_empty(), "{name}");
        let differ = rows[0].iter().zip(&rows[1]).find(|(a, b)| a != b);
        assert!(rows[0].len() == rows[1].len() && differ.is_none(), "{name}: {differ:?}");
        let groups = format!("SELECT {0}, count(*) FROM {{}} GROUP BY {0} ORDER BY 2 DESC, 1 LIMIT 20", columns[1]);
        let [a, b] = [&of_tsv, &of_json].map(|from| session.sql(&groups.replace("{}", from)).unwrap().lines().unwrap());
        assert_eq!(a, b, "{name}");
        println!("{name}: {} rows, {} columns", rows[0].len(), columns.len());
        pairs += 1;
    }
    assert_eq!(pairs, 9);
}

#[test]
fn an_access_log_counts_the_same_on_any_number_of_threads() {
    let Some(path) = shared("logs/elastic-examples/apache_logs_first3000.log") else { return };
    let text = std::fs::read_to_string(&path).unwrap();
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split("\" ").nth(1).unwrap().split(' ');
        let count = counts.entry(words.next().unwrap().to_string()).or_default();
        *count = (count.0 + 1, count.1 + words.next().unwrap().parse::<u64>().unwrap_or(0));
    }
    let wanted: Vec<String> = counts.iter().map(|(s, (n, bytes))| format!("{s}|{n}|{bytes}")).collect();
    let query = format!(
        "SELECT status, count(*), coalesce(sum(bytes), 0) FROM '{}' GROUP BY status ORDER BY status",
        path.display()
    );
    let ips: std::collections::BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    for threads in [1, 2, 7] {
        let session = session(threads);
        assert_eq!(session.sql(&query).unwrap().lines().unwrap(), wanted, "{threads} threads");
        let frame = session.read_log(&path.to_string_lossy()).unwrap();
        let distinct = frame.select([col("ip")]).unwrap().distinct().unwrap().count().unwrap();
        assert_eq!(distinct, ips.len());
        let lines = session.read_text_rows(&path.to_string_lossy()).unwrap();
        assert_eq!(lines.count().unwrap(), 3000);
        let found = lines.filter(col("text").like(lit("%\" 404 %"))).unwrap().count().unwrap();
        assert_eq!(found as u64, counts["404"].0);
    }
}

#[test]
fn lines_that_do_not_match_are_rejects() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    let good = "::1 - - [26/Dec/2016:16:16:29 +0200] \"GET / HTTP/1.1\" 404 209\n";
    let lines: String = (0..9000).map(|i| if i % 1000 == 7 { "GET / 404\n" } else { good }).collect();
    std::fs::write(&path, lines).unwrap();
    for threads in [1, 7] {
        let session = session(threads);
        let frame = session.sql(&format!("SELECT * FROM '{}'", path.display())).unwrap();
        assert_eq!(frame.count().unwrap(), 8991);
        assert_eq!(session.stats().rejected, 9);
        let told = session.sql("SELECT line, text, reason FROM rejects() ORDER BY line LIMIT 2").unwrap();
        let reason = "the line is not of the format \"combined\"";
        assert_eq!(told.lines().unwrap(), [format!("8|GET / 404|{reason}"), format!("1008|GET / 404|{reason}")]);
        let all =
            format!("SELECT count(unmatched), count(ip) FROM read_log('{}', unmatched => 'include')", path.display());
        assert_eq!(session.sql(&all).unwrap().lines().unwrap(), ["9|8991"]);
        assert_eq!(session.stats().rejected, 9);
    }
}

#[test]
fn files_of_several_formats_are_one_table() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("a.log", "::1 - - [26/Dec/2016:16:16:29 +0200] \"GET / HTTP/1.1\" 404 209\n");
    write("b.log", "{\"timestamp\":\"2016-12-26T14:16:30Z\",\"status\":200,\"extra\":1}\n");
    write(
        "c.log",
        "<34>2016-12-26T16:16:31+02:00 host app[1]: hello\n<34>2016-12-26T16:16:32+02:00 host app[1]: you\n",
    );
    write("d.log", "");
    let glob = dir.path().join("*.log").display().to_string();
    let session = session(2);
    let ask = |sql: &str| session.sql(&sql.replace("$", &glob)).unwrap().lines().unwrap();
    assert_eq!(ask("SELECT count(*), count(status), count(message), count(host) FROM '$'"), ["4|2|2|2"]);
    assert_eq!(
        ask("SELECT status FROM read_log('$') WHERE timestamp < '2016-12-26T14:16:31Z' ORDER BY 1"),
        ["200", "404"]
    );
    let names = "SELECT count(*) FROM read_log('$', filename => true) WHERE filename LIKE '%c.log'";
    assert_eq!(ask(names), ["2"]);
    let records = Bag::<Value>::read_log(&session, &glob).unwrap();
    assert_eq!(records.filter(|r| r["app"] == "app" && r["message"].is_string()).count().unwrap(), 2);
    write("e.log", "what is this\nnobody knows\n");
    let e = session.sql(&format!("FROM '{glob}'")).err().unwrap();
    assert!(e.to_string().contains("e.log"), "{e}");
    write("e.log", "");
    // A key that the sample does not show starts the query over, once.
    let lines: String = (0..20_000).map(|i| if i == 9_000 { "b=1\n" } else { "a=1 c=2\n" }).collect();
    write("f.log", &lines);
    let path = dir.path().join("f.log");
    let rows = session.sql(&format!("SELECT * FROM read_log('{}', format => 'logfmt')", path.display())).unwrap();
    assert_eq!(rows.count().unwrap(), 20_000);
}
