//! What went wrong, where, and what the reader may do about it.
//!
//! An [`Error`] is opaque: a [kind](ErrorKind) that says what a caller can do, a sentence that says what happened, a
//! [`Place`] that says where, and sometimes advice. The command turns the kind into its exit code; nothing else
//! branches on the text.

use std::fmt;
use std::sync::Arc;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The query is wrong, or asks for something that is not there: a name, a type, a file, an overflow.
    Query,
    /// The query is right, but Partita cannot do this yet.
    Unsupported,
    /// The command or a builder was given arguments that do not fit.
    Usage,
    /// The input does not hold what it should: malformed, truncated, or not of its declared type.
    Data,
    /// Memory, disk or descriptors do not suffice; the message has the sizes.
    Resources,
    /// Reading or writing failed for a reason outside the engine.
    Io,
    /// Somebody asked the query to stop.
    Cancelled,
    /// A user's function panicked, or the engine broke a rule of its own.
    Internal,
}

/// Where something went wrong. Every field is optional; lines and columns count from 1, bytes from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: Option<Arc<str>>,
    /// The line of the file (or of the SQL text).
    pub line: Option<u64>,
    /// The offset in the file, in bytes of its decompressed content.
    pub byte: Option<u64>,
    /// The column of the table.
    pub column: Option<String>,
    /// The task that was running.
    pub task: Option<String>,
    /// The offending text, shortened.
    pub text: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.file.as_ref().map(|x| x.to_string()),
            self.line.map(|x| format!("line {x}")),
            self.byte.map(|x| format!("byte {x}")),
            self.column.as_ref().map(|x| format!("column {x}")),
            self.task.as_ref().map(|x| format!("task {x}")),
            self.text.as_ref().map(|x| format!("text {x:?}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

/// Why a query, a read or a write did not succeed.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    place: Place,
    advice: Option<String>,
    misfit: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`: one sentence, no final stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (message, place) = (message.into(), Place::default());
        Error(Box::new(Inner { kind, message, place, advice: None, misfit: false, source: None }))
    }

    /// The query asks for something wrong or absent.
    pub fn query(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Query, message)
    }

    /// The query is right, but this is not built yet.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// The input is malformed.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// Memory, disk or descriptors do not suffice.
    pub fn resources(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Resources, message)
    }

    /// The engine broke a rule of its own.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The query was asked to stop.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the query was cancelled")
    }

    /// Reading or writing `path` failed: a full disk is a lack of resources, a missing file a wrong query.
    pub fn io(path: impl fmt::Display, error: std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        // What others of us said already, with its place.
        if let Some(ours) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return ours.clone();
        }
        let kind = match error.kind() {
            E::NotFound => ErrorKind::Query,
            E::StorageFull | E::QuotaExceeded | E::OutOfMemory => ErrorKind::Resources,
            _ if too_many_files(&error) => ErrorKind::Resources,
            E::UnexpectedEof | E::InvalidData => ErrorKind::Data,
            _ => ErrorKind::Io,
        };
        let what = match error.kind() {
            E::NotFound => "no such file or directory".to_string(),
            _ => error.to_string(),
        };
        let advice = too_many_files(&error).then_some("raise the limit of open files (ulimit -n), or lower --threads");
        let made = Self::new(kind, format!("{path}: {what}")).because(error);
        match advice {
            Some(advice) => made.advise(advice),
            None => made,
        }
    }

    /// Adds what the reader may do.
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// Says in front what it was that failed.
    pub fn within(mut self, what: &str) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// Marks that the input contradicts a schema that was only guessed: inferring from all of the input may succeed.
    pub fn misfit(mut self) -> Self {
        self.0.misfit = true;
        self
    }

    /// Whether the input contradicts a schema that was only guessed.
    pub fn is_misfit(&self) -> bool {
        self.0.misfit
    }

    /// Adds the cause.
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The same for a cause of any type.
    pub(crate) fn caused_by(mut self, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Fills in what is known of the place; what an inner layer said already stays.
    pub fn at(mut self, place: Place) -> Self {
        let p = &mut self.0.place;
        p.file = p.file.take().or(place.file);
        p.line = p.line.or(place.line);
        p.byte = p.byte.or(place.byte);
        p.column = p.column.take().or(place.column);
        p.task = p.task.take().or(place.task);
        p.text = p.text.take().or(place.text);
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, without the place and the advice.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What happened, as it is told to people: of what is not built yet, the message may be only its name.
    pub fn sentence(&self) -> std::borrow::Cow<'_, str> {
        let message = self.message();
        let says =
            ["not supported", "cannot", "not read yet", "must be", "do not "].iter().any(|w| message.contains(w));
        match self.kind() {
            ErrorKind::Unsupported if !says => format!("not supported: {message}").into(),
            _ => message.into(),
        }
    }

    /// Where it happened, as far as known.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// What the reader may do, if there is something to say.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }
}

/// Whether the process, or the system, has as many open files as it may have.
fn too_many_files(error: &std::io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24)) // ENFILE, EMFILE
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())?;
        if self.0.place != Place::default() {
            write!(f, " ({})", self.0.place)?;
        }
        if let Some(advice) = &self.0.advice {
            write!(f, "\nhint: {advice}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| &**e as &(dyn std::error::Error + 'static))
    }
}

impl From<arrow::error::ArrowError> for Error {
    /// Arrow's kernels fail on values (overflow, a cast that does not fit, a division by zero): the query's fault. What
    /// somebody else's reader says is the data's.
    fn from(e: arrow::error::ArrowError) -> Self {
        use arrow::error::ArrowError as A;
        match e {
            A::ArithmeticOverflow(m) => Error::query(format!("arithmetic overflow: {m}")),
            A::DivideByZero => Error::query("division by zero"),
            A::CastError(m) | A::ComputeError(m) | A::InvalidArgumentError(m) => Error::query(m),
            A::ParseError(m) | A::CsvError(m) | A::JsonError(m) => Error::data(m),
            // One of ours that went through a reader.
            A::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => Error::data(other.to_string()),
            },
            A::IoError(m, io) => Error::new(ErrorKind::Io, m).because(io),
            A::NotYetImplemented(m) => Error::unsupported(m),
            other => Error::internal(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_and_what_to_do() {
        let place = Place { file: Some("a.csv".into()), line: Some(3), ..Place::default() };
        let e = Error::data("\"x\" is not an integer").at(place).advise("declare the column as text");
        assert_eq!(e.to_string(), "\"x\" is not an integer (a.csv, line 3)\nhint: declare the column as text");
        assert_eq!(e.kind(), ErrorKind::Data);
    }

    #[test]
    fn what_is_not_there_is_said_to_be_so() {
        let e = Error::unsupported("DELETE").advise("TRUNCATE t");
        assert_eq!(e.to_string(), "not supported: DELETE\nhint: TRUNCATE t");
        assert_eq!(Error::unsupported("Avro cannot hold maps").to_string(), "Avro cannot hold maps");
    }

    #[test]
    fn the_inner_place_wins() {
        let inner = Place { line: Some(3), ..Place::default() };
        let outer = Place { line: Some(9), file: Some("b".into()), ..Place::default() };
        let e = Error::data("x").at(inner).at(outer);
        assert_eq!((e.place().line, e.place().file.as_deref()), (Some(3), Some("b")));
    }
}
