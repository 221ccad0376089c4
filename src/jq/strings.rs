//! Where strings end, 32 bytes at a time where the machine has vectors of 16.

use crate::formats::json_text::{Text, Walk};

/// The end of the string whose content begins at `at` (the place of the closing quote), and whether it has escapes.
#[inline(always)]
pub(super) fn string_end(text: &Text<'_>, at: usize) -> Walk<(usize, bool)> {
    #[cfg(target_arch = "x86_64")]
    {
        let mut from = at;
        while let Some(block) = text.bytes.get(from..).and_then(|rest| rest.first_chunk::<32>()) {
            // SAFETY: every x86-64 has SSE2.
            let special = unsafe { sse2::special(block) };
            if special == 0 {
                from += 32;
                continue;
            }
            from += special.trailing_zeros() as usize;
            if text.at(from) == b'"' {
                return Ok((from, false));
            }
            break; // an escape, or a control character
        }
        text.string_end(from)
    }
    #[cfg(not(target_arch = "x86_64"))]
    text.string_end(at)
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::*;

    /// Bit i: whether byte i is a quote, a backslash, or below 32.
    ///
    /// # Safety
    /// The machine has SSE2.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) unsafe fn special(block: &[u8; 32]) -> u32 {
        // SAFETY: two loads of 16 bytes cover the 32 bytes of the block; unaligned loads are allowed.
        let (low, high) = unsafe {
            let p = block.as_ptr().cast::<__m128i>();
            (_mm_loadu_si128(p), _mm_loadu_si128(p.add(1)))
        };
        let mask = |bytes: __m128i| {
            let quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
            let escapes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
            let most = _mm_set1_epi8(0x1F);
            let controls = _mm_cmpeq_epi8(_mm_max_epu8(bytes, most), most);
            _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, escapes), controls)) as u32
        };
        mask(low) | (mask(high) << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn agrees_with_eight_bytes_at_a_time(text in "[a\u{80}\n\"\\\\]{0,3}a{0,40}[a\u{e9}\n\"\\\\]{0,60}", at in 0usize..40) {
            let text = Text { bytes: text.as_bytes() };
            let at = at.min(text.bytes.len());
            assert_eq!(string_end(&text, at), text.string_end(at));
        }
    }
}
