//! A row as serde sees it: a map from names to cells, a sequence of cells, or the only cell.

use super::Columns;
use super::cells::{Cell, Name};
use super::trouble::Trouble;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// A row of a batch.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) columns: &'a Columns,
    pub(super) row: usize,
}

impl<'a> Row<'a> {
    fn cells(self) -> Fields<'a, impl Iterator<Item = (&'a str, Cell<'a>)>> {
        let names = self.columns.names.iter().map(String::as_str);
        let cells = self.columns.cells.iter().map(move |cells| Cell { cells, row: self.row });
        Fields { rest: names.zip(cells), value: None }
    }

    /// The only cell, for a type that is no row.
    fn only(self) -> Result<(&'a str, Cell<'a>), Trouble> {
        match (self.columns.cells.as_slice(), self.columns.names.as_slice()) {
            ([cells], [name]) => Ok((name, Cell { cells, row: self.row })),
            (cells, _) => Err(Trouble::new(format!("a row of {} columns for a single value", cells.len()))),
        }
    }
}

macro_rules! of_the_only_cell {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
            let (name, cell) = self.only()?;
            cell.$method(visitor).map_err(|e| e.in_field(name))
        }
    )*};
}

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = Trouble;

    of_the_only_cell!(
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
    );

    forward_to_deserialize_any!(map identifier);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        visitor.visit_map(self.cells())
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Trouble> {
        visitor.visit_map(self.cells())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        visitor.visit_seq(self.cells())
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Trouble> {
        match self.columns.cells.len() {
            columns if columns != len => {
                Err(Trouble::new(format!("a row of {columns} columns for a tuple of {len} values")))
            }
            _ => visitor.visit_seq(self.cells()),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Trouble> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        match self.only() {
            Ok((name, cell)) => cell.deserialize_option(visitor).map_err(|e| e.in_field(name)),
            Err(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Trouble> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        enum_name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Trouble> {
        let (name, cell) = self.only()?;
        cell.deserialize_enum(enum_name, variants, visitor).map_err(|e| e.in_field(name))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Trouble> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        visitor.visit_unit()
    }
}

/// Named cells, as a map or as a sequence.
pub(super) struct Fields<'a, I> {
    pub(super) rest: I,
    /// The cell whose name was given out.
    pub(super) value: Option<(&'a str, Cell<'a>)>,
}

impl<'de, 'a, I: Iterator<Item = (&'a str, Cell<'a>)>> MapAccess<'de> for Fields<'a, I> {
    type Error = Trouble;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Trouble> {
        self.value = self.rest.next();
        self.value.map(|(name, _)| seed.deserialize(Name(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Trouble> {
        let (name, cell) = self.value.take().ok_or_else(|| Trouble::new("a value is asked for before its name"))?;
        seed.deserialize(cell).map_err(|e| e.in_field(name))
    }
}

impl<'de, 'a, I: Iterator<Item = (&'a str, Cell<'a>)>> SeqAccess<'de> for Fields<'a, I> {
    type Error = Trouble;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Trouble> {
        let Some((name, cell)) = self.rest.next() else { return Ok(None) };
        seed.deserialize(cell).map(Some).map_err(|e| e.in_field(name))
    }
}
