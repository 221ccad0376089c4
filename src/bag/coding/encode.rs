//! Writes items. The format is drawn in the head of the folder.

use super::{BYTES, END, FALSE, FLOAT, Fault, INT, LIST, MAP, NEG, NIL, SOME, TEXT, TRUE};
use serde::ser::{self, Serialize};
use std::ops::Range;

pub(super) struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// Whether two equal items must have equal bytes.
    pub(super) canonical: bool,
    /// Takes what was written so far, where that is much; not of what is canonical.
    pub(super) drain: Option<&'a mut Drain<'a>>,
}

/// Takes what was written, and leaves nothing.
pub(super) type Drain<'a> = dyn FnMut(&mut Vec<u8>) -> Written + 'a;

/// Bytes of a piece, about.
const PIECE: usize = 256 << 10;

type Written = Result<(), Fault>;

impl<'a> Encoder<'a> {
    #[inline]
    fn varint(&mut self, n: u128) {
        match u8::try_from(n) {
            Ok(small @ 0..0x80) => self.out.push(small),
            _ => self.long_varint(n),
        }
    }

    fn long_varint(&mut self, mut n: u128) {
        while n >= 0x80 {
            self.out.push((n & 0x7F) as u8 | 0x80);
            n >>= 7;
        }
        self.out.push(n as u8);
    }

    #[inline]
    fn unsigned(&mut self, n: u128) -> Written {
        self.out.push(INT);
        self.varint(n);
        Ok(())
    }

    #[inline]
    fn signed(&mut self, n: i128) -> Written {
        if n >= 0 {
            return self.unsigned(n.unsigned_abs());
        }
        self.out.push(NEG);
        self.varint((-(n + 1)).unsigned_abs());
        Ok(())
    }

    fn float(&mut self, v: f64) -> Written {
        let v = match v {
            v if !self.canonical => v,
            v if v.is_nan() => f64::NAN,
            0.0 => 0.0,
            v => v,
        };
        self.out.push(FLOAT);
        self.out.extend_from_slice(&v.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn run(&mut self, tag: u8, bytes: &[u8]) -> Written {
        match u8::try_from(bytes.len()) {
            Ok(len @ 0..0x80) => {
                self.out.extend_from_slice(&[tag, len]);
                self.out.extend_from_slice(bytes);
                Ok(())
            }
            _ => self.long_run(tag, bytes),
        }
    }

    #[inline(never)]
    fn long_run(&mut self, tag: u8, bytes: &[u8]) -> Written {
        self.out.push(tag);
        self.varint(bytes.len() as u128);
        for piece in bytes.chunks(PIECE) {
            self.out.extend_from_slice(piece);
            self.drain()?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Written {
        match &mut self.drain {
            Some(drain) if self.out.len() >= PIECE => drain(self.out),
            _ => Ok(()),
        }
    }

    fn list<'b>(&'b mut self) -> List<'b, 'a> {
        self.out.push(LIST);
        List { to: self, ends: 1 }
    }

    fn map<'b>(&'b mut self) -> Map<'b, 'a> {
        self.out.push(MAP);
        Map { entries: Vec::new(), begin: self.out.len(), to: self, ends: 1 }
    }

    /// Opens the map of one entry that a variant with content is.
    fn variant(&mut self, name: &str) -> Written {
        self.out.push(MAP);
        self.run(TEXT, name.as_bytes())
    }
}

/// An open list, perhaps inside of a variant.
pub(super) struct List<'b, 'a> {
    to: &'b mut Encoder<'a>,
    ends: usize,
}

impl List<'_, '_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut *self.to)?;
        self.to.drain()
    }

    fn close(self) -> Written {
        self.to.out.extend(std::iter::repeat_n(END, self.ends));
        Ok(())
    }
}

/// An open map, perhaps inside of a variant.
pub(super) struct Map<'b, 'a> {
    to: &'b mut Encoder<'a>,
    /// Where entries begin, and where their keys end; kept only where entries must be sorted.
    entries: Vec<(usize, usize)>,
    begin: usize,
    ends: usize,
}

impl Map<'_, '_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        let begin = self.to.out.len();
        key.serialize(&mut *self.to)?;
        if self.to.canonical {
            self.entries.push((begin, self.to.out.len()));
        }
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut *self.to)?;
        self.to.drain()
    }

    fn close(mut self) -> Written {
        self.sort();
        self.to.out.extend(std::iter::repeat_n(END, self.ends));
        Ok(())
    }

    /// Brings the entries into the order of their keys' bytes.
    fn sort(&mut self) {
        let out = &mut *self.to.out;
        let end_of = |i: usize| self.entries.get(i + 1).map_or(out.len(), |next| next.0);
        let mut entries: Vec<(Range<usize>, Range<usize>)> =
            self.entries.iter().enumerate().map(|(i, (begin, key))| (*begin..*key, *begin..end_of(i))).collect();
        let bytes = |range: &Range<usize>| out.get(range.clone()).unwrap_or_default();
        if entries.is_sorted_by(|a, b| bytes(&a.0) <= bytes(&b.0)) {
            return;
        }
        entries.sort_by(|a, b| bytes(&a.0).cmp(bytes(&b.0)));
        let sorted: Vec<u8> = entries.iter().flat_map(|(_, whole)| bytes(whole)).copied().collect();
        out.truncate(self.begin);
        out.extend_from_slice(&sorted);
    }
}

impl<'b, 'a> ser::Serializer for &'b mut Encoder<'a> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = List<'b, 'a>;
    type SerializeTuple = List<'b, 'a>;
    type SerializeTupleStruct = List<'b, 'a>;
    type SerializeTupleVariant = List<'b, 'a>;
    type SerializeMap = Map<'b, 'a>;
    type SerializeStruct = Map<'b, 'a>;
    type SerializeStructVariant = Map<'b, 'a>;

    fn serialize_bool(self, v: bool) -> Written {
        self.out.push(if v { TRUE } else { FALSE });
        Ok(())
    }
    fn serialize_i8(self, v: i8) -> Written {
        self.signed(v.into())
    }
    fn serialize_i16(self, v: i16) -> Written {
        self.signed(v.into())
    }
    fn serialize_i32(self, v: i32) -> Written {
        self.signed(v.into())
    }
    #[inline]
    fn serialize_i64(self, v: i64) -> Written {
        self.signed(v.into())
    }
    fn serialize_i128(self, v: i128) -> Written {
        self.signed(v)
    }
    fn serialize_u8(self, v: u8) -> Written {
        self.unsigned(v.into())
    }
    fn serialize_u16(self, v: u16) -> Written {
        self.unsigned(v.into())
    }
    fn serialize_u32(self, v: u32) -> Written {
        self.unsigned(v.into())
    }
    #[inline]
    fn serialize_u64(self, v: u64) -> Written {
        self.unsigned(v.into())
    }
    fn serialize_u128(self, v: u128) -> Written {
        self.unsigned(v)
    }
    fn serialize_f32(self, v: f32) -> Written {
        self.float(v.into())
    }
    fn serialize_f64(self, v: f64) -> Written {
        self.float(v)
    }
    fn serialize_char(self, v: char) -> Written {
        self.run(TEXT, v.encode_utf8(&mut [0; 4]).as_bytes())
    }
    #[inline]
    fn serialize_str(self, v: &str) -> Written {
        self.run(TEXT, v.as_bytes())
    }
    fn serialize_bytes(self, v: &[u8]) -> Written {
        self.run(BYTES, v)
    }
    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.out.push(SOME);
        value.serialize(self)
    }
    fn serialize_unit(self) -> Written {
        self.out.push(NIL);
        Ok(())
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Written {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.out.push(END);
        Ok(())
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<List<'b, 'a>, Fault> {
        Ok(self.list())
    }
    fn serialize_tuple(self, _len: usize) -> Result<List<'b, 'a>, Fault> {
        Ok(self.list())
    }
    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<List<'b, 'a>, Fault> {
        Ok(self.list())
    }
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<List<'b, 'a>, Fault> {
        self.variant(variant)?;
        Ok(List { ends: 2, ..self.list() })
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Map<'b, 'a>, Fault> {
        Ok(self.map())
    }
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Map<'b, 'a>, Fault> {
        Ok(self.map())
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Map<'b, 'a>, Fault> {
        self.variant(variant)?;
        Ok(Map { ends: 2, ..self.map() })
    }
    /// As JSON's: addresses and times as people write them, since untagged and flattened types read them so.
    fn is_human_readable(&self) -> bool {
        true
    }
}

impl ser::SerializeSeq for List<'_, '_> {
    type Ok = ();
    type Error = Fault;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.add(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeTuple for List<'_, '_> {
    type Ok = ();
    type Error = Fault;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.add(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeTupleStruct for List<'_, '_> {
    type Ok = ();
    type Error = Fault;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.add(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeTupleVariant for List<'_, '_> {
    type Ok = ();
    type Error = Fault;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.add(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeMap for Map<'_, '_> {
    type Ok = ();
    type Error = Fault;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeStruct for Map<'_, '_> {
    type Ok = ();
    type Error = Fault;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.key(key)?;
        self.value(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeStructVariant for Map<'_, '_> {
    type Ok = ();
    type Error = Fault;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Written {
        self.key(key)?;
        self.value(value)
    }
    fn end(self) -> Written {
        self.close()
    }
}
