//! How something that becomes ready tells whoever waits for it, across layers that do not know each other.
//!
//! A task that must wait asks for a ticket, hands the waker to the one who will be ready (an io thread, a queue), and
//! returns `Wait(token)`. Waking twice, early, or after the query is gone is harmless.

use crate::error::{Error, Result};
use crate::ids::Token;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Where wake-ups go.
pub type WakeFn = dyn Fn(Token) + Send + Sync;

/// Hands out tokens for one query.
#[derive(Clone)]
pub struct Wakers {
    next: Arc<AtomicU64>,
    to: Arc<WakeFn>,
}

impl Wakers {
    /// Wake-ups go to `to`, on the thread that wakes.
    pub fn new(to: Arc<WakeFn>) -> Self {
        Wakers { next: Arc::new(AtomicU64::new(1)), to }
    }

    /// Wakers that nobody hears; for tests of operators.
    pub fn deaf() -> Self {
        Self::new(Arc::new(|_| {}))
    }

    /// A new token and the waker that makes it ready.
    pub fn ticket(&self) -> Waker {
        Waker { token: Token(self.next.fetch_add(1, Relaxed)), to: self.to.clone() }
    }
}

/// Makes one token ready.
#[derive(Clone)]
pub struct Waker {
    token: Token,
    to: Arc<WakeFn>,
}

impl Waker {
    /// The token to wait for.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Says that what the token stands for is ready.
    pub fn wake(&self) {
        (self.to)(self.token)
    }
}

/// A flag that ends a query: checked between steps, and inside loops that run longer than one batch.
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the query to stop.
    pub fn cancel(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// # Errors
    /// `Cancelled`, when somebody asked.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}
