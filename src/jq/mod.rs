//! jq programs over items of JSON.
//!
//! Life of a program:
//!
//! 1. [`Program::new`] reads it, once a query. Of wrong ones [`syntax`] says what is wrong, with a caret at the place.
//! 2. If it has only the usual forms it is [`native`]: it runs on the bytes of an item, of which one pass finds the wanted
//!    pieces ([`scan`]). Everything else is run by jaq ([`slow`]), over values of ours ([`value`], [`access`],
//!    [`arithmetic`]) that know what they weigh. Both give the same outputs ([`write`]).
//! 3. It runs item by item, within limits ([`meter`]): a program without an end, or with outputs without an end, ends the
//!    query with an error, and can be cancelled wherever it is.
//!
//! The semantics are jaq's, and by that nearly jq's; docs/conformance.md has what differs.
//!
//! Known limits: the outputs of one item are gathered before they go on, so they must fit in its limit of memory; items nest
//! at most 512 levels deep; an item of which a program fails puts out nothing.

mod access;
mod arithmetic;
mod closures;
mod library;
mod meter;
mod native;
mod read;
mod regex;
mod scan;
mod slow;
mod syntax;
mod trail;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use meter::Limits;
pub(crate) use trail::Trail;

use crate::error::{Error, ErrorKind, Place, Result};
use crate::formats::{json_text::Malformed, shorten};
use crate::ops::Cancel;
use crate::units::ByteSize;
use native::{Exit, Native};
use scan::{Found, Wanted};
use slow::Slow;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// A compiled program.
pub(crate) struct Program {
    text: String,
    /// The names of constants, with their `$`.
    names: Vec<String>,
    /// Their values, as JSON.
    constants: Vec<Box<[u8]>>,
    native: Option<Native>,
    /// Compiled when it is first needed.
    slow: OnceLock<Result<Slow>>,
    /// Of programs that are not native.
    nothing: Wanted,
}

/// The stack on which programs are read: enough for the deepest that fits in the longest, of which little is touched else.
const STACK: usize = 256 << 20;

impl Program {
    /// The program in `text`, with constants: names without their `$`, and values as JSON.
    ///
    /// # Errors
    /// `Query`, for what is no program, with a caret at the place; `Usage`, for a constant that is no JSON; `Unsupported`, for
    /// what reaches beyond an item.
    pub(crate) fn new(text: &str, constants: &[(String, String)]) -> Result<Program> {
        if text.len() > syntax::MOST_BYTES {
            return Err(Error::query(format!("jq: a program has at most {}", ByteSize(syntax::MOST_BYTES))));
        }
        if let Some(at) = syntax::too_deep(text) {
            return Err(syntax::at(text, at, "the program is nested too deeply"));
        }
        let names: Vec<String> = constants.iter().map(|(name, _)| format!("${name}")).collect();
        let constants = constants.iter().map(|(name, json)| constant(name, json)).collect::<Result<_>>()?;
        let native = stacker::grow(STACK, || Native::of(text, &names));
        let (slow, nothing) = (OnceLock::new(), Wanted::default());
        let program = Program { text: text.to_string(), names, constants, native, slow, nothing };
        if program.native.is_none() {
            program.slow()?;
        }
        Ok(program)
    }

    /// Whether it runs on the bytes.
    #[cfg(test)]
    fn is_native(&self) -> bool {
        self.native.is_some()
    }

    fn slow(&self) -> Result<&Slow> {
        let compile = || stacker::grow(STACK, || Slow::compile(&self.text, &self.names));
        self.slow.get_or_init(compile).as_ref().map_err(Clone::clone)
    }

    /// Appends to `out` what the program puts out for the item in `json`, one value that may have spaces around it. If it
    /// fails, `out` is as it was.
    ///
    /// # Errors
    /// `Data`, for what is no JSON and for errors of the program; `Resources`, where it needs more than the limits;
    /// `Cancelled`.
    pub(crate) fn run(
        &self,
        json: &[u8],
        limits: &Limits,
        cancel: Option<&Cancel>,
        room: &mut Room,
        out: &mut Outputs,
    ) -> Result<()> {
        let begun = out.mark();
        let done = self.attempt(json, limits, cancel, room, out);
        if done.is_err() {
            out.back_to(begun);
        }
        done
    }

    fn attempt(
        &self,
        json: &[u8],
        limits: &Limits,
        cancel: Option<&Cancel>,
        room: &mut Room,
        out: &mut Outputs,
    ) -> Result<()> {
        if simdutf8::basic::from_utf8(json).is_err() {
            let place = std::str::from_utf8(json).err().map_or(0, |e| e.valid_up_to());
            return Err(at(json, place, "the text is not UTF-8"));
        }
        let wanted = self.native.as_ref().map_or(&self.nothing, |native| &native.wanted);
        scan::scan(json, wanted, &mut room.found, &mut room.trail).map_err(|Malformed(place)| {
            at(
                json,
                place,
                if place < json.len() { "the text is no JSON" } else { "the text ends too early to be JSON" },
            )
        })?;
        if let Some(native) = &self.native
            && self.native(native, json, limits, cancel, room, out)?
        {
            return Ok(());
        }
        let (begin, end) = room.found.first().copied().unwrap_or_default();
        let item = json.get(begin..end).unwrap_or_default();
        self.slow()?.run(item, room.file.as_ref(), &self.constants, limits, cancel, out)
    }

    /// Runs natively; whether that is all.
    fn native(
        &self,
        native: &Native,
        json: &[u8],
        limits: &Limits,
        cancel: Option<&Cancel>,
        room: &Room,
        out: &mut Outputs,
    ) -> Result<bool> {
        let begun = out.mark();
        let ran = match native.is_light && meter::has_stack() {
            true => self.straight(native, json, limits, room, out)?,
            false => {
                let limits = &limits.for_item(json.len());
                meter::limited(limits, cancel, || {
                    out.back_to(begun);
                    self.straight(native, json, limits, room, out)
                })?
            }
        };
        if !ran {
            out.back_to(begun);
        }
        Ok(ran)
    }

    /// Runs the native program; false, if it is to be run by jaq instead.
    fn straight(&self, native: &Native, json: &[u8], limits: &Limits, room: &Room, out: &mut Outputs) -> Result<bool> {
        let (begun, mut large) = (out.mark(), None);
        let (ends, in_lines) = (&mut out.ends, out.in_lines);
        let done = native.run(json, &room.found, &self.constants, &mut out.bytes, &mut |bytes| {
            if in_lines {
                bytes.push(b'\n');
            }
            ends.push(bytes.len());
            fits(bytes.len() + size_of::<usize>() * ends.len(), begun, limits).map_err(|error| {
                large = Some(error);
                Exit::Down
            })
        });
        match large {
            Some(error) => Err(error),
            None => Ok(done.is_ok()),
        }
    }
}

fn constant(name: &str, json: &str) -> Result<Box<[u8]>> {
    if scan::check(json.as_bytes()).is_err() {
        let message = format!("the value of ${name} is no JSON: {}", shorten(json.as_bytes()));
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(json.trim_ascii().as_bytes().into())
}

fn at(json: &[u8], place: usize, what: &str) -> Error {
    let from = if json.len() > 80 { place.saturating_sub(40) } else { 0 };
    let text = shorten(json.get(from..).unwrap_or(json));
    let column = Some(format!("{}", place + 1));
    Error::data(what).at(Place { byte: Some(place as u64), column, text: Some(text), ..Place::default() })
}

/// What a thread keeps from item to item, for one program.
#[derive(Default)]
pub(crate) struct Room {
    found: Found,
    trail: Trail,
    /// What `input_filename` says.
    file: Option<Arc<str>>,
}

impl Room {
    /// The items that follow are of this file.
    #[inline]
    pub(crate) fn reads(&mut self, file: Option<&Arc<str>>) {
        if self.file.as_ref().map(Arc::as_ptr) != file.map(Arc::as_ptr) {
            self.file = file.cloned();
        }
    }
}

/// What programs put out: JSON texts, one behind the other.
#[derive(Default)]
pub(crate) struct Outputs {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Whether each has a line end behind it, which none has in it.
    in_lines: bool,
}

/// A place in outputs.
#[derive(Clone, Copy)]
struct Mark {
    bytes: usize,
    ends: usize,
}

impl Outputs {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The `index`-th.
    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let begin = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let json = self.bytes.get(begin..*self.ends.get(index)?)?;
        Some(value::as_str(json))
    }

    /// Outputs that gather as lines: what was put out is taken by [`take_lines`](Self::take_lines), not one by one.
    pub(crate) fn in_lines() -> Self {
        Outputs { in_lines: true, ..Outputs::default() }
    }

    /// Those that come are counted from here on; the lines so far stay.
    #[inline]
    pub(crate) fn count_anew(&mut self) {
        self.ends.clear();
    }

    /// The lines so far: their bytes.
    #[inline]
    pub(crate) fn lines(&self) -> &[u8] {
        &self.bytes
    }

    /// The lines so far, which are then gone, and room for more of about as many bytes.
    pub(crate) fn take_lines(&mut self) -> Vec<u8> {
        let room = Vec::with_capacity(self.bytes.len());
        std::mem::replace(&mut self.bytes, room)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.bytes.shrink_to(1 << 20);
        self.ends.shrink_to(1 << 16);
    }

    fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), ends: self.ends.len() }
    }

    fn back_to(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.ends.truncate(mark.ends);
    }

    /// Whether there is room for a value of this weight.
    fn admit(&self, weight: u64, begun: Mark, limits: &Limits) -> Result<()> {
        let weight = usize::try_from(weight / 8).unwrap_or(usize::MAX);
        fits(self.bytes.len().saturating_add(weight), begun, limits)
    }

    /// An output is complete.
    fn end(&mut self, begun: Mark, limits: &Limits) -> Result<()> {
        if self.in_lines {
            self.bytes.push(b'\n');
        }
        self.ends.push(self.bytes.len());
        fits(self.bytes.len() + size_of::<usize>() * self.ends.len(), begun, limits)
    }
}

fn fits(bytes: usize, begun: Mark, limits: &Limits) -> Result<()> {
    if bytes.saturating_sub(begun.bytes) <= limits.bytes {
        return Ok(());
    }
    let message = format!("jq: the program puts out more than {} for one item", ByteSize(limits.bytes));
    Err(Error::resources(message).advise("it may have no end; else raise --memory"))
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut made = Vec::new();
    write::text(text.as_bytes(), &mut made);
    String::from_utf8(made).unwrap_or_default()
}

/// What a text in JSON says; `None` for other values.
pub(crate) fn unquoted(json: &str) -> Option<Cow<'_, str>> {
    if !json.starts_with('"') {
        return None;
    }
    Some(match scan::content(json.as_bytes()) {
        Cow::Borrowed(text) => Cow::Borrowed(value::as_str(text)),
        Cow::Owned(text) => Cow::Owned(String::from_utf8(text).unwrap_or_default()),
    })
}
