//! `partita bag INPUT.. VERB [ARGS] [then VERB ..]`: items of JSON through verbs, as Miller and jq are called.
//!
//! 1. [`words`] tells options, inputs and verbs apart; [`verbs`] is the table of verbs and what they take.
//! 2. [`steps`] makes a bag of the inputs ([`arriving`] is standard input) and a step of each verb; what the first one wants of
//!    an item is taken where it is read. What is folded or described goes through frames.
//! 3. The last verb's items are printed line by line, as they come ([`pretty`]), and passed on before anything is waited for;
//!    rows, and items for which a `--format` is given, go through the printers of the command.

mod arriving;
mod order;
mod pretty;
mod steps;
mod told;
mod verbs;
mod words;

pub use words::place;

use super::args::Args;
use super::output::{Stop, Target};
use super::printers::Format;
use super::{Run, Story, exit, report, say, shape, signals, stats};
use partita::bag::{BadItems, Json};
use partita::{Bag, Error, ErrorKind, Frame, Result, Session};
use pretty::Style;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use steps::Out;
use verbs::Verb;
use words::{Words, usage};

/// Runs the command; the word `bag` stands at `place`.
pub fn main(arguments: &[OsString], place: usize, trim: fn()) -> ExitCode {
    let code = match run(arguments, place, trim) {
        Ok(code) => code,
        Err(Stop::Closed) => exit::OK,
        Err(Stop::Failed(error)) if error.kind() == ErrorKind::Cancelled => {
            say("interrupted\n");
            exit::INTERRUPTED
        }
        Err(Stop::Failed(error)) => {
            say(&report::describe(&error, ""));
            exit::code(error.kind())
        }
    };
    ExitCode::from(code)
}

fn run(arguments: &[OsString], place: usize, trim: fn()) -> Result<u8, Stop> {
    let begun = Instant::now();
    let words = words::read(arguments, place)?;
    if words.help {
        let mut target = Target::stream(std::io::stdout().lock());
        target.buffer().extend_from_slice(help().as_bytes());
        target.flush()?;
        return Ok(exit::OK);
    }
    let options = arguments.first().cloned().into_iter().chain(words.options.iter().cloned());
    let args = match Args::parse_from(options) {
        Ok(args) => args,
        Err(told) => {
            // Version goes to standard output, errors to standard error; a closed pipe is nobody's fault.
            let _ = told.print();
            return Ok(if told.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    check(&words)?;
    if !args.scripts.is_empty() || !args.table.is_empty() || !args.directory.is_empty() {
        return Err(usage("bag runs verbs, not SQL: -c, -f, -t and -d do not go with it").into());
    }
    // A text file holds items line by line, unless a table is asked for.
    let format = super::chosen_format(&args)?.filter(|f| args.format.is_some() || f.name != "table");
    let story = args.story.as_deref().map(Story::create).transpose()?;
    let session = Arc::new(super::session(&args, trim, story.clone())?);
    told::listen();
    let outcome = run_in(&args, format, &session, &words);
    let told = story.map_or(Ok(()), |story| story.end());
    let rows = outcome?;
    told?;
    if args.stats {
        say(&stats::describe(&session.stats(), begun.elapsed(), rows));
    }
    Ok(exit::OK)
}

/// What is known to be wrong before anything runs.
fn check(words: &Words) -> Result<()> {
    match words.inputs.iter().filter(|input| *input == "-").count() {
        0 | 1 => Ok(()),
        _ => Err(usage("standard input can be read only once")),
    }
}

fn run_in(args: &Args, format: Option<&'static Format>, session: &Arc<Session>, words: &Words) -> Result<u64, Stop> {
    let interrupt = signals::watch(session)?;
    let target = match &args.output {
        Some(path) => Target::file(session, path)?,
        None => Target::stream(std::io::stdout()),
    };
    let lines = Format::named("jsonl")?;
    let bad = words.skip.then(BadItems::skip);
    let mut run = Run { format: format.unwrap_or(lines), shape: shape(args, session), target, results: 0, rows: 0 };
    let outcome = answer(&mut run, format, session, words, bad.as_ref());
    // What is left of an interrupted query may look like any error.
    if interrupt.came() && !matches!(outcome, Err(Stop::Closed)) {
        return Err(Error::cancelled().into());
    }
    outcome?;
    if let Some(bad) = bad.filter(|bad| bad.count() > 0) {
        let (items, were) = if bad.count() == 1 { ("item", "was") } else { ("items", "were") };
        say(&format!("{} bad {items} {were} left out\n", bad.count()));
    }
    let rows = run.rows;
    run.target.complete()?;
    Ok(rows)
}

fn answer(
    run: &mut Run,
    format: Option<&'static Format>,
    session: &Session,
    words: &Words,
    bad: Option<&BadItems>,
) -> Result<(), Stop> {
    let chosen = format.is_some();
    let format = format.filter(|f| f.name != "jsonl");
    match (steps::all(session, words, bad)?, format) {
        (Out::Files, _) => Ok(()),
        (Out::Rows(rows), _) => print_rows(run, &rows),
        (Out::Items(items), Some(_)) => print_rows(run, &items.to_frame()?),
        (Out::Items(items), None) => print_items(run, &items, style(words.verbs.last(), chosen)),
    }
}

/// As jq prints, after jq; a format that was chosen has a line for each item.
fn style(last: Option<&Verb>, chosen: bool) -> Style {
    match last {
        Some(Verb::Jq { style, .. }) => {
            Style { pretty: !style.compact && !chosen, raw: style.raw || style.joined, joined: style.joined }
        }
        _ => Style::default(),
    }
}

fn print_rows(run: &mut Run, rows: &Frame) -> Result<(), Stop> {
    let batches = rows.batches()?;
    run.result(batches)
}

fn print_items(run: &mut Run, items: &Bag<Json>, style: Style) -> Result<(), Stop> {
    let mut items = items.iter()?;
    loop {
        // Whoever reads our output sees what has arrived while we wait for more.
        if !items.is_ready() {
            run.target.flush()?;
        }
        match items.next() {
            Some(Ok(item)) => {
                run.rows += 1;
                style.write(&item, run.target.buffer());
                run.target.pass()?;
            }
            Some(Err(error)) => {
                run.target.flush()?;
                return Err(error.into());
            }
            None => return run.target.flush(),
        }
    }
}

fn help() -> String {
    let mut text = String::from(
        "Items of JSON through verbs\n\n\
         Usage: partita bag [OPTIONS] INPUT.. VERB [ARGS] [then VERB [ARGS]]..\n\n\
         Inputs are files of JSON (lines, or one array), Avro, Parquet or CSV, globs, directories, or - for JSON from\n\
         standard input.\n\n\
         Verbs:\n",
    );
    for row in verbs::VERBS {
        text.push_str(&format!("  {} {}\n        {}\n", row.name, row.takes, row.does));
    }
    text.push_str(
        "\nOptions: those of the command (partita --help), and\n  \
         --text                each line is a text, not JSON\n  \
         --records PATH        where in documents the items are: data.items\n  \
         --on-error fail|skip  what becomes of lines that are no JSON, and items of which a program fails [default: fail]\n\n\
         Examples:\n  \
         partita bag 'logs/*.jsonl.gz' jq 'select(.status >= 500) | .path' then frequencies then topk 10 .count\n  \
         tail -f app.log | partita bag - jq -r 'select(.level == \"error\") | .message'\n",
    );
    text
}
