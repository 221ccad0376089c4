//! Lowering: the optimized logical plan becomes a graph of stages. Pure: nothing is read, started or allocated beyond the
//! description.
//!
//! Life of a node: [`Lowering::lower`] lowers its inputs to open pipelines ([`pipe::Pipe`]); a streaming node adds a
//! transform; a breaker closes the pipeline with a sink and opens the next one with the source that reads its result. One
//! file a node in `nodes/`.

mod explain;
mod nodes;
mod pipe;
mod scalar;

pub use explain::{explain, explain_analyzed};
pub use nodes::join::{Sides, joined};
pub use nodes::limit::bounds as bounds_of;
pub use nodes::sort::{merged, sorted_into};
pub use pipe::{Described, Inlet, Outlet, Pipe, Stages};

use crate::config::Tuning;
use crate::error::{Error, Result};
use crate::formats::RowFilter;
use crate::ids::StageId;
use crate::memory::Budget;
use crate::ops::expr::{Compiled, Scope, row_filter};
use crate::rejects::Rejects;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::DFSchema;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::logical_plan::Subquery;
use datafusion_expr::{Distinct, Expr, LogicalPlan, TableScan};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// What planning may know of the session.
#[derive(Clone)]
pub struct Limits {
    /// Sizes and constants.
    pub tuning: Arc<Tuning>,
    /// The budget in bytes.
    pub memory: usize,
    /// Worker threads.
    pub threads: usize,
}

impl Limits {
    /// The size of a page of growing state, in bytes.
    pub fn page(&self) -> usize {
        self.tuning.page_size(self.memory)
    }

    /// The size of a split of a text file that readers aim at: what all workers read at one time is at most an eighth
    /// of the budget.
    pub fn split_bytes(&self) -> usize {
        let most = self.memory / 8 / self.threads.max(1);
        self.tuning.split_bytes.min(most.max(64 * 1024))
    }
}

/// A plan on its way to stages.
pub struct Lowering {
    /// What planning may know.
    pub limits: Limits,
    /// Who is told of what scans leave out.
    pub rejects: Rejects,
    /// What long records of scans are accounted to.
    pub budget: Option<Budget>,
    /// The stages so far.
    pub stages: Stages,
    /// What expressions may refer to besides columns.
    scope: Scope,
    /// The scalar subqueries of the plan, each with the stage after which its value is set.
    subqueries: Vec<(Subquery, StageId)>,
    /// The plans that are used more than once, as far as they are laid.
    shared: Vec<nodes::shared::Shared>,
    /// How many joins there are, which share memory for their tables.
    joins: usize,
    /// Those that have not decided yet what they keep.
    undecided: Arc<AtomicUsize>,
}

/// A query that can run: stages whose last one is the result.
pub struct Lowered {
    /// What waits for what, and what each stage does.
    pub stages: Stages,
    /// The plan for people.
    pub top: Described,
}

impl Lowering {
    /// Nothing laid yet; expressions see `options`.
    pub fn new(limits: Limits, options: Arc<ConfigOptions>) -> Self {
        let scope = Scope::new(options, Vec::new());
        Lowering {
            limits,
            rejects: Rejects::default(),
            budget: None,
            stages: Stages::default(),
            scope,
            subqueries: Vec::new(),
            shared: Vec::new(),
            joins: 1,
            undecided: Arc::default(),
        }
    }

    /// Lowers `plan`, ending in `outlet`.
    ///
    /// # Errors
    /// `Unsupported`, naming the node, for what is not built yet.
    pub fn finish(mut self, plan: &LogicalPlan, outlet: Outlet) -> Result<Lowered> {
        let pipe = self.begin(plan)?;
        let (_, top) = pipe.close(&mut self.stages, outlet);
        Ok(Lowered { stages: self.stages, top })
    }

    /// Lowers the inputs of `plan`, plans that run together, each ending in an outlet of its own.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_all(mut self, plan: &LogicalPlan, outlets: Vec<Outlet>) -> Result<Stages> {
        self.prepare(plan)?;
        let inputs = plan.inputs();
        if inputs.len() != outlets.len() {
            return Err(Error::internal(format!("{} plans with {} ends", inputs.len(), outlets.len())));
        }
        for (input, outlet) in inputs.into_iter().zip(outlets) {
            self.lower(input)?.close(&mut self.stages, outlet);
        }
        Ok(self.stages)
    }

    /// In how many pieces the rows of `plan` are made, where that is known beforehand.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn pieces(mut self, plan: &LogicalPlan) -> Result<Option<usize>> {
        self.prepare(plan)?;
        Ok(self.lower(plan)?.inlets.iter().map(|inlet| inlet.tasks).sum())
    }

    /// Lowers a whole plan, beside what was laid before, to a pipeline that yields its rows.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn begin(&mut self, plan: &LogicalPlan) -> Result<Pipe> {
        self.prepare(plan)?;
        self.lower(plan)
    }

    /// Takes in what expressions refer to, and how many joins there will be.
    fn prepare(&mut self, plan: &LogicalPlan) -> Result<()> {
        self.scope = Scope::new(self.scope.options(), scalar::subqueries(plan)?);
        (self.subqueries, self.shared) = Default::default();
        self.joins = nodes::join::count(plan)?.max(1);
        self.undecided = Arc::new(self.joins.into());
        scalar::lower_all(self, plan)
    }

    /// Lowers `plan` to a pipeline that yields its rows.
    pub fn lower(&mut self, plan: &LogicalPlan) -> Result<Pipe> {
        match plan {
            LogicalPlan::TableScan(node) => nodes::scan::lower(self, node),
            LogicalPlan::Filter(node) => nodes::filter::lower(self, node),
            LogicalPlan::Projection(node) => nodes::project::lower(self, node),
            LogicalPlan::Aggregate(node) => nodes::aggregate::lower(self, node),
            LogicalPlan::Join(node) => nodes::join::lower(self, node),
            LogicalPlan::Limit(node) => nodes::limit::lower(self, node),
            LogicalPlan::Sort(node) => nodes::sort::lower(self, node),
            LogicalPlan::Window(node) => nodes::window::lower(self, node),
            LogicalPlan::Union(node) => nodes::union::lower(self, node),
            LogicalPlan::SubqueryAlias(node) => self.lower(&node.input),
            LogicalPlan::EmptyRelation(node) => nodes::values::lower_empty(self, node),
            LogicalPlan::Values(node) => nodes::values::lower(self, node),
            LogicalPlan::Unnest(node) => nodes::unnest::lower(self, node),
            LogicalPlan::Extension(node) => nodes::extra::lower(self, node),
            LogicalPlan::Distinct(Distinct::All(input)) => nodes::aggregate::lower_distinct(self, input),
            LogicalPlan::Subquery(node) => Err(correlated(node)),
            other => Err(not_yet(other)),
        }
    }

    /// Compiles `expr` for rows of `input` in `pipe`, which waits for the subqueries inside.
    pub fn compile(&self, pipe: &mut Pipe, expr: &Expr, input: &DFSchema) -> Result<Compiled> {
        scalar::wait_for_values(self, pipe, expr)?;
        Compiled::new(expr, input, &self.scope)
    }

    /// The filters of a scan as a test that its format applies.
    pub fn row_filter(&self, scan: &TableScan, schema: &SchemaRef) -> Result<Option<RowFilter>> {
        row_filter(&scan.filters, &scan.table_name, schema, &self.scope)
    }

    /// Ends `pipe` in `outlet`.
    pub fn close(&mut self, pipe: Pipe, outlet: Outlet) -> (StageId, Described) {
        pipe.close(&mut self.stages, outlet)
    }
}

/// What no rule could make a join of.
fn correlated(node: &Subquery) -> Error {
    let columns: Vec<String> = node.outer_ref_columns.iter().map(ToString::to_string).collect();
    Error::unsupported(format!("a subquery that depends on {} in this way", shorten(&columns.join(", "), 120)))
        .advise("write it as a join")
}

fn not_yet(plan: &LogicalPlan) -> Error {
    let text = plan.display().to_string();
    let name = text.split([':', ' ']).next().unwrap_or("this").to_lowercase();
    Error::unsupported(format!("{name} is not supported yet: {}", shorten(&text, 120)))
}

/// Cuts a text for people.
pub fn shorten(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or(text)),
        None => text.to_string(),
    }
}

/// The columns of a node as batches have them: every column may hold nulls, since joins and unions bring them in.
pub fn batch_schema(schema: &DFSchema) -> SchemaRef {
    let fields: Vec<Field> =
        schema.fields().iter().map(|f| Field::new(f.name(), f.data_type().clone(), true)).collect();
    Arc::new(Schema::new(fields))
}
