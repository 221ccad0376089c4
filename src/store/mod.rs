//! Data at rest: blocks in scratch, and queues of batches that wait their turn.
//!
//! Life of a block: an operator gives a full page (or many) to its [`SpillWriter`]; the writer compresses it if that
//! pays, adds a checksum and gathers blocks until a write is at least 1 MiB; an io thread appends the write to an
//! unlinked file; the operator keeps the [`BlockRef`]; later [`BlockRef::read`] brings it back, checked.
//!
//! | file | idea |
//! |---|---|
//! | `scratch` | what a session shares; the whole story |
//! | `spill` | writers and blocks |
//! | `stream` | long lists of blocks, read from front to back |
//! | `file` | a writer's file, ranges of it |
//! | `buffers` | memory in which writes are gathered |
//! | `space` | the account of disk space, statistics |
//! | `compress` | when LZ4 pays |
//! | `disk`, `fault` | the operating system's calls, and how they break |
//! | `codec` | batches as bytes |
//! | `turn_queue` | the ordered result |
//! | `shelf` | results that are values of a program's own types |

mod buffers;
mod codec;
mod compress;
mod disk;
mod fault;
mod file;
mod scratch;
mod shelf;
mod space;
mod spill;
#[cfg(test)]
mod spill_tests;
mod stream;
#[cfg(test)]
mod stream_tests;
mod turn_queue;
#[cfg(test)]
mod turn_queue_tests;

pub use codec::{compact_batch, decode_batch, encode_batch, kept_bytes, read_batch};
pub use compress::Compression;
pub use disk::{Disk, RealDisk};
pub use fault::{Fault, FaultyDisk};
pub use scratch::{Scratch, ScratchMemory, ScratchOptions};
pub use shelf::{Coding, Held, Kept, Payload, Pieces, Room, Shelf, Shelved};
pub use space::ScratchStats;
pub use spill::{BlockRef, SpillWriter};
pub use stream::{STREAM_HEAD, Stream, StreamReader, StreamWriter};
pub use turn_queue::{Push, TryPop, TurnOptions, TurnQueue, TurnReader};
