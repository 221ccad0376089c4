//! UPDATE, DELETE and ALTER TABLE: queries that make a table of the session anew.
//!
//! A stored table's rows never change. So each of these is a query over the rows that are there, whose answer takes their
//! place, with what the columns demand and default to ([`Shape`]) changed alike:
//!
//! ```text
//! UPDATE t SET a = e WHERE c   SELECT CASE WHEN hit THEN e::type ELSE a END AS a, .. FROM (SELECT *, c AS hit FROM t) t
//! DELETE FROM t WHERE c        SELECT * FROM t WHERE (c) IS NOT TRUE
//! ALTER TABLE t ADD b INT      SELECT *, CAST(NULL AS INT) AS b FROM t
//! ALTER TABLE t DROP b         SELECT * EXCLUDE (b) FROM t
//! ALTER TABLE t RENAME b TO c  SELECT * RENAME (b AS c) FROM t
//! ALTER TABLE t ALTER b TYPE x SELECT * REPLACE (CAST(b AS x) AS b) FROM t
//! ```
//!
//! Limits: all rows are written again; no UPDATE .. FROM, DELETE .. USING, RETURNING.

use super::catalog::{Shape, TableRef};
use super::declared;
use super::names::normal;
use super::nearest::nearest;
use crate::error::{Error, Result};
use crate::ops::expr::from_datafusion;
use arrow::datatypes::SchemaRef;
use datafusion_expr::{Cast, Expr as BoundExpr, LogicalPlan, LogicalPlanBuilder, when};
use datafusion_sql::sqlparser::ast::{
    AlterColumnOperation, AlterTableOperation, AssignmentTarget, ColumnDef, Delete, Expr, FromTable, Ident, ObjectName,
    Query, TableFactor, TableWithJoins, Update,
};

/// A table of the session that is to be made anew.
pub(super) struct Target {
    /// Its name as the user wrote it.
    written: String,
    schema: SchemaRef,
    /// What its columns will demand and default to.
    pub(super) shape: Shape,
}

/// The columns that an UPDATE sets, by their places in the table.
pub(super) struct Assigned(Vec<usize>);

/// The name of the column that says whether a row is meant.
const HIT: &str = "row is meant";

impl Target {
    pub(super) fn new(written: &ObjectName, table: &TableRef, shape: Option<&Shape>) -> Result<Target> {
        let TableRef::Stored(_, schema, _) = table else {
            return Err(Error::query(format!("{written} is no table of this session: nothing in it can be changed"))
                .advise("CREATE TABLE name AS FROM .. makes one; COPY (query) TO 'file' writes a file"));
        };
        Ok(Target { written: written.to_string(), schema: schema.clone(), shape: shape.cloned().unwrap_or_default() })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.schema.fields().iter().map(|f| f.name().as_str())
    }

    fn find(&self, name: &Ident) -> Option<usize> {
        let name = normal(name);
        self.names().position(|n| n == name).or_else(|| self.names().position(|n| n.eq_ignore_ascii_case(&name)))
    }

    /// The place and the name of a column.
    fn known(&self, name: &Ident) -> Result<(usize, String)> {
        match self.find(name) {
            Some(at) => Ok((at, self.names().nth(at).unwrap_or_default().to_string())),
            None => {
                let error = Error::query(format!("the table {} has no column \"{}\"", self.written, name.value));
                Err(match nearest(&name.value, self.names()) {
                    Some(near) => error.advise(format!("did you mean {near}?")),
                    None => error.advise(format!("columns here: {}", self.names().collect::<Vec<_>>().join(", "))),
                })
            }
        }
    }

    fn query(&self, columns: &str) -> Result<Box<Query>> {
        super::parse::query(&format!("SELECT {columns} FROM {}", self.written))
    }

    /// The rows with the values of before and the new ones, and which columns these are of.
    pub(super) fn update(&self, update: &Update) -> Result<(Box<Query>, Assigned)> {
        let more = [
            (update.from.is_some(), "UPDATE .. FROM"),
            (update.returning.is_some(), "RETURNING"),
            (update.limit.is_some() || !update.order_by.is_empty(), "UPDATE with a LIMIT"),
            (update.or.is_some() || update.output.is_some(), "this UPDATE"),
        ];
        refuse(&more)?;
        let alias = alias_of(&update.table)?;
        let (mut places, mut values) = (Vec::new(), String::new());
        for assignment in &update.assignments {
            let column = match &assignment.target {
                AssignmentTarget::ColumnName(name) => name.0.last().and_then(|part| part.as_ident()),
                AssignmentTarget::Tuple(_) => None,
            };
            let column = column.ok_or_else(|| Error::unsupported(format!("SET {}", assignment.target)))?;
            let (at, name) = self.known(column)?;
            if places.contains(&at) {
                return Err(Error::query(format!("the column {name} is set twice")));
            }
            let value = self.value(&name, &assignment.value);
            values.push_str(&format!(
                ", CASE WHEN {} THEN ({value}) END AS {}",
                quoted(HIT),
                quoted(&format!("new {name}"))
            ));
            places.push(at);
        }
        let names: Vec<String> = self.names().map(|name| format!("{alias}.{}", quoted(name))).collect();
        let hit = update.selection.as_ref().map_or("TRUE".to_string(), ToString::to_string);
        let text = format!(
            "SELECT {}, {}{values} FROM (SELECT *, ({hit}) IS TRUE AS {} FROM {} AS {alias}) AS {alias}",
            names.join(", "),
            quoted(HIT),
            quoted(HIT),
            self.written
        );
        Ok((super::parse::query(&text)?, Assigned(places)))
    }

    /// A value of an UPDATE; `DEFAULT` is the column's default.
    fn value(&self, column: &str, value: &Expr) -> String {
        match value {
            Expr::Identifier(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default") => {
                self.shape.default_of(column).unwrap_or_else(|| "NULL".into())
            }
            value => value.to_string(),
        }
    }

    /// The table's columns out of what [`Target::update`] asked for: the new value where a row is meant, as the column's
    /// type.
    pub(super) fn updated(&self, rows: LogicalPlan, assigned: &Assigned) -> Result<LogicalPlan> {
        let sources = rows.schema().columns();
        let source = |at: usize| {
            let column = sources.get(at).cloned().map(BoundExpr::Column);
            column.ok_or_else(|| Error::internal("an UPDATE without a column"))
        };
        let width = self.schema.fields().len();
        let mut columns = Vec::with_capacity(width);
        for (at, field) in self.schema.fields().iter().enumerate() {
            let old = source(at)?;
            let value = match assigned.0.iter().position(|place| *place == at) {
                Some(nth) => {
                    let new = Cast::new(Box::new(source(width + 1 + nth)?), field.data_type().clone());
                    when(source(width)?, BoundExpr::Cast(new)).otherwise(old).map_err(from_datafusion)?
                }
                None => old,
            };
            columns.push(value.alias(field.name()));
        }
        LogicalPlanBuilder::from(rows).project(columns).and_then(LogicalPlanBuilder::build).map_err(from_datafusion)
    }

    /// The rows that stay.
    pub(super) fn delete(&self, delete: &Delete) -> Result<Box<Query>> {
        let more = [
            (delete.using.is_some(), "DELETE .. USING"),
            (delete.returning.is_some(), "RETURNING"),
            (delete.limit.is_some() || !delete.order_by.is_empty(), "DELETE with a LIMIT"),
            (delete.output.is_some(), "this DELETE"),
        ];
        refuse(&more)?;
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let alias = from.first().map_or_else(|| Ok(String::new()), alias_of)?;
        let gone = delete.selection.as_ref().map_or("TRUE".to_string(), ToString::to_string);
        super::parse::query(&format!("SELECT * FROM {} AS {alias} WHERE ({gone}) IS NOT TRUE", self.written))
    }

    /// The rows as they are after an ALTER TABLE; `None` if there is nothing to do. The shape changes with them.
    pub(super) fn alter(&mut self, operation: &AlterTableOperation) -> Result<Option<Box<Query>>> {
        match operation {
            AlterTableOperation::AddColumn { if_not_exists, column_def, column_position: None, .. } => {
                self.add(column_def, *if_not_exists)
            }
            AlterTableOperation::DropColumn { column_names, if_exists, .. } => self.drop(column_names, *if_exists),
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                self.rename(old_column_name, new_column_name).map(Some)
            }
            AlterTableOperation::AlterColumn { column_name, op } => self.alter_column(column_name, op).map(Some),
            other => Err(Error::unsupported(format!("ALTER TABLE {} {other}", self.written)).advise(
                "columns can be added, dropped, renamed and altered; CREATE OR REPLACE TABLE t AS SELECT .. FROM t makes \
                 another",
            )),
        }
    }

    fn add(&mut self, column: &ColumnDef, if_not_exists: bool) -> Result<Option<Box<Query>>> {
        if self.find(&column.name).is_some() {
            let error = Error::query(format!("the table {} has a column \"{}\"", self.written, column.name.value));
            return if if_not_exists { Ok(None) } else { Err(error) };
        }
        declared::demands(column, &mut self.shape)?;
        let name = normal(&column.name);
        let value = self.shape.default_of(&name).unwrap_or_else(|| "NULL".into());
        self.query(&format!("*, CAST({value} AS {}) AS {}", column.data_type, quoted(&name))).map(Some)
    }

    fn drop(&mut self, columns: &[Ident], if_exists: bool) -> Result<Option<Box<Query>>> {
        let mut gone = Vec::new();
        for column in columns {
            if if_exists && self.find(column).is_none() {
                continue;
            }
            let (_, name) = self.known(column)?;
            if self.shape.keys.iter().any(|key| key.contains(&name)) {
                return Err(Error::query(format!("the column {name} is of a key (PRIMARY KEY, UNIQUE)")));
            }
            self.shape.not_null.remove(&name);
            self.shape.defaults.remove(&name);
            gone.push(quoted(&name));
        }
        if gone.is_empty() {
            return Ok(None);
        }
        if gone.len() >= self.schema.fields().len() {
            return Err(Error::query(format!("the table {} would have no columns", self.written)));
        }
        self.query(&format!("* EXCLUDE ({})", gone.join(", "))).map(Some)
    }

    fn rename(&mut self, from: &Ident, to: &Ident) -> Result<Box<Query>> {
        let (at, from) = self.known(from)?;
        if self.find(to).is_some_and(|found| found != at) {
            return Err(Error::query(format!("the table {} has a column \"{}\"", self.written, to.value)));
        }
        let to = normal(to);
        let shape = &mut self.shape;
        if shape.not_null.remove(&from) {
            shape.not_null.insert(to.clone());
        }
        if let Some(default) = shape.defaults.remove(&from) {
            shape.defaults.insert(to.clone(), default);
        }
        shape.keys.iter_mut().flatten().filter(|name| **name == from).for_each(|name| name.clone_from(&to));
        let columns = self.names().enumerate().map(|(i, name)| match i == at {
            true => format!("{} AS {}", quoted(name), quoted(&to)),
            false => quoted(name),
        });
        self.query(&columns.collect::<Vec<_>>().join(", "))
    }

    fn alter_column(&mut self, column: &Ident, operation: &AlterColumnOperation) -> Result<Box<Query>> {
        let (_, name) = self.known(column)?;
        match operation {
            AlterColumnOperation::SetNotNull => drop(self.shape.not_null.insert(name)),
            AlterColumnOperation::DropNotNull => drop(self.shape.not_null.remove(&name)),
            AlterColumnOperation::SetDefault { value } => drop(self.shape.defaults.insert(name, value.clone())),
            AlterColumnOperation::DropDefault => drop(self.shape.defaults.remove(&name)),
            AlterColumnOperation::SetDataType { data_type, using, .. } => {
                let name = quoted(&name);
                let value = using.as_ref().map_or(name.clone(), ToString::to_string);
                return self.query(&format!("* REPLACE (CAST({value} AS {data_type}) AS {name})"));
            }
            other => return Err(Error::unsupported(format!("ALTER COLUMN {name} {other}"))),
        }
        self.query("*")
    }
}

fn refuse(more: &[(bool, &str)]) -> Result<()> {
    match more.iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => {
            Err(Error::unsupported(*what).advise("subqueries are there; CREATE OR REPLACE TABLE t AS SELECT .. FROM t"))
        }
        None => Ok(()),
    }
}

/// The one table of an UPDATE or a DELETE.
pub(super) fn table_of(table: &TableWithJoins) -> Result<&ObjectName> {
    match &table.relation {
        TableFactor::Table { name, args: None, .. } if table.joins.is_empty() => Ok(name),
        _ => Err(Error::unsupported(format!("changing {table}, which is not one table"))),
    }
}

/// What the table is called in the statement.
fn alias_of(table: &TableWithJoins) -> Result<String> {
    let name = table_of(table)?;
    match &table.relation {
        TableFactor::Table { alias: Some(alias), .. } => Ok(alias.name.to_string()),
        _ => Ok(name.0.last().and_then(|part| part.as_ident()).map(ToString::to_string).unwrap_or_default()),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
