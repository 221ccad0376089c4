//! Discrete quantiles of values that have an order and nothing between them, such as texts: for windows, which ask
//! DataFusion's way. Other aggregates of the kind never hold their values like this.

use arrow::array::ArrayRef;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::Accumulator;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_physical_expr::expressions::Literal;
use std::cmp::Ordering;

/// The values of a frame.
#[derive(Debug)]
pub(super) struct Discrete {
    values: Vec<ScalarValue>,
    /// Whether `values` is in order.
    sorted: bool,
    shares: Vec<f64>,
    list: bool,
    none: ScalarValue,
}

impl Discrete {
    /// Quantiles of the shares that the second argument says; without one, the median.
    pub(super) fn new(args: &AccumulatorArgs) -> Result<Discrete> {
        let none = ScalarValue::try_from(args.return_field.data_type())?;
        let share = match args.exprs.get(1) {
            None => ScalarValue::Float64(Some(0.5)),
            Some(expr) => match expr.downcast_ref::<Literal>() {
                Some(literal) => literal.value().clone(),
                None => return exec_err!("the share of a quantile must be a constant"),
            },
        };
        let (shares, list) = match &share {
            ScalarValue::Float64(Some(share)) => (vec![*share], false),
            ScalarValue::List(_) => (floats(&share)?, true),
            other => return exec_err!("{other} is no share of a quantile"),
        };
        if shares.iter().any(|s| !(0.0..=1.0).contains(s)) {
            return exec_err!("a quantile's share is from 0 to 1");
        }
        Ok(Discrete { values: Vec::new(), sorted: true, shares, list, none })
    }

    fn at(&self, share: f64) -> ScalarValue {
        let n = self.values.len();
        let above = (n as f64 - share * n as f64).floor() as usize;
        let place = n.saturating_sub(above).max(1) - 1;
        self.values.get(place).unwrap_or(&self.none).clone()
    }
}

fn floats(list: &ScalarValue) -> Result<Vec<f64>> {
    let ScalarValue::List(array) = list else { return Ok(Vec::new()) };
    let items = array.values();
    let float = |row| match ScalarValue::try_from_array(items, row)? {
        ScalarValue::Float64(Some(share)) => Ok(share),
        other => exec_err!("{other} is no share of a quantile"),
    };
    (0..items.len()).map(float).collect()
}

impl Accumulator for Discrete {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(column) = values.first() else { return Ok(()) };
        for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
            self.values.push(ScalarValue::try_from_array(column, row)?.compacted());
        }
        self.sorted = false;
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if !self.sorted {
            self.values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
            self.sorted = true;
        }
        match (self.values.first(), self.list) {
            (None, _) => Ok(self.none.clone()),
            (Some(_), false) => Ok(self.at(self.shares.first().copied().unwrap_or(0.5))),
            (Some(first), true) => {
                let found: Vec<ScalarValue> = self.shares.iter().map(|share| self.at(*share)).collect();
                Ok(ScalarValue::List(ScalarValue::new_list_nullable(&found, &first.data_type())))
            }
        }
    }

    fn size(&self) -> usize {
        let texts: usize = self.values.iter().map(ScalarValue::size).sum();
        texts + (self.values.capacity() - self.values.len()) * size_of::<ScalarValue>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        exec_err!("a quantile of a window is not merged")
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> Result<()> {
        exec_err!("a quantile of a window is not merged")
    }
}
