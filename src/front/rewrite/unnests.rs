//! `unnest` of structs in a select list, and `unnest(x, recursive := true)`.
//!
//! A struct becomes a column for each field, called by its name, wherever the query stands; the binder would name them
//! after the whole expression. A list of lists is unnested as often as it is one, and what is in it as a struct:
//!
//! ```text
//! unnest({'a': 1, 'b': 2})               {'a': 1, 'b': 2}.a AS a, {'a': 1, 'b': 2}.b AS b
//! unnest([[1], [2]], recursive := true)  unnest(unnest([[1], [2]]))
//! unnest([{'a': 1}], recursive := true)  unnest([{'a': 1}]).a AS a
//! ```

use super::{Rewriter, select_all};
use crate::error::{Error, Result};
use crate::front::make;
use arrow::datatypes::DataType;
use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Select, SelectItem, SetExpr, Value,
};

/// Does so in the select list.
pub(super) fn expand(rewriter: &Rewriter<'_>, select: &mut Select) -> Result<()> {
    let call = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) => called(expr),
        _ => Ok(None),
    };
    let mut made = Vec::with_capacity(select.projection.len());
    for item in std::mem::take(&mut select.projection) {
        let Some((value, recursive)) = call(&item)? else {
            made.push(item);
            continue;
        };
        match type_of(rewriter, select, &value) {
            Some(DataType::Struct(fields)) if !recursive => each(&value, &fields, false, &mut made),
            Some(mut data_type) if recursive => {
                let mut value = value;
                while let Some(inner) = element(&data_type) {
                    (value, data_type) = (make::call("unnest", vec![value]), inner);
                }
                match &data_type {
                    DataType::Struct(fields) => each(&value, fields, true, &mut made),
                    _ => made.push(SelectItem::ExprWithAlias { expr: value, alias: make::quoted(item.to_string()) }),
                }
            }
            // What it is, the binder will say.
            _ if !recursive => made.push(item),
            _ => made.push(SelectItem::UnnamedExpr(make::call("unnest", vec![value]))),
        }
    }
    select.projection = made;
    Ok(())
}

/// The argument of `unnest`, and whether it is to be unnested to its end.
fn called(expr: &Expr) -> Result<Option<(Expr, bool)>> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, .. }) = expr else {
        return Ok(None);
    };
    if !name.to_string().eq_ignore_ascii_case("unnest") {
        return Ok(None);
    }
    let option = |arg: &FunctionArg| match arg {
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(Expr::Value(v)), .. } => {
            match (name.value.to_lowercase().as_str(), &v.value) {
                ("recursive", Value::Boolean(recursive)) => Ok(*recursive),
                _ => Err(Error::unsupported(format!("unnest with {arg}"))),
            }
        }
        FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(Expr::Value(v)), .. } => {
            match (name.value.to_lowercase().as_str(), &v.value) {
                ("recursive", Value::Boolean(recursive)) => Ok(*recursive),
                _ => Err(Error::unsupported(format!("unnest with {arg}"))),
            }
        }
        _ => Err(Error::unsupported(format!("unnest with {arg}"))),
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] => Ok(Some((value.clone(), false))),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(value)), said] => Ok(Some((value.clone(), option(said)?))),
        _ => Ok(None),
    }
}

/// The type of an expression over the tables of a select, if it has one by itself.
fn type_of(rewriter: &Rewriter<'_>, select: &Select, value: &Expr) -> Option<DataType> {
    let mut alone = select_all(select.from.clone());
    let alias = Ident::with_quote('"', "value");
    alone.projection = vec![SelectItem::ExprWithAlias { expr: value.clone(), alias }];
    let plan = rewriter.bound(SetExpr::Select(Box::new(alone))).ok()?;
    plan.schema().fields().first().map(|field| field.data_type().clone())
}

fn element(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::List(of) | DataType::LargeList(of) | DataType::ListView(of) | DataType::FixedSizeList(of, _) => {
            Some(of.data_type().clone())
        }
        _ => None,
    }
}

/// An item for each field of `value`; for those of structs inside too, if `deep`.
fn each(value: &Expr, fields: &arrow::datatypes::Fields, deep: bool, made: &mut Vec<SelectItem>) {
    for field in fields {
        let expr = make::call("struct_extract", vec![value.clone(), make::text(field.name().as_str())]);
        match field.data_type() {
            DataType::Struct(inner) if deep => each(&expr, inner, true, made),
            _ => made.push(SelectItem::ExprWithAlias { expr, alias: make::quoted(field.name().as_str()) }),
        }
    }
}
