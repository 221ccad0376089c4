//! Loads of a fixed width from any place of a buffer; beyond its end there are zeros.

macro_rules! load {
    ($(#[$doc:meta])* $name:ident, $type:ty, $width:literal) => {
        $(#[$doc])*
        #[inline(always)]
        pub(in crate::formats) fn $name(bytes: &[u8], at: usize) -> $type {
            match bytes.get(at..).and_then(|b| b.first_chunk::<$width>()) {
                Some(chunk) => <$type>::from_le_bytes(*chunk),
                None => <$type>::from_le_bytes(ending(bytes, at)),
            }
        }
    };
}

/// The last bytes of a buffer, apart from the loops that load: buffers have padding, so this is rare.
#[cold]
#[inline(never)]
fn ending<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut chunk = [0; N];
    let rest = bytes.get(at..).unwrap_or_default();
    chunk.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    chunk
}

load!(
    /// Eight bytes, the first one lowest.
    load8, u64, 8
);
load!(
    /// Sixteen bytes, the first one lowest.
    load16, u128, 16
);
