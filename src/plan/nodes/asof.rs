//! As-of join: rows of both sides become rows of one kind, are sorted by keys and time, and each row of the left side
//! finds the right row that it follows.
//!
//! ```text
//! left  --> keys, time, false, its columns, nulls --+
//! right --> keys, time, true, nulls, its columns  --+--> sort --> as-of
//! ```
//!
//! `left.time >= right.time` looks back: times ascend, and of equal times the right side is first. With `>` it is last;
//! with `<=` and `<` times descend.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::front::extra::Extra;
use crate::ops::asof::AsofOp;
use crate::ops::expr::from_datafusion;
use crate::ops::filter::FilterOp;
use crate::ops::sort::{SortKey, SortSpec};
use crate::plan::nodes::{project, sort};
use crate::plan::{Described, Lowering, Pipe, batch_schema, shorten};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{Column, JoinType, ScalarValue};
use datafusion_expr::logical_plan::UserDefinedLogicalNodeCore;
use datafusion_expr::type_coercion::binary::comparison_coercion;
use datafusion_expr::utils::conjunction;
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast, lit};
use std::sync::Arc;

/// Each row of `left` beside the nearest row of `right`.
pub fn lower(
    lowering: &mut Lowering,
    node: &Extra,
    join: JoinType,
    left: &LogicalPlan,
    right: &LogicalPlan,
) -> Result<Pipe> {
    let on = node.exprs.iter().map(|e| Condition::new(e, left, right)).collect::<Result<Vec<_>>>()?;
    let operator = on.last().map(|c| c.operator).ok_or_else(|| Error::internal("an as-of join without a time"))?;
    let schema = schema(&on, left, right);
    let mut pipe = side(lowering, left, &on, &schema, false, right)?;
    let other = side(lowering, right, &on, &schema, true, left)?;
    pipe.floor = pipe.floor.max(other.floor);
    pipe.inlets.extend(other.inlets);
    pipe.top = Described::new("union", "", Arc::new(Meter::default()), vec![pipe.top, other.top]);

    let detail = shorten(&node.exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "), 200);
    let columns = schema.fields().len();
    // One task puts the rows out, in one piece: that is what a limit of any number of rows means to a sort.
    let spec = SortSpec { input: schema, columns, keys: keys(on.len(), operator).into(), fetch: Some(usize::MAX) };
    let mut pipe = sort::sorted(lowering, pipe, spec, "sort", detail.clone())?;
    let op = AsofOp {
        keys: on.len() - 1,
        side: on.len(),
        left: (on.len() + 1, left.schema().fields().len()),
        keeps_left: join == JoinType::Left,
        schema: batch_schema(UserDefinedLogicalNodeCore::schema(node)),
    };
    pipe.push(Arc::new(op), "as-of join", detail);
    Ok(pipe)
}

/// A comparison of both sides, whose values have one type.
struct Condition {
    left: Expr,
    operator: Operator,
    right: Expr,
    data_type: DataType,
}

impl Condition {
    fn new(expr: &Expr, left: &LogicalPlan, right: &LogicalPlan) -> Result<Self> {
        let bare = expr.clone().unalias_nested().data;
        let Expr::BinaryExpr(BinaryExpr { left: l, op, right: r }) = &bare else {
            return Err(Error::internal(format!("{expr} is no comparison")));
        };
        let is_left = |e: &Expr| e.column_refs().iter().all(|c| left.schema().has_column(c));
        let (l, op, r) = match (is_left(l), op.swap()) {
            (true, _) => (l, *op, r),
            (false, Some(swapped)) => (r, swapped, l),
            (false, None) => return Err(Error::internal(format!("{expr} is no comparison"))),
        };
        let a = l.get_type(left.schema().as_ref()).map_err(from_datafusion)?;
        let b = r.get_type(right.schema().as_ref()).map_err(from_datafusion)?;
        let data_type = comparison_coercion(&a, &b)
            .ok_or_else(|| Error::query(format!("{l} of type {a} and {r} of type {b} cannot be compared")))?;
        let to = |e: &Expr, from| if from == data_type { e.clone() } else { cast(e.clone(), data_type.clone()) };
        Ok(Condition { left: to(l, a), operator: op, right: to(r, b), data_type: data_type.clone() })
    }
}

/// Keys and time, the side, the columns of both sides.
fn schema(on: &[Condition], left: &LogicalPlan, right: &LogicalPlan) -> SchemaRef {
    let columns = |plan: &LogicalPlan| -> Vec<DataType> {
        plan.schema().fields().iter().map(|f| f.data_type().clone()).collect()
    };
    let types = on.iter().map(|c| c.data_type.clone()).chain([DataType::Boolean]);
    let types = types.chain(columns(left)).chain(columns(right));
    let fields: Vec<Field> = types.enumerate().map(|(i, t)| Field::new(format!("c{i}"), t, true)).collect();
    Arc::new(Schema::new(fields))
}

/// The rows of one side, with nulls for the columns of the other.
fn side(
    lowering: &mut Lowering,
    plan: &LogicalPlan,
    on: &[Condition],
    schema: &SchemaRef,
    is_right: bool,
    other: &LogicalPlan,
) -> Result<Pipe> {
    let mut pipe = lowering.lower(plan)?;
    let values: Vec<Expr> = on.iter().map(|c| if is_right { c.right.clone() } else { c.left.clone() }).collect();
    if is_right && let Some(all) = conjunction(values.iter().map(|e| e.clone().is_not_null())) {
        // What has no key or no time is near to nothing.
        let predicate = Arc::new(lowering.compile(&mut pipe, &all, plan.schema())?);
        pipe.push(Arc::new(FilterOp { predicate }), "filter", shorten(&all.to_string(), 200));
    }
    let own: Vec<Expr> = plan.schema().iter().map(|field| Expr::Column(Column::from(field))).collect();
    let null = |field: &Arc<Field>| ScalarValue::try_from(field.data_type()).map(|v| Expr::Literal(v, None));
    let nulls: Vec<Expr> =
        other.schema().fields().iter().map(null).collect::<datafusion_common::Result<_>>().map_err(from_datafusion)?;
    let (left, right) = if is_right { (nulls, own) } else { (own, nulls) };
    let exprs: Vec<Expr> = values.into_iter().chain([lit(is_right)]).chain(left).chain(right).collect();
    project::add(lowering, &mut pipe, &exprs, plan.schema(), schema.clone())?;
    Ok(pipe)
}

/// By keys, then by time, then by side; `count` columns are keys and the time.
fn keys(count: usize, operator: Operator) -> Vec<SortKey> {
    let looks_back = matches!(operator, Operator::Gt | Operator::GtEq);
    let right_first = matches!(operator, Operator::GtEq | Operator::LtEq);
    let key = |column, descending| SortKey { column, options: SortOptions { descending, nulls_first: true } };
    let keys = (0..count.saturating_sub(1)).map(|i| key(i, false));
    keys.chain([key(count.saturating_sub(1), !looks_back), key(count, right_first)]).collect()
}
