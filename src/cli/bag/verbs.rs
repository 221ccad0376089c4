//! The verbs of `partita bag`: one table, and what each takes.

use super::words::usage;
use partita::{Error, Result};
use std::collections::VecDeque;

/// A verb with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    Jq { program: String, style: JqStyle, constants: Vec<(String, Constant)> },
    Filter(String),
    Pluck { path: String, default: Option<String> },
    Flatten,
    Frequencies(String),
    TopK { k: usize, path: String },
    Distinct(String),
    FoldBy { key: String, folds: Vec<Fold> },
    GroupBy(String),
    Join { file: String, on: String, kind: Joining },
    Sort { path: String, reverse: bool },
    Take(usize),
    Sample { n: usize, seed: u64 },
    Count,
    Stats,
    Schema,
    To(String),
}

/// How jq prints.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JqStyle {
    /// `-r`: texts without quotes.
    pub raw: bool,
    /// `-c`: a value in a line.
    pub compact: bool,
    /// `-j`: as `-r`, and no line ends.
    pub joined: bool,
    /// `-S`: keys in order.
    pub sorted: bool,
}

/// A value of `--arg` or `--argjson`.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    Text(String),
    Json(String),
}

/// What of two inputs is joined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Joining {
    Inner,
    Left,
    Outer,
    Semi,
    Anti,
}

/// A fold of `foldby`: `p99(.latency_ms)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// What it is called in the result.
    pub name: String,
    /// In SQL, over the column `{}`.
    pub sql: String,
    /// What is folded, as a jq program; the item itself where nothing is given.
    pub path: String,
}

/// A row of the table.
pub struct Row {
    pub name: &'static str,
    /// The most words that it takes, beside options.
    pub words: usize,
    /// What it takes, as help says it.
    pub takes: &'static str,
    pub does: &'static str,
    /// Its own options, and how many values follow each.
    pub options: &'static [(&'static str, usize)],
    pub read: fn(Given) -> Result<Verb>,
}

const fn row(
    name: &'static str,
    words: usize,
    takes: &'static str,
    does: &'static str,
    read: fn(Given) -> Result<Verb>,
) -> Row {
    Row { name, words, takes, does, options: &[], read }
}

/// Every verb.
pub static VERBS: &[Row] = &[
    Row {
        options: &[
            ("--raw-output", 0),
            ("--compact-output", 0),
            ("--join-output", 0),
            ("--sort-keys", 0),
            ("--arg", 2),
            ("--argjson", 2),
        ],
        ..row(
            "jq",
            1,
            "[-r] [-c] [-j] [-S] [--arg NAME TEXT] [--argjson NAME JSON] PROGRAM",
            "each item through a program of jq",
            jq,
        )
    },
    row("filter", 1, "CONDITION", "the items for which a jq condition holds", |mut given| {
        Ok(Verb::Filter(given.word("a condition")?))
    }),
    Row {
        options: &[("--default", 1)],
        ..row("pluck", 1, "PATH [--default JSON]", "the value under a path of each item", |mut given| {
            Ok(Verb::Pluck { path: given.word("a path")?, default: given.option("--default") })
        })
    },
    row("flatten", 0, "", "the elements of all items", |_| Ok(Verb::Flatten)),
    row("frequencies", 1, "[PATH]", "how often which value is there", |mut given| Ok(Verb::Frequencies(given.path()))),
    row("topk", 2, "K [PATH]", "the K items with the greatest values", |mut given| {
        Ok(Verb::TopK { k: given.number("K")?, path: given.path() })
    }),
    row("distinct", 1, "[PATH]", "the first item of each value", |mut given| Ok(Verb::Distinct(given.path()))),
    row("foldby", usize::MAX, "KEY FOLD..", "folds for each key: count sum(PATH) mean min max std median pNN", fold_by),
    row("groupby", 1, "KEY", "the items of each key, as one item", |mut given| Ok(Verb::GroupBy(given.word("a key")?))),
    Row {
        options: &[("--on", 1), ("--left", 0), ("--outer", 0), ("--semi", 0), ("--anti", 0)],
        ..row("join", 1, "FILE --on KEY [--left|--outer|--semi|--anti]", "items of both that have the same key", join)
    },
    Row {
        options: &[("-r", 0), ("--reverse", 0)],
        ..row("sort", 1, "[-r] [PATH]", "the items in the order of a value", |mut given| {
            let reverse = given.flag(&["-r", "--reverse"]);
            Ok(Verb::Sort { path: given.path(), reverse })
        })
    },
    row("take", 1, "N", "the first N items", |mut given| Ok(Verb::Take(given.number("N")?))),
    Row {
        options: &[("--seed", 1)],
        ..row("sample", 1, "N [--seed S]", "N items by chance", |mut given| {
            let seed = given.option("--seed").map_or(Ok(0), |s| s.parse());
            let seed = seed.map_err(|_| usage("--seed is a whole number"))?;
            Ok(Verb::Sample { n: given.number("N")?, seed })
        })
    },
    row("count", 0, "", "how many items there are", |_| Ok(Verb::Count)),
    row("stats", 0, "", "each field: its type, least and greatest value, nulls", |_| Ok(Verb::Stats)),
    row("schema", 0, "", "each field and its type", |_| Ok(Verb::Schema)),
    row(
        "to",
        1,
        "PATTERN",
        "into files of JSON lines, or as .json, .avro, .csv, .parquet say; * is their number",
        |mut given| Ok(Verb::To(given.word("a pattern")?)),
    ),
];

/// The verb called so.
pub fn named(name: &str) -> Option<&'static Row> {
    VERBS.iter().find(|row| row.name == name)
}

/// The names of all verbs, as advice.
pub fn names() -> String {
    let names: Vec<&str> = VERBS.iter().map(|row| row.name).collect();
    format!("one of: {}; an input of that name is ./NAME", names.join(", "))
}

/// What a verb was given.
pub struct Given {
    verb: &'static str,
    words: VecDeque<String>,
    options: Vec<(String, Vec<String>)>,
}

impl Given {
    /// Tells options and words apart.
    ///
    /// # Errors
    /// `Usage`, for options that the verb does not have.
    pub fn of(row: &Row, words: Vec<String>) -> Result<Given> {
        let mut given = Given { verb: row.name, words: VecDeque::new(), options: Vec::new() };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match row.options.iter().find(|(option, _)| *option == word) {
                Some((_, count)) => {
                    let values: Vec<String> = words.by_ref().take(*count).collect();
                    if values.len() < *count {
                        return Err(usage(format!("{} {word} needs {count} values", row.name)));
                    }
                    given.options.push((word, values));
                }
                None if row.name == "jq" && is_letters(&word) => given.options.extend(letters(&word)?),
                // A number or a negative program is none.
                None if word.starts_with("--") => return Err(no_option(row.name, &word)),
                None => given.words.push_back(word),
            }
        }
        if given.words.len() > row.words {
            let takes = if row.takes.is_empty() { "nothing" } else { row.takes };
            let last = given.words.back().map_or("", String::as_str);
            return Err(usage(format!("{} takes {takes}: {last:?} is too much", row.name)).advise(format!(
                "inputs stand before the verb: partita bag INPUT.. {} ..; then begins another",
                row.name
            )));
        }
        Ok(given)
    }

    fn word(&mut self, what: &str) -> Result<String> {
        self.words.pop_front().ok_or_else(|| usage(format!("{} needs {what}", self.verb)))
    }

    fn path(&mut self) -> String {
        self.words.pop_front().unwrap_or_else(|| ".".into())
    }

    fn number(&mut self, what: &str) -> Result<usize> {
        let word = self.word(what)?;
        word.parse().map_err(|_| usage(format!("{} {word:?}: {what} is a whole number", self.verb)))
    }

    fn flag(&self, names: &[&str]) -> bool {
        self.options.iter().any(|(option, _)| names.contains(&option.as_str()))
    }

    fn option(&self, name: &str) -> Option<String> {
        self.options.iter().rev().find(|(option, _)| option == name).and_then(|(_, values)| values.first().cloned())
    }
}

/// Letters of jq's options, in one word.
const LETTERS: &str = "rcjSsneaCMR";

/// Whether a word is options of jq, which may be written together; a longer word is a program that begins with a minus.
pub fn is_letters(word: &str) -> bool {
    let letters = word.strip_prefix('-').unwrap_or_default();
    (1..=4).contains(&letters.len()) && letters.chars().all(|letter| LETTERS.contains(letter))
}

/// The long names of options in one word.
fn letters(word: &str) -> Result<Vec<(String, Vec<String>)>> {
    let long = |letter| match letter {
        'r' => Ok("--raw-output"),
        'c' => Ok("--compact-output"),
        'j' => Ok("--join-output"),
        'S' => Ok("--sort-keys"),
        letter => Err(no_option("jq", &format!("-{letter}"))),
    };
    word.chars().skip(1).map(|letter| Ok((long(letter)?.to_string(), Vec::new()))).collect()
}

fn no_option(verb: &str, option: &str) -> Error {
    let advice = match option {
        "-s" | "--slurp" => {
            "items go through programs one at a time; count, foldby, groupby, frequencies, sort and topk look at all of them"
        }
        "-n" | "--null-input" => "programs run for each item; a program without items is one over a file with null",
        "-R" | "--raw-input" => "partita bag --text INPUT.. reads lines as texts",
        "-C" | "-M" | "--color-output" | "--monochrome-output" => "what is printed has no colors",
        "-e" | "--exit-status" => "filter, then count, says whether there is something",
        "-a" | "--ascii-output" => "what is printed is UTF-8",
        _ => {
            return usage(format!("{verb} has no option {option}"))
                .advise(format!("partita bag INPUT.. {}", takes(verb)));
        }
    };
    usage(format!("{verb} has no option {option}")).advise(advice)
}

/// A verb with what it takes.
fn takes(verb: &str) -> String {
    named(verb).map_or_else(String::new, |row| format!("{} {}", row.name, row.takes))
}

/// Options that stand before the verb, though they are jq's.
pub fn belongs_to_jq(word: &str) -> Option<Error> {
    let known = ["--arg", "--argjson", "--raw-output", "--compact-output", "--join-output", "--sort-keys", "--slurp"];
    // -c is the command's own, for SQL.
    let is = known.contains(&word) || (is_letters(word) && word != "-c");
    is.then(|| {
        usage(format!("{word} is an option of the verb jq")).advise(format!("partita bag INPUT.. {}", takes("jq")))
    })
}

fn jq(mut given: Given) -> Result<Verb> {
    let constants = given.options.iter().filter_map(|(option, values)| match (option.as_str(), values.as_slice()) {
        ("--arg", [name, text]) => Some((name.clone(), Constant::Text(text.clone()))),
        ("--argjson", [name, json]) => Some((name.clone(), Constant::Json(json.clone()))),
        _ => None,
    });
    Ok(Verb::Jq {
        constants: constants.collect(),
        style: JqStyle {
            raw: given.flag(&["--raw-output"]),
            compact: given.flag(&["--compact-output"]),
            joined: given.flag(&["--join-output"]),
            sorted: given.flag(&["--sort-keys"]),
        },
        program: given.word("a program")?,
    })
}

fn join(mut given: Given) -> Result<Verb> {
    let kinds =
        [("--left", Joining::Left), ("--outer", Joining::Outer), ("--semi", Joining::Semi), ("--anti", Joining::Anti)];
    let chosen: Vec<Joining> = kinds.iter().filter(|(name, _)| given.flag(&[name])).map(|(_, kind)| *kind).collect();
    let kind = match chosen.as_slice() {
        [] => Joining::Inner,
        [one] => *one,
        _ => return Err(usage("join takes one of --left, --outer, --semi, --anti")),
    };
    let on = given.option("--on").ok_or_else(|| usage("join needs --on KEY"))?;
    Ok(Verb::Join { file: given.word("a file")?, on, kind })
}

fn fold_by(mut given: Given) -> Result<Verb> {
    let key = given.word("a key")?;
    let folds = given.words.iter().map(|word| fold(word)).collect::<Result<Vec<_>>>()?;
    if folds.is_empty() {
        return Err(usage("foldby needs a fold").advise("count, sum(.bytes), mean(.ms), p99(.ms) .."));
    }
    Ok(Verb::FoldBy { key, folds })
}

/// `p99(.latency_ms)`, `count`.
fn fold(word: &str) -> Result<Fold> {
    let (function, path) = match word.split_once('(') {
        Some((function, rest)) => {
            let path = rest.strip_suffix(')').ok_or_else(|| usage(format!("{word:?} has no closing parenthesis")))?;
            (function, path)
        }
        None => (word, ""),
    };
    let sql = match function {
        "count" if path.is_empty() => "count(*)".to_string(),
        "count" => "count({})".into(),
        "mean" => "avg({})".into(),
        "std" => "stddev_samp({})".into(),
        "var" => "var_samp({})".into(),
        "sum" | "min" | "max" | "median" => format!("{function}({{}})"),
        _ => match function.strip_prefix('p').and_then(|p| p.parse::<f64>().ok()).filter(|p| (0.0..=100.0).contains(p))
        {
            Some(percent) => format!("quantile_cont({{}}, {})", percent / 100.0),
            None => {
                let known = "count, sum, mean, min, max, std, var, median, p50, p99, p99.9";
                return Err(usage(format!("there is no fold {function:?}")).advise(format!("one of: {known}")));
            }
        },
    };
    if path.is_empty() && function != "count" {
        return Err(usage(format!("{function} needs a path")).advise(format!("{function}(.field)")));
    }
    let plain: String = path.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let plain = plain.trim_matches('_');
    let name = if plain.is_empty() { function.to_string() } else { format!("{function}_{plain}") };
    Ok(Fold { name, sql, path: if path.is_empty() { ".".into() } else { path.into() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_read() {
        let read = |word: &str| fold(word).map(|f| (f.name, f.sql, f.path)).unwrap();
        let expect = |name: &str, sql: &str, path: &str| (name.to_string(), sql.to_string(), path.to_string());
        assert_eq!(read("count"), expect("count", "count(*)", "."));
        assert_eq!(read("sum(.a.b)"), expect("sum_a_b", "sum({})", ".a.b"));
        assert_eq!(read("p99.9(.ms)"), expect("p99.9_ms", "quantile_cont({}, 0.9990000000000001)", ".ms"));
        for wrong in ["sum", "sum(", "p101(.a)", "pi(.a)", "mode(.a)"] {
            assert!(fold(wrong).is_err(), "{wrong}");
        }
    }
}
