//! What the records of one file look like: the form that takes a record apart, and the fields that it has.

use super::cursor::Out;
use super::pairs::Pairs;
use super::pattern::Pattern;
use super::w3c::W3c;
use super::zeek::Zeek;
use super::{access, balancer, errors, journal, messages, syslog};
use crate::formats::text::base_type;
use arrow::datatypes::{DataType, Field as ArrowField, TimeUnit};
use std::sync::Arc;

/// A column of a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: Value,
    /// Whether its type was guessed: then a value of another type is a misfit; else the record is not of the format.
    pub(super) guessed: bool,
}

impl Field {
    pub(super) fn new(name: &str, value: Value) -> Field {
        Field { name: name.to_string(), value, guessed: false }
    }
}

/// How the text of a field becomes a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Text as it stands.
    Text,
    /// Text in which a backslash takes the meaning of the byte behind it, where quotes are around it.
    Quoted,
    /// Text in which `\x09` is a tab.
    Escaped,
    /// What the parsers of all text formats read as this type.
    Typed(DataType),
    /// The same, but only what loses nothing: a number with zeros before it is none.
    Guessed(DataType),
    /// A moment in any of the forms of [`times`](super::times), with a zone or without.
    Time(bool),
    /// A date and a time of UTC, whose zone is not written.
    Utc,
    /// Seconds since 1970.
    Epoch,
    /// Microseconds since 1970.
    EpochMicros,
    /// The facility in a syslog priority.
    Facility,
    /// The severity in a syslog priority.
    Severity,
    /// `T` or `F`.
    Letter,
    /// Items between commas.
    List(Box<Value>),
    /// Where the record begins.
    Offset,
    /// The path of the file.
    File,
}

impl Value {
    /// The column's type.
    pub(super) fn data_type(&self) -> DataType {
        let utc = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        match self {
            Value::Text | Value::Quoted | Value::Escaped | Value::File => DataType::Utf8View,
            Value::Typed(data_type) | Value::Guessed(data_type) => data_type.clone(),
            Value::Time(true) | Value::Utc | Value::Epoch | Value::EpochMicros => utc(),
            Value::Time(false) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Value::Facility | Value::Severity | Value::Offset => DataType::Int64,
            Value::Letter => DataType::Boolean,
            Value::List(item) => DataType::List(Arc::new(ArrowField::new("item", item.data_type(), true))),
        }
    }

    /// The type that its text is parsed as: the column's, or one that is cast to it.
    pub(super) fn parsed_type(&self) -> DataType {
        let own = self.data_type();
        base_type(&own).unwrap_or(own)
    }

    /// Whether it is a point in time, in one of the forms that logs have.
    pub(super) fn is_moment(&self) -> bool {
        matches!(self, Value::Time(_) | Value::Utc | Value::Epoch | Value::EpochMicros)
    }

    /// Whether any text is a value.
    pub(super) fn takes_all(&self) -> bool {
        let text = |t: &DataType| matches!(t, DataType::Utf8View | DataType::Utf8 | DataType::LargeUtf8);
        match self {
            Value::Text | Value::Quoted | Value::Escaped | Value::Offset | Value::File => true,
            Value::Typed(data_type) | Value::Guessed(data_type) => text(data_type),
            Value::List(item) => item.takes_all(),
            _ => false,
        }
    }
}

/// What a record was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Of the format: its fields are set.
    Yes,
    /// Not of the format.
    No,
    /// A comment or a header: no record.
    Skip,
    /// Of the format, with a key that the sample did not have.
    Extra,
    /// Of the format, but not as the sample had it.
    Misfit(&'static str),
}

impl From<Option<()>> for Fit {
    fn from(taken: Option<()>) -> Fit {
        if taken.is_some() { Fit::Yes } else { Fit::No }
    }
}

/// How the records of a file are taken apart.
pub(super) enum Form {
    /// A record is a line, as it stands.
    Lines,
    /// Requests to web servers.
    Access,
    /// Requests to Apache's mod_ssl.
    Ssl,
    /// Errors of Apache.
    ApacheError,
    /// Errors of nginx.
    NginxError,
    /// RFC 3164, and what syslog daemons write to files; whether moments have zones, where all are alike.
    Syslog(Option<bool>),
    /// RFC 5424.
    Syslog5424,
    /// Requests to load balancers of AWS.
    Balancer(balancer::Kind),
    /// `key=value`.
    Pairs(Pairs),
    /// Directives, then fields.
    W3c(W3c),
    /// Zeek's own.
    Zeek(Zeek),
    /// journalctl -o export.
    Journal(Pairs),
    /// A moment, a level, a message over one line or more; whether moments have zones, where all are alike.
    Messages(Option<bool>),
    /// What the user said.
    Pattern(Pattern),
}

/// What the records of one file look like.
pub(super) struct Layout {
    /// The format's name.
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) fields: Vec<Field>,
    /// The file's time of modification in microseconds, for moments without a year.
    pub(super) anchor: i64,
}

impl Layout {
    /// Takes a record apart.
    #[inline]
    pub(super) fn take(&self, record: &[u8], out: &mut Out<'_>) -> Fit {
        match &self.form {
            Form::Lines => {
                out.set(0, 0..record.len());
                Fit::Yes
            }
            Form::Access => access::take(record, out).into(),
            Form::Ssl => access::take_ssl(record, out).into(),
            Form::ApacheError => errors::apache(record, out).into(),
            Form::NginxError => errors::nginx(record, out).into(),
            Form::Syslog(zoned) => syslog::take(record, out, *zoned, self.anchor),
            Form::Syslog5424 => syslog::take_5424(record, out).into(),
            Form::Balancer(kind) => balancer::take(*kind, record, out).into(),
            Form::Pairs(pairs) => pairs.take(record, out, self.anchor),
            Form::W3c(w3c) => w3c.take(record, out),
            Form::Zeek(zeek) => zeek.take(record, out),
            Form::Journal(pairs) => journal::take(pairs, record, out),
            Form::Messages(zoned) => messages::take(record, out, *zoned, self.anchor),
            Form::Pattern(pattern) => pattern.take(record, out).into(),
        }
    }

    /// Whether records may go on over several lines: only lines with a head begin one.
    pub(super) fn joins(&self) -> bool {
        matches!(self.form, Form::Messages(_))
    }

    /// Whether a line begins a record, where records may have several.
    pub(super) fn begins(&self, line: &[u8]) -> bool {
        messages::is_head(line, self.anchor)
    }

    /// Whether the file must be read from its beginning: where records end, or what fields they have, is not told by a line.
    pub(super) fn is_whole(&self) -> bool {
        match &self.form {
            Form::Journal(_) => true,
            Form::W3c(w3c) => w3c.varies(),
            _ => false,
        }
    }
}
