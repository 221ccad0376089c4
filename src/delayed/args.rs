//! What functions are called with: the results of other functions, futures, lists of them, and plain values.

use super::node::Node;
use super::{Delayed, Future};
use crate::error::{Error, Result};
use crate::store::Payload;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

/// What calls have laid so far: the nodes that a function needs, in the order of its arguments.
pub struct Inputs(pub(super) Vec<Arc<Node>>);

/// The results of those nodes, in the same order.
pub struct Results(IntoIter<Payload>);

impl Results {
    pub(super) fn new(values: Vec<Payload>) -> Self {
        Results(values.into_iter())
    }

    fn next<T: Send + Sync + 'static>(&mut self) -> Result<Loaded<T>> {
        let value = self.0.next().ok_or_else(|| Error::internal("a function lacks an argument"))?;
        let value = value.downcast().map_err(|_| Error::internal("an argument of another type"))?;
        Ok(Loaded::Shared(value))
    }

    /// What is left.
    pub(super) fn rest<T: Send + Sync + 'static>(&mut self) -> Result<Vec<Loaded<T>>> {
        (0..self.0.len()).map(|_| self.next()).collect()
    }
}

/// An argument when a function runs.
pub enum Loaded<T> {
    /// Made for this call.
    Own(T),
    /// A result that others may need, too.
    Shared(Arc<T>),
}

impl<T> Loaded<T> {
    /// To look at.
    pub(super) fn get(&self) -> &T {
        match self {
            Loaded::Own(value) => value,
            Loaded::Shared(value) => value,
        }
    }
}

impl<T: Clone> Loaded<T> {
    /// To have: a clone, unless nobody else needs it.
    pub(super) fn take(self) -> T {
        match self {
            Loaded::Own(value) => value,
            Loaded::Shared(value) => Arc::try_unwrap(value).unwrap_or_else(|value| T::clone(&value)),
        }
    }
}

/// One argument: a [`Delayed`] or a [`Future`] (or a reference to one), a list of arguments, a number, a text, a path, a
/// duration. Any other value goes through [`value`](super::value).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a delayed function",
    note = "arguments are `Delayed`, `Future`, lists of them, numbers and text; wrap another value in `partita::delayed::value(..)`"
)]
pub trait Arg {
    /// What the function gets.
    type Value: Send + Sync + 'static;
    /// What is known of the argument beside the nodes.
    type Shape: Send + Sync + 'static;
    /// Lays the nodes that it needs.
    fn lay(self, inputs: &mut Inputs) -> Self::Shape;
    /// Reads as many results as nodes were laid.
    fn read(shape: &Self::Shape, results: &mut Results) -> Result<Loaded<Self::Value>>;
}

impl<T: Send + Sync + 'static> Arg for Delayed<T> {
    type Value = T;
    type Shape = ();
    fn lay(self, inputs: &mut Inputs) {
        inputs.0.push(self.node);
    }
    fn read((): &(), results: &mut Results) -> Result<Loaded<T>> {
        results.next()
    }
}

impl<T: Send + Sync + 'static> Arg for Future<T> {
    type Value = T;
    type Shape = ();
    fn lay(self, inputs: &mut Inputs) {
        inputs.0.push(self.node());
    }
    fn read((): &(), results: &mut Results) -> Result<Loaded<T>> {
        results.next()
    }
}

impl<A: Arg + Clone> Arg for &A {
    type Value = A::Value;
    type Shape = A::Shape;
    fn lay(self, inputs: &mut Inputs) -> A::Shape {
        self.clone().lay(inputs)
    }
    fn read(shape: &A::Shape, results: &mut Results) -> Result<Loaded<A::Value>> {
        A::read(shape, results)
    }
}

impl<A: Arg> Arg for Vec<A>
where
    A::Value: Clone,
{
    type Value = Vec<A::Value>;
    type Shape = Vec<A::Shape>;
    fn lay(self, inputs: &mut Inputs) -> Self::Shape {
        self.into_iter().map(|argument| argument.lay(inputs)).collect()
    }
    fn read(shapes: &Self::Shape, results: &mut Results) -> Result<Loaded<Self::Value>> {
        let list: Result<_> = shapes.iter().map(|shape| Ok(A::read(shape, results)?.take())).collect();
        list.map(Loaded::Own)
    }
}

impl<A: Arg + Clone> Arg for &[A]
where
    A::Value: Clone,
{
    type Value = Vec<A::Value>;
    type Shape = Vec<A::Shape>;
    fn lay(self, inputs: &mut Inputs) -> Self::Shape {
        self.iter().map(|argument| argument.clone().lay(inputs)).collect()
    }
    fn read(shapes: &Self::Shape, results: &mut Results) -> Result<Loaded<Self::Value>> {
        <Vec<A> as Arg>::read(shapes, results)
    }
}

impl<A: Arg, const N: usize> Arg for [A; N]
where
    A::Value: Clone,
{
    type Value = Vec<A::Value>;
    type Shape = Vec<A::Shape>;
    fn lay(self, inputs: &mut Inputs) -> Self::Shape {
        <Vec<A> as Arg>::lay(Vec::from(self), inputs)
    }
    fn read(shapes: &Self::Shape, results: &mut Results) -> Result<Loaded<Self::Value>> {
        <Vec<A> as Arg>::read(shapes, results)
    }
}

impl Arg for &str {
    type Value = String;
    type Shape = Arc<String>;
    fn lay(self, _inputs: &mut Inputs) -> Arc<String> {
        Arc::new(self.to_string())
    }
    fn read(shape: &Arc<String>, _results: &mut Results) -> Result<Loaded<String>> {
        Ok(Loaded::Shared(shape.clone()))
    }
}

macro_rules! plain {
    ($($type:ty)*) => {
        $(impl Arg for $type {
            type Value = $type;
            type Shape = Arc<$type>;
            fn lay(self, _inputs: &mut Inputs) -> Arc<$type> {
                Arc::new(self)
            }
            fn read(shape: &Arc<$type>, _results: &mut Results) -> Result<Loaded<$type>> {
                Ok(Loaded::Shared(shape.clone()))
            }
        })*
    };
}

plain! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 bool char String PathBuf Duration }

/// All arguments of a call: a tuple of [`Arg`]s, or a single one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a delayed function",
    note = "arguments are one `Delayed`, or a tuple such as `(&x, &y)`; wrap plain values of your own types in `partita::delayed::value(..)`"
)]
pub trait Args {
    /// The arguments when the function runs.
    type Loaded;
    /// What is known of them beside the nodes.
    type Shapes: Send + Sync + 'static;
    /// Lays the nodes that they need.
    fn lay(self, inputs: &mut Inputs) -> Self::Shapes;
    /// Reads as many results as nodes were laid.
    fn read(shapes: &Self::Shapes, results: &mut Results) -> Result<Self::Loaded>;
}

/// Arguments whose values can be handed out: see [`compute_all`](super::compute_all).
pub trait Answers: Args {
    /// The values.
    type Values;
    /// Takes them.
    fn values(loaded: Self::Loaded) -> Self::Values;
}

impl<A: Arg> Args for A {
    type Loaded = (Loaded<A::Value>,);
    type Shapes = A::Shape;
    fn lay(self, inputs: &mut Inputs) -> A::Shape {
        Arg::lay(self, inputs)
    }
    fn read(shape: &A::Shape, results: &mut Results) -> Result<Self::Loaded> {
        Ok((<A as Arg>::read(shape, results)?,))
    }
}

impl<A: Arg> Answers for A
where
    A::Value: Clone,
{
    type Values = A::Value;
    fn values((loaded,): Self::Loaded) -> A::Value {
        loaded.take()
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        #[allow(non_snake_case, unused_variables, clippy::unused_unit)]
        impl<$($name: Arg),*> Args for ($($name,)*) {
            type Loaded = ($(Loaded<$name::Value>,)*);
            type Shapes = ($($name::Shape,)*);
            fn lay(self, inputs: &mut Inputs) -> Self::Shapes {
                let ($($name,)*) = self;
                ($($name.lay(inputs),)*)
            }
            fn read(shapes: &Self::Shapes, results: &mut Results) -> Result<Self::Loaded> {
                let ($($name,)*) = shapes;
                Ok(($(<$name as Arg>::read($name, results)?,)*))
            }
        }

        #[allow(non_snake_case, clippy::unused_unit)]
        impl<$($name: Arg),*> Answers for ($($name,)*)
        where
            $($name::Value: Clone),*
        {
            type Values = ($($name::Value,)*);
            fn values(loaded: Self::Loaded) -> Self::Values {
                let ($($name,)*) = loaded;
                ($($name.take(),)*)
            }
        }
    };
}

tuples! {}
tuples! { A }
tuples! { A B }
tuples! { A B C }
tuples! { A B C D }
tuples! { A B C D E }
tuples! { A B C D E G }
