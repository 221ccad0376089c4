//! Types in short words that users of SQL know: `bigint`, `varchar`, `decimal(15,2)`, `struct(a bigint, b varchar[])`.

use arrow::datatypes::{DataType, IntervalUnit};

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
    use arrow::datatypes::{Field, TimeUnit};

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
