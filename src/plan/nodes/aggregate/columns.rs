//! The columns that an aggregate's input is computed to: the keys first, then every different argument, and places for
//! what is computed apart, which are null here.

use super::sets::Sets;
use crate::error::{Error, Result};
use crate::ops::aggregate::ordered::Call;
use crate::ops::aggregate::quantile::Quantile;
use crate::ops::aggregate::{Aggregate as Wanted, Function};
use crate::ops::expr::from_datafusion;
use crate::ops::position::POSITION;
use crate::ops::sort::SortKey;
use crate::plan::nodes::apart::Apart;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{Column, DFSchema, ExprSchema, ScalarValue};
use datafusion_expr::{Aggregate, Expr, ExprSchemable, cast, lit, when};
use std::sync::Arc;

/// See the module's head.
pub(super) struct Columns<'a> {
    input: &'a DFSchema,
    pub(super) exprs: Vec<Expr>,
    /// How many are keys.
    pub(super) keys: usize,
    /// Columns before this one are not what they are made from: grouping sets make nulls of them.
    changed: usize,
    pub(super) wanted: Vec<Wanted>,
    /// The types of what is wanted.
    types: Vec<DataType>,
    /// What is computed apart.
    pub(super) apart: Vec<Apart>,
    /// Which of the wanted see the input's rows.
    of_input: Vec<usize>,
    /// Whether any does.
    pub(super) plain: bool,
    /// The column of positions, if anything goes by them.
    pub(super) position: Option<usize>,
}

impl<'a> Columns<'a> {
    /// The keys.
    pub(super) fn new(node: &'a Aggregate, sets: &Sets) -> Result<Self> {
        let mut exprs = sets.keys.clone();
        if sets.list.is_some() {
            let number = ScalarValue::try_from(&sets.number).map_err(from_datafusion)?;
            exprs.push(Expr::Literal(number, None));
        }
        let keys = exprs.len();
        Ok(Columns {
            input: node.input.schema(),
            exprs,
            keys,
            changed: if sets.list.is_some() { keys } else { 0 },
            wanted: Vec::new(),
            types: Vec::new(),
            apart: Vec::new(),
            of_input: Vec::new(),
            plain: false,
            position: None,
        })
    }

    /// The type of an expression over the input.
    pub(super) fn type_of(&self, expr: &Expr) -> Result<DataType> {
        expr.get_type(self.input).map_err(from_datafusion)
    }

    /// `expr` as a value of another type.
    pub(super) fn cast(&self, expr: &Expr, to: &DataType) -> Result<Expr> {
        as_type(expr.clone(), self.input, to)
    }

    /// A value of the input's rows; what it is called in the output.
    pub(super) fn of_input(&mut self, wanted: Wanted, data_type: DataType) -> Expr {
        self.of_input.push(self.wanted.len());
        self.plain = true;
        self.of_places(wanted, data_type)
    }

    /// A value of what was computed apart.
    pub(super) fn of_places(&mut self, wanted: Wanted, data_type: DataType) -> Expr {
        self.wanted.push(wanted);
        self.types.push(data_type);
        Expr::Column(Column::from_name(format!("v{}", self.wanted.len() - 1)))
    }

    /// The one value in a place.
    pub(super) fn of_place(&mut self, place: usize, data_type: DataType) -> Expr {
        self.of_places(Wanted { function: Function::Max, arguments: vec![place], filter: None }, data_type)
    }

    /// The column that holds `expr` where `filter` is true, else null.
    pub(super) fn only(&mut self, expr: &Expr, filter: Option<&Expr>) -> Result<usize> {
        match filter {
            None => Ok(self.column(expr)),
            Some(filter) => {
                let case = when(filter.clone(), expr.clone()).end().map_err(from_datafusion)?;
                Ok(self.column(&case))
            }
        }
    }

    /// The places of the different values of `arguments`.
    pub(super) fn distinct(&mut self, arguments: Vec<usize>) -> Result<Vec<usize>> {
        for apart in &self.apart {
            if let Apart::Distinct { columns, places } = apart
                && *columns == arguments
            {
                return Ok(places.clone());
            }
        }
        let places = arguments.iter().map(|c| self.place_like(*c)).collect::<Result<Vec<_>>>()?;
        self.apart.push(Apart::Distinct { columns: arguments, places: places.clone() });
        Ok(places)
    }

    /// The places of the different values of `argument`, of how often each is there, and of where it is first.
    pub(super) fn counted(&mut self, argument: usize) -> Result<[usize; 3]> {
        for apart in &self.apart {
            if let Apart::Counted { column, places, .. } = apart
                && *column == argument
            {
                return Ok(*places);
            }
        }
        let position = self.position()?;
        let places = [self.place_like(argument)?, self.place(&DataType::Int64)?, self.place(&POSITION)?];
        self.apart.push(Apart::Counted { column: argument, position, places });
        Ok(places)
    }

    /// The place of a quantile. All quantiles are computed together.
    pub(super) fn quantile(&mut self, quantile: Quantile) -> Result<usize> {
        let place = self.place_like(quantile.argument)?;
        for apart in &mut self.apart {
            if let Apart::Quantiles { list, places } = apart {
                list.push(quantile);
                places.push(place);
                return Ok(place);
            }
        }
        self.apart.push(Apart::Quantiles { list: vec![quantile], places: vec![place] });
        Ok(place)
    }

    /// The place of an ordered call's value. Calls over one order are computed together.
    pub(super) fn ordered(&mut self, order: Vec<SortKey>, call: Call, data_type: &DataType) -> Result<usize> {
        let place = self.place(data_type)?;
        for apart in &mut self.apart {
            if let Apart::Ordered { order: known, calls, places } = apart
                && *known == order
            {
                calls.push(call);
                places.push(place);
                return Ok(place);
            }
        }
        self.apart.push(Apart::Ordered { order, calls: vec![call], places: vec![place] });
        Ok(place)
    }

    /// The column of positions.
    pub(super) fn position(&mut self) -> Result<usize> {
        match self.position {
            Some(column) => Ok(column),
            None => {
                let column = self.place(&POSITION)?;
                Ok(*self.position.insert(column))
            }
        }
    }

    /// A new column of nulls, of the type of the column `like`.
    fn place_like(&mut self, like: usize) -> Result<usize> {
        let expr = self.exprs.get(like).ok_or_else(|| Error::internal("an aggregate has no such column"))?;
        let data_type = self.type_of(expr)?;
        self.place(&data_type)
    }

    /// A new column of nulls.
    fn place(&mut self, data_type: &DataType) -> Result<usize> {
        let null = ScalarValue::try_from(data_type).map_err(from_datafusion)?;
        Ok(self.new_column(Expr::Literal(null, None)))
    }

    /// Rows of what is computed apart, and `others`, must not count for what sees the input's rows: they have no
    /// filter's value.
    pub(super) fn only_input_rows(&mut self, others: bool) {
        if self.apart.is_empty() && !others {
            return;
        }
        let is_input = self.new_column(lit(true));
        for i in std::mem::take(&mut self.of_input) {
            let filter = self.wanted.get(i).and_then(|w| w.filter);
            let filter = match filter {
                None => is_input,
                // A key is there in those rows, too.
                Some(f) if f < self.keys => match self.exprs.get(f).cloned() {
                    Some(key) => self.new_column(key),
                    None => is_input,
                },
                Some(f) => f,
            };
            if let Some(wanted) = self.wanted.get_mut(i) {
                wanted.filter = Some(filter);
            }
        }
    }

    fn new_column(&mut self, expr: Expr) -> usize {
        self.exprs.push(expr);
        self.exprs.len() - 1
    }

    /// The column that holds `expr`.
    pub(super) fn column(&mut self, expr: &Expr) -> usize {
        // Nulls may be places of something else.
        let same = |e: &Expr| e == expr && !matches!(e, Expr::Literal(..));
        let known = self.exprs.iter().skip(self.changed).position(same).map(|i| i + self.changed);
        known.unwrap_or_else(|| self.new_column(expr.clone()))
    }

    /// The names and types of all columns.
    pub(super) fn schema(&self) -> Result<SchemaRef> {
        let field = |(i, e): (usize, &Expr)| Ok(Field::new(format!("c{i}"), self.type_of(e)?, true));
        let fields = self.exprs.iter().enumerate().map(field).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Schema::new(fields)))
    }

    /// The names and types of keys and values.
    pub(super) fn output(&self, node: &Aggregate) -> Result<SchemaRef> {
        let keys = (0..self.keys).map(|i| node.schema.field(i).data_type().clone());
        let keys = keys.enumerate().map(|(i, t)| Field::new(format!("g{i}"), t, true));
        let values = self.types.iter().enumerate().map(|(i, t)| Field::new(format!("v{i}"), t.clone(), true));
        Ok(Arc::new(Schema::new(keys.chain(values).collect::<Vec<_>>())))
    }

    /// If all that is wanted are the values of one ordered aggregate as they are: which each is.
    pub(super) fn comes_from(&self, apart: &Apart) -> Option<Vec<usize>> {
        let Apart::Ordered { places, .. } = apart else { return None };
        let which = |w: &Wanted| match w.arguments.as_slice() {
            [place] if w.function == Function::Max => places.iter().position(|p| p == place),
            _ => None,
        };
        self.wanted.iter().map(which).collect()
    }
}

/// `expr` over `input` as a value of type `to`.
pub(super) fn as_type(expr: Expr, input: &dyn ExprSchema, to: &DataType) -> Result<Expr> {
    let from = expr.get_type(input).map_err(from_datafusion)?;
    Ok(if from == *to { expr } else { cast(expr, to.clone()) })
}
