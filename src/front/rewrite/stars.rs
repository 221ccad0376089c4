//! Stars that need to know the columns: `* RENAME (a AS b)`, `COLUMNS('regex')`, `COLUMNS(* EXCLUDE (a))`,
//! `COLUMNS(['a', 'b'])`, `COLUMNS(c -> c LIKE 'a%')`, `*COLUMNS(..)` among the arguments of a function, `s.*` of a struct.
//!
//! An item of the select list that holds `COLUMNS` becomes one item for each column, named after it; in WHERE and HAVING
//! all of them must hold. Several `COLUMNS` in one expression must choose the same columns, and go together.

use super::{Known, Rewriter};
use crate::error::{Error, Result};
use crate::front::nearest::nearest;
use crate::front::walk;
use crate::front::{make, names};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, LambdaFunction,
    ObjectName, Query, RenameSelectItem, ReplaceSelectItem, Select, SelectItem, SelectItemQualifiedWildcardKind,
    TableWithJoins, VisitorMut, WildcardAdditionalOptions,
};
use std::ops::ControlFlow;

pub(super) fn expand(rewriter: &Rewriter<'_>, select: &mut Select) -> Result<()> {
    let several = are_several(&select.projection);
    let wanted = several
        || select.projection.iter().any(is_ours)
        || [&select.selection, &select.having, &select.qualify].into_iter().flatten().any(holds_columns);
    if !wanted {
        return Ok(());
    }
    let needs = |item: &SelectItem| match item {
        SelectItem::QualifiedWildcard(_, options) => leaves_out(options),
        other => is_ours(other),
    };
    let must = select.selection.iter().chain(&select.having).chain(&select.qualify).any(holds_columns)
        || select.projection.iter().any(needs);
    let known = match rewriter.columns(&select.from) {
        Ok(known) => known,
        // `t.*` of a table is the binder's; what is wrong with FROM, it will say.
        Err(_) if !must => return Ok(()),
        Err(error) => return Err(error),
    };
    let chooser = Chooser { rewriter, known, several };
    let mut items = Vec::new();
    for item in std::mem::take(&mut select.projection) {
        chooser.item(item, &mut items)?;
    }
    select.projection = items;
    for condition in [&mut select.selection, &mut select.having, &mut select.qualify].into_iter().flatten() {
        chooser.condition(condition)?;
    }
    Ok(())
}

/// The expressions that `items` stand for over `from`, each with the name of its column.
pub(super) fn named(
    rewriter: &Rewriter<'_>,
    from: &[TableWithJoins],
    items: Vec<SelectItem>,
) -> Result<Vec<(Expr, String)>> {
    let chooser = Chooser { rewriter, known: rewriter.columns(from)?, several: false };
    let mut found = Vec::new();
    for item in items {
        match item {
            SelectItem::Wildcard(options) => {
                found.extend(chooser.starred(None, &options)?.into_iter().map(|k| (k.expr(), k.name.clone())));
            }
            SelectItem::UnnamedExpr(expr) if holds_columns(&expr) => {
                found.extend(chooser.chosen(&expr)?.into_iter().map(|k| (with_column(&expr, k), k.name.clone())));
            }
            SelectItem::UnnamedExpr(expr) => {
                let name = match &expr {
                    Expr::Identifier(i) => names::normal(i),
                    Expr::CompoundIdentifier(parts) => parts.last().map(names::normal).unwrap_or_default(),
                    other => other.to_string(),
                };
                let known = chooser.known.iter().find(|k| chooser.is(k, &name)).map(|k| k.name.clone());
                found.push((expr, known.unwrap_or(name)));
            }
            other => return Err(Error::query(format!("a column is wanted, not {other}"))),
        }
    }
    Ok(found)
}

/// Whether two stars show the same columns: `*, *`, `t.*, *`.
fn are_several(items: &[SelectItem]) -> bool {
    let all = items.iter().filter(|item| matches!(item, SelectItem::Wildcard(_))).count();
    let some = items.iter().filter(|item| matches!(item, SelectItem::QualifiedWildcard(..))).count();
    all > 0 && all + some > 1
}

/// Whether this file has something to do for an item.
fn is_ours(item: &SelectItem) -> bool {
    match item {
        SelectItem::Wildcard(options) => leaves_out(options) || options.opt_replace.is_some(),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
            // One word may be a table or a struct: only the columns tell.
            leaves_out(options) || name.0.len() == 1
        }
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => holds_columns(expr),
        _ => false,
    }
}

/// Whether a star shows columns under other names, or not all.
fn leaves_out(options: &WildcardAdditionalOptions) -> bool {
    options.opt_rename.is_some() || options.opt_exclude.is_some() || options.opt_except.is_some()
}

/// The argument of `COLUMNS(..)`, and whether it stands unpacked: `*COLUMNS(..)`.
fn columns_call(expr: &Expr) -> Option<&FunctionArg> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, .. }) = expr else {
        return None;
    };
    match (name.to_string().eq_ignore_ascii_case("columns"), list.args.as_slice()) {
        (true, [one]) => Some(one),
        _ => None,
    }
}

fn holds_columns(expr: &Expr) -> bool {
    let mut find = Columns { found: Vec::new(), replace: None, depth: 0 };
    let _ = walk::alter(&mut expr.clone(), &mut find);
    !find.found.is_empty()
}

struct Chooser<'r, 'a> {
    rewriter: &'r Rewriter<'a>,
    known: Vec<Known>,
    /// Whether the columns of stars must be told apart: `SELECT *, *`.
    several: bool,
}

impl Chooser<'_, '_> {
    fn item(&self, mut item: SelectItem, items: &mut Vec<SelectItem>) -> Result<()> {
        if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = &mut item
            && let Some(replace) = &mut options.opt_replace
        {
            self.spell_replaced(replace)?;
        }
        match item {
            SelectItem::Wildcard(options) if leaves_out(&options) || self.several => self.renamed(None, options, items),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let fields = self.fields(&name);
                match fields {
                    Some(fields) => {
                        items.extend(fields);
                        Ok(())
                    }
                    None if leaves_out(&options) || self.several => self.renamed(Some(&name), options, items),
                    None => {
                        let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                        items.push(SelectItem::QualifiedWildcard(kind, options));
                        Ok(())
                    }
                }
            }
            SelectItem::UnnamedExpr(expr) if holds_columns(&expr) => self.items(&expr, None, items),
            SelectItem::ExprWithAlias { expr, alias } if holds_columns(&expr) => self.items(&expr, Some(&alias), items),
            other => {
                items.push(other);
                Ok(())
            }
        }
    }

    /// Names the columns of REPLACE as they are: one that is missed would be left as it is, without a word.
    fn spell_replaced(&self, replace: &mut ReplaceSelectItem) -> Result<()> {
        for item in &mut replace.items {
            let name = names::normal(&item.column_name);
            let exact = self.known.iter().find(|k| k.name == name);
            let found = exact.or_else(|| self.known.iter().find(|k| k.name.eq_ignore_ascii_case(&name)));
            let Some(found) = found else {
                return Err(Error::query(format!("REPLACE of \"{name}\", which is no column here")));
            };
            item.column_name = Ident::with_quote('"', &found.name);
        }
        Ok(())
    }

    /// The fields of a struct column of that name, where no table has it.
    fn fields(&self, name: &ObjectName) -> Option<Vec<SelectItem>> {
        let [part] = name.0.as_slice() else { return None };
        let name = names::normal(part.as_ident()?);
        if self.known.iter().any(|k| k.relation.as_ref().is_some_and(|r| r.table() == name)) {
            return None;
        }
        let column = self.known.iter().find(|k| k.name == name)?;
        let DataType::Struct(fields) = &column.data_type else { return None };
        let field = |f: &arrow::datatypes::FieldRef| {
            let alias = Ident::with_quote('"', f.name());
            let expr = Expr::CompoundIdentifier(vec![Ident::with_quote('"', &name), alias.clone()]);
            SelectItem::ExprWithAlias { expr, alias }
        };
        Some(fields.iter().map(field).collect())
    }

    fn renamed(
        &self,
        table: Option<&ObjectName>,
        options: WildcardAdditionalOptions,
        items: &mut Vec<SelectItem>,
    ) -> Result<()> {
        let renames: Vec<(String, Ident)> = match &options.opt_rename {
            Some(RenameSelectItem::Single(one)) => vec![(names::normal(&one.ident), one.alias.clone())],
            Some(RenameSelectItem::Multiple(all)) => {
                all.iter().map(|one| (names::normal(&one.ident), one.alias.clone())).collect()
            }
            None => Vec::new(),
        };
        let chosen = self.starred(table, &options)?;
        if let Some((missing, _)) = renames.iter().find(|(name, _)| !chosen.iter().any(|k| self.is(k, name))) {
            return Err(Error::query(format!("RENAME of \"{missing}\", which is no column here")));
        }
        for column in chosen {
            let replaced = options.opt_replace.iter().flat_map(|r| &r.items);
            let expr = replaced
                .filter(|item| names::normal(&item.column_name) == column.name)
                .map(|item| item.expr.clone())
                .next()
                .unwrap_or_else(|| column.expr());
            let alias = renames.iter().find(|(name, _)| self.is(column, name));
            let alias = alias.map_or_else(|| Ident::with_quote('"', &column.name), |(_, alias)| alias.clone());
            items.push(SelectItem::ExprWithAlias { expr, alias });
        }
        Ok(())
    }

    /// Whether a name means a column: as it is written, or in another case where no column is written so.
    fn is(&self, column: &Known, name: &str) -> bool {
        column.name == name
            || column.name.to_lowercase() == name.to_lowercase() && !self.known.iter().any(|k| k.name == name)
    }

    /// The columns of a star, without those that it leaves out.
    fn starred(&self, table: Option<&ObjectName>, options: &WildcardAdditionalOptions) -> Result<Vec<&Known>> {
        let parts = |name: &ObjectName| -> Vec<String> {
            name.0.iter().filter_map(|part| part.as_ident()).map(names::normal).collect()
        };
        // The names that are left out, perhaps with their tables.
        let out: Vec<Vec<String>> = match (&options.opt_exclude, &options.opt_except) {
            (Some(ExcludeSelectItem::Single(one)), _) => vec![parts(one)],
            (Some(ExcludeSelectItem::Multiple(all)), _) => all.iter().map(parts).collect(),
            (None, Some(except)) => std::iter::once(&except.first_element)
                .chain(&except.additional_elements)
                .map(|name| vec![names::normal(name)])
                .collect(),
            (None, None) => Vec::new(),
        };
        let of = |k: &Known, table: &str| k.relation.as_ref().is_some_and(|r| r.table() == table);
        let is_out = |k: &Known, out: &[String]| match out {
            [name] => self.is(k, name),
            [.., table, name] => of(k, table) && self.is(k, name),
            [] => false,
        };
        let table = table.and_then(|name| parts(name).pop());
        let all: Vec<&Known> = self.known.iter().filter(|k| table.as_ref().is_none_or(|table| of(k, table))).collect();
        if let Some(missing) = out.iter().find(|out| !all.iter().any(|k| is_out(k, out))) {
            let error = Error::query(format!("EXCLUDE of \"{}\", which is no column here", missing.join(".")));
            let last = missing.last().map(String::as_str).unwrap_or_default();
            return Err(match nearest(last, all.iter().map(|k| k.name.as_str())) {
                Some(near) => error.advise(format!("did you mean {near}?")),
                None => error,
            });
        }
        Ok(all.into_iter().filter(|k| !out.iter().any(|out| is_out(k, out))).collect())
    }

    /// One item for each column that the COLUMNS in `expr` choose.
    fn items(&self, expr: &Expr, alias: Option<&Ident>, items: &mut Vec<SelectItem>) -> Result<()> {
        let mut expr = expr.clone();
        self.unpack(&mut expr)?;
        if !holds_columns(&expr) {
            items.push(match alias {
                Some(alias) => SelectItem::ExprWithAlias { expr, alias: alias.clone() },
                None => SelectItem::UnnamedExpr(expr),
            });
            return Ok(());
        }
        for column in self.chosen(&expr)? {
            let name = match alias {
                Some(alias) => alias.value.replace("\\0", &column.name),
                None => column.name.clone(),
            };
            items.push(SelectItem::ExprWithAlias {
                expr: with_column(&expr, column),
                alias: Ident::with_quote('"', name),
            });
        }
        Ok(())
    }

    fn condition(&self, condition: &mut Expr) -> Result<()> {
        if !holds_columns(condition) {
            return Ok(());
        }
        let each = self.chosen(condition)?.into_iter().map(|column| with_column(condition, column));
        let all = each.reduce(|left, right| make::and(Some(left), right));
        *condition = all.ok_or_else(|| Error::query(format!("no column fits {condition}")))?;
        Ok(())
    }

    /// The columns that all COLUMNS in `expr` choose.
    fn chosen(&self, expr: &Expr) -> Result<Vec<&Known>> {
        let mut find = Columns { found: Vec::new(), replace: None, depth: 0 };
        let _ = walk::alter(&mut expr.clone(), &mut find);
        let mut chosen: Option<Vec<usize>> = None;
        for arg in &find.found {
            let these = self.choose(arg)?;
            match &chosen {
                Some(before) if *before != these => {
                    return Err(Error::query(format!("two COLUMNS in {expr} choose different columns")));
                }
                _ => chosen = Some(these),
            }
        }
        let chosen = chosen.unwrap_or_default();
        if chosen.is_empty() {
            return Err(Error::query(format!("no column fits {expr}")));
        }
        Ok(chosen.into_iter().filter_map(|i| self.known.get(i)).collect())
    }

    fn choose(&self, arg: &FunctionArg) -> Result<Vec<usize>> {
        let (FunctionArg::Unnamed(arg) | FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. }) = arg;
        let none = WildcardAdditionalOptions::default();
        let of = |columns: Vec<&Known>| {
            let is = |k: &Known| columns.iter().any(|c| std::ptr::eq(*c, k));
            self.known.iter().enumerate().filter(|(_, k)| is(k)).map(|(i, _)| i).collect()
        };
        match arg {
            FunctionArgExpr::Wildcard => Ok((0..self.known.len()).collect()),
            FunctionArgExpr::WildcardWithOptions(options) => Ok(of(self.starred(None, options)?)),
            FunctionArgExpr::QualifiedWildcard(table) => Ok(of(self.starred(Some(table), &none)?)),
            FunctionArgExpr::Expr(Expr::Array(list)) => {
                let names = self.rewriter.constants(list.elem.clone())?;
                let place = |name: &ScalarValue| {
                    let name = name.to_string();
                    let found = self.known.iter().position(|k| k.name.eq_ignore_ascii_case(&name));
                    found.ok_or_else(|| Error::query(format!("no column \"{name}\"")))
                };
                names.iter().map(place).collect()
            }
            FunctionArgExpr::Expr(Expr::Lambda(lambda)) => self.filtered(|name| applied(lambda, name)),
            FunctionArgExpr::Expr(pattern) => {
                self.filtered(|name| Ok(make::call("regexp_like", vec![name, pattern.clone()])))
            }
        }
    }

    /// The columns for whose name a condition is true.
    fn filtered(&self, condition: impl Fn(Expr) -> Result<Expr>) -> Result<Vec<usize>> {
        let tests = self.known.iter().map(|k| condition(make::text(k.name.as_str()))).collect::<Result<Vec<_>>>()?;
        let held = self.rewriter.constants(tests)?;
        let is_true = |value: &ScalarValue| *value == ScalarValue::Boolean(Some(true));
        Ok(held.iter().enumerate().filter(|(_, v)| is_true(v)).map(|(i, _)| i).collect())
    }

    /// Puts the columns of `*COLUMNS(..)` among the arguments around it.
    fn unpack(&self, expr: &mut Expr) -> Result<()> {
        let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = expr else { return Ok(()) };
        let mut args = Vec::with_capacity(list.args.len());
        for arg in std::mem::take(&mut list.args) {
            match unpacked(&arg) {
                Some(call) => args.extend(
                    self.chosen(call)?.into_iter().map(|k| FunctionArg::Unnamed(FunctionArgExpr::Expr(k.expr()))),
                ),
                None => args.push(arg),
            }
        }
        list.args = args;
        Ok(())
    }
}

/// The COLUMNS in an argument `*COLUMNS(..)`: the token pass wrote `unpack(COLUMNS(..))`.
fn unpacked(arg: &FunctionArg) -> Option<&Expr> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(f))) = arg else { return None };
    let FunctionArguments::List(list) = &f.args else { return None };
    match (f.name.to_string().as_str(), list.args.as_slice()) {
        (crate::front::tokens::UNPACK, [FunctionArg::Unnamed(FunctionArgExpr::Expr(inner))]) => Some(inner),
        _ => None,
    }
}

/// The body of a lambda with `name` in the place of its parameter.
fn applied(lambda: &LambdaFunction, name: Expr) -> Result<Expr> {
    use datafusion_sql::sqlparser::ast::OneOrManyWithParens::{Many, One};
    let param = match &lambda.params {
        One(one) => one,
        Many(all) => match all.as_slice() {
            [one] => one,
            _ => return Err(Error::query("the lambda of COLUMNS takes one name")),
        },
    };
    let mut body = (*lambda.body).clone();
    let is = |ident: &Ident| names::normal(ident) == names::normal(&param.name);
    super::params::replace_names(&mut body, &|ident| is(ident).then(|| name.clone()));
    Ok(body)
}

/// `expr` with a column in the place of each COLUMNS.
fn with_column(expr: &Expr, column: &Known) -> Expr {
    let mut expr = expr.clone();
    let mut replace = Columns { found: Vec::new(), replace: Some(column.expr()), depth: 0 };
    let _ = walk::alter(&mut expr, &mut replace);
    expr
}

/// Finds each COLUMNS outside of subqueries, and replaces it.
struct Columns {
    found: Vec<FunctionArg>,
    replace: Option<Expr>,
    depth: usize,
}

impl VisitorMut for Columns {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let (Some(arg), 0) = (columns_call(expr), self.depth) {
            self.found.push(arg.clone());
            if let Some(column) = &self.replace {
                *expr = column.clone();
            }
        }
        ControlFlow::Continue(())
    }
}
