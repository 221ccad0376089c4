//! (to come)
use crate::error::{Error, Result};
use crate::formats::{Assemble, Encode, Output};
use arrow::datatypes::SchemaRef;
use std::collections::BTreeMap;

pub(super) fn encoder(_schema: &SchemaRef, _options: &BTreeMap<String, String>) -> Result<Box<dyn Encode>> {
    Err(Error::unsupported("writing csv"))
}

pub(super) fn assembler(
    _schema: &SchemaRef,
    _options: &BTreeMap<String, String>,
    _to: Box<dyn Output>,
) -> Result<Box<dyn Assemble>> {
    Err(Error::unsupported("writing csv"))
}
