//! Samples: `TABLESAMPLE`, `USING SAMPLE`.
//!
//! A percentage keeps each row by chance (`bernoulli`; `system` asks for speed, and gets the same); a number of rows keeps
//! that many, each set of them equally likely (`reservoir`): the first ones of a random order, a top-k.
//!
//! With a seed (`REPEATABLE (42)`, `(bernoulli, 42)`) the chance of a row is a hash of the seed and the row's number, so that
//! the same rows are taken each time, whatever the threads and the budget.

use super::{Rewriter, derived, plain, select_all};
use crate::error::{Error, Result};
use crate::front::{make, parse, tokens};
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, LimitClause, OrderBy, OrderByExpr,
    OrderByKind, OrderByOptions, Query, Select, SetExpr, TableFactor, TableSampleKind, TableWithJoins, Value,
};

/// The name of the rows' numbers: one that nobody else uses.
const NUMBER: &str = "number of the row";

/// Resolves the sample of a table in FROM.
pub(super) fn of_table(rewriter: &mut Rewriter<'_>, factor: &mut TableFactor) -> Result<()> {
    let (TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. }) = factor else { return Ok(()) };
    let Some(taken) = sample.take() else { return Ok(()) };
    let (TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = taken;
    let wanted = sample.quantity.as_ref().and_then(|q| texts(&q.value));
    let Some(wanted) = wanted else {
        return Err(Error::unsupported(format!("the sample {sample}")).advise("TABLESAMPLE 10%, TABLESAMPLE 5 ROWS"));
    };
    let from = TableWithJoins { relation: factor.clone(), joins: Vec::new() };
    *factor = derived(sampled(rewriter, vec![from], &wanted)?, None);
    Ok(())
}

/// Resolves the sample of everything in FROM.
pub(super) fn of_query(rewriter: &mut Rewriter<'_>, select: &mut Select) -> Result<()> {
    let Some(wanted) = select.distribute_by.first().and_then(texts) else { return Ok(()) };
    select.distribute_by.clear();
    let from = std::mem::take(&mut select.from);
    let relation = derived(sampled(rewriter, from, &wanted)?, None);
    select.from = vec![TableWithJoins { relation, joins: Vec::new() }];
    Ok(())
}

/// Amount, unit, method and seed of `sample_rows(..)`.
fn texts(expr: &Expr) -> Option<[String; 4]> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr else { return None };
    if name.to_string() != tokens::SAMPLE {
        return None;
    }
    let text = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(v))) => match &v.value {
            Value::SingleQuotedString(s) => Some(s.clone()),
            _ => None,
        },
        _ => None,
    };
    list.args.iter().map(text).collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// Rows with their chances, from 0 to 1, which are not among the columns.
fn numbered(from: Vec<TableWithJoins>, seed: &str) -> Result<(Select, Expr)> {
    let seed: i64 = seed.parse().map_err(|_| Error::query(format!("{seed} is no seed of a sample")))?;
    let mut inner = select_all(from);
    let number = format!("SELECT row_number() OVER () AS \"{NUMBER}\"");
    if let SetExpr::Select(made) = *parse::query(&number)?.body {
        inner.projection.extend(made.projection);
    }
    let inner = derived(plain(SetExpr::Select(Box::new(inner))), None);
    let mut outer = select_all(vec![TableWithJoins { relation: inner, joins: Vec::new() }]);
    if let SetExpr::Select(made) = *parse::query(&format!("SELECT * EXCLUDE (\"{NUMBER}\")"))?.body {
        outer.projection = made.projection;
    }
    let chance = parse::expression(&format!("hash({seed}, \"{NUMBER}\")::DOUBLE / 18446744073709551616.0"))?;
    Ok((outer, chance))
}

fn sampled(rewriter: &mut Rewriter<'_>, from: Vec<TableWithJoins>, wanted: &[String; 4]) -> Result<Query> {
    let [amount, unit, method, seed] = wanted;
    let number: f64 = amount.parse().map_err(|_| Error::query(format!("a sample of {amount}")))?;
    let percent = unit == "percent";
    if percent && number > 100.0 {
        return Err(Error::query(format!("a sample of {amount} percent")).advise("from 0 to 100"));
    }
    let (mut select, random) = match seed.is_empty() {
        true => (select_all(from), make::call("random", Vec::new())),
        false => numbered(from, seed)?,
    };
    match (method.as_str(), percent) {
        ("" | "bernoulli" | "system", true) => {
            select.selection = Some(make::binary(random, BinaryOperator::Lt, make::number(number / 100.0)));
            Ok(plain(SetExpr::Select(Box::new(select))))
        }
        ("" | "reservoir", _) => {
            let options = OrderByOptions { asc: None, nulls_first: None };
            let by = OrderByExpr { expr: random, options, with_fill: None };
            let limit = match percent {
                true => make::call(tokens::PERCENT, vec![make::text(amount.as_str())]),
                false => make::number(amount),
            };
            let mut query = plain(SetExpr::Select(Box::new(select)));
            query.order_by = Some(OrderBy { kind: OrderByKind::Expressions(vec![by]), interpolate: None });
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by: Vec::new() });
            super::limits::resolve(rewriter, &mut query)?;
            Ok(query)
        }
        (other, _) => Err(Error::query(format!("the sampling method {other} with {amount} rows"))
            .advise("reservoir takes rows or percent; bernoulli and system take percent")),
    }
}
