//! Aggregate: keys and arguments are computed first, then rows meet in partitions by the hash of their keys.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::ops::aggregate::{Aggregate as Wanted, AggregateOp, Function};
use crate::plan::{Described, Inlet, Lowering, Outlet, Pipe, batch_schema, nodes::project, shorten};
use arrow::datatypes::{Field, Schema};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::{Aggregate, Expr, ExprSchemable};
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
    let (tuning, below) = (&limits.tuning, Arc::new(Meter::default()));
    let op = AggregateOp::new(&schema, groups, &columns.wanted, output, tuning, limits.memory, below.clone())?;
    let op = Arc::new(op);
    let outlet = Outlet {
        op: op.clone(),
        name: "aggregate",
        detail: shorten(&described(node), 200),
        floor: op.floor(limits.page(), tuning),
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
    Ok(Pipe::from(inlet, top))
}

fn described(node: &Aggregate) -> String {
    let list = |exprs: &[Expr]| exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match node.group_expr.is_empty() {
        true => list(&node.aggr_expr),
        false => format!("{} by {}", list(&node.aggr_expr), list(&node.group_expr)),
    }
}

/// The columns that an aggregate's input is computed to: the keys first, then every different argument.
struct Columns {
    exprs: Vec<Expr>,
    wanted: Vec<Wanted>,
}

impl Columns {
    fn new(node: &Aggregate) -> Result<Self> {
        if let Some(set) = node.group_expr.iter().find(|e| matches!(e, Expr::GroupingSet(_))) {
            return Err(Error::unsupported(format!("grouping sets are not supported yet: {set}")));
        }
        let mut columns = Columns { exprs: node.group_expr.clone(), wanted: Vec::new() };
        for expr in &node.aggr_expr {
            let call = call(expr)?;
            let wanted = columns.wanted(call, expr)?;
            columns.wanted.push(wanted);
        }
        Ok(columns)
    }

    fn wanted(&mut self, call: &AggregateFunction, expr: &Expr) -> Result<Wanted> {
        let name = call.func.name();
        let function = function(name).ok_or_else(|| not_yet(expr))?;
        let params = &call.params;
        let keeps_its_value = matches!(name, "min" | "max" | "bool_and" | "bool_or" | "bit_and" | "bit_or");
        if params.distinct && !keeps_its_value {
            return Err(not_yet(expr));
        }
        let counts_rows = |e: &&Expr| !(name == "count" && matches!(e, Expr::Literal(value, _) if !value.is_null()));
        let arguments = params.args.iter().filter(counts_rows).map(|e| self.column(e)).collect();
        let filter = params.filter.as_ref().map(|e| self.column(e));
        Ok(Wanted { function, arguments, filter })
    }

    /// The column that holds `expr`.
    fn column(&mut self, expr: &Expr) -> usize {
        let known = self.exprs.iter().position(|e| e == expr);
        known.unwrap_or_else(|| {
            self.exprs.push(expr.clone());
            self.exprs.len() - 1
        })
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
