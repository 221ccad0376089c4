//! Standard input as a table of the command.

#![cfg(unix)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// What the command says to `input`.
fn piped(args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || {
        // The command may have enough before the end.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect()
}

#[test]
fn standard_input_is_a_table() {
    let csv = b"id;name\n1;one\n2;two\n3;three\n";
    for name in ["'-'", "'/dev/stdin'", "read_csv('-', delimiter => ';')"] {
        let sql = format!("SELECT name FROM {name} WHERE id > 1");
        assert_eq!(lines(&piped(&["-csv", "-c", &sql], csv)), ["name", "two", "three"], "{name}");
    }
    let json = b"[{\"a\": 1},\n {\"a\": 2}]";
    assert_eq!(lines(&piped(&["-csv", "-c", "SELECT sum(a) AS s FROM '-'"], json)), ["s", "3"]);
    // Another statement reads the same again.
    let twice = ["-csv", "-c", "SELECT count(*) AS n FROM '-'", "-c", "SELECT max(id) AS m FROM '-'"];
    assert_eq!(lines(&piped(&twice, csv)), ["n", "3", "m", "3"]);
}

/// Far more than the budget goes through, and far more than is needed is not waited for.
#[test]
fn what_is_piped_streams() {
    let text: String = (0..3_000_000).map(|i| format!("{i},{}\n", i % 10)).collect();
    let text = format!("n,k\n{text}");
    let args = ["--memory", "32MiB", "-csv", "-c", "SELECT k, count(*) AS c FROM '-' GROUP BY k ORDER BY k LIMIT 2"];
    assert_eq!(lines(&piped(&args, text.as_bytes())), ["k,c", "0,300000", "1,300000"]);
    let args = ["--memory", "32MiB", "-csv", "-c", "SELECT n FROM '-' LIMIT 2"];
    assert_eq!(lines(&piped(&args, text.as_bytes())), ["n", "0", "1"]);
}

#[test]
fn rejected_rows_are_counted_for_people() {
    let sql = "SELECT a FROM read_csv('-', types => {'a': 'int'}, ignore_errors => true)";
    let output = piped(&["-csv", "-c", sql, "-c", "SELECT line, reason FROM rejects()"], b"a\n1\nx\n3\n");
    assert_eq!(lines(&output), ["a", "1", "3", "line,reason", "3,the value is not of type Int32"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, "1 row rejected: FROM rejects() shows them\n");
}

/// A value that contradicts the sample when rows are out: where they print alike with the wider type, none is repeated.
#[test]
fn a_rerun_goes_on_where_the_output_stopped() {
    let rows = |value: &str| -> String {
        (0..600_000).map(|i| if i == 400_000 { format!("{value}\n") } else { format!("{i}\n") }).collect()
    };
    let text = format!("n\n{}", rows("x"));
    for threads in ["1", "2", "7"] {
        let args = ["--memory", "48MiB", "--threads", threads, "-csv", "-c", "FROM '-'"];
        let output = piped(&args, text.as_bytes());
        assert!(lines(&output).iter().eq(text.lines()), "with {threads} threads");
    }
    let output = piped(&["--memory", "48MiB", "-jsonlines", "-c", "FROM '-'"], text.as_bytes());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("line 400002") && said.contains("print differently"), "{said}");
    let full =
        piped(&["--memory", "48MiB", "-jsonlines", "-c", "FROM read_csv('-', infer => 'full')"], text.as_bytes());
    assert_eq!(lines(&full).len(), 600_000);
}
