//! The file that the queries of the table of real memory read.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::Path;

/// CSV: `id` and `other` (each a permutation of the rows), `num`, `small`, `text` of about 60 bytes, mostly different.
pub fn generate(path: &Path, bytes: u64) {
    let mut file = BufWriter::with_capacity(1 << 20, std::fs::File::create(path).unwrap());
    let (mut written, mut line) = (0, String::from("id,other,num,small,text\n"));
    let mut x = 0x9E37_79B9_7F4A_7C15_u64;
    let rows = bytes / 90;
    // Odd, and no prime of the number of rows rounded up to a power of two: a permutation of them.
    let all = rows.next_power_of_two();
    for row in 0..all {
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        if written >= bytes {
            break;
        }
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        line.clear();
        let (id, other) = (row.wrapping_mul(0x9E37_79B1) % all, row.wrapping_mul(0x85EB_CA6B) % all);
        writeln!(line, "{id},{other},{},{},some text of row {x:020} and {:020} again", x % 100_000, x % 17, x >> 20)
            .unwrap();
    }
    file.flush().unwrap();
}
