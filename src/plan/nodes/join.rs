//! Join: the smaller side (by guess) is kept in tables, the other one streams through them inside its pipeline.
//!
//! ```text
//! build side --> build: combine --> tables --+
//! probe side -----------------------------> probe --> settle --> deferred: what had no table
//! ```

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::front::extra::{Extra, Kind as Which};
use crate::front::stats::{Side, build_side};
use crate::ops::expr::from_datafusion;
use crate::ops::join::{Alone, From, Input, Join as Wanted, JoinOp, Kind, Residual};
use crate::plan::{Inlet, Lowering, Outlet, Pipe, batch_schema, nodes::project, shorten};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{DFSchema, JoinType, NullEquality};
use datafusion_expr::type_coercion::binary::comparison_coercion;
use datafusion_expr::{Expr, ExprSchemable, Join, LogicalPlan, cast};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The joins of a plan, those of its subqueries too; those of a shared plan once.
pub fn count(plan: &LogicalPlan) -> Result<usize> {
    let (mut joins, mut seen) = (0, HashSet::new());
    let count = |node: &LogicalPlan| {
        if let Some(Which::Shared(number)) = Extra::of(node).map(|extra| extra.kind)
            && !seen.insert(number)
        {
            return Ok(TreeNodeRecursion::Jump);
        }
        joins += usize::from(matches!(node, LogicalPlan::Join(_)));
        Ok(TreeNodeRecursion::Continue)
    };
    plan.apply_with_subqueries(count).map_err(from_datafusion)?;
    Ok(joins)
}

/// Rows of both sides that meet, and rows that do not, as the kind of the join says.
pub fn lower(lowering: &mut Lowering, node: &Join) -> Result<Pipe> {
    // Whether a null is in the list must be known before rows are looked up in it.
    let side = if node.null_aware { Side::Right } else { build_side(node) };
    let keys = keys(node)?;
    let (left_keys, right_keys): (Vec<Expr>, Vec<Expr>) = keys.into_iter().unzip();
    let (build, build_keys, probe, probe_keys) = match side {
        Side::Left => (&node.left, left_keys, &node.right, right_keys),
        Side::Right => (&node.right, right_keys, &node.left, left_keys),
    };
    let (build_pipe, build_input) = input(lowering, build, build_keys)?;
    let (mut pipe, probe_input) = input(lowering, probe, probe_keys)?;

    let limits = lowering.limits.clone();
    let bits = if node.on.is_empty() { 0 } else { limits.tuning.partition_bits(limits.memory / lowering.joins) };
    let residual = residual(lowering, &mut pipe, node, side)?;
    let wanted = Wanted {
        kind: kind(node.join_type, side),
        build: build_input,
        probe: probe_input,
        residual,
        null_equals_null: node.null_equality == NullEquality::NullEqualsNull,
        null_aware: node.null_aware,
        columns: columns(node, side),
        output: batch_schema(&node.schema),
        bits,
        beside: beside(&pipe, limits.threads),
        least: pipe.floor + pipe.inlets.iter().map(|inlet| inlet.layout.floor()).max().unwrap_or(0),
        undecided: lowering.undecided.clone(),
    };
    joined(lowering, Sides { build: build_pipe, probe: pipe }, wanted, &described(node))
}

/// Bytes that the tasks of the probe side have in flight.
fn beside(pipe: &Pipe, threads: usize) -> usize {
    threads * pipe.inlets.iter().map(|inlet| inlet.in_flight).max().unwrap_or(0)
}

/// The two pipelines that meet in a join.
pub struct Sides {
    /// The side that is kept.
    pub build: Pipe,
    /// The side that streams.
    pub probe: Pipe,
}

/// Lays the stages of a join.
pub fn joined(lowering: &mut Lowering, sides: Sides, wanted: Wanted, detail: &str) -> Result<Pipe> {
    let (limits, below) = (lowering.limits.clone(), Arc::new(Meter::default()));
    let mut pipe = sides.probe;
    let op = Arc::new(JoinOp::new(wanted, below.clone())?);
    let page = limits.page();
    let outlet = Outlet { meter: below, ..Outlet::new(op.clone(), "build", op.build_floor(page)) };
    let (combined, below) = lowering.close(sides.build, outlet);
    let made =
        lowering.stages.add("join: tables".into(), vec![combined], Arc::new(op.tables_layout()), op.tables_work());

    pipe.wait_for(made);
    let slots = pipe.push(op.clone(), "join", shorten(detail, 200));
    pipe.top.inputs.push(below);
    pipe.inlets.push(Inlet {
        name: "join: deferred".into(),
        source: op.deferred(),
        meter: slots.meter.clone(),
        layout: Arc::new(op.deferred_layout(page)),
        tasks: None,
        in_flight: 2 * limits.tuning.batch_bytes,
        after: Vec::new(),
        transforms: Vec::new(),
        settles: vec![slots],
    });
    Ok(pipe)
}

fn described(node: &Join) -> String {
    let on: Vec<String> = node.on.iter().map(|(l, r)| format!("{l} = {r}")).collect();
    let filter = node.filter.iter().map(ToString::to_string);
    format!("{} on {}", node.join_type, on.into_iter().chain(filter).collect::<Vec<_>>().join(" and "))
}

/// The keys of both sides, of equal types.
fn keys(node: &Join) -> Result<Vec<(Expr, Expr)>> {
    let one = |(l, r): &(Expr, Expr)| {
        let left = l.get_type(node.left.schema().as_ref()).map_err(from_datafusion)?;
        let right = r.get_type(node.right.schema().as_ref()).map_err(from_datafusion)?;
        // Columns of the type null say nowhere that their values are null.
        if left.is_null() && right.is_null() {
            return Ok((cast(l.clone(), DataType::Boolean), cast(r.clone(), DataType::Boolean)));
        }
        if left == right {
            return Ok((l.clone(), r.clone()));
        }
        let common = comparison_coercion(&left, &right)
            .ok_or_else(|| Error::query(format!("{l} of type {left} and {r} of type {right} cannot be compared")))?;
        let to = |e: &Expr, from| if from == common { e.clone() } else { cast(e.clone(), common.clone()) };
        Ok((to(l, left), to(r, right)))
    };
    node.on.iter().map(one).collect()
}

/// One side's pipeline, with a column for each key.
fn input(lowering: &mut Lowering, plan: &LogicalPlan, keys: Vec<Expr>) -> Result<(Pipe, Input)> {
    let mut pipe = lowering.lower(plan)?;
    let schema = plan.schema();
    let mut exprs: Vec<Expr> = schema.iter().map(|field| Expr::Column(field.into())).collect();
    let (mut places, columns) = (Vec::with_capacity(keys.len()), exprs.len());
    let mut fields: Vec<Field> = batch_schema(schema).fields().iter().map(|f| f.as_ref().clone()).collect();
    for key in keys {
        let known = match &key {
            Expr::Column(column) => schema.maybe_index_of_column(column),
            other => exprs.iter().position(|e| e == other),
        };
        places.push(known.unwrap_or(exprs.len()));
        if known.is_none() {
            let data_type = key.get_type(schema.as_ref()).map_err(from_datafusion)?;
            fields.push(Field::new(format!("key {}", places.len()), data_type, true));
            exprs.push(key);
        }
    }
    let made = Arc::new(Schema::new(fields));
    if exprs.len() > columns {
        project::add(lowering, &mut pipe, &exprs, schema, made.clone())?;
    }
    Ok((pipe, Input { schema: made, keys: places }))
}

/// Which column of which side the `index`-th column of left and right together is.
fn from(index: usize, left: usize, side: Side) -> From {
    let (is_left, column) = if index < left { (true, index) } else { (false, index - left) };
    if is_left == (side == Side::Left) { From::Build(column) } else { From::Probe(column) }
}

/// Where the columns of the result come from.
fn columns(node: &Join, side: Side) -> Vec<From> {
    let (left, right) = (node.left.schema().fields().len(), node.right.schema().fields().len());
    let range = |range: std::ops::Range<usize>| range.map(|i| from(i, left, side)).collect::<Vec<_>>();
    let mut columns = match node.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => range(0..left),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => range(left..left + right),
        _ => range(0..left + right),
    };
    if matches!(node.join_type, JoinType::LeftMark | JoinType::RightMark) {
        columns.push(From::Mark);
    }
    columns
}

/// The kind of the join, seen from the sides that are built and probed.
fn kind(join: JoinType, side: Side) -> Kind {
    use Alone::{Marked, Matched, No, Unmatched};
    let (pairs, left, right) = match join {
        JoinType::Inner => (true, No, No),
        JoinType::Left => (true, Unmatched, No),
        JoinType::Right => (true, No, Unmatched),
        JoinType::Full => (true, Unmatched, Unmatched),
        JoinType::LeftSemi => (false, Matched, No),
        JoinType::RightSemi => (false, No, Matched),
        JoinType::LeftAnti => (false, Unmatched, No),
        JoinType::RightAnti => (false, No, Unmatched),
        JoinType::LeftMark => (false, Marked, No),
        JoinType::RightMark => (false, No, Marked),
    };
    let (build, probe) = if side == Side::Left { (left, right) } else { (right, left) };
    Kind { pairs, probe, build }
}

/// The condition beside the keys, over the columns that it needs.
fn residual(lowering: &Lowering, pipe: &mut Pipe, node: &Join, side: Side) -> Result<Option<Residual>> {
    let Some(filter) = &node.filter else { return Ok(None) };
    let (left, right) = (node.left.schema(), node.right.schema());
    let count = left.fields().len();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for column in filter.column_refs() {
        let in_right = || right.maybe_index_of_column(column).map(|i| i + count);
        let index = left.maybe_index_of_column(column).or_else(in_right);
        let index = index.ok_or_else(|| Error::internal(format!("{column} is on neither side of a join")))?;
        let (qualifier, field) =
            if index < count { left.qualified_field(index) } else { right.qualified_field(index - count) };
        fields.push((qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(true))));
        columns.push(from(index, count, side));
    }
    let schema = DFSchema::new_with_metadata(fields, HashMap::new()).map_err(from_datafusion)?;
    let test = lowering.compile(pipe, filter, &schema)?;
    Ok(Some(Residual { columns, schema: batch_schema(&schema), test }))
}
