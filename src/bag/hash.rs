//! The hash of a key's bytes: XXH64, the same in every process and version.
//!
//! Keys are mostly short, and then it is a few multiplications, which belong where they are asked for; what is longer is left
//! to the crate. From <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>, where it is the way without lanes.

use crate::config::Tuning;
use twox_hash::XxHash64;

/// What is shorter goes through no lanes.
const LANES: usize = 32;
const PRIMES: [u64; 5] =
    [0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63, 0x27D4_EB2F_1656_67C5];

/// See the head of this file.
#[inline]
pub(super) fn hash(key: &[u8], tuning: &Tuning) -> u64 {
    let seed = tuning.hash_seed;
    let hash = if key.len() < LANES { short(seed, key) } else { XxHash64::oneshot(seed, key) };
    hash & tuning.hash_mask
}

#[inline]
fn short(seed: u64, key: &[u8]) -> u64 {
    let [p1, p2, p3, p4, p5] = PRIMES;
    let mut hash = seed.wrapping_add(p5).wrapping_add(key.len() as u64);
    let (words, mut rest) = key.as_chunks::<8>();
    for word in words {
        hash ^= u64::from_le_bytes(*word).wrapping_mul(p2).rotate_left(31).wrapping_mul(p1);
        hash = hash.rotate_left(27).wrapping_mul(p1).wrapping_add(p4);
    }
    if let Some((word, behind)) = rest.split_first_chunk::<4>() {
        hash ^= u64::from(u32::from_le_bytes(*word)).wrapping_mul(p1);
        hash = hash.rotate_left(23).wrapping_mul(p2).wrapping_add(p3);
        rest = behind;
    }
    for byte in rest {
        hash ^= u64::from(*byte).wrapping_mul(p5);
        hash = hash.rotate_left(11).wrapping_mul(p1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(p2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(p3);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_keys_are_hashed_as_the_crate_does() {
        for len in 0..100u8 {
            let key: Vec<u8> = (0..len).map(|n| n.wrapping_mul(151) ^ len).collect();
            for hash_seed in [0, 1, u64::MAX, 0x9E37_79B9_7F4A_7C15] {
                let tuning = Tuning { hash_seed, hash_mask: u64::MAX, ..Tuning::default() };
                assert_eq!(hash(&key, &tuning), XxHash64::oneshot(hash_seed, &key), "{len} {hash_seed}");
            }
        }
    }
}
