//! Files below the formats: paths and globs, byte ranges, compression, outputs that appear when complete, io threads; files
//! behind http(s) and in S3-compatible stores.
//!
//! Life of an input: [`resolve`] turns what the user wrote into [`FileRef`]s; [`InputFile`] opens one, refusing a file
//! that has changed since (pipes have a story of their own); a [`Window`] slides over its bytes (a range of the file, or all
//! of it decompressed and decoded).
//!
//! Life of an output: [`AtomicFile`] takes the bytes under no name, [`Compressed`] packs them on the way, and `complete`
//! gives the file its name. A [`Staging`] does so for a directory of files.

mod ahead;
mod atomic;
mod compress;
mod encoding;
mod paths;
mod pipe;
mod read;
#[cfg(feature = "remote")]
mod remote;
#[cfg(not(feature = "remote"))]
#[path = "no_remote.rs"]
mod remote;
mod staging;
mod target;
pub mod threads;
#[cfg_attr(not(feature = "remote"), allow(dead_code))]
pub(crate) mod url;
mod window;

pub(crate) use ahead::AHEAD;
pub use atomic::{AtomicFile, Output};
pub use compress::{Compressed, Compression, open_arriving, open_stream};
pub use encoding::Coding;
pub use paths::{FileRef, matching, resolve, resolve_with};
pub use pipe::{Keep, KeptBlock, Pipe, Pipes};
pub use read::InputFile;
pub use remote::{Pieces, Remote, RemoteFile};
pub use staging::{Existing, STAGED_BUFFER, Stage, Staging};
pub(crate) use url::HIDDEN;
pub use window::{Spares, Window};
