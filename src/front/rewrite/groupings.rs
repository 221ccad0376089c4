//! `GROUPING SETS (ROLLUP (a, b), CUBE (c), (d))`, `ROLLUP ((a, b), c)`: sets that are written short become the sets that
//! they stand for.

use crate::error::{Error, Result};
use datafusion_sql::sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr};

/// The most keys of a CUBE, which has a set for each choice of them.
const MOST: usize = 12;

/// Writes out the sets of a GROUP BY.
pub(super) fn spell_out(group_by: &mut GroupByExpr) -> Result<()> {
    let GroupByExpr::Expressions(keys, _) = group_by else { return Ok(()) };
    for key in keys {
        // The binder takes keys in parentheses in sets only.
        let several = |keys: &[Vec<Expr>]| keys.iter().any(|key| key.len() != 1);
        if let Expr::Rollup(keys) | Expr::Cube(keys) = &*key
            && several(keys)
            && let Some(sets) = short(key)?
        {
            *key = Expr::GroupingSets(sets);
        }
        if let Expr::GroupingSets(sets) = key {
            let mut all = Vec::with_capacity(sets.len());
            for set in std::mem::take(sets) {
                match set.as_slice() {
                    [one] => match short(one)? {
                        Some(more) => all.extend(more),
                        None => all.push(set),
                    },
                    _ => all.push(set),
                }
            }
            *sets = all;
        }
    }
    Ok(())
}

/// The sets of a ROLLUP or a CUBE.
fn short(set: &Expr) -> Result<Option<Vec<Vec<Expr>>>> {
    let (keys, cube) = match set {
        Expr::Rollup(keys) => (keys.clone(), false),
        Expr::Cube(keys) => (keys.clone(), true),
        Expr::Function(call) => match call.name.to_string().to_ascii_lowercase().as_str() {
            "rollup" => (arguments(call), false),
            "cube" => (arguments(call), true),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let of = |chosen: &dyn Fn(usize) -> bool| -> Vec<Expr> {
        keys.iter().enumerate().filter(|(i, _)| chosen(*i)).flat_map(|(_, key)| key.clone()).collect()
    };
    if !cube {
        return Ok(Some((0..=keys.len()).rev().map(|n| of(&|i| i < n)).collect()));
    }
    if keys.len() > MOST {
        return Err(Error::unsupported(format!("a CUBE of more than {MOST} keys")));
    }
    Ok(Some((0..1_usize << keys.len()).rev().map(|set| of(&|i| set >> i & 1 == 1)).collect()))
}

/// The keys, several of which may stand in parentheses as one.
fn arguments(call: &Function) -> Vec<Vec<Expr>> {
    let FunctionArguments::List(list) = &call.args else { return Vec::new() };
    let key = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Tuple(several))) => Some(several.clone()),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Nested(one))) => Some(vec![(**one).clone()]),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(one)) => Some(vec![one.clone()]),
        _ => None,
    };
    list.args.iter().filter_map(key).collect()
}
