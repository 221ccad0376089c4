//! Ctrl-C and SIGTERM.
//!
//! 1. The first signal writes a byte into a pipe (all that a handler may do); a thread that waits at its other end
//!    cancels every query, and the main thread ends with the error that follows from it. It cancels again and again: the
//!    main thread may have been about to begin a query.
//! 2. If the main thread cannot (it is blocked in a write to somebody who does not read), the process ends after
//!    [`GRACE`] anyway. Scratch and unfinished outputs have no names, so nothing is left behind.
//! 3. A second signal ends the process at once.
//!
//! Elsewhere than on Unix the system's default stays: Ctrl-C ends the process at once.

use super::exit;
use partita::Result;
use partita::frame::Session;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// How long the main thread may take to end after a signal.
const GRACE: Duration = Duration::from_secs(1);

/// How soon queries that begin meanwhile are cancelled too.
const AGAIN: Duration = Duration::from_millis(10);

/// Whether somebody asked the command to end.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Whether a signal came.
    pub fn came(&self) -> bool {
        self.0.load(SeqCst)
    }
}

/// From now on signals cancel what `session` runs.
///
/// # Errors
/// The system refuses a pipe, a thread or a handler.
#[cfg(unix)]
pub fn watch(session: &Arc<Session>) -> Result<Interrupt> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    let failed = |e| partita::Error::io("signals", e);
    let interrupt = Interrupt::default();
    let (mut reader, writer) = UnixStream::pair().map_err(failed)?;
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, the second one ends the process.
        let code = i32::from(exit::INTERRUPTED);
        signal_hook::flag::register_conditional_shutdown(signal, code, interrupt.0.clone()).map_err(failed)?;
        signal_hook::flag::register(signal, interrupt.0.clone()).map_err(failed)?;
        signal_hook::low_level::pipe::register(signal, writer.try_clone().map_err(failed)?).map_err(failed)?;
    }
    let session = session.clone();
    let wait = move || {
        if reader.read_exact(&mut [0]).is_ok() {
            let begun = Instant::now();
            while begun.elapsed() < GRACE {
                session.cancel_all();
                std::thread::sleep(AGAIN);
            }
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map_err(failed)?;
    Ok(interrupt)
}

/// Signals keep the system's default.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn watch(_session: &Arc<Session>) -> Result<Interrupt> {
    Ok(Interrupt::default())
}
