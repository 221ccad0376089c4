//! JSON in text columns.
//!
//! Documents are texts; pieces of them are read where they stand ([`path`]) and keep their digits and the order of their
//! keys. What is not there, or is not JSON, is null: a log with a broken line in it can still be read. `json(text)` is an
//! error where the text is not JSON.
//!
//! `doc -> 'a'` is the piece under a key, `doc ->> 'a'` its value: a text without quotes. A key may be a path: `$.a.b[0]`,
//! `/a/b/0`. Indexes count from 0; negative ones from the end.

pub(super) mod build;
pub(super) mod extract;
pub(super) mod get;
pub(super) mod inspect;
pub(super) mod jq;
pub(super) mod path;
