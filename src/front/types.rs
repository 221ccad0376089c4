//! Types in short words that users of SQL know: `bigint`, `varchar`, `decimal(15,2)`, `struct(a bigint, b varchar[])`;
//! and what DuckDB's words for types mean here ([`Types`]).

use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, TimeUnit};
use datafusion_common::{Result, plan_err};
use datafusion_expr::planner::TypePlanner;
use datafusion_sql::sqlparser::ast::{self, ExactNumberInfo, TimezoneInfo};
use datafusion_sql::sqlparser::parser::Parser;
use std::sync::Arc;

/// Reads the types of casts and of columns. Times count microseconds unless they say otherwise.
#[derive(Debug)]
pub(super) struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, written: &ast::DataType) -> Result<Option<FieldRef>> {
        Ok(planned(written)?.map(|t| Arc::new(Field::new("", t, true))))
    }
}

fn stamp(unit: TimeUnit, zone: &TimezoneInfo) -> DataType {
    let zoned = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
    DataType::Timestamp(unit, zoned.then(|| "UTC".into()))
}

fn planned(written: &ast::DataType) -> Result<Option<DataType>> {
    use ast::DataType as D;
    Ok(Some(match written {
        D::Varchar(_) | D::Char(_) | D::Character(_) | D::CharacterVarying(_) | D::CharVarying(_) | D::Nvarchar(_) => {
            DataType::Utf8View
        }
        D::Text | D::String(_) | D::Clob(_) | D::Uuid | D::JSON | D::JSONB => DataType::Utf8View,
        D::Bytea | D::Blob(_) | D::Binary(_) | D::Varbinary(_) => DataType::Binary,
        D::UTinyInt | D::UInt8 => DataType::UInt8,
        D::USmallInt | D::UInt16 => DataType::UInt16,
        D::UInt32 => DataType::UInt32,
        D::UBigInt | D::UInt64 => DataType::UInt64,
        D::HugeInt | D::UHugeInt | D::Int128 | D::UInt128 => DataType::Decimal128(38, 0),
        D::Int16 => DataType::Int16,
        D::Int32 => DataType::Int32,
        D::Int64 => DataType::Int64,
        D::Float32 => DataType::Float32,
        D::Float64 => DataType::Float64,
        D::Timestamp(None | Some(6), zone) => stamp(TimeUnit::Microsecond, zone),
        D::Timestamp(Some(0), zone) => stamp(TimeUnit::Second, zone),
        D::Timestamp(Some(1..=3), zone) => stamp(TimeUnit::Millisecond, zone),
        D::Timestamp(Some(4..=5), zone) => stamp(TimeUnit::Microsecond, zone),
        D::Timestamp(Some(_), zone) => stamp(TimeUnit::Nanosecond, zone),
        D::TimestampNtz(_) | D::Datetime(_) => stamp(TimeUnit::Microsecond, &TimezoneInfo::None),
        D::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => DataType::Time64(TimeUnit::Microsecond),
        D::Numeric(info) | D::Decimal(info) | D::Dec(info) => decimal(info)?,
        D::Map(key, value) => match (planned_or_simple(key)?, planned_or_simple(value)?) {
            (Some(key), Some(value)) => map(key, value),
            _ => return Ok(None),
        },
        D::Custom(name, args) if args.is_empty() => return Ok(custom(&name.to_string())),
        D::Custom(name, args) if name.to_string().eq_ignore_ascii_case("map") => {
            let [key, value] = args.as_slice() else { return Ok(None) };
            match (read(key)?, read(value)?) {
                (Some(key), Some(value)) => map(key, value),
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    }))
}

/// As `planned`, with the types that the binder knows by itself.
fn planned_or_simple(written: &ast::DataType) -> Result<Option<DataType>> {
    use ast::DataType as D;
    Ok(Some(match written {
        D::Boolean | D::Bool => DataType::Boolean,
        D::TinyInt(_) => DataType::Int8,
        D::SmallInt(_) | D::Int2(_) => DataType::Int16,
        D::Int(_) | D::Integer(_) | D::Int4(_) => DataType::Int32,
        D::BigInt(_) | D::Int8(_) => DataType::Int64,
        D::Float(_) | D::Real | D::Float4 => DataType::Float32,
        D::Double(_) | D::DoublePrecision | D::Float8 => DataType::Float64,
        D::Date => DataType::Date32,
        D::Interval { .. } => DataType::Interval(IntervalUnit::MonthDayNano),
        D::Array(ast::ArrayElemTypeDef::SquareBracket(inner, None) | ast::ArrayElemTypeDef::AngleBracket(inner)) => {
            return Ok(planned_or_simple(inner)?.map(|t| DataType::new_list(t, true)));
        }
        D::Struct(fields, _) => {
            let mut made = Vec::new();
            for (i, field) in fields.iter().enumerate() {
                let Some(t) = planned_or_simple(&field.field_type)? else { return Ok(None) };
                let name = field.field_name.as_ref().map_or_else(|| format!("c{i}"), super::names::normal);
                made.push(Field::new(name, t, true));
            }
            DataType::Struct(made.into())
        }
        other => return planned(other),
    }))
}

/// A type by its text.
fn read(text: &str) -> Result<Option<DataType>> {
    let dialect = super::dialect::PartitaDialect;
    match Parser::new(&dialect).try_with_sql(text).and_then(|mut p| p.parse_data_type()) {
        Ok(written) => planned_or_simple(&written),
        Err(_) => plan_err!("no type {text:?}"),
    }
}

/// A map from `key` to `value`.
fn map(key: DataType, value: DataType) -> DataType {
    let fields = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false)
}

fn decimal(info: &ExactNumberInfo) -> Result<DataType> {
    let (precision, scale) = match *info {
        ExactNumberInfo::None => (18, 3),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p @ 1..=38), Ok(s)) if s >= 0 && i64::from(s) <= i64::from(p) => Ok(DataType::Decimal128(p, s)),
        _ => plan_err!("decimal({precision},{scale}): the precision is 1 to 38, the scale 0 to the precision"),
    }
}

/// DuckDB's words that the parser does not know.
fn custom(name: &str) -> Option<DataType> {
    Some(match name.to_ascii_lowercase().as_str() {
        "int1" => DataType::Int8,
        "short" | "int16" => DataType::Int16,
        "signed" | "int32" => DataType::Int32,
        "long" | "oid" | "int64" => DataType::Int64,
        "uint8" | "utinyint" => DataType::UInt8,
        "uint16" | "usmallint" => DataType::UInt16,
        "uint32" | "uinteger" => DataType::UInt32,
        "uint64" | "ubigint" => DataType::UInt64,
        "hugeint" | "uhugeint" | "int128" | "uint128" => DataType::Decimal128(38, 0),
        "logical" => DataType::Boolean,
        "bpchar" | "string" => DataType::Utf8View,
        "timestamp_s" => DataType::Timestamp(TimeUnit::Second, None),
        "timestamp_ms" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "timestamp_us" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamp_ns" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        _ => return None,
    })
}

/// The word for a type as `typeof` says it: `BIGINT`, `STRUCT(a BIGINT)`, `TIMESTAMP WITH TIME ZONE`.
pub(super) fn long_name(data_type: &DataType) -> String {
    use DataType as T;
    match data_type {
        T::List(item) | T::LargeList(item) => format!("{}[]", long_name(item.data_type())),
        T::FixedSizeList(item, size) => format!("{}[{size}]", long_name(item.data_type())),
        T::Struct(fields) => {
            let fields = fields.iter().map(|f| format!("{} {}", f.name(), long_name(f.data_type())));
            format!("STRUCT({})", fields.collect::<Vec<_>>().join(", "))
        }
        T::Map(entries, _) => match entries.data_type() {
            T::Struct(fields) => {
                let fields = fields.iter().map(|f| long_name(f.data_type()));
                format!("MAP({})", fields.collect::<Vec<_>>().join(", "))
            }
            _ => "MAP".to_string(),
        },
        T::Decimal128(38, 0) => "HUGEINT".to_string(),
        T::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".to_string(),
        T::Timestamp(TimeUnit::Second, None) => "TIMESTAMP_S".to_string(),
        T::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP_MS".to_string(),
        T::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS".to_string(),
        T::Null => "\"NULL\"".to_string(),
        other => name(other).to_uppercase(),
    }
}

/// The word for a type.
pub(super) fn name(data_type: &DataType) -> String {
    use DataType as T;
    let simple = match data_type {
        T::Null => "null",
        T::Boolean => "boolean",
        T::Int8 => "tinyint",
        T::Int16 => "smallint",
        T::Int32 => "integer",
        T::Int64 => "bigint",
        T::UInt8 => "utinyint",
        T::UInt16 => "usmallint",
        T::UInt32 => "uinteger",
        T::UInt64 => "ubigint",
        T::Float16 => "half",
        T::Float32 => "float",
        T::Float64 => "double",
        T::Date32 | T::Date64 => "date",
        T::Time32(_) | T::Time64(_) => "time",
        T::Timestamp(_, None) => "timestamp",
        T::Timestamp(_, Some(_)) => "timestamptz",
        T::Duration(_) | T::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime | IntervalUnit::MonthDayNano) => {
            "interval"
        }
        T::Utf8 | T::LargeUtf8 | T::Utf8View => "varchar",
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "blob",
        T::Union(..) => "union",
        _ => return composed(data_type),
    };
    simple.to_string()
}

fn composed(data_type: &DataType) -> String {
    use DataType as T;
    match data_type {
        T::Decimal32(p, s) | T::Decimal64(p, s) | T::Decimal128(p, s) | T::Decimal256(p, s) => {
            format!("decimal({p},{s})")
        }
        T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) => {
            format!("{}[]", name(item.data_type()))
        }
        T::FixedSizeList(item, size) => format!("{}[{size}]", name(item.data_type())),
        T::Struct(fields) => {
            let fields: Vec<String> = fields.iter().map(|f| format!("{} {}", f.name(), name(f.data_type()))).collect();
            format!("struct({})", fields.join(", "))
        }
        T::Map(entries, _) => match entries.data_type() {
            T::Struct(fields) => {
                let fields: Vec<String> = fields.iter().map(|f| name(f.data_type())).collect();
                format!("map({})", fields.join(", "))
            }
            _ => "map".to_string(),
        },
        T::Dictionary(_, values) => name(values),
        T::RunEndEncoded(_, values) => name(values.data_type()),
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_types_in_words_of_sql() {
        let inner = DataType::new_list(DataType::Utf8View, true);
        let nested =
            DataType::Struct(vec![Field::new("a", DataType::Int64, true), Field::new("b", inner, true)].into());
        assert_eq!(name(&nested), "struct(a bigint, b varchar[])");
        assert_eq!(name(&DataType::Decimal128(15, 2)), "decimal(15,2)");
        assert_eq!(name(&DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))), "timestamptz");
        assert_eq!(name(&DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))), "varchar");
    }
}
