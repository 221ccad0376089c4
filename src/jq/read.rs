//! Values out of JSON text that was checked.

use super::access::number;
use super::meter::enter;
use super::scan::{self, Items, Kind, content};
use super::value::{Fields, Val, as_str, charged};

/// The value of a piece of JSON that is known to be valid, without spaces around it.
pub(super) fn value_of(json: &[u8]) -> Val {
    match Kind::of(json) {
        Kind::Null => Val::Null,
        Kind::Bool => Val::Bool(json == b"true"),
        Kind::Number => Val::Num(number(as_str(json))),
        Kind::Text => Val::Str(charged(content(json).into_owned())),
        Kind::Array => {
            enter();
            Items::new(json).map(value_of).collect()
        }
        Kind::Object => {
            enter();
            let mut fields = Fields::default();
            for (key, value) in scan::Fields::new(json) {
                fields.insert(charged(content(key).into_owned()), value_of(value));
            }
            Val::obj(fields)
        }
    }
}
