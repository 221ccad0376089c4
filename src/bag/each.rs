//! Steps that look at one item, or at one partition: they wrap the chain of their input and lay no stage.

use super::faults::Faults;
use super::items::{Blocked, Chain, Items, Origin, Partition, Pulled, Pulse, Reading, item, lock};
use super::node::{Laying, Node, Pipe};
use super::{BadItems, Bag};
use crate::error::{Error, Result};
use crate::ops::Cx;
use serde_json::Value;
use std::any::Any;
use std::fmt::Display;
use std::sync::{Arc, Mutex};

/// Wraps the chain of a partition; told its number.
type Wrap<T, U> = dyn Fn(Chain<T>, usize, &Cx, &Faults) -> Chain<U> + Send + Sync;

struct Each<T, U> {
    input: Arc<dyn Node<T>>,
    name: &'static str,
    wrap: Arc<Wrap<T, U>>,
}

impl<T: 'static, U: 'static> Node<U> for Each<T, U> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<U>> {
        let pipe = self.input.lay(laying)?;
        let (input, wrap, faults) = (pipe.partitions.clone(), self.wrap.clone(), laying.faults.clone());
        let open = move |index: usize, cx: &Cx| Ok(wrap(input.open(index, cx)?, index, cx, &faults));
        Ok(pipe.with(self.name, open))
    }
}

/// One item in, one or none out.
struct Mapped<T, F> {
    input: Chain<T>,
    f: Arc<F>,
}

impl<T, U, F: Fn(T) -> Result<Option<U>> + Send + Sync> Items<U> for Mapped<T, F> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<U>> {
        loop {
            if let Some(made) = (self.f)(item!(self.input.next(pulse)))? {
                return Ok(Pulled::Item(made));
            }
        }
    }
}

/// One item in, any number out.
struct Flat<T, I: IntoIterator, F> {
    input: Chain<T>,
    open: Option<I::IntoIter>,
    f: Arc<F>,
}

impl<T, I, F> Items<I::Item> for Flat<T, I, F>
where
    I: IntoIterator,
    I::IntoIter: Send,
    F: Fn(T) -> I + Send + Sync,
{
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<I::Item>> {
        loop {
            if let Some(open) = &mut self.open {
                // What comes out of one item may have no end.
                if pulse.is_spent() {
                    return Ok(Pulled::Pause);
                }
                if let Some(made) = open.next() {
                    pulse.burn(0);
                    return Ok(Pulled::Item(made));
                }
                self.open = None;
            }
            self.open = Some((self.f)(item!(self.input.next(pulse))).into_iter());
        }
    }
}

/// A partition that a function takes as a whole.
struct Whole<T, I: IntoIterator, F> {
    /// `None` once the function has it.
    input: Option<Chain<T>>,
    open: Option<(I::IntoIter, Arc<Mutex<Reading>>)>,
    index: usize,
    f: Arc<F>,
}

impl<T, I, F> Items<I::Item> for Whole<T, I, F>
where
    T: Send,
    I: IntoIterator,
    I::IntoIter: Send,
    F: Fn(usize, Partition<T>) -> I + Send + Sync,
{
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.as_mut().map_or(Ok(None), |input| input.begin(pulse))
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<I::Item>> {
        if pulse.is_spent() {
            return Ok(Pulled::Pause);
        }
        if let Some(input) = self.input.take() {
            let (partition, state) = Partition::new(input, pulse.cx);
            let open = {
                let _follow = Follow { origin: pulse.origin, state: &state };
                (self.f)(self.index, partition).into_iter()
            };
            self.open = Some((open, state));
        }
        let Some((open, state)) = &mut self.open else { return Ok(Pulled::End) };
        pulse.burn(0);
        let made = {
            let _follow = Follow { origin: pulse.origin, state };
            open.next()
        };
        match (lock(state).error.take(), made) {
            (Some(error), _) => Err(error),
            (None, Some(made)) => Ok(Pulled::Item(made)),
            (None, None) => Ok(Pulled::End),
        }
    }
}

/// Keeps where a partition stands that a function reads, also if that panics.
struct Follow<'a> {
    origin: &'a mut Origin,
    state: &'a Mutex<Reading>,
}

impl Drop for Follow<'_> {
    fn drop(&mut self) {
        self.origin.clone_from(&lock(self.state).origin);
    }
}

/// What becomes of bad items of the steps before.
struct Judged<T> {
    input: Arc<dyn Node<T>>,
    bad: BadItems,
}

impl<T: 'static> Node<T> for Judged<T> {
    fn lay(&self, laying: &mut Laying) -> Result<Pipe<T>> {
        let outer = std::mem::replace(&mut laying.faults, Faults(Some(self.bad.clone())));
        let pipe = self.input.lay(laying);
        laying.faults = outer;
        pipe
    }
}

impl<T: Send + 'static> Bag<T> {
    pub(super) fn each<U: Send + 'static>(
        &self,
        name: &'static str,
        wrap: impl Fn(Chain<T>, usize, &Cx, &Faults) -> Chain<U> + Send + Sync + 'static,
    ) -> Bag<U> {
        self.then(Each { input: self.node.clone(), name, wrap: Arc::new(wrap) })
    }

    /// One item in, one or none out, by a function that may fail.
    pub(super) fn mapped<U: Send + 'static>(
        &self,
        name: &'static str,
        f: impl Fn(T) -> Result<Option<U>> + Send + Sync + 'static,
    ) -> Bag<U> {
        let f = Arc::new(f);
        self.each(name, move |input, _, _, _| Box::new(Mapped { input, f: f.clone() }))
    }

    /// The items of a partition made by a function of its number and all of it.
    pub(super) fn whole<I>(
        &self,
        name: &'static str,
        f: impl Fn(usize, Partition<T>) -> I + Send + Sync + 'static,
    ) -> Bag<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Send + 'static,
        I::IntoIter: Send + 'static,
    {
        let f = Arc::new(f);
        self.each(name, move |input, index, _, _| {
            Box::new(Whole { input: Some(input), open: None, index, f: f.clone() })
        })
    }

    /// Each item through a function.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..3, 2).map(|n| n * 10).collect()?, [0, 10, 20]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<U: Send + 'static>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Bag<U> {
        self.mapped("map", move |item| Ok(Some(f(item))))
    }

    /// Each item through a function that may fail. An item for which it fails is a bad item: the first ends the query, unless
    /// [`on_error`](Self::on_error) says otherwise. Of the errors of this crate only those of kind `Data` and `Query` are an
    /// item's; others end the query.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let numbers = Bag::from_iter(&session, ["1", "x"], 1).try_map(|word| word.parse::<i64>());
    /// let error = numbers.collect().unwrap_err();
    /// assert!(error.to_string().contains("invalid digit"), "{error}");
    /// assert_eq!(numbers.on_error(&BadItems::skip()).collect()?, [1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_map<U, E>(&self, f: impl Fn(T) -> Result<U, E> + Send + Sync + 'static) -> Bag<U>
    where
        U: Send + 'static,
        E: Display + 'static,
    {
        let f = Arc::new(f);
        self.each("map", move |input, index, _, faults| {
            let (f, faults) = (f.clone(), faults.clone());
            Box::new(Trying { input, faults, index, f })
        })
    }

    /// What becomes of items of the steps before this that cannot be read or made.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let path = std::env::temp_dir().join(format!("bad-{}.jsonl", std::process::id()));
    /// std::fs::write(&path, "{\"n\": 1}\n{\"n\": \n{\"n\": 3}\n").expect("a directory for temporary files");
    /// let bad = BadItems::reject();
    /// let records = session.read_json_lines::<serde_json::Value>(&path.to_string_lossy())?.on_error(&bad);
    /// assert_eq!((records.count()?, bad.count(), bad.rejects()[0].place.line), (2, 1, Some(2)));
    /// # std::fs::remove_file(&path).ok();
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_error(&self, bad: &BadItems) -> Bag<T> {
        self.then(Judged { input: self.node.clone(), bad: bad.clone() })
    }

    /// The items for which `keep` is true.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..6, 2).filter(|n| n % 2 == 0).collect()?, [0, 2, 4]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn filter(&self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Bag<T> {
        self.mapped("filter", move |item| Ok(keep(&item).then_some(item)))
    }

    /// The items for which `drop` is false.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::range(&session, 0..6, 2).remove(|n| n % 2 == 0).collect()?, [1, 3, 5]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove(&self, drop: impl Fn(&T) -> bool + Send + Sync + 'static) -> Bag<T> {
        self.mapped("remove", move |item| Ok((!drop(&item)).then_some(item)))
    }

    /// Each item through a function that makes any number of items of it. They are put out one by one, however many.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let lines = Bag::from_iter(&session, ["a b", "", "c"], 2);
    /// assert_eq!(lines.flat_map(|line| line.split_whitespace().map(str::to_string)).collect()?, ["a", "b", "c"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn flat_map<I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> Bag<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Send + 'static,
        I::IntoIter: Send + 'static,
    {
        let f = Arc::new(f);
        self.each("flat_map", move |input, _, _, _| Box::new(Flat::<T, I, _> { input, open: None, f: f.clone() }))
    }

    /// The items of all items.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// assert_eq!(Bag::from_iter(&session, [vec![1, 2], vec![], vec![3]], 2).flatten().collect()?, [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn flatten(&self) -> Bag<T::Item>
    where
        T: IntoIterator,
        T::Item: Send + 'static,
        T::IntoIter: Send + 'static,
    {
        self.flat_map(|items| items)
    }

    /// Each partition through a function that is given all of its items as an iterator and makes another of them. The
    /// function should not gather them: they are not counted against the budget.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let pairs = Bag::range(&session, 0..6, 2).map_partitions(|items| items.step_by(2));
    /// assert_eq!(pairs.collect()?, [0, 2, 3, 5]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_partitions<I>(&self, f: impl Fn(Partition<T>) -> I + Send + Sync + 'static) -> Bag<I::Item>
    where
        I: IntoIterator + 'static,
        I::Item: Send + 'static,
        I::IntoIter: Send + 'static,
    {
        self.whole("map_partitions", move |_, items| f(items))
    }
}

/// One item in, one out, unless it is bad.
struct Trying<T, F> {
    input: Chain<T>,
    faults: Faults,
    index: usize,
    f: Arc<F>,
}

impl<T, U, E: Display + 'static, F: Fn(T) -> Result<U, E> + Send + Sync> Items<U> for Trying<T, F> {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<U>> {
        loop {
            match (self.f)(item!(self.input.next(pulse))) {
                Ok(made) => return Ok(Pulled::Item(made)),
                Err(error) => {
                    let mut place = pulse.origin.place();
                    place.task = Some(format!("item {} of partition {}", pulse.origin.item, self.index));
                    self.faults.meet(of_item(error).at(place))?;
                }
            }
        }
    }
}

/// What a function says of an item. An [`Error`] stays what it is: one of memory ends the query whatever becomes of bad items.
fn of_item<E: Display + 'static>(error: E) -> Error {
    match (&error as &dyn Any).downcast_ref::<Error>() {
        Some(error) => error.clone(),
        None => Error::data(error.to_string()),
    }
}

/// What leads into a `Value`: the name of a field, or the place in a list.
pub trait Key {
    /// The value there.
    fn get<'a>(&self, of: &'a Value) -> Option<&'a Value>;
}

impl Key for &str {
    fn get<'a>(&self, of: &'a Value) -> Option<&'a Value> {
        of.get(*self)
    }
}

impl Key for usize {
    fn get<'a>(&self, of: &'a Value) -> Option<&'a Value> {
        of.get(*self)
    }
}

impl Bag<Value> {
    /// The value of a field (or of a place in a list) of each item. An item without it is a bad item.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use serde_json::json;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let records = Bag::from_iter(&session, [json!({"a": 1}), json!({"a": 2, "b": 3})], 1);
    /// assert_eq!(records.pluck("a").collect()?, [json!(1), json!(2)]);
    /// assert!(records.pluck("b").collect().is_err());
    /// assert_eq!(records.pluck_or("b", json!(0)).collect()?, [json!(0), json!(3)]);
    /// assert_eq!(records.pluck_all(["a", "b"], json!(null)).collect()?[1], [json!(2), json!(3)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pluck(&self, key: impl Key + Display + Send + Sync + 'static) -> Bag<Value> {
        self.try_map(move |item| match key.get(&item) {
            Some(value) => Ok(value.clone()),
            None => Err(format!("the item has no {key}")),
        })
    }

    /// The value of a field (or of a place in a list) of each item; `default`, where an item does not have it.
    pub fn pluck_or(&self, key: impl Key + Send + Sync + 'static, default: Value) -> Bag<Value> {
        self.map(move |item| key.get(&item).unwrap_or(&default).clone())
    }

    /// The values of several fields (or places in a list) of each item, `default` for those that it does not have.
    pub fn pluck_all<const N: usize>(
        &self,
        keys: [impl Key + Send + Sync + 'static; N],
        default: Value,
    ) -> Bag<[Value; N]> {
        self.map(move |item| keys.each_ref().map(|key| key.get(&item).unwrap_or(&default).clone()))
    }
}
