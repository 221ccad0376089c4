//! What a session keeps by name besides tables: macros, prepared statements.

use super::nearest::nearest;
use super::rewrite::macros::Macro;
use super::statement::Statement;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Macros and prepared statements by lower-case name.
#[derive(Default)]
pub(super) struct Definitions {
    macros: RwLock<BTreeMap<String, Arc<Macro>>>,
    prepared: RwLock<BTreeMap<String, Statement>>,
}

impl Definitions {
    pub(super) fn macro_named(&self, name: &str) -> Option<Arc<Macro>> {
        self.macros.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn keep_macro(&self, name: &str, made: Arc<Macro>, replace: bool) -> Result<()> {
        let mut macros = self.macros.write().unwrap_or_else(PoisonError::into_inner);
        if !replace && macros.contains_key(name) {
            return Err(Error::query(format!("there is a macro {name} already")).advise("CREATE OR REPLACE MACRO"));
        }
        macros.insert(name.to_string(), made);
        Ok(())
    }

    pub(super) fn drop_macro(&self, name: &str) -> bool {
        self.macros.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    pub(super) fn prepared(&self, name: &str) -> Result<Statement> {
        let prepared = self.prepared.read().unwrap_or_else(PoisonError::into_inner);
        prepared.get(name).cloned().ok_or_else(|| {
            let error = Error::query(format!("no prepared statement {name}"));
            match nearest(name, prepared.keys().map(String::as_str)) {
                Some(near) => error.advise(format!("did you mean {near}?")),
                None => error,
            }
        })
    }

    pub(super) fn prepare(&self, name: &str, statement: Statement) {
        let mut prepared = self.prepared.write().unwrap_or_else(PoisonError::into_inner);
        prepared.insert(name.to_string(), statement);
    }

    pub(super) fn deallocate(&self, name: &str) -> bool {
        self.prepared.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }
}
