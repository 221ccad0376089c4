//! Loads of a fixed width from any place of a buffer; beyond its end there are zeros.

macro_rules! load {
    ($(#[$doc:meta])* $name:ident, $type:ty, $width:literal) => {
        $(#[$doc])*
        #[inline(always)]
        pub(in crate::formats) fn $name(bytes: &[u8], at: usize) -> $type {
            match bytes.get(at..).and_then(|b| b.first_chunk::<$width>()) {
                Some(chunk) => <$type>::from_le_bytes(*chunk),
                None => {
                    let mut chunk = [0; $width];
                    let rest = bytes.get(at..).unwrap_or_default();
                    chunk.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    <$type>::from_le_bytes(chunk)
                }
            }
        }
    };
}

load!(
    /// Four bytes, the first one lowest.
    load4, u32, 4
);
load!(
    /// Eight bytes, the first one lowest.
    load8, u64, 8
);
load!(
    /// Sixteen bytes, the first one lowest.
    load16, u128, 16
);
