//! What DuckDB's users write and DataFusion's binder does not know, put into words that it knows.
//!
//! A query is rewritten from the inside out, since what a star means depends on the columns of what is below it. In each
//! query, in this order:
//!
//! 1. Its CTEs, each seeing those before it.
//! 2. FROM: [`joins`], [`pivot`] and [`unpivot`], [`sample`]; subqueries inside.
//! 3. The select list: [`stars`] with RENAME, `COLUMNS(..)`; [`unnests`] of structs.
//! 4. The clauses that stand for whole statements: [`pivot`], [`unpivot`], [`summarize`].
//! 5. Conditions: [`membership`], subqueries inside of expressions; [`fields`] of structs.
//! 6. [`order`] by all columns, [`limits`] that are not plain numbers.
//!
//! Whatever needs to know columns asks [`Rewriter::columns`], which binds what has been rewritten so far; whatever needs
//! to know values asks the session that runs the statement ([`Ask`]). [`aliases`] are put in when binding has failed for
//! lack of such a column; [`params`] and [`macros`] before anything else.

pub(super) mod aliases;
mod by_name;
pub(super) mod casts;
pub(super) mod fields;
mod filename;
mod groupings;
mod joins;
mod limits;
pub(super) mod macros;
mod membership;
mod order;
pub(super) mod params;
mod pivot;
mod sample;
mod stars;
mod summarize;
mod unnests;
mod unpivot;

pub(super) use filename::lacks_filename;

use super::Front;
use super::statement::{Ask, bind_query};
use crate::error::{Error, Result};
use crate::front::walk;
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;
use datafusion_common::{ScalarValue, TableReference};
use datafusion_expr::{Expr as Bound, LogicalPlan};
use datafusion_sql::sqlparser::ast::{
    Cte, Expr, Function, GroupByExpr, Ident, Query, Select, SelectFlavor, SelectItem, SetExpr, TableAlias,
    TableAliasColumnDef, TableFactor, TableWithJoins, VisitMut, VisitorMut, With,
};
use std::ops::ControlFlow;

/// The most rows that a question may have for an answer: they become columns, or a number.
const MOST_ROWS: usize = 10_000;

/// Rewrites queries of one statement.
pub(super) struct Rewriter<'a> {
    pub(super) front: &'a Front,
    ask: Option<&'a Ask<'a>>,
    sql: &'a str,
    /// The CTEs that can be seen, and whether any is recursive.
    ctes: Vec<Cte>,
    recursive: bool,
    /// Whether lists of column aliases may be too short: `t(a)` names the first of two columns.
    completes: bool,
    /// Whether tables over files have the column `filename`.
    names_files: bool,
}

/// A column of FROM.
#[derive(Clone, Debug)]
pub(super) struct Known {
    relation: Option<TableReference>,
    name: String,
    data_type: DataType,
}

impl Known {
    /// The column in an expression.
    fn expr(&self) -> Expr {
        let name = Ident::with_quote('"', &self.name);
        let quoted = |part: &str| Ident::with_quote('"', part);
        match &self.relation {
            None => Expr::Identifier(name),
            Some(TableReference::Bare { table }) => Expr::CompoundIdentifier(vec![quoted(table), name]),
            Some(other) => {
                let schema = other.schema().map(quoted);
                Expr::CompoundIdentifier(schema.into_iter().chain([quoted(other.table()), name]).collect())
            }
        }
    }
}

impl<'a> Rewriter<'a> {
    /// A rewriter for a statement with the text `sql`. Without `ask`, what needs values is refused.
    pub(super) fn new(front: &'a Front, ask: Option<&'a Ask<'a>>, sql: &'a str) -> Self {
        Rewriter { front, ask, sql, ctes: Vec::new(), recursive: false, completes: false, names_files: false }
    }

    /// Completes lists of column aliases, which costs a look at each table that has one: done when binding failed.
    pub(super) fn completing(self) -> Self {
        Rewriter { completes: true, ..self }
    }

    /// Gives tables over files the column `filename`, which no star includes: done when somebody names it.
    pub(super) fn naming_files(self) -> Self {
        Rewriter { names_files: true, ..self }
    }

    /// Rewrites a query and everything inside of it.
    pub(super) fn query(&mut self, query: &mut Query) -> Result<()> {
        let (outer, recursive) = (self.ctes.len(), self.recursive);
        if let Some(lock) = query.locks.first() {
            return Err(Error::unsupported(lock.to_string()));
        }
        if let Some(with) = &mut query.with {
            self.recursive |= with.recursive;
            for cte in &mut with.cte_tables {
                if cte.alias.columns.is_empty() {
                    name_values(&mut cte.query);
                }
                self.query(&mut cte.query)?;
                if self.completes {
                    self.complete_cte(cte)?;
                }
                self.ctes.push(cte.clone());
            }
        }
        self.body(&mut query.body)?;
        order::by_all(self, query)?;
        self.inside(&mut query.order_by)?;
        limits::resolve(self, query)?;
        self.ctes.truncate(outer);
        self.recursive = recursive;
        Ok(())
    }

    fn body(&mut self, body: &mut SetExpr) -> Result<()> {
        use datafusion_sql::sqlparser::ast::SetQuantifier as Q;
        match body {
            SetExpr::Select(select) => {
                self.select(select)?;
                if let Some(made) = self.whole(select)? {
                    *body = made;
                }
                Ok(())
            }
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, set_quantifier, .. } => {
                self.body(left)?;
                self.body(right)?;
                if matches!(set_quantifier, Q::ByName | Q::AllByName | Q::DistinctByName) {
                    by_name::spell_alike(self, left, right);
                }
                Ok(())
            }
            SetExpr::Values(values) => self.inside(values),
            SetExpr::Table(table) => {
                let name = table.table_name.clone().unwrap_or_default();
                let schema = table.schema_name.as_ref().map(|schema| format!("{schema}.")).unwrap_or_default();
                *body = *super::parse::query(&format!("SELECT * FROM {schema}{name}"))?.body;
                self.body(body)
            }
            _ => Ok(()),
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<()> {
        for from in &mut select.from {
            self.joined(from)?;
        }
        if self.names_files {
            filename::add(self.front, select);
        }
        sample::of_query(self, select)?;
        groupings::spell_out(&mut select.group_by)?;
        each_key(&mut select.group_by);
        self.inside(&mut select.projection)?;
        self.inside(&mut select.selection)?;
        self.inside(&mut select.group_by)?;
        self.inside(&mut select.having)?;
        self.inside(&mut select.qualify)?;
        stars::expand(self, select)?;
        unnests::expand(self, select)?;
        membership::rewrite(select)?;
        refuse_ignored(select)
    }

    /// What a select becomes that stands for a whole statement.
    fn whole(&mut self, select: &mut Select) -> Result<Option<SetExpr>> {
        let (name, args) = match select.distribute_by.first().cloned() {
            Some(Expr::Function(Function { name, args, .. })) => (name.to_string(), args),
            Some(_) => return Err(Error::unsupported("DISTRIBUTE BY")),
            None => return Ok(None),
        };
        match name.as_str() {
            super::shorthand::PIVOT => pivot::statement(self, select, args).map(Some),
            super::shorthand::UNPIVOT => unpivot::statement(self, select, args).map(Some),
            super::shorthand::SUMMARIZE => summarize::statement(self, select).map(Some),
            _ => Err(Error::unsupported("DISTRIBUTE BY")),
        }
    }

    fn joined(&mut self, from: &mut TableWithJoins) -> Result<()> {
        self.factor(&mut from.relation)?;
        for join in &mut from.joins {
            joins::wants_condition(join)?;
            self.factor(&mut join.relation)?;
            self.inside(&mut join.join_operator)?;
        }
        joins::say_sides(self, from)
    }

    fn factor(&mut self, factor: &mut TableFactor) -> Result<()> {
        match factor {
            TableFactor::Derived { subquery, alias, .. } => {
                if alias.as_ref().is_none_or(|alias| alias.columns.is_empty()) {
                    name_values(subquery);
                }
                self.query(subquery)?;
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.joined(table_with_joins)?,
            TableFactor::Pivot { table, .. } => {
                self.factor(table)?;
                *factor = pivot::factor(self, factor)?;
            }
            TableFactor::Unpivot { table, .. } => {
                self.factor(table)?;
                *factor = unpivot::factor(self, factor)?;
            }
            _ => self.inside(factor)?,
        }
        if self.completes {
            self.complete(factor)?;
        }
        sample::of_table(self, factor)
    }

    /// Adds the names of the columns that a list of aliases leaves out.
    fn complete(&self, factor: &mut TableFactor) -> Result<()> {
        let mut whole = factor.clone();
        let (TableFactor::Table { alias: Some(named), .. } | TableFactor::Derived { alias: Some(named), .. }) =
            &mut whole
        else {
            return Ok(());
        };
        if named.columns.is_empty() {
            return Ok(());
        }
        named.columns.clear();
        let known = self.columns(&[TableWithJoins { relation: whole, joins: Vec::new() }])?;
        if let TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } = factor
        {
            let rest = alias_of("", known.iter().skip(alias.columns.len()).map(|k| k.name.clone()));
            alias.columns.extend(rest.columns);
        }
        Ok(())
    }

    /// Adds the names of the columns that the alias of a CTE leaves out: those of its query, or of the first term of one
    /// that is recursive.
    fn complete_cte(&self, cte: &mut Cte) -> Result<()> {
        if cte.alias.columns.is_empty() {
            return Ok(());
        }
        let first = match (&*cte.query.body, &cte.query.with) {
            (SetExpr::SetOperation { left, .. }, None) if self.recursive => (**left).clone(),
            _ => SetExpr::Query(cte.query.clone()),
        };
        let plan = self.bound(first)?;
        let rest = plan.schema().fields().iter().skip(cte.alias.columns.len());
        cte.alias.columns.extend(alias_of("", rest.map(|field| field.name().clone())).columns);
        Ok(())
    }

    /// Rewrites the queries directly inside of expressions.
    fn inside(&mut self, node: &mut impl VisitMut) -> Result<()> {
        let mut visitor = Inside { rewriter: self, depth: 0 };
        walk::try_alter(node, &mut visitor)
    }

    /// A query over the CTEs that can be seen here.
    fn with_ctes(&self, body: SetExpr) -> Query {
        let mut query = plain(body);
        let mut tables: Vec<Cte> = Vec::new();
        for cte in &self.ctes {
            tables.retain(|known| known.alias.name != cte.alias.name);
            tables.push(cte.clone());
        }
        query.with = (!tables.is_empty()).then(|| With {
            with_token: datafusion_sql::sqlparser::ast::helpers::attached_token::AttachedToken::empty(),
            recursive: self.recursive,
            cte_tables: tables,
        });
        query
    }

    /// The plan of a query over what has been rewritten so far.
    fn bound(&self, body: SetExpr) -> Result<LogicalPlan> {
        bind_query(self.front, Box::new(self.with_ctes(body)), self.sql, false).map(|settled| settled.plan)
    }

    /// The columns that `*` stands for over `from`.
    fn columns(&self, from: &[TableWithJoins]) -> Result<Vec<Known>> {
        let plan = self.bound(SetExpr::Select(Box::new(select_all(from.to_vec()))))?;
        let known = plan.schema().iter().map(|(relation, field)| Known {
            relation: relation.cloned(),
            name: field.name().clone(),
            data_type: field.data_type().clone(),
        });
        Ok(known.collect())
    }

    /// The rows of a query, which the session runs now.
    fn answer(&self, body: SetExpr, what: &str) -> Result<Vec<Vec<ScalarValue>>> {
        let Some(ask) = self.ask else {
            return Err(Error::unsupported(format!("{what} inside of a view"))
                .advise("the answer would change with the data: CREATE TABLE .. AS keeps it"));
        };
        let planned = self.front.plan(self.bound(body)?)?;
        let mut rows = Vec::new();
        for batch in ask(planned)? {
            append(&batch, &mut rows)?;
            if rows.len() > MOST_ROWS {
                return Err(Error::query(format!("{what} gives more than {MOST_ROWS} rows")));
            }
        }
        Ok(rows)
    }

    /// The values of constant expressions, as the optimizer folds them.
    fn constants(&self, exprs: Vec<Expr>) -> Result<Vec<ScalarValue>> {
        let mut select = select_all(Vec::new());
        let named = |(i, expr)| SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', format!("c{i}")) };
        select.projection = exprs.into_iter().enumerate().map(named).collect();
        let planned = self.front.plan(self.bound(SetExpr::Select(Box::new(select)))?)?;
        let LogicalPlan::Projection(projection) = &planned.optimized else {
            return Err(Error::query("a constant is wanted here"));
        };
        projection.expr.iter().map(constant).collect()
    }
}

fn constant(expr: &Bound) -> Result<ScalarValue> {
    match expr {
        Bound::Literal(value, _) => Ok(value.clone()),
        Bound::Alias(alias) => constant(&alias.expr),
        other => Err(Error::query(format!("a constant is wanted here, not {other}"))),
    }
}

fn append(batch: &RecordBatch, rows: &mut Vec<Vec<ScalarValue>>) -> Result<()> {
    for row in 0..batch.num_rows() {
        let value = |column: &arrow::array::ArrayRef| {
            let piece: &dyn Array = column.as_ref();
            ScalarValue::try_from_array(piece, row).map_err(crate::ops::expr::from_datafusion)
        };
        rows.push(batch.columns().iter().map(value).collect::<Result<_>>()?);
    }
    Ok(())
}

/// Names the columns of rows that are written in the query, as DuckDB does: `col0`, `col1`.
pub(super) fn name_values(query: &mut Query) {
    let SetExpr::Values(values) = &*query.body else { return };
    let columns = values.rows.first().map_or(0, |row| row.content.len());
    let names = (0..columns).map(|i| format!("col{i}"));
    let alias = alias_of("valueslist", names);
    let rows = plain(SetExpr::Values(values.clone()));
    let named = *all_of(derived(rows, Some(alias)));
    *query.body = *named.body;
}

/// `AS name(columns)`.
fn alias_of(name: &str, columns: impl Iterator<Item = String>) -> TableAlias {
    let column = |name| TableAliasColumnDef { name: Ident::with_quote('"', name), data_type: None };
    TableAlias { explicit: true, name: Ident::new(name), columns: columns.map(column).collect(), at: None }
}

/// Refuses clauses of other dialects that the binder would pass over.
fn refuse_ignored(select: &Select) -> Result<()> {
    let ignored = [
        (select.prewhere.is_some(), "PREWHERE"),
        (select.into.is_some(), "SELECT INTO"),
        (!select.connect_by.is_empty(), "CONNECT BY"),
        (select.value_table_mode.is_some(), "SELECT AS VALUE"),
        (select.exclude.is_some(), "EXCLUDE behind the select list"),
    ];
    match ignored.iter().find(|(there, _)| *there) {
        Some((_, what)) => Err(Error::unsupported(*what)),
        None => Ok(()),
    }
}

/// `GROUP BY (a, b), c` has three keys.
fn each_key(group_by: &mut GroupByExpr) {
    let GroupByExpr::Expressions(keys, _) = group_by else { return };
    // `GROUP BY ()` is one group of all rows, where no key would be no group.
    if matches!(keys.as_slice(), [Expr::Tuple(none)] if none.is_empty()) {
        *keys = vec![Expr::GroupingSets(vec![Vec::new()])];
        return;
    }
    let each = |key: Expr| match key {
        Expr::Tuple(keys) => keys,
        one => vec![one],
    };
    *keys = std::mem::take(keys).into_iter().flat_map(each).collect();
}

/// `SELECT * FROM from`.
fn select_all(from: Vec<TableWithJoins>) -> Select {
    Select {
        select_token: datafusion_sql::sqlparser::ast::helpers::attached_token::AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(Default::default())],
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

/// A query without clauses of its own.
fn plain(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// `SELECT * FROM factor`.
pub(super) fn all_of(factor: TableFactor) -> Box<Query> {
    let from = TableWithJoins { relation: factor, joins: Vec::new() };
    Box::new(plain(SetExpr::Select(Box::new(select_all(vec![from])))))
}

/// `(query) AS alias`, as a table.
fn derived(query: Query, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery: Box::new(query), alias, sample: None }
}

/// Visits the queries of expressions, each of which looks after those inside of it.
struct Inside<'r, 'a> {
    rewriter: &'r mut Rewriter<'a>,
    depth: usize,
}

impl VisitorMut for Inside<'_, '_> {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Box<Error>> {
        self.depth += 1;
        match self.depth {
            1 => match self.rewriter.query(query) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(Box::new(error)),
            },
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Box<Error>> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}
