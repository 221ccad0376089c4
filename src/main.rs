//! The command `partita`: its allocator, and the way into [`cli`].
//!
//! The allocator is the system's. Others are a little faster, but keep pools of every size of block for each thread: with
//! pages of Parquet of many sizes that was three times what is in use, and all that is kept counts as ours.

mod cli;

use std::process::ExitCode;

#[cfg(target_env = "gnu")]
mod glibc {
    use std::ffi::c_int;

    unsafe extern "C" {
        // Declared in malloc.h.
        fn malloc_trim(keep: usize) -> c_int;
    }

    /// Gives what is free, also between blocks in use, back to the kernel.
    pub fn trim() {
        // SAFETY: it may be called by any thread at any time.
        unsafe { malloc_trim(0) };
    }
}

/// Makes the allocator give what it keeps back to the kernel, where it can be asked to.
fn trim() {
    #[cfg(target_env = "gnu")]
    glibc::trim();
}

fn main() -> ExitCode {
    cli::main(std::env::args_os(), trim)
}
