//! Results as bytes in scratch, by the encoding of bags, and what they take in memory.

use crate::bag::Item;
use crate::bag::coding::{decode, encode_pieces};
use crate::error::{Error, Result};
use crate::store::{Coding, Payload, Pieces};
use serde::ser::{self, Serialize};
use std::fmt;
use std::sync::Arc;

/// How values of a type are written and read.
pub(super) fn coding_of<T: Item + Sync>() -> Coding {
    Coding { encode: encode::<T>, decode: |bytes| Ok(Arc::new(decode::<T>(bytes)?)) }
}

fn encode<T: Item + Sync>(value: &Payload, out: &mut Pieces<'_>) -> Result<()> {
    let value = value.downcast_ref::<T>().ok_or_else(|| Error::internal("a result of another type"))?;
    encode_pieces(value, out)
}

/// Bytes that a value takes in memory, about: itself, and what serde sees behind its pointers.
pub(super) fn measure<T: Serialize>(value: &T) -> usize {
    // What owns nothing is as large as it is.
    if !std::mem::needs_drop::<T>() {
        return size_of::<T>();
    }
    let mut bytes = Bytes(0);
    // A value that cannot be written fails when it must be; until then its own size is what is known.
    let _ = value.serialize(&mut bytes);
    bytes.0.max(size_of::<T>())
}

/// Counts: scalars by their width, texts, lists and maps with their heads.
struct Bytes(usize);

/// The pointer, length and capacity of what lies elsewhere.
const HEAD: usize = 24;
/// What a map takes for an entry beside its key and value.
const ENTRY: usize = 16;

#[derive(Debug)]
struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value cannot be written")
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Never
    }
}

type Counted = Result<(), Never>;

impl Bytes {
    fn add(&mut self, bytes: usize) -> Counted {
        self.0 += bytes;
        Ok(())
    }

    fn head(&mut self) -> Result<&mut Self, Never> {
        self.0 += HEAD;
        Ok(self)
    }
}

macro_rules! scalars {
    ($($method:ident $type:ty),*) => {
        $(fn $method(self, _: $type) -> Counted {
            self.add(size_of::<$type>())
        })*
    };
}

impl ser::Serializer for &mut Bytes {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    scalars! {
        serialize_bool bool, serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_u128 u128, serialize_f32 f32,
        serialize_f64 f64, serialize_char char
    }

    fn serialize_str(self, v: &str) -> Counted {
        self.add(HEAD + v.len())
    }
    fn serialize_bytes(self, v: &[u8]) -> Counted {
        self.add(HEAD + v.len())
    }
    fn serialize_none(self) -> Counted {
        self.add(1)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Counted {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Counted {
        Ok(())
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Counted {
        Ok(())
    }
    fn serialize_unit_variant(self, _name: &'static str, _index: u32, _variant: &'static str) -> Counted {
        self.add(1)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Counted {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Counted {
        self.add(8)?;
        value.serialize(self)
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<Self, Never> {
        self.head()
    }
    fn serialize_tuple(self, _len: usize) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Self, Never> {
        self.head()
    }
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self, Never> {
        Ok(self)
    }
}

macro_rules! members {
    ($($part:ident $method:ident),*) => {
        $(impl ser::$part for &mut Bytes {
            type Ok = ();
            type Error = Never;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Counted {
                value.serialize(&mut **self)
            }
            fn end(self) -> Counted {
                Ok(())
            }
        })*
    };
}

members! {
    SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
}

impl ser::SerializeMap for &mut Bytes {
    type Ok = ();
    type Error = Never;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Counted {
        self.add(ENTRY)?;
        key.serialize(&mut **self)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Counted {
        value.serialize(&mut **self)
    }
    fn end(self) -> Counted {
        Ok(())
    }
}

macro_rules! structs {
    ($($part:ident)*) => {
        $(impl ser::$part for &mut Bytes {
            type Ok = ();
            type Error = Never;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _name: &'static str, value: &T) -> Counted {
                value.serialize(&mut **self)
            }
            fn end(self) -> Counted {
                Ok(())
            }
        })*
    };
}

structs! { SerializeStruct SerializeStructVariant }

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn values_are_measured_with_what_they_point_to() {
        assert_eq!((measure(&7i64), measure(&(1u8, 2u32))), (8, 8));
        assert_eq!(measure(&vec![1.5f64; 1000]), 24 + 8000);
        assert_eq!(measure(&"x".repeat(100)), 124);
        assert_eq!(measure(&vec!["ab".to_string(); 10]), 24 + 10 * 26);
        let map: BTreeMap<String, i64> = (0..10).map(|n| (n.to_string(), n)).collect();
        assert_eq!(measure(&map), 24 + 10 * (16 + 25 + 8));
        assert!(measure(&serde_json::json!({"a": [1, 2, 3]})) > 32);
    }

    #[test]
    fn values_go_in_pieces_and_come_back() {
        let value: Vec<Option<String>> = (0..50_000).map(|n| (n % 3 > 0).then(|| format!("item {n}"))).collect();
        let payload: Payload = Arc::new(value.clone());
        let coding = coding_of::<Vec<Option<String>>>();
        let (mut bytes, mut pieces) = (Vec::new(), 0);
        (coding.encode)(&payload, &mut |piece| {
            pieces += 1;
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        assert!(pieces > 1);
        let back = (coding.decode)(&bytes).unwrap();
        assert!(back.downcast_ref::<Vec<Option<String>>>() == Some(&value));
    }
}
