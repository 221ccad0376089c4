//! Limits that are not plain numbers: `LIMIT 40%`, `LIMIT (SELECT ..)`, `FETCH FIRST 3 ROWS ONLY`.
//!
//! A share is taken of the rows that the query has without its limit: they are counted first. A subquery is answered
//! first. So a view cannot hold either.

use super::{Rewriter, derived, select_all};
use crate::error::{Error, Result};
use crate::front::{make, tokens};
use datafusion_common::ScalarValue;
use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, LimitClause, Query, SelectItem, SetExpr,
    TableWithJoins, Value,
};

pub(super) fn resolve(rewriter: &mut Rewriter<'_>, query: &mut Query) -> Result<()> {
    from_fetch(query)?;
    let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause else { return Ok(()) };
    let mut exprs: Vec<&mut Expr> = limit.iter_mut().collect();
    exprs.extend(offset.iter_mut().map(|o| &mut o.value));
    for expr in exprs {
        if let Some(share) = share(expr) {
            *expr = make::number(share_of(rewriter, &query.body, &share)?);
        } else if holds_query(expr) {
            rewriter.inside(expr)?;
            *expr = answered(rewriter, expr)?;
        }
    }
    Ok(())
}

fn from_fetch(query: &mut Query) -> Result<()> {
    let Some(fetch) = query.fetch.take() else { return Ok(()) };
    if fetch.with_ties {
        return Err(Error::unsupported("FETCH .. WITH TIES").advise("filter by rank() in QUALIFY"));
    }
    let quantity = fetch.quantity.unwrap_or_else(|| make::number(1));
    let quantity = match fetch.percent {
        true => make::call(tokens::PERCENT, vec![make::text(quantity.to_string())]),
        false => quantity,
    };
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: Some(quantity), offset: None, limit_by: Vec::new() });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(quantity),
        Some(_) => return Err(Error::query("LIMIT and FETCH at once")),
    }
    Ok(())
}

/// The percentage in `percent_of_rows('40')`.
fn share(expr: &Expr) -> Option<String> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr else { return None };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = list.args.as_slice() else { return None };
    match (&value.value, name.to_string().as_str()) {
        (Value::SingleQuotedString(share), tokens::PERCENT) => Some(share.clone()),
        _ => None,
    }
}

fn share_of(rewriter: &Rewriter<'_>, body: &SetExpr, share: &str) -> Result<u64> {
    let wrong = || Error::query(format!("a limit of {share} percent"));
    let percent: f64 = share.parse().map_err(|_| wrong())?;
    if !(0.0..=100.0).contains(&percent) {
        return Err(wrong().advise("from 0 to 100"));
    }
    let relation = derived(super::plain(body.clone()), None);
    let mut select = select_all(vec![TableWithJoins { relation, joins: Vec::new() }]);
    select.projection = vec![SelectItem::UnnamedExpr(make::call("count", vec![make::number(1)]))];
    let rows = rewriter.answer(SetExpr::Select(Box::new(select)), "a limit in percent")?;
    match rows.first().and_then(|row| row.first()) {
        // No table has 2^52 rows, so that the product is exact enough to be cut off.
        Some(ScalarValue::Int64(Some(rows))) => Ok((*rows as f64 * percent / 100.0) as u64),
        _ => Err(Error::internal("a count that is none")),
    }
}

fn holds_query(expr: &Expr) -> bool {
    match expr {
        Expr::Subquery(_) => true,
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => holds_query(inner),
        Expr::BinaryOp { left, right, .. } => holds_query(left) || holds_query(right),
        _ => false,
    }
}

fn answered(rewriter: &Rewriter<'_>, expr: &Expr) -> Result<Expr> {
    let mut select = select_all(Vec::new());
    select.projection = vec![SelectItem::UnnamedExpr(expr.clone())];
    let rows = rewriter.answer(SetExpr::Select(Box::new(select)), "a limit that is a subquery")?;
    let value = rows.first().and_then(|row| row.first()).cloned().unwrap_or(ScalarValue::Null);
    match value.cast_to(&arrow::datatypes::DataType::Int64) {
        Ok(ScalarValue::Int64(Some(rows))) if rows >= 0 => Ok(make::number(rows)),
        Ok(ScalarValue::Int64(None)) => Ok(Expr::Value(Value::Null.into())),
        _ => Err(Error::query(format!("a limit of {value}")).advise("a limit is a number of rows, 0 or more")),
    }
}
