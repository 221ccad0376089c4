//! What a store says, as an error that says the file, the status and what to do; never a key, nor a signed address.

use crate::error::{Error, ErrorKind, Place};
use std::error::Error as Cause;
use std::sync::Arc;

/// What the crate writes in front of a status.
const STATUS: &str = "Server returned non-2xx status code: ";
/// The most that is shown of what a server said.
const SHOWN: usize = 200;

/// Whether a server answered a range with everything.
pub(super) fn knows_no_ranges(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotSupported { .. })
        || causes(error).iter().any(|text| text.contains("non-partial response"))
}

/// The status of an answer.
pub(super) fn status(error: &object_store::Error) -> Option<u16> {
    let text = causes(error).into_iter().find_map(|text| text.strip_prefix(STATUS).map(str::to_string))?;
    text.get(..3)?.parse().ok()
}

/// The error that `name` meets.
pub(super) fn explained(name: &Arc<str>, error: object_store::Error) -> Error {
    let place = Place { file: Some(name.clone()), ..Place::default() };
    use object_store::Error as E;
    let said = match &error {
        E::NotFound { .. } => Error::query("there is no such file (status 404)").advise("check the address"),
        E::PermissionDenied { .. } => refused("access is denied (status 403)", &error, name),
        E::Unauthenticated { .. } => refused("the server asks who you are (status 401)", &error, name),
        E::Precondition { .. } => changed(),
        E::InvalidPath { .. } => Error::query("a name with empty parts, or a relative one, is no key"),
        _ => other(&error, name),
    };
    said.at(place)
}

/// The object is not what it was.
pub(super) fn changed() -> Error {
    Error::data("the file changed while it was read").advise("run the query again when it is complete")
}

fn refused(what: &str, error: &object_store::Error, name: &str) -> Error {
    let mut text = what.to_string();
    if let Some(said) = said_of(error) {
        text = format!("{text}: {said}");
    }
    let advice = match super::is_bucket(name) {
        true => "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or SET s3_access_key_id = '..' and so on",
        false => {
            "an address with a signature may have expired; a password goes into the address, https://name:password@host/.."
        }
    };
    Error::new(ErrorKind::Io, text).advise(advice)
}

fn other(error: &object_store::Error, name: &str) -> Error {
    let causes = causes(error);
    if let Some(status) = causes.iter().find_map(|text| text.strip_prefix(STATUS)) {
        let line = status.split(": ").next().unwrap_or(status);
        let what = match said_of(error) {
            Some(said) => format!("the server answered {line}: {said}"),
            None => format!("the server answered {line}"),
        };
        return Error::new(ErrorKind::Io, what).advise("try again later; SET http_retries = 10 tries longer");
    }
    let last = causes.last().cloned().unwrap_or_default();
    let has = |word: &str| causes.iter().any(|text| text.to_ascii_lowercase().contains(word));
    if has("redirect without location") {
        let what = "the bucket is in another region";
        return Error::new(ErrorKind::Io, what).advise("set AWS_REGION, or SET s3_region = '..'");
    }
    if has("content length") || has("contentlength") {
        return Error::unsupported("the server does not say how long the file is").advise("download it first");
    }
    if has("timed out") || has("timeout") {
        return slow();
    }
    let what = match has("connect") {
        true if has("error trying to connect") || has("connection refused") => {
            format!("the server cannot be reached: {}", shorten(&last))
        }
        _ => format!("the request failed: {}", shorten(&last)),
    };
    let advice = match super::is_bucket(name) {
        true => "check AWS_ENDPOINT_URL and AWS_REGION, or s3_endpoint and s3_region",
        false => "check the address",
    };
    Error::new(ErrorKind::Io, what).advise(advice)
}

/// A server that does not answer.
pub(super) fn slow() -> Error {
    Error::new(ErrorKind::Io, "the server did not answer in time")
        .advise("SET http_timeout = 120 waits longer (seconds)")
}

/// What the server's answer says in its own words: the code and the message of a store.
fn said_of(error: &object_store::Error) -> Option<String> {
    let causes = causes(error);
    let body = causes.iter().find_map(|text| text.strip_prefix(STATUS))?;
    let code = element(body, "Code")?;
    Some(match element(body, "Message") {
        Some(message) => format!("{code}, {}", shorten(message)),
        None => code.to_string(),
    })
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(inner, _)| inner)
}

/// What the causes of an error say, the outermost first, without the one that shows the address.
fn causes(error: &object_store::Error) -> Vec<String> {
    let mut found = Vec::new();
    let mut next: Option<&(dyn Cause + 'static)> = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !text.starts_with("Error performing") {
            found.push(text);
        }
        next = cause.source();
    }
    found
}

fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}..", line.get(..at).unwrap_or_default()),
        None => line.to_string(),
    }
}
