//! Keys to sort by, as bytes that have their order.
//!
//! The set of types is closed on purpose: an order that a type defines by itself would not be that of the bytes that serde
//! writes of it. A struct is sorted by a tuple of its fields.

use std::cmp::Reverse;

/// What a bag can be sorted by: bytes that have the order of the values.
///
/// Floats are ordered with every NaN behind all numbers, and one zero. `Option`: `None` comes first. [`Reverse`] turns an
/// order around; tuples go by their first part, then the next.
pub trait OrderKey {
    /// Appends the bytes. No key's bytes are the beginning of another's.
    fn write(&self, out: &mut Vec<u8>);
}

macro_rules! unsigned_keys {
    ($($t:ty)*) => {
        $(impl OrderKey for $t {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        })*
    };
}
unsigned_keys! { u8 u16 u32 u64 u128 usize }

macro_rules! signed_keys {
    ($($t:ty)*) => {
        $(impl OrderKey for $t {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&(*self ^ <$t>::MIN).to_be_bytes());
            }
        })*
    };
}
signed_keys! { i8 i16 i32 i64 i128 isize }

impl OrderKey for f64 {
    fn write(&self, out: &mut Vec<u8>) {
        let v = if self.is_nan() { f64::NAN.abs() } else { *self + 0.0 };
        let bits = v.to_bits();
        let flip = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
        out.extend_from_slice(&(bits ^ flip).to_be_bytes());
    }
}

impl OrderKey for f32 {
    fn write(&self, out: &mut Vec<u8>) {
        f64::from(*self).write(out);
    }
}

impl OrderKey for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl OrderKey for char {
    fn write(&self, out: &mut Vec<u8>) {
        u32::from(*self).write(out);
    }
}

impl OrderKey for [u8] {
    /// A zero is written as 0 255, the end as 0 0.
    fn write(&self, out: &mut Vec<u8>) {
        for byte in self {
            out.push(*byte);
            if *byte == 0 {
                out.push(255);
            }
        }
        out.extend_from_slice(&[0, 0]);
    }
}

impl OrderKey for str {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_bytes().write(out);
    }
}

impl OrderKey for String {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_bytes().write(out);
    }
}

impl OrderKey for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_slice().write(out);
    }
}

impl<K: OrderKey + ?Sized> OrderKey for &K {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

impl<K: OrderKey> OrderKey for Option<K> {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(key) = self {
            key.write(out);
        }
    }
}

impl<K: OrderKey> OrderKey for Reverse<K> {
    fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        self.0.write(out);
        out.iter_mut().skip(from).for_each(|byte| *byte = !*byte);
    }
}

macro_rules! tuple_keys {
    ($($name:ident)*) => {
        impl<$($name: OrderKey),*> OrderKey for ($($name,)*) {
            fn write(&self, out: &mut Vec<u8>) {
                #[allow(non_snake_case)]
                let ($($name,)*) = self;
                $($name.write(out);)*
            }
        }
    };
}
tuple_keys! { A }
tuple_keys! { A B }
tuple_keys! { A B C }
tuple_keys! { A B C D }

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(key: impl OrderKey) -> Vec<u8> {
        let mut out = Vec::new();
        key.write(&mut out);
        out
    }

    fn in_order<K: OrderKey>(keys: impl IntoIterator<Item = K>) {
        let keys: Vec<Vec<u8>> = keys.into_iter().map(bytes).collect();
        assert!(keys.windows(2).all(|w| w[0] < w[1]), "{keys:?}");
    }

    #[test]
    fn bytes_have_the_order_of_keys() {
        in_order([i64::MIN, -256, -1, 0, 1, 255, 256, i64::MAX]);
        in_order([0u32, 1, 255, 256, u32::MAX]);
        in_order([f64::NEG_INFINITY, -1.5, -1e-300, 0.0, 1e-300, 2.0, f64::INFINITY, f64::NAN]);
        in_order(["", "\0", "\0a", "a", "a\0", "ab", "b", "\u{FFFF}"]);
        in_order([None, Some(""), Some("a")]);
        in_order([("a", 2), ("a", 3), ("ab", 1), ("b", 0)]);
        in_order([Reverse("b"), Reverse("ab"), Reverse("a"), Reverse("")]);
        in_order([(Reverse(Some(1)), 'a'), (Reverse(Some(0)), 'a'), (Reverse(None), 'a'), (Reverse(None), 'b')]);
        assert_eq!((bytes(0.0), bytes(f64::NAN)), (bytes(-0.0), bytes(-f64::NAN)));
        assert_eq!(bytes(1.5f32), bytes(1.5f64));
    }
}
