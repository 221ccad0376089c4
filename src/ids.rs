//! Names of things that live in tables: small numbers, each with a type of its own so that they cannot be mixed up.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A query of a session, in the order of submission.
    QueryId, u32, "q"
);
id!(
    /// A stage of a query: tasks between two exchanges.
    StageId, u32, "s"
);
id!(
    /// A task: its number within its query.
    TaskId, u32, "t"
);
id!(
    /// A reservation of memory.
    ReservationId, u32, "r"
);
id!(
    /// Something that a task waits for.
    Token, u64, "k"
);
