//! Programs of jq on JSON in text columns; each is compiled once for the rows that share it.

use super::super::args::{Args, some, text_lists, texts};
use super::super::row::{Gives, Row};
use crate::error::Error;
use crate::jq::{Limits, Outputs, Program, Room};
use crate::units::MIB;
use arrow::array::ArrayRef;
use datafusion_common::{DataFusionError, Result};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "jq",
        "text, text",
        Gives::Text,
        first,
        "What the jq program first puts out for the document, as JSON; null where it puts out nothing.",
        "jq('{\"a\": [1, 2]}', '.a[] | select(. > 1)') --> 2",
    ),
    Row::new(
        "jq_all",
        "text, text",
        Gives::Texts,
        all,
        "All that the jq program puts out for the document, each as JSON.",
        "jq_all('{\"a\": [1, 2]}', '.a[]') --> [1, 2]",
    ),
];

/// What a program may use for one document.
const BYTES: usize = 16 * MIB;

/// The program of the last row, compiled, with its room: most calls have one for all rows.
struct Compiled {
    last: Option<(String, Program, Room)>,
    limits: Limits,
    out: Outputs,
}

impl Compiled {
    fn new() -> Self {
        Compiled { last: None, limits: Limits::of(BYTES), out: Outputs::default() }
    }

    fn run(&mut self, document: &str, program: &str) -> Result<&Outputs> {
        let external = |e: Error| DataFusionError::External(Box::new(e));
        if self.last.as_ref().is_none_or(|(text, ..)| text != program) {
            let compiled = Program::new(program, &[]).map_err(external)?;
            self.last = Some((program.to_string(), compiled, Room::default()));
        }
        self.out.clear();
        if let Some((_, program, room)) = &mut self.last {
            program.run(document.as_bytes(), &self.limits, None, room, &mut self.out).map_err(external)?;
        }
        Ok(&self.out)
    }
}

fn first(args: &Args) -> Result<ArrayRef> {
    let (document, program, mut compiled) = (args.text(0)?, args.text(1)?, Compiled::new());
    texts(args, |row| {
        let (document, program) = (some!(document.get(row)), some!(program.get(row)));
        Ok(compiled.run(document, program)?.get(0).map(str::to_string))
    })
}

fn all(args: &Args) -> Result<ArrayRef> {
    let (document, program, mut compiled) = (args.text(0)?, args.text(1)?, Compiled::new());
    text_lists(args, |row| {
        let (document, program) = (some!(document.get(row)), some!(program.get(row)));
        Ok(Some(compiled.run(document, program)?.iter().map(|text| Some(text.to_string())).collect()))
    })
}
