//! How far two texts are from each other.

use super::super::args::{Args, floats, ints, some};
use super::super::row::{Gives, Row};
use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use std::collections::{HashMap, HashSet};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "levenshtein",
        "text, text",
        Gives::Int,
        levenshtein,
        "The fewest insertions, deletions and replacements of bytes that make one text of the other.",
        "levenshtein('kitten', 'sitting') --> 3",
    )
    .also(&["edit_distance", "editdist3"]),
    Row::new(
        "damerau_levenshtein",
        "text, text",
        Gives::Int,
        damerau,
        "As levenshtein; neighbours that changed places count once.",
        "damerau_levenshtein('ca', 'abc') --> 2",
    ),
    Row::new(
        "hamming",
        "text, text",
        Gives::Int,
        hamming,
        "The number of places where texts of one length differ.",
        "hamming('duck', 'luck') --> 1",
    )
    .also(&["mismatches"]),
    Row::new(
        "jaccard",
        "text, text",
        Gives::Float,
        jaccard,
        "The share of characters that both texts have.",
        "jaccard('duck', 'luck') --> 0.6",
    ),
    Row::new(
        "jaro_similarity",
        "text, text, float?",
        Gives::Float,
        jaro_similarity,
        "How alike two texts are, from 0 to 1 (Jaro).",
        "jaro_similarity('duck', 'duckdb') --> 0.8888888888888888",
    ),
    Row::new(
        "jaro_winkler_similarity",
        "text, text, float?",
        Gives::Float,
        jaro_winkler,
        "As jaro_similarity; a common beginning counts more.",
        "jaro_winkler_similarity('duck', 'duckdb') --> 0.9333333333333333",
    ),
];

fn count(args: &Args, f: impl Fn(&[u8], &[u8]) -> usize) -> Result<ArrayRef> {
    let (a, b) = (args.text(0)?, args.text(1)?);
    ints(args, |row| Ok(Some(f(some!(a.get(row)).as_bytes(), some!(b.get(row)).as_bytes()) as i64)))
}

fn levenshtein(args: &Args) -> Result<ArrayRef> {
    count(args, |a, b| {
        let mut line: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let (mut diagonal, mut left) = (i, i + 1);
            for (y, above) in b.iter().zip(line.iter_mut().skip(1)) {
                let here = (diagonal + usize::from(x != y)).min(left + 1).min(*above + 1);
                diagonal = *above;
                *above = here;
                left = here;
            }
            if let Some(first) = line.first_mut() {
                *first = i + 1;
            }
        }
        line.last().copied().unwrap_or(0)
    })
}

/// The table of all prefixes of both, with a border (Lowrance and Wagner 1975).
struct Table {
    width: usize,
    cells: Vec<usize>,
}

impl Table {
    fn get(&self, i: usize, j: usize) -> usize {
        self.cells.get(i * self.width + j).copied().unwrap_or(usize::MAX / 2)
    }

    fn set(&mut self, i: usize, j: usize, value: usize) {
        if let Some(cell) = self.cells.get_mut(i * self.width + j) {
            *cell = value;
        }
    }
}

fn damerau(args: &Args) -> Result<ArrayRef> {
    count(args, |a, b| {
        let far = a.len() + b.len();
        let mut table = Table { width: b.len() + 2, cells: vec![far; (a.len() + 2) * (b.len() + 2)] };
        (0..=a.len()).for_each(|i| table.set(i + 1, 1, i));
        (0..=b.len()).for_each(|j| table.set(1, j + 1, j));
        let mut last_row: HashMap<u8, usize> = HashMap::new();
        for (i, x) in (1..).zip(a) {
            let mut last_column = 0;
            for (j, y) in (1..).zip(b) {
                let (k, l) = (last_row.get(y).copied().unwrap_or(0), last_column);
                let same = x == y;
                let swapped = table.get(k, l) + (i - k - 1) + 1 + (j - l - 1);
                let best = (table.get(i, j) + usize::from(!same))
                    .min(table.get(i + 1, j) + 1)
                    .min(table.get(i, j + 1) + 1)
                    .min(swapped);
                table.set(i + 1, j + 1, best);
                if same {
                    last_column = j;
                }
            }
            last_row.insert(*x, i);
        }
        table.get(a.len() + 1, b.len() + 1)
    })
}

fn hamming(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.text(0)?, args.text(1)?);
    ints(args, |row| {
        let (a, b) = (some!(a.get(row)), some!(b.get(row)));
        if a.len() != b.len() {
            return exec_err!("hamming wants texts of one length, not {a:?} and {b:?}");
        }
        Ok(Some(a.bytes().zip(b.bytes()).filter(|(x, y)| x != y).count() as i64))
    })
}

fn jaccard(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.text(0)?, args.text(1)?);
    floats(args, |row| {
        let set = |s: &str| s.bytes().collect::<HashSet<_>>();
        let (a, b) = (set(some!(a.get(row))), set(some!(b.get(row))));
        if a.is_empty() || b.is_empty() {
            return exec_err!("jaccard wants texts that are not empty");
        }
        Ok(Some(a.intersection(&b).count() as f64 / a.union(&b).count() as f64))
    })
}

fn jaro(a: &[char], b: &[char]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let window = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut used = vec![false; b.len()];
    let mut matched = Vec::new();
    for (i, x) in a.iter().enumerate() {
        let (from, to) = (i.saturating_sub(window), i + window + 1);
        let found = b.iter().zip(used.iter_mut()).take(to).skip(from).find(|(y, used)| *y == x && !**used);
        if let Some((_, used)) = found {
            *used = true;
            matched.push(*x);
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let other = b.iter().zip(&used).filter(|(_, used)| **used).map(|(y, _)| y);
    let moved = matched.iter().zip(other).filter(|(x, y)| x != y).count() / 2;
    let m = matched.len() as f64;
    (m / a.len() as f64 + m / b.len() as f64 + (m - moved as f64) / m) / 3.0
}

fn similarity(args: &Args, f: impl Fn(&[char], &[char]) -> f64) -> Result<ArrayRef> {
    let (a, b) = (args.text(0)?, args.text(1)?);
    let least = if args.has(2) { Some(args.float(2)?) } else { None };
    floats(args, |row| {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        let found = f(&chars(some!(a.get(row))), &chars(some!(b.get(row))));
        let least = match &least {
            Some(least) => some!(least.get(row)),
            None => 0.0,
        };
        Ok(Some(if found < least { 0.0 } else { found }))
    })
}

fn jaro_similarity(args: &Args) -> Result<ArrayRef> {
    similarity(args, jaro)
}

fn jaro_winkler(args: &Args) -> Result<ArrayRef> {
    similarity(args, |a, b| {
        let plain = jaro(a, b);
        let common = a.iter().zip(b).take(4).take_while(|(x, y)| x == y).count();
        if plain > 0.7 { plain + 0.1 * common as f64 * (1.0 - plain) } else { plain }
    })
}
