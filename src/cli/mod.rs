//! The command `partita`: the only place that prints, hears signals and exits.
//!
//! Life of a run:
//!
//! 1. [`args`] reads the command line; help and usage errors end here.
//! 2. The SQL is gathered (`-c`, `-f`, standard input), the session is built, `-t` and `-d` name tables, [`signals`] are
//!    watched.
//! 3. Statement by statement: its batches go through a printer ([`printers`], one for each format, built of [`partita::cells`])
//!    into the target ([`output`]: standard output, or a file that appears when complete).
//! 4. Errors become text ([`report`]) and a code ([`exit`]); `--stats` says what it cost.
//!
//! Rows alone go to standard output; everything that is said to people goes to standard error. A reader that closes
//! its pipe ends the command quietly.
//!
//! `partita bag` is a command of its own beside SQL ([`bag`]), with the same options, targets and exit codes.
//!
//! A new option is a field in [`args`] and a line in docs/cli.md; a new format a row in [`printers::FORMATS`].

mod args;
mod bag;
mod exit;
mod output;
mod passing;
mod printers;
mod report;
mod signals;
mod stats;
mod story;
mod tables;
mod types;

use args::{Args, Script};
use output::{Stop, Target};
use partita::frame::{Outcome, Session, SessionStats};
use partita::io::Compression;
use partita::units::ByteSize;
use partita::{Error, ErrorKind, Result};
use passing::{Passing, Rows};
use printers::{Format, Shape};
use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use story::Story;

/// Runs the command; `arguments` begin with its name. `trim` makes the allocator give back what it keeps.
pub fn main(arguments: impl IntoIterator<Item = OsString>, trim: fn()) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(place) = bag::place(&arguments) {
        return bag::main(&arguments, place, trim);
    }
    let args = match Args::parse_from(arguments) {
        Ok(args) => args,
        Err(told) => {
            // Help and version go to standard output, errors to standard error; a closed pipe is nobody's fault.
            let _ = told.print();
            if let Some(hint) = args::hint(&told) {
                say(&format!("hint: {hint}\n"));
            }
            return ExitCode::from(if told.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    let mut sql = String::new();
    let code = match run(&args, trim, &mut sql) {
        Ok(()) | Err(Stop::Closed) => exit::OK,
        Err(Stop::Failed(error)) if error.kind() == ErrorKind::Cancelled => {
            say("interrupted\n");
            exit::INTERRUPTED
        }
        Err(Stop::Failed(error)) => {
            say(&report::describe(&error, &sql));
            exit::code(error.kind())
        }
    };
    ExitCode::from(code)
}

/// Says something to people. That nobody hears it changes nothing.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Runs every script. `sql` is left holding the script that ran last, for messages about it.
fn run(args: &Args, trim: fn(), sql: &mut String) -> Result<(), Stop> {
    let begun = Instant::now();
    let format = format(args)?;
    let scripts = match args.scripts.is_empty() {
        true => vec![Script::Text(standard_input()?)],
        false => args.scripts.clone(),
    };
    let story = args.story.as_deref().map(Story::create).transpose()?;
    let session = Arc::new(session(args, trim, story.clone())?);
    let outcome = run_in(args, format, &session, &scripts, sql);
    warn_of_memory(&session);
    let told = story.map_or(Ok(()), |story| story.end());
    let rows = outcome?;
    told?;
    if args.stats {
        say(&stats::describe(&session.stats(), begun.elapsed(), rows));
    }
    Ok(())
}

/// What was spilled to a file system in memory took what it should have saved.
fn warn_of_memory(session: &Session) {
    let written = session.stats().scratch_written;
    if written == 0 {
        return;
    }
    for dir in session.scratch_in_memory() {
        let size = ByteSize(usize::try_from(written).unwrap_or(usize::MAX));
        say(&format!(
            "warning: {} is in memory (tmpfs): the {size} that were spilled took RAM beyond the budget\n\
             hint: point --scratch to a directory on a disk\n",
            dir.display()
        ));
    }
}

/// Runs every script in `session`; how many rows they put out.
fn run_in(
    args: &Args,
    format: &'static Format,
    session: &Arc<Session>,
    scripts: &[Script],
    sql: &mut String,
) -> Result<u64, Stop> {
    let interrupt = signals::watch(session)?;
    name_tables(args, session)?;
    let target = match &args.output {
        Some(path) => Target::file(session, path)?,
        None => Target::stream(std::io::stdout().lock()),
    };
    let mut run = Run { format, shape: shape(args, session), target, results: 0, rows: 0 };
    let mut outcome = Ok(());
    for script in scripts {
        *sql = text(script)?;
        outcome = run.script(session, sql, &interrupt);
        if outcome.is_err() {
            break;
        }
    }
    // What is left of an interrupted query may look like any error. But where every statement wrote its own output, and all
    // of them have their names, the interruption came too late.
    let is_late = outcome.is_ok() && run.results == 0;
    if interrupt.came() && !is_late && !matches!(outcome, Err(Stop::Closed)) {
        return Err(Error::cancelled().into());
    }
    outcome?;
    let rows = run.rows;
    run.target.complete()?;
    Ok(rows)
}

/// What goes through one run of the command.
struct Run {
    format: &'static Format,
    shape: Shape,
    target: Target,
    results: u64,
    rows: u64,
}

impl Run {
    fn script(&mut self, session: &Session, sql: &str, interrupt: &signals::Interrupt) -> Result<(), Stop> {
        for statement in session.statements(sql)? {
            if interrupt.came() {
                return Err(Error::cancelled().into());
            }
            let before = session.stats();
            match session.run(&statement)? {
                Outcome::Rows(batches) => self.result(batches)?,
                Outcome::Done(message) if !message.is_empty() && std::io::stderr().is_terminal() => {
                    say(&format!("{message}\n"));
                }
                Outcome::Done(_) => {}
            }
            say(&left_out(&before, &session.stats()));
        }
        Ok(())
    }

    /// Prints one result. If it fails in the middle, the rows before are out.
    fn result(&mut self, mut rows: impl Rows) -> Result<(), Stop> {
        if self.format.single && self.results > 0 {
            let message = format!("{} holds one result, but there are more", self.format.name);
            return Err(Error::new(ErrorKind::Usage, message).advise("use COPY ... TO for each of them").into());
        }
        self.results += 1;
        let (before, mut passing) = (self.rows, Passing::default());
        while let Err(error) = self.print(&mut rows, &mut passing)? {
            if !rows.start_over(&error)? {
                self.target.flush()?;
                return Err(error.into());
            }
            passing.start_over(error);
            self.rows = before;
        }
        self.target.flush()
    }

    /// Prints the rows that there are; an error of theirs ends it, which may be one that starting over mends.
    fn print(&mut self, rows: &mut impl Rows, passing: &mut Passing) -> Result<Result<()>, Stop> {
        let (mut printer, mut printed) = (self.format.printer(&self.shape), Vec::new());
        // What comes before rows waits for the first one: then the columns are settled, and a query that fails without
        // any row has printed nothing.
        let mut begun = false;
        while let Some(batch) = rows.next() {
            let batch = match batch {
                Ok(batch) if batch.num_rows() == 0 => continue,
                Ok(batch) => batch,
                Err(error) => return Ok(Err(error)),
            };
            if !std::mem::replace(&mut begun, true) {
                printer.begin(&rows.schema(), &mut printed)?;
            }
            self.rows += batch.num_rows() as u64;
            printer.rows(&batch, &mut printed)?;
            passing.pass(&printed, self.target.buffer())?;
            printed.clear();
            self.target.pass()?;
        }
        if !begun {
            printer.begin(&rows.schema(), &mut printed)?;
        }
        printer.end(&mut printed)?;
        passing.pass(&printed, self.target.buffer())?;
        passing.end()?;
        Ok(Ok(()))
    }
}

/// What a statement left out, for people.
fn left_out(before: &SessionStats, after: &SessionStats) -> String {
    let counted = |n: u64, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let (rows, values) = (after.rejected.saturating_sub(before.rejected), after.nulled.saturating_sub(before.nulled));
    let mut told = String::new();
    if rows > 0 {
        told += &format!("{} rejected: FROM rejects() shows them\n", counted(rows, "row"));
    }
    if values > 0 {
        told += &format!("{} made null: FROM rejects() shows them\n", counted(values, "value"));
    }
    told
}

fn format(args: &Args) -> Result<&'static Format> {
    if let Some(format) = chosen_format(args)? {
        return Ok(format);
    }
    // A table in a file that is called otherwise would be read as what its name says.
    match args.output.as_deref().and_then(|path| Path::new(Compression::of_name(path.to_str()?).1).extension()) {
        None => Format::named("table"),
        Some(ending) => {
            Err(Error::new(ErrorKind::Usage, format!("no format of results ends in .{}", ending.to_string_lossy()))
                .advise("say which one with --format"))
        }
    }
}

/// The format that was asked for, by its name or by the ending of a file.
fn chosen_format(args: &Args) -> Result<Option<&'static Format>> {
    let by_ending = || args.output.as_deref().and_then(Format::of_path);
    args.format.as_deref().map_or_else(|| Ok(by_ending()), |name| Format::named(name).map(Some))
}

fn shape(args: &Args, session: &Session) -> Shape {
    let is_screen = args.output.is_none() && std::io::stdout().is_terminal();
    Shape {
        header: !args.no_header,
        null: args.null.clone(),
        max_rows: args.max_rows,
        width: args.width.unwrap_or_else(|| if is_screen { screen_width() } else { 0 }),
        held: (session.stats().budget / 8).clamp(1 << 20, 64 << 20),
        to_file: args.output.is_some(),
    }
}

/// Characters in a line of the terminal; 0 if unknown.
fn screen_width() -> usize {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout()) {
        return usize::from(size.ws_col);
    }
    0
}

fn session(args: &Args, trim: fn(), story: Option<Story>) -> Result<Session> {
    let mut builder = Session::builder().whole_process(true).trim(trim);
    if let Some(size) = &args.memory {
        builder = builder.memory(size.as_str())?;
    }
    if let Some(threads) = args.threads {
        builder = builder.threads(threads);
    }
    for dir in &args.scratch {
        builder = builder.scratch(dir.clone());
    }
    if let Some(size) = &args.scratch_limit {
        builder = builder.scratch_limit(size.as_str())?;
    }
    if let Some(story) = story {
        builder = builder.story(move |line| story.tell(line));
    }
    builder.build()
}

fn name_tables(args: &Args, session: &Session) -> Result<()> {
    for dir in &args.directory {
        tables::register_directory(session, dir)?;
    }
    for (name, path) in args.tables()? {
        session.register_file(name, path)?;
    }
    Ok(())
}

fn text(script: &Script) -> Result<String> {
    match script {
        Script::Text(text) => Ok(text.clone()),
        Script::File(path) => std::fs::read_to_string(path).map_err(|e| Error::io(path.display(), e)),
    }
}

/// SQL from standard input, read before signals are watched, so that Ctrl-C ends the reading at once.
fn standard_input() -> Result<String> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Error::new(ErrorKind::Usage, "there is no SQL to run")
            .advise("give it with -c SQL or -f FILE, or pipe it in; --help says more"));
    }
    let mut sql = String::new();
    stdin.read_to_string(&mut sql).map_err(|e| Error::io("standard input", e))?;
    Ok(sql)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::SchemaRef;
    use arrow::record_batch::RecordBatch;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<u8>>>);
    impl Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn run_into(format: &str, seen: &Seen) -> Run {
        let shape = Shape { header: true, null: None, max_rows: 40, width: 0, held: 1 << 20, to_file: false };
        Run { format: Format::named(format).unwrap(), shape, target: Target::stream(seen.clone()), results: 0, rows: 0 }
    }

    /// Batches, and those of the rerun.
    struct Given(Vec<Result<RecordBatch>>, Vec<Result<RecordBatch>>);

    impl Iterator for Given {
        type Item = Result<RecordBatch>;
        fn next(&mut self) -> Option<Self::Item> {
            (!self.0.is_empty()).then(|| self.0.remove(0))
        }
    }

    impl Rows for Given {
        fn schema(&self) -> SchemaRef {
            numbers().schema()
        }
        fn start_over(&mut self, error: &Error) -> Result<bool> {
            self.0 = std::mem::take(&mut self.1);
            Ok(error.is_misfit())
        }
    }

    fn numbers() -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    #[test]
    fn rows_before_an_error_are_out() {
        let seen = Seen::default();
        let mut run = run_into("csv", &seen);
        let stopped = run.result(Given(vec![Ok(numbers()), Err(Error::data("bad"))], vec![]));
        assert!(matches!(stopped, Err(Stop::Failed(e)) if e.kind() == ErrorKind::Data));
        assert_eq!(*seen.0.lock().unwrap(), b"n\n1\n2\n");
        assert_eq!(run.rows, 2);
    }

    #[test]
    fn a_query_that_fails_before_its_first_row_prints_nothing() {
        let none = || numbers().slice(0, 0);
        for format in printers::FORMATS {
            let seen = Seen::default();
            for before in [vec![], vec![Ok(none())]] {
                let given = before.into_iter().chain([Err(Error::data("bad"))]).collect();
                let stopped = run_into(format.name, &seen).result(Given(given, vec![]));
                assert!(matches!(stopped, Err(Stop::Failed(e)) if e.kind() == ErrorKind::Data));
            }
            assert_eq!(String::from_utf8_lossy(&seen.0.lock().unwrap()), "", "{}", format.name);
        }
        for (format, text) in [("csv", "n\n"), ("json", "[]\n"), ("jsonl", "")] {
            for given in [vec![], vec![Ok(none()), Ok(none())]] {
                let seen = Seen::default();
                run_into(format, &seen).result(Given(given, vec![])).unwrap();
                assert_eq!(String::from_utf8_lossy(&seen.0.lock().unwrap()), text);
            }
        }
    }

    #[test]
    fn a_query_that_starts_over_repeats_no_row() {
        let misfit = || Err(Error::data("bad").misfit());
        for (format, text) in [("csv", "n\n1\n2\n1\n2\n"), ("jsonl", "{\"n\":1}\n{\"n\":2}\n{\"n\":1}\n{\"n\":2}\n")] {
            let seen = Seen::default();
            let mut run = run_into(format, &seen);
            let rerun = vec![Ok(numbers()), Ok(numbers())];
            run.result(Given(vec![Ok(numbers()), misfit()], rerun)).unwrap();
            assert_eq!((String::from_utf8_lossy(&seen.0.lock().unwrap()).as_ref(), run.rows), (text, 4));
        }
        let other = run_into("csv", &Seen::default()).result(Given(vec![Ok(numbers()), misfit()], vec![]));
        assert!(matches!(other, Err(Stop::Failed(e)) if e.message().contains("print differently")));
    }

    #[test]
    fn results_follow_each_other_where_the_format_allows() {
        let seen = Seen::default();
        let mut run = run_into("jsonl", &seen);
        for _ in 0..2 {
            run.result(Given(vec![Ok(numbers())], vec![])).unwrap();
        }
        assert_eq!(*seen.0.lock().unwrap(), b"{\"n\":1}\n{\"n\":2}\n".repeat(2));
        let mut run = run_into("arrow", &seen);
        run.result(Given(vec![Ok(numbers())], vec![])).unwrap();
        let again = run.result(Given(vec![Ok(numbers())], vec![]));
        assert!(matches!(again, Err(Stop::Failed(e)) if e.kind() == ErrorKind::Usage));
    }
}
