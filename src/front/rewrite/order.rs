//! `ORDER BY ALL`: by every output column, from left to right, whatever it is computed from and also behind set
//! operations.

use super::Rewriter;
use crate::error::Result;
use crate::front::make;
use datafusion_sql::sqlparser::ast::{OrderByExpr, OrderByKind, Query};

pub(super) fn by_all(rewriter: &Rewriter<'_>, query: &mut Query) -> Result<()> {
    let body = query.body.clone();
    let Some(order) = &mut query.order_by else { return Ok(()) };
    if let OrderByKind::All(options) = order.kind.clone() {
        let columns = rewriter.bound(*body)?.schema().fields().len();
        let by = |i: usize| OrderByExpr { expr: make::number(i), options, with_fill: None };
        order.kind = OrderByKind::Expressions((1..=columns).map(by).collect());
    }
    Ok(())
}
