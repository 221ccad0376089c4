//! Scratch as a whole: what is written comes back, or an error does; space is given back in every case.

use super::*;
use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;

fn options(write_bytes: usize) -> ScratchOptions {
    ScratchOptions { write_bytes, limit: Some(1 << 30), ..Default::default() }
}

fn scratch(options: ScratchOptions) -> Scratch {
    Scratch::with_disk(options, Arc::new(RealDisk)).unwrap()
}

/// A block that is told apart from others: of length `len`, compressible for even `n`.
fn block(n: usize, len: usize) -> Vec<u8> {
    let mut x = n as u64 + 1;
    let mut random = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..len).map(|i| if n.is_multiple_of(2) { (n + i / 64) as u8 } else { random() }).collect()
}

fn assert_reads(blocks: &[(BlockRef, Vec<u8>)]) {
    for (block, bytes) in blocks {
        assert_eq!(block.to_vec().unwrap(), *bytes);
    }
}

#[test]
fn blocks_come_back_from_memory_and_from_disk() {
    for compression in [Compression::Adaptive, Compression::Always, Compression::Never] {
        let scratch = scratch(ScratchOptions { compression, ..options(10_000) });
        let mut writer = scratch.writer();
        let mut blocks = Vec::new();
        for (n, len) in [0, 1, 17, 4096, 9_999, 10_000, 12_288, 12_289, 50_000, 3, 700, 8000, 8000].iter().enumerate() {
            let bytes = block(n, *len);
            blocks.push((writer.write(&bytes).unwrap(), bytes));
            assert_reads(&blocks);
        }
        writer.sync().unwrap();
        assert_reads(&blocks);
        drop(writer);
        assert_reads(&blocks);
        assert!(scratch.used() > 0);
        let stats = scratch.stats();
        assert_eq!(stats.written, blocks.iter().map(|(_, b)| b.len() as u64).sum::<u64>());
        assert!((stats.stored < stats.written) || compression != Compression::Always);
        assert!((stats.stored == stats.written) || compression != Compression::Never);
        assert!(stats.read > 0 && stats.peak >= stats.used);
        drop(blocks);
        assert_eq!(scratch.used(), 0);
    }
}

#[test]
fn a_block_ref_is_small() {
    assert_eq!(size_of::<BlockRef>(), 24);
    assert_eq!(size_of::<Option<BlockRef>>(), 24);
}

#[test]
fn space_is_given_back_write_by_write() {
    let scratch = scratch(ScratchOptions { compression: Compression::Never, ..options(8192) });
    let mut writer = scratch.writer();
    let mut blocks: Vec<BlockRef> = (0..8).map(|n| writer.write(&block(n, 4096)).unwrap()).collect();
    writer.sync().unwrap();
    assert_eq!(scratch.used(), 8 * 4096);
    blocks.remove(0);
    assert_eq!(scratch.used(), 8 * 4096, "its neighbour needs the range");
    blocks.remove(0);
    assert_eq!(scratch.used(), 6 * 4096);
    blocks.truncate(2);
    assert_eq!(scratch.used(), 2 * 4096);
    assert_eq!((blocks[0].to_vec().unwrap(), blocks[1].to_vec().unwrap()), (block(2, 4096), block(3, 4096)));
    assert_eq!(scratch.stats().peak, 8 * 4096);
}

#[cfg(target_os = "linux")]
#[test]
fn punched_ranges_are_free_in_the_file_system() {
    use std::os::unix::fs::MetadataExt;
    let file = RealDisk.create(&std::env::temp_dir()).unwrap();
    RealDisk.write_at(&file, &[7; 1 << 16], 0).unwrap();
    let before = file.metadata().unwrap().blocks();
    match RealDisk.punch(&file, 0, 1 << 15) {
        Ok(()) => assert!(file.metadata().unwrap().blocks() < before),
        Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::Unsupported),
    }
    assert_eq!(file.metadata().unwrap().len(), 1 << 16);
}

#[test]
fn what_nobody_wants_is_never_written() {
    let disk = Arc::new(FaultyDisk::new(Fault::None, 0, 0));
    let scratch = Scratch::with_disk(options(1000), disk.clone()).unwrap();
    let mut writer = scratch.writer();
    for n in 0..3 {
        drop(writer.write(&block(n, 300)).unwrap());
    }
    writer.sync().unwrap();
    drop(writer);
    assert_eq!((disk.operations(), scratch.stats().peak), (0, 0));
}

#[test]
fn the_limit_is_an_error_with_sizes_and_advice() {
    let scratch = scratch(ScratchOptions { limit: Some(20_000), ..options(4096) });
    let mut writer = scratch.writer();
    let mut blocks = Vec::new();
    let error = loop {
        match writer.write(&block(1, 4096)) {
            Ok(block) => blocks.push(block),
            Err(e) => break e,
        }
    };
    assert_eq!((error.kind(), blocks.len()), (ErrorKind::Resources, 4));
    assert!(error.message().contains("16.0 KiB of at most 19.5 KiB, and 4.0 KiB more"), "{error}");
    assert!(error.advice().unwrap().contains("--scratch-limit"), "{error}");
    blocks.pop();
    writer.sync().unwrap();
    let again = writer.write(&block(1, 4096));
    assert!(again.is_ok(), "there is room again: {again:?}");
    drop((blocks, writer, again));
    while scratch.used() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_missing_directory_is_told_at_once() {
    let error = Scratch::new(vec!["/nowhere/at/all".into()], None, 1000).err().unwrap();
    assert!(error.to_string().contains("/nowhere/at/all") && error.to_string().contains("--scratch"), "{error}");
}

#[test]
fn memory_is_bounded_and_told() {
    let scratch = scratch(options(1 << 20));
    let memory = scratch.fixed_bytes();
    assert_eq!((memory.per_writer, memory.per_reader), (5 << 18, 5 << 18));
    assert_eq!(memory.per_session, 6 * memory.per_writer);
}

/// Writes and reads a little; every result is right or an error. Returns the blocks that could be written.
fn workload(scratch: &Scratch) -> Result<()> {
    let mut writers = [scratch.writer(), scratch.writer()];
    let mut blocks = Vec::new();
    for n in 0..12 {
        let bytes = block(n, 500 * n);
        let writer = &mut writers[n % 2];
        blocks.push((writer.write(&bytes)?, bytes));
        if n == 6 {
            blocks.drain(1..4);
            writer.flush()?;
        }
    }
    for writer in &mut writers {
        writer.sync()?;
    }
    drop(writers);
    for (block, bytes) in &blocks {
        assert_eq!(block.to_vec()?, *bytes, "wrong bytes without an error");
    }
    Ok(())
}

/// Runs the workload with every place of the fault; returns how often it failed.
fn with_fault(fault: Fault, check: impl Fn(&Error)) -> usize {
    let mut failed = 0;
    for compression in [Compression::Never, Compression::Always] {
        for writes_in_flight in [0, 2] {
            let counter = Arc::new(FaultyDisk::new(Fault::None, 0, 0));
            let options = ScratchOptions { compression, writes_in_flight, ..options(2000) };
            workload(&Scratch::with_disk(options.clone(), counter.clone()).unwrap()).unwrap();
            for n in 0..counter.operations() {
                let disk = Arc::new(FaultyDisk::new(fault, n, n * 31 + 5));
                let scratch = Scratch::with_disk(options.clone(), disk).unwrap();
                if let Err(e) = workload(&scratch) {
                    failed += 1;
                    check(&e);
                }
                while scratch.used() > 0 {
                    std::thread::yield_now();
                }
            }
        }
    }
    failed
}

#[test]
fn every_operation_may_fail() {
    let failed = with_fault(Fault::Broken, |e| {
        assert_eq!(e.kind(), ErrorKind::Io);
        assert!(e.message().contains("injected") && e.message().contains("scratch"), "{e}");
    });
    assert!(failed > 20, "{failed}");
}

#[test]
fn the_disk_may_fill_up_at_any_write() {
    let failed = with_fault(Fault::Full, |e| {
        assert_eq!(e.kind(), ErrorKind::Resources);
        assert!(e.message().contains("is full") && e.advice().unwrap().contains("--scratch"), "{e}");
    });
    assert!(failed > 10, "{failed}");
}

#[test]
fn a_wrong_bit_is_noticed() {
    let failed = with_fault(Fault::Flip, |e| {
        assert_eq!(e.kind(), ErrorKind::Io);
        assert!(e.message().contains("corrupted"), "{e}");
    });
    assert!(failed > 10, "{failed}");
}

#[test]
fn a_file_that_became_shorter_is_noticed() {
    let failed = with_fault(Fault::Truncated, |e| {
        assert_eq!(e.kind(), ErrorKind::Io);
        assert!(e.message().contains("shorter than what was written"), "{e}");
    });
    assert!(failed > 10, "{failed}");
}

#[test]
fn too_many_open_files_are_a_lack_of_resources() {
    let failed = with_fault(Fault::TooMany, |e| {
        assert_eq!(e.kind(), ErrorKind::Resources);
        assert!(e.message().contains("open files") && e.advice().unwrap().contains("ulimit -n"), "{e}");
    });
    assert!(failed > 3, "{failed}");
}

#[test]
fn short_transfers_are_continued() {
    assert_eq!(with_fault(Fault::Short, |e| panic!("{e}")), 0);
}

#[test]
fn a_file_system_without_holes_frees_space_with_the_file() {
    assert_eq!(with_fault(Fault::NoPunch, |e| panic!("{e}")), 0);
}

#[test]
fn many_threads_write_and_read_each_others_blocks() {
    let scratch = scratch(ScratchOptions { compression: Compression::Always, ..options(5000) });
    let (give, take) = std::sync::mpsc::channel::<(BlockRef, usize)>();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (scratch, give) = (scratch.clone(), give.clone());
            scope.spawn(move || {
                let mut writer = scratch.writer();
                for n in 0..300 {
                    let n = n * 3 + thread;
                    give.send((writer.write(&block(n, 100 + n)).unwrap(), n)).unwrap();
                }
            });
        }
        drop(give);
        let mut kept = Vec::new();
        for (i, (taken, n)) in take.iter().enumerate() {
            assert_eq!(taken.to_vec().unwrap(), block(n, 100 + n));
            if i % 3 == 0 {
                kept.push((taken, block(n, 100 + n)));
            }
        }
        assert_eq!(kept.len(), 300);
        assert_reads(&kept);
    });
    while scratch.used() > 0 {
        std::thread::yield_now();
    }
}
