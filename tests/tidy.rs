//! What no compiler checks: layers, file sizes, stories, who may print, start threads and exit.
//!
//! The layers are read from the table in ARCHITECTURE.md, so the document cannot drift from the code. Only code that ships
//! is looked at: comments and `#[cfg(test)]` modules are left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where threads start.
const THREADS: &[&str] = &["run/pool.rs", "io/threads.rs", "cli/", "cluster/"];
/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "misc", "common"];
/// Most lines of a file.
const MOST_LINES: usize = 1000;
/// Calls of `unwrap` and `expect` in shipped code: file, how many, why they cannot fail. Only ever make this shorter.
const UNWRAPS: &[(&str, usize, &str)] = &[];

/// A file of src, without comments and tests.
struct Source {
    /// Relative to src.
    path: String,
    text: String,
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root().join("src")).unwrap().to_string_lossy().replace('\\', "/");
                let code = shipped(&text);
                found.push(Source { path, text, code });
            }
        }
    }
    let tests: Vec<String> = found.iter().flat_map(|source| test_modules(&source.path, &source.text)).collect();
    for source in &mut found {
        if tests.iter().any(|test| source.path == format!("{test}.rs") || source.path.starts_with(&format!("{test}/")))
        {
            source.code.clear();
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 10, "the sources are elsewhere");
    found
}

/// The modules in files of their own that `path` declares for tests only, as paths without `.rs`.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let file = path.trim_end_matches(".rs");
    let dir = match file.strip_suffix("/mod") {
        Some(dir) => format!("{dir}/"),
        None if file == "lib" || file == "main" => String::new(),
        None => format!("{file}/"),
    };
    let lines = text.lines().zip(text.lines().skip(1));
    let declared = lines.filter(|(first, _)| first.trim() == "#[cfg(test)]").filter_map(|(_, second)| {
        let (_, name) = second.trim().strip_suffix(';')?.split_once("mod ")?;
        Some(format!("{dir}{name}"))
    });
    declared.collect()
}

/// The code without comments, and without what is only compiled for tests.
fn shipped(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed == "#[cfg(test)]" {
            match lines.peek() {
                // A module in a file of its own, an import: only that line.
                Some(next) if next.trim_end().ends_with(';') => {
                    lines.next();
                }
                // A module at the end of the file, as everywhere here.
                _ => break,
            }
        } else if !trimmed.starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// What the table says of one module.
#[derive(Clone, Debug, PartialEq)]
enum Layer {
    /// It may import every lower one.
    At(String),
    /// It may import these only.
    Beside(Vec<String>),
}

/// The rows `| layer | modules | may import |` of the table.
fn layers(document: &str) -> BTreeMap<String, Layer> {
    let rows = document.lines().skip_while(|l| !l.starts_with("| layer | modules")).skip(2);
    let mut layers = BTreeMap::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        for module in quoted(cells[1]) {
            let layer = match cells[0] {
                "beside" => Layer::Beside(quoted(cells[2])),
                level => Layer::At(level.to_string()),
            };
            layers.insert(module, layer);
        }
    }
    layers
}

/// The words between backticks, as far as they are names of modules.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// The first names of every path that begins with `crate::` or `partita::`, groups opened.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for prefix in ["crate::", "partita::"] {
        for (at, _) in code.match_indices(prefix) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(members(group)),
                None => found.push(name(rest)),
            }
        }
    }
    found
}

/// The first names inside of a group, up to its closing brace.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut begin, mut found) = (0, 0, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(name(group[begin..i].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(name(group[begin..i].trim()));
                begin = i + 1;
            }
            _ => {}
        }
    }
    found
}

fn name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether `from` may import `to`.
fn allowed(layers: &BTreeMap<String, Layer>, from: &str, to: &str) -> bool {
    match (&layers[from], &layers[to]) {
        _ if from == to => true,
        (Layer::Beside(list), _) => list.iter().any(|module| module == to),
        (Layer::At(from), Layer::Beside(_)) => from.as_str() >= "5",
        (Layer::At(from), Layer::At(to)) => to < from,
    }
}

fn module_of(path: &str) -> Option<String> {
    let first = path.split('/').next()?.trim_end_matches(".rs");
    (first != "lib" && first != "main").then(|| first.to_string())
}

fn is_under(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

/// Files whose shipped code has one of `words`, outside of `places`.
fn offenders(words: &[&str], places: &[&str]) -> Vec<String> {
    let has = |code: &str| words.iter().find(|word| code.contains(*word)).map(|word| word.to_string());
    let sources = sources();
    let outside = sources.iter().filter(|source| !is_under(&source.path, places));
    outside.filter_map(|source| has(&source.code).map(|word| format!("{}: {word}", source.path))).collect()
}

#[test]
fn imports_point_down() {
    let layers = layers(&fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap());
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(from) = module_of(&source.path) else { continue };
        if !layers.contains_key(&from) {
            wrong.push(format!("{}: {from} is not in the table of ARCHITECTURE.md", source.path));
            continue;
        }
        for to in imports(&source.code).iter().filter(|to| layers.contains_key(*to)) {
            if !allowed(&layers, &from, to) {
                wrong.push(format!("{}: {from} must not import {to}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_import_that_points_up_is_found() {
    let table = "x\n| layer | modules | may import |\n|---|---|---|\n| 6b | `plan` | |\n| 6a | `front` | |\n\
        | 1 | `events`, `config` | |\n| beside | `diag` | `events` only |\n\n| 0 | `no` | |\n";
    let layers = layers(table);
    assert_eq!(layers.len(), 5, "{layers:?}");
    assert!(allowed(&layers, "plan", "front") && !allowed(&layers, "front", "plan"), "up");
    assert!(!allowed(&layers, "events", "config"), "sideways");
    assert!(allowed(&layers, "diag", "events") && !allowed(&layers, "diag", "config"));
    assert!(allowed(&layers, "front", "diag") && !allowed(&layers, "config", "diag"));
    let code = "use crate::{a::{b, c}, d};\nuse partita::Error;\nfn f() -> crate::e::F { my_crate::g() }\n";
    assert_eq!(imports(code), ["a", "d", "e", "Error"]);
}

#[test]
fn tests_and_comments_do_not_count() {
    let text = "//! crate::a\n#[cfg(test)]\nmod testing;\nuse crate::b;\n  // crate::c\n#[cfg(test)]\nmod tests {\nuse crate::d;\n}\n";
    assert_eq!(imports(&shipped(text)), ["b"]);
    assert_eq!(test_modules("a/mod.rs", text), ["a/testing"]);
    assert_eq!(test_modules("a/b.rs", text), ["a/b/testing"]);
}

#[test]
fn files_have_a_name_a_story_and_an_end() {
    let mut wrong = Vec::new();
    for Source { path, text, .. } in sources() {
        let stem = Path::new(&path).file_stem().unwrap().to_string_lossy().to_string();
        if EMPTY_NAMES.contains(&stem.as_str()) {
            wrong.push(format!("{path}: a name that says what is inside, please"));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{path}: opens without its story (//!)"));
        }
        if text.lines().count() > MOST_LINES {
            wrong.push(format!("{path}: more than {MOST_LINES} lines"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_command_prints() {
    let found = offenders(&["println!", "eprintln!", "print!(", "dbg!("], &["cli/"]);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_the_command_exits() {
    let found = offenders(&["process::exit", "process::abort"], &["cli/", "main.rs"]);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn threads_start_where_they_may() {
    let found = offenders(&["thread::spawn", "thread::Builder", "thread::scope", "ThreadPoolBuilder"], THREADS);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn nothing_shipped_unwraps() {
    let mut wrong = Vec::new();
    for Source { path, code, .. } in sources() {
        let allowed = UNWRAPS.iter().find(|(file, ..)| *file == path).map_or(0, |(_, count, _)| *count);
        // A message makes it the panicking one: parsers have methods of that name too.
        let found = code.matches(".unwrap()").count() + code.matches(".expect(\"").count();
        if found != allowed {
            wrong.push(format!("{path}: {found} calls of unwrap or expect, {allowed} allowed"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
