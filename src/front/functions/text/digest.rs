//! Digests: MD5 (RFC 1321), SHA-1 and SHA-256 (FIPS 180-4). For comparing and for keys, not for secrets: MD5 and SHA-1
//! are broken.
//!
//! All three cut the message into blocks of 64 bytes, behind it a 1 bit, zeros, and the number of bits; each block is
//! mixed into a state of 32-bit words.

use super::super::args::{Args, some, texts};
use super::super::row::{Gives, Row};
use super::bytes::{bytes_of, hex_of};
use arrow::array::ArrayRef;
use datafusion_common::Result;

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "md5",
        "text | blob",
        Gives::Text,
        md5_text,
        "The MD5 digest in hexadecimal digits.",
        "md5('a') --> 0cc175b9c0f1b6a831c399e269772661",
    ),
    Row::new(
        "sha1",
        "text | blob",
        Gives::Text,
        sha1_text,
        "The SHA-1 digest in hexadecimal digits.",
        "sha1('a') --> 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8",
    ),
    Row::new(
        "sha256",
        "text | blob",
        Gives::Text,
        sha256_text,
        "The SHA-256 digest in hexadecimal digits.",
        "sha256('a') --> ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    ),
];

fn digest<const N: usize>(args: &Args, f: impl Fn(&[u8]) -> [u8; N]) -> Result<ArrayRef> {
    let bytes = bytes_of(args)?;
    texts(args, |row| Ok(Some(hex_of(&f(&some!(bytes(row))), false))))
}

fn md5_text(args: &Args) -> Result<ArrayRef> {
    digest(args, md5)
}

fn sha1_text(args: &Args) -> Result<ArrayRef> {
    digest(args, sha1)
}

fn sha256_text(args: &Args) -> Result<ArrayRef> {
    digest(args, sha256)
}

/// The message, filled up to blocks of 64 bytes.
fn padded(message: &[u8], length: [u8; 8]) -> Vec<u8> {
    let mut made = message.to_vec();
    made.push(0x80);
    while made.len() % 64 != 56 {
        made.push(0);
    }
    made.extend(length);
    made
}

fn bits(message: &[u8]) -> u64 {
    (message.len() as u64).wrapping_mul(8)
}

/// The sixteen words of a block.
fn words(block: &[u8], word: impl Fn([u8; 4]) -> u32) -> [u32; 16] {
    let mut made = [0; 16];
    for (to, from) in made.iter_mut().zip(block.chunks_exact(4)) {
        if let Ok(bytes) = from.try_into() {
            *to = word(bytes);
        }
    }
    made
}

fn md5(message: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(message, bits(message).to_le_bytes()).chunks_exact(64) {
        let words = words(block, u32::from_le_bytes);
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64usize {
            let (mixed, at) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), 5 * i + 1),
                2 => (b ^ c ^ d, 3 * i + 5),
                _ => (c ^ (b | !d), 7 * i),
            };
            // The constants are the fractions of sines.
            let constant = (f64::sin(i as f64 + 1.0).abs() * 4_294_967_296.0) as u32;
            let word = words.get(at % 16).copied().unwrap_or(0);
            let shift = SHIFTS.get(i / 16).and_then(|s| s.get(i % 4)).copied().unwrap_or(0);
            let sum = a.wrapping_add(mixed).wrapping_add(constant).wrapping_add(word);
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(shift));
        }
        state = add(state, [a, b, c, d]);
    }
    out(state, u32::to_le_bytes)
}

fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded(message, bits(message).to_be_bytes()).chunks_exact(64) {
        let mut schedule = words(block, u32::from_be_bytes).to_vec();
        for i in 16..80 {
            let of = |back: usize| schedule.get(i - back).copied().unwrap_or(0);
            schedule.push((of(3) ^ of(8) ^ of(14) ^ of(16)).rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in schedule.iter().enumerate() {
            let (mixed, constant) = match i / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999u32),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let sum = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e).wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
        }
        state = add(state, [a, b, c, d, e]);
    }
    out(state, u32::to_be_bytes)
}

/// The first 32 bits of the fractions of the cube roots of the first 64 primes.
const SHA256: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
];

fn sha256(message: &[u8]) -> [u8; 32] {
    let mut state = [0x6a09e667u32, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
    for block in padded(message, bits(message).to_be_bytes()).chunks_exact(64) {
        let mut schedule = words(block, u32::from_be_bytes).to_vec();
        for i in 16..64 {
            let of = |back: usize| schedule.get(i - back).copied().unwrap_or(0);
            let (x, y) = (of(15), of(2));
            let small = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
            let large = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
            schedule.push(of(16).wrapping_add(small).wrapping_add(of(7)).wrapping_add(large));
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for (word, constant) in schedule.iter().zip(SHA256) {
            let large = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & f) ^ (!e & g);
            let one = h.wrapping_add(large).wrapping_add(choice).wrapping_add(constant).wrapping_add(*word);
            let small = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let two = small.wrapping_add((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(one), c, b, a, one.wrapping_add(two));
        }
        state = add(state, [a, b, c, d, e, f, g, h]);
    }
    out(state, u32::to_be_bytes)
}

fn add<const N: usize>(mut state: [u32; N], more: [u32; N]) -> [u32; N] {
    state.iter_mut().zip(more).for_each(|(s, m)| *s = s.wrapping_add(m));
    state
}

fn out<const N: usize, const M: usize>(state: [u32; N], bytes: impl Fn(u32) -> [u8; 4]) -> [u8; M] {
    let mut made = [0; M];
    made.iter_mut().zip(state.into_iter().flat_map(bytes)).for_each(|(to, from)| *to = from);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321, A.5; FIPS 180-2, appendices A and B; a message of several blocks.
    #[test]
    fn the_published_examples() {
        let hex = |bytes: &[u8]| hex_of(bytes, false);
        assert_eq!(hex(&md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex(&md5(b"message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
        let digits = b"12345678901234567890123456789012345678901234567890123456789012345678901234567890";
        assert_eq!(hex(&md5(digits)), "57edf4a22be3c955ac49da2e2107b67a");
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let long = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(&sha1(long)), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256(b"abc")), abc);
        let two = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
        assert_eq!(hex(&sha256(long)), two);
    }
}
