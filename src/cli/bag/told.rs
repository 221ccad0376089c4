//! What `debug` and `stderr` of jq say, on standard error, as jq writes it.
//!
//! jaq hands it to whoever logs. A library leaves that to its program: here that is the command.

use super::say;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// Hears jaq's library, and nobody else.
struct Told;

/// Where jaq says it.
const JAQ: &str = "jaq_std";

impl Log for Told {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target().starts_with(JAQ)
    }

    fn log(&self, record: &Record<'_>) {
        match record.level() {
            _ if !self.enabled(record.metadata()) => {}
            Level::Debug => say(&format!("[\"DEBUG:\",{}]\n", record.args())),
            _ => say(&record.args().to_string()),
        }
    }

    fn flush(&self) {}
}

/// From here on it is heard.
pub fn listen() {
    // Who was there before hears it instead.
    if log::set_logger(&Told).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}
