//! The cells of a column, as serde sees them.

use super::row::Fields;
use super::trouble::Trouble;
use crate::cells::Column;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Fields as Names, Float64Type, Int64Type, UInt64Type};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::ops::Range;

type Answer<T> = std::result::Result<T, Trouble>;

/// A column, looked at once.
pub(super) struct Cells {
    nulls: Option<NullBuffer>,
    values: Values,
}

/// Its values, by how they are handed over.
enum Values {
    Null,
    Bool(BooleanArray),
    Int(arrow::array::Int64Array),
    Unsigned(arrow::array::UInt64Array),
    Float(arrow::array::Float64Array),
    Decimal(arrow::array::Decimal128Array, i8),
    Text(StringViewArray),
    Bytes(BinaryViewArray),
    /// As integers, and as what is shown; whether it has a zone, and is shown in UTC.
    Time(arrow::array::Int64Array, ArrayRef, bool),
    /// Only as text.
    Shown(ArrayRef),
    List(Vec<usize>, Box<Cells>),
    Struct(Names, Vec<Cells>),
    Map(Vec<usize>, Box<Cells>, Box<Cells>),
}

impl Cells {
    /// Looks at a column.
    ///
    /// # Errors
    /// `Internal`, for an array that is not of its type.
    pub(super) fn new(array: &ArrayRef) -> Result<Cells> {
        Ok(Cells { nulls: array.logical_nulls(), values: values(array)? })
    }

    fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }
}

fn values(array: &ArrayRef) -> Result<Values> {
    use DataType as T;
    let as_type = |data_type: &DataType| cast(array, data_type).map_err(Error::from);
    Ok(match array.data_type() {
        T::Null => Values::Null,
        T::Boolean => Values::Bool(array.as_boolean().clone()),
        t if t.is_signed_integer() => Values::Int(as_type(&T::Int64)?.as_primitive::<Int64Type>().clone()),
        t if t.is_unsigned_integer() => Values::Unsigned(as_type(&T::UInt64)?.as_primitive::<UInt64Type>().clone()),
        t if t.is_floating() => Values::Float(as_type(&T::Float64)?.as_primitive::<Float64Type>().clone()),
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) => {
            let wide = as_type(&T::Decimal128(*p, *s))?;
            Values::Decimal(wide.as_primitive::<Decimal128Type>().clone(), *s)
        }
        T::Utf8 | T::LargeUtf8 | T::Utf8View => Values::Text(as_type(&T::Utf8View)?.as_string_view().clone()),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => {
            Values::Bytes(as_type(&T::BinaryView)?.as_binary_view().clone())
        }
        T::Date32 | T::Time32(_) => {
            let days = cast(&as_type(&T::Int32)?, &T::Int64)?;
            Values::Time(days.as_primitive::<Int64Type>().clone(), array.clone(), false)
        }
        T::Timestamp(unit, Some(_)) => {
            let parts = as_type(&T::Int64)?;
            let utc = cast(&parts, &T::Timestamp(*unit, None))?;
            Values::Time(parts.as_primitive::<Int64Type>().clone(), utc, true)
        }
        T::Date64 | T::Time64(_) | T::Timestamp(_, None) | T::Duration(_) => {
            Values::Time(as_type(&T::Int64)?.as_primitive::<Int64Type>().clone(), array.clone(), false)
        }
        T::List(_) => {
            let list = array.as_list::<i32>();
            let ends = list.value_offsets().iter().map(|o| usize::try_from(*o).unwrap_or(0)).collect();
            Values::List(ends, Box::new(Cells::new(list.values())?))
        }
        T::LargeList(_) => {
            let list = array.as_list::<i64>();
            let ends = list.value_offsets().iter().map(|o| usize::try_from(*o).unwrap_or(0)).collect();
            Values::List(ends, Box::new(Cells::new(list.values())?))
        }
        T::FixedSizeList(item, _) => values(&as_type(&T::List(item.clone()))?)?,
        T::Struct(names) => {
            let columns = array.as_struct().columns().iter().map(Cells::new).collect::<Result<_>>()?;
            Values::Struct(names.clone(), columns)
        }
        T::Map(..) => {
            let map = array.as_map();
            let ends = map.value_offsets().iter().map(|o| usize::try_from(*o).unwrap_or(0)).collect();
            Values::Map(ends, Box::new(Cells::new(map.keys())?), Box::new(Cells::new(map.values())?))
        }
        T::Dictionary(_, value) => values(&as_type(value)?)?,
        _ => Values::Shown(array.clone()),
    })
}

/// A value of a column.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    pub(super) cells: &'a Cells,
    pub(super) row: usize,
}

/// The name of a column or a field.
pub(super) struct Name<'a>(pub(super) &'a str);

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = Trouble;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        visitor.visit_str(self.0)
    }

    forward_to_deserialize_any!(
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    );
}

/// Whole decimals as integers.
fn whole(unscaled: i128, scale: i8) -> Option<i128> {
    let power = 10i128.checked_pow(u32::from(scale.unsigned_abs()))?;
    match scale {
        ..=0 => unscaled.checked_mul(power),
        _ => (unscaled % power == 0).then_some(unscaled / power),
    }
}

impl<'a> Cell<'a> {
    fn span(self, ends: &[usize]) -> Range<usize> {
        let at = |i: usize| ends.get(i).copied().unwrap_or(0);
        at(self.row)..at(self.row + 1)
    }

    /// The value as people read it.
    fn shown(self, array: &ArrayRef, utc: bool) -> Answer<String> {
        let column = Column::new(array).map_err(|e| Trouble::new(e.to_string()))?;
        let mut text = Vec::with_capacity(32);
        column.text(self.row, &mut text);
        let mut text = String::from_utf8_lossy(&text).into_owned();
        if matches!(array.data_type(), DataType::Timestamp(..)) {
            if let Some(at) = text.find(' ') {
                text.replace_range(at..=at, "T");
            }
            if utc {
                text.push('Z');
            }
        }
        Ok(text)
    }

    fn not_null(self) -> Answer<()> {
        match self.cells.is_null(self.row) {
            true => Err(Trouble::new("a null, where the type is no Option")),
            false => Ok(()),
        }
    }

    /// Hands over a value that is not null as what it is.
    fn natural<'de, V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        let row = self.row;
        match &self.cells.values {
            Values::Null => visitor.visit_unit(),
            Values::Bool(array) => visitor.visit_bool(array.value(row)),
            Values::Int(array) => visitor.visit_i64(array.value(row)),
            Values::Unsigned(array) => visitor.visit_u64(array.value(row)),
            Values::Float(array) => visitor.visit_f64(array.value(row)),
            Values::Decimal(array, scale) => match (*scale <= 0).then(|| whole(array.value(row), *scale)).flatten() {
                Some(value) => integer(value, visitor),
                None => visitor.visit_f64(self.decimal(array.value(row), *scale)),
            },
            Values::Text(array) => visitor.visit_str(array.value(row)),
            Values::Bytes(array) => visitor.visit_bytes(array.value(row)),
            Values::Time(_, array, utc) => visitor.visit_string(self.shown(array, *utc)?),
            Values::Shown(array) => visitor.visit_string(self.shown(array, false)?),
            Values::List(ends, items) => {
                let range = self.span(ends);
                visitor.visit_seq(Items { items, begin: range.start, range })
            }
            Values::Struct(names, columns) => visitor.visit_map(self.fields(names, columns)),
            Values::Map(ends, keys, values) => visitor.visit_map(Entries { keys, values, range: self.span(ends) }),
        }
    }

    fn fields(self, names: &'a Names, columns: &'a [Cells]) -> Fields<'a, impl Iterator<Item = (&'a str, Cell<'a>)>> {
        let cells = columns.iter().map(move |cells| Cell { cells, row: self.row });
        Fields { rest: names.iter().map(|f| f.name().as_str()).zip(cells), value: None }
    }

    /// The nearest float: by way of its digits, since a division could round twice.
    fn decimal(self, unscaled: i128, scale: i8) -> f64 {
        let digits = format!("{unscaled}e{}", -i32::from(scale));
        digits.parse().unwrap_or(f64::NAN)
    }

    /// Hands over a whole number, where the value has one.
    fn counted<'de, V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.not_null()?;
        match &self.cells.values {
            Values::Time(array, ..) => visitor.visit_i64(array.value(self.row)),
            Values::Decimal(array, scale) => match whole(array.value(self.row), *scale) {
                Some(value) => integer(value, visitor),
                None => self.natural(visitor),
            },
            _ => self.natural(visitor),
        }
    }

    /// Hands over a text, where the value is shown as one.
    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.not_null()?;
        match &self.cells.values {
            Values::Decimal(array, _) => {
                let array: ArrayRef = std::sync::Arc::new(array.clone());
                visitor.visit_string(self.shown(&array, false)?)
            }
            _ => self.natural(visitor),
        }
    }
}

fn integer<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Answer<V::Value> {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => visitor.visit_i64(value),
        (_, Ok(value)) => visitor.visit_u64(value),
        _ => visitor.visit_i128(value),
    }
}

macro_rules! by {
    ($how:ident: $($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
            self.$how(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Cell<'_> {
    type Error = Trouble;

    by!(counted:
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    );
    by!(text: deserialize_char deserialize_str deserialize_string deserialize_identifier);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        if self.cells.is_null(self.row) { visitor.visit_unit() } else { self.natural(visitor) }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        if self.cells.is_null(self.row) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Answer<V::Value> {
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Answer<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.not_null()?;
        self.natural(visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.not_null()?;
        match &self.cells.values {
            Values::Decimal(array, scale) => visitor.visit_f64(self.decimal(array.value(self.row), *scale)),
            _ => self.natural(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.not_null()?;
        self.natural(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.not_null()?;
        match &self.cells.values {
            Values::Bytes(array) => {
                let bytes = array.value(self.row).iter().copied();
                visitor.visit_seq(serde::de::value::SeqDeserializer::<_, Trouble>::new(bytes))
            }
            Values::Struct(names, columns) => visitor.visit_seq(self.fields(names, columns)),
            _ => self.natural(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Answer<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Answer<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        self.not_null()?;
        self.natural(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Answer<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Answer<V::Value> {
        self.not_null()?;
        match &self.cells.values {
            Values::Text(array) => {
                let variant: StrDeserializer<'_, Trouble> = array.value(self.row).into_deserializer();
                visitor.visit_enum(variant)
            }
            _ => Err(Trouble::new("a variant of an enum is a text")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Answer<V::Value> {
        visitor.visit_unit()
    }
}

/// The items of a list.
struct Items<'a> {
    items: &'a Cells,
    begin: usize,
    range: Range<usize>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Trouble;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Answer<Option<T::Value>> {
        let Some(row) = self.range.next() else { return Ok(None) };
        let item = seed.deserialize(Cell { cells: self.items, row });
        item.map(Some).map_err(|e| e.in_item(row - self.begin))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.range.len())
    }
}

/// The entries of a map.
struct Entries<'a> {
    keys: &'a Cells,
    values: &'a Cells,
    /// The entry whose key was given out last is the one before these.
    range: Range<usize>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Trouble;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Answer<Option<K::Value>> {
        let Some(row) = self.range.next() else { return Ok(None) };
        seed.deserialize(Cell { cells: self.keys, row }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Answer<V::Value> {
        let row = self.range.start.checked_sub(1).ok_or_else(|| Trouble::new("a value is asked for before its key"))?;
        seed.deserialize(Cell { cells: self.values, row })
    }
}
