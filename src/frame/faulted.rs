//! Sessions whose disk and memory break where a test says, and the law that whole queries keep under every fault: the
//! right answer or a clear error, and nothing left behind.
//!
//! Life of a [`Case`]: it is answered once with much memory; then the smallest budget is looked for that admits it; then it
//! is asked again and again in one session of that budget, with a fault at the first operation of the disk, at the second,
//! and so on until there is none any more; the same with requests for memory that are refused.
//!
//! `FAULT_STEP=1` meets every operation where a case has very many.

use super::Session;
use super::testing::try_ask;
use crate::config::Tuning;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::Request;
use crate::store::{Fault, FaultyDisk};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Which memory is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denial {
    Nothing,
    /// The n-th growth.
    Once,
    /// Every growth above a floor from the n-th on.
    From,
    /// The n-th floor.
    Floor,
}

/// Refuses memory as told.
struct Refusals(Mutex<(Denial, u64, u64, bool)>);

impl Refusals {
    fn arm(&self, denial: Denial, n: u64) {
        *self.0.lock().unwrap() = (denial, n, 0, false);
    }

    fn has_met(&self) -> bool {
        self.0.lock().unwrap().3
    }

    fn refuses(&self, asked: Request) -> bool {
        let (denial, n, seen, met) = &mut *self.0.lock().unwrap();
        let counts = match asked {
            Request::Growth(_) => matches!(denial, Denial::Once | Denial::From),
            Request::Floor(_) => *denial == Denial::Floor,
        };
        let turn = *seen;
        *seen += u64::from(counts);
        let refuses = counts && (turn == *n || *denial == Denial::From && turn > *n);
        *met |= refuses;
        refuses
    }
}

/// Constants with which some hundred rows spill and recurse.
pub(super) fn tiny() -> Tuning {
    Tuning {
        page_bytes: Some(4096),
        batch_bytes: 4096,
        batch_rows: 64,
        split_bytes: 8192,
        radix_bits: Some(2),
        preaggregate_slots: 16,
        merge_fan_in: 2,
        scratch_write_bytes: 4096,
        broadcast_bytes: 4096,
        result_queue_bytes: 4096,
        ..Tuning::default()
    }
}

/// Asks a session; the answer is lines of text.
type Ask<'a> = dyn Fn(&Session) -> Result<Vec<String>> + 'a;

/// A question whose answer is lines of text, in an order that is told or sorted.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) ask: Box<Ask<'a>>,
    /// Where outputs appear: nothing of a failed one may be left.
    pub(crate) outputs: Option<&'a Path>,
    /// Whether scratch is written, if as little memory as possible is there.
    pub(crate) spills: bool,
    /// Whether one value must fit into memory: then floors do not suffice for every input.
    pub(crate) must_fit: bool,
}

impl<'a> Case<'a> {
    /// A query whose rows come in any order.
    pub(crate) fn rows(sql: &str) -> Case<'a> {
        let asked = sql.to_string();
        let ask = move |session: &Session| {
            let mut lines = try_ask(session, &asked)?;
            lines.sort();
            Ok(lines)
        };
        Case { name: sql.into(), ask: Box::new(ask), outputs: None, spills: true, must_fit: false }
    }

    /// A query whose rows come in the order of its text.
    pub(crate) fn ordered(sql: &str) -> Case<'a> {
        let asked = sql.to_string();
        Case { ask: Box::new(move |session| try_ask(session, &asked)), ..Case::rows(sql) }
    }

    /// Anything.
    pub(crate) fn of(name: &str, ask: impl Fn(&Session) -> Result<Vec<String>> + 'a) -> Case<'a> {
        Case { name: name.into(), ask: Box::new(ask), outputs: None, spills: true, must_fit: false }
    }

    /// It needs no scratch, however little memory there is.
    pub(crate) fn streams(self) -> Case<'a> {
        Case { spills: false, ..self }
    }

    /// One value must fit into memory.
    pub(crate) fn must_fit(self) -> Case<'a> {
        Case { must_fit: true, ..self }
    }
}

/// A session with a table `t` that breaks where it is told to.
struct Faulted {
    session: Session,
    disk: Arc<FaultyDisk>,
    refusals: Arc<Refusals>,
    scratch: tempfile::TempDir,
    /// What is free when nothing runs.
    free: usize,
    /// All growth above floors is refused while the disk breaks: the case needs little more than its floors.
    forced: bool,
}

impl Faulted {
    fn new(memory: usize, inline: bool, prepare: &dyn Fn(&Session) -> Result<()>) -> Result<Faulted> {
        let disk = Arc::new(FaultyDisk::new(Fault::None, 0, 3));
        let refusals = Arc::new(Refusals(Mutex::new((Denial::Nothing, 0, 0, false))));
        let scratch = tempfile::tempdir().unwrap();
        let asked = refusals.clone();
        let session = Session::builder().memory(memory)?.threads(2).inline(inline).tuning(tiny());
        let session = session.scratch(scratch.path()).scratch_limit(1 << 30)?.disk(disk.clone());
        let session = session.refuse(move |request| asked.refuses(request)).build()?;
        prepare(&session)?;
        let free = session.engine().memory().budget.free();
        Ok(Faulted { session, disk, refusals, scratch, free, forced: false })
    }

    /// Memory is refused only where a case would not spill otherwise.
    fn relent(&self) {
        self.refusals.arm(if self.forced { Denial::From } else { Denial::Nothing }, 0);
    }

    /// A session of the smallest budget that admits the case, in which it spills.
    fn smallest(case: &Case, wanted: &[String], inline: bool, prepare: &dyn Fn(&Session) -> Result<()>) -> Faulted {
        let mut memory = 64 << 10;
        loop {
            let mut faulted = Faulted::new(memory, inline, prepare).unwrap();
            match (case.ask)(&faulted.session) {
                Ok(lines) => {
                    assert_eq!(lines, wanted, "{} with {memory} bytes", case.name);
                    faulted.nothing_is_left(case, false, "without a fault");
                    let spills = |f: &Faulted| f.session.stats().scratch_written > 0;
                    faulted.forced = case.spills && !spills(&faulted);
                    if faulted.forced {
                        faulted.relent();
                        faulted.ask(case, wanted, "without memory above floors");
                        assert!(spills(&faulted), "{} does not spill with {memory} bytes", case.name);
                    }
                    return faulted;
                }
                Err(error) if error.kind() == ErrorKind::Resources && memory < 16 << 20 => memory += memory / 4,
                Err(error) => panic!("{} with {memory} bytes: {error}", case.name),
            }
        }
    }

    /// Asks once; the error, if there was no answer.
    fn ask(&self, case: &Case, wanted: &[String], what: &str) -> Option<Error> {
        let answer = (case.ask)(&self.session);
        self.nothing_is_left(case, answer.is_err(), what);
        match answer {
            Ok(lines) => {
                assert_eq!(lines, wanted, "{what}: {}", case.name);
                None
            }
            Err(error) => {
                assert!(is_clear(&error), "{what}: {}: {error:?}", case.name);
                Some(error)
            }
        }
    }

    /// Memory, scratch and outputs are as before.
    fn nothing_is_left(&self, case: &Case, failed: bool, what: &str) {
        let engine = self.session.engine();
        let budget = &engine.memory().budget;
        let is_clean =
            || budget.claims().is_empty() && budget.free() == self.free && self.session.0.scratch.used() == 0;
        // A query that failed may still be about to end; an io thread may be about to close a file.
        for _ in 0..20_000 {
            if is_clean() {
                break;
            }
            match engine.is_lent() {
                true => engine.help(),
                false => std::thread::sleep(Duration::from_micros(100)),
            }
        }
        let held: Vec<_> = budget.claims().iter().filter_map(|c| budget.find(c.id)).map(|r| format!("{r:?}")).collect();
        let (free, used) = (self.free - budget.free().min(self.free), self.session.0.scratch.used());
        assert!(is_clean(), "{what}: {}: {held:?} left, {free} not free, {used} of scratch", case.name);
        assert!(std::fs::read_dir(self.scratch.path()).unwrap().next().is_none(), "{what}: {}", case.name);
        if let Some(outputs) = case.outputs {
            let names: Vec<_> = std::fs::read_dir(outputs).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert!(!failed || names.is_empty(), "{what}: {}: {names:?} is left", case.name);
        }
    }
}

/// Whether the error says what broke, or that memory does not suffice.
fn is_clear(error: &Error) -> bool {
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match error.kind() {
        ErrorKind::Resources => says(&["memory budget", "scratch"]) && error.advice().is_some(),
        ErrorKind::Io => says(&["scratch"]) && error.advice().is_some(),
        _ => false,
    }
}

/// Aborts the tests when nothing happens for long: something hangs. Watches until it is dropped.
struct Watch(Arc<AtomicU64>);

impl Watch {
    fn begin(name: String) -> Watch {
        let moves = Arc::new(AtomicU64::new(0));
        let seen = moves.clone();
        std::thread::spawn(move || {
            let mut before = u64::MAX;
            loop {
                std::thread::sleep(Duration::from_secs(180));
                let now = seen.load(Relaxed);
                if now == u64::MAX {
                    return;
                }
                if now == before {
                    eprintln!("{name} hangs after {now} faults");
                    std::process::abort();
                }
                before = now;
            }
        });
        Watch(moves)
    }

    fn moved(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(u64::MAX, Relaxed);
    }
}

/// What the cases of a test met.
#[derive(Debug, Default)]
pub(crate) struct Met {
    /// How many faults were met, and how many of them did not keep an answer from coming.
    pub(crate) faults: u64,
    pub(crate) answers: u64,
    /// Those that starved for want of growth above their floors.
    pub(crate) starved: Vec<String>,
}

/// Puts every fault at every place; `most` places of each kind.
pub(crate) fn break_everywhere(
    cases: Vec<Case>,
    most: u64,
    inline: bool,
    prepare: &dyn Fn(&Session) -> Result<()>,
) -> Met {
    let mut met = Met::default();
    for case in &cases {
        let watch = Watch::begin(case.name.clone());
        let roomy = Session::builder().memory("256MiB").unwrap().threads(2).inline(true).build().unwrap();
        prepare(&roomy).unwrap();
        let wanted = (case.ask)(&roomy).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert!(!wanted.is_empty(), "{} has no answer", case.name);
        let faulted = Faulted::smallest(case, &wanted, inline, prepare);
        break_one(&faulted, case, &wanted, most, &watch, &mut met);
    }
    met
}

fn break_one(faulted: &Faulted, case: &Case, wanted: &[String], most: u64, watch: &Watch, met: &mut Met) {
    let Faulted { disk, refusals, .. } = faulted;
    faulted.relent();
    let mut try_one = |what: String, has_met: &dyn Fn() -> bool| {
        watch.moved();
        let error = faulted.ask(case, wanted, &what);
        let (fault, answered) = (has_met(), error.is_none());
        assert!(fault || answered, "{what}: {} failed without a fault", case.name);
        met.faults += u64::from(fault);
        met.answers += u64::from(fault && answered);
        (fault, error)
    };
    disk.arm(Fault::None, 0);
    try_one("no fault".into(), &|| false);
    let operations = disk.operations();
    for fault in
        [Fault::Broken, Fault::Full, Fault::TooMany, Fault::Short, Fault::Flip, Fault::Truncated, Fault::NoPunch]
    {
        let places = if matches!(fault, Fault::Short | Fault::NoPunch) { 2 } else { most };
        let mut n = 0;
        loop {
            disk.arm(fault, n);
            let (fault_met, error) = try_one(format!("{fault:?} at {n}"), &|| disk.has_met());
            let harmless = matches!(fault, Fault::Short | Fault::NoPunch);
            assert!(error.is_none() || !harmless, "{fault:?}: {}: {error:?}", case.name);
            if !fault_met {
                break;
            }
            n += step(operations, places);
        }
    }
    disk.arm(Fault::None, 0);
    for denial in [Denial::Once, Denial::From, Denial::Floor] {
        let (mut n, mut every) = (0, 1);
        loop {
            refusals.arm(denial, n);
            let (denied, error) = try_one(format!("{denial:?} refused at {n}"), &|| refusals.has_met());
            if let Some(error) = error.filter(|_| denial != Denial::Floor && !case.must_fit) {
                met.starved.push(format!("{denial:?} at {n}: {}: {error}", case.name));
            }
            if !denied {
                break;
            }
            n += every;
            // Requests are many, and alike after the first ones.
            every = if n < most { 1 } else { step(n, most) * 2 };
        }
    }
    refusals.arm(Denial::Nothing, 0);
}

/// From one place to the next, where there are `all` and about `most` are wanted; an odd number.
fn step(all: u64, most: u64) -> u64 {
    match std::env::var("FAULT_STEP").ok().and_then(|text| text.parse().ok()) {
        Some(step) => step,
        None => (all / most.max(1)) | 1,
    }
}
