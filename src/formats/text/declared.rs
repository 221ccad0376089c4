//! Types that the user declared, by a schema or by the option `types`.

use crate::error::{Error, Result};
use crate::formats::{TableDef, options};
use arrow::datatypes::{DataType, TimeUnit};

/// What people call the option that declares types.
const TYPES: &[&str] = &["types", "dtypes", "dtype", "column_types", "schema_overrides"];

/// What was declared: a type for some columns, by name or by place.
#[derive(Clone, Debug, Default)]
pub(in crate::formats) struct Declared {
    by_name: Vec<(String, DataType)>,
    by_place: Vec<DataType>,
}

impl Declared {
    /// Reads the options `types` (a map or a list) and `columns` (a map), and the declared schema.
    ///
    /// # Errors
    /// A type that does not exist.
    pub(in crate::formats) fn of(def: &TableDef) -> Result<Self> {
        let mut declared = Declared::default();
        if let Some(schema) = &def.schema {
            declared.by_name.extend(schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())));
        }
        if let Some(text) = options::first(&def.options, &["columns", "schema"]) {
            for (name, t) in options::map("columns", text)? {
                declared.by_name.push((name, type_named(&t)?));
            }
        }
        let Some(text) = options::first(&def.options, TYPES) else { return Ok(declared) };
        if text.trim_start().starts_with('[') {
            let types = options::list("types", text)?;
            declared.by_place = types.iter().map(|t| type_named(t)).collect::<Result<_>>()?;
        } else {
            for (name, t) in options::map("types", text)? {
                declared.by_name.push((name, type_named(&t)?));
            }
        }
        Ok(declared)
    }

    /// The declared type of a column, if any.
    pub(in crate::formats) fn get(&self, place: usize, name: &str) -> Option<&DataType> {
        let named = self.by_name.iter().rev().find(|(n, _)| n == name).map(|(_, t)| t);
        named.or_else(|| self.by_place.get(place))
    }

    /// Checks that every declared column exists.
    ///
    /// # Errors
    /// A column that does not.
    pub(in crate::formats) fn check(&self, names: &[String]) -> Result<()> {
        match self.by_name.iter().find(|(n, _)| !names.contains(n)) {
            Some((name, _)) => {
                Err(Error::query(format!("a type is declared for {name:?}, but there is no such column"))
                    .advise(format!("there are: {}", names.join(", "))))
            }
            None => Ok(()),
        }
    }
}

/// The type that SQL and dataframes call `name`.
///
/// # Errors
/// There is none, or text columns cannot be read as it.
pub(in crate::formats) fn type_named(name: &str) -> Result<DataType> {
    let lower = name.trim().to_ascii_lowercase();
    Ok(match lower.as_str() {
        "text" | "varchar" | "string" | "str" | "utf8" | "utf8view" => DataType::Utf8View,
        "bool" | "boolean" => DataType::Boolean,
        "tinyint" | "int8" => DataType::Int8,
        "smallint" | "int16" => DataType::Int16,
        "int" | "integer" | "int32" => DataType::Int32,
        "bigint" | "int64" | "long" => DataType::Int64,
        "float" | "real" | "float32" => DataType::Float32,
        "double" | "float64" | "double precision" => DataType::Float64,
        "date" | "date32" => DataType::Date32,
        "timestamp" | "datetime" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" | "timestamp with time zone" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "decimal" | "numeric" => DataType::Decimal128(38, 0),
        _ => return decimal(&lower).ok_or_else(|| Error::query(format!("there is no type {name:?} for text files"))),
    })
}

/// `decimal(12,2)`.
fn decimal(text: &str) -> Option<DataType> {
    let inner = text.strip_prefix("decimal").or_else(|| text.strip_prefix("numeric"))?.trim();
    let (precision, scale) = inner.strip_prefix('(')?.strip_suffix(')')?.split_once(',').unwrap_or((inner, "0"));
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    let fits = (1..=38).contains(&precision) && (0..=precision as i8).contains(&scale);
    fits.then_some(DataType::Decimal128(precision, scale))
}
