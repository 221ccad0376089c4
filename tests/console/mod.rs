//! Console blocks of documents, run as tests.
//!
//! ```text
//! ```console
//! $ partita -c 'SELECT 1 AS one' -csv
//! one
//! 1
//! ```
//! ```
//!
//! Each line after `$ ` is a command for `sh`, run at the top of the repository with `partita` on the path; lines after
//! `> ` continue it. What follows is what it prints, standard error included. With `UPDATE=1` the documents are
//! rewritten instead of compared. `PARTITA` names another build of the command, such as a release.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A command of a document and what it says the command prints.
#[derive(Debug, PartialEq)]
pub struct Example {
    /// The line of the document, from 1.
    pub line: usize,
    /// What `sh` runs.
    pub command: String,
    /// The output.
    pub output: String,
}

/// A document in pieces: what is kept as it is, and examples.
#[derive(Debug, PartialEq)]
enum Piece {
    Kept(String),
    Output(Example),
}

fn pieces(document: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut is_inside = false;
    for (i, line) in document.lines().enumerate() {
        let is_fence = line.starts_with("```");
        let kept = |line: &str| Piece::Kept(format!("{line}\n"));
        match pieces.last_mut() {
            _ if is_fence => {
                is_inside = line == "```console";
                pieces.push(kept(line));
            }
            Some(Piece::Output(example)) if is_inside && line.starts_with("> ") && example.output.is_empty() => {
                example.command = format!("{}\n{}", example.command, &line[2..]);
                let at = pieces.len() - 1;
                pieces.insert(at, kept(line));
            }
            _ if is_inside && line.starts_with("$ ") => {
                pieces.push(kept(line));
                pieces.push(Piece::Output(Example { line: i + 1, command: line[2..].into(), output: String::new() }));
            }
            Some(Piece::Output(example)) if is_inside => {
                example.output.push_str(line);
                example.output.push('\n');
            }
            _ => pieces.push(kept(line)),
        }
    }
    pieces
}

/// The document with every output replaced by what `run` gives for its command.
pub fn rewritten(document: &str, mut run: impl FnMut(&str) -> String) -> String {
    let parts = pieces(document).into_iter().map(|piece| match piece {
        Piece::Kept(text) => text,
        Piece::Output(example) => run(&example.command),
    });
    parts.collect()
}

/// Every example of the document.
pub fn examples(document: &str) -> Vec<Example> {
    let outputs = pieces(document).into_iter().filter_map(|piece| match piece {
        Piece::Kept(_) => None,
        Piece::Output(example) => Some(example),
    });
    outputs.collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a command of a document; `cargo run --release` stands for the command that is already built.
fn run(command: &str) -> String {
    let binary = std::env::var("PARTITA").unwrap_or_else(|_| env!("CARGO_BIN_EXE_partita").into());
    let dir = root().join(Path::new(&binary).parent().unwrap());
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap_or_default());
    let command = command.replace("cargo run --release -q -- ", "partita ");
    let shell = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(root())
        .env("PATH", path)
        .output();
    String::from_utf8(shell.unwrap().stdout).unwrap()
}

/// Compares every example of a document at the top of the repository with what it prints now.
pub fn check(document: &str) {
    let path = root().join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!examples(&text).is_empty(), "{document} has no examples");
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, rewritten(&text, run)).unwrap();
        return;
    }
    let failed: Vec<String> = examples(&text)
        .iter()
        .map(|example| (example, run(&example.command)))
        .filter(|(example, printed)| example.output != *printed)
        .map(|(e, printed)| {
            format!("{document}:{}: $ {}\n--- says\n{}--- prints\n{printed}", e.line, e.command, e.output)
        })
        .collect();
    assert!(failed.is_empty(), "{}\nUPDATE=1 cargo test rewrites the documents", failed.join("\n"));
}
