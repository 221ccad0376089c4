//! Requests to load balancers of AWS: classic ones, and those for applications. Their fields stand in an order that never
//! changes; new ones come at the end.

use super::cursor::{Cursor, Out};
use super::layout::{Field, Value};
use super::times::iso;
use arrow::datatypes::DataType;

/// Which balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Classic.
    Classic,
    /// For applications.
    Application,
}

/// Names, in order: `@` a moment, `#` an integer, `~` a float, the rest text.
const CLASSIC: &[&str] = &[
    "@timestamp",
    "elb",
    "client",
    "backend",
    "~request_processing_time",
    "~backend_processing_time",
    "~response_processing_time",
    "#elb_status",
    "#backend_status",
    "#received_bytes",
    "#sent_bytes",
    "request",
    "user_agent",
    "ssl_cipher",
    "ssl_protocol",
];

const APPLICATION: &[&str] = &[
    "type",
    "@timestamp",
    "elb",
    "client",
    "target",
    "~request_processing_time",
    "~target_processing_time",
    "~response_processing_time",
    "#elb_status",
    "#target_status",
    "#received_bytes",
    "#sent_bytes",
    "request",
    "user_agent",
    "ssl_cipher",
    "ssl_protocol",
    "target_group",
    "trace_id",
    "domain_name",
    "certificate",
    "rule_priority",
    "@request_creation_time",
    "actions",
    "redirect_url",
    "error_reason",
    "target_list",
    "target_status_list",
    "classification",
    "classification_reason",
];

/// Fields that every line has, from the first.
const ALWAYS: usize = 12;

/// The kinds of requests in which lines for applications begin.
const TYPES: [&[u8]; 6] = [b"http", b"https", b"h2", b"grpcs", b"ws", b"wss"];

fn names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Classic => CLASSIC,
        Kind::Application => APPLICATION,
    }
}

pub(super) fn fields(kind: Kind) -> Vec<Field> {
    let field = |name: &&str| match name.split_at_checked(1) {
        Some(("@", name)) => Field::new(name, Value::Time(true)),
        Some(("#", name)) => Field::new(name, Value::Typed(DataType::Int64)),
        Some(("~", name)) => Field::new(name, Value::Typed(DataType::Float64)),
        _ => Field::new(name, Value::Text),
    };
    let mut fields: Vec<Field> = names(kind).iter().map(field).collect();
    fields.push(Field::new("extra", Value::Text));
    fields
}

pub(super) fn take(kind: Kind, line: &[u8], out: &mut Out<'_>) -> Option<()> {
    let names = names(kind);
    let mut c = Cursor::new(line);
    for (field, name) in names.iter().enumerate() {
        if c.is_done() {
            return (field >= ALWAYS).then_some(());
        }
        let range = if c.peek() == Some(b'"') { c.quoted()? } else { c.word()? };
        let text = line.get(range.clone())?;
        match (field, kind) {
            (0, Kind::Application) => TYPES.contains(&text).then_some(())?,
            _ if name.starts_with('@') && text != b"-" => {
                iso(text).filter(|m| m.zoned && m.len == text.len()).map(|_| ())?;
            }
            _ => {}
        }
        out.set_dash(field, line, range);
        if !c.is_done() {
            c.expect(b' ')?;
        }
    }
    if !c.is_done() {
        let extra = c.tail();
        out.set(names.len(), extra);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::log::testing::taken;

    #[test]
    fn both_kinds() {
        let classic = br#"2015-05-13T23:39:43.945958Z my-lb 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://x:80/ HTTP/1.1" "curl/7.38.0" - -"#;
        let got = taken(&fields(Kind::Classic), |out| take(Kind::Classic, classic, out).is_some(), classic).unwrap();
        assert_eq!((got.len(), got[12].1.as_str()), (13, "curl/7.38.0"));
        let application = br#"h2 2018-07-02T22:23:00.186641Z app/my/50dc 10.0.1.252:48160 10.0.0.66:9000 0.000 0.002 0.000 200 200 5 257 "GET https://x:443/ HTTP/2.0" "curl/7.46.0" ECDHE TLSv1.2 arn:aws "Root=1-58" "-" "-" 1 2018-07-02T22:22:48.364000Z "redirect" "https://x:80/" "-" "10.0.0.66:9000" "200" "-" "-" TID_1"#;
        let of = |kind| taken(&fields(kind), |out| take(kind, application, out).is_some(), application);
        let got = of(Kind::Application).unwrap();
        assert_eq!(got.last(), Some(&("extra".to_string(), "TID_1".to_string())));
        assert!(of(Kind::Classic).is_none());
        assert!(
            taken(&fields(Kind::Application), |out| take(Kind::Application, classic, out).is_some(), classic).is_none()
        );
    }
}
