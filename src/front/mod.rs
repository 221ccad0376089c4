//! The adapter to DataFusion's front half: SQL text or plans in, optimized logical plans out. With `ops::expr` this is the
//! only place that knows DataFusion.
//!
//! # Life of a statement
//!
//! 1. [`Front::parse`] cuts the text into statements ([`parse`], [`dialect`]).
//! 2. [`Front::bind`] names the columns ([`names`]), gives `USING` keys their meaning ([`using`]), and binds: names in FROM
//!    become scans of a [`Source`] ([`catalog`], [`files`]), functions are looked up ([`functions`], [`json`]).
//! 3. [`Front::plan`] runs the rules ([`rules`]): types, checked arithmetic ([`overflow`]), DataFusion's optimizer, join
//!    order from statistics ([`stats`], [`join_order`]).
//! 4. What comes out is a [`Bound`]: somebody above runs it. Nothing is executed here, and no file is read but to guess
//!    its schema.
//!
//! # Limits
//!
//! One schema (`main`); no prepared statements, no transactions, no INSERT, UPDATE, DELETE. PIVOT, ASOF JOIN and TABLESAMPLE
//! are refused. In `a OR b NOT IN (subquery)` a null in the subquery counts as no match (DataFusion's mark join).

mod aggregates;
mod average;
mod catalog;
mod context;
mod dialect;
mod distinct;
mod errors;
mod files;
mod functions;
mod join_order;
mod json;
mod names;
mod nearest;
mod overflow;
mod parse;
mod rules;
mod spelling;
mod statement;
pub mod stats;
mod types;
mod using;

#[cfg(test)]
mod tests;

pub use average::avg;
pub use catalog::{Source, TableRef, View, WorkTable};
pub use statement::{Bound, Planned, Statement};

use crate::error::{Error, Result};
use crate::formats::{Table, TableDef};
use catalog::Catalog;
use context::Context;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, TableReference};
use datafusion_expr::{AggregateUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, WindowUDF};
use datafusion_sql::sqlparser::ast;
use functions::Functions;
use rules::Rules;
use std::sync::Arc;

/// The front of one session: its tables, functions and rules. Shared by threads.
pub struct Front {
    functions: Functions,
    rules: Rules,
    catalog: Arc<Catalog>,
}

impl Front {
    /// A front without tables.
    ///
    /// # Errors
    /// `Internal`, when functions clash.
    pub fn new() -> Result<Front> {
        let functions = Functions::new().map_err(|e| errors::bind_error(e, None))?;
        Ok(Front { functions, rules: Rules::new(), catalog: Arc::default() })
    }

    /// The statements of a text, separated by semicolons.
    ///
    /// # Errors
    /// `Query`, with line, column and a caret under the place.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        parse::statements(sql)
    }

    /// What a statement asks for. Nothing is changed: who creates or drops a table calls `register` or `drop_table`.
    ///
    /// # Errors
    /// `Query` for names, types and files that are wrong, with the nearest name; `Unsupported` for what is not built.
    pub fn bind(&self, statement: &Statement) -> Result<Bound> {
        statement::bind(self, statement)
    }

    /// Analyzes and optimizes a bound plan; the headers are the names of its columns.
    ///
    /// # Errors
    /// `Query` for types that do not fit, constants that overflow; `Unsupported` for what no rule can plan.
    pub fn plan(&self, plan: LogicalPlan) -> Result<Planned> {
        self.plan_for(plan, None)
    }

    fn plan_for(&self, bound: LogicalPlan, sql: Option<&str>) -> Result<Planned> {
        let optimized = self.rules.run(bound.clone(), &self.functions).map_err(|e| errors::bind_error(e, sql))?;
        let names = bound.schema().fields().iter().map(|f| f.name().clone()).collect();
        Ok(Planned { bound, optimized, names })
    }

    fn bind_ast(&self, statement: ast::Statement) -> Result<LogicalPlan, DataFusionError> {
        Context::new(&self.functions, &self.catalog).bind(statement)
    }

    /// Gives `table` a name.
    ///
    /// # Errors
    /// `Query`, when the name is taken and `replace` is not set.
    pub fn register(&self, name: &str, table: TableRef, replace: bool) -> Result<()> {
        self.catalog.register(name, table, replace)
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

    /// Forgets what was guessed of the tables that hold `file` (of all, if it is not known): from now on their types
    /// come from all their data.
    pub fn infer_fully(&self, file: Option<&str>) {
        self.catalog.infer_fully(file);
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
        Arc::clone(&self.functions.options)
    }

    /// A scalar function by name, for Frame expressions.
    pub fn scalar_function(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar(name)
    }

    /// An aggregate function by name, for Frame expressions.
    pub fn aggregate_function(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate(name)
    }

    /// A window function by name, for Frame expressions.
    pub fn window_function(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window(name)
    }

    /// The names of all functions.
    pub fn functions(&self) -> Vec<String> {
        self.functions.names()
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
