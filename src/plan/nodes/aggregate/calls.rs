//! What each call needs of the input and of what is computed apart, and what its value is made of: a method for each
//! [way](super::ways).

use super::columns::Columns;
use super::ways::{Kind, Way, way};
use crate::error::{Error, Result};
use crate::ops::aggregate::ordered::{Call, Fold};
use crate::ops::aggregate::quantile::{Quantile, Rank};
use crate::ops::aggregate::{Aggregate as Wanted, Function, Pick};
use crate::ops::expr::from_datafusion;
use crate::ops::sort::SortKey;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion_common::ScalarValue;
use datafusion_expr::Expr;
use datafusion_expr::expr::{AggregateFunction, NullTreatment, Sort};
use datafusion_functions_nested::make_array::make_array_udf;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::aggregate::AggregateExprBuilder;
use datafusion_physical_expr::expressions::{Column as PhysicalColumn, Literal};
use std::sync::Arc;

/// One call in a query.
struct Asked<'a> {
    expr: &'a Expr,
    call: &'a AggregateFunction,
    /// The type of its value.
    data_type: DataType,
}

/// Adds what `expr`, an aggregate, needs; what its value is made of.
pub(super) fn add(columns: &mut Columns<'_>, expr: &Expr) -> Result<Expr> {
    let asked = Asked { expr, call: call(expr)?, data_type: columns.type_of(expr)? };
    match way(asked.call.func.name(), asked.call.params.args.len()) {
        Way::Plain(function) => asked.plain(columns, function, asked.call.params.distinct),
        Way::Different(function) => asked.plain(columns, function, true),
        Way::First { last, nulls } => asked.first(columns, last, nulls),
        Way::By { largest, nulls } => asked.by(columns, largest, nulls),
        Way::Mode => asked.mode(columns),
        Way::Entropy => asked.entropy(columns),
        Way::Quantile(kind) => asked.quantile(columns, kind),
        Way::List => asked.list(columns),
        Way::Join => asked.join(columns),
        Way::Nth => asked.nth(columns),
        Way::Histogram if asked.call.params.args.len() > 1 => asked.by_value(columns, Fold::Bins(asked.bins()?)),
        Way::Histogram => asked.by_value(columns, Fold::Histogram),
        Way::Top => {
            let most = asked.count(1)?;
            asked.by_value(columns, Fold::Top(most))
        }
        Way::Deviation => asked.by_value(columns, Fold::Deviation),
        Way::Accumulate => asked.accumulate(columns),
    }
}

fn call(expr: &Expr) -> Result<&AggregateFunction> {
    match expr {
        Expr::AggregateFunction(call) => Ok(call),
        Expr::Alias(alias) => call(&alias.expr),
        other => Err(Error::internal(format!("{other} is not an aggregate"))),
    }
}

/// One key after the other: what comes first, and which must not be null.
#[derive(Default)]
struct Keys {
    columns: Vec<usize>,
    pick: Pick,
}

impl Keys {
    fn add(&mut self, column: usize, options: SortOptions, required: bool) -> Result<()> {
        let bit = u32::try_from(self.columns.len()).ok().and_then(|i| 1u32.checked_shl(i));
        let bit = bit.ok_or_else(|| Error::unsupported("an aggregate that is ordered by more than 30 keys"))?;
        self.columns.push(column);
        self.pick.descending |= if options.descending { bit } else { 0 };
        self.pick.nulls_first |= if options.nulls_first { bit } else { 0 };
        self.pick.required |= if required { bit } else { 0 };
        Ok(())
    }

    fn wanted(self, filter: Option<usize>) -> Wanted {
        Wanted { function: Function::Pick(self.pick), arguments: self.columns, filter }
    }
}

const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: false };
/// Nulls inside of nested keys are larger than values; a key that is null is not asked.
const DESCENDING: SortOptions = SortOptions { descending: true, nulls_first: true };

fn options(by: &Sort) -> SortOptions {
    SortOptions { descending: !by.asc, nulls_first: by.nulls_first }
}

impl Asked<'_> {
    fn not_yet(&self) -> Error {
        Error::unsupported(format!("the aggregate {} is not supported yet", self.expr))
    }

    fn argument(&self, index: usize) -> Result<&Expr> {
        let missing = || Error::query(format!("{} lacks an argument", self.expr));
        self.call.params.args.get(index).ok_or_else(missing)
    }

    fn filter(&self, columns: &mut Columns<'_>) -> Option<usize> {
        self.call.params.filter.as_ref().map(|e| columns.column(e))
    }

    fn ignores_nulls(&self) -> bool {
        self.call.params.null_treatment == Some(NullTreatment::IgnoreNulls)
    }

    /// A number of rows that is written in the query.
    fn count(&self, index: usize) -> Result<usize> {
        let count = match self.argument(index)? {
            Expr::Literal(value, _) => value.cast_to(&DataType::Int64).ok(),
            _ => None,
        };
        match count {
            Some(ScalarValue::Int64(Some(n))) if n > 0 => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
            Some(ScalarValue::Int64(_)) => {
                Err(Error::query(format!("the number must be greater than 0: {}", self.expr)))
            }
            _ => Err(Error::unsupported(format!("the number must be a constant: {}", self.expr))),
        }
    }

    fn plain(&self, columns: &mut Columns<'_>, function: Function, distinct: bool) -> Result<Expr> {
        let params = &self.call.params;
        let keeps_its_value = matches!(
            function,
            Function::Min | Function::Max | Function::BoolAnd | Function::BoolOr | Function::BitAnd | Function::BitOr
        );
        if distinct && !keeps_its_value {
            let filter = params.filter.as_deref();
            let arguments = params.args.iter().map(|e| columns.only(e, filter)).collect::<Result<_>>()?;
            let wanted = Wanted { function, arguments: columns.distinct(arguments)?, filter: None };
            return Ok(columns.of_places(wanted, self.data_type.clone()));
        }
        let counts_rows =
            |e: &&Expr| !(function == Function::Count && matches!(e, Expr::Literal(value, _) if !value.is_null()));
        let arguments = params.args.iter().filter(counts_rows).map(|e| columns.column(e)).collect();
        let filter = self.filter(columns);
        Ok(columns.of_input(Wanted { function, arguments, filter }, self.data_type.clone()))
    }

    fn first(&self, columns: &mut Columns<'_>, last: bool, nulls: bool) -> Result<Expr> {
        let value = self.argument(0)?.clone();
        let turn = |o: SortOptions| match last {
            true => SortOptions { descending: !o.descending, nulls_first: !o.nulls_first },
            false => o,
        };
        let mut keys = Keys::default();
        for by in &self.call.params.order_by {
            keys.add(columns.column(&by.expr), turn(options(by)), false)?;
        }
        keys.add(columns.position()?, turn(ASCENDING), true)?;
        keys.add(columns.column(&value), ASCENDING, !nulls || self.ignores_nulls())?;
        let filter = self.filter(columns);
        Ok(columns.of_input(keys.wanted(filter), self.data_type.clone()))
    }

    fn by(&self, columns: &mut Columns<'_>, largest: bool, nulls: bool) -> Result<Expr> {
        let (value, key) = (self.argument(0)?.clone(), self.argument(1)?.clone());
        let mut keys = Keys::default();
        keys.add(columns.column(&key), if largest { DESCENDING } else { ASCENDING }, true)?;
        for by in &self.call.params.order_by {
            keys.add(columns.column(&by.expr), options(by), false)?;
        }
        keys.add(columns.position()?, ASCENDING, true)?;
        keys.add(columns.column(&value), ASCENDING, !nulls)?;
        let filter = self.filter(columns);
        Ok(columns.of_input(keys.wanted(filter), self.data_type.clone()))
    }

    /// The counts of the values of the only argument; the binder puts what it is ordered by in front.
    fn counted(&self, columns: &mut Columns<'_>) -> Result<[usize; 3]> {
        let params = &self.call.params;
        self.of_itself()?;
        if params.distinct {
            return Err(self.not_yet());
        }
        let column = columns.only(self.argument(0)?, params.filter.as_deref())?;
        columns.counted(column)
    }

    /// Refuses an order by anything but the argument itself.
    fn of_itself(&self) -> Result<()> {
        let params = &self.call.params;
        let value = params.args.last();
        let ordered = params.order_by.iter().any(|by| Some(&by.expr) != value);
        match ordered || params.args.iter().any(|arg| Some(arg) != value) {
            true => Err(self.not_yet()),
            false => Ok(()),
        }
    }

    /// The value that is there most often; of several, the first one: of the input, or of the order that is asked for.
    fn mode(&self, columns: &mut Columns<'_>) -> Result<Expr> {
        if self.call.params.distinct {
            self.of_itself()?;
            return self.first(columns, false, false); // each is there once
        }
        let [value, count, position] = self.counted(columns)?;
        let mut keys = Keys::default();
        keys.add(count, DESCENDING, true)?;
        // What is asked for is an order of the values themselves.
        match self.call.params.order_by.first() {
            Some(by) => keys.add(value, options(by), true)?,
            None => keys.add(position, ASCENDING, true)?,
        }
        keys.add(value, ASCENDING, true)?;
        Ok(columns.of_places(keys.wanted(None), self.data_type.clone()))
    }

    fn entropy(&self, columns: &mut Columns<'_>) -> Result<Expr> {
        let [_, count, _] = self.counted(columns)?;
        let wanted = Wanted { function: Function::Entropy, arguments: vec![count], filter: None };
        Ok(columns.of_places(wanted, self.data_type.clone()))
    }

    /// The bounds of a histogram's bins.
    fn bins(&self) -> Result<ArrayRef> {
        match self.argument(1)? {
            Expr::Literal(ScalarValue::List(list), _) if list.len() == 1 && list.is_valid(0) => {
                let bounds = list.value(0);
                match bounds.null_count() > 0 || bounds.is_empty() {
                    true => Err(Error::query(format!(
                        "the bins of a histogram are values, none of them null: {}",
                        self.expr
                    ))),
                    false => Ok(bounds),
                }
            }
            _ => Err(Error::unsupported(format!("the bins of a histogram must be constant: {}", self.expr))),
        }
    }

    /// The shares that are asked for, and whether as a list.
    fn shares(&self) -> Result<(Vec<f64>, bool)> {
        let constant = || Error::unsupported(format!("the share of a quantile must be a constant: {}", self.expr));
        let Expr::Literal(value, _) = self.argument(1)? else { return Err(constant()) };
        let (shares, list) = match value {
            ScalarValue::List(list) if list.len() == 1 && list.is_valid(0) => {
                let values = arrow::compute::cast(&list.value(0), &DataType::Float64)?;
                let values = values.as_primitive_opt::<Float64Type>().cloned().ok_or_else(constant)?;
                (values.iter().collect::<Option<Vec<_>>>().ok_or_else(constant)?, true)
            }
            other => match other.cast_to(&DataType::Float64) {
                Ok(ScalarValue::Float64(Some(share))) => (vec![share], false),
                _ => return Err(constant()),
            },
        };
        match shares.iter().all(|s| (-1.0..=1.0).contains(s)) {
            true => Ok((shares, list)),
            false => Err(Error::query(format!("the share of a quantile must be between 0 and 1: {}", self.expr))),
        }
    }

    fn quantile(&self, columns: &mut Columns<'_>, kind: Kind) -> Result<Expr> {
        let params = &self.call.params;
        if params.distinct {
            return Err(self.not_yet());
        }
        let value = self.argument(0)?.clone();
        let of = columns.type_of(&value)?;
        let (shares, list) = if kind == Kind::Median { (vec![0.5], false) } else { self.shares()? };
        let kind = if kind == Kind::Median && !Rank::Median.is_of(&of) { Kind::Discrete } else { kind };
        // A negative share counts from the largest value, and so does a descending order.
        let descending = params.order_by.first().is_some_and(|by| !by.asc);
        let from_top = |share: f64| descending != share.is_sign_negative();
        if kind == Kind::Discrete && !Rank::Discrete(0.5).is_of(&of) {
            return self.quantile_of_any(columns, &shares, list, shares.iter().any(|s| from_top(*s)));
        }
        let argument = columns.only(&value, params.filter.as_deref())?;
        let mut values = Vec::with_capacity(shares.len());
        for share in &shares {
            let top = from_top(*share);
            let rank = match kind {
                Kind::Median => Rank::Median,
                Kind::Continuous => Rank::Continuous(if top { 1.0 - share.abs() } else { share.abs() }),
                Kind::Discrete if top => Rank::DiscreteFromTop(share.abs()),
                Kind::Discrete => Rank::Discrete(share.abs()),
            };
            let place = columns.quantile(Quantile { argument, rank })?;
            values.push(columns.of_place(place, of.clone()));
        }
        match (list, values.first().cloned()) {
            (true, Some(first)) => {
                let list = make_array_udf().call(values);
                let none = Expr::Literal(ScalarValue::try_from(&self.data_type).map_err(from_datafusion)?, None);
                datafusion_expr::when(first.is_null(), none).otherwise(list).map_err(from_datafusion)
            }
            (false, Some(first)) => Ok(first),
            (_, None) => Err(self.not_yet()),
        }
    }

    /// Of values that are no words: they are kept until their group is closed.
    fn quantile_of_any(&self, columns: &mut Columns<'_>, shares: &[f64], list: bool, from_top: bool) -> Result<Expr> {
        if from_top && shares.len() > 1 {
            return Err(self.not_yet());
        }
        let value = columns.column(self.argument(0)?);
        let options = if from_top { DESCENDING } else { ASCENDING };
        let fold = Fold::Quantile { shares: shares.iter().map(|s| s.abs()).collect(), list };
        let call = self.folded(columns, fold, vec![value], true);
        let data_type = self.data_type.clone();
        let place = columns.ordered(vec![SortKey { column: value, options }], call, &data_type)?;
        Ok(columns.of_place(place, data_type))
    }

    fn folded(&self, columns: &mut Columns<'_>, fold: Fold, arguments: Vec<usize>, skip_nulls: bool) -> Call {
        Call { fold, arguments, filter: self.filter(columns), skip_nulls, distinct: self.call.params.distinct }
    }

    /// The order that the query asks for; with DISTINCT equal arguments must be neighbours in it.
    fn order(&self, columns: &mut Columns<'_>, arguments: &[usize]) -> Result<Vec<SortKey>> {
        let params = &self.call.params;
        let key = |by: &Sort| SortKey { column: columns.column(&by.expr), options: options(by) };
        let mut order: Vec<SortKey> = params.order_by.iter().map(key).collect();
        if params.distinct {
            if order.iter().any(|k| !arguments.contains(&k.column)) {
                return Err(Error::query(format!(
                    "an aggregate of DISTINCT values can only be ordered by its arguments: {}",
                    self.expr
                )));
            }
            let more = arguments.iter().filter(|c| !order.iter().any(|k| k.column == **c));
            let more: Vec<SortKey> = more.map(|c| SortKey { column: *c, options: ASCENDING }).collect();
            order.extend(more);
        }
        Ok(order)
    }

    /// A fold over the order of the first argument, without nulls.
    fn by_value(&self, columns: &mut Columns<'_>, fold: Fold) -> Result<Expr> {
        let value = columns.column(self.argument(0)?);
        let call = self.folded(columns, fold, vec![value], true);
        let data_type = self.data_type.clone();
        let place = columns.ordered(vec![SortKey { column: value, options: ASCENDING }], call, &data_type)?;
        Ok(columns.of_place(place, data_type))
    }

    /// All values, or the first ones by themselves or by another argument.
    fn list(&self, columns: &mut Columns<'_>) -> Result<Expr> {
        let name = self.call.func.name();
        let data_type = self.data_type.clone();
        let value = columns.column(self.argument(0)?);
        if name == "array_agg" {
            let order = self.order(columns, &[value])?;
            let call = self.folded(columns, Fold::List { most: usize::MAX }, vec![value], self.ignores_nulls());
            let place = columns.ordered(order, call, &data_type)?;
            return Ok(columns.of_place(place, data_type));
        }
        let arguments = self.call.params.args.len();
        let (key, most) = match arguments {
            2 => (value, self.count(1)?),
            _ => (columns.column(self.argument(1)?), self.count(2)?),
        };
        let options = if name.contains("max") { DESCENDING } else { ASCENDING };
        let mut call = self.folded(columns, Fold::List { most }, vec![value], true);
        if arguments > 2 {
            let known = self.argument(1)?.clone().is_not_null();
            let filter = self.call.params.filter.as_deref().cloned();
            let both = filter.map_or(known.clone(), |f| f.and(known));
            call.filter = Some(columns.column(&both));
        }
        let place = columns.ordered(vec![SortKey { column: key, options }], call, &data_type)?;
        Ok(columns.of_place(place, data_type))
    }

    fn join(&self, columns: &mut Columns<'_>) -> Result<Expr> {
        let separator = match self.call.params.args.get(1) {
            None => Some(",".to_string()),
            Some(Expr::Literal(value, _)) => {
                let text = value.cast_to(&DataType::Utf8).map_err(from_datafusion)?;
                text.try_as_str().flatten().map(str::to_string)
            }
            Some(_) => return Err(Error::query(format!("the separator must be a constant: {}", self.expr))),
        };
        let Some(separator) = separator else {
            return Ok(Expr::Literal(ScalarValue::try_from(&self.data_type).map_err(from_datafusion)?, None));
        };
        let text = columns.cast(self.argument(0)?, &DataType::Utf8View)?;
        let value = columns.column(&text);
        // Ordered by the argument as it was before it became a text: numbers as numbers.
        let written = columns.column(self.argument(0)?);
        let mut order = self.order(columns, &[written])?;
        if self.call.params.distinct && written != value {
            order.push(SortKey { column: value, options: ASCENDING });
        }
        let fold = Fold::Join { separator: separator.into() };
        let call = self.folded(columns, fold, vec![value], false);
        let place = columns.ordered(order, call, &DataType::Utf8View)?;
        Ok(columns.of_place(place, DataType::Utf8View))
    }

    fn nth(&self, columns: &mut Columns<'_>) -> Result<Expr> {
        let n = self.count(1)?;
        let value = columns.column(self.argument(0)?);
        let order = self.order(columns, &[value])?;
        let call = self.folded(columns, Fold::Nth(n as u64 - 1), vec![value], self.ignores_nulls());
        let data_type = self.data_type.clone();
        let place = columns.ordered(order, call, &data_type)?;
        Ok(columns.of_place(place, data_type))
    }

    /// Whatever DataFusion has an accumulator for: it sees the rows that count, in their order.
    fn accumulate(&self, columns: &mut Columns<'_>) -> Result<Expr> {
        let params = &self.call.params;
        let arguments: Vec<usize> = params.args.iter().map(|e| columns.column(e)).collect();
        let mut fields = Vec::with_capacity(arguments.len());
        let mut physical: Vec<Arc<dyn PhysicalExpr>> = Vec::with_capacity(arguments.len());
        for (i, expr) in params.args.iter().enumerate() {
            let name = format!("a{i}");
            fields.push(Field::new(&name, columns.type_of(expr)?, true));
            physical.push(match expr {
                Expr::Literal(value, _) => Arc::new(Literal::new(value.clone())),
                _ => Arc::new(PhysicalColumn::new(&name, i)),
            });
        }
        let function = AggregateExprBuilder::new(self.call.func.clone(), physical)
            .schema(Arc::new(Schema::new(fields)))
            .alias(self.call.func.name())
            .with_ignore_nulls(self.ignores_nulls())
            .build()
            .map_err(from_datafusion)?;
        // One is made now, so that what it does not know is said before anything runs.
        function.create_accumulator().map_err(from_datafusion)?;
        let order = self.order(columns, &arguments)?;
        let call = self.folded(columns, Fold::Accumulate(Arc::new(function)), arguments, false);
        let place = columns.ordered(order, call, &self.data_type)?;
        Ok(columns.of_place(place, self.data_type.clone()))
    }
}
