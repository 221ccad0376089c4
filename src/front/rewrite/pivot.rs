//! PIVOT: values become columns.
//!
//! ```text
//! PIVOT t ON c USING sum(x) GROUP BY y        SELECT y, sum(x) FILTER (WHERE c::varchar = 'p') AS p,
//! FROM t PIVOT (sum(x) FOR c IN ('p', 'q'))             sum(x) FILTER (WHERE c::varchar = 'q') AS q
//!                                             FROM t GROUP BY y
//! ```
//!
//! 1. The values of each column are those of its IN list, or what a query for the different ones gives, in their order.
//! 2. Without GROUP BY, all columns are groups that neither ON nor USING names.
//! 3. Each combination of values, times each aggregate, is a column, named `value`, `value1_value2` or, where an aggregate
//!    has a name or is one of several, `value_aggregate`.

use super::{Known, Rewriter, derived, plain, select_all};
use crate::error::{Error, Result};
use crate::front::walk;
use crate::front::{make, names};
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, ExprWithAlias, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Ident, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, PivotValueSource, Query, Select, SelectItem,
    SetExpr, TableFactor, TableWithJoins, VisitorMut,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The most columns that a pivot makes.
const MOST_COLUMNS: usize = 5_000;

/// One column that is pivoted, and its values with their names.
struct Axis {
    expr: Expr,
    values: Vec<(String, String)>,
}

/// An aggregate, and its name where it has one.
struct Measure {
    expr: Expr,
    name: Option<String>,
}

/// The select with `DISTRIBUTE BY pivot_on(..)` that the tokens of a PIVOT statement became.
pub(super) fn statement(rewriter: &mut Rewriter<'_>, select: &Select, args: FunctionArguments) -> Result<SetExpr> {
    let measures = select.projection.iter().map(measure).collect::<Result<Vec<_>>>()?;
    let FunctionArguments::List(list) = args else { return Err(Error::query("PIVOT wants columns behind ON")) };
    let mut axes = Vec::new();
    for arg in list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => axes.push(axis(rewriter, &select.from, expr)?),
            other => return Err(Error::query(format!("PIVOT cannot take {other} behind ON"))),
        }
    }
    let groups = match &select.group_by {
        GroupByExpr::Expressions(groups, _) if !groups.is_empty() => Some(groups.clone()),
        _ => None,
    };
    pivoted(rewriter, select.from.clone(), &axes, &measures, groups)
}

/// `FROM t PIVOT (sum(x) FOR c IN (..))`.
pub(super) fn factor(rewriter: &mut Rewriter<'_>, factor: &TableFactor) -> Result<TableFactor> {
    let TableFactor::Pivot { table, aggregate_functions, value_column, value_source, default_on_null, alias } = factor
    else {
        return Err(Error::internal("a pivot that is none"));
    };
    let [column] = value_column.as_slice() else {
        return Err(Error::unsupported("PIVOT over several columns in FROM")
            .advise("PIVOT t ON a, b USING ..; in FROM, in parentheses"));
    };
    if default_on_null.is_some() {
        return Err(Error::unsupported("DEFAULT ON NULL in PIVOT").advise("coalesce() around its columns"));
    }
    let from = vec![TableWithJoins { relation: (**table).clone(), joins: Vec::new() }];
    let values = match value_source {
        PivotValueSource::List(list) => list.iter().map(|item| listed(rewriter, item)).collect::<Result<Vec<_>>>()?,
        PivotValueSource::Any(_) => different(rewriter, &from, column)?,
        PivotValueSource::Subquery(query) => of_query(rewriter, query)?,
    };
    let named = |f: &ExprWithAlias| Measure { expr: f.expr.clone(), name: f.alias.as_ref().map(names::normal) };
    let measures: Vec<Measure> = aggregate_functions.iter().map(named).collect();
    let axes = [Axis { expr: column.clone(), values }];
    let body = pivoted(rewriter, from, &axes, &measures, None)?;
    Ok(derived(plain(body), alias.clone()))
}

fn measure(item: &SelectItem) -> Result<Measure> {
    match item {
        SelectItem::UnnamedExpr(expr) => Ok(Measure { expr: expr.clone(), name: None }),
        SelectItem::ExprWithAlias { expr, alias } => {
            Ok(Measure { expr: expr.clone(), name: Some(names::normal(alias)) })
        }
        other => Err(Error::query(format!("PIVOT .. USING wants aggregates, not {other}"))),
    }
}

fn axis(rewriter: &mut Rewriter<'_>, from: &[TableWithJoins], expr: Expr) -> Result<Axis> {
    match expr {
        Expr::InList { expr, list, negated: false } => {
            let listed = |value: &Expr| listed(rewriter, &ExprWithAlias { expr: value.clone(), alias: None });
            let values = list.iter().map(listed).collect::<Result<Vec<_>>>()?;
            Ok(Axis { expr: *expr, values })
        }
        Expr::InSubquery { expr, subquery, negated: false } => {
            let values = of_query(rewriter, &subquery)?;
            Ok(Axis { expr: *expr, values })
        }
        expr => Ok(Axis { values: different(rewriter, from, &expr)?, expr }),
    }
}

/// A value of an IN list: a constant, or a word that means itself.
fn listed(rewriter: &Rewriter<'_>, item: &ExprWithAlias) -> Result<(String, String)> {
    let value = match &item.expr {
        Expr::Identifier(word) => word.value.clone(),
        expr => match rewriter.constants(vec![as_text(expr)])?.first() {
            Some(value) if !value.is_null() => value.to_string(),
            _ => return Err(Error::query(format!("{expr} is no value to pivot by"))),
        },
    };
    let name = item.alias.as_ref().map_or_else(|| value.clone(), |alias| alias.value.clone());
    Ok((value, name))
}

/// The different values of `expr`, in their order.
fn different(rewriter: &Rewriter<'_>, from: &[TableWithJoins], expr: &Expr) -> Result<Vec<(String, String)>> {
    let mut inner = select_all(from.to_vec());
    let value = Ident::with_quote('"', "value");
    inner.projection = vec![SelectItem::ExprWithAlias { expr: expr.clone(), alias: value.clone() }];
    inner.group_by = GroupByExpr::Expressions(vec![expr.clone()], Vec::new());
    let relation = derived(plain(SetExpr::Select(Box::new(inner))), None);
    let mut select = select_all(vec![TableWithJoins { relation, joins: Vec::new() }]);
    let column = Expr::Identifier(value);
    select.selection = Some(Expr::IsNotNull(Box::new(column.clone())));
    select.projection = vec![SelectItem::ExprWithAlias { expr: as_text(&column), alias: Ident::new("word") }];
    let mut query = plain(SetExpr::Select(Box::new(select)));
    let options = OrderByOptions { asc: None, nulls_first: None };
    let by = OrderByExpr { expr: column, options, with_fill: None };
    query.order_by = Some(OrderBy { kind: OrderByKind::Expressions(vec![by]), interpolate: None });
    words(rewriter, query)
}

fn of_query(rewriter: &mut Rewriter<'_>, query: &Query) -> Result<Vec<(String, String)>> {
    words(rewriter, query.clone())
}

fn words(rewriter: &Rewriter<'_>, query: Query) -> Result<Vec<(String, String)>> {
    let rows = rewriter.answer(SetExpr::Query(Box::new(query)), "PIVOT without an IN list")?;
    let word = |row: Vec<datafusion_common::ScalarValue>| {
        let text = row.first()?.cast_to(&arrow::datatypes::DataType::Utf8).ok()?;
        (!text.is_null()).then(|| (text.to_string(), text.to_string()))
    };
    Ok(rows.into_iter().filter_map(word).collect())
}

fn as_text(expr: &Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Nested(Box::new(expr.clone()))),
        data_type: DataType::Varchar(None),
        array: false,
        format: None,
    }
}

fn pivoted(
    rewriter: &Rewriter<'_>,
    from: Vec<TableWithJoins>,
    axes: &[Axis],
    measures: &[Measure],
    groups: Option<Vec<Expr>>,
) -> Result<SetExpr> {
    let groups = match groups {
        Some(groups) => groups,
        None => untouched(rewriter.columns(&from)?, axes, measures),
    };
    let cells = combinations(axes);
    if cells.len().saturating_mul(measures.len()) > MOST_COLUMNS {
        return Err(Error::query(format!("PIVOT would make more than {MOST_COLUMNS} columns"))
            .advise("choose the values: ON column IN (..)"));
    }
    let mut select = select_all(from);
    select.projection = groups.iter().cloned().map(SelectItem::UnnamedExpr).collect();
    for (name, condition) in &cells {
        for measure in measures {
            let mut expr = measure.expr.clone();
            filter_aggregates(rewriter, &mut expr, condition);
            let name = match (&measure.name, measures.len()) {
                (None, 1) => name.clone(),
                (None, _) => format!("{name}_{}", measure.expr),
                (Some(measure), _) => format!("{name}_{measure}"),
            };
            select.projection.push(SelectItem::ExprWithAlias { expr, alias: make::quoted(name) });
        }
    }
    if select.projection.is_empty() {
        return Err(Error::query("PIVOT finds no value to make a column of"));
    }
    select.group_by = GroupByExpr::Expressions(groups, Vec::new());
    Ok(SetExpr::Select(Box::new(select)))
}

/// The name and the condition of each combination of values.
fn combinations(axes: &[Axis]) -> Vec<(String, Expr)> {
    let mut cells: Vec<(String, Option<Expr>)> = vec![(String::new(), None)];
    for axis in axes {
        let mut longer = Vec::new();
        for (name, condition) in &cells {
            for (value, word) in &axis.values {
                let is = make::binary(as_text(&axis.expr), BinaryOperator::Eq, make::text(value.as_str()));
                let name = if name.is_empty() { word.clone() } else { format!("{name}_{word}") };
                longer.push((name, Some(make::and(condition.clone(), is))));
            }
        }
        cells = longer;
    }
    cells.into_iter().filter_map(|(name, condition)| Some((name, condition?))).collect()
}

/// The columns that neither the axes nor the measures name.
fn untouched(known: Vec<Known>, axes: &[Axis], measures: &[Measure]) -> Vec<Expr> {
    let mut named = Named(BTreeSet::new());
    for expr in axes.iter().map(|a| &a.expr).chain(measures.iter().map(|m| &m.expr)) {
        let _ = walk::alter(&mut expr.clone(), &mut named);
    }
    known.iter().filter(|k| !named.0.contains(&k.name.to_lowercase())).map(Known::expr).collect()
}

struct Named(BTreeSet<String>);

impl VisitorMut for Named {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => drop(self.0.insert(ident.value.to_lowercase())),
            Expr::CompoundIdentifier(parts) => {
                self.0.extend(parts.last().map(|ident| ident.value.to_lowercase()));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Adds `condition` to the filter of every aggregate in `expr`.
fn filter_aggregates(rewriter: &Rewriter<'_>, expr: &mut Expr, condition: &Expr) {
    let _ = walk::alter(expr, &mut Filtered { rewriter, condition });
}

struct Filtered<'r, 'a> {
    rewriter: &'r Rewriter<'a>,
    condition: &'r Expr,
}

impl VisitorMut for Filtered<'_, '_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, filter, over: None, .. }) = expr
            && self.rewriter.front.aggregate_function(&name.to_string().to_lowercase()).is_some()
        {
            *filter = Some(Box::new(make::and(filter.take().map(|f| *f), self.condition.clone())));
        }
        ControlFlow::Continue(())
    }
}
