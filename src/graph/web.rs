//! Tasks of one round that wait for one another, as functions do that take each other's results.
//!
//! ```text
//! 0 load   1 load         tasks are numbered so that each comes after all that it needs: the number is also its place in
//!    \     /              the static order, so that of several that could start the one begun deepest goes first, and few
//!    2 join   3 load      results are alive at one time
//!        \   /
//!        4 sum
//! ```

/// What the tasks of a round need of one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Web {
    /// By number.
    pub tasks: Vec<Knot>,
}

/// One task of a web.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knot {
    /// Tasks with smaller numbers that must be done before, each once. A number that is not smaller does not count.
    pub needs: Vec<u32>,
    /// Of tasks that could start, those with the highest priority do.
    pub priority: i32,
    /// How often it is started again after it failed.
    pub retries: u32,
    /// Bytes without which it must not start.
    pub floor: usize,
}
