//! Nodes of the logical plan that DataFusion has no word for. One type carries them all: what differs is the [`Kind`], the
//! number of inputs and the expressions.
//!
//! | kind | inputs | expressions | rows |
//! |---|---|---|---|
//! | `Shared` | a plan | – | the plan's; computed once, however often the number occurs |
//! | `Repeat` | a plan whose last column is a count | – | each row so often, without the count |
//! | `Asof` | left, right | equalities, then one inequality | each left row beside the nearest right row |
//! | `Positional` | left, right | – | n-th row beside n-th row |
//! | `Roots` | any number of plans | – | none: each plan has an end of its own |
//! | `Place` | a plan | – | the plan's, each with its place in the input behind |
//! | `Side` | a plan | – | the plan's: the right side of a join that becomes one of those above |
//!
//! No rule of DataFusion's moves a filter or a limit through them.

use crate::ops::window::place_fields;
use datafusion_common::{DFSchema, DFSchemaRef, JoinType, Result, plan_err};
use datafusion_expr::logical_plan::builder::build_join_schema;
use datafusion_expr::logical_plan::{Extension, UserDefinedLogicalNodeCore};
use datafusion_expr::{Expr, LogicalPlan};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Equal numbers are equal plans.
    Shared(usize),
    /// Repeats rows.
    Repeat,
    /// As-of join: `Inner` or `Left`.
    Asof(JoinType),
    /// Positional join.
    Positional,
    /// Several plans that run together.
    Roots,
    /// Adds two columns by which rows sort as they come.
    Place,
    /// The right side of a join of this kind.
    Side(Special),
}

/// Joins that SQL writes like others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    /// `ASOF JOIN`.
    Asof,
    /// `POSITIONAL JOIN`.
    Positional,
}

/// One of these nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extra {
    /// What it does.
    pub kind: Kind,
    /// Its inputs.
    pub inputs: Vec<LogicalPlan>,
    /// Its expressions, over the columns of all inputs.
    pub exprs: Vec<Expr>,
    schema: DFSchemaRef,
}

impl Extra {
    /// The plan that is such a node.
    ///
    /// # Errors
    /// Inputs that do not fit the kind.
    pub fn plan(kind: Kind, inputs: Vec<LogicalPlan>, exprs: Vec<Expr>) -> Result<LogicalPlan> {
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(Extra::new(kind, inputs, exprs)?) }))
    }

    fn new(kind: Kind, inputs: Vec<LogicalPlan>, exprs: Vec<Expr>) -> Result<Extra> {
        let schema = match (kind, inputs.as_slice()) {
            (Kind::Shared(_) | Kind::Side(_), [input]) => input.schema().clone(),
            (Kind::Roots, [first, ..]) => first.schema().clone(),
            (Kind::Place, [input]) => Arc::new(with_place(input.schema())?),
            (Kind::Repeat, [input]) => Arc::new(without_last(input.schema())?),
            (Kind::Asof(join), [left, right]) => Arc::new(build_join_schema(left.schema(), right.schema(), &join)?),
            (Kind::Positional, [left, right]) => {
                Arc::new(build_join_schema(left.schema(), right.schema(), &JoinType::Full)?)
            }
            _ => return plan_err!("{kind:?} with {} inputs", inputs.len()),
        };
        Ok(Extra { kind, inputs, exprs, schema })
    }

    /// The node, if `plan` is one of these.
    pub fn of(plan: &LogicalPlan) -> Option<&Extra> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }
}

fn with_place(schema: &DFSchema) -> Result<DFSchema> {
    let fields = schema.iter().map(|(q, f)| (q.cloned(), f.clone()));
    let placed = fields.chain(place_fields().map(|f| (None, Arc::new(f)))).collect();
    DFSchema::new_with_metadata(placed, schema.metadata().clone())
}

fn without_last(schema: &DFSchema) -> Result<DFSchema> {
    let fields = schema.iter().map(|(q, f)| (q.cloned(), f.clone()));
    let kept = fields.take(schema.fields().len().saturating_sub(1)).collect();
    DFSchema::new_with_metadata(kept, schema.metadata().clone())
}

/// Plans of the same kind over other inputs are neither less nor more.
impl PartialOrd for Extra {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Extra {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Shared(_) => "Shared",
            Kind::Repeat => "Repeat",
            Kind::Asof(_) => "AsofJoin",
            Kind::Positional => "PositionalJoin",
            Kind::Roots => "Roots",
            Kind::Place => "Place",
            Kind::Side(_) => "Side",
        }
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.exprs.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", UserDefinedLogicalNodeCore::name(self))?;
        match self.kind {
            Kind::Shared(number) => write!(f, ": {number}")?,
            Kind::Asof(join) => write!(f, ": {join}")?,
            _ => {}
        }
        let exprs: Vec<String> = self.exprs.iter().map(ToString::to_string).collect();
        if exprs.is_empty() { Ok(()) } else { write!(f, " on {}", exprs.join(" and ")) }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Extra::new(self.kind, inputs, exprs)
    }

    /// Joins need the columns that are wanted of them, and those of their expressions, which are added to these; places are
    /// nobody's columns.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let left = self.inputs.first()?.schema().fields().len();
        match self.kind {
            Kind::Asof(_) => {
                let (of_left, of_right): (Vec<usize>, Vec<usize>) = output_columns.iter().partition(|i| **i < left);
                Some(vec![of_left, of_right.into_iter().map(|i| i - left).collect()])
            }
            Kind::Place => Some(vec![output_columns.iter().copied().filter(|i| *i < left).collect()]),
            _ => None,
        }
    }
}
