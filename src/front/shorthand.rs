//! Queries that do not begin with SELECT, written out as ones that do, while they are tokens.
//!
//! | written | becomes |
//! |---|---|
//! | `FROM t WHERE a` | `SELECT * FROM t WHERE a` |
//! | `PIVOT t ON c USING sum(x) GROUP BY y` | `FROM t SELECT sum(x) GROUP BY y DISTRIBUTE BY pivot_on(c)` |
//! | `UNPIVOT t ON a, b INTO NAME n VALUE v` | `FROM t SELECT * DISTRIBUTE BY unpivot_on('n', 'v', '', a, b)` |
//! | `SUMMARIZE t`, `SUMMARIZE SELECT ..` | `FROM t SELECT * DISTRIBUTE BY summarize_rows()` |
//!
//! DISTRIBUTE BY is a clause that nobody else uses; the rewrites of the same names resolve what it holds. So these forms
//! work wherever a query may stand.

use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// The functions that stand for the clauses.
pub(super) const PIVOT: &str = "pivot_on";
pub(super) const UNPIVOT: &str = "unpivot_on";
pub(super) const SUMMARIZE: &str = "summarize_rows";

/// Clauses that follow FROM.
const AFTER_FROM: &[Keyword] = &[
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::WINDOW,
    Keyword::QUALIFY,
    Keyword::DISTRIBUTE,
    Keyword::ORDER,
    Keyword::LIMIT,
    Keyword::OFFSET,
    Keyword::FETCH,
    Keyword::UNION,
    Keyword::INTERSECT,
    Keyword::EXCEPT,
];

/// Writes out every query in `tokens`.
pub(super) fn write_out(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut writer = Writer { made: Vec::with_capacity(tokens.len()), begins: true };
    writer.all(tokens);
    writer.made
}

struct Writer {
    made: Vec<TokenWithSpan>,
    /// Whether a query may begin at the next token.
    begins: bool,
}

impl Writer {
    fn all(&mut self, tokens: &[TokenWithSpan]) {
        let mut at = 0;
        let mut places = vec![Place::Fresh];
        while let Some(token) = tokens.get(at) {
            let rest = tokens.get(at..).unwrap_or_default();
            let place = places.last().copied().unwrap_or(Place::Done);
            if let Some(used) = (place != Place::Done).then(|| self.query(rest)).flatten() {
                at += used;
                self.begins = false;
                mark(&mut places, Place::Done);
                continue;
            }
            mark(&mut places, self.after(token, place));
            match token.token {
                Token::LParen => places.push(Place::Fresh),
                Token::RParen => drop(places.pop()),
                _ => {}
            }
            self.begins = matches!(token.token, Token::LParen | Token::SemiColon) || goes_on(keyword(token));
            self.made.push(token.clone());
            at += 1;
        }
    }

    /// What a token makes of the place where it stands.
    fn after(&self, token: &TokenWithSpan, place: Place) -> Place {
        let star = self.made.last().is_some_and(|t| t.token == Token::Mul);
        match (&token.token, keyword(token)) {
            (Token::SemiColon, _) => Place::Fresh,
            // `* EXCEPT (a)` leaves columns out.
            (_, word) if is_set_operator(word) => {
                if star {
                    Place::Done
                } else {
                    Place::Fresh
                }
            }
            (_, Keyword::SELECT) => Place::Done,
            (_, Keyword::WITH | Keyword::INSERT | Keyword::CREATE) if place == Place::Fresh => Place::Leading,
            (_, word) if place == Place::Fresh && !goes_on(word) => Place::Done,
            _ => place,
        }
    }

    /// Writes the query that begins here, if it is one of those above; returns the tokens that it took.
    fn query(&mut self, rest: &[TokenWithSpan]) -> Option<usize> {
        let first = rest.first()?;
        let Token::Word(w) = &first.token else { return None };
        if w.quote_style.is_some() {
            return None;
        }
        let second = rest.get(1).map(|t| &t.token)?;
        let named = matches!(second, Token::Word(_) | Token::SingleQuotedString(_));
        let behind_ctes = named && self.made.last().is_some_and(|t| t.token == Token::RParen);
        let begins = self.begins && (named || *second == Token::LParen);
        match w.value.to_lowercase().as_str() {
            "from" => self.first_from(rest),
            "pivot" if begins || behind_ctes => self.pivot(rest),
            "unpivot" if begins || behind_ctes => self.unpivot(rest),
            "summarize" if begins || behind_ctes => self.summarize(rest),
            _ => None,
        }
    }

    /// `FROM t WHERE ..`: the star is missing, unless SELECT follows, or nothing.
    fn first_from(&mut self, rest: &[TokenWithSpan]) -> Option<usize> {
        let end = find(rest, |k| AFTER_FROM.contains(&k) || k == Keyword::SELECT);
        let clause = rest.get(..end)?;
        // The star stands before FROM: behind it, EXCEPT would leave columns out.
        if rest.get(end).is_none_or(|next| keyword(next) != Keyword::SELECT) {
            self.words(&["SELECT"], rest.first()?);
            self.push(Token::Mul, rest.first()?);
        }
        self.made.push(rest.first()?.clone());
        self.nested(clause.get(1..)?);
        Some(end)
    }

    fn pivot(&mut self, rest: &[TokenWithSpan]) -> Option<usize> {
        let first = rest.first()?;
        let clause = [Keyword::ON, Keyword::USING, Keyword::GROUP, Keyword::ORDER, Keyword::LIMIT];
        let on = find(rest, |k| clause.contains(&k));
        if rest.get(on).map(keyword) != Some(Keyword::ON) {
            return None;
        }
        let using = on + 1 + find(rest.get(on + 1..)?, |k| clause.contains(&k));
        let has_using = rest.get(using).map(keyword) == Some(Keyword::USING);
        let group = match has_using {
            true => using + 1 + find(rest.get(using + 1..)?, |k| clause.contains(&k)),
            false => using,
        };
        let has_group = rest.get(group).map(keyword) == Some(Keyword::GROUP);
        let end = match has_group {
            true => group + 1 + find(rest.get(group + 1..)?, |k| clause.contains(&k)),
            false => group,
        };
        self.words(&["FROM"], first);
        self.nested(rest.get(1..on)?);
        self.words(&["SELECT"], first);
        match has_using {
            true => self.nested(rest.get(using + 1..group)?),
            false => self.call("count", &[], first),
        }
        self.nested(rest.get(group..end)?);
        self.clause(PIVOT, &[], rest.get(on + 1..using)?, first);
        Some(end)
    }

    fn unpivot(&mut self, rest: &[TokenWithSpan]) -> Option<usize> {
        let first = rest.first()?;
        let on = find(rest, |k| k == Keyword::ON);
        let into = on + find(rest.get(on..)?, |k| matches!(k, Keyword::INTO | Keyword::ORDER | Keyword::LIMIT));
        let (mut names, mut end) = (vec!["name".to_string(), "value".to_string()], into);
        if rest.get(into).map(keyword) == Some(Keyword::INTO) {
            let named = |at: usize, word: &str| {
                let is = rest.get(at)?.token.to_string().eq_ignore_ascii_case(word);
                is.then(|| rest.get(at + 1)).flatten().map(name_of)
            };
            names = vec![named(into + 1, "name")?, named(into + 3, "value")?];
            end = into + 5;
        }
        let source = rest.get(1..on)?;
        let keeps = source.len() > 2
            && source.iter().rev().take(2).map(|t| t.token.to_string().to_lowercase()).eq(["nulls", "include"]);
        names.push(if keeps { "nulls" } else { "" }.to_string());
        self.words(&["FROM"], first);
        self.nested(source.get(..source.len() - if keeps { 2 } else { 0 })?);
        self.words(&["SELECT"], first);
        self.push(Token::Mul, first);
        self.clause(UNPIVOT, &names, rest.get(on + 1..into)?, first);
        Some(end)
    }

    fn summarize(&mut self, rest: &[TokenWithSpan]) -> Option<usize> {
        let first = rest.first()?;
        let end = find(rest, |_| false);
        let source = rest.get(1..end)?;
        self.words(&["FROM"], first);
        match source.first().map(keyword) {
            Some(Keyword::SELECT | Keyword::WITH | Keyword::FROM | Keyword::VALUES) => {
                self.push(Token::LParen, first);
                self.nested(source);
                self.push(Token::RParen, first);
            }
            _ => self.nested(source),
        }
        self.words(&["SELECT"], first);
        self.push(Token::Mul, first);
        self.clause(SUMMARIZE, &[], &[], first);
        Some(end)
    }

    /// `DISTRIBUTE BY name('text', .., args)`.
    fn clause(&mut self, name: &str, texts: &[String], args: &[TokenWithSpan], at: &TokenWithSpan) {
        self.words(&["DISTRIBUTE", "BY"], at);
        self.push(Token::make_word(name, None), at);
        self.push(Token::LParen, at);
        for (i, text) in texts.iter().enumerate() {
            if i > 0 {
                self.push(Token::Comma, at);
            }
            self.push(Token::SingleQuotedString(text.clone()), at);
        }
        if !texts.is_empty() && !args.is_empty() {
            self.push(Token::Comma, at);
        }
        self.nested(args);
        self.push(Token::RParen, at);
    }

    fn call(&mut self, name: &str, args: &[TokenWithSpan], at: &TokenWithSpan) {
        self.push(Token::make_word(name, None), at);
        self.push(Token::LParen, at);
        match args {
            [] => self.push(Token::Mul, at),
            args => self.made.extend_from_slice(args),
        }
        self.push(Token::RParen, at);
    }

    fn words(&mut self, words: &[&str], at: &TokenWithSpan) {
        words.iter().for_each(|word| self.push(Token::make_keyword(word), at));
    }

    fn push(&mut self, token: Token, at: &TokenWithSpan) {
        self.made.push(TokenWithSpan::new(token, at.span));
    }

    /// Tokens that may hold queries in parentheses; a query may begin with the first of them only where it is one.
    fn nested(&mut self, tokens: &[TokenWithSpan]) {
        let is_query = tokens
            .first()
            .is_some_and(|t| matches!(keyword(t), Keyword::SELECT | Keyword::WITH | Keyword::FROM | Keyword::VALUES));
        let mut inner = Writer { made: Vec::with_capacity(tokens.len()), begins: is_query };
        inner.all_within(tokens, is_query);
        self.made.extend(inner.made);
    }

    fn all_within(&mut self, tokens: &[TokenWithSpan], query: bool) {
        match (query, tokens.split_first()) {
            (false, Some((first, _))) if first.token != Token::LParen => {
                // The first word is no query's; those behind parentheses may be.
                self.made.push(first.clone());
                self.begins = false;
                self.rest_of(tokens.get(1..).unwrap_or_default());
            }
            _ => self.all(tokens),
        }
    }

    fn rest_of(&mut self, tokens: &[TokenWithSpan]) {
        let end = tokens.iter().position(|t| t.token == Token::LParen).unwrap_or(tokens.len());
        self.made.extend_from_slice(tokens.get(..end).unwrap_or_default());
        let rest = tokens.get(end..).unwrap_or_default();
        if !rest.is_empty() {
            self.all(rest);
        }
    }
}

/// How far the query is whose parentheses a token stands in.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Nothing of it was there yet.
    Fresh,
    /// Its CTEs are there, or a statement that goes on with a query.
    Leading,
    /// Its beginning is past, or there is no query.
    Done,
}

fn mark(places: &mut [Place], value: Place) {
    if let Some(last) = places.last_mut() {
        *last = value;
    }
}

fn is_set_operator(word: Keyword) -> bool {
    matches!(word, Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT)
}

/// Words behind which a query may begin, where none has begun.
fn goes_on(word: Keyword) -> bool {
    use Keyword::{ALL, ANALYZE, AS, BY, DESC, DESCRIBE, DISTINCT, EXPLAIN, NAME};
    is_set_operator(word) || matches!(word, EXPLAIN | ANALYZE | AS | ALL | BY | DESCRIBE | DESC | DISTINCT | NAME)
}

fn keyword(token: &TokenWithSpan) -> Keyword {
    match &token.token {
        Token::Word(w) if w.quote_style.is_none() => w.keyword,
        _ => Keyword::NoKeyword,
    }
}

fn name_of(token: &TokenWithSpan) -> String {
    match &token.token {
        Token::Word(w) => w.value.clone(),
        Token::SingleQuotedString(s) => s.clone(),
        other => other.to_string(),
    }
}

/// The first place of `rest` outside of parentheses where a wanted word stands; or where the query ends.
fn find(rest: &[TokenWithSpan], wanted: impl Fn(Keyword) -> bool) -> usize {
    let mut depth = 0_usize;
    for (at, token) in rest.iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => return at,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            Token::SemiColon | Token::EOF if depth == 0 => return at,
            _ if depth == 0 && at > 0 && wanted(keyword(token)) => return at,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::super::dialect::PartitaDialect;
    use super::*;
    use datafusion_sql::sqlparser::tokenizer::Tokenizer;

    fn text(sql: &str) -> String {
        let mut tokens = Vec::new();
        Tokenizer::new(&PartitaDialect, sql).tokenize_with_location_into_buf(&mut tokens).unwrap();
        tokens.retain(|t| !matches!(t.token, Token::Whitespace(_)));
        write_out(&tokens).iter().map(|t| t.token.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn queries_are_written_out() {
        for (sql, wanted) in [
            ("from t where a", "SELECT * from t where a"),
            ("from t", "SELECT * from t"),
            ("from t select a", "from t select a"),
            ("select (a) from t where b", "select ( a ) from t where b"),
            (
                "select extract(year from d), trim(both ' ' from x) from t",
                "select extract ( year from d ) , trim ( both ' ' from x ) from t",
            ),
            (
                "with x as (from t where a) from x limit 1",
                "with x as ( SELECT * from t where a ) SELECT * from x limit 1",
            ),
            (
                "select * from (from t where a) union all from u where b",
                "select * from ( SELECT * from t where a ) union all SELECT * from u where b",
            ),
            ("create table x as from y where z", "create table x as SELECT * from y where z"),
            ("insert into x from y where z", "insert into x SELECT * from y where z"),
            ("delete from x where z", "delete from x where z"),
            (
                "pivot t on c using sum(x) as s group by y order by y",
                "FROM t SELECT sum ( x ) as s group by y DISTRIBUTE BY pivot_on ( c ) order by y",
            ),
            (
                "select * from (pivot (from u where a) on c in ('x'))",
                "select * from ( FROM ( SELECT * from u where a ) SELECT count ( * ) DISTRIBUTE BY pivot_on ( c in ( 'x' ) ) )",
            ),
            ("select pivot from t", "select pivot from t"),
            ("select a as pivot from t join u on b", "select a as pivot from t join u on b"),
            ("select * except (a) from t", "select * except ( a ) from t"),
            ("select ((a) is distinct from b)", "select ( ( a ) is distinct from b )"),
            ("(select 1) union by name from t", "( select 1 ) union by name SELECT * from t"),
            ("select * from t pivot (sum(a) for b in (1))", "select * from t pivot ( sum ( a ) for b in ( 1 ) )"),
            (
                "unpivot t include nulls on a, b into name n value v",
                "FROM t SELECT * DISTRIBUTE BY unpivot_on ( 'n' , 'v' , 'nulls' , a , b )",
            ),
            ("summarize t; from t", "FROM t SELECT * DISTRIBUTE BY summarize_rows ( ) ; SELECT * from t"),
            ("summarize select 1", "FROM ( select 1 ) SELECT * DISTRIBUTE BY summarize_rows ( )"),
        ] {
            assert_eq!(text(sql), wanted, "{sql}");
        }
    }
}
