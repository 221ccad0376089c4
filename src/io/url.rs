//! Names of files that are no paths: `https://host/x.csv?v=2`, `s3://bucket/key`.

use crate::error::{Error, Result};

/// What is shown in place of what gives access.
pub(crate) const HIDDEN: &str = "***";

/// Parts of names of parameters whose values are nobody's business.
const SECRET: &[&str] = &["sig", "token", "key", "secret", "credential", "pass", "auth"];

/// The scheme in front of `://`, if there is one.
pub fn scheme(name: &str) -> Option<&str> {
    let (scheme, _) = name.split_once("://")?;
    let is_one = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_one.then_some(scheme)
}

/// Whether a name is an address of the web, in which `?` begins parameters.
pub(super) fn is_web(name: &str) -> bool {
    scheme(name).is_some_and(|s| s.eq_ignore_ascii_case("http") || s.eq_ignore_ascii_case("https"))
}

/// Refuses a name of an output that is an address.
///
/// # Errors
/// `Unsupported`, for one.
pub(super) fn must_be_path(name: &std::path::Path) -> Result<()> {
    match name.to_str().and_then(scheme) {
        Some(scheme) => Err(Error::unsupported(format!("an output to {scheme}://"))
            .advise("write a file, then copy it there: aws s3 cp, curl -T")),
        None => Ok(()),
    }
}

/// A name without what is no path of it: what its ending is, and the name of its file.
pub fn path_of(name: &str) -> &str {
    match is_web(name) {
        true => name.split(['?', '#']).next().unwrap_or(name),
        false => name,
    }
}

/// A name as it may be shown: without a password, and without values that give access.
pub(super) fn shown(name: &str) -> String {
    if !is_web(name) {
        return name.to_string();
    }
    let Some((scheme, rest)) = name.split_once("://") else { return name.to_string() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.rsplit('@').next().unwrap_or(host);
    let Some((path, parameters)) = path.split_once('?') else { return format!("{scheme}://{host}{path}") };
    let parameters: Vec<String> = parameters.split('&').map(parameter).collect();
    format!("{scheme}://{host}{path}?{}", parameters.join("&"))
}

fn parameter(text: &str) -> String {
    let name = text.split('=').next().unwrap_or(text);
    let lower = name.to_ascii_lowercase();
    match SECRET.iter().any(|word| lower.contains(word)) {
        true => format!("{name}={HIDDEN}"),
        false => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_no_paths() {
        for (name, found) in [
            ("https://h/x", Some("https")),
            ("s3://b/k", Some("s3")),
            ("/a/b://c", None),
            ("a.csv", None),
            ("C:/x", None),
            ("1x://y", None),
        ] {
            assert_eq!(scheme(name), found, "{name}");
        }
        assert_eq!(path_of("http://h/a/x.csv.gz?v=a/b.c#top"), "http://h/a/x.csv.gz");
        assert_eq!(path_of("s3://b/what?.csv"), "s3://b/what?.csv");
    }

    #[test]
    fn what_gives_access_is_not_shown() {
        let name = "https://me:pw@host:80/x.csv?v=1&X-Amz-Signature=abc&X-Amz-Credential=d/e&token";
        assert_eq!(shown(name), "https://host:80/x.csv?v=1&X-Amz-Signature=***&X-Amz-Credential=***&token=***");
        assert_eq!(shown("http://host"), "http://host");
        assert_eq!(shown("http://h/@x"), "http://h/@x");
        assert_eq!(shown("s3://b/k?token=x"), "s3://b/k?token=x");
    }
}
