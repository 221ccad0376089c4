//! Rows: columns turned on their side, for state that is looked up or moved one row at a time.
//!
//! Aggregates, joins and sorts keep rows in pages, because a row must be found by one location, compared by one
//! memory comparison and moved by one copy. Batches become rows and rows become batches column by column: a typed loop
//! for each column, nothing decided for each row.
//!
//! ```text
//! one row, a multiple of 8 bytes:
//!
//! | u32 length | null bits, LSB first | prefix        | fixed cells          | text and other bytes | padding |
//! |<---------- head_bytes ---------->|<- prefix() -->|<- fixed_bytes() ---->|                      |  zeros  |
//!   top bit: dead                      the operator's  a value, or u32 offset (from the first fixed
//!                                      own (a hash)    cell) and u32 length of bytes
//! ```
//!
//! Life of a row:
//! 1. [`RowEncoder::encode`] writes a batch's rows one after the other into [`EncodedRows`];
//! 2. the operator copies each into a page of [`RowPages`], with its own prefix;
//! 3. `RowPages` may go to scratch, page by page, as they are, and come back;
//! 4. [`RowDecoder::decode`] makes columns of any list of rows.
//!
//! Equal values have equal bytes: -0.0 is stored as 0.0, every NaN as one NaN, a null cell as zeros, padding as zeros.
//! So two keys are equal when their null bits and their bytes from the first fixed cell on are. (Floats inside nested
//! values keep their sign of zero: there -0.0 and 0.0 differ.) A row has less than 2 GiB.

mod cell;
mod decode;
mod encode;
mod layout;
mod pages;

pub use decode::RowDecoder;
pub use encode::{EncodedRows, RowEncoder};
pub use layout::RowLayout;
pub use pages::{Chunk, RowPages, Rows, leave_out, mark_dead, row_bytes};

pub(crate) use cell::{Canonical, Cell, converter, has_nulls, raw_values};
pub(crate) use decode::views;
pub(crate) use encode::{canonical_f16, canonical_f32, canonical_f64};

#[cfg(test)]
mod tests;
