//! Code that others wrote may panic: here that becomes an error.

use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`; a panic becomes an error of kind `Internal` with the panic's text.
///
/// What `f` was changing may be half changed afterwards: the caller drops it or fails its query.
pub fn guarded<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        // The payload is the user's: its drop may panic too.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
        Err(Error::internal(format!("panicked: {}", text.as_deref().unwrap_or("(no text)"))))
    })
}

/// Drops `value`, whatever its drop does.
pub(super) fn drop_guarded<T>(value: T) -> Result<()> {
    guarded(|| {
        drop(value);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let e = guarded::<()>(|| panic!("no {}", 7)).unwrap_err();
        assert_eq!(e.message(), "panicked: no 7");
        assert_eq!(guarded::<()>(|| panic!("plain")).unwrap_err().message(), "panicked: plain");
        let e = guarded::<()>(|| std::panic::panic_any(3)).unwrap_err();
        assert_eq!(e.message(), "panicked: (no text)");
        assert_eq!(guarded(|| Ok(3)).unwrap(), 3);
    }
}
