//! SUMMARIZE: one row for each column, with its smallest and largest value, how many different ones there are (exactly,
//! under DuckDB's name for its guess), mean, spread, quartiles, the rows and the share of nulls.
//!
//! All of it is one aggregate over the input, which the session runs when the statement is bound; its answer, turned, is
//! the result.

use super::{Known, Rewriter, plain, select_all};
use crate::error::{Error, Result};
use crate::front::{make, parse, type_name};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_sql::sqlparser::ast::{Expr, Select, SelectItem, SetExpr};

/// The columns of the result, and what of a column they show: `{c}` is the column.
const FACTS: &[(&str, &str, Where)] = &[
    ("min", "CAST(min({c}) AS VARCHAR)", Where::Ordered),
    ("max", "CAST(max({c}) AS VARCHAR)", Where::Ordered),
    ("approx_unique", "count(DISTINCT {c})", Where::Ordered),
    ("avg", "CAST(avg(CAST({c} AS DOUBLE)) AS VARCHAR)", Where::Numeric),
    ("std", "CAST(stddev(CAST({c} AS DOUBLE)) AS VARCHAR)", Where::Numeric),
    ("q25", "CAST(quantile_cont(CAST({c} AS DOUBLE), 0.25) AS VARCHAR)", Where::Numeric),
    ("q50", "CAST(quantile_cont(CAST({c} AS DOUBLE), 0.5) AS VARCHAR)", Where::Numeric),
    ("q75", "CAST(quantile_cont(CAST({c} AS DOUBLE), 0.75) AS VARCHAR)", Where::Numeric),
    ("count", "count(*)", Where::Any),
    ("null_percentage", "round(100.0 * (count(*) - count({c})) / greatest(count(*), 1), 2)", Where::Any),
];

/// For which types a fact means something.
#[derive(Clone, Copy)]
enum Where {
    Any,
    Numeric,
    Ordered,
}

impl Where {
    fn holds(self, data_type: &DataType) -> bool {
        match self {
            Where::Any => true,
            Where::Numeric => data_type.is_numeric(),
            Where::Ordered => !data_type.is_nested(),
        }
    }
}

/// The select with `DISTRIBUTE BY summarize_rows()` that the tokens of SUMMARIZE became.
pub(super) fn statement(rewriter: &mut Rewriter<'_>, select: &Select) -> Result<SetExpr> {
    let known = rewriter.columns(&select.from)?;
    let mut ask = select_all(select.from.clone());
    ask.projection = Vec::new();
    for (number, column) in known.iter().enumerate() {
        for (name, ..) in FACTS {
            let alias = make::quoted(format!("{number} {name}"));
            ask.projection.push(SelectItem::ExprWithAlias { expr: fact(column, name)?, alias });
        }
    }
    if known.is_empty() {
        return Err(Error::query("SUMMARIZE of a table without columns"));
    }
    let rows = rewriter.answer(SetExpr::Select(Box::new(ask)), "SUMMARIZE")?;
    let facts = rows.into_iter().next().ok_or_else(|| Error::internal("a summary without a row"))?;
    let lines = known.iter().zip(facts.chunks(FACTS.len())).map(|(column, facts)| line(column, facts));
    let lines = lines.collect::<Result<Vec<_>>>()?;
    let names: Vec<&str> = ["column_name", "column_type"].into_iter().chain(FACTS.iter().map(|f| f.0)).collect();
    table(&names, &lines)
}

fn fact(column: &Known, name: &str) -> Result<Expr> {
    let known = FACTS.iter().find(|fact| fact.0 == name);
    let (_, template, place) = known.ok_or_else(|| Error::internal("a fact without a name"))?;
    let template = match place.holds(&column.data_type) {
        true => template,
        false => "NULL",
    };
    parse::expression(&template.replace("{c}", &column.expr().to_string()))
}

fn line(column: &Known, facts: &[ScalarValue]) -> Result<String> {
    let mut cells = vec![make::text(column.name.as_str()), make::text(type_name(&column.data_type))];
    for (value, (name, ..)) in facts.iter().zip(FACTS) {
        let kind = match *name {
            "approx_unique" | "count" => "BIGINT",
            "null_percentage" => "DOUBLE",
            _ => "VARCHAR",
        };
        let literal = super::params::literal(value)?;
        cells.push(parse::expression(&format!("CAST({literal} AS {kind})"))?);
    }
    let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
    Ok(format!("({})", cells.join(", ")))
}

/// Rows of a VALUES list under names.
fn table(names: &[&str], lines: &[String]) -> Result<SetExpr> {
    let names: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
    let factor = parse::table_factor(&format!("(VALUES {}) AS summary({})", lines.join(", "), names.join(", ")))?;
    let from = datafusion_sql::sqlparser::ast::TableWithJoins { relation: factor, joins: Vec::new() };
    Ok(SetExpr::Query(Box::new(plain(SetExpr::Select(Box::new(select_all(vec![from])))))))
}
