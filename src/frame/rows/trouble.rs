//! Why a row is not of the type that was wanted, and where in the row.

use serde::de;
use std::fmt;

/// What is wrong, and the path to it, from the inside out.
#[derive(Debug)]
pub(super) struct Trouble(Box<Inner>);

#[derive(Debug)]
struct Inner {
    message: String,
    path: Vec<Step>,
}

/// A step from a value into one of its parts.
#[derive(Debug)]
enum Step {
    Name(String),
    Index(usize),
}

impl Trouble {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Trouble(Box::new(Inner { message: message.into(), path: Vec::new() }))
    }

    /// It was in the column or the field of this name.
    pub(super) fn in_field(mut self, name: &str) -> Self {
        self.0.path.push(Step::Name(name.to_string()));
        self
    }

    /// It was in the item of a list.
    pub(super) fn in_item(mut self, index: usize) -> Self {
        self.0.path.push(Step::Index(index));
        self
    }

    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    /// `stops[2].name`; none for the row itself.
    pub(super) fn path(&self) -> Option<String> {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Name(name) if path.is_empty() => path.push_str(name),
                Step::Name(name) => path.push_str(&format!(".{name}")),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        Some(path).filter(|p| !p.is_empty())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Trouble {}

impl de::Error for Trouble {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Trouble::new(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Trouble::new(format!("there is nothing for the field {field}, and it is no Option"))
    }
}
