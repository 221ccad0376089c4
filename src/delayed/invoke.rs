//! How a function takes each of its arguments: by value, by reference, or a list as a slice.
//!
//! The arguments say which values there are, so the compiler finds the one way that fits the function. What is taken by
//! value must be `Clone`, since others may need it too: it is cloned unless this call is the last that needs it.

use super::args::Loaded;

/// The argument's value.
pub struct ByValue;
/// A reference to it.
pub struct ByRef;
/// A list's items.
pub struct BySlice;
/// A text's characters.
pub struct ByText;

/// A function that can be called with arguments `L`, each in the way that `Ways` says.
#[diagnostic::on_unimplemented(
    message = "this function cannot be called with these arguments",
    label = "its parameters are not the values of the arguments",
    note = "a parameter is the value of its argument (which must be `Clone` then) or a reference to it; a list gives `Vec<T>` or `&[T]`, a text `String` or `&str`; numbers have the type of the parameter: `1i64`",
    note = "parameters of closures need their types: `|x: i64, y: &String| ..`"
)]
pub trait Invoke<L, Ways>: Send + Sync + 'static {
    /// What it returns.
    type Output;
    /// Calls it.
    fn invoke(&self, arguments: L) -> Self::Output;
}

macro_rules! held {
    (BySlice $name:ident) => { Vec<$name> };
    (ByText $name:ident) => { String };
    ($way:ident $name:ident) => { $name };
}

macro_rules! parameter {
    (ByValue $name:ident) => {
        $name
    };
    (ByRef $name:ident) => {
        &$name
    };
    (BySlice $name:ident) => {
        &[$name]
    };
    (ByText $name:ident) => {
        &str
    };
}

macro_rules! pass {
    (ByValue $name:ident) => {
        $name.take()
    };
    ($way:ident $name:ident) => {
        $name.get()
    };
}

macro_rules! invoke {
    ($(($way:ident $name:ident $($bound:ident)?))*) => {
        #[allow(non_snake_case)]
        impl<Function, Output, $($($name: $bound,)?)*> Invoke<($(Loaded<held!($way $name)>,)*), ($($way,)*)> for Function
        where
            Function: Fn($(parameter!($way $name)),*) -> Output + Send + Sync + 'static,
        {
            type Output = Output;
            fn invoke(&self, arguments: ($(Loaded<held!($way $name)>,)*)) -> Output {
                let ($($name,)*) = arguments;
                self($(pass!($way $name)),*)
            }
        }
    };
}

/// All ways of all arguments; slices and texts of up to three.
macro_rules! ways {
    ([$($done:tt)*]) => { invoke! { $($done)* } };
    ([$($done:tt)*] $name:ident $($rest:ident)*) => {
        ways! { [$($done)* (ByValue $name Clone)] $($rest)* }
        ways! { [$($done)* (ByRef $name Sized)] $($rest)* }
        ways! { [$($done)* (BySlice $name Sized)] $($rest)* }
        ways! { [$($done)* (ByText $name)] $($rest)* }
    };
}

macro_rules! plain_ways {
    ([$($done:tt)*]) => { invoke! { $($done)* } };
    ([$($done:tt)*] $name:ident $($rest:ident)*) => {
        plain_ways! { [$($done)* (ByValue $name Clone)] $($rest)* }
        plain_ways! { [$($done)* (ByRef $name Sized)] $($rest)* }
    };
}

ways! { [] }
ways! { [] A }
ways! { [] A B }
ways! { [] A B C }
plain_ways! { [] A B C D }
invoke! { (ByValue A Clone) (ByValue B Clone) (ByValue C Clone) (ByValue D Clone) (ByValue E Clone) }
invoke! { (ByRef A Sized) (ByRef B Sized) (ByRef C Sized) (ByRef D Sized) (ByRef E Sized) }
invoke! { (ByValue A Clone) (ByValue B Clone) (ByValue C Clone) (ByValue D Clone) (ByValue E Clone) (ByValue G Clone) }
invoke! { (ByRef A Sized) (ByRef B Sized) (ByRef C Sized) (ByRef D Sized) (ByRef E Sized) (ByRef G Sized) }
