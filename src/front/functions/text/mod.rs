//! Functions of text, a family a file. Places count characters from 1, negative ones from the end.

pub(super) mod basic;
pub(super) mod bytes;
pub(super) mod digest;
pub(super) mod distance;
pub(super) mod format;
pub(super) mod paths;
pub(super) mod regex;
pub(super) mod slices;
pub(super) mod split;
pub(super) mod url;
