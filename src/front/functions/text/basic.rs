//! Whole texts: search, replace, pad, trim, case, code points.

use super::super::args::{Args, bools, ints, some, texts};
use super::super::row::{Gives, Row, element};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

pub(in super::super) const ROWS: &[Row] = &[
    Row::new(
        "contains",
        "text, text | list, element",
        Gives::Bool,
        contains,
        "Whether the first text (or list) contains the second.",
        "contains('abc', 'b') --> true",
    ),
    Row::new(
        "starts_with",
        "text, text",
        Gives::Bool,
        starts_with,
        "Whether a text begins with another.",
        "starts_with('abc', 'ab') --> true",
    )
    .also(&["prefix"]),
    Row::new(
        "ends_with",
        "text, text",
        Gives::Bool,
        ends_with,
        "Whether a text ends with another.",
        "ends_with('abc', 'bc') --> true",
    )
    .also(&["suffix"]),
    Row::new(
        "strpos",
        "text, text",
        Gives::Int,
        strpos,
        "The place of the second text in the first; 0 where it is not.",
        "strpos('abc', 'c') --> 3",
    )
    .also(&["instr", "position"]),
    Row::new(
        "replace",
        "text, text, text",
        Gives::Text,
        replace,
        "Every occurrence of the second text becomes the third.",
        "replace('abcabc', 'b', 'XX') --> aXXcaXXc",
    ),
    Row::new(
        "translate",
        "text, text, text",
        Gives::Text,
        translate,
        "Characters of the second text become those at their places in the third, or go away.",
        "translate('12345', '143', 'ax') --> a2x5",
    ),
    Row::new("reverse", "text", Gives::Text, reverse, "The characters backwards.", "reverse('abc') --> cba"),
    Row::new("lower", "text", Gives::Text, lower, "Small letters.", "lower('ABC') --> abc").also(&["lcase"]),
    Row::new("upper", "text", Gives::Text, upper, "Capital letters.", "upper('abc') --> ABC").also(&["ucase"]),
    Row::new(
        "lpad",
        "text, int, text?",
        Gives::Text,
        lpad,
        "Fills or cuts to so many characters, from the left.",
        "lpad('7', 3, '0') --> 007",
    ),
    Row::new(
        "rpad",
        "text, int, text?",
        Gives::Text,
        rpad,
        "Fills or cuts to so many characters, at the right.",
        "rpad('abc', 5, '-') --> abc--",
    ),
    Row::new(
        "btrim",
        "text, text?",
        Gives::Text,
        btrim,
        "Without these characters (spaces) at both ends.",
        "trim('  a ') --> a",
    )
    .also(&["trim"]),
    Row::new(
        "ltrim",
        "text, text?",
        Gives::Text,
        ltrim,
        "Without these characters (spaces) at the beginning.",
        "ltrim('xxa', 'x') --> a",
    ),
    Row::new(
        "rtrim",
        "text, text?",
        Gives::Text,
        rtrim,
        "Without these characters (spaces) at the end.",
        "rtrim('axx', 'x') --> a",
    ),
    Row::new(
        "ascii",
        "text",
        Gives::By(int32),
        ascii,
        "The code point of the first character; 0 of none.",
        "ascii('é') --> 233",
    ),
    Row::new(
        "unicode",
        "text",
        Gives::By(int32),
        unicode,
        "The code point of the first character; -1 of none.",
        "unicode('a') --> 97",
    )
    .also(&["ord"]),
    Row::new("chr", "int", Gives::Text, chr, "The character of a code point.", "chr(233) --> é"),
    Row::new(
        "concat",
        "list, like.. | any, any..",
        Gives::By(joined),
        concat,
        "The texts of all values, nulls left out; of lists one list.",
        "concat('a', NULL, 1) --> a1",
    ),
    Row::new(
        "bar",
        "float, float, float, float?",
        Gives::Text,
        bar,
        "A bar of a width that shows where a value lies between two.",
        "bar(5, 0, 10, 10) --> █████     ",
    ),
    Row::new(
        "strip_accents",
        "text",
        Gives::Text,
        strip_accents,
        "Latin letters without their accents.",
        "strip_accents('mühleisen') --> muhleisen",
    ),
];

fn int32(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::Int32)
}

fn test(args: &Args, f: impl Fn(&str, &str) -> bool) -> Result<ArrayRef> {
    let (a, b) = (args.text(0)?, args.text(1)?);
    bools(args, |row| Ok(Some(f(some!(a.get(row)), some!(b.get(row))))))
}

fn contains(args: &Args) -> Result<ArrayRef> {
    if element(args.type_of(0)).is_some() {
        return super::super::lists::basic::contains(args);
    }
    test(args, |a, b| a.contains(b))
}

fn starts_with(args: &Args) -> Result<ArrayRef> {
    test(args, |a, b| a.starts_with(b))
}

fn ends_with(args: &Args) -> Result<ArrayRef> {
    test(args, |a, b| a.ends_with(b))
}

fn strpos(args: &Args) -> Result<ArrayRef> {
    let (a, b) = (args.text(0)?, args.text(1)?);
    ints(args, |row| {
        let (text, wanted) = (some!(a.get(row)), some!(b.get(row)));
        let before = text.find(wanted).and_then(|at| text.get(..at));
        Ok(Some(before.map_or(0, |b| b.chars().count() as i64 + 1)))
    })
}

fn replace(args: &Args) -> Result<ArrayRef> {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    texts(args, |row| {
        let (text, from, to) = (some!(text.get(row)), some!(from.get(row)), some!(to.get(row)));
        Ok(Some(if from.is_empty() { text.to_string() } else { text.replace(from, to) }))
    })
}

fn translate(args: &Args) -> Result<ArrayRef> {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    texts(args, |row| {
        let (text, from, to) = (some!(text.get(row)), some!(from.get(row)), some!(to.get(row)));
        let become_ = |c: char| match from.chars().position(|f| f == c) {
            Some(at) => to.chars().nth(at),
            None => Some(c),
        };
        Ok(Some(text.chars().filter_map(become_).collect::<String>()))
    })
}

fn map(args: &Args, f: impl Fn(&str) -> String) -> Result<ArrayRef> {
    let text = args.text(0)?;
    texts(args, |row| Ok(Some(f(some!(text.get(row))))))
}

fn reverse(args: &Args) -> Result<ArrayRef> {
    map(args, |s| s.chars().rev().collect())
}

fn lower(args: &Args) -> Result<ArrayRef> {
    map(args, |s| s.chars().map(|c| single(c, c.to_lowercase())).collect())
}

fn upper(args: &Args) -> Result<ArrayRef> {
    map(args, |s| s.chars().map(|c| single(c, c.to_uppercase())).collect())
}

/// The other case of a character, where that is one character (`ß` stays).
fn single(c: char, mut cased: impl Iterator<Item = char>) -> char {
    match (cased.next(), cased.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn pad(args: &Args, left: bool) -> Result<ArrayRef> {
    let (text, width, filler) = (args.text(0)?, args.int(1)?, args.text_or(2, " ")?);
    texts(args, |row| {
        let (text, filler) = (some!(text.get(row)), some!(filler.get(row)));
        let width = usize::try_from(some!(width.get(row))).unwrap_or(0);
        let have = text.chars().count();
        if have >= width {
            return Ok(Some(text.chars().take(width).collect::<String>()));
        }
        if filler.is_empty() {
            return exec_err!("{} has nothing to fill with", args.name());
        }
        super::slices::check_size(args.name(), filler.len().max(1), width - have)?;
        let fill: String = filler.chars().cycle().take(width - have).collect();
        Ok(Some(if left { fill + text } else { format!("{text}{fill}") }))
    })
}

fn lpad(args: &Args) -> Result<ArrayRef> {
    pad(args, true)
}

fn rpad(args: &Args) -> Result<ArrayRef> {
    pad(args, false)
}

fn trim(args: &Args, f: impl for<'a> Fn(&'a str, &[char]) -> &'a str) -> Result<ArrayRef> {
    let (text, set) = (args.text(0)?, args.text_or(1, " ")?);
    texts(args, |row| {
        let set: Vec<char> = some!(set.get(row)).chars().collect();
        Ok(Some(f(some!(text.get(row)), &set)))
    })
}

fn btrim(args: &Args) -> Result<ArrayRef> {
    trim(args, |s, set| s.trim_matches(set))
}

fn ltrim(args: &Args) -> Result<ArrayRef> {
    trim(args, |s, set| s.trim_start_matches(set))
}

fn rtrim(args: &Args) -> Result<ArrayRef> {
    trim(args, |s, set| s.trim_end_matches(set))
}

fn code(args: &Args, none: i32) -> Result<ArrayRef> {
    let text = args.text(0)?;
    super::super::args::primitives::<arrow::datatypes::Int32Type>(args, |row| {
        let first = some!(text.get(row)).chars().next();
        Ok(Some(first.and_then(|c| i32::try_from(u32::from(c)).ok()).unwrap_or(none)))
    })
}

fn ascii(args: &Args) -> Result<ArrayRef> {
    code(args, 0)
}

fn unicode(args: &Args) -> Result<ArrayRef> {
    code(args, -1)
}

fn chr(args: &Args) -> Result<ArrayRef> {
    let code = args.int(0)?;
    texts(args, |row| {
        let code = some!(code.get(row));
        match u32::try_from(code).ok().and_then(char::from_u32) {
            Some(c) => Ok(Some(c.to_string())),
            None => exec_err!("no character has the code point {code}"),
        }
    })
}

fn joined(types: &[DataType]) -> Result<DataType> {
    Ok(types.first().filter(|t| element(t).is_some()).cloned().unwrap_or(DataType::Utf8View))
}

fn concat(args: &Args) -> Result<ArrayRef> {
    if element(args.gives).is_some() {
        return super::super::lists::basic::concat_lists(args);
    }
    let columns = (0..args.len()).map(|at| super::super::cast::texts_of(args, at)).collect::<Result<Vec<_>>>()?;
    texts(args, |row| Ok(Some(columns.iter().filter_map(|c| c.get(row)).collect::<String>())))
}

fn bar(args: &Args) -> Result<ArrayRef> {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let (x, low, high) = (args.float(0)?, args.float(1)?, args.float(2)?);
    let width = if args.has(3) { Some(args.float(3)?) } else { None };
    texts(args, |row| {
        let (x, low, high) = (some!(x.get(row)), some!(low.get(row)), some!(high.get(row)));
        let width = match &width {
            Some(w) => some!(w.get(row)),
            None => 80.0,
        };
        if !(1.0..=1000.0).contains(&width) || low.is_nan() || low >= high {
            return exec_err!("bar wants a width of 1 to 1000 and a smallest value below the largest");
        }
        let filled = ((x - low) / (high - low)).clamp(0.0, 1.0) * width;
        let eighths = (filled * 8.0).round() as usize;
        let mut made = "█".repeat(eighths / 8);
        made.push_str(EIGHTHS.get(eighths % 8).copied().unwrap_or_default());
        let used = made.chars().count();
        made.extend(std::iter::repeat_n(' ', (width as usize).saturating_sub(used)));
        Ok(Some(made))
    })
}

/// Letters of Latin-1 and Latin Extended-A, by the letter below the accent.
const ACCENTS: [(char, &str); 44] = [
    ('A', "ÀÁÂÃÄÅĀĂĄǍ"),
    ('a', "àáâãäåāăąǎ"),
    ('C', "ÇĆĈĊČ"),
    ('c', "çćĉċč"),
    ('D', "Ď"),
    ('d', "ď"),
    ('E', "ÈÉÊËĒĔĖĘĚ"),
    ('e', "èéêëēĕėęě"),
    ('G', "ĜĞĠĢ"),
    ('g', "ĝğġģ"),
    ('H', "Ĥ"),
    ('h', "ĥ"),
    ('I', "ÌÍÎÏĨĪĬĮİǏ"),
    ('i', "ìíîïĩīĭįǐ"),
    ('J', "Ĵ"),
    ('j', "ĵ"),
    ('K', "Ķ"),
    ('k', "ķ"),
    ('L', "ĹĻĽ"),
    ('l', "ĺļľ"),
    ('N', "ÑŃŅŇ"),
    ('n', "ñńņň"),
    ('O', "ÒÓÔÕÖŌŎŐǑ"),
    ('o', "òóôõöōŏőǒ"),
    ('R', "ŔŖŘ"),
    ('r', "ŕŗř"),
    ('S', "ŚŜŞŠȘ"),
    ('s', "śŝşšș"),
    ('T', "ŢŤȚ"),
    ('t', "ţťț"),
    ('U', "ÙÚÛÜŨŪŬŮŰŲǓ"),
    ('u', "ùúûüũūŭůűųǔ"),
    ('W', "Ŵ"),
    ('w', "ŵ"),
    ('Y', "ÝŶŸ"),
    ('y', "ýÿŷ"),
    ('Z', "ŹŻŽ"),
    ('z', "źżž"),
    ('B', "Ḃ"),
    ('b', "ḃ"),
    ('F', "Ḟ"),
    ('f', "ḟ"),
    ('M', "Ṁ"),
    ('m', "ṁ"),
];

fn strip_accents(args: &Args) -> Result<ArrayRef> {
    let plain = |c: char| match c.is_ascii() {
        true => c,
        false => ACCENTS.iter().find(|(_, set)| set.contains(c)).map_or(c, |(letter, _)| *letter),
    };
    // Accents that stand apart from their letter.
    let apart = |c: &char| !('\u{300}'..='\u{36f}').contains(c);
    map(args, |s| s.chars().filter(apart).map(plain).collect())
}
