//! What holds of any input: it is rows or an error that is nobody's fault but the input's, it ends, and memory is bounded.

use super::inputs::{Case, Inputs};
use partita::config::Tuning;
use partita::{Error, ErrorKind, Session};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The budget of a session.
const BUDGET: usize = 32 << 20;
/// The most that may be asked of the allocator at once.
const LARGEST: usize = 256 << 20;
/// An input that takes so long hangs.
const HANGS: Duration = Duration::from_secs(120);

/// The system's allocator, which remembers the largest piece that the thread asked for.
pub struct Watched;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn asked(bytes: usize) {
    let _ = ASKED.try_with(|most| most.set(most.get().max(bytes)));
}

// SAFETY: everything is the system allocator's; the size is only looked at.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        asked(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        asked(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        asked(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Rows as text, or what kind of error there is instead.
pub type Answer = Result<Vec<String>, ErrorKind>;

/// A place for the input, and sessions that read it: in one piece, and in small ones.
pub struct Bench {
    dir: tempfile::TempDir,
    name: &'static str,
    pub whole: Session,
    pub pieces: Session,
}

impl Bench {
    pub fn new(name: &'static str) -> Bench {
        let session = |split_bytes: usize| {
            let tuning = Tuning { split_bytes, batch_rows: 64, ..Tuning::default() };
            Session::builder().memory(BUDGET).unwrap().threads(1).inline(true).tuning(tuning).build().unwrap()
        };
        let dir = tempfile::tempdir().unwrap();
        Bench { dir, name, whole: session(1 << 20), pieces: session(37) }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join(self.name)
    }

    pub fn write(&self, bytes: &[u8]) {
        // Another file each time: one that is written over within the clock's tick may pass for the old one.
        let _ = std::fs::remove_file(self.path());
        std::fs::write(self.path(), bytes).unwrap();
    }

    /// The rows of a query over the input, whose path is written `{}`.
    pub fn rows(&self, session: &Session, sql: &str) -> Answer {
        let sql = sql.replace("{}", &format!("'{}'", self.path().display()));
        judged(session, &sql, session.sql(&sql).and_then(|frame| frame.lines()))
    }

    /// How often a guess was wrong and a query started over.
    pub fn restarts(&self) -> u64 {
        self.whole.stats().restarts
    }

    /// The query gives the same in one piece and in small ones.
    pub fn same_in_pieces(&self, sql: &str) -> Answer {
        let (whole, pieces) = (self.rows(&self.whole, sql), self.rows(&self.pieces, sql));
        match (&whole, &pieces) {
            (Ok(a), Ok(b)) => assert!(a == b, "{sql}: {} rows in one piece, {} in small ones", a.len(), b.len()),
            (Err(_), Err(_)) => {}
            _ => panic!("{sql}: {whole:?} in one piece, {pieces:?} in small ones"),
        }
        whole
    }
}

/// An error must say what is wrong with the input; the account must stay within the budget.
pub fn judged<T>(session: &Session, what: &str, answer: partita::Result<T>) -> Result<T, ErrorKind> {
    let stats = session.stats();
    assert!(stats.peak_account <= stats.budget, "{what}: {stats:?}");
    answer.map_err(|error: Error| {
        assert_ne!(error.kind(), ErrorKind::Internal, "{what}: {error:?}");
        error.kind()
    })
}

/// Checks all seeds, then cases that the library makes up: for a moment, or as many seconds as `FUZZ_SECONDS` says.
#[macro_export]
macro_rules! fuzz {
    ($inputs:expr, $check:expr) => {{
        let (inputs, check) = ($inputs, $check);
        let seconds = std::env::var("FUZZ_SECONDS").ok().map(|text| text.parse::<u64>().unwrap());
        for seed in 0..inputs.seeds.len() {
            $crate::fuzz::check::guarded(&inputs, &(u16::try_from(seed).unwrap(), Vec::new(), seed as u64), &check);
        }
        let (iterations, seconds) = seconds.map_or((150, 3), |seconds| (usize::MAX, seconds));
        let of = std::panic::AssertUnwindSafe((inputs, check));
        bolero::check!()
            .with_type::<$crate::fuzz::inputs::Case>()
            .with_iterations(iterations)
            .with_test_time(std::time::Duration::from_secs(seconds))
            .with_shrink_time(std::time::Duration::from_secs(2))
            .for_each(move |case| {
                let of = &of;
                $crate::fuzz::check::guarded(&of.0.0, case, &of.0.1);
            });
    }};
}

/// Runs a case; what goes wrong shows its input.
pub fn guarded(inputs: &Inputs, case: &Case, check: &dyn Fn(&[u8], u64)) {
    let bytes = inputs.bytes(case);
    let shown = Shown(&bytes, case.2);
    ASKED.with(|most| most.set(0));
    check(&bytes, case.2);
    let most = ASKED.with(Cell::get);
    assert!(most <= LARGEST, "{most} bytes were asked for at once");
    std::mem::forget(shown);
}

/// Shows the input of a case that panics.
struct Shown<'a>(&'a [u8], u64);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        let path = std::env::temp_dir().join(format!("partita-fuzz-{}", std::process::id()));
        let kept = std::fs::write(&path, self.0).is_ok();
        let text = self.0.escape_ascii().to_string();
        let most = text.len().min(2000);
        eprintln!("input, read with {} (kept in {}: {kept}): {}", self.1, path.display(), &text[..most]);
    }
}

/// Runs `work`, which may go on for ever; after a moment it is cancelled, and must end then.
pub fn in_time<T: Send + 'static>(session: &Session, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = channel();
    let thread = std::thread::spawn(move || {
        let made = work();
        let _ = done.send(());
        made
    });
    if ended.recv_timeout(Duration::from_millis(300)) == Err(RecvTimeoutError::Timeout) {
        // What has not begun yet is not cancelled: again and again.
        let mut waited = Duration::ZERO;
        while ended.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
            session.cancel_all();
            waited += Duration::from_millis(50);
            assert!(waited < HANGS, "it does not stop");
        }
    }
    match thread.join() {
        Ok(made) => made,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The files that a query makes: seeds of formats that are not text.
pub fn written(dir: &Path, name: &str, sql: &str, options: &str) -> Vec<u8> {
    let path = dir.join(name);
    let session = Session::builder().memory("64MiB").unwrap().threads(1).build().unwrap();
    session.execute(&format!("COPY ({sql}) TO '{}' {options}", path.display())).unwrap();
    std::fs::read(path).unwrap()
}
