//! What a statement asks for: bound, planned, ready to be done by somebody else.

use super::catalog::{Shape, Source, TableRef};
use super::rewrite::{self, Rewriter, aliases, fields, macros, params};
use super::{Front, View, changes, names, spelling};
use crate::error::{Error, Place, Result};
use arrow::array::RecordBatch;
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
    Copy {
        from: CopyFrom,
        path: String,
        format: Option<String>,
        options: BTreeMap<String, String>,
    },
    /// `COPY t FROM 'file'`.
    Load {
        table: ast::ObjectName,
        columns: Vec<ast::Ident>,
        path: String,
        format: Option<String>,
        options: BTreeMap<String, String>,
    },
    Insert {
        table: ast::ObjectName,
        columns: Vec<ast::Ident>,
        by_name: bool,
        source: Option<Box<ast::Query>>,
    },
    Describe(Box<ast::Query>),
    ShowTables {
        all: bool,
    },
    TableInfo(String),
    Set {
        name: String,
        value: String,
    },
    DropMacro {
        name: String,
        if_exists: bool,
    },
    Export(String),
    Import(String),
    /// What is understood, and not there.
    Refused(String),
}

#[derive(Clone, Debug)]
pub(super) enum CopyFrom {
    Query(Box<ast::Query>),
    Table(ast::ObjectName, Vec<ast::Ident>),
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

/// Runs a query that a statement's meaning depends on, like the values that a PIVOT makes columns of.
pub type Ask<'a> = dyn Fn(Planned) -> Result<Vec<RecordBatch>> + 'a;

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
        /// What its columns demand and default to, if it was declared.
        shape: Option<Arc<Shape>>,
        /// An existing table stays, without an error.
        if_not_exists: bool,
        /// An existing table is replaced.
        or_replace: bool,
    },
    /// Rows to add to a table kept by the session; the query has its columns.
    Insert {
        /// Its name.
        name: String,
        /// The rows.
        query: Planned,
        /// The columns that must not be null.
        not_null: Vec<String>,
    },
    /// The rows of a table kept by the session are replaced by a query's, which were made of them.
    Remake {
        /// Its name.
        name: String,
        /// The table that the query reads: if it is another by now, nothing is done.
        was: TableRef,
        /// The rows.
        query: Planned,
        /// What its columns demand and default to from now on.
        shape: Arc<Shape>,
    },
    /// A table kept by the session is to lose all its rows.
    Truncate(String),
    /// A table or view gets another name.
    Rename {
        /// Its name.
        from: String,
        /// The other one.
        to: String,
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
    ShowTables {
        /// Their columns as well.
        all: bool,
    },
    /// A table's columns, with what they demand and default to.
    TableInfo(String),
    /// A setting of the session was changed.
    Set {
        /// Its name in lower case.
        name: String,
        /// Its value as text; `None` for the default.
        value: Option<String>,
    },
    /// A macro or a prepared statement was made or forgotten; a sentence for people.
    Done(String),
    /// All tables and views are to be written to a directory.
    Export(String),
    /// The statements in a directory are to be run.
    Import(String),
}

/// Most names whose case is corrected, and aliases that are put in, in one statement.
const MOST_CORRECTED: usize = 200;

pub(super) fn bind(front: &Front, statement: &Statement, ask: Option<&Ask<'_>>) -> Result<Bound> {
    if let Kind::Ast(ast) = &statement.kind
        && let ast::Statement::Execute { name: Some(name), parameters, using, immediate: false, .. } = &**ast
        && using.is_empty()
    {
        let values = parameters.iter().enumerate().map(|(i, value)| ((i + 1).to_string(), value.clone()));
        let prepared = front.definitions.prepared(&name.to_string().to_lowercase())?;
        return bind(front, &with_values(&prepared, &values.collect())?, ask);
    }
    Binder { front, sql: &statement.sql, ask }.statement(&statement.kind)
}

/// The statement with values for its parameters.
pub(super) fn with_values(statement: &Statement, values: &params::Values) -> Result<Statement> {
    let mut made = statement.clone();
    match &mut made.kind {
        Kind::Ast(ast) => params::put(ast, values)?,
        Kind::Insert { source: Some(query), .. }
        | Kind::Copy { from: CopyFrom::Query(query), .. }
        | Kind::Describe(query) => {
            let mut whole = ast::Statement::Query(query.clone());
            params::put(&mut whole, values)?;
            if let ast::Statement::Query(with) = whole {
                *query = with;
            }
        }
        _ if values.is_empty() => {}
        _ => return Err(Error::query("parameters in a statement that has none")),
    }
    Ok(made)
}

/// Binds one statement.
struct Binder<'a> {
    front: &'a Front,
    sql: &'a Arc<str>,
    ask: Option<&'a Ask<'a>>,
}

impl Binder<'_> {
    fn statement(&self, kind: &Kind) -> Result<Bound> {
        match kind {
            Kind::Ast(ast) => self.ast(ast),
            Kind::Copy { from, path, format, options } => {
                let query = match from {
                    CopyFrom::Query(query) => query.clone(),
                    CopyFrom::Table(name, columns) => some_of(name, columns)?,
                };
                let query = self.named_apart(query)?;
                Ok(Bound::Copy { query, path: path.clone(), format: format.clone(), options: options.clone() })
            }
            Kind::Load { table, columns, path, format, options } => {
                let query = super::files::reading(path, format.as_deref(), options)?;
                self.insert(table, columns, false, Some(&query))
            }
            Kind::Insert { table, columns, by_name, source } => {
                self.insert(table, columns, *by_name, source.as_deref())
            }
            Kind::Describe(query) => Ok(Bound::Describe(schema_of(&self.plan(query.clone())?))),
            Kind::ShowTables { all } => Ok(Bound::ShowTables { all: *all }),
            Kind::TableInfo(table) => Ok(Bound::TableInfo(table.clone())),
            Kind::Set { name, value } => self.set(name, Some(value.clone())),
            Kind::DropMacro { name, if_exists } => match self.front.definitions.drop_macro(name) {
                false if !if_exists => Err(Error::query(format!("no macro {name}"))),
                _ => Ok(Bound::Done(format!("macro {name} dropped"))),
            },
            Kind::Export(directory) => Ok(Bound::Export(directory.clone())),
            Kind::Import(directory) => Ok(Bound::Import(directory.clone())),
            Kind::Refused(what) => Err(Error::unsupported(what.as_str())),
        }
    }

    fn ast(&self, statement: &ast::Statement) -> Result<Bound> {
        match statement {
            ast::Statement::Query(query) => Ok(Bound::Query(self.plan(query.clone())?)),
            ast::Statement::Explain { describe_alias, analyze, statement, options, .. } => {
                let ast::Statement::Query(query) = &**statement else {
                    return Err(Error::unsupported(format!("EXPLAIN of {}", keyword(statement))));
                };
                let planned = self.plan(query.clone())?;
                let said = options.iter().flatten().any(|o| o.name.value.eq_ignore_ascii_case("analyze"));
                Ok(match describe_alias {
                    DescribeAlias::Explain => Bound::Explain { analyze: *analyze || said, planned },
                    DescribeAlias::Describe | DescribeAlias::Desc => Bound::Describe(schema_of(&planned)),
                })
            }
            ast::Statement::CreateTable(table) => self.create_table(table),
            ast::Statement::CreateView(view) => self.create_view(view),
            ast::Statement::CreateMacro { or_replace, name, args, definition, .. } => {
                let name = table_name(name)?;
                let made = Arc::new(macros::Macro::new(args.as_ref(), definition));
                self.front.definitions.keep_macro(&name, made, *or_replace)?;
                Ok(Bound::Done(format!("macro {name} created")))
            }
            ast::Statement::Drop { object_type: ObjectType::Table | ObjectType::View, if_exists, names, .. } => {
                let names = names.iter().map(table_name).collect::<Result<_>>()?;
                Ok(Bound::Drop { names, if_exists: *if_exists })
            }
            ast::Statement::Truncate(truncate) => self.truncate(truncate),
            ast::Statement::AlterTable(alter) => self.alter(alter),
            ast::Statement::Update(update) => self.update(update),
            ast::Statement::Delete(delete) => self.delete(delete),
            ast::Statement::Prepare { name, statement, .. } => {
                let kind = Kind::Ast(statement.clone());
                let name = name.value.to_lowercase();
                self.front.definitions.prepare(&name, Statement { sql: Arc::clone(self.sql), kind });
                Ok(Bound::Done(format!("{name} prepared")))
            }
            ast::Statement::Deallocate { name, .. } => {
                match self.front.definitions.deallocate(&name.value.to_lowercase()) {
                    true => Ok(Bound::Done(format!("{name} forgotten"))),
                    false => Err(Error::query(format!("no prepared statement {name}"))),
                }
            }
            ast::Statement::Set(ast::Set::SingleAssignment { variable, values, hivevar: false, .. }) => {
                let values: Vec<String> = values.iter().map(setting).collect();
                self.set(&variable.to_string().to_lowercase(), Some(values.join(",")))
            }
            ast::Statement::Set(ast::Set::SetTimeZone { value, .. }) => self.set("timezone", Some(setting(value))),
            ast::Statement::Reset(ast::ResetStatement { reset: ast::Reset::ConfigurationParameter(name) }) => {
                self.set(&name.to_string().to_lowercase(), None)
            }
            other => Err(refused(other)),
        }
    }

    fn set(&self, name: &str, value: Option<String>) -> Result<Bound> {
        self.front.set(name, value.as_deref())?;
        Ok(Bound::Set { name: name.to_string(), value })
    }

    fn create_table(&self, table: &ast::CreateTable) -> Result<Bound> {
        let (query, shape) = match (&table.query, table.columns.is_empty()) {
            (Some(query), true) => (query.clone(), None),
            (Some(_), false) => {
                return Err(
                    Error::unsupported("CREATE TABLE with columns and a query").advise("name them in the query")
                );
            }
            (None, _) if table.like.is_some() || table.clone.is_some() => {
                return Err(Error::unsupported("CREATE TABLE .. LIKE").advise("CREATE TABLE b AS FROM a LIMIT 0"));
            }
            (None, _) => {
                let (query, shape) = super::declared::table(table)?;
                (query, Some(Arc::new(shape)))
            }
        };
        Ok(Bound::CreateTable {
            name: table_name(&table.name)?,
            query: self.named_apart(query)?,
            shape,
            if_not_exists: table.if_not_exists,
            or_replace: table.or_replace,
        })
    }

    fn create_view(&self, view: &ast::CreateView) -> Result<Bound> {
        if view.materialized {
            return Err(Error::unsupported("a materialized view").advise("CREATE TABLE .. AS keeps the rows"));
        }
        let mut query = view.query.clone();
        if !view.columns.is_empty() {
            let columns: Vec<String> = view.columns.iter().map(|c| c.name.to_string()).collect();
            let factor = super::parse::table_factor(&format!("({query}) AS view_of({})", columns.join(", ")))?;
            query = super::parse::all_of(factor);
        }
        let settled = Binder { ask: None, ..*self }.settle(query)?;
        Ok(Bound::CreateView {
            name: table_name(&view.name)?,
            view: Arc::new(View { query: Some(settled.query), plan: settled.plan }),
            if_not_exists: view.if_not_exists,
            or_replace: view.or_replace,
        })
    }

    fn truncate(&self, truncate: &ast::Truncate) -> Result<Bound> {
        match truncate.table_names.as_slice() {
            [one] => Ok(Bound::Truncate(table_name(&one.name)?)),
            _ => Err(Error::unsupported("TRUNCATE of several tables at once")),
        }
    }

    fn alter(&self, alter: &ast::AlterTable) -> Result<Bound> {
        use ast::AlterTableOperation::RenameTable;
        use ast::RenameTableNameKind::{As, To};
        let operation = match alter.operations.as_slice() {
            [RenameTable { table_name: As(to) | To(to) }] => {
                return Ok(Bound::Rename { from: table_name(&alter.name)?, to: table_name(to)? });
            }
            [one] => one,
            _ => return Err(Error::unsupported("several changes in one ALTER TABLE")),
        };
        if alter.if_exists && self.front.table(&table_name(&alter.name)?).is_err() {
            return Ok(Bound::Done(format!("there is no table {}", alter.name)));
        }
        let (was, mut target) = self.target(&alter.name)?;
        match target.alter(operation)? {
            Some(query) => {
                let plan = self.settle(query)?.plan;
                self.remake(&alter.name, was, plan, target.shape)
            }
            None => Ok(Bound::Done(format!("{} stays as it is", alter.name))),
        }
    }

    fn update(&self, update: &ast::Update) -> Result<Bound> {
        let name = changes::table_of(&update.table)?;
        let (was, target) = self.target(name)?;
        let (query, assigned) = target.update(update)?;
        let plan = target.updated(self.settle(query)?.plan, &assigned)?;
        self.remake(name, was, plan, target.shape)
    }

    fn delete(&self, delete: &ast::Delete) -> Result<Bound> {
        let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) = &delete.from;
        let [one] = from.as_slice() else { return Err(Error::unsupported("DELETE from several tables")) };
        let name = changes::table_of(one)?;
        let (was, target) = self.target(name)?;
        let plan = self.settle(target.delete(delete)?)?.plan;
        self.remake(name, was, plan, target.shape)
    }

    /// The table that a statement changes, as it is now.
    fn target(&self, written: &ast::ObjectName) -> Result<(TableRef, changes::Target)> {
        let name = table_name(written)?;
        let was = self.front.table(&name)?;
        let target = changes::Target::new(written, &was, self.front.shape(&name).as_deref())?;
        Ok((was, target))
    }

    fn remake(&self, name: &ast::ObjectName, was: TableRef, plan: LogicalPlan, shape: Shape) -> Result<Bound> {
        let query = self.front.plan_for(plan, Some(self.sql))?;
        Ok(Bound::Remake { name: table_name(name)?, was, query, shape: Arc::new(shape) })
    }

    fn insert(
        &self,
        table: &ast::ObjectName,
        columns: &[ast::Ident],
        by_name: bool,
        source: Option<&ast::Query>,
    ) -> Result<Bound> {
        let name = table_name(table)?;
        let target = self.front.table(&name)?;
        let shape = self.front.shape(&name);
        let mut insert = super::declared::Insert::new(&name, &target, shape.as_deref(), columns)?;
        let rows = match source {
            Some(source) => {
                let mut source = source.clone();
                insert.put_defaults(&mut source);
                let settled = self.settle(Box::new(source))?;
                Some((settled.headers(), settled.plan))
            }
            None => None,
        };
        if by_name && let Some((headers, _)) = &rows {
            insert.by_name(headers)?;
        }
        let plan = insert.plan(rows.map(|(_, plan)| plan), &|expr| self.default(expr))?;
        let not_null = insert.not_null();
        let query = self.front.plan_for(plan, Some(self.sql))?;
        Ok(Bound::Insert { name, query, not_null })
    }

    /// The bound form of a column's default.
    fn default(&self, expr: &ast::Expr) -> Result<datafusion_expr::Expr> {
        let query = super::parse::query(&format!("SELECT {expr} AS value"))?;
        match self.settle(query)?.plan {
            LogicalPlan::Projection(p) => {
                let expr = p.expr.first().cloned().ok_or_else(|| Error::internal("a default without a value"))?;
                Ok(expr.unalias())
            }
            _ => {
                Err(Error::unsupported(format!("the default {expr}")).advise("a default is an expression of constants"))
            }
        }
    }

    /// Binds and optimizes a query.
    fn plan(&self, query: Box<ast::Query>) -> Result<Planned> {
        match self.plan_as(query.clone(), false) {
            // Casts whose names are those of other columns may be found late.
            Err(error) if error.message().contains("unique expression names") => {
                self.plan_as(query, true).map_err(|_| error)
            }
            planned => planned,
        }
    }

    fn plan_as(&self, query: Box<ast::Query>, apart: bool) -> Result<Planned> {
        let settled = self.settle_as(query, apart)?;
        let names = settled.headers();
        let mut planned = self.front.plan_for(settled.plan, Some(self.sql))?;
        planned.names = names;
        Ok(planned)
    }

    /// As `plan`, for what is kept: its columns have different names.
    fn named_apart(&self, query: Box<ast::Query>) -> Result<Planned> {
        let mut planned = self.plan(query)?;
        planned.names = names::apart(&planned.names);
        Ok(planned)
    }

    /// Rewrites and binds a query.
    fn settle(&self, query: Box<ast::Query>) -> Result<Settled> {
        self.settle_as(query, false)
    }

    /// As `settle`; `apart` gives casts names of their own.
    fn settle_as(&self, mut query: Box<ast::Query>, apart: bool) -> Result<Settled> {
        macros::expand(&mut query, &|name| self.front.definitions.macro_named(name))?;
        super::shadow::tell_apart(&mut query);
        fields::name(&mut query);
        super::rewrite::name_values(&mut query);
        super::unnamed::name(&mut query);
        let rewriter = || Rewriter::new(self.front, self.ask, self.sql);
        let bound = |mut rewriter: Rewriter<'_>, mut query: Box<ast::Query>| {
            rewriter.query(&mut query)?;
            bind_query(self.front, query, self.sql, apart)
        };
        match bound(rewriter(), query.clone()) {
            Err(error) if error.message().contains("names given as column alias") => {
                bound(rewriter().completing(), query)
            }
            // What is wrong without the column is what the user is told.
            Err(error) if rewrite::lacks_filename(&error) => bound(rewriter().naming_files(), query).map_err(|_| error),
            settled => settled,
        }
    }
}

/// A bound query.
pub(super) struct Settled {
    pub(super) plan: LogicalPlan,
    /// What was bound, with all corrections.
    query: Box<ast::Query>,
    /// The headers of names that got a number.
    numbered: HashMap<String, String>,
}

impl Settled {
    fn headers(&self) -> Vec<String> {
        let names: Vec<String> = self.plan.schema().fields().iter().map(|f| f.name().clone()).collect();
        names::unnested(&self.query, names::headers(names.iter(), &self.numbered))
    }
}

/// Binds, and tries again when a name repeats after `*` was expanded, differs in case only, or is an alias of the same
/// select.
/// `apart` gives casts names of their own, as is done when names still repeat.
pub(super) fn bind_query(front: &Front, query: Box<ast::Query>, sql: &str, mut apart: bool) -> Result<Settled> {
    let mut every = false;
    let mut original = ast::Statement::Query(query);
    let mut spelling = spelling::Spelling::default();
    for _ in 0..MOST_CORRECTED {
        let mut statement = original.clone();
        let ast::Statement::Query(query) = &mut statement else { break };
        super::using::coalesce_keys(query)?;
        super::series::in_from(query)?;
        super::asof::name_sides(query)?;
        let numbered = names::name_columns(query, every);
        super::frames::plain(query)?;
        // A view is kept without the marks of what one statement shares, and of what is told apart.
        let settled = query.clone();
        if apart {
            rewrite::casts::tell_apart(query);
        }
        super::lists::as_calls(query);
        super::share::name_uses(query, &front.shared)?;
        let error = match front.bind_ast(statement) {
            Ok(plan) => return Ok(Settled { plan, query: settled, numbered }),
            Err(e) => e,
        };
        if repeats_a_name(&error) && !(every && apart) {
            // Columns first; then casts.
            (every, apart) = (true, apart || every);
            continue;
        }
        if !correct(&mut original, &error, &mut spelling) {
            let late = match super::errors::missing_field(&error) {
                Some((field, _)) => front.catalog.late_key(&original, &field.name)?,
                None => None,
            };
            let refused = refusal(front, error, sql);
            return Err(match late {
                Some(file) => refused.misfit().at(Place { file: Some(file), ..Place::default() }),
                None => refused,
            });
        }
    }
    Err(Error::query("too many names differ from their columns in case"))
}

/// Mends a name that was not found. Returns whether it could.
fn correct(
    statement: &mut ast::Statement,
    error: &datafusion_common::DataFusionError,
    spelling: &mut spelling::Spelling,
) -> bool {
    let Some((field, valid)) = super::errors::missing_field(error) else { return false };
    if super::series::name_column(statement, &field.name) || super::lateral::see_left(statement) {
        return true;
    }
    if let Some(meant) = spelling::meant(field, valid)
        && spelling.respell(statement, &field.name, &meant, super::errors::spot_of(error))
    {
        return true;
    }
    match (&field.relation, super::errors::spot_of(error)) {
        (None, Some(spot)) => {
            aliases::put(statement, &field.name, spot) || super::whole_row::put(statement, &field.name, valid, spot)
        }
        _ => false,
    }
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

/// What is understood, and not there.
fn refused(statement: &ast::Statement) -> Error {
    let error = |what: &str| Error::unsupported(what);
    match statement {
        ast::Statement::Merge { .. } => error("MERGE"),
        ast::Statement::StartTransaction { .. } | ast::Statement::Commit { .. } | ast::Statement::Rollback { .. } => {
            error("transactions").advise("each statement is done when it ends")
        }
        other => Error::unsupported(format!("the statement {}", keyword(other))),
    }
}

/// The key of a described schema's metadata that says how files are read.
pub const READ_AS: &str = "read as";

fn schema_of(planned: &Planned) -> SchemaRef {
    let fields = planned.bound.schema().fields();
    let named = fields.iter().zip(&planned.names).map(|(f, n)| f.as_ref().clone().with_name(n));
    let notes = notes_of(&planned.bound).map(|notes| (READ_AS.to_string(), notes));
    Arc::new(arrow::datatypes::Schema::new_with_metadata(named.collect::<Vec<_>>(), notes.into_iter().collect()))
}

/// How the files are read that a plan scans, if it scans one table, and there was something to find.
fn notes_of(plan: &LogicalPlan) -> Option<String> {
    match (plan, plan.inputs().as_slice()) {
        (LogicalPlan::TableScan(scan), _) => match &Source::of(scan.source.as_ref())?.table {
            TableRef::Files(table) => table.format.notes(table).ok().flatten(),
            _ => None,
        },
        (_, [one]) => notes_of(one),
        _ => None,
    }
}

/// `SELECT columns FROM name`.
fn some_of(name: &ast::ObjectName, columns: &[ast::Ident]) -> Result<Box<ast::Query>> {
    let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let list = if columns.is_empty() { "*".to_string() } else { columns.join(", ") };
    super::parse::query(&format!("SELECT {list} FROM {name}"))
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
