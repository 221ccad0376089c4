//! The command line: options, and DuckDB's single-dash forms for hands that are used to them.

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use partita::{Error, ErrorKind, Result};
use std::ffi::OsString;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Examples:
  partita -c \"SELECT city, avg(temp) FROM 'logs/*.csv.gz' GROUP BY city\"
  partita -t sales=2024/sales.csv -c 'SELECT count(*) FROM sales' --format json
  partita -d data -f report.sql --memory 512MiB -o report.parquet
  partita bag 'logs/*.jsonl' jq 'select(.status >= 500) | .path' then frequencies (see partita bag --help)

Exit codes: 0 answered, 1 the query failed, 2 wrong arguments, 3 bad data,
4 not enough memory or disk, 130 interrupted.";

/// Query files larger than memory with SQL.
///
/// Files are tables: FROM 'data/*.csv'. CSV, JSON lines and Parquet are read, compressed or not. Queries stay within
/// --memory and spill to --scratch beyond it. SQL is read from standard input when neither -c nor -f is given.
#[derive(Clone, Debug, Parser)]
#[command(name = "partita", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Args {
    /// Run these statements; may be given several times
    #[arg(short, long, value_name = "SQL", allow_hyphen_values = true)]
    pub command: Vec<String>,

    /// Run the statements in this file; may be given several times
    #[arg(short, long, value_name = "FILE")]
    pub file: Vec<PathBuf>,

    /// Make a file, a glob or a directory a table
    #[arg(short, long, value_name = "NAME=PATH")]
    pub table: Vec<String>,

    /// Make each data file in this directory a table, named by its stem
    #[arg(short, long, value_name = "DIR")]
    pub directory: Vec<PathBuf>,

    /// Memory budget, like 64MiB or 1.5GB [default: 75 % of what the machine or the cgroup has]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,

    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,

    /// Directory for what does not fit in memory; several are used in turn [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    pub scratch: Vec<PathBuf>,

    /// The most that scratch may hold [default: 90 % of what is free]
    #[arg(long, value_name = "SIZE")]
    pub scratch_limit: Option<String>,

    /// How results look: table, csv, tsv, json, jsonl, markdown, line, parquet, arrow [default: table, or by -o's ending]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,

    /// Write results to this file, which appears when it is complete
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Leave out the names of the columns
    #[arg(long)]
    pub no_header: bool,

    /// What stands for null [default: nothing in csv and tsv, NULL for people]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub null: Option<String>,

    /// Most rows that a table shows, from both ends; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub max_rows: usize,

    /// Most characters that a table's lines take; 0 for no limit [default: the terminal's width]
    #[arg(long, value_name = "N")]
    pub width: Option<usize>,

    /// Say on standard error what the queries cost: time, rows, memory, spill
    #[arg(long)]
    pub stats: bool,

    /// Record every choice of the scheduler in this file, line by line
    #[arg(long, value_name = "FILE")]
    pub story: Option<PathBuf>,

    /// `-c` and `-f` in the order in which they were given.
    #[arg(skip)]
    pub scripts: Vec<Script>,
}

/// A source of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script {
    /// The text itself.
    Text(String),
    /// A file that holds it.
    File(PathBuf),
}

/// Options that take a value: the argument after them is never rewritten.
pub const WITH_VALUE: &[&str] = &[
    "-c",
    "--command",
    "-f",
    "--file",
    "-t",
    "--table",
    "-d",
    "--directory",
    "--memory",
    "--threads",
    "--scratch",
    "--scratch-limit",
    "--format",
    "-o",
    "--output",
    "--null",
    "--max-rows",
    "--width",
    "--story",
];

/// Whether it is a long option of the command.
pub fn is_long_option(name: &str) -> bool {
    let known = |name: &str| Args::command().get_arguments().any(|a| a.get_long() == Some(name));
    name.strip_prefix("--").is_some_and(known)
}

/// DuckDB's forms and ours.
const REWRITES: &[(&str, &str)] = &[
    ("-table", "--format=table"),
    ("-box", "--format=table"),
    ("-csv", "--format=csv"),
    ("-tsv", "--format=tsv"),
    ("-tabs", "--format=tsv"),
    ("-json", "--format=json"),
    ("-jsonlines", "--format=jsonl"),
    ("-markdown", "--format=markdown"),
    ("-line", "--format=line"),
    ("-noheader", "--no-header"),
    ("-nullvalue", "--null"),
    ("-version", "--version"),
    ("-help", "--help"),
];

/// Replaces single-dash forms, but neither values of options nor anything after `--`.
fn rewritten(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut all = Vec::new();
    let (mut is_value, mut ended) = (false, false);
    for argument in arguments {
        let rewrite = REWRITES.iter().find(|(from, _)| argument == *from).filter(|_| !is_value && !ended);
        let argument = rewrite.map_or(argument, |(_, to)| OsString::from(to));
        ended |= argument == "--" && !is_value;
        is_value = !is_value && WITH_VALUE.iter().any(|option| argument == *option);
        all.push(argument);
    }
    all
}

/// What somebody may have meant with a word that is no option: SQL, or a file of data.
pub fn hint(error: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else { return None };
    if error.kind() != clap::error::ErrorKind::UnknownArgument || word.starts_with('-') {
        return None;
    }
    let is_file = std::path::Path::new(word).is_file();
    Some(match is_file {
        true if word.ends_with(".sql") => format!("a file of SQL stands behind -f: partita -f {word}"),
        true => format!("a file is a table of SQL: partita -c \"FROM '{word}'\""),
        false => "SQL stands behind -c: partita -c 'SELECT 1'".to_string(),
    })
}

impl Args {
    /// Parses the command line, its first argument being the command's name.
    ///
    /// # Errors
    /// Whatever clap says, which may be the help or the version.
    pub fn parse_from(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
        let matches = Args::command().try_get_matches_from(rewritten(arguments))?;
        let mut args = Args::from_arg_matches(&matches)?;
        args.scripts = in_order(&args, &matches);
        Ok(args)
    }

    /// `-t` as (name, path).
    ///
    /// # Errors
    /// `Usage`, where there is no `=` or nothing at one side of it.
    pub fn tables(&self) -> Result<Vec<(&str, &str)>> {
        let pairs = self.table.iter().map(|text| match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name, path)),
            _ => Err(Error::new(ErrorKind::Usage, format!("-t {text:?} is not NAME=PATH"))
                .advise("write it like -t sales=data/sales.csv")),
        });
        pairs.collect()
    }
}

fn in_order(args: &Args, matches: &ArgMatches) -> Vec<Script> {
    let texts = matches.indices_of("command").into_iter().flatten().zip(args.command.iter().cloned().map(Script::Text));
    let files = matches.indices_of("file").into_iter().flatten().zip(args.file.iter().cloned().map(Script::File));
    let mut scripts: Vec<(usize, Script)> = texts.chain(files).collect();
    scripts.sort_by_key(|(index, _)| *index);
    scripts.into_iter().map(|(_, script)| script).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Args {
        Args::parse_from(std::iter::once("partita").chain(line.iter().copied()).map(OsString::from)).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
        for option in Args::command().get_arguments().filter(|a| a.get_action().takes_values()) {
            let long = format!("--{}", option.get_long().unwrap());
            assert!(WITH_VALUE.contains(&long.as_str()), "{long} takes a value");
        }
    }

    #[test]
    fn words_that_are_no_options_get_a_hint() {
        let hint_of = |word: &str| {
            let error = Args::parse_from(["partita", word].map(OsString::from)).unwrap_err();
            hint(&error).unwrap_or_default()
        };
        assert!(hint_of("SELECT 1").contains("-c"));
        assert!(hint_of("Cargo.toml").contains("FROM 'Cargo.toml'"));
        assert_eq!(hint_of("--bogus"), "");
    }

    #[test]
    fn single_dashes_are_understood() {
        assert_eq!(parse(&["-csv", "-noheader", "-nullvalue", "-"]).format.as_deref(), Some("csv"));
        assert_eq!(parse(&["-nullvalue", "-"]).null.as_deref(), Some("-"));
        let args = parse(&["-c", "-csv", "--format", "json"]);
        assert_eq!((args.command[0].as_str(), args.format.as_deref()), ("-csv", Some("json")));
    }

    #[test]
    fn scripts_keep_their_order() {
        let text = |t: &str| Script::Text(t.into());
        let args = parse(&["-c", "a", "-f", "b.sql", "-c", "c"]);
        assert_eq!(args.scripts, [text("a"), Script::File("b.sql".into()), text("c")]);
    }

    #[test]
    fn tables_have_a_name_and_a_path() {
        assert_eq!(parse(&["-t", "a=b=c.csv"]).tables().unwrap(), [("a", "b=c.csv")]);
        for bad in ["a", "=a", "a="] {
            assert_eq!(parse(&["-t", bad]).tables().unwrap_err().kind(), ErrorKind::Usage, "{bad}");
        }
    }

    #[test]
    fn sql_may_begin_with_a_comment() {
        assert_eq!(parse(&["-c", "-- all\nSELECT 1"]).command[0], "-- all\nSELECT 1");
    }
}
