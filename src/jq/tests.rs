//! Programs natively, by jaq over our values, and by jaq alone: the same outputs.

use super::*;
use crate::units::MIB;

fn limits() -> Limits {
    Limits::of(16 * MIB)
}

fn outputs(program: &Program, json: &str) -> Result<Vec<String>> {
    let mut out = Outputs::default();
    program.run(json.as_bytes(), &limits(), None, &mut Room::default(), &mut out)?;
    Ok(out.iter().map(str::to_string).collect())
}

fn run(program: &str, json: &str) -> Result<Vec<String>> {
    outputs(&Program::new(program, &[])?, json)
}

/// The same without what is native.
fn slowly(program: &str, json: &str) -> Result<Vec<String>> {
    outputs(&Program { native: None, ..Program::new(program, &[])? }, json)
}

/// jaq with its own values.
struct Jaq(jaq_core::Filter<jaq_core::data::JustLut<jaq_json::Val>>);

impl Jaq {
    /// `None` where the program is wrong.
    fn new(program: &str) -> Option<Self> {
        use jaq_core::load::{Arena, File, Loader};
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(defs).load(&arena, File { code: program, path: () }).ok()?;
        Some(Jaq(jaq_core::Compiler::default().with_funs(funs).compile(modules).ok()?))
    }

    fn run(&self, json: &str) -> Option<Vec<Result<String, String>>> {
        use jaq_core::{Ctx, Vars, data::JustLut};
        let ctx = Ctx::<JustLut<jaq_json::Val>>::new(&self.0.lut, Vars::new([]));
        let input = jaq_json::read::parse_single(json.as_bytes()).ok()?;
        let mut all = Vec::new();
        for made in self.0.id.run((ctx, input)).map(jaq_core::unwrap_valr) {
            let failed = made.is_err();
            all.push(made.map(|v| v.to_string()).map_err(|e| e.to_string()));
            if failed {
                break;
            }
        }
        Some(all)
    }
}

fn jaq(program: &str, json: &str) -> Option<Vec<Result<String, String>>> {
    Jaq::new(program)?.run(json)
}

/// A case of the golden script.
struct Case {
    line: usize,
    program: String,
    input: String,
    outputs: Vec<String>,
    /// Neither we nor jaq have it, for this reason.
    none: bool,
    /// jq differs.
    differs: bool,
    /// jaq by itself differs.
    alone: bool,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../testdata/jq/manual.txt");
    let mut cases: Vec<Case> = Vec::new();
    let mut fresh = true;
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        match (line, cases.last_mut()) {
            ("", _) => fresh = true,
            (line, Some(case)) if !fresh => match line.split_once(": ") {
                _ if case.input.is_empty() => case.input = line.to_string(),
                Some(("none", _)) => case.none = true,
                Some(("jq", _)) => case.differs = true,
                Some(("jaq", _)) => case.alone = true,
                _ => case.outputs.push(line.to_string()),
            },
            (line, _) => {
                let (program, input, outputs) = (line.to_string(), String::new(), Vec::new());
                cases.push(Case { line: n + 1, program, input, outputs, none: false, differs: false, alone: false });
                fresh = false;
            }
        }
    }
    cases
}

/// jaq's text of an output as we write it: JSON has no NaN and no infinity.
fn as_json(text: &str) -> String {
    text.replace("NaN", "null").replace("Infinity", "1.7976931348623157e+308")
}

#[test]
fn the_manuals_examples_have_their_outputs() {
    let cases = cases();
    assert!(cases.len() > 180, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let here = format!("line {}: {} on {}", case.line, case.program, case.input);
        if case.none {
            assert!(slowly(&case.program, &case.input).is_err(), "{here}");
            continue;
        }
        for (how, got) in [("fast", run(&case.program, &case.input)), ("slow", slowly(&case.program, &case.input))] {
            match got {
                Ok(got) if got == case.outputs => {}
                got => wrong.push(format!("{here} ({how}): {got:?} instead of {:?}", case.outputs)),
            }
        }
        let Some(jaq) = jaq(&case.program, &case.input).filter(|_| !case.alone) else { continue };
        let jaq: Vec<String> = jaq.into_iter().filter_map(Result::ok).map(|text| as_json(&text)).collect();
        if jaq != case.outputs {
            wrong.push(format!("{here} (jaq itself): {jaq:?} instead of {:?}", case.outputs));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.iter().any(|case| case.differs));
}

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn json(&mut self, depth: usize) -> String {
        const LEAVES: &[&str] = &[
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "2",
            "2.5",
            "1.0",
            "1e2",
            "500",
            "12345678901234567890",
            "\"\"",
            "\"a\"",
            "\"b\"",
            "\"ab\"",
            "\"12\"",
            "\"\\u00e9x\"",
            "\"a\\nb\"",
            "\"-3.5\"",
        ];
        let space = self.pick(&["", "", " "]);
        match self.below(if depth == 0 { 1 } else { 4 }) {
            0 | 1 => self.pick(LEAVES).to_string(),
            2 => {
                let items: Vec<String> = (0..self.below(4)).map(|_| self.json(depth - 1)).collect();
                format!("[{}]", items.join(&format!(",{space}")))
            }
            _ => {
                let fields: Vec<String> = (0..self.below(4))
                    .map(|_| format!("\"{}\":{space}{}", self.pick(&["a", "b", "c", "\\u0061"]), self.json(depth - 1)))
                    .collect();
                format!("{{{}}}", fields.join(&format!("{space},")))
            }
        }
    }

    fn program(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self
                .pick(&[
                    ".", ".a", ".b", ".a.b", ".c.a", ".[]", ".[]?", ".a?", ".a[0]", ".[0]", ".[-1]", ".a[]?", "null",
                    "1", "-2", "\"a\"", "2.5", "true", "empty", "..", "[]", "{}", ".a?.b", ".[1:]", ".[\"b\"]",
                ])
                .to_string();
        }
        let (x, y) = (self.below(depth), self.below(depth));
        let (a, b) = (self.program(x), self.program(y));
        match self.below(24) {
            0..=2 => format!("{a} | {b}"),
            3 => format!("({a}), ({b})"),
            4 | 5 => format!("({a}) {} ({b})", self.pick(&["==", "!=", "<", "<=", ">", ">="])),
            6 => format!("({a}) {} ({b})", self.pick(&["and", "or", "//"])),
            7 | 8 => format!("({a}) {} ({b})", self.pick(&["+", "-", "*", "/", "%"])),
            9 | 10 => format!("select({a})"),
            11 => format!("[{a}]{}", self.pick(&["", "[0]", "[0].a", "[0][1]", "[-1]", "[0]?"])),
            12 => format!("{{a: ({a}), b: ({b})}}"),
            13 => format!("map({a})"),
            14 => format!("({a})?"),
            15 => format!("if {a} then {b} else ({a}) end"),
            16 => format!(
                "({a}) | {}",
                self.pick(&[
                    "length",
                    "keys",
                    "to_entries",
                    "type",
                    "tostring",
                    "tonumber",
                    "add",
                    "not",
                    "ascii_upcase"
                ])
            ),
            17 => format!("({a}) | {}({b})", self.pick(&["has", "startswith", "endswith", "contains", "split"])),
            18 => format!("({a}) | test(\"a\")"),
            19 => format!("\"x\\({a})y\""),
            20 => format!("{{a, \"b\": 1}} | ({a})"),
            21 => format!("-({a})"),
            22 => format!("(({a}) as $x | $x)"),
            _ => format!("({a}) | ltrimstr({b}), rtrimstr(\"b\")"),
        }
    }
}

/// A random program for jaq, in which an object has nothing at a number: of jq's objects that is an error.
fn as_jq(text: &str) -> String {
    let text = text.replace("][0][1]", "][0] | at(1)").replace(".a[0]", "(.a | at(0))");
    let text = text.replace(".[0]", "at(0)").replace(".[-1]", "at(-1)");
    let strict = "def at($n): if type == \"object\" then error else .[$n] end;
        def there($k): has($k);
        def has($k): if type == \"object\" and ($k | type) != \"string\" then error else there($k) end;";
    format!("{strict} {text}")
}

fn trace(text: &str, json: &str) {
    if std::env::var_os("JQ_TRACE").is_some() {
        eprintln!("{text} on {json}");
    }
}

#[test]
fn native_and_fallback_and_jaq_agree() {
    let (mut random, mut native, mut compared) = (Random(7), 0, 0);
    for _ in 0..1000 {
        let (depth, seed) = (1 + random.below(3), random.0);
        let text = random.program(depth);
        let Ok(program) = Program::new(&text, &[]) else { continue };
        native += usize::from(program.is_native());
        let slow = Program { native: None, ..Program::new(&text, &[]).unwrap() };
        let oracle = Jaq::new(&as_jq(&text));
        for _ in 0..6 {
            let json = random.json(3);
            trace(&text, &json);
            let (fast, slow) = (outputs(&program, &json), outputs(&slow, &json));
            let said = |r: &Result<Vec<String>>| r.as_ref().map_err(|e| e.message().to_string()).cloned();
            assert_eq!(said(&fast), said(&slow), "{text} on {json} (seed {seed})");
            // Of what is no text nothing is trimmed, as in jq; in jaq that is an error.
            let Some(oracle) = oracle.as_ref().filter(|_| !text.contains("trimstr")) else { continue };
            let Some(alone) = oracle.run(&json) else { continue };
            let alone: std::result::Result<Vec<String>, String> = alone.into_iter().collect();
            match (&slow, &alone) {
                (Ok(ours), Ok(alone)) => {
                    let alone: Vec<String> = alone.iter().map(|text| as_json(text)).collect();
                    assert_eq!(ours, &alone, "{text} on {json}");
                    compared += 1;
                }
                (Err(_), Err(_)) => {}
                // Keys that are no text, which JSON does not have.
                (Err(e), Ok(_)) if e.message().contains("must be a string") || e.message().contains("cannot index") => {
                }
                (ours, alone) => panic!("{text} on {json}: {ours:?}, jaq {alone:?}"),
            }
        }
    }
    assert!(native > 300 && compared > 1500, "{native} native, {compared} compared");
}

#[test]
fn the_usual_forms_are_native() {
    for text in [
        "select(.status >= 500) | {path, user: .user.id}",
        "select(.status >= 500) | .path",
        ".a.b, .c[0]?, .d[] | length",
        "{key: [.a.b\n][0], n: [.c[]][0]}",
        "[.a\n][0], .",
        "map(select(.x == \"y\" and (.z | not))) | {n: length, all: .}",
        ".user // \"nobody\" | test(\"^a\"; \"i\")",
        "\"\\(.a): \\(.b + 1)\"",
        "if .a > 1 then [.b[] | tostring] elif .a then \"x\" else null end",
        "to_entries | map(.key | ascii_downcase)",
        ".. | numbers?",
    ] {
        let native = Program::new(text, &[]).unwrap().is_native();
        assert_eq!(native, !text.contains("numbers"), "{text}");
    }
    // What keys and folds are taken with needs no counting.
    for text in ["[.a.b\n][0], .", "{key: [.a.b\n][0], n: [.c\n][0]}", "[.\n][0].a"] {
        assert!(Program::new(text, &[]).unwrap().native.is_some_and(|native| native.is_light), "{text}");
    }
}

#[test]
fn wrong_programs_get_a_caret() {
    let message = |text: &str| Program::new(text, &[]).err().map(|e| e.message().to_string()).unwrap();
    assert_eq!(message("select(.a >"), "jq: expected a closing parenthesis\n  select(.a >\n             ^");
    assert_eq!(message(".a |\n map(foo(1))"), "jq: there is no function foo/1\n   map(foo(1))\n       ^");
    assert_eq!(message(".a + $x"), "jq: there is no variable $x\n  .a + $x\n       ^");
    assert!(message(".a .. ]").contains('^'));
    assert!(message("").contains("expected"));
    assert!(message("input").contains("beyond the item"));
    assert!(message("include \"a\"; .").contains("no modules"));
    assert!(message(&"(".repeat(1000)).contains("nested too deeply"));
    assert!(Program::new(&".|".repeat(30_000), &[]).is_err());
    let long = |part: &str, end: &str| part.repeat(15_000 / part.len()) + end;
    for long in
        [long(".|", "."), long("-", "1"), long("1+", "1"), long(".a", "?"), long("label $x|", "1"), long("try ", "1")]
    {
        // Whether it runs or is refused, the process goes on.
        if let Err(error) = run(&long, "1") {
            assert!(["deeply", "cannot index"].iter().any(|known| error.message().contains(known)), "{error}");
        }
    }
}

#[test]
fn the_file_of_an_item_is_known() {
    let program = Program::new("input_filename, .", &[]).unwrap();
    let mut room = Room::default();
    for (file, expected) in [(None, "null"), (Some("a/b.json"), "\"a/b.json\""), (Some("c"), "\"c\""), (None, "null")] {
        let mut out = Outputs::default();
        room.reads(file.map(Arc::from).as_ref());
        program.run(b"1", &limits(), None, &mut room, &mut out).unwrap();
        assert_eq!(out.iter().collect::<Vec<_>>(), [expected, "1"]);
    }
}

#[test]
fn what_has_no_end_ends_with_an_error() {
    let small = Limits { bytes: 1 << 20, steps: 1_000_000 };
    for (text, kind, word) in [
        ("def f: f; f", ErrorKind::Resources, "without an end"),
        ("def f(g): f(g); f(.)", ErrorKind::Resources, "without an end"),
        ("def f: 1 + f; f", ErrorKind::Resources, "deeply"),
        ("def f: [f]; f", ErrorKind::Resources, "deeply"),
        ("range(1e18)", ErrorKind::Resources, "puts out more"),
        ("[range(1e9)]", ErrorKind::Resources, "need more"),
        ("first(range(1e18) | select(. < 0))", ErrorKind::Resources, "without an end"),
        ("last(range(1e18))", ErrorKind::Resources, "without an end"),
        ("reduce range(1e18) as $x (0; .)", ErrorKind::Resources, "without an end"),
        ("repeat(.)", ErrorKind::Resources, "puts out more"),
        ("[repeat(.)]", ErrorKind::Resources, "need more"),
        ("repeat(empty)", ErrorKind::Resources, "without an end"),
        ("until(false; .)", ErrorKind::Resources, "without an end"),
        ("recurse(.)", ErrorKind::Resources, "puts out more"),
        ("recurse(.) | empty", ErrorKind::Resources, "without an end"),
        ("\"x\" * 1000000000000", ErrorKind::Resources, "need more"),
        ("reduce range(60) as $i (\"x\"; . + .)", ErrorKind::Resources, "need more"),
        ("reduce range(60) as $i ([1]; [., .])", ErrorKind::Resources, "need more"),
        ("reduce range(60) as $i (0; [., .]) | tojson", ErrorKind::Resources, "need more"),
        ("reduce range(100000) as $i (0; [.])", ErrorKind::Data, "512"),
        ("reduce range(100000) as $i (0; {a: .})", ErrorKind::Data, "512"),
        ("reduce range(100) as $i (9; . * .)", ErrorKind::Data, "digits"),
        ("[limit(1000000000; repeat(1))]", ErrorKind::Resources, "need more"),
        ("(\"(\" * 10000) as $r | test($r)", ErrorKind::Data, "regex"),
        ("\"a\" | test(\"((a{100}){100}){100}\")", ErrorKind::Data, "regex"),
        ("try (def f: f; f) catch 1", ErrorKind::Resources, "without an end"),
        ("halt", ErrorKind::Query, "halt"),
        ("halt_error", ErrorKind::Data, ""),
        ("try halt catch 1", ErrorKind::Query, "halt"),
        ("error(null)", ErrorKind::Data, "null"),
    ] {
        trace(text, "1");
        let program = Program::new(text, &[]).unwrap();
        let mut out = Outputs::default();
        let error = program.run(b"1", &small, None, &mut Room::default(), &mut out).unwrap_err();
        assert!(error.kind() == kind && error.message().contains(word), "{text}: {error}");
        assert_eq!(out.len(), 0, "{text}");
    }
}

#[test]
fn a_loop_without_outputs_is_cancelled() {
    let cancel = Cancel::default();
    let program = Program::new("def f: f; f", &[]).unwrap();
    let endless = Limits { bytes: 1 << 20, steps: u64::MAX };
    std::thread::scope(|scope| {
        let told = cancel.clone();
        scope.spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            told.cancel();
        });
        let ran = program.run(b"1", &endless, Some(&cancel), &mut Room::default(), &mut Outputs::default());
        assert_eq!(ran.unwrap_err().kind(), ErrorKind::Cancelled);
    });
}

#[test]
fn items_that_are_no_json_are_told_with_the_column() {
    for (json, column) in
        [("{\"a\":tru}", "6"), ("{\"a\":1", "7"), ("1 2", "3"), ("\"\\q\"", "2"), ("[1,]", "4"), ("1.2.3", "4")]
    {
        for text in [".a", "map(.x) | sort"] {
            let error = run(text, json).unwrap_err();
            assert_eq!(
                (error.kind(), error.place().column.as_deref()),
                (ErrorKind::Data, Some(column)),
                "{json}: {error}"
            );
        }
    }
    let deep = format!("{}{}", "[".repeat(600), "]".repeat(600));
    assert_eq!(run(".", &deep).unwrap_err().kind(), ErrorKind::Data);
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for text in [".", ".[0]", "[..] | length", "flatten", "tojson | fromjson", ". == .", "walk(.)"] {
        assert!(run(text, &deep).is_ok(), "{text}");
    }
}

#[test]
fn constants_are_variables() {
    let constants = [("name".to_string(), "\"x\"".to_string()), ("list".to_string(), " [1, 2]".to_string())];
    for (text, expected) in [("[$name, $list[0]]", "[\"x\",1]"), ("$list | . as $l | $l + [$name]", "[1,2,\"x\"]")] {
        assert_eq!(outputs(&Program::new(text, &constants).unwrap(), "null").unwrap(), [expected]);
    }
    let wrong = Program::new(".", &[("a".to_string(), "{".to_string())]).err().unwrap();
    assert_eq!(wrong.kind(), ErrorKind::Usage);
}

#[test]
fn texts_are_quoted_and_back() {
    assert_eq!(quoted("a\"\n\u{7f}é"), "\"a\\\"\\n\\u007fé\"");
    assert_eq!(unquoted("\"a\\\"\\n\\u007fé\"").as_deref(), Some("a\"\n\u{7f}é"));
    assert_eq!(unquoted("12"), None);
}

#[test]
fn json_test_suite_is_read_as_it_says() {
    let dir =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata/json/JSONTestSuite/test_parsing");
    let Ok(files) = std::fs::read_dir(&dir) else {
        eprintln!("skipped: {} is not there", dir.display());
        return;
    };
    let program = Program::new(".", &[]).unwrap();
    for path in files.map(|file| file.unwrap().path()) {
        let (name, json) = (path.file_name().unwrap().to_string_lossy().to_string(), std::fs::read(&path).unwrap());
        let mut out = Outputs::default();
        let ran = program.run(&json, &limits(), None, &mut Room::default(), &mut out);
        match name.get(..2) {
            Some("y_") => assert!(ran.is_ok(), "{name}: {ran:?}"),
            Some("n_") => assert!(ran.is_err(), "{name}"),
            // Either way, but the process goes on, and what comes out is JSON. serde_json does not nest so deep.
            _ => assert!(
                out.iter().all(|made| serde_json::from_str::<serde_json::Value>(made).is_ok()
                    || made.contains('e')
                    || name.contains("nested")),
                "{name}"
            ),
        }
    }
}
