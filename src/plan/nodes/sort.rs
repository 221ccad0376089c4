//! Sort: keys that are no plain columns are computed behind the input's columns first; rows are put out without them.

use crate::error::Result;
use crate::events::Meter;
use crate::ids::StageId;
use crate::ops::sort::{SortKey, SortOp, SortSpec};
use crate::plan::{Described, Inlet, Lowering, Outlet, Pipe, batch_schema, nodes::project, shorten};
use arrow::compute::SortOptions;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::DFSchema;
use datafusion_expr::{Expr, ExprSchemable, Sort};
use std::sync::Arc;

/// All rows in order, or the first ones.
pub fn lower(lowering: &mut Lowering, node: &Sort) -> Result<Pipe> {
    let mut pipe = lowering.lower(&node.input)?;
    let input = node.input.schema();
    let columns = Columns::new(node, input)?;
    if columns.exprs.len() > columns.plain {
        project::add(lowering, &mut pipe, &columns.exprs, input, columns.schema.clone())?;
    }
    external(lowering, pipe, node, columns)
}

fn external(lowering: &mut Lowering, pipe: Pipe, node: &Sort, columns: Columns) -> Result<Pipe> {
    let spec = SortSpec { input: columns.schema, columns: columns.plain, keys: columns.keys.into(), fetch: node.fetch };
    match node.fetch {
        Some(fetch) => sorted(lowering, pipe, spec, "top-k", format!("{fetch} rows by {}", described(node))),
        None => sorted(lowering, pipe, spec, "sort", described(node)),
    }
}

/// The rows of `pipe` in order, by the external sort, under a name for people.
pub fn sorted(lowering: &mut Lowering, pipe: Pipe, spec: SortSpec, name: &'static str, detail: String) -> Result<Pipe> {
    let (limits, below) = (lowering.limits.clone(), Arc::new(Meter::default()));
    let page = limits.page();
    let op = SortOp::new(spec, &limits.tuning, limits.memory, page, limits.threads, below.clone())?;
    Ok(sorted_into(lowering, pipe, op, name, detail, below))
}

/// The rows of `pipe` in order, by a sort that was made.
pub fn sorted_into(
    lowering: &mut Lowering,
    pipe: Pipe,
    op: SortOp,
    name: &'static str,
    detail: String,
    below: Arc<Meter>,
) -> Pipe {
    let op = Arc::new(op);
    let outlet = Outlet { op: op.clone(), name, detail, floor: op.floor(&lowering.limits.tuning), meter: below };
    let (combined, below) = lowering.close(pipe, outlet);
    merged(lowering, op, combined, below)
}

/// The rows of a sort in order, once the stage `combined` has put its workers' rows together.
pub fn merged(lowering: &mut Lowering, op: Arc<SortOp>, combined: StageId, below: Described) -> Pipe {
    let (passes, work) = op.passes();
    let passes = lowering.stages.add("sort: passes".into(), vec![combined], Arc::new(passes), work);

    let meter = Arc::new(Meter::default());
    let top = Described::new("merge", "", meter.clone(), vec![below]);
    let inlet = Inlet {
        name: "sort: merge".into(),
        layout: Arc::new(op.layout()),
        source: op,
        meter,
        tasks: None,
        after: vec![passes],
        transforms: Vec::new(),
        settles: Vec::new(),
        in_flight: 2 * lowering.limits.tuning.batch_bytes,
    };
    Pipe::from(inlet, top)
}

fn described(node: &Sort) -> String {
    shorten(&node.expr.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), 200)
}

/// The columns that are sorted: those of the input, then the keys that must be computed.
struct Columns {
    exprs: Vec<Expr>,
    /// How many are the input's.
    plain: usize,
    keys: Vec<SortKey>,
    schema: SchemaRef,
}

impl Columns {
    fn new(node: &Sort, input: &DFSchema) -> Result<Self> {
        let mut exprs: Vec<Expr> = input.columns().into_iter().map(Expr::Column).collect();
        let plain = exprs.len();
        let mut fields: Vec<Field> = batch_schema(input).fields().iter().map(|f| f.as_ref().clone()).collect();
        let mut keys = Vec::with_capacity(node.expr.len());
        for sort in &node.expr {
            let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            let column = match column(&sort.expr, input) {
                Some(column) => column,
                None => {
                    let data_type = sort.expr.get_type(input).map_err(crate::ops::expr::from_datafusion)?;
                    fields.push(Field::new(format!("key{}", exprs.len()), data_type, true));
                    exprs.push(sort.expr.clone());
                    exprs.len() - 1
                }
            };
            keys.push(SortKey { column, options });
        }
        Ok(Columns { exprs, plain, keys, schema: Arc::new(Schema::new(fields)) })
    }
}

/// The input's column that `expr` is.
fn column(expr: &Expr, input: &DFSchema) -> Option<usize> {
    match expr {
        Expr::Alias(alias) => column(&alias.expr, input),
        Expr::Column(column) => input.maybe_index_of_column(column),
        _ => None,
    }
}
