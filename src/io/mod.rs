//! Files below the formats: paths and globs, byte ranges, compression, outputs that appear when complete, io threads.

pub mod threads;
