//! What stands for files of stores in a build without the feature `remote`: nothing, said by name.

use super::paths::FileRef;
use super::pipe::Pipes;
use super::url::scheme;
use super::{Existing, Output, Stage};
use crate::error::{Error, Result};
use crate::wake::Cancel;
use bytes::Bytes;
use std::ops::Range;

/// What a session reaches over the network: nothing.
#[derive(Clone, Debug, Default)]
pub struct Remote;

impl Remote {
    /// Nothing has a size.
    pub fn fit(&self, _memory: usize, _split: usize) {}

    /// Nothing is held.
    pub fn account(&self, _accounts: impl Fn() -> Box<dyn Fn(usize) + Send + Sync> + Send + Sync + 'static) {}

    /// Refuses the name.
    ///
    /// # Errors
    /// Always.
    pub fn create(&self, name: &str) -> Result<Box<dyn Output>> {
        Err(no_target(name))
    }

    /// Refuses the name.
    ///
    /// # Errors
    /// Always.
    pub fn stage(&self, name: &str, _existing: Existing) -> Result<Box<dyn Stage>> {
        Err(no_target(name))
    }

    /// There is no setting.
    pub fn has_setting(_name: &str) -> bool {
        false
    }

    /// There is no setting.
    pub fn setting_names() -> impl Iterator<Item = &'static str> {
        std::iter::empty()
    }

    /// There is no setting.
    ///
    /// # Errors
    /// Always.
    pub fn set(&self, name: &str, _value: Option<&str>) -> Result<()> {
        Err(Error::unsupported(format!("the setting {name}")))
    }

    /// There is no setting.
    pub fn setting(&self, _name: &str) -> Option<String> {
        None
    }

    /// Nobody waits.
    pub fn stop(&self) {}

    /// Refuses the name.
    ///
    /// # Errors
    /// Always.
    pub fn find(&self, name: &str, _pipes: &Pipes) -> Result<Vec<FileRef>> {
        let scheme = scheme(name).unwrap_or_default();
        Err(Error::unsupported(format!("{scheme}:// as a source in this build"))
            .advise("build it with the feature `remote`, which is on by default, or download the file first"))
    }
}

fn no_target(name: &str) -> Error {
    let scheme = scheme(name).unwrap_or_default();
    Error::unsupported(format!("{scheme}:// as a target in this build"))
        .advise("build it with the feature `remote`, which is on by default, or write a file and copy it")
}

/// Nothing.
#[derive(Clone, Debug, PartialEq)]
enum Never {}

/// A file of a store: there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteFile(Never);

impl RemoteFile {
    /// The name that finds it.
    pub fn url(&self) -> &str {
        match self.0 {}
    }

    /// Whether it is as it was.
    ///
    /// # Errors
    /// None.
    pub fn is_unchanged(&self) -> Result<bool> {
        match self.0 {}
    }

    /// The same files.
    pub fn of_query(files: &[FileRef], _stop: &Cancel) -> (std::sync::Arc<[FileRef]>, usize) {
        (files.into(), 0)
    }

    pub(super) fn reader(&self) -> RemoteReader {
        match self.0 {}
    }

    /// Reads pieces of it that are announced.
    pub fn pieces(&self) -> Pieces {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(super) struct RemoteReader(Never);

impl RemoteReader {
    pub(super) fn read_at(&self, _into: &mut [u8], _offset: u64) -> Result<()> {
        match self.0 {}
    }
}

/// Pieces of a file of columns.
pub struct Pieces(Never);

impl Pieces {
    /// The size of the file.
    pub fn size(&self) -> u64 {
        match self.0 {}
    }

    /// From now on these ranges are read.
    ///
    /// # Errors
    /// Never.
    pub fn announce(&self, _ranges: Vec<Range<u64>>) -> Result<()> {
        match self.0 {}
    }

    /// Reads a range.
    ///
    /// # Errors
    /// Never.
    pub fn read(&self, _range: Range<u64>) -> Result<Bytes> {
        match self.0 {}
    }
}
