//! The commands of docs/cli.md and docs/bags.md print what they say they print.

mod console;

use console::{check, examples, rewritten};

#[test]
fn the_manual_is_true() {
    check("docs/cli.md");
}

#[test]
fn the_guide_to_bags_is_true() {
    check("docs/bags.md");
}

const DOCUMENT: &str = "text\n```console\n$ one \\\n> two\nout\n$ three\n```\n$ not inside\n```sh\n$ nor here\n```\n";

#[test]
fn examples_are_found() {
    let found: Vec<(usize, String, String)> =
        examples(DOCUMENT).into_iter().map(|e| (e.line, e.command, e.output)).collect();
    let expected = [(3, "one \\\ntwo", "out\n"), (6, "three", "")].map(|(l, c, o)| (l, c.to_string(), o.to_string()));
    assert_eq!(found, expected);
}

#[test]
fn rewriting_touches_outputs_only() {
    let same = examples(DOCUMENT);
    let mut outputs = same.iter().map(|example| example.output.clone());
    assert_eq!(rewritten(DOCUMENT, |_| outputs.next().unwrap()), DOCUMENT);
    let changed = rewritten(DOCUMENT, |command| format!("{}!\n", command.len()));
    assert_eq!(changed, DOCUMENT.replace("\nout\n", "\n9!\n").replace("$ three\n", "$ three\n5!\n"));
}
