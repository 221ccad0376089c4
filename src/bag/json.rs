//! Items that are JSON text: what jq takes and gives, decoded only where somebody asks.

use crate::error::{Error, Result};
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The name under which serde_json knows text that is JSON already.
const RAW: &str = "$serde_json::private::RawValue";

/// A value as JSON text. What comes from jq is compact, each key once; what is read from files is as it stands there.
///
/// Two of them are equal when their texts are.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::bag::Json;
///
/// let json: Json = r#"{"a":[1,2.50]}"#.parse()?;
/// assert_eq!(json.decode::<serde_json::Value>()?["a"][0], 1);
/// assert_eq!(json.as_str(), r#"{"a":[1,2.50]}"#);
/// assert_eq!("\"a\\n\"".parse::<Json>()?.text().as_deref(), Some("a\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json(Box<str>);

impl Json {
    /// `text` is JSON.
    pub(super) fn trusted(text: &str) -> Json {
        Json(text.into())
    }

    /// The JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it says, if it is a text: without quotes and escapes.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        crate::jq::unquoted(&self.0)
    }

    /// The value in a type of yours, or `serde_json::Value`.
    ///
    /// # Errors
    /// `Data`, where it does not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.0).map_err(|e| {
            Error::data(format!("an item does not fit the type {}: {e}", std::any::type_name::<T>())).because(e)
        })
    }
}

impl From<Json> for String {
    fn from(json: Json) -> String {
        json.0.into()
    }
}

impl std::str::FromStr for Json {
    type Err = Error;

    fn from_str(text: &str) -> Result<Json> {
        let checked: &RawValue =
            serde_json::from_str(text).map_err(|e| Error::data(format!("the text is no JSON: {e}")).because(e))?;
        Ok(Json(checked.get().into()))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut made = serializer.serialize_struct(RAW, 1)?;
        made.serialize_field(RAW, &*self.0)?;
        made.end()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer).map_err(de::Error::custom)?;
        Ok(Json(raw.get().into()))
    }
}
