//! From verbs to bags: each verb is a step on what the verbs before it put out.

use super::super::types::word;
use super::arriving;
use super::order::{self, InOrder};
use super::verbs::{Constant, Fold, Joining, Verb};
use super::words::{Words, usage};
use partita::bag::{BadItems, Jq, JqColumns, JqRows, Json};
use partita::formats::format_by_ending;
use partita::io::Compression;
use partita::prelude::*;
use partita::units::ByteSize;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What the last verb puts out.
pub enum Out {
    Items(Bag<Json>),
    Rows(Box<Frame>),
    /// It wrote files.
    Files,
}

/// The part of the budget that the items of one key may be.
const GROUP: usize = 32;

/// Keys in order, at any depth.
const SORTED: &str = "walk(if type == \"object\" then to_entries | sort_by(.key) | from_entries else . end)";

/// A program, for which `$ENV` is the environment.
fn with_environment(program: &str) -> Jq {
    let jq = Jq::new(program);
    if !program.contains("$ENV") {
        return jq;
    }
    let known =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let known: BTreeMap<String, String> = known.collect();
    jq.constant("ENV", serde_json::json!(known).to_string())
}

/// The program of a verb that is one.
fn program(verb: &Verb) -> Result<Option<Jq>> {
    Ok(match verb {
        Verb::Jq { program, constants, style } => {
            let with = |text: &str| {
                constants.iter().fold(with_environment(text), |jq, (name, value)| match value {
                    Constant::Text(text) => jq.text(name.as_str(), text),
                    Constant::Json(json) => jq.constant(name.as_str(), json.as_str()),
                })
            };
            let plain = with(program);
            if !style.sorted {
                return Ok(Some(plain));
            }
            // Its own errors, with a caret in what was typed.
            plain.check()?;
            Some(with(&format!("({program}\n) | {SORTED}")))
        }
        Verb::Filter(condition) => {
            with_environment(condition).check()?;
            Some(with_environment(&format!("select({condition}\n)")))
        }
        Verb::Pluck { path, default: None } => Some(with_environment(path)),
        Verb::Pluck { path, default: Some(json) } => {
            with_environment(path).check()?;
            let text = format!("[{path}\n][0] | if . == null then $default else . end");
            Some(with_environment(&text).constant("default", json.as_str()))
        }
        Verb::Flatten => Some(Jq::new(".[]")),
        _ => None,
    })
}

/// Items on their way into a verb.
enum From<'a> {
    /// The inputs: the program of the first verb runs where their records are read.
    Inputs(&'a Words),
    /// What the verb before puts out.
    Made(Bag<Json>),
}

struct Items<'a> {
    session: &'a Session,
    from: From<'a>,
    /// Whether bad items are left out, and who counts them.
    bad: Option<&'a BadItems>,
}

impl Items<'_> {
    /// Each of them through a program.
    fn through(&self, program: impl Into<Jq>) -> Result<Bag<Json>> {
        Ok(judged(self.lists(program)?.flatten(), self.bad))
    }

    /// All that a program makes of each of them.
    fn lists(&self, program: impl Into<Jq>) -> Result<Bag<Vec<Json>>> {
        let program = program.into();
        let made = match &self.from {
            From::Inputs(words) => inputs(self.session, words, &program)?,
            From::Made(items) => items.jq_lists(program)?,
        };
        Ok(judged(made, self.bad))
    }

    /// A row of each of them.
    fn rows(&self, columns: &JqColumns) -> Result<Bag<JqRows>> {
        let made = match &self.from {
            From::Inputs(words) => inputs(self.session, words, columns)?,
            From::Made(items) => items.jq_rows(columns)?,
        };
        Ok(judged(made, self.bad))
    }

    /// The items as they are.
    fn all(&self) -> Result<Bag<Json>> {
        match &self.from {
            From::Inputs(_) => self.through("."),
            From::Made(items) => Ok(items.clone()),
        }
    }

    /// Each item with the first value under a path of it.
    fn keyed(&self, path: &str) -> Result<Bag<(Json, Json)>> {
        keyed(path, |program| self.lists(program)).map(|pairs| judged(pairs, self.bad))
    }
}

/// The items, where bad ones become what was asked for.
fn judged<T: Send + 'static>(items: Bag<T>, bad: Option<&BadItems>) -> Bag<T> {
    bad.map_or(items.clone(), |bad| items.on_error(bad))
}

/// Items with the first value under a path, made of the lists that a program makes of them.
fn keyed(path: &str, lists: impl FnOnce(Jq) -> Result<Bag<Vec<Json>>>) -> Result<Bag<(Json, Json)>> {
    // Its own errors, with a caret in what was typed.
    Jq::new(path).check()?;
    let pairs = lists(Jq::new(format!("[{path}\n][0], .")))?;
    Ok(pairs.try_map(|mut made| match (made.pop(), made.pop()) {
        (Some(item), Some(key)) => Ok((key, item)),
        _ => Err(Error::internal("an item without a key")),
    }))
}

/// What is made of items where they are read.
trait Making {
    type Made: Send + 'static;
    /// Of the records of files of JSON.
    fn of_files(&self, session: &Session, path: &str, options: &TextOptions) -> Result<Bag<Self::Made>>;
    /// Of other items.
    fn of_items<T: Serialize + Send + 'static>(&self, items: &Bag<T>) -> Result<Bag<Self::Made>>;
}

/// All that a program puts out.
impl Making for Jq {
    type Made = Vec<Json>;

    fn of_files(&self, session: &Session, path: &str, options: &TextOptions) -> Result<Bag<Vec<Json>>> {
        session.read_jq_lists(path, self.clone(), options)
    }

    fn of_items<T: Serialize + Send + 'static>(&self, items: &Bag<T>) -> Result<Bag<Vec<Json>>> {
        items.jq_lists(self.clone())
    }
}

/// A row.
impl Making for JqColumns {
    type Made = JqRows;

    fn of_files(&self, session: &Session, path: &str, options: &TextOptions) -> Result<Bag<JqRows>> {
        session.read_jq_rows(path, self, options)
    }

    fn of_items<T: Serialize + Send + 'static>(&self, items: &Bag<T>) -> Result<Bag<JqRows>> {
        items.jq_rows(self)
    }
}

/// What is made of each item of all inputs.
fn inputs<M: Making>(session: &Session, words: &Words, making: &M) -> Result<Bag<M::Made>> {
    let options = TextOptions { records: words.records.clone(), ..TextOptions::default() };
    let mut all: Option<Bag<M::Made>> = None;
    for input in &words.inputs {
        let bag = match (input.as_str(), words.text) {
            ("-", false) => making.of_items(&arriving::json(session, words.records.as_deref()))?,
            ("-", true) => making.of_items(&arriving::text(session))?,
            (path, false) => items_of(session, path, making, &options)?,
            (path, true) => making.of_items(&session.read_text(path)?)?,
        };
        all = Some(all.map_or(bag.clone(), |all| all.concat(&bag)));
    }
    all.ok_or_else(|| usage("there is no input"))
}

/// What is made of the items of files: records of JSON, or the rows of files that their names say are something else.
fn items_of<M: Making>(session: &Session, path: &str, making: &M, options: &TextOptions) -> Result<Bag<M::Made>> {
    match format_by_ending(path).map(|format| format.name()) {
        Some("avro") => making.of_items(&Bag::<Json>::read_avro(session, path)?),
        Some("csv") => making.of_items(&session.read_csv(path)?.to_bag::<Json>()),
        Some("parquet") => making.of_items(&session.read_parquet(path)?.to_bag::<Json>()),
        _ => making.of_files(session, path, options),
    }
}

/// Writes the items into files, as the ending of their names says; lines of JSON, if it says nothing else.
fn write(items: &Bag<Json>, pattern: &str) -> Result<()> {
    match format_by_ending(pattern).map(|format| format.name()) {
        Some("avro") => items.to_avro(pattern).map(drop),
        Some("json") if plain_ending(pattern) == "json" => items.to_json_arrays(pattern).map(drop),
        Some("csv" | "parquet" | "arrow") if !pattern.contains('*') => items.to_frame()?.write().to(pattern).map(drop),
        Some(name @ ("csv" | "parquet" | "arrow")) => {
            Err(usage(format!("to writes one file of {name}: the name has no star")))
        }
        _ => items.to_json_lines(pattern).map(drop),
    }
}

/// The ending of a name without that of its compression.
fn plain_ending(name: &str) -> String {
    let (_, plain) = Compression::of_name(name);
    plain.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

/// One text for equal values: the keys of objects in order.
fn canonical(json: Json) -> String {
    let text = |parts: Vec<String>, open: char, close: char| format!("{open}{}{close}", parts.join(","));
    let made = match json.as_str().as_bytes().first() {
        Some(b'{') => json.decode::<BTreeMap<String, Json>>().map(|fields| {
            let field = |(key, value): (String, Json)| format!("{}:{}", serde_json::json!(key), canonical(value));
            text(fields.into_iter().map(field).collect(), '{', '}')
        }),
        Some(b'[') => {
            json.decode::<Vec<Json>>().map(|items| text(items.into_iter().map(canonical).collect(), '[', ']'))
        }
        _ => return json.into(),
    };
    made.unwrap_or_else(|_| json.into())
}

fn item(text: String) -> Result<Json> {
    text.parse()
}

/// The items of the inputs through every verb, one after the other; `bad` says what becomes of bad items.
pub fn all(session: &Session, words: &Words, bad: Option<&BadItems>) -> Result<Out> {
    let mut items = Items { session, from: From::Inputs(words), bad };
    for (at, verb) in words.verbs.iter().enumerate() {
        let is_last = at + 1 == words.verbs.len();
        items.from = From::Made(match one(session, &items, verb)? {
            Out::Items(made) => judged(made, bad),
            Out::Rows(rows) if !is_last => rows.to_bag::<Json>(),
            Out::Files if !is_last => return Err(usage("to writes into files: no verb can follow it")),
            last => return Ok(last),
        });
    }
    Ok(Out::Items(items.all()?))
}

fn one(session: &Session, items: &Items<'_>, verb: &Verb) -> Result<Out> {
    if let Some(jq) = program(verb)? {
        return Ok(Out::Items(items.through(jq)?));
    }
    let from = |made: Vec<Json>| Out::Items(Bag::from_iter(session, made, 1));
    Ok(match verb {
        Verb::Frequencies(path) => {
            let counts = items.through(path.as_str())?.map(canonical).frequencies();
            Out::Items(counts.try_map(|(v, n)| item(format!("{{\"item\":{v},\"count\":{n}}}"))))
        }
        Verb::TopK { k, path } => {
            let best = items.keyed(path)?.topk_by(*k, |(key, _)| order::bytes(key))?;
            from(best.into_iter().map(|(_, item)| item).collect())
        }
        Verb::Distinct(path) => {
            Out::Items(items.keyed(path)?.distinct_by(|(key, _)| canonical(key.clone())).map(|(_, item)| item))
        }
        Verb::FoldBy { key, folds } => folded(session, items, key, folds)?,
        Verb::GroupBy(key) => grouped(&items.keyed(key)?, session.stats().budget / GROUP),
        Verb::Join { file, on, kind } => joined(
            &items.keyed(on)?,
            &keyed(on, |program| items_of(session, file, &program, &TextOptions::default()))?,
            *kind,
        ),
        Verb::Sort { path, reverse: false } => {
            Out::Items(items.keyed(path)?.sorted_by(|(key, _)| InOrder(key.clone())).map(|(_, item)| item))
        }
        Verb::Sort { path, reverse: true } => {
            Out::Items(items.keyed(path)?.sorted_by(|(key, _)| Reverse(InOrder(key.clone()))).map(|(_, item)| item))
        }
        Verb::Take(n) => from(items.all()?.take(*n)?),
        Verb::Sample { n, seed } => from(items.all()?.sample(*n, *seed)?),
        Verb::Count => from(vec![item(items.through("null")?.count()?.to_string())?]),
        Verb::Stats => {
            session.register("items", &items.all()?.to_frame()?)?;
            Out::Rows(Box::new(session.sql("SUMMARIZE items")?))
        }
        Verb::Schema => {
            let schema = items.all()?.to_frame()?.schema()?;
            let fields = schema.fields().iter().map(|field| {
                let (name, kind) = (serde_json::json!(field.name()), word(field.data_type()));
                item(format!("{{\"name\":{name},\"type\":{}}}", serde_json::json!(kind)))
            });
            from(fields.collect::<Result<_>>()?)
        }
        Verb::To(pattern) => {
            write(&items.all()?, pattern)?;
            Out::Files
        }
        Verb::Jq { .. } | Verb::Filter(_) | Verb::Pluck { .. } | Verb::Flatten => {
            return Err(Error::internal("a program that is none"));
        }
    })
}

/// Folds by key are SQL's aggregates over the rows of keys and values: any number of keys, and quantiles, within the budget.
fn folded(session: &Session, items: &Items<'_>, key: &str, folds: &[Fold]) -> Result<Out> {
    let mut columns = JqColumns::new().column("key", key)?;
    // What is folded twice is one column.
    let mut paths: Vec<&str> = folds.iter().filter(|fold| fold.sql != "count(*)").map(|fold| &*fold.path).collect();
    paths.sort_unstable();
    paths.dedup();
    let column = |path: &str| format!("v{}", paths.partition_point(|other| *other < path));
    for path in &paths {
        columns = columns.column(column(path), *path)?;
    }
    let values = items.rows(&columns)?.to_frame()?;
    let schema = values.schema()?;
    if schema.fields().is_empty() {
        return Ok(Out::Items(Bag::from_iter(session, [], 0)));
    }
    let wanted = folds.iter().map(|fold| {
        let column = column(&fold.path);
        let sql = fold.sql.replace("{}", &column);
        let whole = schema.field_with_name(&column).is_ok_and(|field| field.data_type().is_integer());
        // The sum of integers is a wide number, which JSON has as a text; where it does not fit, it is an error.
        let sql = if whole && sql.starts_with("sum(") { format!("CAST({sql} AS BIGINT)") } else { sql };
        format!("{sql} AS \"{}\"", fold.name)
    });
    let wanted: Vec<String> = std::iter::once("\"key\"".to_string()).chain(wanted).collect();
    session.register("folded", &values)?;
    let rows = session.sql(&format!("SELECT {} FROM folded GROUP BY \"key\"", wanted.join(", ")))?;
    Ok(Out::Rows(Box::new(rows)))
}

fn grouped(keyed: &Bag<(Json, Json)>, most: usize) -> Out {
    let groups = keyed.groupby(|(key, _)| canonical(key.clone())).map(move |key, items| {
        let mut text = format!("{{\"key\":{key},\"items\":[");
        for (at, (_, item)) in items.enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(item.as_str());
            if text.len() > most {
                let message = format!("the items of the key {key} are more than {}", ByteSize(most));
                return Err(Error::resources(message).advise(
                    "fold them with foldby, take less of each item first (jq '{a, b}' then groupby .a), or raise --memory: \
                     a group takes at most a 32nd of it",
                ));
            }
        }
        text.push_str("]}");
        Ok(text)
    });
    // The text while it grows, and once more as an item.
    Out::Items(groups.try_map(|text| item(text?)).holding(3 * most))
}

fn joined(left: &Bag<(Json, Json)>, right: &Bag<(Json, Json)>, kind: Joining) -> Out {
    type Pair = (Json, Json);
    // A key that is null is nobody's.
    let known = |(key, _): &Pair| key.as_str() != "null";
    let by = |(key, _): &Pair| canonical(key.clone());
    let pair = |l: Option<Pair>, r: Option<Pair>| {
        let key = l.as_ref().or(r.as_ref()).map_or_else(|| "null".to_string(), |(key, _)| key.to_string());
        let side = |side: &Option<Pair>| side.as_ref().map_or_else(|| "null".to_string(), |(_, item)| item.to_string());
        item(format!("{{\"key\":{key},\"left\":{},\"right\":{}}}", side(&l), side(&r)))
    };
    let (known_left, known_right) = (left.filter(known), right.filter(known));
    Out::Items(match kind {
        Joining::Inner => known_left.join(&known_right, by, by).try_map(move |(l, r)| pair(Some(l), Some(r))),
        Joining::Left => known_left
            .left_join(&known_right, by, by)
            .concat(&left.remove(known).map(|l| (l, None)))
            .try_map(move |(l, r)| pair(Some(l), r)),
        Joining::Outer => known_left
            .outer_join(&known_right, by, by)
            .concat(&left.remove(known).map(|l| (Some(l), None)))
            .concat(&right.remove(known).map(|r| (None, Some(r))))
            .try_map(move |(l, r)| pair(l, r)),
        Joining::Semi => known_left.semi_join(&known_right, by, by).map(|(_, item)| item),
        Joining::Anti => known_left.anti_join(&known_right, by, by).concat(&left.remove(known)).map(|(_, item)| item),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_text() {
        let text = |json: &str| canonical(json.parse().unwrap());
        assert_eq!(text(r#"{"b":[{"z":1.10,"a":"x\n"}],"a":{}}"#), r#"{"a":{},"b":[{"a":"x\n","z":1.10}]}"#);
        assert_eq!(text("12345678901234567890123"), "12345678901234567890123");
    }
}
