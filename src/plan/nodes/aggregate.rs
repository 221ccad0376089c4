//! Aggregate: keys and arguments are computed first, then rows meet in partitions by the hash of their keys.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::ops::aggregate::quantile::{Quantile, Rank};
use crate::ops::aggregate::{Aggregate as Wanted, AggregateOp, Function};
use crate::plan::nodes::apart::Apart;
use crate::plan::{Described, Inlet, Lowering, Outlet, Pipe, batch_schema, nodes::project, shorten};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::ScalarValue;
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::{Aggregate, Expr, ExprSchemable, LogicalPlan, lit, when};
use std::sync::Arc;

/// One row for each different combination of keys.
pub fn lower(lowering: &mut Lowering, node: &Aggregate) -> Result<Pipe> {
    let mut pipe = lowering.lower(&node.input)?;
    let columns = Columns::new(node)?;
    let schema = columns.schema(node)?;
    project::add(lowering, &mut pipe, &columns.exprs, node.input.schema(), schema.clone())?;

    let limits = &lowering.limits;
    let groups = (0..node.group_expr.len()).collect();
    let output = batch_schema(&node.schema);
    let (tuning, meter) = (&limits.tuning, Arc::new(Meter::default()));
    let op = AggregateOp::new(&schema, groups, &columns.wanted, output, tuning, limits.memory, meter.clone())?;
    if !columns.apart.is_empty() {
        let also = columns.plain.then(|| op.clone());
        pipe = super::apart::lower(lowering, pipe, &schema, node.group_expr.len(), &columns.apart, also)?;
    }
    Ok(finish(lowering, pipe, op, meter, described(node)))
}

/// Each different row once.
pub fn lower_distinct(lowering: &mut Lowering, input: &Arc<LogicalPlan>) -> Result<Pipe> {
    let columns = input.schema().columns().into_iter().map(Expr::Column).collect();
    let node = Aggregate::try_new(input.clone(), columns, Vec::new()).map_err(crate::ops::expr::from_datafusion)?;
    lower(lowering, &node)
}

fn finish(lowering: &mut Lowering, pipe: Pipe, op: AggregateOp, below: Arc<Meter>, detail: String) -> Pipe {
    let limits = &lowering.limits;
    let op = Arc::new(op);
    let outlet = Outlet {
        op: op.clone(),
        name: "aggregate",
        detail: shorten(&detail, 200),
        floor: op.floor(limits.page(), &limits.tuning),
        meter: below,
    };
    let layout = Arc::new(op.layout(limits.page()));
    let (combined, below) = lowering.close(pipe, outlet);

    let meter = Arc::new(Meter::default());
    let top = Described::new("groups", "", meter.clone(), vec![below]);
    let inlet = Inlet {
        name: "aggregate: groups".into(),
        source: op,
        meter,
        layout,
        in_flight: 2 * lowering.limits.tuning.batch_bytes,
        tasks: None,
        after: vec![combined],
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    Pipe::from(inlet, top)
}

fn described(node: &Aggregate) -> String {
    let list = |exprs: &[Expr]| exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match node.group_expr.is_empty() {
        true => list(&node.aggr_expr),
        false => format!("{} by {}", list(&node.aggr_expr), list(&node.group_expr)),
    }
}

/// The columns that an aggregate's input is computed to: the keys first, then every different argument, and places for
/// what is computed apart, which are null here.
struct Columns<'a> {
    exprs: Vec<Expr>,
    wanted: Vec<Wanted>,
    /// What is computed apart.
    apart: Vec<Apart>,
    /// Whether there is anything that is not.
    plain: bool,
    node: &'a Aggregate,
}

impl<'a> Columns<'a> {
    fn new(node: &'a Aggregate) -> Result<Self> {
        if let Some(set) = node.group_expr.iter().find(|e| matches!(e, Expr::GroupingSet(_))) {
            return Err(Error::unsupported(format!("grouping sets are not supported yet: {set}")));
        }
        let exprs = node.group_expr.clone();
        let mut columns = Columns { exprs, wanted: Vec::new(), apart: Vec::new(), plain: false, node };
        let mut plain = Vec::new();
        for expr in &node.aggr_expr {
            let apart = columns.wanted_apart(call(expr)?, expr)?;
            if apart.is_none() {
                plain.push(columns.wanted.len());
            }
            let wanted = apart.map_or_else(|| columns.wanted(call(expr)?, expr), Ok)?;
            columns.wanted.push(wanted);
        }
        columns.plain = !plain.is_empty();
        if !columns.apart.is_empty() {
            columns.only_input_rows(&plain);
        }
        Ok(columns)
    }

    fn wanted(&mut self, call: &AggregateFunction, expr: &Expr) -> Result<Wanted> {
        let name = call.func.name();
        let function = function(name).ok_or_else(|| not_yet(expr))?;
        let params = &call.params;
        let counts_rows = |e: &&Expr| !(name == "count" && matches!(e, Expr::Literal(value, _) if !value.is_null()));
        let arguments = params.args.iter().filter(counts_rows).map(|e| self.column(e)).collect();
        let filter = params.filter.as_ref().map(|e| self.column(e));
        Ok(Wanted { function, arguments, filter })
    }

    /// An aggregate of values that are computed apart: its arguments are their places.
    fn wanted_apart(&mut self, call: &AggregateFunction, expr: &Expr) -> Result<Option<Wanted>> {
        let params = &call.params;
        let name = call.func.name();
        if let Some(rank) = rank(call, expr)? {
            let value = params.args.first().filter(|_| !params.distinct).ok_or_else(|| not_yet(expr))?;
            let argument = self.only(value, params.filter.as_deref())?;
            let quantile = Quantile { argument, rank };
            let place = self.quantile(quantile)?;
            return Ok(Some(Wanted { function: Function::Max, arguments: vec![place], filter: None }));
        }
        let keeps_its_value = matches!(name, "min" | "max" | "bool_and" | "bool_or" | "bit_and" | "bit_or");
        if !params.distinct || keeps_its_value {
            return Ok(None);
        }
        let function = function(name).ok_or_else(|| not_yet(expr))?;
        let filter = params.filter.as_deref();
        let arguments = params.args.iter().map(|e| self.only(e, filter)).collect::<Result<_>>()?;
        Ok(Some(Wanted { function, arguments: self.distinct(arguments)?, filter: None }))
    }

    /// The column that holds `expr` where `filter` is true, else null.
    fn only(&mut self, expr: &Expr, filter: Option<&Expr>) -> Result<usize> {
        match filter {
            None => Ok(self.column(expr)),
            Some(filter) => {
                let case = when(filter.clone(), expr.clone()).end().map_err(crate::ops::expr::from_datafusion)?;
                Ok(self.column(&case))
            }
        }
    }

    /// The places of the different values of `arguments`.
    fn distinct(&mut self, arguments: Vec<usize>) -> Result<Vec<usize>> {
        for apart in &self.apart {
            if let Apart::Distinct { columns, places } = apart
                && *columns == arguments
            {
                return Ok(places.clone());
            }
        }
        let places = arguments.iter().map(|c| self.place(*c)).collect::<Result<Vec<_>>>()?;
        self.apart.push(Apart::Distinct { columns: arguments, places: places.clone() });
        Ok(places)
    }

    /// The place of a quantile. All quantiles are computed together.
    fn quantile(&mut self, quantile: Quantile) -> Result<usize> {
        let place = self.place(quantile.argument)?;
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

    /// A new column of nulls, of the type of the column `like`.
    fn place(&mut self, like: usize) -> Result<usize> {
        let data_type = match self.exprs.get(like) {
            Some(expr) => expr.get_type(self.node.input.schema().as_ref()),
            None => return Err(Error::internal("an aggregate has no such column")),
        };
        let null = data_type.and_then(|t| ScalarValue::try_from(&t)).map_err(crate::ops::expr::from_datafusion)?;
        Ok(self.new_column(Expr::Literal(null, None)))
    }

    /// Rows of what is computed apart must not count for the other aggregates: they have no filter's value.
    fn only_input_rows(&mut self, plain: &[usize]) {
        let is_input = self.new_column(lit(true));
        for i in plain {
            let filter = self.wanted.get(*i).and_then(|w| w.filter);
            let filter = match filter {
                None => is_input,
                // A key is there in those rows, too.
                Some(f) if f < self.node.group_expr.len() => self.new_column(self.node.group_expr[f].clone()),
                Some(f) => f,
            };
            if let Some(wanted) = self.wanted.get_mut(*i) {
                wanted.filter = Some(filter);
            }
        }
    }

    fn new_column(&mut self, expr: Expr) -> usize {
        self.exprs.push(expr);
        self.exprs.len() - 1
    }

    /// The column that holds `expr`.
    fn column(&mut self, expr: &Expr) -> usize {
        // Nulls may be places of something else.
        let known = self.exprs.iter().position(|e| e == expr && !matches!(e, Expr::Literal(..)));
        known.unwrap_or_else(|| self.new_column(expr.clone()))
    }

    fn schema(&self, node: &Aggregate) -> Result<Arc<Schema>> {
        let input = node.input.schema();
        let field = |(i, e): (usize, &Expr)| {
            let data_type = e.get_type(input.as_ref()).map_err(crate::ops::expr::from_datafusion)?;
            Ok(Field::new(format!("c{i}"), data_type, true))
        };
        let fields = self.exprs.iter().enumerate().map(field).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(Schema::new(fields)))
    }
}

fn call(expr: &Expr) -> Result<&AggregateFunction> {
    match expr {
        Expr::AggregateFunction(call) => Ok(call),
        Expr::Alias(alias) => call(&alias.expr),
        other => Err(Error::internal(format!("{other} is not an aggregate"))),
    }
}

/// Which value of a group's an aggregate asks for, if it is a quantile; the approximate ones are computed exactly.
fn rank(call: &AggregateFunction, expr: &Expr) -> Result<Option<Rank>> {
    match call.func.name() {
        "median" | "approx_median" => return Ok(Some(Rank::Median)),
        "percentile_cont" | "approx_percentile_cont" => {}
        _ => return Ok(None),
    }
    let share = match call.params.args.get(1) {
        Some(Expr::Literal(value, _)) => value.cast_to(&DataType::Float64).ok(),
        _ => None,
    };
    let Some(ScalarValue::Float64(Some(share))) = share else {
        return Err(Error::unsupported(format!("the share of a quantile must be a constant: {expr}")));
    };
    if !(0.0..=1.0).contains(&share) {
        return Err(Error::query(format!("the share of a quantile must be between 0 and 1: {expr}")));
    }
    let descending = call.params.order_by.first().is_some_and(|by| !by.asc);
    Ok(Some(Rank::Continuous(if descending { 1.0 - share } else { share })))
}

fn not_yet(expr: &Expr) -> Error {
    Error::unsupported(format!("the aggregate {expr} is not supported yet"))
}

/// Our function for DataFusion's name.
fn function(name: &str) -> Option<Function> {
    Some(match name {
        "count" => Function::Count,
        "sum" => Function::Sum,
        "avg" => Function::Avg,
        "min" => Function::Min,
        "max" => Function::Max,
        "var" | "var_samp" => Function::Variance { sample: true },
        "var_pop" => Function::Variance { sample: false },
        "stddev" | "stddev_samp" => Function::Stddev { sample: true },
        "stddev_pop" => Function::Stddev { sample: false },
        "covar_samp" | "covar" => Function::Covariance { sample: true },
        "covar_pop" => Function::Covariance { sample: false },
        "corr" => Function::Corr,
        "bool_and" => Function::BoolAnd,
        "bool_or" => Function::BoolOr,
        "bit_and" => Function::BitAnd,
        "bit_or" => Function::BitOr,
        "bit_xor" => Function::BitXor,
        _ => return None,
    })
}
