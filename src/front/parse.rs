//! SQL text to statements.

use super::dialect::{PartitaDialect, mark_arrows};
use super::errors::parse_error;
use super::files::{constant, text_of};
use super::statement::{CopyFrom, Kind, Statement};
use crate::error::{Error, Result};
use datafusion_sql::sqlparser::ast::{self, TableFactor};
use datafusion_sql::sqlparser::dialect::Dialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Levels of nesting in one statement. The parser recurses; the threads that parse have the usual stacks.
const DEEPEST: usize = 150;

/// The statements of `sql`, separated by semicolons. Empty ones are left out.
///
/// # Errors
/// `Query`, with line, column and a caret under the place.
pub(super) fn statements(sql: &str) -> Result<Vec<Statement>> {
    let text: Arc<str> = sql.into();
    parse_all(sql, &text).map_err(|e| parse_error(&e, sql))
}

fn parse_all(sql: &str, text: &Arc<str>) -> Result<Vec<Statement>, ParserError> {
    let dialect = PartitaDialect;
    let mut parser = parser(&dialect, sql)?;
    let mut found = Vec::new();
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token_ref().token == Token::EOF {
            return Ok(found);
        }
        found.push(Statement { sql: Arc::clone(text), kind: statement(&mut parser)? });
        let next = parser.peek_token();
        if !matches!(next.token, Token::SemiColon | Token::EOF) {
            return parser.expected("the end of the statement", next);
        }
    }
}

fn parser<'a>(dialect: &'a dyn Dialect, sql: &str) -> Result<Parser<'a>, ParserError> {
    let mut tokens = Vec::new();
    Tokenizer::new(dialect, sql).tokenize_with_location_into_buf(&mut tokens)?;
    mark_arrows(&mut tokens);
    super::asof::mark_words(&mut tokens);
    super::exclude::mark(&mut tokens, dialect)?;
    Ok(Parser::new(dialect).with_tokens_with_locations(tokens).with_recursion_limit(DEEPEST))
}

/// A relation of a FROM clause, for those that are made of text here.
pub(super) fn table_factor(sql: &str) -> Result<TableFactor> {
    let dialect = PartitaDialect;
    let parse = || parser(&dialect, sql)?.parse_table_factor();
    parse().map_err(|e| parse_error(&e, sql))
}

/// A statement, for those that are made of text here.
pub(super) fn query(sql: &str) -> Result<ast::Statement> {
    let dialect = PartitaDialect;
    let parse = || parser(&dialect, sql)?.parse_statement();
    parse().map_err(|e| parse_error(&e, sql))
}

/// An expression, for those that are made of text here.
pub(super) fn expression(sql: &str) -> Result<ast::Expr> {
    let dialect = PartitaDialect;
    let parse = || parser(&dialect, sql)?.parse_expr();
    parse().map_err(|e| parse_error(&e, sql))
}

fn statement(parser: &mut Parser) -> Result<Kind, ParserError> {
    if parser.parse_keyword(Keyword::COPY) {
        return copy(parser);
    }
    Ok(Kind::Ast(Box::new(parser.parse_statement()?)))
}

/// `COPY (query) TO 'file' (FORMAT parquet, ROW_GROUP_SIZE 1000)`, `COPY table TO 'file'`.
fn copy(parser: &mut Parser) -> Result<Kind, ParserError> {
    let from = if parser.consume_token(&Token::LParen) {
        let query = parser.parse_query()?;
        parser.expect_token(&Token::RParen)?;
        CopyFrom::Query(query)
    } else {
        CopyFrom::Table(parser.parse_object_name(true)?)
    };
    if parser.peek_keyword(Keyword::FROM) {
        let next = parser.peek_token();
        return parser.expected("TO (to load a file: CREATE TABLE name AS FROM 'file')", next);
    }
    parser.expect_keyword(Keyword::TO)?;
    let path = parser.parse_literal_string()?;
    let mut options = BTreeMap::new();
    if parser.parse_keyword(Keyword::STORED) {
        parser.expect_keyword(Keyword::AS)?;
        options.insert("format".to_string(), parser.parse_identifier()?.value);
    }
    let _ = parser.parse_keyword(Keyword::WITH) || parser.parse_keyword(Keyword::OPTIONS);
    if parser.consume_token(&Token::LParen) {
        copy_options(parser, &mut options)?;
    }
    let format = options.remove("format").map(|f| f.to_lowercase());
    Ok(Kind::Copy { from, path, format, options })
}

fn copy_options(parser: &mut Parser, options: &mut BTreeMap<String, String>) -> Result<(), ParserError> {
    while !parser.consume_token(&Token::RParen) {
        let name = parser.parse_identifier()?.value.to_lowercase();
        let _ = parser.consume_token(&Token::Eq) || parser.consume_token(&Token::RArrow);
        let value = match parser.peek_token_ref().token {
            Token::Comma | Token::RParen => "true".to_string(),
            _ => option_value(parser)?,
        };
        options.insert(name, value);
        if !parser.consume_token(&Token::Comma) && parser.peek_token_ref().token != Token::RParen {
            let next = parser.peek_token();
            return parser.expected(", or )", next);
        }
    }
    Ok(())
}

fn option_value(parser: &mut Parser) -> Result<String, ParserError> {
    // PARTITION_BY (a, b): a list of names.
    let value: ast::Expr = parser.parse_expr()?;
    let json = match &value {
        ast::Expr::Tuple(items) => items.iter().map(constant).collect::<Result<Vec<_>>>().map(Into::into),
        ast::Expr::Nested(one) => constant(one).map(|v| vec![v].into()),
        one => constant(one),
    };
    json.map(text_of).map_err(|e: Error| ParserError::ParserError(e.message().to_string()))
}
