//! What serde says of a value, kept until the type of its column is known.

use serde::ser::{self, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A name of a field: most are written in the program.
pub(super) type Name = Cow<'static, str>;

/// A value of any type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Struct(Vec<(Name, Value)>),
    Map(Vec<(Value, Value)>),
}

/// Why a value is none of these.
#[derive(Debug)]
pub(super) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Refused(message.to_string())
    }
}

type Answer<T> = Result<T, Refused>;

/// A row as a struct of its columns.
pub(super) fn row<T: Serialize>(row: &T) -> Answer<Value> {
    let column = |(i, value): (usize, Value)| (Name::from(format!("col{i}")), value);
    Ok(Value::Struct(match row.serialize(ToValue)? {
        Value::Struct(fields) => fields,
        Value::List(values) => values.into_iter().enumerate().map(column).collect(),
        Value::Map(entries) => {
            entries.into_iter().map(|(key, value)| Ok((key_name(key)?, value))).collect::<Answer<_>>()?
        }
        one => vec![column((0, one))],
    }))
}

fn key_name(key: Value) -> Answer<Name> {
    match key {
        Value::Text(name) => Ok(name.into()),
        Value::Int(n) => Ok(n.to_string().into()),
        _ => Err(Refused("a map is a row if its keys are texts, the names of columns".into())),
    }
}

/// Makes a [`Value`].
struct ToValue;

/// Parts of a value that is being made.
#[derive(Default)]
struct Parts {
    /// The variant of an enum around it.
    variant: Option<&'static str>,
    list: Vec<Value>,
    fields: Vec<(Name, Value)>,
    entries: Vec<(Value, Value)>,
    key: Option<Value>,
}

impl Parts {
    fn of(variant: Option<&'static str>) -> Parts {
        Parts { variant, ..Parts::default() }
    }

    fn wrapped(variant: Option<&'static str>, value: Value) -> Value {
        match variant {
            Some(variant) => Value::Struct(vec![(variant.into(), value)]),
            None => value,
        }
    }
}

macro_rules! integers {
    ($($method:ident $kind:ty),*) => {$(
        fn $method(self, value: $kind) -> Answer<Value> {
            Ok(Value::Int(value.into()))
        }
    )*};
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = Refused;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    integers!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64
    );

    fn serialize_u128(self, value: u128) -> Answer<Value> {
        i128::try_from(value).map(Value::Int).map_err(|_| Refused(format!("the number {value} has too many digits")))
    }

    fn serialize_bool(self, value: bool) -> Answer<Value> {
        Ok(Value::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Answer<Value> {
        Ok(Value::Float(value.into()))
    }

    fn serialize_f64(self, value: f64) -> Answer<Value> {
        Ok(Value::Float(value))
    }

    fn serialize_char(self, value: char) -> Answer<Value> {
        Ok(Value::Text(value.into()))
    }

    fn serialize_str(self, value: &str) -> Answer<Value> {
        Ok(Value::Text(value.into()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Answer<Value> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn serialize_none(self) -> Answer<Value> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Answer<Value> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Answer<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Answer<Value> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Answer<Value> {
        Ok(Value::Text(variant.into()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Answer<Value> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Answer<Value> {
        Ok(Parts::wrapped(Some(variant), value.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Answer<Parts> {
        Ok(Parts::default())
    }

    fn serialize_tuple(self, _: usize) -> Answer<Parts> {
        Ok(Parts::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Answer<Parts> {
        Ok(Parts::default())
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Answer<Parts> {
        Ok(Parts::of(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Answer<Parts> {
        Ok(Parts::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Answer<Parts> {
        Ok(Parts::default())
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Answer<Parts> {
        Ok(Parts::of(Some(variant)))
    }
}

macro_rules! lists {
    ($($of:ident $method:ident),*) => {$(
        impl ser::$of for Parts {
            type Ok = Value;
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Answer<()> {
                self.list.push(value.serialize(ToValue)?);
                Ok(())
            }

            fn end(self) -> Answer<Value> {
                Ok(Parts::wrapped(self.variant, Value::List(self.list)))
            }
        }
    )*};
}

lists!(
    SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! structs {
    ($($of:ident),*) => {$(
        impl ser::$of for Parts {
            type Ok = Value;
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Answer<()> {
                self.fields.push((name.into(), value.serialize(ToValue)?));
                Ok(())
            }

            fn end(self) -> Answer<Value> {
                Ok(Parts::wrapped(self.variant, Value::Struct(self.fields)))
            }
        }
    )*};
}

structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts {
    type Ok = Value;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Answer<()> {
        self.key = Some(key.serialize(ToValue)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Answer<()> {
        let key = self.key.take().ok_or_else(|| Refused("a map has a value without a key".into()))?;
        if key == Value::Null {
            return Err(Refused("a key of a map is null".into()));
        }
        self.entries.push((key, value.serialize(ToValue)?));
        Ok(())
    }

    fn end(self) -> Answer<Value> {
        Ok(Value::Map(self.entries))
    }
}
