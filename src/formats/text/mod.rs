//! What the text formats share beside values: places in files, declared types, the columns of a scan.

mod declared;
mod growth;
mod lines;
mod names;
mod narrow;
mod place;
mod stats;
mod tiles;
mod write;

pub(super) use declared::{Declared, type_named};
pub(crate) use growth::{Growth, longest_record};
pub(super) use growth::{longer_advice, longest_of};
pub(super) use lines::{PATIENCE, WINDOW, align, kept, pass_line};
pub(super) use names::unique;
pub(super) use narrow::{base_type, narrow, narrowed};
pub(super) use place::{ENCODING, check_utf8, place_of};
pub(crate) use place::{line_at, shorten};
pub(super) use stats::Distinct;
pub(crate) use tiles::tiles;
pub(super) use write::{RowWriter, TextAssembler, encoder_of, json_value, plain_value};
