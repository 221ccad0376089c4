//! What is settled between tokens, before there is syntax: signs that the parser reads otherwise, and clauses that it
//! does not know.
//!
//! - `->` is a lambda's or JSON's ([`mark_arrows`](super::dialect::mark_arrows)).
//! - `**` is `^`; the word GLOB is an operator.
//! - `LIMIT 40%` becomes `LIMIT percent_of_rows(40)`, which [`limits`](super::rewrite) resolves.
//! - `SELECT * LIKE 'a%'` becomes `SELECT COLUMNS(lambda name: name LIKE 'a%')`.
//! - `f(*COLUMNS(..))` becomes `f(unpack_columns(COLUMNS(..)))`, which [`stars`](super::rewrite) resolves.
//! - `TIMESTAMP_NS '..'` is a cast.
//! - `count(*) FILTER (a > 1)` gets its WHERE.
//! - `USING SAMPLE 10%` and `TABLESAMPLE 10%` become `DISTRIBUTE BY sample_rows('10', 'percent', ..)`, a clause that nobody
//!   else uses, or the same as the table's sample: [`sample`](super::rewrite) resolves them.

use super::dialect::mark_arrows;
use super::operators::GLOB;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// The function that stands for a share of the rows.
pub(super) const PERCENT: &str = "percent_of_rows";
/// The function that stands for a sample: amount, unit, method, seed, as texts.
pub(super) const SAMPLE: &str = "sample_rows";

/// The function that stands for `*COLUMNS(..)`.
pub(super) const UNPACK: &str = "unpack_columns";

/// Does all of the above.
pub(super) fn prepare(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect();
    mark_arrows(&mut tokens);
    let mut made = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        rest = match taken(rest, &mut made) {
            Some(used) => rest.get(used..).unwrap_or_default(),
            None => {
                made.push(first.clone());
                after
            }
        };
    }
    super::shorthand::write_out(&made)
}

/// Replaces what stands at the beginning of `rest`, and says how many tokens that took.
fn taken(rest: &[TokenWithSpan], made: &mut Vec<TokenWithSpan>) -> Option<usize> {
    let (first, second) = (rest.first()?, rest.get(1));
    match (&first.token, second.map(|t| &t.token)) {
        // `count(**)` is nothing; `a * *` is wrong anyhow.
        (Token::Mul, Some(Token::Mul)) if adjacent(first, rest.get(1)) => {
            made.push(TokenWithSpan::new(Token::Caret, first.span));
            Some(2)
        }
        (Token::Word(w), Some(next)) if is(w, "glob") && is_operand(made.last()) && begins_value(next) => {
            made.push(TokenWithSpan::new(Token::CustomBinaryOperator(GLOB.into()), first.span));
            Some(1)
        }
        (Token::Mul, Some(Token::Word(w)))
            if matches!(w.keyword, Keyword::LIKE | Keyword::ILIKE) && begins_item(made.last()) =>
        {
            let pattern = rest.get(2).filter(|t| matches!(t.token, Token::SingleQuotedString(_)))?;
            let (name, like) = (Token::make_word("name", None), rest.get(1)?.token.clone());
            let choice = [
                Token::make_word("columns", None),
                Token::LParen,
                Token::make_keyword("LAMBDA"),
                name.clone(),
                Token::Colon,
                name,
                like,
                pattern.token.clone(),
                Token::RParen,
            ];
            made.extend(choice.into_iter().map(|token| TokenWithSpan::new(token, first.span)));
            Some(3)
        }
        (Token::Mul, Some(Token::Word(w))) if is(w, "columns") && opens_argument(made.last()) => {
            let end = closed(rest.get(2..)?)? + 2;
            made.push(TokenWithSpan::new(Token::make_word(UNPACK, None), first.span));
            made.push(TokenWithSpan::new(Token::LParen, first.span));
            made.extend_from_slice(rest.get(1..=end)?);
            made.push(TokenWithSpan::new(Token::RParen, first.span));
            Some(end + 1)
        }
        (Token::DoubleTilde, Some(Token::Tilde)) if adjacent(first, rest.get(1)) => {
            made.push(TokenWithSpan::new(Token::CustomBinaryOperator(GLOB.into()), first.span));
            Some(2)
        }
        (Token::Word(w), Some(Token::Number(share, _))) if w.keyword == Keyword::LIMIT => {
            let percent = percent_sign(rest.get(2)?) && ends_limit(rest.get(3));
            percent.then(|| {
                made.push(first.clone());
                push_call(PERCENT, &[share], first, made);
                3
            })
        }
        // A CTE is computed where the planner likes: a hint, without a meaning.
        (Token::Word(w), Some(Token::Word(next))) if w.keyword == Keyword::AS && hints(next, rest).is_some() => {
            made.push(first.clone());
            Some(1 + hints(next, rest)?)
        }
        // The parser knows no literals of these types.
        (Token::Word(w), Some(text @ Token::SingleQuotedString(_)))
            if ["timestamp_s", "timestamp_ms", "timestamp_ns"].iter().any(|name| is(w, name)) =>
        {
            let cast = [text.clone(), Token::DoubleColon, first.token.clone()];
            made.extend(cast.into_iter().map(|token| TokenWithSpan::new(token, first.span)));
            Some(2)
        }
        // `count(*) FILTER (a > 1)`: WHERE may be left out.
        (Token::Word(w), Some(Token::LParen))
            if w.keyword == Keyword::FILTER
                && made.last().is_some_and(|t| t.token == Token::RParen)
                && !rest.get(2).is_some_and(|t| matches!(&t.token, Token::Word(w) if w.keyword == Keyword::WHERE)) =>
        {
            made.extend_from_slice(rest.get(..2)?);
            made.push(TokenWithSpan::new(Token::make_keyword("WHERE"), first.span));
            Some(2)
        }
        // DuckDB's other word for a macro.
        (Token::Word(w), Some(Token::Word(_))) if w.keyword == Keyword::FUNCTION && is_created(made) => {
            made.push(TokenWithSpan::new(Token::make_keyword("MACRO"), first.span));
            Some(1)
        }
        (Token::Word(w), Some(Token::Word(next))) if w.keyword == Keyword::USING && is(next, "sample") => {
            let (sample, used) = Sample::read(rest.get(2..)?)?;
            for word in ["DISTRIBUTE", "BY"] {
                made.push(TokenWithSpan::new(Token::make_keyword(word), first.span));
            }
            sample.push(first, made);
            Some(used + 2)
        }
        (Token::Word(w), Some(_)) if w.keyword == Keyword::TABLESAMPLE => {
            let (sample, used) = Sample::read(rest.get(1..)?)?;
            made.push(first.clone());
            made.push(TokenWithSpan::new(Token::LParen, first.span));
            sample.push(first, made);
            made.push(TokenWithSpan::new(Token::RParen, first.span));
            Some(used + 1)
        }
        _ => None,
    }
}

fn is(word: &datafusion_sql::sqlparser::tokenizer::Word, text: &str) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text)
}

fn adjacent(one: &TokenWithSpan, other: Option<&TokenWithSpan>) -> bool {
    other.is_some_and(|other| one.span.end == other.span.start)
}

/// Whether a value ends here, so that an operator may follow.
fn is_operand(token: Option<&TokenWithSpan>) -> bool {
    match token.map(|t| &t.token) {
        Some(Token::Word(w)) => w.keyword != Keyword::SELECT && w.keyword != Keyword::FROM,
        Some(Token::RParen | Token::RBracket | Token::SingleQuotedString(_)) => true,
        _ => false,
    }
}

/// The words of `AS [NOT] MATERIALIZED (`.
fn hints(next: &datafusion_sql::sqlparser::tokenizer::Word, rest: &[TokenWithSpan]) -> Option<usize> {
    let words = match next.keyword {
        Keyword::MATERIALIZED => 1,
        Keyword::NOT => match rest.get(2).map(|t| &t.token) {
            Some(Token::Word(w)) if w.keyword == Keyword::MATERIALIZED => 2,
            _ => return None,
        },
        _ => return None,
    };
    rest.get(1 + words).is_some_and(|t| t.token == Token::LParen).then_some(words)
}

fn is_created(made: &[TokenWithSpan]) -> bool {
    const WORDS: [Keyword; 4] = [Keyword::CREATE, Keyword::REPLACE, Keyword::TEMP, Keyword::TEMPORARY];
    matches!(made.last().map(|t| &t.token), Some(Token::Word(w)) if WORDS.contains(&w.keyword))
}

/// Whether an item of a select list may begin behind this token.
fn begins_item(token: Option<&TokenWithSpan>) -> bool {
    match token.map(|t| &t.token) {
        Some(Token::Comma) => true,
        Some(Token::Word(w)) => matches!(w.keyword, Keyword::SELECT | Keyword::DISTINCT),
        _ => false,
    }
}

fn opens_argument(token: Option<&TokenWithSpan>) -> bool {
    matches!(token.map(|t| &t.token), Some(Token::LParen | Token::Comma))
}

/// Where the parenthesis closes that opens first in `tokens`.
fn closed(tokens: &[TokenWithSpan]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth <= 1 => return Some(at),
            Token::RParen => depth -= 1,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

fn begins_value(token: &Token) -> bool {
    matches!(token, Token::SingleQuotedString(_) | Token::Word(_))
}

fn percent_sign(token: &TokenWithSpan) -> bool {
    match &token.token {
        Token::Mod => true,
        Token::Word(w) => w.keyword == Keyword::PERCENT,
        _ => false,
    }
}

/// Whether a limit may end before this token: `LIMIT 40 % 3` is a remainder.
fn ends_limit(token: Option<&TokenWithSpan>) -> bool {
    match token.map(|t| &t.token) {
        None | Some(Token::EOF | Token::SemiColon | Token::RParen) => true,
        Some(Token::Word(w)) => w.keyword == Keyword::OFFSET,
        _ => false,
    }
}

fn push_call(name: &str, args: &[&str], at: &TokenWithSpan, made: &mut Vec<TokenWithSpan>) {
    let mut push = |token| made.push(TokenWithSpan::new(token, at.span));
    push(Token::make_word(name, None));
    push(Token::LParen);
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            push(Token::Comma);
        }
        push(Token::SingleQuotedString(arg.to_string()));
    }
    push(Token::RParen);
}

/// A sample as it is written: `10%`, `10 PERCENT (bernoulli, 42)`, `reservoir(50 ROWS) REPEATABLE (7)`, `(5)`.
#[derive(Debug, Default, PartialEq)]
struct Sample {
    amount: String,
    unit: String,
    method: String,
    seed: String,
}

impl Sample {
    /// Reads one, and says how many tokens it took; `None` where there is none.
    fn read(tokens: &[TokenWithSpan]) -> Option<(Sample, usize)> {
        let mut sample = Sample::default();
        let mut at = 0;
        let token = |at: usize| tokens.get(at).map(|t| &t.token);
        if let Some(Token::Word(w)) = token(at)
            && ["reservoir", "bernoulli", "system"].iter().any(|m| is(w, m))
        {
            sample.method = w.value.to_lowercase();
            at += 1;
        }
        let open = token(at) == Some(&Token::LParen);
        at += usize::from(open);
        let Some(Token::Number(amount, _)) = token(at) else { return None };
        sample.amount.clone_from(amount);
        at += 1;
        match token(at) {
            Some(Token::Mod) => sample.unit = "percent".into(),
            Some(Token::Word(w)) if w.keyword == Keyword::PERCENT => sample.unit = "percent".into(),
            Some(Token::Word(w)) if w.keyword == Keyword::ROWS => sample.unit = "rows".into(),
            _ => at -= 1,
        }
        at += 1;
        if open {
            (token(at) == Some(&Token::RParen)).then_some(())?;
            at += 1;
        }
        at += sample.read_method(tokens.get(at..)?)?;
        at += sample.read_seed(tokens.get(at..)?)?;
        Some((sample, at))
    }

    /// `(bernoulli)`, `(reservoir, 42)`.
    fn read_method(&mut self, tokens: &[TokenWithSpan]) -> Option<usize> {
        let token = |at: usize| tokens.get(at).map(|t| &t.token);
        let (Some(Token::LParen), Some(Token::Word(w))) = (token(0), token(1)) else { return Some(0) };
        self.method = w.value.to_lowercase();
        match (token(2), token(3), token(4)) {
            (Some(Token::RParen), ..) => Some(3),
            (Some(Token::Comma), Some(Token::Number(seed, _)), Some(Token::RParen)) => {
                self.seed.clone_from(seed);
                Some(5)
            }
            _ => None,
        }
    }

    /// `REPEATABLE (42)`.
    fn read_seed(&mut self, tokens: &[TokenWithSpan]) -> Option<usize> {
        let token = |at: usize| tokens.get(at).map(|t| &t.token);
        match (token(0), token(1), token(2), token(3)) {
            (Some(Token::Word(w)), Some(Token::LParen), Some(Token::Number(seed, _)), Some(Token::RParen))
                if w.keyword == Keyword::REPEATABLE =>
            {
                self.seed.clone_from(seed);
                Some(4)
            }
            _ => Some(0),
        }
    }

    fn push(&self, at: &TokenWithSpan, made: &mut Vec<TokenWithSpan>) {
        push_call(SAMPLE, &[&self.amount, &self.unit, &self.method, &self.seed], at, made);
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::PartitaDialect;
    use super::*;
    use datafusion_sql::sqlparser::tokenizer::Tokenizer;

    fn text(sql: &str) -> String {
        let mut tokens = Vec::new();
        Tokenizer::new(&PartitaDialect, sql).tokenize_with_location_into_buf(&mut tokens).unwrap();
        prepare(tokens).iter().map(|t| t.token.to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn clauses_are_made_readable() {
        for (sql, wanted) in [
            ("2**3 * 4", "2 ^ 3 * 4"),
            ("a glob 'x*', glob('x')", "a ~~~ 'x*' , glob ( 'x' )"),
            ("limit 40%", "limit percent_of_rows ( '40' )"),
            ("limit 40 percent offset 1", "limit percent_of_rows ( '40' ) offset 1"),
            ("limit 40 % 3", "limit 40 % 3"),
            ("using sample 10% (system, 7)", "DISTRIBUTE BY sample_rows ( '10' , 'percent' , 'system' , '7' )"),
            ("using sample reservoir(5 rows)", "DISTRIBUTE BY sample_rows ( '5' , 'rows' , 'reservoir' , '' )"),
            ("t tablesample 5% x", "t tablesample ( sample_rows ( '5' , 'percent' , '' , '' ) ) x"),
            ("using (sample)", "using ( sample )"),
            ("select * like 'a%' from", "select columns ( LAMBDA name : name like 'a%' ) from"),
            ("select a * like", "select a * like"),
            ("with a as not materialized (x) b", "with a as ( x ) b"),
        ] {
            assert_eq!(text(sql), wanted, "{sql}");
        }
    }
}
