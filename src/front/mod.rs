//! The adapter to DataFusion's front half: SQL text or plans in, optimized logical plans out. With `ops::expr` this is the
//! only place that knows DataFusion.
//!
//! # Life of a statement
//!
//! 1. [`Front::parse`] cuts the text into statements ([`parse`], [`dialect`]; frames: [`exclude`], [`frames`]).
//!    Forms that the parser does not know are written out before it sees them ([`tokens`], [`shorthand`], [`operators`]).
//! 2. [`Front::bind`] puts macros and DuckDB's forms into words that the binder knows ([`rewrite`]), names the columns
//!    ([`names`]), gives `USING` keys their meaning ([`using`]), and binds: names in FROM become scans of a [`Source`]
//!    ([`catalog`], [`files`]), functions are looked up ([`functions`]). Where binding fails for a name that can
//!    be mended (another case, an alias of the same select), it is mended, and binding tried again ([`statement`]).
//! 3. [`Front::plan`] runs the rules ([`rules`]): types, checked arithmetic ([`overflow`]), DataFusion's optimizer, join
//!    order from statistics ([`stats`], [`join_order`]).
//! 4. What comes out is a [`Bound`]: somebody above runs it. Nothing is executed here, and no file is read but to guess
//!    its schema.
//!
//! # Limits
//!
//! One schema (`main`); no transactions.

mod aggregates;
mod arithmetic;
mod around;
mod asof;
mod average;
mod belonging;
mod call;
mod catalog;
mod changes;
mod context;
pub mod custom;
mod declared;
mod decorrelate;
mod definitions;
mod dependent;
mod dialect;
mod distinct;
mod errors;
mod exclude;
pub mod extra;
mod files;
mod frames;
mod functions;
mod join_order;
mod lateral;
mod lists;
mod make;
pub mod mapped;
mod moments;
mod names;
mod nearest;
mod nested_order;
mod only_row;
mod operators;
mod overflow;
mod parse;
mod rewrite;
mod rules;
mod series;
mod set_ops;
mod settings;
mod shadow;
mod share;
mod shorthand;
mod sided;
mod sniffed;
mod spans;
mod spelling;
mod star_keys;
mod statement;
pub mod stats;
mod together;
mod tokens;
mod types;
mod unnamed;
mod unseen;
mod using;
pub(crate) mod walk;
mod whole_row;

#[cfg(test)]
mod tests;

pub use aggregates::exprs as aggregate_exprs;
pub use average::avg;
pub use call::{hash, time_bucket};
pub use catalog::{Shape, Source, TableRef, View, WorkTable};
pub use exclude::excluded;
pub use statement::{Ask, Bound, Planned, READ_AS, Statement};

use crate::error::{Error, Result};
use crate::formats::{Table, TableDef};
use crate::io::{Pipes, Remote};
use crate::memory::Budget;
use catalog::Catalog;
use context::Context;
use custom::{AggregateFunction, Custom, Function, ScalarFunction, TableFunction};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, TableReference};
use datafusion_expr::{AggregateUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, WindowUDF};
use datafusion_sql::sqlparser::ast;
use functions::Functions;
use rules::Rules;
use settings::Settings;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};

/// The front of one session: its tables, functions and rules. Shared by threads.
pub struct Front {
    /// The settings, and the functions that go by them.
    functions: RwLock<(Settings, Arc<Functions>)>,
    rules: Rules,
    catalog: Arc<Catalog>,
    /// The number of the next CTE that may be shared, and of the next name that must be nobody else's.
    shared: AtomicUsize,
    definitions: definitions::Definitions,
}

impl Front {
    /// A front without tables.
    ///
    /// # Errors
    /// `Internal`, when functions clash.
    pub fn new() -> Result<Front> {
        let settings = Settings::default();
        let functions = Functions::new(&settings, Custom::default()).map_err(|e| errors::bind_error(e, None))?;
        Ok(Front {
            functions: RwLock::new((settings, Arc::new(functions))),
            rules: Rules::new(),
            catalog: Arc::default(),
            definitions: definitions::Definitions::default(),
            shared: AtomicUsize::new(0),
        })
    }

    /// A number that no other plan of the session has: for names of columns that nobody sees.
    pub fn number(&self) -> usize {
        self.shared.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    fn known(&self) -> Arc<Functions> {
        Arc::clone(&self.functions.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Changes a setting; `None` for its default. Queries that are planned already keep the one before.
    ///
    /// # Errors
    /// `Unsupported`, for settings that are not there; `Query`, for values that they cannot have.
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<()> {
        if Remote::has_setting(name) {
            return self.remote().set(name, value);
        }
        let mut held = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        let settings = held.0.with(name, value)?;
        let functions = Functions::new(&settings, held.1.custom.clone()).map_err(|e| errors::bind_error(e, None))?;
        *held = (settings, Arc::new(functions));
        Ok(())
    }

    /// Adds a scalar function of the program.
    ///
    /// # Errors
    /// `Query`, for a name that is built in or no name.
    pub fn add_scalar(&self, name: &str, function: ScalarFunction) -> Result<Arc<ScalarUDF>> {
        let function = |name: &str| function.named(name);
        self.add(name, function, |f| Function::Scalar(Arc::clone(f)))
    }

    /// Adds an aggregate function of the program.
    ///
    /// # Errors
    /// As [`add_scalar`](Self::add_scalar).
    pub fn add_aggregate(&self, name: &str, function: AggregateFunction) -> Result<Arc<AggregateUDF>> {
        self.add(name, |name: &str| function.named(name), |f| Function::Aggregate(Arc::clone(f)))
    }

    /// Adds a table function of the program.
    ///
    /// # Errors
    /// As [`add_scalar`](Self::add_scalar).
    pub fn add_table_function(&self, name: &str, function: TableFunction) -> Result<()> {
        self.add(name, |_: &str| Arc::new(function), |f| Function::Table(Arc::clone(f))).map(drop)
    }

    fn add<F>(&self, name: &str, named: impl FnOnce(&str) -> F, function: impl FnOnce(&F) -> Function) -> Result<F> {
        let mut held = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        let name = custom::checked_name(name, held.1.built_in().into_iter().chain(files::function_names()))?;
        let made = named(&name);
        let mut custom = held.1.custom.clone();
        custom.add(&name, function(&made));
        held.1 = Arc::new(Functions::new(&held.0, custom).map_err(|e| errors::bind_error(e, None))?);
        Ok(made)
    }

    /// A setting's value as text, if it is there.
    pub fn setting(&self, name: &str) -> Option<String> {
        if Remote::has_setting(name) {
            return self.remote().setting(name);
        }
        self.functions.read().unwrap_or_else(PoisonError::into_inner).0.get(name)
    }

    /// The statements of a text, separated by semicolons.
    ///
    /// # Errors
    /// `Query`, with line, column and a caret under the place.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        parse::statements(sql)
    }

    /// What a statement asks for. Macros, prepared statements and settings are made and changed here; tables are not: who
    /// creates or drops one calls `register` or `drop_table`.
    ///
    /// # Errors
    /// `Query` for names, types and files that are wrong, with the nearest name; `Unsupported` for what is not built.
    pub fn bind(&self, statement: &Statement) -> Result<Bound> {
        statement::bind(self, statement, None)
    }

    /// As [`bind`](Self::bind), for statements whose meaning depends on data: a PIVOT asks for its values.
    ///
    /// # Errors
    /// As `bind`, and whatever `ask` meets.
    pub fn bind_asking(&self, statement: &Statement, ask: &Ask<'_>) -> Result<Bound> {
        statement::bind(self, statement, Some(ask))
    }

    /// The statement with values for its parameters: `1`, `2`, .. for `?` and `$1`, or names.
    ///
    /// # Errors
    /// `Query`, for a parameter without value, and a value without parameter.
    pub fn with_values(
        &self,
        statement: &Statement,
        values: &[(String, datafusion_common::ScalarValue)],
    ) -> Result<Statement> {
        let literal = |(name, value): &(String, _)| Ok((name.to_lowercase(), rewrite::params::literal(value)?));
        statement::with_values(statement, &values.iter().map(literal).collect::<Result<_>>()?)
    }

    /// Analyzes and optimizes a bound plan; the headers are the names of its columns.
    ///
    /// # Errors
    /// `Query` for types that do not fit, constants that overflow; `Unsupported` for what no rule can plan.
    pub fn plan(&self, plan: LogicalPlan) -> Result<Planned> {
        self.plan_for(plan, None)
    }

    /// As [`plan`](Self::plan) for several plans that run together: the inputs of a [`Roots`](extra::Kind::Roots) node, in
    /// which what they have in common is shared.
    ///
    /// # Errors
    /// As `plan`.
    pub fn plan_together(&self, plans: Vec<LogicalPlan>) -> Result<LogicalPlan> {
        let joined = together::join(plans, &self.shared).map_err(|e| errors::bind_error(e, None))?;
        let optimized = self.rules.run(joined, &self.known()).and_then(together::share_scans);
        optimized.map_err(|e| errors::bind_error(e, None))
    }

    fn plan_for(&self, bound: LogicalPlan, sql: Option<&str>) -> Result<Planned> {
        let optimized = self.rules.run(bound.clone(), &self.known()).map_err(|e| errors::bind_error(e, sql))?;
        let names = bound.schema().fields().iter().map(|f| f.name().clone()).collect();
        Ok(Planned { bound, optimized, names })
    }

    fn bind_ast(&self, statement: ast::Statement) -> Result<LogicalPlan, DataFusionError> {
        Context::new(&self.known(), &self.catalog).bind(statement)
    }

    /// Gives `table` a name.
    ///
    /// # Errors
    /// `Query`, when the name is taken and `replace` is not set.
    pub fn register(&self, name: &str, table: TableRef, replace: bool) -> Result<()> {
        self.catalog.register(name, table, replace)
    }

    /// Says what the columns of a declared table demand; `None` for nothing.
    pub fn keep_shape(&self, name: &str, shape: Option<Arc<Shape>>) {
        self.catalog.keep_shape(name, shape);
    }

    /// What the columns of a declared table demand.
    pub fn shape(&self, name: &str) -> Option<Arc<Shape>> {
        self.catalog.shape(name)
    }

    /// Forgets a table or a view; returns what it was.
    pub fn drop_table(&self, name: &str) -> Option<TableRef> {
        self.catalog.remove(name)
    }

    /// All tables and views by name.
    pub fn tables(&self) -> Vec<(String, TableRef)> {
        self.catalog.all()
    }

    /// The table of that name.
    ///
    /// # Errors
    /// `Query`, with the nearest name.
    pub fn table(&self, name: &str) -> Result<TableRef> {
        self.catalog.get(name).ok_or_else(|| {
            let error = Error::query(format!("no table \"{name}\""));
            let names = self.catalog.names();
            match nearest::nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error.advise(format!("did you mean {near}?")),
                None => error,
            }
        })
    }

    /// The table over the files of `def`, opened at most once a session while the files stay as they are.
    ///
    /// # Errors
    /// As [`Table::open`].
    pub fn open(&self, def: TableDef) -> Result<Arc<Table>> {
        self.catalog.open(def)
    }

    /// Standard input and pipes become tables, what is read of them is kept by `keep`.
    pub fn keep_pipes(&self, keep: Arc<dyn crate::io::Keep>) {
        self.catalog.pipes.kept_by(keep);
    }

    /// What long records take where files are looked at for their types is accounted to `budget`.
    pub fn account(&self, budget: Budget) {
        let _ = self.catalog.budget.set(budget);
    }

    /// What the session reaches over the network.
    pub fn remote(&self) -> &Remote {
        self.catalog.pipes.remote()
    }

    /// Standard input, pipes, and what is reached over the network.
    pub fn pipes(&self) -> &Pipes {
        &self.catalog.pipes
    }

    /// Forgets what was guessed of the tables that hold `file` (of all, if it is not known): from now on their types
    /// come from all their data.
    ///
    /// # Errors
    /// `Resources` for a record that the budget has no room for.
    pub fn infer_fully(&self, file: Option<&str>) -> Result<()> {
        self.catalog.infer_fully(file)
    }

    /// A plan that scans `table` under `name`: where a Frame begins.
    ///
    /// # Errors
    /// `Internal`, when the plan cannot be built.
    pub fn scan(&self, name: &str, table: TableRef) -> Result<LogicalPlan> {
        LogicalPlanBuilder::scan(TableReference::bare(name), Source::new(table), None)
            .and_then(LogicalPlanBuilder::build)
            .map_err(|e| errors::bind_error(e, None))
    }

    /// The options that expressions are evaluated with (see `ops::expr::Scope`).
    pub fn options(&self) -> Arc<ConfigOptions> {
        Arc::clone(&self.known().options)
    }

    /// A scalar function by name, for Frame expressions.
    pub fn scalar_function(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.known().scalar(name)
    }

    /// An aggregate function by name, for Frame expressions.
    pub fn aggregate_function(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.known().aggregate(name)
    }

    /// A window function by name, for Frame expressions.
    pub fn window_function(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.known().window(name)
    }

    /// The names of all functions.
    pub fn functions(&self) -> Vec<String> {
        self.known().names()
    }
}

/// The name that a user gives a type: `bigint`, `varchar`, `decimal(15,2)`.
pub fn type_name(data_type: &arrow::datatypes::DataType) -> String {
    types::name(data_type)
}

/// An error for a format that nobody knows, with the nearest name.
pub fn unknown_format(format: &str) -> Error {
    files::unknown_format(format)
}
