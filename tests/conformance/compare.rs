//! When an answer is the expected one: the rules of the collection that the cases come from.
//!
//! Values are compared as texts: equal texts, equal numbers (to 1e-6 relative; to 6e-4 where the case was written with
//! three digits), equal truth values, equal times in different spellings, and nested values without regard to quotes and
//! space. Rows are compared in order, or as a bag, or value by value, as the case says.

use super::case::Case;

pub type Row = Vec<Option<String>>;

/// What is wrong with `rows`; `None` when nothing is.
pub fn difference(case: &Case, rows: &[Row]) -> Option<String> {
    if case.sort == "valuesort" {
        return values_differ(case, rows).then(|| "other values".to_string());
    }
    if rows.len() != case.expected.len() {
        return Some(format!("{} rows instead of {}", rows.len(), case.expected.len()));
    }
    let columns = |rows: &[Row]| rows.first().map_or(0, Vec::len);
    if columns(rows) != columns(&case.expected) {
        return Some(format!("{} columns instead of {}", columns(rows), columns(&case.expected)));
    }
    let all_same = |a: &[&Row], b: &[&Row]| a.iter().zip(b).all(|(a, b)| same_row(case, a, b));
    let (expected, found): (Vec<&Row>, Vec<&Row>) = (case.expected.iter().collect(), rows.iter().collect());
    if all_same(&expected, &found) {
        return None;
    }
    let (mut a, mut b) = (expected.clone(), found);
    a.sort_by_cached_key(|row| row.iter().map(key).collect::<Vec<_>>());
    b.sort_by_cached_key(|row| row.iter().map(key).collect::<Vec<_>>());
    if all_same(&a, &b) || same_bag(case, &expected, b) {
        return (case.sort != "rowsort").then(|| "another order".to_string());
    }
    Some("other values".to_string())
}

fn values_differ(case: &Case, rows: &[Row]) -> bool {
    let sorted = |rows: &[Row]| {
        let mut all: Vec<Option<String>> = rows.iter().flatten().cloned().collect();
        all.sort_by_cached_key(key);
        all
    };
    let (a, b) = (sorted(&case.expected), sorted(rows));
    a.len() != b.len() || !a.iter().zip(&b).all(|(a, b)| same(a, b, "", case.is_slt))
}

/// Whether each expected row finds a row of its own: for rows that sort differently, but are the same.
fn same_bag(case: &Case, expected: &[&Row], mut found: Vec<&Row>) -> bool {
    expected.len() <= 60
        && expected.iter().all(|row| match found.iter().position(|other| same_row(case, row, other)) {
            Some(at) => {
                found.remove(at);
                true
            }
            None => false,
        })
}

fn same_row(case: &Case, expected: &Row, found: &Row) -> bool {
    let types = case.types.iter().map(String::as_str).chain(std::iter::repeat(""));
    expected.iter().zip(found).zip(types).all(|((e, f), t)| same(e, f, t, case.is_slt))
}

fn same(expected: &Option<String>, found: &Option<String>, kind: &str, slt: bool) -> bool {
    let (Some(e), Some(f)) = (expected, found) else { return expected.is_none() && found.is_none() };
    if e == f {
        return true;
    }
    let whole = slt && kind == "I";
    let f = match (whole, number(f)) {
        (true, Some(n)) if n.is_finite() => format!("{}", n.trunc()),
        (true, None) if f == "true" => "1".to_string(),
        (true, None) if f == "false" => "0".to_string(),
        _ => f.clone(),
    };
    e == &f
        || same_truth(e, &f)
        || same_number(e, &f, slt && kind == "R")
        || canonical(e) == canonical(&f)
        || same_nested(e, &f)
}

fn same_truth(a: &str, b: &str) -> bool {
    let truth = |s: &str| match s.to_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    };
    matches!(b.to_lowercase().as_str(), "true" | "false") && truth(a).is_some() && truth(a) == truth(b)
}

fn number(s: &str) -> Option<f64> {
    s.trim().parse().ok()
}

fn same_number(a: &str, b: &str, coarse: bool) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) if a.is_nan() || b.is_nan() => a.is_nan() && b.is_nan(),
        (Some(a), Some(b)) if a.is_infinite() || b.is_infinite() => a == b,
        (Some(a), Some(b)) => {
            let slack = if coarse { 6e-4 } else { 1e-9 };
            (a - b).abs() <= slack + 1e-6 * a.abs().max(b.abs())
        }
        _ => false,
    }
}

/// A time as one engine of many writes it: no `T`, no zeros behind the last digit of a second, no zone where it is UTC.
fn canonical(s: &str) -> String {
    let digits = |s: &str, at: &[usize]| at.iter().all(|&i| s.as_bytes().get(i).is_some_and(u8::is_ascii_digit));
    let mut s = s.to_string();
    if s.as_bytes().get(10) == Some(&b'T') && digits(&s, &[0, 1, 2, 3, 5, 6, 8, 9, 11, 12]) {
        s.replace_range(10..11, " ");
    }
    if let Some((clock, fraction)) = s.rsplit_once('.')
        && clock.contains(':')
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
    {
        let kept = fraction.trim_end_matches('0');
        s = if kept.is_empty() { clock.to_string() } else { format!("{clock}.{kept}") };
    }
    for zone in ["+00:00", "+00", "Z"] {
        if let Some(rest) = s.strip_suffix(zone)
            && rest.contains(':')
        {
            return rest.to_string();
        }
    }
    s
}

fn same_nested(a: &str, b: &str) -> bool {
    let nested = |s: &str| s.starts_with(['[', '{', '(']);
    if !nested(a) && !nested(b) {
        return false;
    }
    let (a, b) = (words(a), words(b));
    let near = |a: &str, b: &str| match (number(a), number(b)) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1e-9),
        _ => false,
    };
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || near(a, b))
}

/// The values and the runs of signs of a nested value.
fn words(s: &str) -> Vec<String> {
    let is_sign = |c: char| ",:()[]{}".contains(c);
    let plain = s.chars().filter(|c| !c.is_whitespace() && !"\"'\\".contains(*c));
    let mut words: Vec<String> = Vec::new();
    let mut last = None;
    for c in plain.map(|c| if c == '=' { ':' } else { c }).flat_map(char::to_lowercase) {
        match words.last_mut() {
            Some(word) if last == Some(is_sign(c)) => word.push(c),
            _ => words.push(c.to_string()),
        }
        last = Some(is_sign(c));
    }
    words
}

/// Where a value sorts: any total order will do, as long as values that are the same are neighbours.
fn key(value: &Option<String>) -> (u8, String) {
    match value {
        None => (0, String::new()),
        Some(v) => match (number(v), v.as_str()) {
            (Some(n), _) if !n.is_nan() => (1, format!("{:.5e}", if n == 0.0 { 0.0 } else { n })),
            (_, "true") => (1, format!("{:.5e}", 1.0)),
            (_, "false") => (1, format!("{:.5e}", 0.0)),
            _ => (2, canonical(v)),
        },
    }
}

#[test]
fn spellings_of_one_value_are_the_same() {
    let some = |s: &str| Some(s.to_string());
    for (a, b) in [
        ("1.0", "1"),
        ("2020-01-01T00:00:00", "2020-01-01 00:00:00.000"),
        ("10:00:00.1200", "10:00:00.12"),
        ("t", "true"),
        ("{'a': 1, 'b': [x, y]}", "{a:1,b:[\"x\",\"y\"]}"),
        ("{a=1}", "{'a': 1.0}"),
    ] {
        assert!(same(&some(a), &some(b), "", false), "{a} {b}");
    }
    for (a, b) in [("1", "2"), ("a", "b"), ("[1]", "[1, 1]"), ("true", "false"), ("nan", "1")] {
        assert!(!same(&some(a), &some(b), "", false), "{a} {b}");
    }
    assert!(same(&some("3"), &some("3.7"), "I", true) && !same(&some("3"), &some("3.7"), "", false));
    assert!(!same(&None, &some(""), "", false));
}
