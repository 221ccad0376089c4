//! The command `partita`: its allocator, and the way into [`cli`].

mod cli;

use std::ffi::{c_int, c_long};
use std::process::ExitCode;

/// Gives freed memory back to the kernel instead of keeping it for itself, as the C library's allocator would.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Milliseconds after which freed memory goes back to the kernel. At 0 every batch would fault its pages in again;
/// the allocator's default of 1000 would count as ours, for a second, what a query has given up.
const PURGE_DELAY: c_long = 10;
/// `mi_option_purge_delay` in mimalloc 3.
const PURGE_DELAY_OPTION: c_int = 15;

unsafe extern "C" {
    // Declared in mimalloc.h; the symbol is in the allocator that `ALLOCATOR` links.
    fn mi_option_set(option: c_int, value: c_long);
    fn mi_collect(force: bool);
}

/// Makes the allocator give what this thread has freed, and what threads that ended left, back to the kernel.
fn trim() {
    // SAFETY: it may be called by any thread at any time.
    unsafe { mi_collect(true) }
}

fn main() -> ExitCode {
    // SAFETY: it stores a number in the allocator's table of options, whose numbering has been the same since 2.0; no
    // other thread runs yet.
    unsafe { mi_option_set(PURGE_DELAY_OPTION, PURGE_DELAY) };
    cli::main(std::env::args_os(), trim)
}
