//! Code that others wrote may panic: here that becomes an error. The panic's hook still runs: by default it prints.

use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`; a panic becomes an error of kind `Internal` with the panic's text.
///
/// What `f` was changing may be half changed afterwards: the caller drops it or fails its query.
pub(crate) fn guarded<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        // The payload is the user's: its drop may panic too.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
        Err(Error::internal(format!("panicked: {}", text.as_deref().unwrap_or("(no text)"))))
    })
}

/// Runs `f`, a part of somebody's program that is called `what` (`the function f`): its errors and its panics say so.
pub(crate) fn calling<T>(what: &str, f: impl FnOnce() -> Result<T>) -> Result<T> {
    match guarded(|| Ok(f())) {
        Ok(result) => result.map_err(|error| error.within(what)),
        Err(panic) => Err(Error::internal(format!("{what} {}", panic.message()))),
    }
}

/// Drops `value`, whatever its drop does.
pub(crate) fn drop_guarded<T>(value: T) -> Result<()> {
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

    #[test]
    fn what_is_called_is_named() {
        let panic = calling::<()>("the function f", || panic!("no")).unwrap_err();
        assert_eq!(panic.to_string(), "the function f panicked: no");
        let error = calling::<()>("the function f", || Err(Error::data("no").advise("yes"))).unwrap_err();
        assert_eq!(error.to_string(), "the function f: no\nhint: yes");
        assert_eq!(error.kind(), crate::ErrorKind::Data);
    }
}
