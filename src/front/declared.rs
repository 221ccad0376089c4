//! Tables that are declared before they have rows: `CREATE TABLE t(a INT NOT NULL, b VARCHAR DEFAULT 'x')`, and the rows
//! that INSERT adds to them.
//!
//! Rows become the table's columns by position, by a list of columns, or BY NAME; what a row does not say is the column's
//! default, or null. Values are cast to the columns' types; one that does not fit is an error.
//!
//! A key (PRIMARY KEY, UNIQUE) is looked after by INSERT, which reads the whole table for it.
//!
//! Limits: CHECK, REFERENCES and generated columns are refused, since nothing would watch them.

use super::catalog::{Shape, TableRef};
use super::names::normal;
use super::nearest::nearest;
use crate::error::{Error, Result};
use crate::ops::expr::from_datafusion;
use arrow::datatypes::SchemaRef;
use datafusion_common::Column;
use datafusion_expr::{Cast, Expr as BoundExpr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion_sql::sqlparser::ast::{
    ColumnDef, ColumnOption, CreateTable, Expr, Ident, Query, SetExpr, TableConstraint,
};

/// The query that has a declared table's columns and no rows, and what its columns demand.
pub(super) fn table(table: &CreateTable) -> Result<(Box<Query>, Shape)> {
    let mut shape = Shape::default();
    let mut items = Vec::new();
    for column in &table.columns {
        items.push(format!("CAST(NULL AS {}) AS \"{}\"", column.data_type, normal(&column.name).replace('"', "\"\"")));
        demands(column, &mut shape)?;
    }
    if items.is_empty() {
        return Err(Error::query("a table without columns"));
    }
    for constraint in &table.constraints {
        key(constraint, table, &mut shape)?;
    }
    Ok((super::parse::query(&format!("SELECT {} LIMIT 0", items.join(", ")))?, shape))
}

/// A key of columns that the table has.
fn key(constraint: &TableConstraint, table: &CreateTable, shape: &mut Shape) -> Result<()> {
    let (columns, primary) = match constraint {
        TableConstraint::PrimaryKey(key) => (&key.columns, true),
        TableConstraint::Unique(key) => (&key.columns, false),
        other => return Err(Error::unsupported(format!("the constraint {other}")).advise(CONSTRAINTS)),
    };
    let known: Vec<String> = table.columns.iter().map(|column| normal(&column.name)).collect();
    let mut names = Vec::with_capacity(columns.len());
    for column in columns {
        let name = match &column.column.expr {
            Expr::Identifier(ident) => normal(ident),
            other => return Err(Error::unsupported(format!("a key of {other}, which is no column"))),
        };
        let found = known.iter().find(|k| k.eq_ignore_ascii_case(&name));
        names
            .push(found.cloned().ok_or_else(|| Error::query(format!("a key of \"{name}\", which is no column here")))?);
    }
    if primary {
        shape.not_null.extend(names.iter().cloned());
    }
    shape.keys.push(names);
    Ok(())
}

/// What a table may demand.
const CONSTRAINTS: &str = "NOT NULL, DEFAULT, PRIMARY KEY and UNIQUE are there";

pub(super) fn demands(column: &ColumnDef, shape: &mut Shape) -> Result<()> {
    let name = normal(&column.name);
    for option in &column.options {
        match &option.option {
            ColumnOption::Null | ColumnOption::Comment(_) => {}
            ColumnOption::NotNull => drop(shape.not_null.insert(name.clone())),
            ColumnOption::Default(value) => drop(shape.defaults.insert(name.clone(), value.clone())),
            ColumnOption::PrimaryKey(_) => {
                shape.not_null.insert(name.clone());
                shape.keys.push(vec![name.clone()]);
            }
            ColumnOption::Unique(_) => shape.keys.push(vec![name.clone()]),
            other => {
                let what = format!("the constraint {other} of the column {name}");
                return Err(Error::unsupported(what).advise(CONSTRAINTS));
            }
        }
    }
    Ok(())
}

/// An INSERT into one table.
pub(super) struct Insert<'a> {
    table: &'a str,
    schema: SchemaRef,
    shape: Option<&'a Shape>,
    /// The table's columns that the rows have, in the rows' order.
    columns: Vec<String>,
    /// Whether the columns were listed: then rows must have all of them, and else all of the table's.
    listed: bool,
}

impl<'a> Insert<'a> {
    pub(super) fn new(
        table: &'a str,
        target: &TableRef,
        shape: Option<&'a Shape>,
        columns: &[Ident],
    ) -> Result<Insert<'a>> {
        let TableRef::Stored(_, schema, _) = target else {
            return Err(Error::query(format!("{table} is no table of this session: nothing can be inserted"))
                .advise("CREATE TABLE name AS FROM .. makes one; COPY (query) TO 'file' writes a file"));
        };
        let mut insert =
            Insert { table, schema: schema.clone(), shape, columns: Vec::new(), listed: !columns.is_empty() };
        insert.columns = match columns {
            [] => schema.fields().iter().map(|f| f.name().clone()).collect(),
            listed => listed.iter().map(|ident| insert.known(&normal(ident))).collect::<Result<_>>()?,
        };
        insert.check_twice()?;
        Ok(insert)
    }

    /// The table's column of that name, whatever its case.
    fn known(&self, name: &str) -> Result<String> {
        let names: Vec<&str> = self.schema.fields().iter().map(|f| f.name().as_str()).collect();
        let exact = names.iter().find(|n| **n == name);
        match exact.or_else(|| names.iter().find(|n| n.eq_ignore_ascii_case(name))) {
            Some(found) => Ok(found.to_string()),
            None => {
                let error = Error::query(format!("the table {} has no column \"{name}\"", self.table));
                Err(match nearest(name, names.iter().copied()) {
                    Some(near) => error.advise(format!("did you mean {near}?")),
                    None => error.advise(format!("columns here: {}", names.join(", "))),
                })
            }
        }
    }

    fn check_twice(&self) -> Result<()> {
        let twice =
            self.columns.iter().enumerate().find(|(i, name)| self.columns.iter().skip(i + 1).any(|n| n == *name));
        match twice {
            Some((_, name)) => Err(Error::query(format!("the column {name} is given twice"))),
            None => Ok(()),
        }
    }

    /// The rows' columns go by the names that they have.
    pub(super) fn by_name(&mut self, headers: &[String]) -> Result<()> {
        self.columns = headers.iter().map(|name| self.known(name)).collect::<Result<_>>()?;
        self.check_twice()
    }

    fn default_of(&self, column: &str) -> Option<&Expr> {
        self.shape.and_then(|shape| shape.defaults.get(column))
    }

    /// `VALUES (1, DEFAULT)`: the word becomes the column's default.
    pub(super) fn put_defaults(&self, source: &mut Query) {
        let SetExpr::Values(values) = &mut *source.body else { return };
        for row in &mut values.rows {
            for (value, column) in row.content.iter_mut().zip(&self.columns) {
                let word = match &*value {
                    Expr::Identifier(ident) if ident.quote_style.is_none() => ident.value.as_str(),
                    _ => "",
                };
                if word.eq_ignore_ascii_case("default") {
                    let null = || Expr::Value(datafusion_sql::sqlparser::ast::Value::Null.into());
                    *value = self.default_of(column).cloned().unwrap_or_else(null);
                }
            }
        }
    }

    /// The columns that must not be null.
    pub(super) fn not_null(&self) -> Vec<String> {
        self.shape.map(|shape| shape.not_null.iter().cloned().collect()).unwrap_or_default()
    }

    /// The rows as the table's columns.
    pub(super) fn plan(
        &self,
        rows: Option<LogicalPlan>,
        bound: &dyn Fn(&Expr) -> Result<BoundExpr>,
    ) -> Result<LogicalPlan> {
        let given = rows.as_ref().map_or(0, |plan| plan.schema().fields().len());
        if rows.is_some() && given != self.columns.len() {
            let wanted = if self.listed { "listed" } else { "of the table" };
            return Err(Error::query(format!(
                "rows of {given} columns where {} are wanted, those {wanted} ({})",
                self.columns.len(),
                self.columns.join(", ")
            )));
        }
        let plan = rows.map_or_else(|| LogicalPlanBuilder::empty(true).build(), Ok).map_err(from_datafusion)?;
        let sources = plan.schema().columns();
        let mut exprs = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let at = self.columns.iter().position(|name| name == field.name()).filter(|_| given > 0);
            let value = match at.and_then(|at| sources.get(at)) {
                Some(source) => BoundExpr::Column(Column::clone(source)),
                None => self
                    .default_of(field.name())
                    .map_or_else(|| Ok(lit(datafusion_common::ScalarValue::Null)), bound)?,
            };
            let cast = BoundExpr::Cast(Cast::new(Box::new(value), field.data_type().clone()));
            exprs.push(cast.alias(field.name()));
        }
        LogicalPlanBuilder::from(plan).project(exprs).and_then(LogicalPlanBuilder::build).map_err(from_datafusion)
    }
}
