//! Reads items. The format is drawn in the head of the folder.

use super::{BYTES, END, FALSE, FLOAT, Fault, INT, LIST, MAP, NEG, NIL, RAW, SOME, TEXT, TRUE};
use serde::de::{self, DeserializeSeed, Visitor};

pub(super) struct Decoder<'de> {
    pub(super) rest: &'de [u8],
}

fn torn() -> Fault {
    Fault("the bytes end too early".into())
}

fn strange(tag: u8) -> Fault {
    Fault(format!("{tag} is no tag that can stand here"))
}

impl<'de> Decoder<'de> {
    fn peek(&self) -> Result<u8, Fault> {
        self.rest.first().copied().ok_or_else(torn)
    }

    fn tag(&mut self) -> Result<u8, Fault> {
        let (tag, rest) = self.rest.split_first().ok_or_else(torn)?;
        self.rest = rest;
        Ok(*tag)
    }

    /// Takes the tag that is expected next.
    fn expect(&mut self, wanted: u8) -> Result<(), Fault> {
        match self.tag()? {
            tag if tag == wanted => Ok(()),
            tag => Err(strange(tag)),
        }
    }

    fn varint(&mut self) -> Result<u128, Fault> {
        let (mut n, mut shift) = (0u128, 0u32);
        loop {
            let byte = self.tag()?;
            n |= u128::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(n);
            }
            shift += 7;
        }
    }

    fn run(&mut self) -> Result<&'de [u8], Fault> {
        let len = usize::try_from(self.varint()?).map_err(|_| torn())?;
        let (run, rest) = self.rest.split_at_checked(len).ok_or_else(torn)?;
        self.rest = rest;
        Ok(run)
    }

    fn text(&mut self) -> Result<&'de str, Fault> {
        std::str::from_utf8(self.run()?).map_err(|e| Fault(e.to_string()))
    }

    fn float(&mut self) -> Result<f64, Fault> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>().ok_or_else(torn)?;
        self.rest = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    fn value<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fault> {
        match self.tag()? {
            NIL => visitor.visit_unit(),
            FALSE => visitor.visit_bool(false),
            TRUE => visitor.visit_bool(true),
            INT => {
                let n = self.varint()?;
                match u64::try_from(n) {
                    Ok(n) => visitor.visit_u64(n),
                    Err(_) => visitor.visit_u128(n),
                }
            }
            NEG => {
                let n = -1 - i128::try_from(self.varint()?).map_err(|_| torn())?;
                match i64::try_from(n) {
                    Ok(n) => visitor.visit_i64(n),
                    Err(_) => visitor.visit_i128(n),
                }
            }
            FLOAT => visitor.visit_f64(self.float()?),
            TEXT => visitor.visit_borrowed_str(self.text()?),
            BYTES => visitor.visit_borrowed_bytes(self.run()?),
            SOME => visitor.visit_some(self),
            LIST => self.list(visitor),
            MAP => self.map(visitor),
            tag => Err(strange(tag)),
        }
    }

    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fault> {
        let value = visitor.visit_seq(Entries(self))?;
        self.expect(END)?;
        Ok(value)
    }

    fn map<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Fault> {
        let value = visitor.visit_map(Entries(self))?;
        self.expect(END)?;
        Ok(value)
    }

    /// Who asks for something else than an option does not mind that it is one.
    fn plain(&mut self) -> Result<&mut Self, Fault> {
        while self.peek()? == SOME {
            self.tag()?;
        }
        Ok(self)
    }
}

macro_rules! plainly {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.plain()?.value(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.value(visitor)
    }

    plainly! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.peek()? {
            NIL => {
                self.tag()?;
                visitor.visit_none()
            }
            SOME => {
                self.tag()?;
                visitor.visit_some(self)
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.plain()?.value(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        // JSON that is kept as text was written as a struct, and is asked for under a name of serde_json's.
        if name == RAW {
            return self.value(visitor);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.plain()?.value(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.plain()?.value(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.plain()?.value(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let from = self.plain()?;
        if from.peek()? != MAP {
            return visitor.visit_enum(Variant { from, has_content: false });
        }
        from.tag()?;
        let value = visitor.visit_enum(Variant { from: &mut *from, has_content: true })?;
        from.expect(END)?;
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.value(visitor)
    }

    fn is_human_readable(&self) -> bool {
        true
    }
}

/// What is left of a list or a map.
struct Entries<'b, 'de>(&'b mut Decoder<'de>);

impl<'de> de::SeqAccess<'de> for Entries<'_, 'de> {
    type Error = Fault;
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        match self.0.peek()? {
            END => Ok(None),
            _ => seed.deserialize(&mut *self.0).map(Some),
        }
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_, 'de> {
    type Error = Fault;
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        match self.0.peek()? {
            END => Ok(None),
            _ => seed.deserialize(&mut *self.0).map(Some),
        }
    }
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(&mut *self.0)
    }
}

/// A variant of an enum: its name alone, or the only key of a map whose value is its content.
struct Variant<'b, 'de> {
    from: &'b mut Decoder<'de>,
    has_content: bool,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Fault;
    type Variant = Self;
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let name = seed.deserialize(&mut *self.from)?;
        Ok((name, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.has_content {
            true => de::Deserialize::deserialize(self.from),
            false => Ok(()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        match self.has_content {
            true => seed.deserialize(self.from),
            false => Err(Fault("a variant lacks its content".into())),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_tuple(self.from, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_map(self.from, visitor)
    }
}
