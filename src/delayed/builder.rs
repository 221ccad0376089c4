//! Graphs by hand: keys, and a function of other keys' values for each, as Dask's dictionaries are.

use super::args::Loaded;
use super::node::{Call, Kind, Made, Node, Options};
use super::outcome::{Inferred, Outcome};
use super::{compute, show};
use crate::bag::Item;
use crate::error::{Error, Result};
use crate::frame::Session;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A graph of tasks that are named by keys, whose values have one type (an enum or [`serde_json::Value`], where they differ).
///
/// Only what is asked for runs, and what that needs; a value that several tasks need is computed once. Nothing is checked before
/// [`get`](Self::get): keys may be inserted in any order.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::prelude::*;
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// let mut graph = GraphBuilder::new();
/// graph.value("x", 1i64);
/// graph.insert("y", &["x"], |v: &[&i64]| v[0] + 1);
/// graph.insert("z", &["y", "x"], |v: &[&i64]| v[0] + v[1]);
/// graph.insert("unused", &["nowhere"], |v: &[&i64]| *v[0]);
/// assert_eq!(graph.get(&session, &["z", "y"])?, [3, 2]);
/// # Ok(())
/// # }
/// ```
pub struct GraphBuilder<V> {
    entries: HashMap<String, Entry<V>>,
}

type Function<V> = dyn Fn(&[&V]) -> Result<V> + Send + Sync;

enum Entry<V> {
    Value(Arc<V>),
    Task { needs: Vec<String>, function: Arc<Function<V>>, options: Arc<Options> },
    Alias(String),
}

impl<V> Entry<V> {
    fn needs(&self) -> &[String] {
        match self {
            Entry::Value(_) => &[],
            Entry::Task { needs, .. } => needs,
            Entry::Alias(other) => std::slice::from_ref(other),
        }
    }
}

impl<V> Default for GraphBuilder<V> {
    fn default() -> Self {
        GraphBuilder { entries: HashMap::new() }
    }
}

impl<V> fmt::Debug for GraphBuilder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a graph of {} keys", self.entries.len())
    }
}

/// How often tasks run again, and which go first; as [`DelayedFn`](super::DelayedFn) has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskOptions {
    /// How often it is run again after it failed.
    pub retries: u32,
    /// Of tasks that could start, those of the highest priority start first.
    pub priority: i32,
    /// Bytes that it needs while it runs.
    pub memory: usize,
}

impl<V: Item + Sync + Clone> GraphBuilder<V> {
    /// An empty graph.
    ///
    /// ```
    /// use partita::prelude::*;
    ///
    /// let mut graph = GraphBuilder::new();
    /// assert!(graph.is_empty());
    /// assert_eq!(graph.value("x", 1i64).len(), 1);
    /// assert!(graph.insert("y", &["x"], |v: &[&i64]| v[0] + 1).dot(&["y"]).unwrap().contains("g0 -> t0;"));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a key a value. An earlier entry of the key is replaced.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut graph = GraphBuilder::new();
    /// graph.value("x", "a".to_string());
    /// assert_eq!(graph.get(&session, &["x"])?, ["a"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn value(&mut self, key: impl Into<String>, value: V) -> &mut Self {
        self.entries.insert(key.into(), Entry::Value(Arc::new(value)));
        self
    }

    /// Gives a key a task: a function of the values of other keys, in their order, that returns a value, or a `Result` of one.
    /// An earlier entry of the key is replaced.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut graph = GraphBuilder::new();
    /// graph.insert("text", &[], |_: &[&String]| "12x".to_string());
    /// graph.insert("number", &["text"], |v: &[&String]| v[0].parse::<i64>().map(|n| n.to_string()));
    /// let error = graph.get(&session, &["number"]).unwrap_err();
    /// assert_eq!(error.message(), "the task number: invalid digit found in string");
    /// # Ok(())
    /// # }
    /// ```
    pub fn insert<K, F, O, Meaning>(&mut self, key: K, needs: &[&str], function: F) -> &mut Self
    where
        K: Into<String>,
        F: Fn(&[&V]) -> O + Send + Sync + 'static,
        O: Outcome<Inferred, Meaning, Value = V>,
    {
        self.insert_with(key, needs, TaskOptions::default(), function)
    }

    /// The same with options.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::delayed::TaskOptions;
    /// use partita::prelude::*;
    /// use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let (mut graph, runs) = (GraphBuilder::new(), AtomicI64::new(0));
    /// let often = TaskOptions { retries: 2, ..TaskOptions::default() };
    /// graph.insert_with("x", &[], often, move |_: &[&i64]| match runs.fetch_add(1, Relaxed) {
    ///     2 => Ok(2),
    ///     _ => Err(std::io::Error::other("busy")),
    /// });
    /// assert_eq!(graph.get(&session, &["x"])?, [2]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn insert_with<K, F, O, Meaning>(
        &mut self,
        key: K,
        needs: &[&str],
        options: TaskOptions,
        function: F,
    ) -> &mut Self
    where
        K: Into<String>,
        F: Fn(&[&V]) -> O + Send + Sync + 'static,
        O: Outcome<Inferred, Meaning, Value = V>,
    {
        let (key, TaskOptions { retries, priority, memory }) = (key.into(), options);
        let options = Arc::new(Options { name: key.as_str().into(), retries, priority, memory });
        let needs = needs.iter().map(|need| need.to_string()).collect();
        let function = Arc::new(move |values: &[&V]| function(values).settle());
        self.entries.insert(key, Entry::Task { needs, function, options });
        self
    }

    /// Gives the value of a key a second name.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut graph = GraphBuilder::new();
    /// graph.value("x", 1i64).alias("first", "x");
    /// assert_eq!(graph.get(&session, &["first"])?, [1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn alias(&mut self, key: impl Into<String>, of: impl Into<String>) -> &mut Self {
        self.entries.insert(key.into(), Entry::Alias(of.into()));
        self
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The values of keys, in their order: runs what they need, each once.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let mut graph = GraphBuilder::new();
    /// graph.insert("a", &["b"], |v: &[&i64]| *v[0]);
    /// graph.insert("b", &["c"], |v: &[&i64]| *v[0]);
    /// graph.insert("c", &["b"], |v: &[&i64]| *v[0]);
    /// let error = graph.get(&session, &["a"]).unwrap_err();
    /// assert_eq!(error.message(), "the graph has a cycle: b -> c -> b");
    /// let error = graph.get(&session, &["z"]).unwrap_err();
    /// assert_eq!(error.message(), "the graph has no key z");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Query`, for keys that are not there and for cycles among what is needed, before anything runs; else as
    /// [`Delayed::compute`](super::Delayed::compute).
    pub fn get(&self, session: &Session, keys: &[&str]) -> Result<Vec<V>> {
        let running = compute::run(session, &self.nodes(keys)?)?;
        let values = running.answers()?.rest::<V>()?;
        Ok(values.into_iter().map(Loaded::take).collect())
    }

    /// What [`get`](Self::get) would run, as text.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let mut graph = GraphBuilder::new();
    /// graph.value("x", 1i64).insert("y", &["x"], |v: &[&i64]| v[0] + 1).insert("z", &["y", "y"], |v: &[&i64]| v[0] * v[1]);
    /// assert_eq!(graph.visualize(&["z"])?, "#0  y  after x\n#1  z  after #0, #0\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get), for keys and cycles.
    pub fn visualize(&self, keys: &[&str]) -> Result<String> {
        Ok(show::text(&self.nodes(keys)?))
    }

    /// The same in Graphviz's language.
    ///
    /// # Errors
    /// As [`get`](Self::get), for keys and cycles.
    pub fn dot(&self, keys: &[&str]) -> Result<String> {
        Ok(show::dot(&self.nodes(keys)?))
    }

    /// The nodes of keys, and of what they need.
    fn nodes(&self, keys: &[&str]) -> Result<Vec<Arc<Node>>> {
        let mut made = HashMap::new();
        keys.iter().map(|key| self.node(key, &mut made)).collect()
    }

    /// A stack of its own: chains may be long.
    fn node<'a>(&'a self, root: &'a str, made: &mut HashMap<&'a str, Arc<Node>>) -> Result<Arc<Node>> {
        // Keys that are begun, in the order in which each needs the next, and how many needs of each are made.
        let mut stack: Vec<(&str, usize)> = Vec::new();
        let mut begun: HashMap<&str, usize> = HashMap::new();
        let mut enter = Some(root);
        loop {
            if let Some(key) = enter.take().filter(|key| !made.contains_key(key)) {
                if let Some(at) = begun.get(key) {
                    let cycle: Vec<&str> = stack.iter().skip(*at).map(|(key, _)| *key).chain([key]).collect();
                    return Err(Error::query(format!("the graph has a cycle: {}", shortened(&cycle))));
                }
                if !self.entries.contains_key(key) {
                    return Err(missing(key, stack.last().map(|(key, _)| *key)));
                }
                begun.insert(key, stack.len());
                stack.push((key, 0));
            }
            let Some((key, next)) = stack.last_mut() else { break };
            let Some(entry) = self.entries.get(*key) else { return Err(missing(key, None)) };
            match entry.needs().get(*next) {
                Some(need) => {
                    *next += 1;
                    enter = Some(need);
                }
                None => {
                    let node = make(key, entry, made)?;
                    begun.remove(key);
                    made.insert(key, node);
                    stack.pop();
                }
            }
        }
        made.get(root).cloned().ok_or_else(|| missing(root, None))
    }
}

/// A cycle as it is shown: all of a short one, both ends of a long one.
fn shortened(cycle: &[&str]) -> String {
    const ENDS: usize = 8;
    match cycle {
        [first @ .., _] if first.len() <= 2 * ENDS => cycle.join(" -> "),
        _ => {
            let (first, last) = (cycle.get(..ENDS), cycle.get(cycle.len().saturating_sub(ENDS)..));
            let more = cycle.len().saturating_sub(2 * ENDS);
            let (first, last) = (first.unwrap_or_default().join(" -> "), last.unwrap_or_default().join(" -> "));
            format!("{first} -> ({more} more) -> {last}")
        }
    }
}

fn missing(key: &str, by: Option<&str>) -> Error {
    match by {
        Some(by) => Error::query(format!("the graph has no key {key}, which {by} needs")),
        None => Error::query(format!("the graph has no key {key}")),
    }
}

/// The node of an entry whose needs are made.
fn make<V: Item + Sync + Clone>(key: &str, entry: &Entry<V>, made: &HashMap<&str, Arc<Node>>) -> Result<Arc<Node>> {
    let of = |need: &String| made.get(need.as_str()).cloned().ok_or_else(|| missing(need, Some(key)));
    match entry {
        Entry::Value(value) => Ok(Node::given(key, Kind::Value(value.clone()))),
        Entry::Alias(other) => of(other),
        Entry::Task { needs, function, options } => {
            let function = function.clone();
            let call: Box<Call> = Box::new(move |mut results| {
                let loaded = results.rest::<V>()?;
                let values: Vec<&V> = loaded.iter().map(Loaded::get).collect();
                let value = function(&values)?;
                let bytes = super::coding::measure(&value);
                Ok(Made { value: Arc::new(value), bytes })
            });
            let kind = Kind::Call { call, coding: Some(super::coding::coding_of::<V>()) };
            let inputs = needs.iter().map(of).collect::<Result<_>>()?;
            Ok(Arc::new(Node { kind, options: options.clone(), inputs }))
        }
    }
}
