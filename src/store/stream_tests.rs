//! Streams: what is written comes back in order, or an error does; space is given back in every case.

use super::*;
use crate::error::Result;
use std::sync::Arc;

const PAGE: usize = 20_000;

fn options(write_bytes: usize, compression: Compression) -> ScratchOptions {
    ScratchOptions { write_bytes, compression, limit: Some(1 << 30), ..Default::default() }
}

/// A block that is told apart from others, compressible for even `n`.
fn block(n: usize) -> Vec<u8> {
    let len = 1 + n * 7919 % PAGE;
    let mut x = n as u64 + 1;
    let mut random = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..len).map(|i| if n.is_multiple_of(2) { (n + i / 64) as u8 } else { random() }).collect()
}

fn write(writer: &mut StreamWriter, blocks: std::ops::Range<usize>) -> Result<(Stream, Vec<u64>)> {
    let places = blocks.map(|n| writer.write(&block(n), PAGE)).collect::<Result<_>>()?;
    Ok((writer.finish()?, places))
}

/// The blocks from `place` on are those of `expected`.
fn check(stream: &Stream, place: u64, expected: std::ops::Range<usize>) -> Result<()> {
    let (mut reader, mut into, mut spare) = (stream.reader(place)?, vec![0; 2 * PAGE], vec![0; 2 * PAGE]);
    for n in expected {
        let len = reader.next_len();
        reader.read(&mut into, &mut spare)?;
        assert_eq!(into[..len], block(n));
    }
    assert_eq!(reader.next_len(), 0);
    Ok(())
}

#[test]
fn streams_come_back_from_any_block() {
    for compression in [Compression::Adaptive, Compression::Always, Compression::Never] {
        for write_bytes in [1, 5000, 60_000] {
            let scratch = Scratch::with_disk(options(write_bytes, compression), Arc::new(RealDisk)).unwrap();
            let mut writer = scratch.streams();
            let (one, places) = write(&mut writer, 0..40).unwrap();
            let (other, _) = write(&mut writer, 40..41).unwrap();
            check(&one, 0, 0..40).unwrap();
            check(&one, places[17], 17..40).unwrap();
            check(&other, 0, 40..41).unwrap();
            let stats = scratch.stats();
            assert!(stats.stored < stats.written || compression != Compression::Always || write_bytes < PAGE);
            assert!(stats.used >= stats.stored && stats.read > 0);
            drop((one, other));
            assert_eq!(scratch.used(), 0, "the writer is still there");
        }
    }
}

#[test]
fn space_is_given_back_from_the_front() {
    let scratch = Scratch::with_disk(options(8192, Compression::Never), Arc::new(RealDisk)).unwrap();
    let mut writer = scratch.streams();
    let (mut stream, places) = write(&mut writer, 0..40).unwrap();
    let all = scratch.used();
    stream.free_before(places[20]);
    let left = scratch.used();
    assert!(left < all && left >= stream.len() - places[20], "{left} of {all}");
    check(&stream, places[20], 20..40).unwrap();
    stream.free_before(places[20]);
    assert_eq!(scratch.used(), left);
    drop(stream);
    assert_eq!(scratch.used(), 0);
}

#[test]
fn what_is_not_finished_is_given_back() {
    let scratch = Scratch::with_disk(options(4096, Compression::Never), Arc::new(RealDisk)).unwrap();
    let mut writer = scratch.streams();
    (0..20).for_each(|n| assert!(writer.write(&block(n), PAGE).is_ok()));
    assert!(scratch.used() > 0);
    drop(writer);
    assert_eq!(scratch.used(), 0);
}

#[test]
fn a_limit_is_an_error_with_sizes() {
    let limited = ScratchOptions { limit: Some(40_960), ..options(4096, Compression::Never) };
    let scratch = Scratch::with_disk(limited, Arc::new(RealDisk)).unwrap();
    let error = write(&mut scratch.streams(), 0..40).unwrap_err();
    assert!(error.to_string().contains("scratch is full"), "{error}");
    assert_eq!(scratch.used(), 0);
}

const EVERY: [Fault; 7] =
    [Fault::Full, Fault::Broken, Fault::TooMany, Fault::Short, Fault::Flip, Fault::Truncated, Fault::NoPunch];

/// Whatever breaks, the answer is right or an error, and nothing is left.
#[test]
fn faults_are_errors_never_other_bytes() {
    let run = |fault, n| -> (Result<()>, u64, Arc<FaultyDisk>) {
        let disk = Arc::new(FaultyDisk::new(fault, n, 7));
        let scratch = Scratch::with_disk(options(8192, Compression::Always), disk.clone()).unwrap();
        let result = write(&mut scratch.streams(), 0..12).and_then(|(stream, _)| check(&stream, 0, 0..12));
        // An io thread may be about to close the file.
        let closed = |_: &u32| {
            scratch.used() == 0 || {
                std::thread::yield_now();
                false
            }
        };
        let _ = (0..1_000_000).find(closed);
        let used = scratch.used();
        drop(scratch);
        (result, used, disk)
    };
    let (clean, _, disk) = run(Fault::None, 0);
    clean.unwrap();
    for n in 0..disk.operations() {
        for fault in EVERY {
            let (result, used, disk) = run(fault, n);
            assert_eq!(used, 0, "{fault:?} at {n}");
            match fault {
                Fault::Short | Fault::NoPunch => result.unwrap(),
                // Every byte of a stream is checked, its heads too.
                Fault::Flip => assert!(result.is_err() || !disk.has_met(), "a wrong bit at {n} was not noticed"),
                // What was hit may have been the giving back of space, or nothing at all.
                _ => {}
            }
        }
    }
}
