//! A function that is called later.

use super::Delayed;
use super::args::{Args, Inputs};
use super::invoke::Invoke;
use super::node::{self, Made, Node, Options};
use super::outcome::{Fallible, Inferred, Outcome, Pinned, PinnedFallible};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A function whose calls are [`Delayed`]; made by [`delayed`](super::delayed). What is told to it holds for all later calls.
pub struct DelayedFn<F, Kind = Inferred> {
    function: Arc<F>,
    options: Arc<Options>,
    kind: PhantomData<fn() -> Kind>,
}

impl<F, Kind> Clone for DelayedFn<F, Kind> {
    fn clone(&self) -> Self {
        DelayedFn { function: self.function.clone(), options: self.options.clone(), kind: PhantomData }
    }
}

impl<F, Kind> fmt::Debug for DelayedFn<F, Kind> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the delayed function {}", self.options.name)
    }
}

impl<F> DelayedFn<F> {
    pub(super) fn new(function: F) -> Self {
        let name = short_name(std::any::type_name::<F>()).into();
        let options = Arc::new(Options { name, ..Options::default() });
        DelayedFn { function: Arc::new(function), options, kind: PhantomData }
    }

    /// The function returns a `Result` whose error fails its task. It need not be said, unless the error is text, or another
    /// value that serde can write.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let half = delayed(|n: i64| if n % 2 == 0 { Ok(n / 2) } else { Err(format!("{n} is odd")) }).fallible();
    /// assert_eq!(half.call(8i64).compute(&session)?, 4);
    /// assert!(half.call(7i64).compute(&session).unwrap_err().to_string().contains("7 is odd"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn fallible(self) -> DelayedFn<F, Fallible> {
        self.kind()
    }

    /// The function's results stay in memory, whatever they are: for values that serde cannot write, or that must be the very
    /// same ones. They are counted against the budget by their size, or by what [`memory`](Self::memory) says if that is more.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let counter = delayed(|| Arc::new(AtomicU64::new(7))).pinned().call(());
    /// assert_eq!(counter.compute(&session)?.load(Relaxed), 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pinned(self) -> DelayedFn<F, Pinned> {
        self.kind()
    }
}

impl<F> DelayedFn<F, Pinned> {
    /// The function returns a `Result` whose error fails its task; said of a pinned function, it must be said.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::fs::File;
    /// use std::sync::Arc;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let open = delayed(|path: &str| File::open(path).map(Arc::new)).pinned().fallible();
    /// let len = delayed(|file: &Arc<File>| file.metadata().map(|about| about.len()));
    /// assert!(len.call(open.call("testdata/trips.csv")).compute(&session)? > 0);
    /// assert!(len.call(open.call("nowhere")).compute(&session).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn fallible(self) -> DelayedFn<F, PinnedFallible> {
        self.kind()
    }
}

impl<F, Kind> DelayedFn<F, Kind> {
    fn kind<Other>(self) -> DelayedFn<F, Other> {
        DelayedFn { function: self.function, options: self.options, kind: PhantomData }
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.options));
        self
    }

    /// What its tasks are called in errors and pictures; else the name of the function.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let answer = delayed(|| 42i64).name("answer").call(());
    /// assert_eq!(answer.visualize(), "#0  answer  after -\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(self, name: &str) -> Self {
        self.with(|options| options.name = name.into())
    }

    /// How often a task is run again after it failed, before its query ends with its last error. Arguments of such functions
    /// are cloned for each run where they are taken by value.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let runs = AtomicU32::new(0);
    /// let flaky = move || if runs.fetch_add(1, Relaxed) < 2 { Err(std::io::Error::other("busy")) } else { Ok(42i64) };
    /// assert_eq!(delayed(flaky).retries(2).call(()).compute(&session)?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retries(self, retries: u32) -> Self {
        self.with(|options| options.retries = retries)
    }

    /// Of tasks that could start, those of the highest priority start first; 0 if nothing is said. What a task needs runs before
    /// it all the same, in its own priority.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    /// use std::sync::{Arc, Mutex};
    ///
    /// let session = Session::builder().memory("64MiB")?.threads(1).build()?;
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let told = log.clone();
    /// let tell = delayed(move |n: i64| told.lock().unwrap().push(n));
    /// compute_all(&session, (tell.call(1i64), tell.clone().priority(5).call(2i64)))?;
    /// assert_eq!(*log.lock().unwrap(), [2, 1]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn priority(self, priority: i32) -> Self {
        self.with(|options| options.priority = priority)
    }

    /// Bytes that a task needs while it runs: it starts only when they are free, so that fewer run at one time.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let large = delayed(|n: usize| vec![1u8; n].len()).memory(16 << 20);
    /// let sizes: Vec<_> = (0..8).map(|_| large.call(16usize << 20)).collect();
    /// assert_eq!(compute_all(&session, &sizes)?, [16 << 20; 8]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn memory(self, bytes: usize) -> Self {
        self.with(|options| options.memory = bytes)
    }

    /// A call to come: the function's result for these arguments, each a [`Delayed`], a [`Future`](super::Future), a reference to
    /// one, a list of them, or a plain value (see [`Arg`](super::Arg)). Nothing runs.
    ///
    /// A parameter is the value of its argument, cloned unless this is the last call that needs it, or a reference to it; a list
    /// is `Vec<T>` or `&[T]`, a text `String` or `&str`. A plain number has the type of its parameter: `1i64`.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let words = delayed(|text: &str| text.split(' ').map(String::from).collect::<Vec<_>>());
    /// let count = delayed(|words: &Vec<String>, least: usize| words.iter().filter(|w| w.len() >= least).count());
    /// let sum = delayed(|counts: &[usize]| counts.iter().sum::<usize>());
    /// let words = [words.call("to be or not"), words.call("to be")];
    /// let counts: Vec<_> = words.iter().map(|words| count.call((words, 3usize))).collect();
    /// assert_eq!(sum.call(&counts).compute(&session)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<A, Ways, Meaning>(&self, arguments: A) -> Delayed<<F::Output as Outcome<Kind, Meaning>>::Value>
    where
        A: Args,
        F: Invoke<A::Loaded, Ways>,
        F::Output: Outcome<Kind, Meaning>,
    {
        let mut inputs = Inputs(Vec::new());
        let shapes = arguments.lay(&mut inputs);
        let (function, memory) = (self.function.clone(), self.options.memory);
        let coding = <F::Output as Outcome<Kind, Meaning>>::coding();
        let call = move |mut results| {
            let value = function.invoke(A::read(&shapes, &mut results)?).settle()?;
            let measured = <F::Output as Outcome<Kind, Meaning>>::measure(&value);
            let bytes = if coding.is_some() { measured } else { measured.max(memory) };
            Ok(Made { value: Arc::new(value), bytes })
        };
        let kind = node::Kind::Call { call: Box::new(call), coding };
        Delayed::of(Arc::new(Node { kind, options: self.options.clone(), inputs: inputs.0 }))
    }
}

/// The end of a function's name: `inc`, and `closure in main` for one without.
fn short_name(name: &str) -> String {
    let plain = name.split('<').next().unwrap_or(name);
    let mut parts = plain.rsplit("::").filter(|part| !part.is_empty());
    match parts.next() {
        Some("{{closure}}") => match parts.find(|part| *part != "{{closure}}") {
            Some(inside) => format!("closure in {inside}"),
            None => "closure".into(),
        },
        Some(name) => name.into(),
        None => "function".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_short_names() {
        for (long, short) in [
            ("a::b::inc", "inc"),
            ("a::main::{{closure}}", "closure in main"),
            ("a::main::{{closure}}::{{closure}}", "closure in main"),
            ("a::twice<i64, b::C>", "twice"),
            ("", "function"),
        ] {
            assert_eq!(short_name(long), short);
        }
    }
}
