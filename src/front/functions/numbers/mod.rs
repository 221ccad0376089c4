//! Functions of numbers, a family a file.

pub(super) mod bits;
pub(super) mod compare;
pub(super) mod exact;
pub(super) mod float;
pub(super) mod round;
