//! SQL text to statements.

use super::dialect::PartitaDialect;
use super::errors::parse_error;
use super::files::{constant, text_of};
use super::statement::{CopyFrom, Kind, Statement};
use crate::error::{Error, Result};
use datafusion_sql::sqlparser::ast::{self, TableFactor};
use datafusion_sql::sqlparser::dialect::Dialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{IsOptional, Parser, ParserError};
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
        let kind = statement(&mut parser)?;
        if matches!(kind, Kind::Refused(_)) {
            // What is refused is not read to its end.
            while !matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF) {
                parser.next_token();
            }
        }
        found.push(Statement { sql: Arc::clone(text), kind });
        let next = parser.peek_token();
        if !matches!(next.token, Token::SemiColon | Token::EOF) {
            return parser.expected("the end of the statement", next);
        }
    }
}

fn parser<'a>(dialect: &'a dyn Dialect, sql: &str) -> Result<Parser<'a>, ParserError> {
    let mut tokens = Vec::new();
    Tokenizer::new(dialect, sql).tokenize_with_location_into_buf(&mut tokens)?;
    super::asof::mark_words(&mut tokens);
    super::exclude::mark(&mut tokens, dialect)?;
    let tokens = super::tokens::prepare(tokens);
    Ok(Parser::new(dialect).with_tokens_with_locations(tokens).with_recursion_limit(DEEPEST))
}

/// A relation of a FROM clause, for those that are made of text here.
pub(super) fn table_factor(sql: &str) -> Result<TableFactor> {
    let dialect = PartitaDialect;
    let parse = || parser(&dialect, sql)?.parse_table_factor();
    parse().map_err(|e| parse_error(&e, sql))
}

/// A query, for those that are made of text here.
pub(super) fn query(sql: &str) -> Result<Box<ast::Query>> {
    let dialect = PartitaDialect;
    let parse = || parser(&dialect, sql)?.parse_query();
    parse().map_err(|e| parse_error(&e, sql))
}

/// An expression, for those that are made of text here.
pub(super) fn expression(sql: &str) -> Result<ast::Expr> {
    let dialect = PartitaDialect;
    let parse = || parser(&dialect, sql)?.parse_expr();
    parse().map_err(|e| parse_error(&e, sql))
}

fn statement(parser: &mut Parser) -> Result<Kind, ParserError> {
    match word(parser, 0).as_str() {
        "copy" => {
            parser.next_token();
            copy(parser)
        }
        "insert" => insert(parser),
        "describe" | "desc" => describe(parser),
        "show" => show(parser),
        "pragma" => pragma(parser),
        // The parser takes what follows the name for a part of it.
        "table" => Ok(Kind::Refused("TABLE as a query".into())),
        "export" | "import" if word(parser, 1) == "database" => database(parser),
        "drop" if matches!(word(parser, 1).as_str(), "macro" | "function") => drop_macro(parser),
        _ => Ok(Kind::Ast(Box::new(parser.parse_statement()?))),
    }
}

/// The word that stands `at` tokens ahead, in lower case; nothing, if it is no word.
fn word(parser: &Parser, at: usize) -> String {
    match &parser.peek_nth_token_ref(at).token {
        Token::Word(w) if w.quote_style.is_none() => w.value.to_lowercase(),
        _ => String::new(),
    }
}

fn skip(parser: &mut Parser, words: usize) {
    (0..words).for_each(|_| drop(parser.next_token()));
}

/// `INSERT INTO t (a, b) BY NAME query`.
fn insert(parser: &mut Parser) -> Result<Kind, ParserError> {
    skip(parser, 1);
    if parser.parse_keyword(Keyword::OR) {
        let how = parser.next_token();
        return Ok(Kind::Refused(format!("INSERT OR {how}")));
    }
    parser.expect_keyword(Keyword::INTO)?;
    let table = parser.parse_object_name(false)?;
    let mut columns = Vec::new();
    let lists_columns = parser.peek_token_ref().token == Token::LParen
        && !matches!(word(parser, 1).as_str(), "select" | "with" | "from" | "values");
    if lists_columns {
        columns = parser.parse_parenthesized_column_list(IsOptional::Mandatory, false)?;
    }
    let mut by_name = false;
    if parser.parse_keyword(Keyword::BY) {
        by_name = parser.parse_keyword(Keyword::NAME);
        if !by_name && word(parser, 0) == "position" {
            skip(parser, 1);
        }
    }
    let source = match parser.parse_keywords(&[Keyword::DEFAULT, Keyword::VALUES]) {
        true => None,
        false => Some(parser.parse_query()?),
    };
    for (keyword, name) in [(Keyword::ON, "INSERT .. ON CONFLICT"), (Keyword::RETURNING, "INSERT .. RETURNING")] {
        if parser.peek_keyword(keyword) {
            return Ok(Kind::Refused(name.into()));
        }
    }
    Ok(Kind::Insert { table, columns, by_name, source })
}

/// `DESCRIBE t`, `DESCRIBE query`, `DESCRIBE` alone.
fn describe(parser: &mut Parser) -> Result<Kind, ParserError> {
    skip(parser, 1);
    let _ = parser.parse_keyword(Keyword::TABLE);
    match (&parser.peek_token_ref().token, word(parser, 0).as_str()) {
        (Token::EOF | Token::SemiColon, _) => Ok(Kind::ShowTables { all: true }),
        (_, "select" | "with" | "from" | "values") => Ok(Kind::Describe(parser.parse_query()?)),
        _ => Ok(Kind::Describe(all_of(parser.parse_table_factor()?))),
    }
}

/// `SHOW TABLES`, `SHOW ALL TABLES`, `SHOW t`.
fn show(parser: &mut Parser) -> Result<Kind, ParserError> {
    skip(parser, 1);
    match (word(parser, 0).as_str(), word(parser, 1).as_str()) {
        ("tables", "") => {
            skip(parser, 1);
            Ok(Kind::ShowTables { all: false })
        }
        ("all", "tables") => {
            skip(parser, 2);
            Ok(Kind::ShowTables { all: true })
        }
        ("databases" | "schemas" | "functions" | "variables" | "columns", _) | ("tables", _) => {
            Ok(Kind::Refused(format!("SHOW {}", word(parser, 0).to_uppercase())))
        }
        _ => Ok(Kind::Describe(all_of(parser.parse_table_factor()?))),
    }
}

/// `PRAGMA table_info('t')`, `PRAGMA show_tables`, `PRAGMA setting = value`.
fn pragma(parser: &mut Parser) -> Result<Kind, ParserError> {
    skip(parser, 1);
    let name = parser.parse_identifier()?.value.to_lowercase();
    if parser.consume_token(&Token::Eq) {
        let value = option_value(parser)?;
        return Ok(Kind::Set { name, value });
    }
    let mut of = None;
    if parser.consume_token(&Token::LParen) {
        of = Some(option_value(parser)?);
        parser.expect_token(&Token::RParen)?;
    }
    match (name.as_str(), of) {
        ("show_tables", None) => Ok(Kind::ShowTables { all: false }),
        ("show_tables_expanded", None) => Ok(Kind::ShowTables { all: true }),
        ("table_info", Some(table)) => Ok(Kind::TableInfo(table)),
        _ => Ok(Kind::Refused(format!("PRAGMA {name}"))),
    }
}

/// `EXPORT DATABASE 'dir'`, `IMPORT DATABASE 'dir'`.
fn database(parser: &mut Parser) -> Result<Kind, ParserError> {
    let export = word(parser, 0) == "export";
    skip(parser, 2);
    let directory = parser.parse_literal_string()?;
    let mut options = BTreeMap::new();
    if export && parser.consume_token(&Token::LParen) {
        copy_options(parser, &mut options)?;
    }
    let format = options.remove("format").unwrap_or_else(|| "parquet".into()).to_lowercase();
    Ok(match (export, options.keys().next()) {
        (_, Some(option)) => Kind::Refused(format!("EXPORT DATABASE with the option {option}")),
        (true, None) if format != "parquet" => Kind::Refused(format!("EXPORT DATABASE as {format}")),
        (true, None) => Kind::Export(directory),
        (false, None) => Kind::Import(directory),
    })
}

/// `DROP MACRO [TABLE] [IF EXISTS] f`.
fn drop_macro(parser: &mut Parser) -> Result<Kind, ParserError> {
    skip(parser, 2);
    let _ = parser.parse_keyword(Keyword::TABLE);
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    Ok(Kind::DropMacro { name: parser.parse_identifier()?.value.to_lowercase(), if_exists })
}

/// `SELECT * FROM factor`.
pub(super) fn all_of(factor: TableFactor) -> Box<ast::Query> {
    super::rewrite::all_of(factor)
}

/// `COPY (query) TO 'file' (FORMAT parquet, ROW_GROUP_SIZE 1000)`, `COPY table TO 'file'`.
fn copy(parser: &mut Parser) -> Result<Kind, ParserError> {
    let from = if parser.consume_token(&Token::LParen) {
        let query = parser.parse_query()?;
        parser.expect_token(&Token::RParen)?;
        CopyFrom::Query(query)
    } else {
        let table = parser.parse_object_name(true)?;
        let columns = parser.parse_parenthesized_column_list(IsOptional::Optional, false)?;
        CopyFrom::Table(table, columns)
    };
    let loads = parser.parse_keyword(Keyword::FROM);
    if !loads {
        parser.expect_keyword(Keyword::TO)?;
    }
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
    match (loads, from) {
        (true, CopyFrom::Table(table, columns)) => Ok(Kind::Load { table, columns, path, format, options }),
        (true, CopyFrom::Query(_)) => parser.expected("TO behind a query", parser.peek_token()),
        (false, from) => Ok(Kind::Copy { from, path, format, options }),
    }
}

fn copy_options(parser: &mut Parser, options: &mut BTreeMap<String, String>) -> Result<(), ParserError> {
    while !parser.consume_token(&Token::RParen) {
        let name = parser.parse_identifier()?.value.to_lowercase();
        let _ = parser.consume_token(&Token::Eq) || parser.consume_token(&Token::RArrow);
        let value = match parser.peek_token_ref().token {
            Token::Comma | Token::RParen => "true".to_string(),
            Token::Mul => {
                let _ = parser.next_token();
                "*".to_string()
            }
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
