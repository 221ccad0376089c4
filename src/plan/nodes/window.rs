//! Windows: rows are sorted by partition and order, then one pass adds a column for each window.
//!
//! 1. Nested nodes are taken together as far as the outer ones do not read what the inner ones compute.
//! 2. Windows are put into as few passes as their keys allow ([`passes`]): one sort serves all windows whose partition and
//!    order are a beginning of its keys. A window that sees single rows (`ROWS`, `row_number`, `lag`) has its own order, so
//!    that ties go by input position.
//! 3. Each pass is a sort, unless there is no key, and a [`WindowOp`] that reads it.
//! 4. Where there are several passes, each row carries its place in the input, by which ties of every sort go; at the end
//!    columns are put back into the order of the plan.

use crate::error::{Error, Result};
use crate::events::Meter;
use crate::front::excluded;
use crate::graph::Fixed;
use crate::ops::collect::{CollectOp, CollectedOp, From as CollectedFrom};
use crate::ops::expr::from_datafusion;
use crate::ops::sort::{SortKey, SortSpec};
use crate::ops::spread::SpreadOp;
use crate::ops::window::{BATCHES, PlaceOp, WindowOp, WindowSpec, place_fields};
use crate::plan::nodes::{call, project};
use crate::plan::{Described, Inlet, Lowering, Outlet, Pipe, batch_schema, shorten};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{Column, DFSchema};
use datafusion_expr::expr::WindowFunction;
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, Window};
use std::collections::HashMap;
use std::sync::Arc;

/// The rows of the input with a column more for each window.
pub fn lower(lowering: &mut Lowering, node: &Window) -> Result<Pipe> {
    let (input, named) = chain(node)?;
    let mut pipe = lowering.lower(input)?;
    let windows: Vec<&WindowFunction> = named.iter().map(|(_, w)| *w).collect();
    let passes = passes(&windows);
    let mut columns = Columns::new(input.schema(), &windows, passes.len() > 1)?;
    if columns.placed {
        pipe.push(Arc::new(PlaceOp { schema: columns.schema([]) }), "place", "");
    }
    for pass in passes {
        pipe = lower_pass(lowering, pipe, &pass, &mut columns)?;
    }
    let places = node.schema.columns().iter().map(|c| columns.place(c, &named)).collect::<Result<Vec<_>>>()?;
    let as_they_are = places.len() == columns.width() && places.iter().enumerate().all(|(i, at)| *at == i);
    if !as_they_are {
        let places = places.into_iter().map(Some).collect();
        pipe.push(Arc::new(SpreadOp { columns: places, schema: batch_schema(&node.schema) }), "order of columns", "");
    }
    Ok(pipe)
}

/// Windows, with the names of their columns.
type Named<'a> = Vec<(String, &'a WindowFunction)>;

/// The windows of a node and of those directly below, innermost first, and what they read.
fn chain(node: &Window) -> Result<(&LogicalPlan, Named<'_>)> {
    let named = |expr: &'_ Expr| expr.schema_name().to_string();
    let own = node.window_expr.iter().map(|e| Ok((named(e), function(e)?))).collect::<Result<Named<'_>>>()?;
    if let Some(below) = window_below(&node.input) {
        let (input, mut windows) = chain(below)?;
        let known = |expr: &Expr| expr.column_refs().iter().all(|c| input.schema().has_column(c));
        if node.window_expr.iter().all(known) {
            windows.extend(own);
            return Ok((input, windows));
        }
    }
    Ok((node.input.as_ref(), own))
}

/// The node of windows below, perhaps under one that only leaves out columns.
fn window_below(plan: &LogicalPlan) -> Option<&Window> {
    match plan {
        LogicalPlan::Window(window) => Some(window),
        LogicalPlan::Projection(project) if project.expr.iter().all(|e| matches!(e, Expr::Column(_))) => {
            window_below(&project.input)
        }
        _ => None,
    }
}

fn function(expr: &Expr) -> Result<&WindowFunction> {
    match expr {
        Expr::WindowFunction(function) => Ok(function),
        Expr::Alias(alias) => function(&alias.expr),
        other => Err(Error::internal(format!("{other} is not a window function"))),
    }
}

/// The columns of batches between passes: those of the input, its places, then the windows that are done.
struct Columns<'a> {
    base: &'a DFSchema,
    /// Whether rows carry their place.
    placed: bool,
    types: Vec<DataType>,
    /// The windows that are done, by their number, in the order of their columns.
    done: Vec<usize>,
}

impl<'a> Columns<'a> {
    fn new(base: &'a DFSchema, windows: &[&WindowFunction], placed: bool) -> Result<Self> {
        let data_type =
            |w: &&WindowFunction| Expr::WindowFunction(Box::new((*w).clone())).get_type(base).map_err(from_datafusion);
        let types = windows.iter().map(data_type).collect::<Result<_>>()?;
        Ok(Columns { base, placed, types, done: Vec::new() })
    }

    /// Where a column of the plan is when all windows are done.
    fn place(&self, column: &Column, windows: &Named<'_>) -> Result<usize> {
        let number = windows.iter().position(|(name, _)| column.relation.is_none() && *name == column.name);
        let at = number.and_then(|number| self.done.iter().position(|done| *done == number));
        let window = at.map(|at| self.width() - self.done.len() + at);
        let place = window.or_else(|| self.base.maybe_index_of_column(column));
        place.ok_or_else(|| Error::internal(format!("no window makes the column {column}")))
    }

    fn width(&self) -> usize {
        self.base.fields().len() + self.places().len() + self.done.len()
    }

    fn places(&self) -> Vec<Field> {
        if self.placed { place_fields().to_vec() } else { Vec::new() }
    }

    /// Keys that make ties go by the place in the input.
    fn place_keys(&self) -> impl Iterator<Item = SortKey> {
        let first = self.base.fields().len();
        (first..first + self.places().len()).map(|column| SortKey { column, options: SortOptions::default() })
    }

    /// Names and types, with `more` behind.
    fn schema(&self, more: impl IntoIterator<Item = Field>) -> SchemaRef {
        let base = batch_schema(self.base);
        let base = base.fields().iter().map(|f| f.as_ref().clone());
        let fields = base.chain(self.places()).chain(self.windows(&self.done)).chain(more);
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn windows(&self, which: &[usize]) -> Vec<Field> {
        let field = |w: &usize| Some(Field::new(format!("window {w}"), self.types.get(*w)?.clone(), true));
        which.iter().filter_map(field).collect()
    }

    /// As expressions see them.
    fn named(&self) -> Result<DFSchema> {
        let base = self.base.iter().map(|(q, f)| (q.cloned(), f.clone()));
        let more = self.places().into_iter().chain(self.windows(&self.done)).map(|f| (None, Arc::new(f)));
        DFSchema::new_with_metadata(base.chain(more).collect(), HashMap::new()).map_err(from_datafusion)
    }
}

/// A key of a sort.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// What is compared.
    pub expr: Expr,
    /// How.
    pub options: SortOptions,
}

/// A window with its keys: those of the partition, then those of the order, each once.
pub struct Keyed<'a> {
    /// The window.
    pub function: &'a WindowFunction,
    /// Its number.
    pub number: usize,
    /// All keys.
    pub keys: Vec<Key>,
    /// How many of them make a partition.
    pub partition: usize,
}

/// Windows of one sort.
struct Pass<'a> {
    keys: Vec<Key>,
    windows: Vec<Keyed<'a>>,
}

impl<'a> Keyed<'a> {
    fn new(number: usize, function: &'a WindowFunction) -> Self {
        let mut keys: Vec<Key> = Vec::new();
        let mut add = |expr: &Expr, options: SortOptions| {
            let known = matches!(expr, Expr::Literal(..)) || keys.iter().any(|k| k.expr == *expr);
            if !known {
                keys.push(Key { expr: expr.clone(), options });
            }
            keys.len()
        };
        let params = &function.params;
        let plain = SortOptions { descending: false, nulls_first: false };
        let partition = params.partition_by.iter().filter(|e| excluded(e).is_none());
        let partition = partition.map(|e| add(e, plain)).last().unwrap_or(0);
        for by in &params.order_by {
            add(&by.expr, SortOptions { descending: !by.asc, nulls_first: by.nulls_first });
        }
        Keyed { function, number, keys, partition }
    }

    /// Whether rows in the order of `keys` will do. The keys of the partition may have another order among themselves.
    fn fits(&self, keys: &[Key]) -> bool {
        let (own, other) = (self.keys.split_at(self.partition), keys.split_at_checked(self.partition));
        let Some((others, rest)) = other else { return false };
        let exact = rest.len() == own.1.len() || !call::sees_single_rows(self.function);
        exact && rest.starts_with(own.1) && own.0.iter().all(|k| others.iter().any(|o| o.expr == k.expr))
    }
}

/// As few passes as the keys allow: the windows with the most keys decide the sorts. One without keys, which only sees rows in
/// the input's order, is the first.
fn passes<'a>(windows: &[&'a WindowFunction]) -> Vec<Pass<'a>> {
    let mut keyed: Vec<Keyed<'a>> = windows.iter().enumerate().map(|(i, w)| Keyed::new(i, w)).collect();
    keyed.sort_by_key(|k| (std::cmp::Reverse(k.keys.len()), k.number));
    let mut passes: Vec<Pass<'a>> = Vec::new();
    for window in keyed {
        match passes.iter_mut().find(|p| window.fits(&p.keys)) {
            Some(pass) => pass.windows.push(window),
            None => passes.push(Pass { keys: window.keys.clone(), windows: vec![window] }),
        }
    }
    passes.iter_mut().for_each(|p| p.windows.sort_by_key(|w| w.number));
    passes.sort_by_key(|p| !p.keys.is_empty());
    passes
}

/// A sort and a pass over it.
fn lower_pass(lowering: &mut Lowering, mut pipe: Pipe, pass: &Pass<'_>, columns: &mut Columns<'_>) -> Result<Pipe> {
    let (width, named) = (columns.width(), columns.named()?);
    // Keys that are no plain columns are computed behind them.
    let mut exprs: Vec<Expr> = named.columns().into_iter().map(Expr::Column).collect();
    let mut computed = Vec::new();
    let mut keys = Vec::with_capacity(pass.keys.len());
    for key in &pass.keys {
        let column = match &key.expr {
            Expr::Column(column) => named.maybe_index_of_column(column),
            _ => None,
        };
        keys.push(match column {
            Some(column) => column,
            None => {
                let data_type = key.expr.get_type(&named).map_err(from_datafusion)?;
                computed.push(Field::new(format!("key {}", exprs.len()), data_type, true));
                exprs.push(key.expr.clone());
                exprs.len() - 1
            }
        });
    }
    let sorted = columns.schema(computed);
    if exprs.len() > width {
        project::add(lowering, &mut pipe, &exprs, &named, sorted.clone())?;
    }
    let own = keys.iter().zip(&pass.keys).map(|(c, k)| SortKey { column: *c, options: k.options });
    let sort_keys = own.chain(columns.place_keys()).collect();
    let numbers: Vec<usize> = pass.windows.iter().map(|w| w.number).collect();
    let meter = Arc::new(Meter::default());
    let mut pipe = match pass.keys.is_empty() {
        true => collected(lowering, pipe, sorted.clone()),
        false => sort(lowering, pipe, sorted.clone(), sort_keys, described_keys(&pass.keys))?,
    };

    // What windows read besides columns is computed when the rows are sorted.
    let mut arguments = call::Arguments::new(columns.base, sorted.fields().len());
    let windows = pass.windows.iter().map(|w| arguments.window(w)).collect::<Result<Vec<_>>>()?;
    let compiled = arguments.exprs.iter().map(|e| lowering.compile(&mut pipe, e, columns.base));
    let spec = WindowSpec {
        input: sorted,
        columns: width,
        computed: compiled.collect::<Result<_>>()?,
        keys,
        windows,
        output: columns.schema(columns.windows(&numbers)),
    };
    let below = pipe.inlets.pop().ok_or_else(|| Error::internal("a sort without a source"))?;
    let op = WindowOp::new(spec, below.source, meter.clone())?;
    columns.done.extend(&numbers);
    let detail: Vec<String> =
        pass.windows.iter().map(|w| Expr::WindowFunction(Box::new(w.function.clone())).to_string()).collect();
    let inlet = Inlet {
        name: "window".into(),
        source: Arc::new(op),
        meter: meter.clone(),
        in_flight: below.in_flight + BATCHES * lowering.limits.tuning.batch_bytes,
        ..below
    };
    let top = Described::new("window", shorten(&detail.join(", "), 200), meter, vec![pipe.top]);
    Ok(Pipe { inlets: vec![inlet], top, floor: pipe.floor })
}

fn described_keys(keys: &[Key]) -> String {
    let key = |k: &Key| format!("{}{}", k.expr, if k.options.descending { " DESC" } else { "" });
    shorten(&keys.iter().map(key).collect::<Vec<_>>().join(", "), 200)
}

/// All rows in the input's order, read by one task.
fn collected(lowering: &mut Lowering, pipe: Pipe, schema: SchemaRef) -> Pipe {
    let sink = Arc::new(CollectOp::new(schema, 0, None));
    let floor = 2 * lowering.limits.page();
    let (stage, below) = lowering.close(pipe, Outlet::new(sink.clone(), "collect", floor));
    let source = Arc::new(CollectedOp { from: CollectedFrom::Sink(sink) });
    let meter = Arc::new(Meter::default());
    let top = Described::new("read", "", meter.clone(), vec![below]);
    let inlet = Inlet {
        name: "window: read".into(),
        source,
        meter,
        layout: Arc::new(Fixed { tasks: 1, floor: 0 }),
        in_flight: 2 * lowering.limits.tuning.batch_bytes,
        tasks: Some(1),
        after: vec![stage],
        transforms: Vec::new(),
        settles: Vec::new(),
    };
    Pipe::from(inlet, top)
}

/// All rows in order, read by one task: a limit that no input reaches makes the order one range.
fn sort(lowering: &mut Lowering, pipe: Pipe, input: SchemaRef, keys: Arc<[SortKey]>, detail: String) -> Result<Pipe> {
    let columns = input.fields().len();
    let spec = SortSpec { input, columns, keys, fetch: Some(usize::MAX) };
    let mut pipe = super::sort::sorted(lowering, pipe, spec, "sort", detail)?;
    for inlet in &mut pipe.inlets {
        (inlet.name, inlet.tasks) = ("window: merge".into(), Some(1));
    }
    Ok(pipe)
}
