//! The SQL that is spoken: DuckDB's, with JSON arrows.
//!
//! sqlparser reads `x -> y` as a lambda wherever a dialect has lambdas, so `doc -> 'key'` would be lost. [`mark_arrows`]
//! looks at the tokens first: an arrow stays a lambda's only behind a bare name (or names in parentheses) that is an
//! argument of a function that takes lambdas; every other arrow becomes an operator of its own.

use super::operators;
use datafusion_sql::sqlparser::ast::{Expr, UnaryOperator};
use datafusion_sql::sqlparser::dialect::{Dialect, DuckDbDialect, Precedence};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use std::any::TypeId;

/// Keywords that begin a clause, or go on with an expression, and never begin one.
const CLAUSES: &[Keyword] = &[
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::ORDER,
    Keyword::LIMIT,
    Keyword::UNION,
    Keyword::AND,
    Keyword::OR,
    Keyword::WHEN,
    Keyword::THEN,
    Keyword::ELSE,
    Keyword::ON,
    Keyword::AS,
];

/// Keywords of other dialects, and of statements, which may name a column or a table here.
const FREE: &[Keyword] = &[
    Keyword::TOP,
    Keyword::START,
    Keyword::FORMAT,
    Keyword::PARTITION,
    Keyword::VIEW,
    Keyword::CONNECT,
    Keyword::CLUSTER,
    Keyword::SORT,
    Keyword::EXPLAIN,
];

/// How tight operators bind that have no place of their own, and powers.
const OTHER: u8 = 25;
const POWER: u8 = 45;

/// The operator that [`mark_arrows`] writes for a JSON arrow.
pub(super) const JSON_ARROW: &str = "->";

/// DuckDB's dialect, and a little more.
#[derive(Debug, Default)]
pub(super) struct PartitaDialect;

/// Hands methods on to DuckDB's dialect.
macro_rules! duckdb {
    ($($name:ident),* $(,)?) => { $(fn $name(&self) -> bool { DuckDbDialect.$name() })* };
}

impl Dialect for PartitaDialect {
    /// The parser asks in some places whether this is DuckDB's dialect.
    fn dialect(&self) -> TypeId {
        TypeId::of::<DuckDbDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_part(ch)
    }

    duckdb!(
        supports_trailing_commas,
        supports_filter_during_aggregation,
        supports_group_by_expr,
        supports_bitwise_shift_operators,
        supports_named_fn_args_with_assignment_operator,
        supports_dictionary_syntax,
        support_map_literal_syntax,
        supports_lambda_functions,
        allow_extract_single_quotes,
        supports_explain_with_utility_options,
        supports_array_typedef_with_brackets,
        supports_from_first_select,
        supports_order_by_all,
        supports_select_wildcard_exclude,
        supports_notnull_operator,
        supports_select_wildcard_replace,
        supports_comma_separated_trim,
    );

    /// Arrows and `||` bind tighter than comparisons, as in PostgreSQL: `doc ->> 'k' = 'v'`.
    fn prec_value(&self, prec: Precedence) -> u8 {
        match prec {
            Precedence::PgOther => OTHER,
            other => DuckDbDialect.prec_value(other),
        }
    }

    /// As in PostgreSQL: all operators without a place of their own are equal, between comparisons and `+`.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::Caret => Some(Ok(POWER)),
            Token::Word(w) if operators::is_null_test(w) => Some(Ok(self.prec_value(Precedence::Is))),
            Token::StringConcat
            | Token::Pipe
            | Token::Ampersand
            | Token::ShiftLeft
            | Token::ShiftRight
            | Token::Overlap
            | Token::CaretAt => Some(Ok(OTHER)),
            _ => None,
        }
    }

    /// Words that begin a clause are no columns: `SELECT a + FROM t` is an error where it is wrong. A sign binds tighter
    /// than a power.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let token = parser.peek_token();
        match &token.token {
            Token::Word(w) if w.quote_style.is_none() && CLAUSES.contains(&w.keyword) => {
                Some(parser.expected("an expression", token))
            }
            Token::Minus => {
                parser.next_token();
                Some(parser.parse_subexpr(POWER).map(negated))
            }
            _ => operators::comprehension(parser),
        }
    }

    fn parse_infix(&self, parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        operators::infix(self, parser, left, precedence)
    }

    /// `SELECT max(x) top`: words of clauses that are not there may be names.
    fn is_column_alias(&self, word: &Keyword, parser: &mut Parser) -> bool {
        FREE.contains(word) || DuckDbDialect.is_column_alias(word, parser)
    }

    fn is_table_alias(&self, word: &Keyword, parser: &mut Parser) -> bool {
        FREE.contains(word) || DuckDbDialect.is_table_alias(word, parser)
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_select_wildcard_rename(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_alter_column_type_using(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }
}

/// The negative of `expr`. In parentheses where that is an interval: the binder takes `-INTERVAL '1 day'` for a literal, and
/// puts its sign before the first number only, or nowhere.
fn negated(expr: Expr) -> Expr {
    let expr = if matches!(expr, Expr::Interval(_)) { Expr::Nested(Box::new(expr)) } else { expr };
    Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(expr) }
}

/// Functions whose arguments may be lambdas.
fn takes_lambdas(name: &str) -> bool {
    const NAMES: [&str; 11] = [
        "array_transform",
        "list_transform",
        "transform",
        "list_apply",
        "array_apply",
        "apply",
        "array_filter",
        "list_filter",
        "filter",
        "columns",
        "array_first",
    ];
    const MORE: [&str; 7] =
        ["array_any_match", "any_match", "list_any_match", "array_all_match", "list_reduce", "array_reduce", "reduce"];
    NAMES.iter().chain(&MORE).any(|n| n.eq_ignore_ascii_case(name))
}

/// Turns arrows that are not a lambda's into the operator [`JSON_ARROW`].
pub(super) fn mark_arrows(tokens: &mut [TokenWithSpan]) {
    let mut open: Vec<bool> = Vec::new(); // by open parenthesis: whether it encloses arguments that may be lambdas
    let mut before: [Option<Token>; 2] = [None, None]; // the last two tokens that are not space, the latest first
    let mut closed_list = false; // whether the last `)` closed the names of a lambda
    for token in tokens.iter_mut() {
        match &token.token {
            // The parser takes E'..' of other dialects only; the escapes are resolved already.
            Token::EscapedStringLiteral(text) => token.token = Token::SingleQuotedString(text.clone()),
            Token::LParen => {
                let named = matches!(&before[0], Some(Token::Word(w)) if takes_lambdas(&w.value));
                open.push(named);
            }
            Token::RParen => {
                open.pop();
                closed_list = true;
            }
            Token::Arrow => {
                let inside = open.last().copied().unwrap_or(false);
                let lambda = match (&before[0], &before[1]) {
                    (Some(Token::Word(_)), Some(Token::Comma | Token::LParen)) => inside,
                    (Some(Token::RParen), _) => inside && closed_list,
                    _ => false,
                };
                if !lambda {
                    token.token = Token::CustomBinaryOperator(JSON_ARROW.into());
                }
            }
            _ => {}
        }
        before = [Some(token.token.clone()), before[0].take()];
    }
}
