//! UNPIVOT: columns become rows, one for each value that is not null.
//!
//! ```text
//! UNPIVOT t ON a, b INTO NAME n VALUE v       SELECT * FROM (SELECT rest, unnest(['a', 'b']) AS n, unnest([a, b]) AS v
//! FROM t UNPIVOT (v FOR n IN (a, b))                         FROM t) WHERE v IS NOT NULL
//! ```
//!
//! One pass over the input; a row's values come in the order of the columns.
//!
//! Limits: no groups of columns, `(a, b) AS x`.

use super::{Known, Rewriter, derived, plain, select_all, stars};
use crate::error::{Error, Result};
use crate::front::{make, names};
use datafusion_sql::sqlparser::ast::{
    Array, Expr, ExprWithAlias, FunctionArg, FunctionArgExpr, FunctionArguments, NullInclusion, Select, SelectItem,
    SetExpr, TableFactor, TableWithJoins,
};

/// The columns to turn, and what the new ones are called.
struct Turn {
    /// Each column with the word for it.
    columns: Vec<(Expr, String)>,
    name: String,
    value: String,
    keeps_nulls: bool,
}

/// The select with `DISTRIBUTE BY unpivot_on('name', 'value', 'nulls', ..)` that the tokens of UNPIVOT became.
pub(super) fn statement(rewriter: &mut Rewriter<'_>, select: &Select, args: FunctionArguments) -> Result<SetExpr> {
    let wrong = || Error::query("UNPIVOT wants columns behind ON");
    let FunctionArguments::List(list) = args else { return Err(wrong()) };
    let mut exprs = list.args.into_iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(SelectItem::UnnamedExpr(expr)),
        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Ok(SelectItem::Wildcard(Default::default())),
        FunctionArg::Unnamed(FunctionArgExpr::WildcardWithOptions(options)) => Ok(SelectItem::Wildcard(options)),
        other => Err(Error::query(format!("UNPIVOT cannot take {other} behind ON"))),
    });
    let mut text = || match exprs.next() {
        Some(Ok(SelectItem::UnnamedExpr(Expr::Value(v)))) => v.value.into_string().ok_or_else(wrong),
        _ => Err(wrong()),
    };
    let (name, value, nulls) = (text()?, text()?, text()?);
    let items = exprs.collect::<Result<Vec<_>>>()?;
    let columns = stars::named(rewriter, &select.from, items)?;
    turned(rewriter, select.from.clone(), &Turn { columns, name, value, keeps_nulls: !nulls.is_empty() })
}

/// `FROM t UNPIVOT (v FOR n IN (a, b))`.
pub(super) fn factor(rewriter: &mut Rewriter<'_>, factor: &TableFactor) -> Result<TableFactor> {
    let TableFactor::Unpivot { table, value, name, columns, null_inclusion, alias } = factor else {
        return Err(Error::internal("an unpivot that is none"));
    };
    let Expr::Identifier(value) = value else {
        return Err(Error::unsupported(format!("UNPIVOT into several values, {value}")));
    };
    let from = vec![TableWithJoins { relation: (**table).clone(), joins: Vec::new() }];
    let mut listed = Vec::new();
    for ExprWithAlias { expr, alias } in columns {
        let items = vec![SelectItem::UnnamedExpr(expr.clone())];
        let found = stars::named(rewriter, &from, items)?;
        listed.extend(found.into_iter().map(|(e, word)| (e, alias.as_ref().map_or(word, |a| a.value.clone()))));
    }
    let turn = Turn {
        columns: listed,
        name: names::normal(name),
        value: names::normal(value),
        keeps_nulls: matches!(null_inclusion, Some(NullInclusion::IncludeNulls)),
    };
    Ok(derived(plain(turned(rewriter, from, &turn)?), alias.clone()))
}

fn turned(rewriter: &Rewriter<'_>, from: Vec<TableWithJoins>, turn: &Turn) -> Result<SetExpr> {
    if turn.columns.is_empty() {
        return Err(Error::query("UNPIVOT without columns"));
    }
    if let Some((tuple @ Expr::Tuple(_), _)) = turn.columns.iter().find(|(e, _)| matches!(e, Expr::Tuple(_))) {
        return Err(Error::unsupported(format!("UNPIVOT of a group of columns, {tuple}")));
    }
    let gone: Vec<&Expr> = turn.columns.iter().map(|(e, _)| e).collect();
    let stays = |k: &&Known| {
        let plain = Expr::Identifier(make::quoted(k.name.as_str()));
        let is = |e: &&Expr| match e {
            Expr::Identifier(i) => names::normal(i).eq_ignore_ascii_case(&k.name),
            Expr::CompoundIdentifier(parts) => parts.last().is_some_and(|i| names::normal(i) == k.name),
            other => **other == plain,
        };
        !gone.iter().any(is)
    };
    let known = rewriter.columns(&from)?;
    let mut inner = select_all(from);
    inner.projection = known.iter().filter(stays).map(|k| SelectItem::UnnamedExpr(k.expr())).collect();
    let words = turn.columns.iter().map(|(_, word)| make::text(word.as_str())).collect();
    let values = turn.columns.iter().map(|(expr, _)| expr.clone()).collect();
    for (list, name) in [(words, &turn.name), (values, &turn.value)] {
        let expr = make::call("unnest", vec![Expr::Array(Array { elem: list, named: false })]);
        inner.projection.push(SelectItem::ExprWithAlias { expr, alias: make::quoted(name.as_str()) });
    }
    let relation = derived(plain(SetExpr::Select(Box::new(inner))), None);
    let mut outer = select_all(vec![TableWithJoins { relation, joins: Vec::new() }]);
    let value = Box::new(Expr::Identifier(make::quoted(turn.value.as_str())));
    outer.selection = (!turn.keeps_nulls).then_some(Expr::IsNotNull(value));
    Ok(SetExpr::Select(Box::new(outer)))
}
