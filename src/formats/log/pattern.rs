//! What the user says of a line: a regular expression with named groups, or a grok pattern, which is one made of named pieces.
//!
//! ```text
//! %{IP:client} %{WORD:method} %{NOTSPACE:path} %{INT:bytes:int} %{NUMBER:took:float}
//! (?<client>\S+) (?<method>\w+) (?<rest>.*)
//! ```
//!
//! A piece is `%{NAME}`, `%{NAME:field}` or `%{NAME:field:type}`, its type `int`, `float`, `timestamp` (with a zone or without,
//! as the first lines have it), else text. A line matches where the pattern is found in it; write `^` and `$` to bind it to the
//! line's ends. Where a field has several places, the first one that takes part counts.

use super::cursor::Out;
use super::layout::{Field, Value};
use crate::error::{Error, Result};
use arrow::datatypes::DataType;
use regex::bytes::{Regex, RegexBuilder};

/// Grok's names: each a regular expression that may use others.
pub(super) const LIBRARY: &[(&str, &str)] = &[
    ("USERNAME", r"[a-zA-Z0-9._-]+"),
    ("USER", r"%{USERNAME}"),
    ("EMAILLOCALPART", r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]+"),
    ("EMAILADDRESS", r"%{EMAILLOCALPART}@%{HOSTNAME}"),
    ("INT", r"[+-]?[0-9]+"),
    ("BASE10NUM", r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"),
    ("NUMBER", r"%{BASE10NUM}"),
    ("BASE16NUM", r"[+-]?(?:0x)?[0-9A-Fa-f]+"),
    ("POSINT", r"\b[1-9][0-9]*\b"),
    ("NONNEGINT", r"\b[0-9]+\b"),
    ("WORD", r"\b\w+\b"),
    ("NOTSPACE", r"\S+"),
    ("SPACE", r"\s*"),
    ("DATA", r".*?"),
    ("GREEDYDATA", r".*"),
    ("QUOTEDSTRING", r#""(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*'"#),
    ("QS", r"%{QUOTEDSTRING}"),
    ("UUID", r"[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}"),
    ("MAC", r"(?:[A-Fa-f0-9]{2}[:-]){5}[A-Fa-f0-9]{2}|(?:[A-Fa-f0-9]{4}\.){2}[A-Fa-f0-9]{4}"),
    ("IPV6", r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{1,4})?(?:%[0-9A-Za-z]+)?"),
    ("IPV4", r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"),
    ("IP", r"%{IPV6}|%{IPV4}"),
    ("HOSTNAME", r"\b[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62})(?:\.[0-9A-Za-z_-]{1,63})*\.?"),
    ("HOST", r"%{HOSTNAME}"),
    ("IPORHOST", r"%{IP}|%{HOSTNAME}"),
    ("HOSTPORT", r"%{IPORHOST}:%{POSINT}"),
    ("UNIXPATH", r"(?:/[\w.%!$@:,+~-]*)+"),
    ("WINPATH", r"(?:[A-Za-z]+:|\\)(?:\\[^\\?*]*)+"),
    ("PATH", r"%{UNIXPATH}|%{WINPATH}"),
    ("TTY", r"/dev/(?:pts|tty(?:[pq])?)(?:\w+)?/?(?:[0-9]+)"),
    ("URIPROTO", r"[A-Za-z][A-Za-z0-9+.-]*"),
    ("URIHOST", r"%{IPORHOST}(?::%{POSINT})?"),
    ("URIPATH", r"(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+"),
    ("URIQUERY", r"[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\[\]<>-]*"),
    ("URIPARAM", r"\?%{URIQUERY}"),
    ("URIPATHPARAM", r"%{URIPATH}(?:%{URIPARAM})?"),
    ("URI", r"%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?"),
    (
        "MONTH",
        r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b",
    ),
    ("MONTHNUM", r"0?[1-9]|1[0-2]"),
    ("MONTHNUM2", r"0[1-9]|1[0-2]"),
    ("MONTHDAY", r"3[01]|[12][0-9]|0?[1-9]"),
    ("DAY", r"(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"),
    ("YEAR", r"\d\d(?:\d\d)?"),
    ("HOUR", r"2[0-3]|[01]?[0-9]"),
    ("MINUTE", r"[0-5][0-9]"),
    ("SECOND", r"(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?"),
    ("TIME", r"%{HOUR}:%{MINUTE}(?::%{SECOND})?"),
    ("DATE_US", r"%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}"),
    ("DATE_EU", r"%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}"),
    ("DATE", r"%{DATE_US}|%{DATE_EU}"),
    ("DATESTAMP", r"%{DATE}[- ]%{TIME}"),
    ("ISO8601_TIMEZONE", r"Z|[+-]%{HOUR}(?::?%{MINUTE})?"),
    ("ISO8601_SECOND", r"%{SECOND}"),
    (
        "TIMESTAMP_ISO8601",
        r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?(?:%{ISO8601_TIMEZONE})?",
    ),
    ("TZ", r"[A-Z]{3,4}"),
    ("DATESTAMP_RFC822", r"%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}"),
    ("DATESTAMP_RFC2822", r"%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}"),
    ("DATESTAMP_OTHER", r"%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}"),
    ("SYSLOGTIMESTAMP", r"%{MONTH} +%{MONTHDAY} %{TIME}"),
    ("PROG", r"[\x21-\x5A\x5C\x5E-\x7E]+"),
    ("SYSLOGPROG", r"%{PROG:program}(?:\[%{POSINT:pid}\])?"),
    ("SYSLOGHOST", r"%{IPORHOST}"),
    ("SYSLOGFACILITY", r"<%{NONNEGINT:facility}\.%{NONNEGINT:priority}>"),
    ("SYSLOGBASE", r"%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource} %{SYSLOGPROG}:"),
    ("HTTPDATE", r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}"),
    ("HTTPDUSER", r"%{EMAILADDRESS}|%{USER}"),
    (
        "LOGLEVEL",
        r"(?i:alert|trace|debug|notice|information|info|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|emerg(?:ency)?)",
    ),
    (
        "COMMONAPACHELOG",
        r#"%{IPORHOST:clientip} %{HTTPDUSER:ident} %{HTTPDUSER:auth} \[%{HTTPDATE:timestamp}\] "(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" %{NUMBER:response:int} (?:%{NUMBER:bytes:int}|-)"#,
    ),
    ("COMBINEDAPACHELOG", r"%{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}"),
];

/// How deep pieces may be within each other: a guard against pieces within themselves.
const MOST_DEEP: usize = 16;

/// A pattern, ready to be looked for.
pub(super) struct Pattern {
    regex: Regex,
    /// The groups of each field.
    groups: Vec<Vec<usize>>,
}

/// Whether an option's text is a pattern rather than a name.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains("%{") || text.contains("(?<") || text.contains("(?P<")
}

/// A pattern in the making.
#[derive(Default)]
struct Making {
    regex: String,
    /// The names of fields, and their types as written.
    fields: Vec<(String, Option<String>)>,
    /// The groups that this file named, each with its field.
    groups: Vec<usize>,
}

impl Making {
    fn field(&mut self, name: &str, of: Option<&str>) -> usize {
        match self.fields.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None => {
                self.fields.push((name.to_string(), of.map(str::to_string)));
                self.fields.len() - 1
            }
        }
    }

    fn expand(&mut self, text: &str, depth: usize) -> Result<()> {
        if depth > MOST_DEEP {
            return Err(Error::query("the pieces of the pattern are too deep within each other"));
        }
        let mut rest = text;
        while let Some(at) = rest.find("%{") {
            let (before, piece) = rest.split_at(at);
            self.regex.push_str(before);
            let Some(end) = piece.find('}') else {
                return Err(Error::query(format!("a piece of the pattern has no end: {piece}")));
            };
            self.piece(piece.get(2..end).unwrap_or_default(), depth)?;
            rest = piece.get(end + 1..).unwrap_or_default();
        }
        self.regex.push_str(rest);
        Ok(())
    }

    fn piece(&mut self, piece: &str, depth: usize) -> Result<()> {
        let mut parts = piece.splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let (field, of) = (parts.next().filter(|f| !f.is_empty()), parts.next());
        let Some((_, inner)) = LIBRARY.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = LIBRARY.iter().map(|(name, _)| *name).collect();
            return Err(
                Error::query(format!("grok has no piece {name:?}")).advise(format!("there are: {}", names.join(", ")))
            );
        };
        match field {
            Some(field) => {
                let field = self.field(&field.replace("][", ".").replace(['[', ']'], ""), of);
                self.groups.push(field);
                self.regex.push_str(&format!("(?P<grok{}>", self.groups.len() - 1));
            }
            None => self.regex.push_str("(?:"),
        }
        self.expand(inner, depth + 1)?;
        self.regex.push(')');
        Ok(())
    }
}

/// Compiles a pattern. `zoned` is asked for each field that is a timestamp.
///
/// # Errors
/// `Query`: an expression that is malformed, a piece or type that does not exist, no field.
pub(super) fn compile(text: &str, lines: &[&[u8]], anchor: i64) -> Result<(Vec<Field>, Pattern)> {
    let mut making = Making::default();
    making.expand(text, 0)?;
    let regex = RegexBuilder::new(&making.regex).size_limit(64 << 20).build();
    let regex = regex.map_err(|e| Error::query(format!("the pattern is malformed: {e}")))?;
    let names: Vec<Option<&str>> = regex.capture_names().collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (group, name) in names.into_iter().enumerate() {
        let Some(name) = name else { continue };
        let own =
            name.strip_prefix("grok").and_then(|n| n.parse::<usize>().ok()).and_then(|n| making.groups.get(n).copied());
        let field = own.unwrap_or_else(|| making.field(name, None));
        groups.resize(making.fields.len(), Vec::new());
        if let Some(list) = groups.get_mut(field) {
            list.push(group);
        }
    }
    if making.fields.is_empty() {
        return Err(Error::query("the pattern has no field").advise("name one: %{IP:client} or (?<client>\\S+)"));
    }
    groups.resize(making.fields.len(), Vec::new());
    let pattern = Pattern { regex, groups };
    let fields = making.fields.iter().enumerate().map(|(nth, (name, of))| {
        let value = match of.as_deref() {
            None | Some("string" | "text") => Value::Text,
            Some("int" | "integer" | "long") => Value::Typed(DataType::Int64),
            Some("float" | "double") => Value::Typed(DataType::Float64),
            Some("timestamp") => Value::Time(pattern.is_zoned(nth, lines, anchor)),
            Some(other) => {
                return Err(Error::query(format!("the pattern's field {name:?} cannot be of type {other:?}"))
                    .advise("there are: int, float, timestamp, text"));
            }
        };
        Ok(Field::new(name, value))
    });
    Ok((fields.collect::<Result<_>>()?, pattern))
}

impl Pattern {
    pub(super) fn take(&self, line: &[u8], out: &mut Out<'_>) -> Option<()> {
        let found = self.regex.captures(line)?;
        for (field, groups) in self.groups.iter().enumerate() {
            if let Some(place) = groups.iter().find_map(|g| found.get(*g)) {
                out.set(field, place.range());
            }
        }
        Some(())
    }

    /// Whether the moments of a field have zones in most of the lines.
    fn is_zoned(&self, field: usize, lines: &[&[u8]], anchor: i64) -> bool {
        let groups = self.groups.get(field).map(Vec::as_slice).unwrap_or_default();
        let of = |line: &&[u8]| {
            let found = self.regex.captures(line)?;
            let place = groups.iter().find_map(|g| found.get(*g))?;
            super::times::moment(place.as_bytes(), anchor).map(|m| m.zoned)
        };
        let found: Vec<bool> = lines.iter().filter_map(of).collect();
        found.iter().filter(|z| **z).count() * 2 > found.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    fn of(pattern: &str, line: &str) -> Option<Vec<(String, String)>> {
        let (fields, pattern) = compile(pattern, &[line.as_bytes()], 0).unwrap();
        taken(&fields, |out| pattern.take(line.as_bytes(), out).is_some(), line.as_bytes())
    }

    fn own(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    #[test]
    fn every_piece_compiles() {
        for (name, _) in LIBRARY {
            compile(&format!("%{{{name}:x}}"), &[], 0).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }

    #[test]
    fn grok_and_regular_expressions() {
        let line = "55.3.244.1 GET /index.html 15824 0.043";
        let want = [("client", "55.3.244.1"), ("method", "GET"), ("bytes", "15824"), ("took", "0.043")];
        let grok = "%{IP:client} %{WORD:method} %{URIPATHPARAM} %{NUMBER:bytes:int} %{NUMBER:took:float}";
        assert_eq!(of(grok, line), own(&want));
        assert_eq!(of(r"^(?<client>\S+) (?P<method>\w+)", line), own(&want[..2]));
        assert_eq!(of("%{IP:[source][ip]}", line), own(&[("source.ip", "55.3.244.1")]));
        assert_eq!(of("%{INT:x}$", "no"), None);
        let (fields, _) = compile(grok, &[], 0).unwrap();
        assert_eq!(fields[2].value, Value::Typed(DataType::Int64));
        let apache =
            r#"127.0.0.1 - - [11/Dec/2013:00:01:45 -0800] "GET /x HTTP/1.1" 200 3891 "http://c/" "Mozilla/5.0""#;
        let got = of("%{COMBINEDAPACHELOG}", apache).unwrap();
        assert!(got.contains(&("request".into(), "/x".into())) && got.contains(&("bytes".into(), "3891".into())));
        let (fields, _) = compile("%{HTTPDATE:t:timestamp}", &[apache.as_bytes()], 0).unwrap();
        assert_eq!(fields[0].value, Value::Time(true));
        for bad in ["%{NOPE:x}", "%{IP:x", "%{IP}", "(?<x>[", "%{IP:x:boolean}"] {
            assert!(compile(bad, &[], 0).is_err(), "{bad}");
        }
        for ip in ["::1", "fe80::1%eth0", "2001:db8::8a2e:370:7334", "1.2.3.255", "::ffff:1.2.3.4"] {
            assert_eq!(of("^%{IP:x}$", ip), own(&[("x", ip)]), "{ip}");
        }
    }
}
