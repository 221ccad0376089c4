//! Bags of the records of logs.

use super::Bag;
use crate::error::Result;
use crate::frame::Session;
use serde::de::DeserializeOwned;

impl<T: DeserializeOwned + Send + 'static> Bag<T> {
    /// The records of log files (a path, a directory or a glob) as items: structs whose fields are named as the columns of
    /// [`Session::read_log`], or `serde_json::Value`. Moments are text, as they are in JSON.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Request {
    ///     path: Option<String>,
    ///     status: u16,
    /// }
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let requests = Bag::<Request>::read_log(&session, "testdata/access.log")?;
    /// assert_eq!(requests.count()?, 60);
    /// assert!(requests.filter(|r| r.status >= 500 && r.path.is_some()).count()? > 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Session::read_log`].
    pub fn read_log(session: &Session, path: &str) -> Result<Bag<T>> {
        Ok(session.read_log(path)?.to_bag())
    }
}
