//! Texts one after the other: `string_agg` for windows, which ask DataFusion's way. Groups fold them in `ops`.

use crate::cells::Column;
use arrow::array::ArrayRef;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::Accumulator;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_physical_expr::expressions::Literal;

/// The texts of a frame.
#[derive(Debug)]
pub(super) struct Joined {
    separator: String,
    text: Option<String>,
}

impl Joined {
    /// Joins with the text that the second argument is; without one, with a comma.
    pub(super) fn new(args: &AccumulatorArgs) -> Result<Joined> {
        let separator = match args.exprs.get(1).map(|expr| expr.downcast_ref::<Literal>()) {
            None => ",".to_string(),
            Some(Some(literal)) => literal.value().try_as_str().flatten().unwrap_or_default().to_string(),
            Some(None) => return exec_err!("the separator must be a constant"),
        };
        Ok(Joined { separator, text: None })
    }
}

impl Accumulator for Joined {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(column) = values.first() else { return Ok(()) };
        let cells =
            Column::new(column.as_ref()).map_err(|e| datafusion_common::DataFusionError::External(Box::new(e)))?;
        let mut buffer = Vec::new();
        for row in (0..column.len()).filter(|row| !cells.is_null(*row)) {
            buffer.clear();
            cells.text(row, &mut buffer);
            match &mut self.text {
                Some(text) => text.push_str(&self.separator),
                None => self.text = Some(String::new()),
            }
            if let Some(text) = &mut self.text {
                text.push_str(&String::from_utf8_lossy(&buffer));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Utf8View(self.text.clone()))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.text.as_ref().map_or(0, String::capacity)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        exec_err!("the texts of a window are not merged")
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        exec_err!("the texts of a window are not merged")
    }
}
