//! What DataFusion's binder asks us: tables, functions, operators.

use super::catalog::{Catalog, Source, TableRef, View, WorkTable};
use super::custom::Function;
use super::exclude;
use super::files::{self, FilesPlanner};
use super::functions::Functions;
use super::nearest::nearest;
use crate::error::Error;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, Result, TableReference};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner};
use datafusion_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion_expr::{LogicalPlan, planner::TypePlanner};
use datafusion_sql::planner::{ParserOptions, SqlToRel};
use datafusion_sql::sqlparser::ast;
use std::cell::Cell;
use std::sync::Arc;

/// Views may name views; a chain longer than this is a circle.
const DEEPEST_VIEW: usize = 32;

/// The answers for one statement.
pub(super) struct Context<'a> {
    functions: &'a Functions,
    catalog: Arc<Catalog>,
    relations: [Arc<dyn RelationPlanner>; 1],
    depth: Cell<usize>,
}

impl<'a> Context<'a> {
    pub(super) fn new(functions: &'a Functions, catalog: &Arc<Catalog>) -> Self {
        let relations: [Arc<dyn RelationPlanner>; 1] =
            [Arc::new(FilesPlanner::new(Arc::clone(catalog), functions.custom.clone()))];
        Context { functions, catalog: Arc::clone(catalog), relations, depth: Cell::new(0) }
    }

    /// The plan of a statement, as DataFusion binds it.
    pub(super) fn bind(&self, mut statement: ast::Statement) -> Result<LogicalPlan> {
        super::functions::syntax::rewrite(&mut statement);
        let options = ParserOptions::from(&self.functions.options.sql_parser);
        SqlToRel::new_with_options(self, options).sql_statement_to_plan(statement)
    }

    /// A view as it is now: its query bound again, so that it sees today's tables and files.
    fn rebound(&self, name: &str, view: Arc<View>) -> Result<TableRef> {
        let Some(query) = &view.query else { return Ok(TableRef::View(view)) };
        if self.depth.get() >= DEEPEST_VIEW {
            return Err(external(Error::query(format!("the view \"{name}\" uses itself"))));
        }
        self.depth.set(self.depth.get() + 1);
        let plan = self.bind(ast::Statement::Query(query.clone()));
        self.depth.set(self.depth.get() - 1);
        Ok(TableRef::View(Arc::new(View { query: None, plan: plan? })))
    }

    fn no_table(&self, name: &TableReference) -> Error {
        let error = Error::query(format!("no table \"{name}\""));
        let names = self.catalog.names();
        match nearest(name.table(), names.iter().map(String::as_str)) {
            Some(near) => error.advise(format!("did you mean {near}?")),
            None if files::is_path(&name.to_string()) => {
                error.advise(format!("a file is named in quotes: FROM '{name}'"))
            }
            None => match super::around::file_of(name.table()) {
                Some(file) => error.advise(format!("a file is named in quotes: FROM '{file}'")),
                None if names.is_empty() => error.advise("name a file in quotes: FROM 'data.csv'"),
                None => error.advise(format!("tables here: {}", names.join(", "))),
            },
        }
    }
}

/// Wraps one of our errors for its way through DataFusion.
pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl ContextProvider for Context<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let known = match name.schema() {
            None | Some("main" | "public") => self.catalog.get(name.table()),
            Some(_) => None,
        };
        let table = match known {
            Some(TableRef::View(view)) => self.rebound(name.table(), view)?,
            Some(table) => table,
            None => return Err(external(self.no_table(&name))),
        };
        Ok(Source::new(table))
    }

    fn get_table_function_source(&self, name: &str, _: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        let error = Error::query(format!("no table function \"{name}\""));
        let mut names = files::function_names();
        names.extend(self.functions.custom.names(|f| matches!(f, Function::Table(_))));
        Err(external(match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.advise(format!("did you mean {near}?")),
            None => error.advise(format!("table functions: {}", names.join(", "))),
        }))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(WorkTable::new(name, schema))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.functions.planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(super::types::Types))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if name == exclude::NAME {
            return Some(exclude::function());
        }
        self.functions.scalar(name)
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.functions.higher_order(name)
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window(name)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.functions.options
    }

    fn udf_names(&self) -> Vec<String> {
        let [names, _, _, _] = self.functions.names_by_kind();
        names
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        let [_, names, _, _] = self.functions.names_by_kind();
        names
    }

    fn udaf_names(&self) -> Vec<String> {
        let [_, _, names, _] = self.functions.names_by_kind();
        names
    }

    fn udwf_names(&self) -> Vec<String> {
        let [_, _, _, names] = self.functions.names_by_kind();
        names
    }
}
