//! The usual programs, run on the bytes of the JSON without building the whole value.
//!
//! 1. [`lower`] makes a tree of [`Op`]s of a program's text, and gathers which paths of the item it wants. A program with
//!    anything else in it is not native: all of it is left to jaq.
//! 2. For an item one pass finds the wanted pieces and checks the rest ([`scan`](super::scan)).
//! 3. [`eval`] pushes values through the tree: pieces of the text where they stand, and what is made of them ([`value`]).
//!
//! What fails natively is run once more by jaq, from the start: so errors, and the rare cases that ops decline
//! ([`Exit::Unable`]), have jaq's words and answers. Both ways must give the same outputs, which `tests` compares on random
//! programs and values.
//!
//! What must change together: an op's `is_single` in [`lower`], and whether `one` or `each` of [`eval`] knows it.

mod eval;
mod lower;
mod value;

pub(super) use eval::Exit;

use super::regex::Compiled;
use super::scan::Wanted;
use jaq_core::ops::{Cmp, Math};

/// A native program.
pub(super) struct Native {
    op: Op,
    pub(super) wanted: Wanted,
    /// Whether it ends soon, with few and small outputs, whatever the item is: then nobody needs to count.
    pub(super) is_light: bool,
}

impl Native {
    /// The program, if it is native.
    pub(super) fn of(program: &str, names: &[String]) -> Option<Native> {
        lower::lower(program, names)
    }
}

/// A step into a value, and whether it is left out where it does not fit.
struct Step {
    into: Into,
    optional: bool,
}

enum Into {
    Key(Box<[u8]>),
    At(isize),
    Each,
}

/// What a program does with a value.
enum Op {
    Id,
    Empty,
    Null,
    Bool(bool),
    Int(isize),
    /// Another number, as it was written.
    Number(Box<str>),
    Text(Box<[u8]>),
    /// A constant of the command line, by its place.
    Constant(usize),
    /// Fields of the item, by their nodes in the tree of wanted paths.
    Wanted(Vec<usize>),
    Steps(Box<Op>, Vec<Step>),
    Recurse,
    Array(Option<Box<Op>>),
    Object(Vec<(Box<[u8]>, Op)>),
    /// The texts of values, one behind the other.
    Join(Vec<Op>),
    Neg(Box<Op>),
    Pipe(Box<Op>, Box<Op>),
    Comma(Box<Op>, Box<Op>),
    Alternative(Box<Op>, Box<Op>),
    And(Box<Op>, Box<Op>),
    Or(Box<Op>, Box<Op>),
    Math(Box<Op>, Math, Box<Op>),
    Compare(Box<Op>, Cmp, Box<Op>),
    If(Box<Op>, Box<Op>, Box<Op>),
    Try(Box<Op>),
    Select(Box<Op>),
    Call(Function),
    Call1(Function1, Box<Op>),
    Test(Box<Compiled>),
}

/// Functions of a value.
#[derive(Clone, Copy)]
enum Function {
    Not,
    Length,
    Keys,
    ToEntries,
    Type,
    ToString,
    ToNumber,
    Add,
    Downcase,
    Upcase,
}

/// Functions of a value and another.
#[derive(Clone, Copy)]
enum Function1 {
    Has,
    StartsWith,
    EndsWith,
    Contains,
    LeftTrim,
    RightTrim,
    Split,
}
