//! Operators that the parser has no words for, or binds too loosely.
//!
//! - `a IS [NOT] DISTINCT FROM b AND c` compares with `b` alone.
//! - `a ISNULL`, which is `a IS NULL`.
//! - `x IN list`, without parentheses: whether the list holds it.
//! - `list && list`: whether they share a value.
//! - `text GLOB 'a*'` and `~~~`; `text ^@ 'prefix'`; `a ^ b` and `a ** b`, a power.
//! - `[x + 1 FOR x IN list IF x > 0]`: a list made of another.
//!
//! Limits: the pattern of GLOB must be a constant.

use super::make;
use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr, Value};
use datafusion_sql::sqlparser::dialect::{Dialect, Precedence};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Token, Word};

/// The operator that stands for GLOB between tokens and expressions.
pub(super) const GLOB: &str = "~~~";

/// Reads one of the operators above behind `left`.
pub(super) fn infix(
    dialect: &dyn Dialect,
    parser: &mut Parser,
    left: &Expr,
    precedence: u8,
) -> Option<Result<Expr, ParserError>> {
    let (first, second) = (parser.peek_token().token, parser.peek_nth_token_ref(1).token.clone());
    match first {
        Token::Word(w) if w.keyword == Keyword::IS => distinct_from(dialect, parser, left),
        Token::Word(w) if is_null_test(&w) => {
            parser.next_token();
            Some(Ok(Expr::IsNull(Box::new(left.clone()))))
        }
        Token::Word(w) if w.keyword == Keyword::IN && second != Token::LParen => {
            parser.next_token();
            Some(in_list(dialect, parser, left, false))
        }
        Token::Word(w) if w.keyword == Keyword::NOT => match second {
            Token::Word(w) if w.keyword == Keyword::IN && parser.peek_nth_token_ref(2).token != Token::LParen => {
                parser.next_token();
                parser.next_token();
                Some(in_list(dialect, parser, left, true))
            }
            _ => None,
        },
        Token::CaretAt => {
            parser.next_token();
            let right = parser.parse_subexpr(precedence);
            Some(right.map(|prefix| make::call("starts_with", vec![left.clone(), prefix])))
        }
        Token::Overlap => {
            parser.next_token();
            let right = parser.parse_subexpr(precedence);
            Some(right.map(|right| make::call("list_has_any", vec![left.clone(), right])))
        }
        Token::Caret => {
            parser.next_token();
            let right = parser.parse_subexpr(precedence);
            let (left, op) = (Box::new(left.clone()), BinaryOperator::PGExp);
            Some(right.map(|right| Expr::BinaryOp { left, op, right: Box::new(right) }))
        }
        Token::CustomBinaryOperator(op) if op == GLOB => {
            parser.next_token();
            Some(parser.parse_subexpr(precedence).and_then(|pattern| glob(left, pattern)))
        }
        _ => None,
    }
}

/// Whether the word is `ISNULL`, which the parser would take for an alias.
pub(super) fn is_null_test(word: &Word) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case("isnull")
}

fn distinct_from(dialect: &dyn Dialect, parser: &mut Parser, left: &Expr) -> Option<Result<Expr, ParserError>> {
    let word = |at: usize| match &parser.peek_nth_token_ref(at).token {
        Token::Word(w) => w.keyword,
        _ => Keyword::NoKeyword,
    };
    let not = word(1) == Keyword::NOT;
    let at = if not { 2 } else { 1 };
    if (word(at), word(at + 1)) != (Keyword::DISTINCT, Keyword::FROM) {
        return None;
    }
    (0..at + 2).for_each(|_| drop(parser.next_token()));
    let right = parser.parse_subexpr(dialect.prec_value(Precedence::Is));
    Some(right.map(|right| {
        let (left, right) = (Box::new(left.clone()), Box::new(right));
        if not { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }
    }))
}

fn in_list(dialect: &dyn Dialect, parser: &mut Parser, left: &Expr, not: bool) -> Result<Expr, ParserError> {
    let list = parser.parse_subexpr(dialect.prec_value(Precedence::Between))?;
    Ok(make::negated(make::call("array_has", vec![list, left.clone()]), not))
}

fn glob(left: &Expr, pattern: Expr) -> Result<Expr, ParserError> {
    match &pattern {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(pattern) => {
                Ok(make::call("regexp_like", vec![left.clone(), make::text(glob_regex(pattern))]))
            }
            Value::Null => Ok(pattern.clone()),
            _ => Err(ParserError::ParserError("GLOB wants a text as its pattern".into())),
        },
        _ => Err(ParserError::ParserError("GLOB wants a constant pattern".into())),
    }
}

/// The regular expression for a shell's pattern: `*`, `?`, `[abc]`, `[!a-c]`, and `\` before a sign that means itself.
fn glob_regex(pattern: &str) -> String {
    let mut regex = String::from("(?s)^");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' if chars.as_str().contains(']') => class(&mut chars, &mut regex),
            '\\' => push_literal(chars.next().unwrap_or('\\'), &mut regex),
            c => push_literal(c, &mut regex),
        }
    }
    regex.push('$');
    regex
}

/// The signs up to the closing bracket, which is there.
fn class(chars: &mut std::str::Chars, regex: &mut String) {
    regex.push('[');
    let mut first = true;
    for c in chars.by_ref() {
        match c {
            '!' if first => regex.push('^'),
            ']' if !first => break,
            '-' => regex.push('-'),
            c => push_literal(c, regex),
        }
        first = false;
    }
    regex.push(']');
}

fn push_literal(c: char, regex: &mut String) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() && !c.is_ascii_whitespace() && c != '_' {
        regex.push('\\');
    }
    regex.push(c);
}

/// Reads `[expr FOR x IN list IF condition]`, where the next token opens one.
pub(super) fn comprehension(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let opens = parser.peek_token_ref().token == Token::LBracket;
    (opens && is_comprehension(parser)).then(|| read_comprehension(parser))
}

/// Whether a FOR stands directly inside of the bracket that opens here.
fn is_comprehension(parser: &Parser) -> bool {
    let mut depth = 0_usize;
    for at in 0.. {
        match &parser.peek_nth_token_ref(at).token {
            Token::LBracket | Token::LParen | Token::LBrace => depth += 1,
            Token::RBracket | Token::RParen | Token::RBrace if depth <= 1 => return false,
            Token::RBracket | Token::RParen | Token::RBrace => depth -= 1,
            Token::Word(w) if depth == 1 && w.keyword == Keyword::FOR => return true,
            Token::EOF | Token::SemiColon => return false,
            _ => {}
        }
    }
    false
}

fn read_comprehension(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LBracket)?;
    let body = parser.parse_expr()?;
    parser.expect_keyword(Keyword::FOR)?;
    let mut names = vec![parser.parse_identifier()?];
    while parser.consume_token(&Token::Comma) {
        names.push(parser.parse_identifier()?);
    }
    parser.expect_keyword(Keyword::IN)?;
    let mut list = parser.parse_expr()?;
    if parser.parse_keyword(Keyword::IF) {
        let condition = parser.parse_expr()?;
        list = make::call("array_filter", vec![list, make::lambda(&names, condition)]);
    }
    parser.expect_token(&Token::RBracket)?;
    Ok(make::call("array_transform", vec![list, make::lambda(&names, body)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_become_regular_expressions() {
        for (glob, regex) in [
            ("a*b?", "(?s)^a.*b.$"),
            ("[!a-c].txt", "(?s)^[^a-c]\\.txt$"),
            ("\\*[x", "(?s)^\\*\\[x$"),
            ("[]a]", "(?s)^[\\]a]$"),
        ] {
            assert_eq!(glob_regex(glob), regex, "{glob}");
        }
    }
}
