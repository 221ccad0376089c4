//! Types as the printers treat them.

use arrow::datatypes::DataType;

pub use partita::front::type_name as word;

/// Whether values of the type line up at their right end.
pub fn is_numeric(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_numeric(values),
        other => other.is_numeric(),
    }
}
