//! What the command says to its caller: the one table of exit codes.

use partita::ErrorKind;

/// Everything was answered (or the reader of our output had enough of it).
pub const OK: u8 = 0;
/// The query failed: it is wrong, asks for something that is not there, or cannot be done yet; reading or writing failed.
pub const FAILED: u8 = 1;
/// The command was called with arguments that do not fit.
pub const USAGE: u8 = 2;
/// The input does not hold what it should.
pub const BAD_DATA: u8 = 3;
/// Memory, disk or descriptors do not suffice.
pub const NO_RESOURCES: u8 = 4;
/// Somebody pressed Ctrl-C, or sent SIGTERM.
pub const INTERRUPTED: u8 = 130;

/// The code for an error.
pub fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => USAGE,
        ErrorKind::Data => BAD_DATA,
        ErrorKind::Resources => NO_RESOURCES,
        ErrorKind::Cancelled => INTERRUPTED,
        _ => FAILED,
    }
}
