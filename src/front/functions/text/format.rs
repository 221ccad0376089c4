//! `format('{:>8.2f}', x)` and `printf('%8.2f', x)`: values in the middle of text.
//!
//! Both are read into pieces: text, or an argument with a [`Spec`]. A `{}` takes the next argument, `{1}` the second.

use super::super::args::{Args, Column, some, texts};
use super::super::cast::texts_of;
use super::super::row::{Gives, Row};
use arrow::array::{ArrayRef, StringViewArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "format",
        "text, any..",
        Gives::Text,
        format,
        "The values in place of `{}`, `{1}`, `{:.2f}` (Python's way).",
        "format('{} is {:.1f}', 'pi', 3.14159) --> pi is 3.1",
    ),
    Row::new(
        "printf",
        "text, any..",
        Gives::Text,
        printf,
        "The values in place of `%s`, `%d`, `%.2f` (C's way).",
        "printf('%s is %.1f', 'pi', 3.14159) --> pi is 3.1",
    ),
];

/// How an argument is shown.
#[derive(Debug, Default, PartialEq)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    plus: Option<char>,
    zero: bool,
    width: usize,
    group: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Value(usize, Spec),
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn number(chars: &mut Chars) -> Option<usize> {
    let mut made: Option<usize> = None;
    while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        made = Some(made.unwrap_or(0).saturating_mul(10).saturating_add(d as usize));
    }
    made
}

/// Pieces of a text such as `{:>5}`.
fn braces(text: &str) -> Result<Vec<Piece>> {
    let mut made = vec![Piece::Text(String::new())];
    let mut chars = text.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                push(&mut made, c);
            }
            '{' => {
                let at = number(&mut chars).unwrap_or_else(|| {
                    next += 1;
                    next - 1
                });
                let spec = if chars.next_if_eq(&':').is_some() { brace_spec(&mut chars) } else { Spec::default() };
                if chars.next() != Some('}') {
                    return exec_err!("a }} is missing, or what stands before it is not understood, in {text:?}");
                }
                made.push(Piece::Value(at, spec));
            }
            '}' => return exec_err!("a }} without {{ in {text:?}"),
            other => push(&mut made, other),
        }
    }
    Ok(made)
}

fn push(pieces: &mut Vec<Piece>, c: char) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => pieces.push(Piece::Text(c.to_string())),
    }
}

/// `[[fill]align][sign][0][width][,][.precision][type]`
fn brace_spec(chars: &mut Chars) -> Spec {
    let mut spec = Spec::default();
    let mut ahead = chars.clone();
    let first = ahead.next();
    if let (Some(fill), Some(align @ ('<' | '>' | '^'))) = (first, ahead.next()) {
        (spec.fill, spec.align) = (Some(fill), Some(align));
        *chars = ahead;
    } else if let Some(align @ ('<' | '>' | '^')) = first {
        spec.align = Some(align);
        chars.next();
    }
    spec.plus = chars.next_if(|c| "+- ".contains(*c)).filter(|c| *c != '-');
    chars.next_if_eq(&'#');
    spec.zero = chars.next_if_eq(&'0').is_some();
    spec.width = number(chars).unwrap_or(0);
    spec.group = chars.next_if(|c| ",_'".contains(*c));
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = number(chars);
    }
    if chars.next_if_eq(&'t').is_some() {
        spec.group = chars.next();
    }
    spec.kind = chars.next_if(|c| c.is_ascii_alphabetic() || *c == '%');
    spec
}

/// Pieces of a text such as `%5d`.
fn percents(text: &str) -> Result<Vec<Piece>> {
    let mut made = vec![Piece::Text(String::new())];
    let mut chars = text.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            push(&mut made, c);
        } else if chars.next_if_eq(&'%').is_some() {
            push(&mut made, '%');
        } else {
            let spec = percent_spec(&mut chars);
            if spec.kind.is_none() {
                return exec_err!("a % without a letter in {text:?}");
            }
            made.push(Piece::Value(next, spec));
            next += 1;
        }
    }
    Ok(made)
}

/// `[-+ 0,'][width][.precision]type`; text and numbers stand at the right.
fn percent_spec(chars: &mut Chars) -> Spec {
    let mut spec = Spec { align: Some('>'), ..Spec::default() };
    while let Some(flag) = chars.next_if(|c| "-+ 0,'_#".contains(*c)) {
        match flag {
            '-' => spec.align = Some('<'),
            '0' => spec.zero = true,
            '+' | ' ' => spec.plus = Some(flag),
            '#' => {}
            group => spec.group = Some(group),
        }
    }
    spec.width = number(chars).unwrap_or(0);
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(number(chars).unwrap_or(0));
    }
    while chars.next_if(|c| matches!(c, 'l' | 'h')).is_some() {}
    spec.kind = chars.next_if(|c| c.is_ascii_alphabetic());
    if spec.align == Some('<') {
        spec.zero = false;
    }
    spec
}

/// An argument's values: as text, and as numbers where they are.
struct Value {
    text: Column<StringViewArray>,
    integer: bool,
    float: bool,
}

impl Value {
    fn of(args: &Args, at: usize) -> Result<Value> {
        let t = args.type_of(at);
        let float = t.is_floating() || matches!(t, DataType::Decimal128(..) | DataType::Decimal256(..));
        let integer = t.is_integer() || matches!(t, DataType::Decimal128(_, 0));
        Ok(Value { text: texts_of(args, at)?, integer, float: float && !integer })
    }

    fn show(&self, row: usize, spec: &Spec) -> Result<Option<String>> {
        let text = some!(self.text.get(row));
        if !self.integer && !self.float {
            return match spec.kind {
                None | Some('s') => Ok(Some(pad(cut(text, spec.precision), "", spec, '<'))),
                Some(kind) => exec_err!("{kind:?} does not show a text such as {text:?}"),
            };
        }
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => (spec.plus.map_or("", |p| if p == '+' { "+" } else { " " }), text),
        };
        let shown = if self.integer { integer(digits, spec)? } else { float(digits, spec)? };
        let shown = match spec.group {
            Some(group) => grouped(&shown, group),
            None => shown,
        };
        Ok(Some(pad(shown, sign, spec, '>')))
    }
}

fn cut(text: &str, precision: Option<usize>) -> String {
    text.chars().take(precision.unwrap_or(usize::MAX)).collect()
}

fn integer(digits: &str, spec: &Spec) -> Result<String> {
    let value = || match digits.parse::<u128>() {
        Ok(value) => Ok(value),
        Err(_) => exec_err!("{digits} is too large to be shown so"),
    };
    Ok(match spec.kind {
        None | Some('d' | 's' | 'i' | 'u' | 'n') => digits.to_string(),
        Some('x') => format!("{:x}", value()?),
        Some('X') => format!("{:X}", value()?),
        Some('o') => format!("{:o}", value()?),
        Some('b' | 'B') => format!("{:b}", value()?),
        Some('c') => u32::try_from(value()?).ok().and_then(char::from_u32).map(String::from).unwrap_or_default(),
        Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'a' | '%') => return float(digits, spec),
        Some(kind) => return exec_err!("no such way to show an integer: {kind:?}"),
    })
}

fn float(digits: &str, spec: &Spec) -> Result<String> {
    let Ok(value) = digits.parse::<f64>() else { return Ok(digits.to_string()) };
    let precision = spec.precision.unwrap_or(6).min(500);
    if !value.is_finite() {
        return Ok(digits.to_string());
    }
    Ok(match spec.kind {
        None | Some('s') if spec.precision.is_none() => digits.to_string(),
        Some('f' | 'F') => format!("{value:.precision$}"),
        Some('%') => format!("{:.precision$}%", value * 100.0),
        Some('e') => exponent(format!("{value:.precision$e}")),
        Some('E') => exponent(format!("{value:.precision$e}")).to_uppercase(),
        None | Some('g' | 'G' | 's') => general(value, precision),
        Some('d' | 'i') => format!("{:.0}", value.trunc()),
        Some(kind) => return exec_err!("no such way to show a fraction: {kind:?}"),
    })
}

/// `1.5e3` as C writes it: `1.5e+03`.
fn exponent(text: String) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |d| ('-', d));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// C's `%g`: so many significant digits, an exponent where the number is large or small, no zeros at the end.
fn general(value: f64, precision: usize) -> String {
    let precision = precision.max(1);
    let scientific = format!("{value:.*e}", precision - 1);
    let power: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let trimmed = |s: &str| match s.contains('.') {
        true => s.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => s.to_string(),
    };
    if power < -4 || power >= precision as i32 {
        let (mantissa, e) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        return exponent(format!("{}e{e}", trimmed(mantissa)));
    }
    let places = usize::try_from(precision as i32 - 1 - power).unwrap_or(0);
    trimmed(&format!("{value:.places$}"))
}

/// Thousands apart.
fn grouped(text: &str, group: char) -> String {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at(end);
    let mut made = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            made.push(group);
        }
        made.push(c);
    }
    made + rest
}

fn pad(text: String, sign: &str, spec: &Spec, align: char) -> String {
    let missing = spec.width.min(1 << 16).saturating_sub(text.chars().count() + sign.len());
    if spec.zero && spec.fill.is_none() {
        return format!("{sign}{}{text}", "0".repeat(missing));
    }
    let fill = |n: usize| spec.fill.unwrap_or(' ').to_string().repeat(n);
    match spec.align.unwrap_or(align) {
        '<' => format!("{sign}{text}{}", fill(missing)),
        '^' => format!("{}{sign}{text}{}", fill(missing / 2), fill(missing - missing / 2)),
        _ => format!("{}{sign}{text}", fill(missing)),
    }
}

fn fill(args: &Args, parse: impl Fn(&str) -> Result<Vec<Piece>>) -> Result<ArrayRef> {
    let pattern = args.text(0)?;
    let values = (1..args.len()).map(|at| Value::of(args, at)).collect::<Result<Vec<_>>>()?;
    let mut last: Option<(String, Vec<Piece>)> = None;
    texts(args, |row| {
        let pattern = some!(pattern.get(row));
        if last.as_ref().is_none_or(|(p, _)| p != pattern) {
            last = Some((pattern.to_string(), parse(pattern)?));
        }
        let mut made = String::new();
        for piece in last.iter().flat_map(|(_, pieces)| pieces) {
            match piece {
                Piece::Text(text) => made.push_str(text),
                Piece::Value(at, spec) => match values.get(*at) {
                    Some(value) => made.push_str(&some!(value.show(row, spec)?)),
                    None => return exec_err!("{pattern:?} wants more than {} values", values.len()),
                },
            }
        }
        Ok(Some(made))
    })
}

fn format(args: &Args) -> Result<ArrayRef> {
    fill(args, braces)
}

fn printf(args: &Args) -> Result<ArrayRef> {
    fill(args, percents)
}
