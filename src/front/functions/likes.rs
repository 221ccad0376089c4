//! `LIKE`, `ILIKE`, `SIMILAR TO` and `COLLATE` as DuckDB means them; done on the parsed statement, once.
//!
//! ```text
//! x LIKE 'a\b'              x LIKE 'a\\b' ESCAPE '\'       a backslash is a backslash
//! x LIKE 'a$%' ESCAPE '$'   x LIKE 'a\%' ESCAPE '\'        the binder knows no other escape
//! x LIKE y                  x LIKE replace(y, '\', '\\') ESCAPE '\'
//! x SIMILAR TO 'a|b'        regexp_full_match(x, 'a|b')
//! x COLLATE NOCASE = y      lower(x) = lower(y)
//! ORDER BY x COLLATE NOCASE ORDER BY lower(x)
//! ```
//!
//! Limits: with ESCAPE the pattern must be a constant. COLLATE counts in comparisons and in ORDER BY of a query, where the
//! collations are NOCASE, NOACCENT and BINARY; elsewhere it is refused, but for a select list, where it changes nothing.

use crate::front::make;
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, ObjectName, OrderByKind, Query, Select, SelectItem, Value, ValueWithSpan,
};

/// What a comparison of texts becomes, if something is to be done.
pub(super) fn rewrite(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Like { expr, pattern, escape_char, any: false, .. }
        | Expr::ILike { expr, pattern, escape_char, any: false, .. } => {
            collate([&mut **expr, &mut **pattern]);
            escape(pattern, escape_char);
            None
        }
        Expr::SimilarTo { negated, expr, pattern, escape_char: None } => {
            let args = vec![expr.as_ref().clone(), pattern.as_ref().clone()];
            Some(make::negated(make::call("regexp_full_match", args), *negated))
        }
        Expr::BinaryOp { left, op, right } if compares(op) => {
            collate([&mut **left, &mut **right]);
            None
        }
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            collate([&mut **left, &mut **right]);
            None
        }
        Expr::Between { expr, low, high, .. } => {
            collate([&mut **expr, &mut **low, &mut **high]);
            None
        }
        Expr::InList { expr, list, .. } => {
            collate(std::iter::once(&mut **expr).chain(list));
            None
        }
        _ => None,
    }
}

fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(op, B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq)
}

/// Writes `pattern` for a LIKE whose escape is the backslash.
fn escape(pattern: &mut Expr, escape_char: &mut Option<ValueWithSpan>) {
    let said = match escape_char.as_ref().map(|v| &v.value) {
        None => String::new(),
        Some(Value::SingleQuotedString(said)) if said != "\\" => said.clone(),
        // Done already; or wrong, as the binder will say.
        Some(_) => return,
    };
    let constant = match pattern {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        _ => None,
    };
    match (constant, said.is_empty()) {
        (Some(text), true) if !text.contains('\\') => return,
        (Some(text), _) => *text = with_backslashes(text, said.chars().next()),
        (None, true) => {
            let args = vec![pattern.clone(), make::text("\\"), make::text("\\\\")];
            *pattern = make::call("replace", args);
        }
        (None, false) => return,
    }
    *escape_char = Some(Value::SingleQuotedString("\\".into()).into());
}

/// The pattern with a backslash where `escape` stood, and two for each of its own.
fn with_backslashes(pattern: &str, escape: Option<char>) -> String {
    let mut made = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let taken = if Some(c) == escape { chars.next() } else { None };
        match taken.unwrap_or(c) {
            sign @ ('%' | '_') if taken.is_some() => made.extend(['\\', sign]),
            '\\' => made.push_str("\\\\"),
            plain => made.push(plain),
        }
    }
    made
}

/// Where one of the values has a collation, all of them become what it compares.
fn collate<'a>(values: impl IntoIterator<Item = &'a mut Expr>) {
    let values: Vec<&mut Expr> = values.into_iter().collect();
    let Some(functions) = values.iter().find_map(|value| collation(value)).map(|(_, functions)| functions) else {
        return;
    };
    for value in values {
        let plain = collation(value).map_or_else(|| value.clone(), |(inner, _)| inner);
        *value = functions.iter().fold(plain, |value, function| make::call(function, vec![value]));
    }
}

/// The value below a collation that is known, and the functions that stand for it.
fn collation(expr: &Expr) -> Option<(Expr, Vec<&'static str>)> {
    match expr {
        Expr::Nested(inner) => collation(inner),
        Expr::Collate { expr, collation } => Some((expr.as_ref().clone(), functions_of(collation)?)),
        _ => None,
    }
}

fn functions_of(collation: &ObjectName) -> Option<Vec<&'static str>> {
    let mut functions = Vec::new();
    for part in &collation.0 {
        match part.as_ident()?.value.to_lowercase().as_str() {
            "nocase" => functions.push("lower"),
            "noaccent" => functions.push("strip_accents"),
            "binary" | "c" | "posix" => {}
            _ => return None,
        }
    }
    Some(functions)
}

/// The order of a query by collated values.
pub(super) fn order(query: &mut Query) {
    let Some(OrderByKind::Expressions(list)) = query.order_by.as_mut().map(|order| &mut order.kind) else { return };
    list.iter_mut().for_each(|by| collate([&mut by.expr]));
}

/// A collation changes nothing that is shown.
pub(super) fn shown(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
            && let Some((plain, _)) = collation(expr)
        {
            *expr = plain;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_get_backslashes_for_their_escape() {
        for (pattern, escape, wanted) in [
            ("a%b", None, "a%b"),
            ("a\\%b", None, "a\\\\%b"),
            ("a$%b_$_", Some('$'), "a\\%b_\\_"),
            ("a$$b$x\\", Some('$'), "a$bx\\\\"),
            ("50!%", Some('!'), "50\\%"),
        ] {
            assert_eq!(with_backslashes(pattern, escape), wanted, "{pattern} {escape:?}");
        }
    }
}
