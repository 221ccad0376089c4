//! A table: one task for each split of its files, piece of its series or partition of its supply, or one for a
//! stored table.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::formats::{ScanSpec, Table, is_json};
use crate::front::{Source, TableRef};
use crate::graph::Fixed;
use crate::ops::collect::{Collected, CollectedOp, From};
use crate::ops::expr::from_datafusion;
use crate::ops::filter::FilterOp;
use crate::ops::scan::ScanOp;
use crate::ops::series::{Series, SeriesOp};
use crate::ops::supply::{Supply, SupplyOp};
use crate::plan::{Described, Inlet, Lowering, Pipe, batch_schema, nodes::limit, nodes::project, shorten};
use datafusion_common::DFSchema;
use datafusion_expr::utils::conjunction;
use datafusion_expr::{Expr, TableScan};
use std::sync::Arc;

/// The wanted columns of a table.
pub fn lower(lowering: &mut Lowering, node: &TableScan) -> Result<Pipe> {
    let source = Source::of(node.source.as_ref()).ok_or_else(|| Error::internal("a table of an unknown kind"))?;
    let mut pipe = match &source.table {
        TableRef::Files(table) => files(lowering, node, table)?,
        TableRef::Stored(rows, ..) => stored(lowering, node, rows.downcast_ref::<Collected>())?,
        TableRef::Series(series, _) => counted(lowering, node, series)?,
        TableRef::Supplied(supply) => supplied(lowering, node, supply)?,
        TableRef::View(..) => return Err(Error::internal("a view that was not expanded")),
    };
    limit::per_task(&mut pipe, 0, node.fetch);
    Ok(pipe)
}

fn files(lowering: &Lowering, node: &TableScan, table: &Arc<Table>) -> Result<Pipe> {
    let limits = &lowering.limits;
    let all = || (0..table.schema.fields().len()).collect();
    let spec = ScanSpec {
        projection: node.projection.clone().unwrap_or_else(all),
        filter: lowering.row_filter(node, &table.schema)?.map(Arc::new),
        batch_rows: limits.tuning.batch_rows,
        batch_bytes: limits.tuning.batch_bytes,
        files: None,
        rejects: lowering.rejects.clone(),
        budget: lowering.budget.clone(),
    };
    let (table, lease) = table.for_query(&lowering.stages.graph.cancel);
    let scan: Arc<dyn crate::formats::Scan> = table.scan(spec, limits.split_bytes())?.into();
    let tasks = scan.splits().len();
    let in_flight = scan.floor() + lease + 2 * limits.tuning.batch_bytes;
    let detail = match conjunction(node.filters.clone()) {
        Some(filter) => format!("{} where {filter}", node.table_name),
        None => node.table_name.to_string(),
    };
    let schema = batch_schema(&node.projected_schema);
    let name = format!("scan {}", node.table_name);
    let pipe = pipe(name, Arc::new(ScanOp { scan, schema }), detail, in_flight, tasks);
    let read: Vec<usize> = node.projection.clone().unwrap_or_else(all);
    let mixed = read.iter().filter_map(|column| table.schema.fields().get(*column)).filter(|field| is_json(field));
    let mixed: Vec<&str> = mixed.map(|field| field.name().as_str()).collect();
    if !mixed.is_empty() {
        pipe.top.meter.note(format!("{} as text of JSON, for values of different kinds", mixed.join(", ")));
    }
    Ok(pipe)
}

fn stored(lowering: &Lowering, node: &TableScan, rows: Option<&Collected>) -> Result<Pipe> {
    let rows = rows.ok_or_else(|| Error::internal("a stored table of an unknown kind"))?.clone();
    let source = Arc::new(CollectedOp { from: From::Stored(rows) });
    let in_flight = 2 * lowering.limits.tuning.batch_bytes;
    let name = format!("read {}", node.table_name);
    narrowed(lowering, node, pipe(name, source, node.table_name.to_string(), in_flight, 1))
}

fn counted(lowering: &Lowering, node: &TableScan, series: &Arc<Series>) -> Result<Pipe> {
    let (source, tasks) = (Arc::new(SeriesOp(series.clone())), series.pieces());
    let in_flight = 2 * lowering.limits.tuning.batch_bytes;
    let name = format!("count {}", node.table_name);
    narrowed(lowering, node, pipe(name, source, node.table_name.to_string(), in_flight, tasks))
}

fn supplied(lowering: &Lowering, node: &TableScan, supply: &Arc<Supply>) -> Result<Pipe> {
    let (source, tasks) = (Arc::new(SupplyOp(supply.clone())), supply.partitions());
    let in_flight = 2 * lowering.limits.tuning.batch_bytes;
    let name = format!("take {}", node.table_name);
    narrowed(lowering, node, pipe(name, source, node.table_name.to_string(), in_flight, tasks))
}

/// The filters and the projection of a scan, over all columns of its table.
fn narrowed(lowering: &Lowering, node: &TableScan, mut pipe: Pipe) -> Result<Pipe> {
    if node.filters.is_empty() && node.projection.is_none() {
        return Ok(pipe);
    }
    let all = node.source.schema();
    let whole = DFSchema::try_from_qualified_schema(node.table_name.clone(), &all).map_err(from_datafusion)?;
    if let Some(filter) = conjunction(node.filters.clone()) {
        let predicate = Arc::new(lowering.compile(&mut pipe, &filter, &whole)?);
        pipe.push(Arc::new(FilterOp { predicate }), "filter", filter.to_string());
    }
    if let Some(projection) = &node.projection {
        let exprs: Vec<Expr> = projection.iter().map(|i| Expr::Column(whole.qualified_field(*i).into())).collect();
        project::add(lowering, &mut pipe, &exprs, &whole, batch_schema(&node.projected_schema))?;
    }
    Ok(pipe)
}

fn pipe(name: String, source: Arc<dyn crate::ops::SourceOp>, detail: String, in_flight: usize, tasks: usize) -> Pipe {
    let layout = Arc::new(Fixed { tasks, floor: 0 });
    let meter = Arc::new(Meter::default());
    let top = Described::new("scan", shorten(&detail, 200), meter.clone(), Vec::new());
    let inlet = Inlet {
        name,
        source,
        meter,
        layout,
        in_flight,
        tasks: Some(tasks),
        after: Vec::new(),
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    Pipe::from(inlet, top)
}
