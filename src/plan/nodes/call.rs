//! Window functions by name: from DataFusion's call to what the operator computes.

use super::window::Keyed;
use crate::error::{Error, Result};
use crate::front::excluded;
use crate::ops::expr::from_datafusion;
use crate::ops::window::{Aggregate, Edge, Frame, Function, Place, Shift, Window};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{NullTreatment, WindowFunction};
use datafusion_expr::{AggregateUDF, BinaryExpr, Cast, Expr, ExprSchemable, Operator};
use datafusion_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::aggregate::AggregateExprBuilder;
use datafusion_physical_expr::expressions::Column as PhysicalColumn;
use std::sync::Arc;

/// Whether the result depends on the order of rows that are peers.
pub fn sees_single_rows(function: &WindowFunction) -> bool {
    match function.fun.name() {
        "rank" | "dense_rank" | "percent_rank" | "cume_dist" => false,
        name => {
            let by_rows = function.params.window_frame.units == WindowFrameUnits::Rows;
            let whole = function.params.window_frame.start_bound.is_unbounded()
                && function.params.window_frame.end_bound.is_unbounded();
            let excludes = function.params.partition_by.iter().any(|e| excluded(e).is_some());
            by_rows && !whole || excludes || aggregate(name).is_none()
        }
    }
}

/// The columns that windows read: those of the input, then what is computed.
pub struct Arguments<'a> {
    input: &'a DFSchema,
    sorted: usize,
    /// What is computed, behind the `sorted` columns.
    pub exprs: Vec<Expr>,
}

impl<'a> Arguments<'a> {
    /// Nothing computed yet, behind `sorted` columns, the first of which are `input`.
    pub fn new(input: &'a DFSchema, sorted: usize) -> Self {
        Arguments { input, sorted, exprs: Vec::new() }
    }

    /// The column that holds `expr`.
    fn column(&mut self, expr: &Expr) -> usize {
        if let Expr::Column(column) = expr
            && let Some(index) = self.input.maybe_index_of_column(column)
        {
            return index;
        }
        let known = self.exprs.iter().position(|e| e == expr);
        let at = known.unwrap_or_else(|| {
            self.exprs.push(expr.clone());
            self.exprs.len() - 1
        });
        self.sorted + at
    }

    fn data_type(&self, expr: &Expr) -> Result<DataType> {
        expr.get_type(self.input).map_err(from_datafusion)
    }

    /// What the operator computes for a window.
    ///
    /// # Errors
    /// `Unsupported`, for functions and frames that are not there; `Query`, for arguments that make no sense.
    pub fn window(&mut self, keyed: &Keyed<'_>) -> Result<Window> {
        Ok(Window {
            function: self.function(keyed.function)?,
            partition: keyed.partition,
            peers: keyed.keys.len(),
            frame: self.frame(keyed.function)?,
        })
    }

    fn function(&mut self, call: &WindowFunction) -> Result<Function> {
        let params = &call.params;
        let ignore_nulls = params.null_treatment == Some(NullTreatment::IgnoreNulls);
        let argument = |i: usize| params.args.get(i);
        let first = || {
            let missing = || Error::query(format!("{} over a window lacks an argument", call.fun.name()));
            argument(0).ok_or_else(missing)
        };
        let name = call.fun.name().to_string();
        if matches!(call.fun, WindowFunctionDefinition::WindowUDF(_)) && params.filter.is_some() {
            return Err(Error::query(format!("FILTER is for aggregates; {name} is none")));
        }
        Ok(match name.as_str() {
            "row_number" => Function::RowNumber,
            "rank" => Function::Rank,
            "dense_rank" => Function::DenseRank,
            "percent_rank" => Function::PercentRank,
            "cume_dist" => Function::CumeDist,
            "ntile" => Function::Ntile(self.column(first()?)),
            "lag" | "lead" => {
                let sign = if name == "lag" { 1 } else { -1 };
                let back = match argument(1) {
                    None => Shift::By(sign),
                    Some(n) => match integer(n)? {
                        Some(n) => Shift::By(n.saturating_mul(sign)),
                        None => Shift::Column(self.column(n), sign),
                    },
                };
                let default = argument(2).filter(|d| !matches!(d, Expr::Literal(v, _) if v.is_null()));
                let default = default.map(|d| self.column(d));
                Function::Shift { value: self.column(first()?), back, default, ignore_nulls }
            }
            "first_value" | "last_value" | "nth_value" => {
                let place = match (name.as_str(), argument(1)) {
                    ("first_value", _) => Place::First,
                    ("last_value", _) => Place::Last,
                    (_, Some(n)) => match integer(n)? {
                        Some(n) => Place::Nth(n),
                        None => Place::Column(self.column(n)),
                    },
                    _ => return Err(Error::query("nth_value needs a number of a row")),
                };
                Function::Nth { value: self.column(first()?), place, ignore_nulls }
            }
            _ => match &call.fun {
                WindowFunctionDefinition::AggregateUDF(udf) => self.aggregate(call, udf)?,
                WindowFunctionDefinition::WindowUDF(_) => {
                    return Err(Error::unsupported(format!("the window function {name}")));
                }
            },
        })
    }

    fn aggregate(&mut self, call: &WindowFunction, udf: &Arc<AggregateUDF>) -> Result<Function> {
        let (params, name) = (&call.params, udf.name());
        let filter = params.filter.as_ref().map(|f| self.column(f));
        let counts_rows = |e: &&Expr| !(name == "count" && matches!(e, Expr::Literal(v, _) if !v.is_null()));
        let args: Vec<Expr> = match params.distinct {
            false => params.args.iter().filter(counts_rows).cloned().collect(),
            true => params.args.clone(),
        };
        let types = args.iter().map(|e| self.data_type(e)).collect::<Result<Vec<_>>>()?;
        let keeps_its_value = matches!(name, "min" | "max" | "bool_and" | "bool_or" | "bit_and" | "bit_or");
        if let Some(kind) = aggregate(name).filter(|kind| (!params.distinct || keeps_its_value) && kind.takes(&types)) {
            let arguments = args.iter().map(|e| self.column(e)).collect();
            return Ok(Function::Aggregate { kind, arguments, filter });
        }
        self.general(call, udf, filter)
    }

    /// An aggregate that DataFusion computes, of the columns that hold its arguments.
    fn general(&mut self, call: &WindowFunction, udf: &Arc<AggregateUDF>, filter: Option<usize>) -> Result<Function> {
        let params = &call.params;
        // A sum of integers must not wrap.
        let widened = |e: &Expr, t: &DataType| match udf.name() == "sum" && t.is_integer() {
            true => Expr::Cast(Cast::new(Box::new(e.clone()), DataType::Decimal128(38, 0))),
            false => e.clone(),
        };
        let types = params.args.iter().map(|e| self.data_type(e)).collect::<Result<Vec<_>>>()?;
        let args: Vec<Expr> = params.args.iter().zip(&types).map(|(e, t)| widened(e, t)).collect();
        let arguments: Vec<usize> = args.iter().map(|e| self.column(e)).collect();
        let mut fields = Vec::with_capacity(args.len());
        let mut physical: Vec<Arc<dyn PhysicalExpr>> = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            fields.push(Field::new(format!("argument {i}"), self.data_type(arg)?, true));
            physical.push(match arg {
                // Some functions insist on seeing a constant.
                Expr::Literal(value, _) => Arc::new(datafusion_physical_expr::expressions::Literal::new(value.clone())),
                _ => Arc::new(PhysicalColumn::new(&format!("argument {i}"), i)),
            });
        }
        let mut builder = AggregateExprBuilder::new(Arc::clone(udf), physical)
            .schema(Arc::new(Schema::new(fields)))
            .alias(call.fun.name());
        if params.distinct {
            builder = builder.distinct();
        }
        if params.null_treatment == Some(NullTreatment::IgnoreNulls) {
            builder = builder.ignore_nulls();
        }
        let aggregate = Arc::new(builder.build().map_err(from_datafusion)?);
        aggregate.create_accumulator().map_err(from_datafusion)?;
        Ok(Function::General { aggregate, arguments, filter })
    }

    fn frame(&mut self, call: &WindowFunction) -> Result<Frame> {
        let frame = &call.params.window_frame;
        let exclude = call.params.partition_by.iter().find_map(excluded).unwrap_or_default();
        Ok(Frame { start: self.edge(call, frame, true)?, end: self.edge(call, frame, false)?, exclude })
    }

    fn edge(&mut self, call: &WindowFunction, frame: &WindowFrame, is_start: bool) -> Result<Edge> {
        let bound = if is_start { &frame.start_bound } else { &frame.end_bound };
        let (offset, following) = match bound {
            WindowFrameBound::CurrentRow => match frame.units {
                WindowFrameUnits::Rows => return Ok(Edge::Row(0)),
                WindowFrameUnits::Range | WindowFrameUnits::Groups => return Ok(Edge::Peers),
            },
            WindowFrameBound::Preceding(offset) => (offset, false),
            WindowFrameBound::Following(offset) => (offset, true),
        };
        if offset.is_null() {
            return match following != is_start {
                true => Ok(Edge::Unbounded),
                false => Err(Error::query(format!("a frame cannot begin where the partition ends: {frame}"))),
            };
        }
        match frame.units {
            WindowFrameUnits::Rows => Ok(Edge::Row(signed(offset, following, frame)?)),
            WindowFrameUnits::Groups => Ok(Edge::Group(signed(offset, following, frame)?)),
            WindowFrameUnits::Range => self.range(call, offset, following),
        }
    }

    /// The columns of keys and of the last keys inside.
    fn range(&mut self, call: &WindowFunction, offset: &ScalarValue, following: bool) -> Result<Edge> {
        let [by] = call.params.order_by.as_slice() else {
            return Err(Error::query("a RANGE with a distance needs ORDER BY one key"));
        };
        let key_type = self.data_type(&by.expr)?;
        let (wide, distance) = wide(&key_type, offset)?;
        let key = match wide == key_type {
            true => by.expr.clone(),
            false => Expr::Cast(Cast::new(Box::new(by.expr.clone()), wide)),
        };
        let op = if following == by.asc { Operator::Plus } else { Operator::Minus };
        let (left, right) = (Box::new(key.clone()), Box::new(Expr::Literal(distance, None)));
        let target = Expr::BinaryExpr(BinaryExpr { left, op, right });
        let options = SortOptions { descending: !by.asc, nulls_first: by.nulls_first };
        Ok(Edge::Range { key: self.column(&key), target: self.column(&target), options, following })
    }
}

/// A type in which keys of `key` and their distance can be added without overflow, and the distance for it.
fn wide(key: &DataType, offset: &ScalarValue) -> Result<(DataType, ScalarValue)> {
    use DataType as T;
    let wide = match key {
        t if t.is_integer() => T::Decimal128(38, 0),
        t if t.is_floating() => T::Float64,
        T::Decimal32(_, s) | T::Decimal64(_, s) | T::Decimal128(_, s) | T::Decimal256(_, s) => T::Decimal256(76, *s),
        T::Date32 | T::Date64 => T::Timestamp(TimeUnit::Microsecond, None),
        T::Timestamp(..) => key.clone(),
        other => return Err(Error::unsupported(format!("a RANGE with a distance over {other}"))),
    };
    let number = match key.is_numeric() {
        true => offset.cast_to(&wide),
        false => offset.cast_to(&T::Interval(IntervalUnit::MonthDayNano)),
    };
    let distance = number.map_err(|_| Error::query(format!("{offset} is no distance between values of {key}")))?;
    if is_negative(&distance) {
        return Err(Error::query(format!("the distance of a frame must not be negative: {offset}")));
    }
    Ok((wide, distance))
}

fn is_negative(distance: &ScalarValue) -> bool {
    match distance {
        ScalarValue::Float64(Some(v)) => *v < 0.0 || v.is_nan(),
        ScalarValue::Decimal128(Some(v), ..) => *v < 0,
        ScalarValue::Decimal256(Some(v), ..) => v.is_negative(),
        ScalarValue::IntervalMonthDayNano(Some(v)) => v.months < 0 || v.days < 0 || v.nanoseconds < 0,
        _ => false,
    }
}

fn signed(offset: &ScalarValue, following: bool, frame: &WindowFrame) -> Result<i64> {
    let number = match offset.cast_to(&DataType::UInt64) {
        Ok(ScalarValue::UInt64(Some(n))) => i64::try_from(n).unwrap_or(i64::MAX),
        _ => return Err(Error::query(format!("the offset of a frame must be a number of rows: {frame}"))),
    };
    Ok(if following { number } else { -number })
}

/// The integer that `expr` is, if it is constant.
fn integer(expr: &Expr) -> Result<Option<i64>> {
    let value = match expr {
        Expr::Literal(value, _) => value.clone(),
        Expr::Negative(inner) => return Ok(integer(inner)?.map(i64::saturating_neg)),
        Expr::Cast(cast) => return integer(&cast.expr),
        _ => return Ok(None),
    };
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(n))) => Ok(Some(n)),
        Ok(ScalarValue::Int64(None)) => Ok(None),
        _ => Err(Error::query(format!("{value} is no number of rows"))),
    }
}

/// Our aggregate for DataFusion's name, where its state has a fixed width.
fn aggregate(name: &str) -> Option<Aggregate> {
    Some(match name {
        "count" => Aggregate::Count,
        "sum" => Aggregate::Sum,
        "avg" => Aggregate::Avg,
        "product" => Aggregate::Product,
        "min" => Aggregate::Min,
        "max" => Aggregate::Max,
        "var" | "var_samp" => Aggregate::Variance { sample: true, root: false },
        "var_pop" => Aggregate::Variance { sample: false, root: false },
        "stddev" | "stddev_samp" => Aggregate::Variance { sample: true, root: true },
        "stddev_pop" => Aggregate::Variance { sample: false, root: true },
        "covar_samp" | "covar" => Aggregate::Covariance { sample: true },
        "covar_pop" => Aggregate::Covariance { sample: false },
        "corr" => Aggregate::Corr,
        "bool_and" => Aggregate::BoolAnd,
        "bool_or" => Aggregate::BoolOr,
        "bit_and" => Aggregate::BitAnd,
        "bit_or" => Aggregate::BitOr,
        "bit_xor" => Aggregate::BitXor,
        _ => return None,
    })
}
