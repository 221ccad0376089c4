//! jq as a step of a bag: each item through a program, any number of items out.
//!
//! The program runs on the text of an item: a line where it was read ([`Session::read_jq`]), a [`Json`], or what another item
//! is as JSON. What it may use for one item is a part of the budget, which each open partition is charged with.

use super::Bag;
use super::faults::Faults;
use super::items::{Blocked, Chain, Items, Pulled, Pulse, item};
use super::json::Json;
use super::lines::Make;
use super::text::TextOptions;
use crate::error::{Error, Result};
use crate::frame::Session;
use crate::jq::{Limits, Outputs, Program, Room};
use crate::ops::Cx;
use crate::units::MIB;
use serde::Serialize;
use std::any::Any;
use std::sync::Arc;

/// A program with the names and values of its constants.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// let program = Jq::new(". + $more").constant("more", "[3]");
/// assert_eq!(Bag::from_iter(&session, [vec![1, 2]], 1).jq(program)?.collect()?[0].as_str(), "[1,2,3]");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Jq {
    program: String,
    constants: Vec<(String, String)>,
}

impl Jq {
    /// A program.
    pub fn new(program: impl Into<String>) -> Jq {
        Jq { program: program.into(), constants: Vec::new() }
    }

    /// With `$name` for a value, which is given as JSON.
    pub fn constant(mut self, name: impl Into<String>, json: impl Into<String>) -> Jq {
        self.constants.push((name.into(), json.into()));
        self
    }

    /// With `$name` for a text.
    pub fn text(self, name: impl Into<String>, text: &str) -> Jq {
        let json = crate::jq::quoted(text);
        self.constant(name, json)
    }

    /// Whether it is a program.
    ///
    /// # Errors
    /// `Query` for a wrong one, with a caret at the place; `Unsupported` for one that reaches beyond an item.
    pub fn check(&self) -> Result<()> {
        self.compile().map(drop)
    }

    pub(super) fn compile(&self) -> Result<Arc<Program>> {
        Ok(Arc::new(Program::new(&self.program, &self.constants)?))
    }
}

impl<P: Into<String>> From<P> for Jq {
    fn from(program: P) -> Jq {
        Jq::new(program)
    }
}

/// What a program may use for one item.
pub(super) fn limits(session: &Session) -> Limits {
    let limits = session.lowering().limits;
    Limits::of((limits.memory / 16 / limits.threads.max(1)).clamp(MIB, 64 * MIB))
}

/// What is kept from item to item.
#[derive(Default)]
struct Desk {
    room: Room,
    out: Outputs,
}

impl Desk {
    /// What the program makes of an item of a file, in order.
    fn made(
        &mut self,
        program: &Program,
        json: &[u8],
        file: Option<&Arc<str>>,
        limits: &Limits,
        cx: Option<&Cx>,
    ) -> Result<Vec<Json>> {
        self.out.clear();
        self.room.reads(file);
        program.run(json, limits, cx.map(|cx| &cx.cancel), &mut self.room, &mut self.out)?;
        let mut made = Vec::with_capacity(self.out.len());
        made.extend(self.out.iter().map(Json::trusted));
        Ok(made)
    }
}

impl Session {
    /// The records of files of JSON lines through a jq program, straight from the bytes of each line: the fast way to
    /// `read_json_lines(path)?.jq(program)`. Blank lines are no records.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let kinds = session.read_jq("testdata/events.jsonl", "select(.kind == \"buy\") | .kind", &TextOptions::default())?;
    /// assert!(kinds.count()? > 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`read_json_lines`](Self::read_json_lines), and `Query` for a wrong program, with a caret at the place.
    pub fn read_jq(&self, path: &str, program: impl Into<Jq>, options: &TextOptions) -> Result<Bag<Json>> {
        Ok(self.read_jq_lists(path, program, options)?.flatten())
    }

    /// The same with all that the program makes of a record as one item, which is empty where it makes nothing.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let pairs = session.read_jq_lists("testdata/events.jsonl", ".kind, .", &TextOptions::default())?;
    /// let kinds = pairs.map(|made| made[0].to_string()).distinct();
    /// assert!(kinds.collect()?.contains(&"\"buy\"".to_string()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`read_jq`](Self::read_jq).
    pub fn read_jq_lists(&self, path: &str, program: impl Into<Jq>, options: &TextOptions) -> Result<Bag<Vec<Json>>> {
        let (program, limits) = (program.into().compile()?, limits(self));
        let bytes = limits.bytes;
        let make = move || -> Box<dyn Make<Vec<Json>>> {
            let (program, limits, mut desk) = (program.clone(), limits.clone(), Desk::default());
            Box::new(move |line: &[u8], file: &Arc<str>| match line.iter().all(u8::is_ascii_whitespace) {
                true => Ok(None),
                false => desk.made(&program, line, Some(file), &limits, None).map(Some),
            })
        };
        Ok(self.records(path, options, Arc::new(make))?.holding(bytes))
    }
}

impl<T: Serialize + Send + 'static> Bag<T> {
    /// Each item through a jq program, as JSON: any number of items comes out. The usual programs run on the bytes of the
    /// JSON, others are run by jaq; what differs from jq is in docs/conformance.md. An item of which the program fails is a
    /// bad item: the first ends the query, unless [`on_error`](Self::on_error) says otherwise.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let events = session.read_json_lines::<serde_json::Value>("testdata/events.jsonl")?;
    /// let few = events.jq("select(.kind == \"buy\") | {kind, more: [1, 2]}")?.take(1)?;
    /// assert_eq!(few[0].as_str(), r#"{"kind":"buy","more":[1,2]}"#);
    /// let wrong = events.jq("select(.kind").unwrap_err();
    /// assert!(wrong.message().ends_with("\n              ^"), "{wrong}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query` for a wrong program, with a caret at the place; `Unsupported` for one that reaches beyond an item.
    pub fn jq(&self, program: impl Into<Jq>) -> Result<Bag<Json>> {
        Ok(self.jq_lists(program)?.flatten())
    }

    /// The same with all that the program makes of an item as one item, which is empty where it makes nothing.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let lists = Bag::from_iter(&session, [vec![1, 2], vec![]], 1).jq_lists(".[] | . + 1")?;
    /// assert_eq!(lists.map(|made| made.len()).collect()?, [2, 0]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`jq`](Self::jq).
    pub fn jq_lists(&self, program: impl Into<Jq>) -> Result<Bag<Vec<Json>>> {
        let program = program.into().compile()?;
        let limits = limits(&self.session);
        let charged = self.holding(limits.bytes);
        Ok(charged.each("jq", move |input, index, _, faults| {
            let (program, limits, faults) = (program.clone(), limits.clone(), faults.clone());
            Box::new(Through { input, index, program, limits, faults, desk: Desk::default(), json: Vec::new() })
        }))
    }
}

impl Bag<Json> {
    /// The items in a type of yours, or as `serde_json::Value`. An item that does not fit is a bad item.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let numbers = Bag::from_iter(&session, [vec![1, 2], vec![3]], 2).jq(".[] * 10")?.decode::<i64>();
    /// assert_eq!(numbers.sum()?, Some(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn decode<T: serde::de::DeserializeOwned + Send + 'static>(&self) -> Bag<T> {
        self.try_map(|json| json.decode::<T>())
    }
}

/// The items of a partition through a program.
struct Through<T> {
    input: Chain<T>,
    index: usize,
    program: Arc<Program>,
    limits: Limits,
    faults: Faults,
    desk: Desk,
    json: Vec<u8>,
}

impl<T: Serialize + 'static> Through<T> {
    fn run(&mut self, item: &T, file: Option<&Arc<str>>, cx: &Cx) -> Result<Vec<Json>> {
        if let Some(json) = (item as &dyn Any).downcast_ref::<Json>() {
            return self.desk.made(&self.program, json.as_str().as_bytes(), file, &self.limits, Some(cx));
        }
        self.json.clear();
        serde_json::to_writer(&mut self.json, item)
            .map_err(|e| Error::data(format!("an item cannot be written as JSON: {e}")).because(e))?;
        self.desk.made(&self.program, &self.json, file, &self.limits, Some(cx))
    }
}

impl<T: Serialize + Send + 'static> Items<Vec<Json>> for Through<T> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<Vec<Json>>> {
        loop {
            let item = item!(self.input.next(pulse));
            match self.run(&item, pulse.origin.file.as_ref(), pulse.cx) {
                Ok(made) => {
                    pulse.burn(made.iter().map(|json| json.as_str().len()).sum());
                    return Ok(Pulled::Item(made));
                }
                Err(error) => {
                    let mut place = pulse.origin.place();
                    // The item's own offset says nothing about a file.
                    place.byte = place.byte.or(error.place().byte);
                    place.task = Some(format!("item {} of partition {}", pulse.origin.item, self.index));
                    self.faults.meet(error.at(place))?;
                }
            }
            if pulse.is_spent() {
                return Ok(Pulled::Pause);
            }
        }
    }
}
