//! Where strings end, 32 bytes at a time where the machine has vectors of 16.

use super::cursor::{Text, Walk};

/// The end of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The place of the closing quote.
    pub(crate) at: usize,
    pub(crate) escaped: bool,
    /// Whether all of it is known to be ASCII.
    pub(crate) ascii: bool,
}

/// The end of the string whose content begins at `at`.
#[inline(always)]
pub(super) fn end(text: &Text<'_>, at: usize) -> Walk<End> {
    let from = at;
    #[cfg(target_arch = "x86_64")]
    let from = {
        let (mut from, mut ascii) = (from, true);
        while let Some(block) = text.bytes.get(from..).and_then(|rest| rest.first_chunk::<32>()) {
            // SAFETY: every x86-64 has SSE2.
            let Marks { special, high } = unsafe { sse2::marks(block) };
            if special == 0 {
                ascii &= high == 0;
                from += 32;
                continue;
            }
            let len = special.trailing_zeros();
            from += len as usize;
            if text.at(from) == b'"' {
                ascii &= high & ((1 << len) - 1) == 0;
                return Ok(End { at: from, escaped: false, ascii });
            }
            break; // an escape, or a control character
        }
        if let Some((at, high)) = sse2::last_quote(text.bytes, from) {
            return Ok(End { at, escaped: false, ascii: ascii && !high });
        }
        from
    };
    text.string_end_by_words(from).map(|(at, escaped)| End { at, escaped, ascii: false })
}

/// Bits of bytes.
#[cfg(target_arch = "x86_64")]
struct Marks {
    /// Quotes, backslashes, what is below 32.
    special: u32,
    /// What is no ASCII.
    high: u32,
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use super::Marks;
    use std::arch::x86_64::*;

    /// Of less than a block from `from` to the end, where a block fits before the end: the place of the first quote, if
    /// nothing else is special before it, and whether what is before it is all ASCII.
    #[inline(always)]
    pub(super) fn last_quote(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
        let block = bytes.last_chunk::<32>()?;
        let seen = from.checked_sub(bytes.len() - 32).filter(|seen| *seen < 32)?;
        // SAFETY: every x86-64 has SSE2.
        let Marks { special, high } = unsafe { marks(block) };
        let len = (special >> seen).trailing_zeros();
        let at = from + len as usize;
        // Behind the end there is none, so it is less than 32 bytes on.
        (bytes.get(at) == Some(&b'"')).then(|| (at, (high >> seen) & ((1 << len) - 1) != 0))
    }

    /// Bit i is of byte i.
    ///
    /// # Safety
    /// The machine has SSE2.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) unsafe fn marks(block: &[u8; 32]) -> Marks {
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
        let signs = |bytes: __m128i| _mm_movemask_epi8(bytes) as u32;
        Marks { special: mask(low) | (mask(high) << 16), high: signs(low) | (signs(high) << 16) }
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
            assert_eq!(text.string_end(at), text.string_end_by_words(at));
            if let Ok(End { at: end, ascii: true, .. }) = end(&text, at) {
                assert!(text.bytes[at..end].is_ascii());
            }
        }
    }

    #[test]
    fn what_is_ascii_is_known_where_a_block_fits() {
        let known = |content: &str| {
            let text = format!("{content}\"{}", " ".repeat(32));
            let found = end(&Text { bytes: text.as_bytes() }, 0).unwrap();
            assert_eq!((found.at, found.escaped), (content.len(), false));
            found.ascii
        };
        for len in [0, 5, 31, 32, 33, 70] {
            let plain = "a".repeat(len);
            assert_eq!(known(&plain), cfg!(target_arch = "x86_64"), "{len}");
            assert!(!known(&format!("{plain}\u{e9}")) && !known(&format!("\u{e9}{plain}")), "{len}");
        }
        // Where less than a block is left, there may be one before it that overlaps.
        for len in 0..70 {
            let (plain, before) = ("a".repeat(len), " ".repeat(31));
            for (content, ascii) in [(plain.clone(), true), (format!("{plain}\u{e9}"), false)] {
                let text = format!("{before}{content}\"");
                let found = end(&Text { bytes: text.as_bytes() }, 31).unwrap();
                assert_eq!((found.at, found.escaped), (text.len() - 1, false), "{len}");
                assert!(!found.ascii || ascii);
            }
        }
        // What follows is not part of it.
        assert_eq!(
            end(&Text { bytes: "a\"\u{e9}                              ".as_bytes() }, 0).unwrap().ascii,
            known("")
        );
    }
}
