//! Reads a stream ahead on a thread of its own, so that unpacking goes on while rows are made of what is unpacked.
//!
//! The first bytes are read on the spot: whoever only looks at the head of a file needs no thread. Then a few blocks
//! wait at most; a reader that is dropped ends the thread at its next block.

use super::threads::IoThreads;
use crate::error::Error;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Bytes of a block.
const BLOCK: usize = 256 << 10;

/// Blocks that wait.
const WAITING: usize = 2;

/// Bytes that are read on the spot.
const HEAD: usize = 1 << 20;

/// Bytes that reading ahead holds: the blocks that wait, the one that is filled and the one that is used.
pub(crate) const AHEAD: usize = (WAITING + 2) * BLOCK;

/// A block, or why there is none; an empty one is the end.
type Block = io::Result<Vec<u8>>;

/// See the head of this file.
pub(super) struct Ahead(State);

enum State {
    Here { from: Box<dyn Read + Send>, left: usize },
    There(There),
}

struct There {
    _thread: IoThreads,
    blocks: Receiver<Block>,
    /// Blocks that were used go back.
    back: Sender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Ahead {
    pub(super) fn new(from: Box<dyn Read + Send>) -> Ahead {
        Ahead::after(from, HEAD)
    }

    fn after(from: Box<dyn Read + Send>, head: usize) -> Ahead {
        Ahead(State::Here { from, left: head })
    }
}

impl Read for Ahead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if let State::Here { from, left } = &mut self.0 {
            if *left > 0 {
                let most = into.len().min(*left);
                let read = from.read(into.get_mut(..most).unwrap_or_default())?;
                *left -= read;
                return Ok(read);
            }
            let from = std::mem::replace(from, Box::new(io::empty()));
            self.0 = State::There(There::start(from)?);
        }
        match &mut self.0 {
            State::There(there) => there.read(into),
            State::Here { .. } => Ok(0),
        }
    }
}

impl There {
    fn start(from: Box<dyn Read + Send>) -> io::Result<There> {
        let (sender, blocks) = sync_channel(WAITING);
        let (back, used) = channel();
        let thread = IoThreads::new("unpack", 1, 1);
        let refused = || io::Error::other("no thread can be started to unpack a file");
        thread.try_submit(Box::new(move || fill(from, &sender, &used))).map_err(|_| refused())?;
        Ok(There { _thread: thread, blocks, back, block: Vec::new(), at: 0, ended: false })
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() && !self.ended {
            let used = std::mem::take(&mut self.block);
            if used.capacity() > 0 {
                let _ = self.back.send(used); // nobody takes it any more where the stream has ended
            }
            let gone = || io::Error::other(Error::internal("unpacking a file ended without a word"));
            self.at = 0;
            // Behind an error nothing comes: who reads on is told so, and takes it for no end.
            self.block = self.blocks.recv().map_err(|_| gone())??;
            self.ended = self.block.is_empty();
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

/// Sends block after block until the stream ends, fails, or nobody wants more.
fn fill(mut from: Box<dyn Read + Send>, to: &SyncSender<Block>, used: &Receiver<Vec<u8>>) {
    loop {
        let mut block = used.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let mut done = 0;
        let failed = loop {
            // A decoder that is asked for nothing may take that for being stuck.
            let Some(rest) = block.get_mut(done..).filter(|rest| !rest.is_empty()) else { break None };
            match from.read(rest) {
                Ok(0) => break None,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Some(e),
            }
        };
        block.truncate(done);
        let ended = done < BLOCK;
        let sent = (done == 0 && failed.is_some()) || to.send(Ok(block)).is_ok();
        if let Some(e) = failed {
            let _ = to.send(Err(e)); // whoever has gone does not ask
            return;
        }
        if !sent {
            return;
        }
        if ended {
            let _ = to.send(Ok(Vec::new()));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `data` in small pieces, then fails.
    struct Pieces(Vec<u8>, usize, bool);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[self.1..];
            let count = rest.len().min(into.len()).min(70_001);
            if count == 0 && self.2 && !into.is_empty() {
                return Err(io::Error::other("torn"));
            }
            into[..count].copy_from_slice(&rest[..count]);
            self.1 += count;
            Ok(count)
        }
    }

    #[test]
    fn the_same_bytes_and_the_same_error() {
        let data: Vec<u8> = (0..1_500_000u32).map(|i| (i % 251) as u8).collect();
        for head in [0, 1000, BLOCK, 2_000_000] {
            for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 1_500_000] {
                let mut out = Vec::new();
                let sound = Pieces(data[..len].to_vec(), 0, false);
                Ahead::after(Box::new(sound), head).read_to_end(&mut out).unwrap();
                assert!(out == data[..len], "{head} {len}");
                out.clear();
                let torn = Pieces(data[..len].to_vec(), 0, true);
                let e = Ahead::after(Box::new(torn), head).read_to_end(&mut out).unwrap_err();
                assert!(e.to_string() == "torn" && out == data[..len], "{head} {len} {e}");
            }
        }
    }

    #[test]
    fn a_stream_that_failed_has_no_end() {
        for len in [0, BLOCK, BLOCK + 1] {
            let mut ahead = Ahead::after(Box::new(Pieces(vec![1; len], 0, true)), 0);
            assert_eq!(ahead.read_to_end(&mut Vec::new()).unwrap_err().to_string(), "torn");
            for _ in 0..2 {
                assert!(ahead.read(&mut [0; 8]).is_err(), "{len}");
            }
        }
    }

    #[test]
    fn a_panic_is_an_error() {
        struct Panics;
        impl Read for Panics {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                std::panic::resume_unwind(Box::new("on purpose"))
            }
        }
        assert!(Ahead::after(Box::new(Panics), 0).read(&mut [0; 8]).is_err());
    }
}
