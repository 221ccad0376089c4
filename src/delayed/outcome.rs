//! What a function's return value means: a result, or a `Result` whose error fails the task; and whether it can rest in
//! scratch.
//!
//! A function returns a value that serde can write and read, or a `Result` of one. Which of both is found by the compiler. It
//! cannot tell where the error itself is a value (`Result<T, String>` could be meant either way): then
//! [`fallible`](super::DelayedFn::fallible) says it.

use super::coding::{coding_of, measure};
use crate::bag::Item;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Coding;

/// The compiler finds out.
pub struct Inferred;
/// A `Result` whose error fails the task.
pub struct Fallible;
/// Any value; it stays in memory.
pub struct Pinned;
/// A `Result` of any value, which stays in memory.
pub struct PinnedFallible;

/// The value itself.
pub struct AsValue;
/// A `Result`.
pub struct AsResult;

/// What a function may return.
#[diagnostic::on_unimplemented(
    message = "a delayed function cannot return `{Self}`",
    note = "results must be `Serialize + DeserializeOwned + Send + Sync`, so that they can rest in scratch; keep others in memory with `.pinned()`",
    note = "a function may return a `Result` whose error is one of `std::error::Error`; if that is text, add `.fallible()`"
)]
pub trait Outcome<Kind, Meaning> {
    /// The task's result.
    type Value: Send + Sync + 'static;
    /// The result, or why there is none.
    fn settle(self) -> Result<Self::Value>;
    /// How it is written to scratch, if it can be.
    fn coding() -> Option<Coding>;
    /// Bytes that it takes in memory.
    fn measure(value: &Self::Value) -> usize;
}

/// Any error as one of ours; it stays the cause.
fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    match error.into().downcast::<Error>() {
        Ok(ours) => *ours,
        Err(other) => Error::new(ErrorKind::Data, other.to_string()).caused_by(other),
    }
}

macro_rules! rests {
    () => {
        fn coding() -> Option<Coding> {
            Some(coding_of::<Self::Value>())
        }
        fn measure(value: &Self::Value) -> usize {
            measure(value)
        }
    };
}

macro_rules! stays {
    () => {
        fn coding() -> Option<Coding> {
            None
        }
        fn measure(_value: &Self::Value) -> usize {
            size_of::<Self::Value>()
        }
    };
}

impl<T: Item + Sync> Outcome<Inferred, AsValue> for T {
    type Value = T;
    fn settle(self) -> Result<T> {
        Ok(self)
    }
    rests! {}
}

impl<T: Item + Sync, E: Into<Box<dyn std::error::Error + Send + Sync>>> Outcome<Inferred, AsResult> for Result<T, E> {
    type Value = T;
    fn settle(self) -> Result<T> {
        self.map_err(failed)
    }
    rests! {}
}

impl<T: Item + Sync, E: Into<Box<dyn std::error::Error + Send + Sync>>> Outcome<Fallible, AsResult> for Result<T, E> {
    type Value = T;
    fn settle(self) -> Result<T> {
        self.map_err(failed)
    }
    rests! {}
}

impl<T: Send + Sync + 'static> Outcome<Pinned, AsValue> for T {
    type Value = T;
    fn settle(self) -> Result<T> {
        Ok(self)
    }
    stays! {}
}

impl<T, E> Outcome<PinnedFallible, AsResult> for Result<T, E>
where
    T: Send + Sync + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Value = T;
    fn settle(self) -> Result<T> {
        self.map_err(failed)
    }
    stays! {}
}
