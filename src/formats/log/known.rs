//! The formats by name: what is tried on a file, in this order, and what docs/logs.md says of each.

use super::layout::{Field, Form, Value};
use super::{access, balancer, csvlog, errors, journal, messages, syslog};

/// A format with a name.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// Other names.
    pub(super) also: &'static [&'static str],
    pub(super) kind: Kind,
    /// What it is, for people.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/logs.md is made of it"))]
    pub(super) about: &'static str,
    /// Fields that are always there; others are those of the file.
    pub(super) fields: fn() -> Vec<Field>,
}

/// How the layout of a file is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON's own reader does it.
    Json,
    Zeek,
    W3c,
    Journal,
    Access,
    Ssl,
    /// CSV's own reader does it.
    PostgresCsv,
    Application,
    Classic,
    Syslog5424,
    ApacheError,
    NginxError,
    Syslog,
    Logfmt,
    Pairs,
    Messages,
}

impl Kind {
    /// The form of a format whose fields are always the same.
    pub(super) fn form(self) -> Option<Form> {
        Some(match self {
            Kind::Access => Form::Access,
            Kind::Ssl => Form::Ssl,
            Kind::Application => Form::Balancer(balancer::Kind::Application),
            Kind::Classic => Form::Balancer(balancer::Kind::Classic),
            Kind::Syslog5424 => Form::Syslog5424,
            Kind::ApacheError => Form::ApacheError,
            Kind::NginxError => Form::NginxError,
            Kind::Syslog => Form::Syslog(None),
            Kind::Messages => Form::Messages(None),
            Kind::PostgresCsv => return None,
            Kind::Json | Kind::Zeek | Kind::W3c | Kind::Journal | Kind::Logfmt | Kind::Pairs => return None,
        })
    }
}

/// Every one of them.
pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "json",
        also: &["jsonl", "ndjson", "journald_json"],
        kind: Kind::Json,
        about: "JSON, one object a line; `journalctl -o json` too. Read as `read_json` does.",
        fields: Vec::new,
    },
    Known {
        name: "zeek",
        also: &["bro"],
        kind: Kind::Zeek,
        about: "Zeek's TSV; its header gives names and types.",
        fields: Vec::new,
    },
    Known {
        name: "w3c",
        also: &["iis", "cloudfront"],
        kind: Kind::W3c,
        about: "The extended format of the W3C (IIS, CloudFront): the fields of `#Fields:`, their types guessed; `timestamp` is \
                `date` and `time` in UTC.",
        fields: || vec![Field::new("timestamp", Value::Utc)],
    },
    Known {
        name: "journal",
        also: &["journald", "journald_export"],
        kind: Kind::Journal,
        about: "`journalctl -o export`: the fields that are there, their types guessed; `timestamp` is `__REALTIME_TIMESTAMP`. \
                Read in one piece.",
        fields: journal::fields,
    },
    Known {
        name: "combined",
        also: &["common", "vhost_combined", "apache", "nginx", "access"],
        kind: Kind::Access,
        about: "Requests to Apache and nginx: common, combined, with the virtual host before, with more behind (`extra`). \
                Quotes within quotes stay as they are written (`\\\"`).",
        fields: access::fields,
    },
    Known {
        name: "ssl_request",
        also: &["apache_ssl"],
        kind: Kind::Ssl,
        about: "Requests to Apache's mod_ssl (`ssl_request_log`).",
        fields: access::ssl_fields,
    },
    Known {
        name: "postgres_csv",
        also: &["csvlog", "postgresql_csv"],
        kind: Kind::PostgresCsv,
        about: "PostgreSQL's `csvlog`. Read as `read_csv` does; types guessed.",
        fields: csvlog::fields,
    },
    Known {
        name: "alb",
        also: &["aws_alb"],
        kind: Kind::Application,
        about: "AWS application load balancers.",
        fields: || balancer::fields(balancer::Kind::Application),
    },
    Known {
        name: "elb",
        also: &["aws_elb"],
        kind: Kind::Classic,
        about: "AWS classic load balancers.",
        fields: || balancer::fields(balancer::Kind::Classic),
    },
    Known {
        name: "syslog5424",
        also: &["rfc5424"],
        kind: Kind::Syslog5424,
        about: "Syslog as RFC 5424 says it.",
        fields: syslog::fields_5424,
    },
    Known {
        name: "apache_error",
        also: &[],
        kind: Kind::ApacheError,
        about: "Errors of Apache, 2.4 and before.",
        fields: errors::apache_fields,
    },
    Known {
        name: "nginx_error",
        also: &[],
        kind: Kind::NginxError,
        about: "Errors of nginx; what it writes behind the message are fields.",
        fields: errors::nginx_fields,
    },
    Known {
        name: "syslog",
        also: &["syslog3164", "rfc3164", "rsyslog"],
        kind: Kind::Syslog,
        about: "Syslog as RFC 3164 says it, with a priority or without, and with the moments of rsyslog.",
        fields: || syslog::fields(Value::Time(false)),
    },
    Known {
        name: "logfmt",
        also: &[],
        kind: Kind::Logfmt,
        about: "`key=value` between blanks and nothing else; types guessed.",
        fields: Vec::new,
    },
    Known {
        name: "kv",
        also: &["key_value", "pairs"],
        kind: Kind::Pairs,
        about: "`key=value` between `\\|`, tabs, `;`, `,`, `&` or blanks, behind a moment (`timestamp`) and words (`prefix`) or \
                not; types guessed.",
        fields: Vec::new,
    },
    Known {
        name: "messages",
        also: &["generic", "log4j", "logback", "java", "python", "postgres"],
        kind: Kind::Messages,
        about: "A moment, a level, who says it, a message; lines that do not begin with a moment belong to the record before \
                (stack traces). Java, Python, Ruby, glog, PostgreSQL, MySQL, MongoDB, Redis, containers, and many more.",
        fields: || messages::fields(Value::Time(false)),
    },
];

/// The format that is called so.
pub(super) fn known(name: &str) -> Option<&'static Known> {
    let name = name.to_ascii_lowercase();
    KNOWN.iter().find(|k| k.name == name || k.also.contains(&name.as_str()))
}

/// The format of that kind.
pub(super) fn of_kind(kind: Kind) -> Option<&'static Known> {
    KNOWN.iter().find(|k| k.kind == kind)
}
