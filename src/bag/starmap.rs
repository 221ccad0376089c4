//! Items that are tuples, as the arguments of functions.

use super::Bag;

macro_rules! starmap {
    ($(#[$doc:meta])* $($name:ident $item:ident)*) => {
        impl<$($name: Send + 'static),*> Bag<($($name,)*)> {
            $(#[$doc])*
            pub fn starmap<U: Send + 'static>(
                &self,
                f: impl Fn($($name),*) -> U + Send + Sync + 'static,
            ) -> Bag<U> {
                self.map(move |($($item,)*)| f($($item),*))
            }
        }
    };
}

starmap! {
    /// Each item, a tuple of two to six, through a function of so many arguments.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let pairs = Bag::from_iter(&session, [(1, 2), (3, 4)], 2);
    /// assert_eq!(pairs.starmap(|a, b| a * b).collect()?, [2, 12]);
    /// let threes = pairs.starmap(|a, b| (a, b, a + b));
    /// assert_eq!(threes.starmap(|a, b, c| c - a - b).collect()?, [0, 0]);
    /// # Ok(())
    /// # }
    /// ```
    A a B b
}
starmap! {
    /// Each item, a tuple of three, through a function of so many arguments.
    A a B b C c
}
starmap! {
    /// Each item, a tuple of four, through a function of so many arguments.
    A a B b C c D d
}
starmap! {
    /// Each item, a tuple of five, through a function of so many arguments.
    A a B b C c D d E e
}
starmap! {
    /// Each item, a tuple of six, through a function of so many arguments.
    A a B b C c D d E e F f
}
