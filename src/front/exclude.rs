//! `EXCLUDE` in frames, which neither the parser nor the binder knows.
//!
//! It is carried through both as one more key of the partition, the same for all rows, which `plan` takes out again:
//!
//! ```text
//! (PARTITION BY a ORDER BY b ROWS 2 PRECEDING EXCLUDE TIES)
//! (PARTITION BY excluded_rows('ties'), a ORDER BY b ROWS 2 PRECEDING)
//! ```

use crate::ops::window::Exclude;
use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, expr::ScalarFunction,
};
use datafusion_sql::sqlparser::dialect::Dialect;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError};
use std::sync::Arc;

/// The function's name.
pub(super) const NAME: &str = "excluded_rows";

/// What may stand behind `EXCLUDE`, and what it means.
const FORMS: &[(&[&str], Exclude)] = &[
    (&["NO", "OTHERS"], Exclude::Nothing),
    (&["CURRENT", "ROW"], Exclude::Current),
    (&["GROUP"], Exclude::Group),
    (&["TIES"], Exclude::Ties),
];

/// Turns every `EXCLUDE` of a frame into a key.
///
/// # Errors
/// None that text can cause.
pub(super) fn mark(tokens: &mut Vec<TokenWithSpan>, dialect: &dyn Dialect) -> std::result::Result<(), TokenizerError> {
    while let Some((begin, end, form)) = find(tokens) {
        tokens.drain(begin..end);
        let Some((words, _)) = FORMS.get(form).filter(|(_, exclude)| *exclude != Exclude::Nothing) else { continue };
        let Some((at, has_keys)) = keys(tokens, begin) else { continue };
        let call = format!("{NAME}('{}')", words.join(" "));
        let text = if has_keys { format!(" {call},") } else { format!(" PARTITION BY {call} ") };
        let new = Tokenizer::new(dialect, &text).tokenize()?.into_iter().map(TokenWithSpan::wrap);
        tokens.splice(at..at, new);
    }
    Ok(())
}

fn is_word(token: &TokenWithSpan, word: &str) -> bool {
    matches!(&token.token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

fn is_space(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// The first token from `at` on that is no space.
fn solid(tokens: &[TokenWithSpan], at: usize) -> Option<(usize, &TokenWithSpan)> {
    tokens.iter().enumerate().skip(at).find(|(_, t)| !is_space(t))
}

/// The first `EXCLUDE` behind the bounds of a frame: where it begins and ends, and which form it has.
fn find(tokens: &[TokenWithSpan]) -> Option<(usize, usize, usize)> {
    let mut before: Option<&TokenWithSpan> = None;
    for (begin, token) in tokens.iter().enumerate().filter(|(_, t)| !is_space(t)) {
        let bound = before.is_some_and(|b| ["PRECEDING", "FOLLOWING", "ROW"].iter().any(|w| is_word(b, w)));
        before = Some(token);
        if !bound || !is_word(token, "EXCLUDE") {
            continue;
        }
        for (form, (words, _)) in FORMS.iter().enumerate() {
            let mut at = Some(begin + 1);
            for word in *words {
                at = at.and_then(|at| solid(tokens, at)).filter(|(_, t)| is_word(t, word)).map(|(at, _)| at + 1);
            }
            let closes = |at: &usize| solid(tokens, *at).is_some_and(|(_, t)| t.token == Token::RParen);
            if let Some(end) = at.filter(closes) {
                return Some((begin, end, form));
            }
        }
    }
    None
}

/// Where a key can be put in front of the keys of the window that `inside` is in, and whether there are others.
fn keys(tokens: &[TokenWithSpan], inside: usize) -> Option<(usize, bool)> {
    let mut depth = 0;
    let open = (0..inside).rev().find(|i| match tokens.get(*i).map(|t| &t.token) {
        Some(Token::RParen) => {
            depth += 1;
            false
        }
        Some(Token::LParen) if depth > 0 => {
            depth -= 1;
            false
        }
        other => matches!(other, Some(Token::LParen)),
    })?;
    let (mut at, mut first) = solid(tokens, open + 1)?;
    let clauses = ["PARTITION", "ORDER", "ROWS", "RANGE", "GROUPS"];
    if !clauses.iter().any(|w| is_word(first, w)) {
        (at, first) = solid(tokens, at + 1)?; // behind the name of another window
    }
    match is_word(first, "PARTITION") {
        true => Some((solid(tokens, at + 1)?.0 + 1, true)),
        false => Some((at, false)),
    }
}

/// What a key of a partition says to exclude, if it is no real one.
pub fn excluded(key: &Expr) -> Option<Exclude> {
    match key {
        Expr::Alias(alias) => excluded(&alias.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == NAME => {
            let form = |text: &str| FORMS.iter().find(|(words, _)| words.join(" ") == text).map(|(_, e)| *e);
            match args.first() {
                Some(Expr::Literal(value, _)) => value.try_as_str().flatten().and_then(form),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The function that carries it.
pub(super) fn function() -> Arc<ScalarUDF> {
    // Volatile: the optimizer must not compute it.
    Arc::new(ScalarUDF::from(Excluded { signature: Signature::any(1, Volatility::Volatile) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Excluded {
    signature: Signature,
}

impl ScalarUDFImpl for Excluded {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::dialect::PartitaDialect;

    fn marked(sql: &str) -> String {
        let mut tokens = Vec::new();
        Tokenizer::new(&PartitaDialect, sql).tokenize_with_location_into_buf(&mut tokens).unwrap();
        mark(&mut tokens, &PartitaDialect).unwrap();
        let text: String = tokens.iter().map(|t| t.token.to_string()).collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_exclusion_becomes_a_key() {
        for (sql, wanted) in [
            ("(ROWS 1 PRECEDING EXCLUDE ties)", "( PARTITION BY excluded_rows('TIES') ROWS 1 PRECEDING )"),
            (
                "(PARTITION BY f(a) ORDER BY (b) RANGE CURRENT ROW EXCLUDE CURRENT ROW)",
                "(PARTITION BY excluded_rows('CURRENT ROW'), f(a) ORDER BY (b) RANGE CURRENT ROW )",
            ),
            ("(w ROWS 1 PRECEDING EXCLUDE GROUP)", "(w PARTITION BY excluded_rows('GROUP') ROWS 1 PRECEDING )"),
            ("(ROWS 1 PRECEDING EXCLUDE NO OTHERS)", "(ROWS 1 PRECEDING )"),
        ] {
            assert_eq!(marked(sql), wanted);
        }
    }

    #[test]
    fn other_exclusions_stay() {
        for sql in ["SELECT * EXCLUDE (a) FROM t", "SELECT row EXCLUDE TIES, a FROM t", "SELECT 'ROW EXCLUDE TIES)'"] {
            assert_eq!(marked(sql), sql);
        }
    }
}
