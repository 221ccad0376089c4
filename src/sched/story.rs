//! A session's signals and actions as text that a person can read, and the proof that it was the scheduler who chose.
//!
//! ```text
//! # comments and empty lines are skipped
//! scheduler threads 2 floors 1000
//! > submit q0 : - : s0              two stages: s0 waits for nothing, s1 for s0
//! < lay q0 s0 round 0
//! > laid q0 s0 tasks 1 floor 10
//! < start q0 t0 s0 round 0 index 0 floor 10
//! > starved q0 t0 r3 bytes 64 : r3 100/10 : r4 5/0 pinned      held/floor of each claim
//! < ask r3 bytes 64 for q0
//! < resume q0 t0
//! ```
//!
//! [`replay`] feeds the lines that begin with `>` to a new scheduler and compares what it answers with the lines that
//! begin with `<`.

use super::{Action, Scheduler, Signal};
use crate::graph::{Knot, Web};
use crate::ids::{QueryId, ReservationId, StageId, TaskId, Token};
use crate::memory::Claim;
use std::fmt;
use std::str::SplitWhitespace;
use std::sync::Arc;

/// The first line of a story.
pub fn header(scheduler: &Scheduler) -> String {
    format!("scheduler threads {} floors {}", scheduler.threads(), scheduler.floors_limit())
}

/// Where a story and the scheduler part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The line of the story, from 1.
    pub line: usize,
    /// What the story says there; empty where it says nothing.
    pub told: String,
    /// What the scheduler does there, or what is wrong with the line.
    pub done: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: the story says {:?}, the scheduler {:?}", self.line, self.told, self.done)
    }
}

/// Runs the signals of `story` through a new scheduler.
///
/// # Errors
/// The first line where its actions differ from those told, or that cannot be read.
pub fn replay(story: &str) -> Result<(), Mismatch> {
    let retold = retell(story)?;
    let mut done = retold.lines().map(str::trim).filter(|l| is_told(l));
    for (n, told) in story.lines().enumerate().map(|(n, l)| (n + 1, l.trim())).filter(|(_, l)| is_told(l)) {
        let done = done.next().unwrap_or("");
        if normal(told) != normal(done) {
            return Err(Mismatch { line: n, told: told.into(), done: done.into() });
        }
    }
    match done.next() {
        Some(more) => Err(Mismatch { line: story.lines().count() + 1, told: String::new(), done: more.into() }),
        None => Ok(()),
    }
}

/// The story with the scheduler's own actions in place of those told. Comments stay.
///
/// # Errors
/// A line that cannot be read.
pub fn retell(story: &str) -> Result<String, Mismatch> {
    let mut scheduler = None;
    let mut out = String::new();
    let mut actions = Vec::new();
    for (n, line) in story.lines().enumerate().map(|(n, l)| (n + 1, l.trim())) {
        let bad = |done: &str| Mismatch { line: n, told: line.into(), done: done.into() };
        if line.starts_with('<') {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if let Some(signal) = line.strip_prefix('>') {
            let scheduler: &mut Scheduler = scheduler.as_mut().ok_or_else(|| bad("no header before this"))?;
            let signal = parse_signal(signal).ok_or_else(|| bad("not a signal"))?;
            scheduler.on(signal, &mut actions);
            actions.drain(..).for_each(|a| out.push_str(&format!("< {a}\n")));
        } else if is_told(line) {
            scheduler = Some(parse_header(line).ok_or_else(|| bad("not a header"))?);
        }
    }
    Ok(out)
}

/// Whether a line says something: it is neither empty nor a comment.
fn is_told(line: &str) -> bool {
    !line.is_empty() && !line.starts_with('#')
}

fn normal(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signal::Submit { query, priority, stages } => {
                write!(f, "submit {query}")?;
                write_some(f, "priority", *priority)?;
                stages.iter().try_for_each(|after| write_after(f, after))
            }
            Signal::Laid { query, stage, tasks, floor, web } => {
                write!(f, "laid {query} {stage} tasks {tasks} floor {floor}")?;
                web.iter().flat_map(|web| &web.tasks).try_for_each(|knot| write_knot(f, knot))
            }
            Signal::Done { query, task } => write!(f, "done {query} {task}"),
            Signal::Failed { query, task } => write!(f, "failed {query} {task}"),
            Signal::Waiting { query, task, token } => write!(f, "waiting {query} {task} {token}"),
            Signal::Ready { query, token } => write!(f, "ready {query} {token}"),
            Signal::Starved { query, task, reservation, bytes, claims } => {
                write!(f, "starved {query} {task} {reservation} bytes {bytes}")?;
                claims.iter().try_for_each(|claim| write_claim(f, claim))
            }
            Signal::Over { bytes, claims } => {
                write!(f, "over bytes {bytes}")?;
                claims.iter().try_for_each(|claim| write_claim(f, claim))
            }
            Signal::Freed { query, task, bytes } => write!(f, "freed {query} {task} bytes {bytes}"),
            Signal::Lent => f.write_str("lent"),
            Signal::Returned => f.write_str("returned"),
            Signal::Gave { reservation, bytes } => write!(f, "gave {reservation} bytes {bytes}"),
            Signal::Cancel { query } => write!(f, "cancel {query}"),
        }
    }
}

fn write_after(f: &mut fmt::Formatter<'_>, after: &[StageId]) -> fmt::Result {
    f.write_str(" :")?;
    if after.is_empty() {
        return f.write_str(" -");
    }
    after.iter().try_for_each(|stage| write!(f, " {stage}"))
}

fn write_knot(f: &mut fmt::Formatter<'_>, knot: &Knot) -> fmt::Result {
    f.write_str(" :")?;
    if knot.needs.is_empty() {
        f.write_str(" -")?;
    }
    knot.needs.iter().try_for_each(|need| write!(f, " {need}"))?;
    write_some(f, "priority", knot.priority)?;
    write_some(f, "retries", knot.retries)?;
    write_some(f, "floor", knot.floor)
}

/// A number with its name, where it says something.
fn write_some<N: fmt::Display + PartialEq + Default>(f: &mut fmt::Formatter<'_>, name: &str, n: N) -> fmt::Result {
    if n == N::default() { Ok(()) } else { write!(f, " {name} {n}") }
}

fn write_claim(f: &mut fmt::Formatter<'_>, claim: &Claim) -> fmt::Result {
    write!(f, " : {} {}/{}", claim.id, claim.held, claim.floor)?;
    if claim.revocable { Ok(()) } else { f.write_str(" pinned") }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Lay { query, stage, round } => write!(f, "lay {query} {stage} round {round}"),
            Action::Start { query, task, stage, round, index, floor, retries } => {
                write!(f, "start {query} {task} {stage} round {round} index {index} floor {floor}")?;
                write_some(f, "retries", *retries)
            }
            Action::Resume { query, task } => write!(f, "resume {query} {task}"),
            Action::Ask { query, reservation, bytes } => write!(f, "ask {reservation} bytes {bytes} for {query}"),
            Action::Spill { query, reservation, bytes } => write!(f, "spill {reservation} bytes {bytes} for {query}"),
            Action::Starve { query, task } => write!(f, "starve {query} {task}"),
            Action::Abort { query } => write!(f, "abort {query}"),
            Action::Finish { query } => write!(f, "finish {query}"),
        }
    }
}

fn parse_header(line: &str) -> Option<Scheduler> {
    let mut words = Words(line.split_whitespace());
    words.named("scheduler")?;
    let (threads, floors) = (words.size("threads")?, words.size("floors")?);
    words.end()?;
    Some(Scheduler::new(threads, floors))
}

/// Reads a signal as its `Display` writes it; `None` where it is none.
pub fn parse_signal(line: &str) -> Option<Signal> {
    let mut parts = line.split(':');
    let mut w = Words(parts.next()?.split_whitespace());
    let signal = match w.0.next()? {
        "submit" => {
            let stages = parts.by_ref().map(parse_after).collect::<Option<_>>();
            let query = w.query()?;
            Signal::Submit { query, priority: w.some("priority")?, stages: stages? }
        }
        "laid" => Signal::Laid {
            query: w.query()?,
            stage: StageId(w.id('s')?),
            tasks: w.size("tasks")?,
            floor: w.size("floor")?,
            web: parse_web(parts.by_ref())?,
        },
        "done" => Signal::Done { query: w.query()?, task: w.task()? },
        "failed" => Signal::Failed { query: w.query()?, task: w.task()? },
        "waiting" => Signal::Waiting { query: w.query()?, task: w.task()?, token: Token(w.id('k')?) },
        "ready" => Signal::Ready { query: w.query()?, token: Token(w.id('k')?) },
        "starved" => {
            let claims = parts.by_ref().map(parse_claim).collect::<Option<_>>();
            let (query, task, reservation) = (w.query()?, w.task()?, w.reservation()?);
            Signal::Starved { query, task, reservation, bytes: w.size("bytes")?, claims: claims? }
        }
        "over" => {
            let claims = parts.by_ref().map(parse_claim).collect::<Option<_>>();
            Signal::Over { bytes: w.size("bytes")?, claims: claims? }
        }
        "freed" => Signal::Freed { query: w.query()?, task: w.task()?, bytes: w.size("bytes")? },
        "lent" => Signal::Lent,
        "returned" => Signal::Returned,
        "gave" => Signal::Gave { reservation: w.reservation()?, bytes: w.size("bytes")? },
        "cancel" => Signal::Cancel { query: w.query()? },
        _ => return None,
    };
    w.end()?;
    parts.next().is_none().then_some(signal)
}

fn parse_after(text: &str) -> Option<Vec<StageId>> {
    let mut words = Words(text.split_whitespace());
    if text.trim() == "-" {
        return Some(Vec::new());
    }
    text.split_whitespace().map(|_| words.id('s').map(StageId)).collect()
}

/// What tasks need of one another; nothing, where nothing is said of any of them.
fn parse_web<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Option<Arc<Web>>> {
    let tasks = parts.map(parse_knot).collect::<Option<Vec<Knot>>>()?;
    Some((!tasks.is_empty()).then(|| Arc::new(Web { tasks })))
}

fn parse_knot(text: &str) -> Option<Knot> {
    let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let (mut needs, mut rest) = (Vec::new(), text.trim());
    if let Some(more) = rest.strip_prefix('-') {
        rest = more.trim_start();
    }
    while let Some(word) = rest.split_whitespace().next().filter(is_number) {
        needs.push(word.parse().ok()?);
        rest = rest.get(word.len()..)?.trim_start();
    }
    let mut w = Words(rest.split_whitespace());
    let knot = Knot { needs, priority: w.some("priority")?, retries: w.some("retries")?, floor: w.some("floor")? };
    w.end()?;
    Some(knot)
}

fn parse_claim(text: &str) -> Option<Claim> {
    let mut words = Words(text.split_whitespace());
    let id = words.reservation()?;
    let (held, floor) = words.0.next()?.split_once('/')?;
    let revocable = match words.0.next() {
        None => true,
        Some("pinned") => false,
        Some(_) => return None,
    };
    Some(Claim { id, held: held.parse().ok()?, floor: floor.parse().ok()?, revocable })
}

#[derive(Clone)]
struct Words<'a>(SplitWhitespace<'a>);

impl Words<'_> {
    fn id<N: std::str::FromStr>(&mut self, prefix: char) -> Option<N> {
        self.0.next()?.strip_prefix(prefix)?.parse().ok()
    }

    fn query(&mut self) -> Option<QueryId> {
        self.id('q').map(QueryId)
    }

    fn task(&mut self) -> Option<TaskId> {
        self.id('t').map(TaskId)
    }

    fn reservation(&mut self) -> Option<ReservationId> {
        self.id('r').map(ReservationId)
    }

    fn named(&mut self, name: &str) -> Option<()> {
        (self.0.next()? == name).then_some(())
    }

    fn size(&mut self, name: &str) -> Option<usize> {
        self.named(name)?;
        self.0.next()?.parse().ok()
    }

    /// The number of that name, which is the default where it is not there.
    fn some<N: std::str::FromStr + Default>(&mut self, name: &str) -> Option<N> {
        let mut ahead = self.clone();
        if ahead.named(name).is_none() {
            return Some(N::default());
        }
        *self = ahead;
        self.0.next()?.parse().ok()
    }

    fn end(&mut self) -> Option<()> {
        self.0.next().is_none().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stories beside this file, as the scheduler tells them. `PARTITA_GOLDEN=rewrite` writes them anew.
    #[test]
    fn golden_stories() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sched/stories");
        let mut seen = 0;
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let story = std::fs::read_to_string(&path).unwrap();
            if std::env::var_os("PARTITA_GOLDEN").is_some_and(|v| v == "rewrite") {
                std::fs::write(&path, retell(&story).unwrap()).unwrap();
            } else if let Err(e) = replay(&story) {
                panic!("{}: {e}", path.display());
            }
            seen += 1;
        }
        assert!(seen >= 8, "{seen} stories");
    }

    #[test]
    fn a_changed_story_is_noticed() {
        let story =
            "scheduler threads 1 floors 0\n> submit q0 : -\n< lay q0 s0 round 0\n> laid q0 s0 tasks 0 floor 0\n";
        assert_eq!(replay(story), Err(Mismatch { line: 5, told: String::new(), done: "< finish q0".into() }));
        let full = format!("{story}< finish q0\n");
        assert_eq!(replay(&full), Ok(()));
        assert_eq!(replay(&full.replace("round 0", "round 1")).unwrap_err().line, 3);
        assert_eq!(replay(&full.replace("> laid", "> paid")).unwrap_err().done, "not a signal");
        assert_eq!(replay("> lent").unwrap_err().done, "no header before this");
        assert!(replay("scheduler threads x floors 0").is_err());
    }

    #[test]
    fn signals_are_read_as_they_are_written() {
        for line in [
            "submit q7",
            "submit q0 : - : s0 : s0 s1",
            "laid q0 s1 tasks 4 floor 100",
            "laid q0 s0 tasks 4 floor 0 : - : - priority -3 : 0 1 retries 2 : 2 priority 1 retries 1 floor 64",
            "submit q7 priority -2 : -",
            "starved q0 t3 r2 bytes 9 : r0 50/10 : r1 5/0 pinned",
            "starved q0 t3 r2 bytes 9",
            "freed q0 t3 bytes 7",
            "gave r2 bytes 0",
            "waiting q1 t2 k99",
            "returned",
        ] {
            assert_eq!(parse_signal(line).unwrap().to_string(), line);
        }
        for line in [
            "",
            "done q0",
            "done q0 t1 t2",
            "done t0 q1",
            "lent : -",
            "gave r2 bytes -1",
            "submit q0 : x",
            "laid q0 s0 tasks 1 floor 0 : x",
        ] {
            assert_eq!(parse_signal(line), None, "{line}");
        }
    }
}
