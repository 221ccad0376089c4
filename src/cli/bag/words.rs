//! The words of `partita bag`: options, inputs, and verbs with their arguments.
//!
//! ```text
//! partita --memory 1GiB bag --text 'logs/*.gz' - jq -r '.a' then take 5 --stats
//!         option            option inputs        verb           verb   option
//! ```
//!
//! Options of the command may stand anywhere; an input that is called as a verb is `./count`.

use super::super::args::WITH_VALUE;
use super::verbs::{self, Verb};
use partita::{Error, ErrorKind, Result};
use std::ffi::OsString;

/// What was asked for.
#[derive(Debug, Default)]
pub struct Words {
    /// Options of the command, for its own parser.
    pub options: Vec<OsString>,
    /// Files, globs, `-`.
    pub inputs: Vec<String>,
    /// Lines are texts.
    pub text: bool,
    /// Where in documents the records are.
    pub records: Option<String>,
    /// Bad items are left out.
    pub skip: bool,
    /// Somebody asked for help.
    pub help: bool,
    /// The verbs, in order.
    pub verbs: Vec<Verb>,
}

pub fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// Whether the first word that is no option is `bag`; then its place.
pub fn place(arguments: &[OsString]) -> Option<usize> {
    let mut at = 1;
    while let Some(word) = arguments.get(at) {
        if word == "bag" {
            return Some(at);
        }
        let is_option = word.to_str().is_some_and(|w| w.starts_with('-') && w.len() > 1);
        if !is_option {
            return None;
        }
        at += 1 + usize::from(WITH_VALUE.iter().any(|option| word == *option));
    }
    None
}

/// Reads the words behind `bag`, which stands at `place`.
///
/// # Errors
/// `Usage`, for what is no verb or does not fit one.
pub fn read(arguments: &[OsString], place: usize) -> Result<Words> {
    let mut words = Words { options: arguments.get(1..place).unwrap_or_default().to_vec(), ..Words::default() };
    let mut rest = Vec::new();
    for word in arguments.get(place + 1..).unwrap_or_default() {
        rest.push(word.to_str().ok_or_else(|| usage(format!("{} is not UTF-8", word.to_string_lossy())))?.to_string());
    }
    let mut rest = rest.into_iter().peekable();
    while let Some(word) = rest.next_if(|word| verbs::named(word).is_none()) {
        match word.as_str() {
            "--text" => words.text = true,
            "--records" => {
                words.records = Some(rest.next().ok_or_else(|| usage("--records needs a path: data.items"))?)
            }
            _ if word.starts_with("--records=") => {
                words.records = word.split_once('=').map(|(_, path)| path.to_string())
            }
            "--on-error" => words.skip = on_error(rest.next())?,
            "--help" | "-h" => words.help = true,
            "--on-error=skip" => words.skip = true,
            "--on-error=fail" => {}
            "then" => {
                let last = words.inputs.last().cloned().unwrap_or_default();
                return Err(usage(format!("there is no verb {last:?} before then")).advise(verbs::names()));
            }
            _ if let Some(error) = verbs::belongs_to_jq(&word) => return Err(error),
            _ if word.starts_with('-') && word.len() > 1 => option(&mut words, word, &mut rest)?,
            _ => words.inputs.push(word),
        }
    }
    let mut goes_on = false;
    while let Some(name) = rest.next() {
        let Some(row) = verbs::named(&name) else {
            return Err(usage(format!("there is no verb {name:?}")).advise(verbs::names()));
        };
        let given: Vec<String> = std::iter::from_fn(|| rest.next_if(|word| word != "then")).collect();
        goes_on = rest.next().is_some();
        let given = without_options(&mut words, row, given)?;
        words.verbs.push((row.read)(verbs::Given::of(row, given)?)?);
    }
    if words.help {
        return Ok(words);
    }
    if goes_on {
        return Err(usage("there is no verb after then").advise(verbs::names()));
    }
    if words.inputs.is_empty() {
        return Err(
            usage("there is no input").advise("partita bag INPUT.. VERB [ARGS] [then VERB ..]; - is standard input")
        );
    }
    Ok(words)
}

fn on_error(value: Option<String>) -> Result<bool> {
    match value.as_deref() {
        Some("skip") => Ok(true),
        Some("fail") => Ok(false),
        other => Err(usage(format!("--on-error is fail or skip, not {}", other.unwrap_or("nothing")))),
    }
}

/// An option of the command with its value.
fn option(words: &mut Words, word: String, rest: &mut impl Iterator<Item = String>) -> Result<()> {
    let takes = WITH_VALUE.contains(&word.as_str());
    let value = if takes { Some(rest.next().ok_or_else(|| usage(format!("{word} needs a value")))?) } else { None };
    words.options.push(word.into());
    words.options.extend(value.map(OsString::from));
    Ok(())
}

/// The arguments of a verb, without the long options of the command among them.
fn without_options(words: &mut Words, row: &verbs::Row, given: Vec<String>) -> Result<Vec<String>> {
    let (mut kept, mut given) = (Vec::new(), given.into_iter());
    while let Some(word) = given.next() {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        let ours = super::super::args::is_long_option(name) && row.options.iter().all(|(option, _)| *option != name);
        if ours {
            option(words, word, &mut given)?;
        } else {
            let values = row.options.iter().find(|(option, _)| *option == word).map_or(0, |(_, values)| *values);
            kept.push(word);
            kept.extend(given.by_ref().take(values));
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Words> {
        let all: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        read(&all, place(&all).unwrap())
    }

    #[test]
    fn options_inputs_and_verbs_are_told_apart() {
        let words =
            parse("partita --memory 1GiB bag --text a.jsonl - jq -r .a then take 5 --stats then count --format=csv")
                .unwrap();
        assert_eq!(words.options, ["--memory", "1GiB", "--stats", "--format=csv"]);
        assert_eq!(
            (words.inputs, words.text, words.verbs.len()),
            (vec!["a.jsonl".to_string(), "-".to_string()], true, 3)
        );
        assert!(place(&["partita".into(), "-c".into(), "bag".into()]).is_none());
        for wrong in [
            "p bag x.jsonl nothing then count",
            "p bag count",
            "p bag x take",
            "p bag x take five",
            "p bag x count 5",
            "p bag x then count",
            "p bag x count then",
            "p bag x join y",
            "p bag x foldby .a",
            "p bag x foldby .a median",
            "p bag --on-error never x count",
            "p bag x jq --nothing .",
            "p bag x jq -s .",
            "p bag -r .a x",
            "p bag jq .a x",
            "p bag x --arg a b jq .a",
        ] {
            let error = parse(wrong).map(|words| super::super::check(&words)).and_then(|checked| checked);
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Usage, "{wrong}");
        }
    }
}
