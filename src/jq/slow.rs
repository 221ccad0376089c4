//! Programs that do not run natively: jaq runs them, over our values and within limits.

use super::library::{self, Here, Ours};
use super::meter::{self, Limits};
use super::regex::Regexes;
use super::value::{Val, as_str};
use super::{Outputs, closures, read, write};
use crate::error::{Error, Result};
use crate::ops::Cancel;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Exn, Vars};
use std::sync::Arc;

/// A compiled program.
pub(super) struct Slow {
    filter: jaq_core::Filter<Ours>,
    regexes: Regexes,
    /// Whether it has a recursive function that takes filters.
    closures: bool,
    /// Whether it may be deep by itself: jaq goes into negations, labels and paths without a step that we see.
    deep: bool,
}

/// Negations, labels and parts of paths for which any stack suffices.
const FEW: usize = 100;

impl Slow {
    /// # Errors
    /// `Query`, with the place in the program.
    pub(super) fn compile(program: &str, names: &[String]) -> Result<Slow> {
        let arena = Arena::default();
        let file = File { code: program, path: () };
        let modules = Loader::new(library::defs()).load(&arena, file);
        let modules = modules.map_err(|errors| super::syntax::not_loaded(program, &errors))?;
        let compiler = Compiler::default().with_funs(library::funs());
        let compiled = compiler.with_global_vars(names.iter().map(String::as_str)).compile(modules);
        let filter = compiled.map_err(|errors| super::syntax::not_compiled(program, &errors))?;
        let deep = program.matches(['-', '.', '[']).count() + program.matches("label").count() > FEW;
        Ok(Slow { filter, regexes: Regexes::default(), closures: closures::recursive(program), deep })
    }

    /// Appends what the program makes of a value of a file, which is known to be JSON, without spaces around it.
    pub(super) fn run(
        &self,
        json: &[u8],
        file: Option<&Arc<str>>,
        constants: &[Box<[u8]>],
        limits: &Limits,
        cancel: Option<&Cancel>,
        out: &mut Outputs,
    ) -> Result<()> {
        let begun = out.mark();
        let mut limits = limits.for_item(json.len());
        if self.closures {
            limits.steps = limits.steps.min(meter::STEPS_OF_CLOSURES);
        }
        let limits = &limits;
        let mut run = || {
            out.back_to(begun);
            let input = read::value_of(json);
            let here = Here { lut: &self.filter.lut, regexes: &self.regexes, file };
            let ctx = Ctx::<Ours>::new(here, Vars::new(constants.iter().map(|text| read::value_of(text))));
            for made in self.filter.id.run((ctx, input)) {
                let made = made.map_err(failed)?;
                out.admit(made.weight(), begun, limits)?;
                write::value(&made, &mut out.bytes);
                out.end(begun, limits)?;
            }
            Ok(())
        };
        match self.closures || self.deep {
            true => meter::limited_on_large_stack(limits, cancel, run),
            false => meter::limited(limits, cancel, &mut run),
        }
    }
}

/// Most characters of an error's text.
const MOST: usize = 300;

fn failed(e: Exn<'_, Val>) -> Error {
    let text = match e.get_err().map_err(Exn::get_halt) {
        Ok(error) => match error.into_val() {
            Val::Str(said) => as_str(&said).to_string(),
            value => value.to_string(),
        },
        Err(Ok(_)) => {
            return Error::query("jq: halt would end the program, but here it runs for every item")
                .advise("take as many items as you want instead");
        }
        Err(Err(_)) => return Error::internal("jq: a label without a place"),
    };
    let short = text.char_indices().nth(MOST).and_then(|(at, _)| text.get(..at));
    Error::data(format!("jq: {}", short.map_or(text.clone(), |short| format!("{short}..."))))
}
