//! Pipes as tables: read once, in order, kept in scratch so that a query can start over or be asked again.

#![cfg(unix)]

use super::Session;
use super::testing::{ask, error, sessions, small};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// A FIFO, into which a thread writes `bytes` once somebody reads.
fn fifo(dir: &Path, name: &str, bytes: Vec<u8>) -> String {
    let path = dir.join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let to = path.clone();
    std::thread::spawn(move || {
        let mut file = std::fs::OpenOptions::new().write(true).open(to).unwrap();
        // Whoever reads may go away before the end.
        let _ = bytes.chunks(10_007).try_for_each(|piece| file.write_all(piece));
    });
    path.display().to_string()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn formats_are_told_by_content_and_reruns_read_the_same() {
    let csv: String =
        (0..300_000).map(|i| if i == 200_000 { "x,late\n".into() } else { format!("{i},word\n") }).collect();
    let csv = format!("n,w\n{csv}");
    let json: String = (0..100_000)
        .map(|i| if i == 90_000 { "{\"n\":1.5,\"late\":true}\n".into() } else { format!("{{\"n\":{i}}}\n") })
        .collect();
    let array = format!("[{}]", json.trim_end().replace('\n', ",\n"));
    for session in sessions() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [("csv", csv.clone().into_bytes()), ("csv.gz", packed(csv.as_bytes()))] {
            let path = fifo(dir.path(), &format!("{name}.pipe"), bytes);
            let sql = format!("SELECT count(*), count(DISTINCT w), max(n) FROM '{path}'");
            assert_eq!(ask(&session, &sql), ["300000|2|x"], "{name}");
            // The pipe was kept: it can be asked again, also twice in one query.
            let twice = format!("SELECT count(*) FROM '{path}' a JOIN '{path}' b ON a.n = b.n AND a.w = b.w");
            assert_eq!(ask(&session, &twice), ["300000"], "{name}");
        }
        let documents = [
            ("lines", json.clone().into_bytes()),
            ("array", array.clone().into_bytes()),
            ("lines.gz", packed(json.as_bytes())),
        ];
        for (name, bytes) in documents {
            let path = fifo(dir.path(), &format!("{name}.pipe"), bytes);
            let sql = format!("SELECT count(*), count(*) FILTER (WHERE n = 1.5) FROM '{path}'");
            assert_eq!(ask(&session, &sql), ["100000|1"], "{name}");
        }
        let path = fifo(dir.path(), "rejects.pipe", b"a\n1\ntwo\n3\n".to_vec());
        let sql = format!("SELECT a FROM read_csv('{path}', types => {{'a': 'int'}}, on_error => 'reject')");
        assert_eq!(ask(&session, &sql), ["1", "3"]);
        let told = ask(&session, "SELECT line, text FROM rejects()");
        assert_eq!(told, ["3|two"]);
        let path = fifo(dir.path(), "x.parquet", b"PAR1".to_vec());
        assert!(error(&session, &format!("FROM '{path}'")).contains("pipe"));
    }
}

/// A pipe that is made anew under its name is another one.
#[test]
fn a_name_may_mean_another_pipe_later() {
    let session = super::testing::roomy();
    let dir = tempfile::tempdir().unwrap();
    let mut path = String::new();
    for text in ["a\n1\n", "a\n2\n3\n", "b\n4\n"] {
        if !path.is_empty() {
            std::fs::remove_file(&path).unwrap();
        }
        path = fifo(dir.path(), "x.csv", text.as_bytes().to_vec());
        let rows = text.lines().skip(1).collect::<Vec<_>>();
        assert_eq!(ask(&session, &format!("FROM '{path}'")), rows);
        assert_eq!(ask(&session, &format!("FROM '{path}'")), rows, "it is kept");
    }
}

/// Scratch holds no more than it may: a pipe that is too long streams on, but cannot be read again.
#[test]
fn long_pipes_stream_when_scratch_is_short() {
    let text: String = (0..400_000).map(|i| format!("{i},{}\n", i % 7)).collect();
    let dir = tempfile::tempdir().unwrap();
    let builder = Session::builder().memory("32MiB").unwrap().threads(2).inline(true).tuning(small());
    let session = builder.scratch_limit("4MiB").unwrap().build().unwrap();
    let path = fifo(dir.path(), "a.pipe", format!("n,k\n{text}").into_bytes());
    assert_eq!(ask(&session, &format!("SELECT count(*), sum(n) FROM '{path}'")), ["400000|79999800000"]);
    let again = error(&session, &format!("SELECT sum(k) FROM '{path}'"));
    assert!(again.contains("read already") && again.contains("hint"), "{again}");
}
