//! What a statement asks for: bound, planned, ready to be done by somebody else.

use super::{Front, View, names, spelling};
use crate::error::{Error, Result};
use arrow::datatypes::SchemaRef;
use datafusion_expr::LogicalPlan;
use datafusion_sql::sqlparser::ast::{self, DescribeAlias, ObjectType};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A parsed statement, with the text that it stood in.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(super) sql: Arc<str>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Ast(Box<ast::Statement>),
    Copy { from: CopyFrom, path: String, format: Option<String>, options: BTreeMap<String, String> },
}

#[derive(Clone, Debug)]
pub(super) enum CopyFrom {
    Query(Box<ast::Query>),
    Table(ast::ObjectName),
}

/// A query: as bound, as optimized, and its headers.
#[derive(Clone, Debug)]
pub struct Planned {
    /// As bound: no rule has run. This is what a cluster would be given.
    pub bound: LogicalPlan,
    /// After all rules. Uncorrelated scalar subqueries are still in it, as `Expr::ScalarSubquery`.
    pub optimized: LogicalPlan,
    /// The headers as the user wrote them, one a column; they may repeat, while the plan's names do not.
    pub names: Vec<String>,
}

/// What a statement asks for.
#[derive(Clone)]
pub enum Bound {
    /// Rows.
    Query(Planned),
    /// A file (or a directory) made of a query's rows.
    Copy {
        /// The rows.
        query: Planned,
        /// Where to.
        path: String,
        /// The format, if it was said; else it goes by the path.
        format: Option<String>,
        /// The format's options by lower-case name, values as text (lists as JSON).
        options: BTreeMap<String, String>,
    },
    /// A table kept by the session, made of a query's rows.
    CreateTable {
        /// Its name.
        name: String,
        /// The rows.
        query: Planned,
        /// An existing table stays, without an error.
        if_not_exists: bool,
        /// An existing table is replaced.
        or_replace: bool,
    },
    /// A query with a name: to be registered as `TableRef::View`.
    CreateView {
        /// Its name.
        name: String,
        /// The query.
        view: Arc<View>,
        /// An existing view stays, without an error.
        if_not_exists: bool,
        /// An existing view is replaced.
        or_replace: bool,
    },
    /// Tables or views to forget.
    Drop {
        /// Their names.
        names: Vec<String>,
        /// A missing one is no error.
        if_exists: bool,
    },
    /// The columns of a table or a query.
    Describe(SchemaRef),
    /// The plan of a query.
    Explain {
        /// Whether it is run as well.
        analyze: bool,
        /// The query.
        planned: Planned,
    },
    /// The names of the tables.
    ShowTables,
    /// A setting of the session.
    Set {
        /// Its name in lower case.
        name: String,
        /// Its value as text.
        value: String,
    },
}

/// Most names whose case is corrected in one statement.
const MOST_RESPELLED: usize = 200;

pub(super) fn bind(front: &Front, statement: &Statement) -> Result<Bound> {
    let sql = &*statement.sql;
    match &statement.kind {
        Kind::Ast(ast) => bind_ast(front, ast, sql),
        Kind::Copy { from, path, format, options } => {
            let query = match from {
                CopyFrom::Query(query) => query.clone(),
                CopyFrom::Table(name) => all_of(name)?,
            };
            let query = plan_query(front, query, sql)?;
            Ok(Bound::Copy { query, path: path.clone(), format: format.clone(), options: options.clone() })
        }
    }
}

fn bind_ast(front: &Front, statement: &ast::Statement, sql: &str) -> Result<Bound> {
    match statement {
        ast::Statement::Query(query) => Ok(Bound::Query(plan_query(front, query.clone(), sql)?)),
        ast::Statement::Explain { describe_alias, analyze, statement, options, .. } => {
            let ast::Statement::Query(query) = &**statement else {
                return Err(Error::unsupported(format!("EXPLAIN of {}", keyword(statement))));
            };
            let planned = plan_query(front, query.clone(), sql)?;
            let analyze = *analyze || options.iter().flatten().any(|o| o.name.value.eq_ignore_ascii_case("analyze"));
            Ok(match describe_alias {
                DescribeAlias::Explain => Bound::Explain { analyze, planned },
                DescribeAlias::Describe | DescribeAlias::Desc => Bound::Describe(schema_of(&planned)),
            })
        }
        ast::Statement::ExplainTable { table_name, .. } => {
            let planned = plan_query(front, all_of(table_name)?, sql)?;
            Ok(Bound::Describe(schema_of(&planned)))
        }
        ast::Statement::CreateTable(table) => create_table(front, table, sql),
        ast::Statement::CreateView(view) => create_view(front, view, sql),
        ast::Statement::Drop { object_type: ObjectType::Table | ObjectType::View, if_exists, names, .. } => {
            let names = names.iter().map(table_name).collect::<Result<_>>()?;
            Ok(Bound::Drop { names, if_exists: *if_exists })
        }
        ast::Statement::ShowTables { .. } => Ok(Bound::ShowTables),
        ast::Statement::Set(ast::Set::SingleAssignment { variable, values, .. }) => {
            let values: Vec<String> = values.iter().map(setting).collect();
            Ok(Bound::Set { name: variable.to_string().to_lowercase(), value: values.join(",") })
        }
        other => Err(Error::unsupported(format!("the statement {}", keyword(other)))),
    }
}

fn create_table(front: &Front, table: &ast::CreateTable, sql: &str) -> Result<Bound> {
    let Some(query) = &table.query else {
        return Err(Error::unsupported("CREATE TABLE without a query").advise("CREATE TABLE name AS SELECT .."));
    };
    if !table.columns.is_empty() {
        return Err(Error::unsupported("CREATE TABLE with columns and a query").advise("name them in the query"));
    }
    Ok(Bound::CreateTable {
        name: table_name(&table.name)?,
        query: plan_query(front, query.clone(), sql)?,
        if_not_exists: table.if_not_exists,
        or_replace: table.or_replace,
    })
}

fn create_view(front: &Front, view: &ast::CreateView, sql: &str) -> Result<Bound> {
    if !view.columns.is_empty() || view.materialized {
        return Err(Error::unsupported("a view with a list of columns, or materialized"));
    }
    let planned = plan_query(front, view.query.clone(), sql)?;
    let mut query = view.query.clone();
    names::name_columns(&mut query, false);
    super::frames::plain(&mut query)?;
    Ok(Bound::CreateView {
        name: table_name(&view.name)?,
        view: Arc::new(View { query: Some(query), plan: planned.bound }),
        if_not_exists: view.if_not_exists,
        or_replace: view.or_replace,
    })
}

/// Binds and optimizes a query.
fn plan_query(front: &Front, query: Box<ast::Query>, sql: &str) -> Result<Planned> {
    let (bound, headers) = bind_query(front, query, sql)?;
    let names: Vec<String> = bound.schema().fields().iter().map(|f| f.name().clone()).collect();
    let mut planned = front.plan_for(bound, Some(sql))?;
    planned.names = names::headers(names.iter(), &headers);
    Ok(planned)
}

/// Binds, and tries again when a name repeats after `*` was expanded, or differs in case only.
fn bind_query(front: &Front, query: Box<ast::Query>, sql: &str) -> Result<(LogicalPlan, HashMap<String, String>)> {
    let mut every = false;
    let mut original = ast::Statement::Query(query);
    for _ in 0..MOST_RESPELLED {
        let mut statement = original.clone();
        let ast::Statement::Query(query) = &mut statement else { break };
        super::using::coalesce_keys(query)?;
        super::series::in_from(query)?;
        super::asof::name_sides(query)?;
        let headers = names::name_columns(query, every);
        super::share::name_uses(query, &front.shared)?;
        super::frames::plain(query)?;
        let error = match front.bind_ast(statement) {
            Ok(plan) => return Ok((plan, headers)),
            Err(e) => e,
        };
        if !every && repeats_a_name(&error) {
            every = true;
            continue;
        }
        if let Some((field, _)) = super::errors::missing_field(&error)
            && (super::series::name_column(&mut original, &field.name) || super::lateral::see_left(&mut original))
        {
            continue;
        }
        let spelling = super::errors::missing_field(&error)
            .and_then(|(field, valid)| Some((field.name.clone(), spelling::meant(field, valid)?)));
        match spelling {
            Some((missing, meant)) if spelling::respell(&mut original, &missing, &meant) => {}
            _ => return Err(refusal(front, error, sql)),
        }
    }
    Err(Error::query("too many names differ from their columns in case"))
}

fn refusal(front: &Front, error: datafusion_common::DataFusionError, sql: &str) -> Error {
    match super::errors::missing_function(&error) {
        Some(name) => super::errors::no_function(&error, &name, &front.functions(), sql),
        None => super::errors::bind_error(error, Some(sql)),
    }
}

fn repeats_a_name(error: &datafusion_common::DataFusionError) -> bool {
    let text = error.strip_backtrace();
    text.contains("unique expression names") || text.contains("duplicate unqualified field name")
}

fn schema_of(planned: &Planned) -> SchemaRef {
    let fields = planned.bound.schema().fields();
    let named = fields.iter().zip(&planned.names).map(|(f, n)| f.as_ref().clone().with_name(n));
    Arc::new(arrow::datatypes::Schema::new(named.collect::<Vec<_>>()))
}

/// `SELECT * FROM name`.
fn all_of(name: &ast::ObjectName) -> Result<Box<ast::Query>> {
    let sql = format!("SELECT * FROM {name}");
    match super::parse::statements(&sql)?.pop().map(|s| s.kind) {
        Some(Kind::Ast(statement)) => match *statement {
            ast::Statement::Query(query) => Ok(query),
            _ => Err(Error::query(format!("no table {name}"))),
        },
        _ => Err(Error::query(format!("no table {name}"))),
    }
}

/// The name of a table to make or to forget: one part, or one in the schema `main`.
fn table_name(name: &ast::ObjectName) -> Result<String> {
    let parts: Vec<String> = name.0.iter().filter_map(|p| p.as_ident().map(names::normal)).collect();
    match parts.as_slice() {
        [one] => Ok(one.clone()),
        [schema, one] if schema == "main" || schema == "public" => Ok(one.clone()),
        _ => Err(Error::unsupported(format!("schemas other than main ({name})"))),
    }
}

/// The first words of a statement, for messages.
fn keyword(statement: &ast::Statement) -> String {
    let text = statement.to_string();
    text.split_whitespace().take_while(|w| w.chars().all(|c| c.is_ascii_uppercase())).collect::<Vec<_>>().join(" ")
}

fn setting(value: &ast::Expr) -> String {
    super::files::constant(value).map(super::files::text_of).unwrap_or_else(|_| value.to_string())
}
