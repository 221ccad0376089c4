//! The tables of a session, and those that a query names by their files.
//!
//! A table over files is opened once a session: the same definition gives the same schema, as long as its files have the
//! sizes and times of modification that they had. Globs and directories are looked at again, since files may have come.

use crate::error::{Error, ErrorKind, Result};
use crate::formats::{ColumnStats, Table, TableDef, TableStats, file_with_key};
use crate::io::Pipes;
use crate::memory::Budget;
use crate::ops::series::Series;
use crate::ops::supply::Supply;
use arrow::datatypes::SchemaRef;
use datafusion_expr::logical_plan::LogicalPlan;
use datafusion_expr::{Expr, TableProviderFilterPushDown, TableSource};
use datafusion_sql::sqlparser::ast::{self, Visit};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// What a name in a query stands for. Cheap to clone.
#[derive(Clone)]
pub enum TableRef {
    /// A table over files.
    Files(Arc<Table>),
    /// A result that the session keeps: what it is, its columns, its rows where known.
    Stored(Arc<dyn Any + Send + Sync>, SchemaRef, Option<usize>),
    /// Rows that are counted.
    Series(Arc<Series>, SchemaRef),
    /// Rows that the program supplies.
    Supplied(Arc<Supply>),
    /// A query with a name.
    View(Arc<View>),
}

/// A query with a name.
pub struct View {
    /// The query, bound again at each use; `None` for a plan that was made without SQL.
    pub(super) query: Option<Box<ast::Query>>,
    /// The query, bound when the view was made.
    pub plan: LogicalPlan,
}

impl View {
    /// The query as SQL; `None` for a plan that was made without.
    pub fn sql(&self) -> Option<String> {
        self.query.as_ref().map(ToString::to_string)
    }

    /// A view of a bound plan.
    pub fn new(plan: LogicalPlan) -> Arc<View> {
        Arc::new(View { query: None, plan })
    }
}

impl TableRef {
    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        match self {
            TableRef::Files(t) => Arc::clone(&t.schema),
            TableRef::Stored(_, schema, _) | TableRef::Series(_, schema) => Arc::clone(schema),
            TableRef::Supplied(supply) => supply.schema(),
            TableRef::View(v) => Arc::clone(v.plan.schema().inner()),
        }
    }

    /// Whether both are the same table, not only one of the same name.
    pub fn is_same(&self, other: &TableRef) -> bool {
        match (self, other) {
            (TableRef::Files(a), TableRef::Files(b)) => Arc::ptr_eq(a, b),
            (TableRef::Stored(a, ..), TableRef::Stored(b, ..)) => Arc::ptr_eq(a, b),
            (TableRef::Series(a, _), TableRef::Series(b, _)) => a == b,
            (TableRef::Supplied(a), TableRef::Supplied(b)) => Arc::ptr_eq(a, b),
            (TableRef::View(a), TableRef::View(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// What is known of its rows without reading it.
    pub fn stats(&self) -> TableStats {
        match self {
            TableRef::Files(t) => t.stats.clone(),
            TableRef::Stored(_, schema, rows) => TableStats {
                rows: rows.map(|n| n as u64),
                bytes: 0,
                columns: vec![ColumnStats::default(); schema.fields().len()],
                ..TableStats::default()
            },
            TableRef::Series(series, _) => {
                let columns = vec![ColumnStats::default()];
                TableStats { rows: series.rows(), columns, ..TableStats::default() }
            }
            TableRef::Supplied(supply) => TableStats {
                rows: supply.rows().map(|n| n as u64),
                bytes: 0,
                columns: vec![ColumnStats::default(); supply.schema().fields().len()],
                ..TableStats::default()
            },
            TableRef::View(_) => TableStats::default(),
        }
    }
}

impl fmt::Debug for TableRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableRef::Files(t) => write!(f, "Files({:?})", t.def.paths),
            TableRef::Stored(_, schema, rows) => write!(f, "Stored({} columns, {rows:?} rows)", schema.fields().len()),
            TableRef::Series(series, _) => write!(f, "{series:?}"),
            TableRef::Supplied(supply) => write!(f, "{supply:?}"),
            TableRef::View(_) => f.write_str("View"),
        }
    }
}

/// What the columns of a declared table demand and default to.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Columns that must not be null.
    pub(super) not_null: BTreeSet<String>,
    /// Columns that are together different in all rows, but for rows with a null among them.
    pub(super) keys: Vec<Vec<String>>,
    /// What a column is where a row does not say.
    pub(super) defaults: BTreeMap<String, ast::Expr>,
}

impl Shape {
    /// Whether a column must not be null.
    pub fn is_not_null(&self, column: &str) -> bool {
        self.not_null.contains(column)
    }

    /// The columns that must not be null.
    pub fn not_null(&self) -> impl Iterator<Item = &str> {
        self.not_null.iter().map(String::as_str)
    }

    /// The columns of each key.
    pub fn keys(&self) -> &[Vec<String>] {
        &self.keys
    }

    /// The default of a column, as SQL.
    pub fn default_of(&self, column: &str) -> Option<String> {
        self.defaults.get(column).map(ToString::to_string)
    }
}

/// What a scan of a plan reads: the [`TableRef`] behind DataFusion's `TableSource`.
#[derive(Debug)]
pub struct Source {
    /// The table.
    pub table: TableRef,
}

impl Source {
    /// A source of `table`.
    pub fn new(table: TableRef) -> Arc<Source> {
        Arc::new(Source { table })
    }

    /// The source of a scan, if it is one of ours: the work table of a recursive query is a [`WorkTable`] instead.
    pub fn of(source: &dyn TableSource) -> Option<&Source> {
        source.downcast_ref()
    }
}

impl TableSource for Source {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    /// A scan applies every filter that is a function of its columns, exactly: `plan` puts them into its pipeline.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion_common::Result<Vec<TableProviderFilterPushDown>> {
        let exact = |e: &&Expr| match e.is_volatile() || has_subquery(e) {
            true => TableProviderFilterPushDown::Unsupported,
            false => TableProviderFilterPushDown::Exact,
        };
        Ok(filters.iter().map(exact).collect())
    }

    fn get_logical_plan(&self) -> Option<std::borrow::Cow<'_, LogicalPlan>> {
        match &self.table {
            TableRef::View(v) => Some(std::borrow::Cow::Borrowed(&v.plan)),
            _ => None,
        }
    }
}

fn has_subquery(expr: &Expr) -> bool {
    use datafusion_common::tree_node::TreeNode;
    let found = |e: &Expr| {
        Ok(matches!(e, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_)))
    };
    expr.exists(found).unwrap_or(true)
}

/// The rows of the round before, in a recursive query: the scan of its own name.
#[derive(Debug)]
pub struct WorkTable {
    /// The name of the recursive query.
    pub name: String,
    schema: SchemaRef,
}

impl WorkTable {
    pub(super) fn new(name: &str, schema: SchemaRef) -> Arc<WorkTable> {
        Arc::new(WorkTable { name: name.to_string(), schema })
    }

    /// The work table of a scan, if it is one.
    pub fn of(source: &dyn TableSource) -> Option<&WorkTable> {
        source.downcast_ref()
    }
}

impl TableSource for WorkTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The tables of a session by name.
#[derive(Default)]
pub(super) struct Catalog {
    tables: RwLock<BTreeMap<String, TableRef>>,
    shapes: RwLock<BTreeMap<String, Arc<Shape>>>,
    opened: RwLock<HashMap<String, Arc<Table>>>,
    pub(super) pipes: Pipes,
    /// What records take that are longer than buffers, where tables are opened.
    pub(super) budget: OnceLock<Budget>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Catalog({:?})", self.names())
    }
}

impl Catalog {
    pub(super) fn register(&self, name: &str, table: TableRef, replace: bool) -> Result<()> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if !replace && tables.contains_key(name) {
            return Err(Error::query(format!("there is a table \"{name}\" already"))
                .advise("CREATE OR REPLACE replaces it; CREATE .. IF NOT EXISTS keeps it"));
        }
        tables.insert(name.to_string(), table);
        Ok(())
    }

    pub(super) fn shape(&self, name: &str) -> Option<Arc<Shape>> {
        self.shapes.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn keep_shape(&self, name: &str, shape: Option<Arc<Shape>>) {
        let mut shapes = self.shapes.write().unwrap_or_else(PoisonError::into_inner);
        match shape {
            Some(shape) => drop(shapes.insert(name.to_string(), shape)),
            None => drop(shapes.remove(name)),
        }
    }

    pub(super) fn remove(&self, name: &str) -> Option<TableRef> {
        self.keep_shape(name, None);
        self.tables.write().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// The table of that name: the exact one, else the only one that differs in case.
    pub(super) fn get(&self, name: &str) -> Option<TableRef> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(t) = tables.get(name) {
            return Some(t.clone());
        }
        let mut alike = tables.iter().filter(|(k, _)| k.to_lowercase() == name.to_lowercase());
        match (alike.next(), alike.next()) {
            (Some((_, t)), None) => Some(t.clone()),
            _ => None,
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(super) fn all(&self) -> Vec<(String, TableRef)> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Opens the tables that hold `file` (all, if it is not known) anew, with types that come from all their data.
    ///
    /// # Errors
    /// `Resources` for a record that the budget has no room for; `Cancelled`.
    pub(super) fn infer_fully(&self, file: Option<&str>) -> Result<()> {
        let holds = |t: &Table| file.is_none_or(|name| t.files.iter().any(|f| &*f.path == name));
        let fully = |t: &Arc<Table>| {
            let mut def = t.def.clone();
            def.options.insert("infer".into(), "full".into());
            match Table::open_with(def, &self.pipes, self.budget.get()) {
                Err(error) if matches!(error.kind(), ErrorKind::Resources | ErrorKind::Cancelled) => Err(error),
                // What cannot be opened any more says so when it is used.
                opened => Ok(opened.unwrap_or_else(|_| Arc::clone(t))),
            }
        };
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        for table in opened.values_mut().filter(|t| holds(t)) {
            *table = fully(table)?;
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        for named in tables.values_mut() {
            if let TableRef::Files(table) = named
                && holds(table)
            {
                *table = fully(table)?;
            }
        }
        Ok(())
    }

    /// Whether the table's files are surely those that it was opened with. A pipe is, while it has its name: it can be read
    /// only once.
    ///
    /// # Errors
    /// `Cancelled`.
    fn is_fresh(&self, table: &Table) -> Result<bool> {
        if table.files.iter().all(|file| file.pipe.is_some()) {
            return Ok(table.files.iter().all(|file| self.pipes.is_current(file)));
        }
        let named: Vec<&str> = table.def.paths.iter().map(String::as_str).collect();
        let found: Vec<&str> = table.files.iter().map(|f| f.named()).collect();
        if named != found {
            return Ok(false);
        }
        for file in table.files.iter() {
            if !is_unchanged(file)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A file of the tables of `statement` whose records may have a key that no sample showed.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn late_key(&self, statement: &ast::Statement, key: &str) -> Result<Option<Arc<str>>> {
        let mut used = Used::default();
        let _ = statement.visit(&mut used);
        let named = used.0.iter().filter_map(|name| match self.get(name) {
            Some(TableRef::Files(table)) => Some(table),
            _ => None,
        });
        let called = used.0.iter().any(|name| name.to_lowercase().starts_with("read_"));
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let is_used =
            |t: &&Arc<Table>| (called && t.def.format.is_some()) || t.def.paths.iter().any(|p| used.0.contains(p));
        let tables: Vec<Arc<Table>> = named.chain(opened.values().filter(is_used).cloned()).collect();
        drop(opened);
        for table in tables {
            if let Some(file) = file_with_key(&table, key)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The table of `def`, opened at most once while its files stay as they are.
    pub(super) fn open(&self, def: TableDef) -> Result<Arc<Table>> {
        let key = format!("{def:?}");
        let known = self.opened.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(table) = known
            && self.is_fresh(&table)?
        {
            return Ok(table);
        }
        let table = Table::open_with(def, &self.pipes, self.budget.get())?;
        self.opened.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&table));
        Ok(table)
    }
}

/// The names that stand in FROM.
#[derive(Default)]
struct Used(Vec<String>);

impl ast::Visitor for Used {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ast::ObjectName) -> ControlFlow<()> {
        let last = relation.0.last().and_then(|part| part.as_ident());
        self.0.extend(last.map(|name| name.value.clone()));
        ControlFlow::Continue(())
    }
}

fn is_unchanged(file: &crate::formats::FileRef) -> Result<bool> {
    if let Some(remote) = &file.remote {
        return remote.is_unchanged();
    }
    let Ok(meta) = std::fs::metadata(&*file.path) else { return Ok(false) };
    let modified = meta.modified().ok().map(|t| match t.duration_since(std::time::UNIX_EPOCH) {
        Ok(d) => i128::try_from(d.as_nanos()).unwrap_or(i128::MAX),
        Err(e) => i128::try_from(e.duration().as_nanos()).map_or(i128::MIN, |n| -n),
    });
    Ok(meta.len() == file.size && modified == Some(file.modified))
}
