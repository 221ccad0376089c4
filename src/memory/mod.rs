//! The budget of a session, and the pages that growing state lives in.
//!
//! Life of a page: an operator asks its [`Reservation`] for a page; the [`Budget`] grows the reservation if the sum of
//! all commitments allows; the [`PagePool`] hands out anonymous memory outside the allocator; dropping the page gives
//! the memory back to the pool or the kernel and shrinks the reservation.
//!
//! ```text
//! limit  >=  outside + sum over reservations of max(held, floor)
//!            |         |
//!            |         a floor is committed when the reservation is made: growth below it cannot fail
//!            the process's own memory and what tasks announce as in flight; in the command, what the probe sees
//! ```
//!
//! A refused holder does not loop or fail: it returns `Starved`, and the scheduler decides who gives memory back; that
//! holder sees [`Reservation::wanted`] at its next step and spills its largest piece.

mod budget;
mod page;
mod probe;

pub use budget::{Budget, Claim, InFlight, Refusal, Request, Reservation};
pub use page::{Page, PagePool};
pub use probe::{anonymous_bytes, default_limit};

use std::sync::Arc;

/// What an operator needs to hold memory: the budget and the pool of pages of its session.
#[derive(Clone)]
pub struct Memory {
    /// Who may hold how much.
    pub budget: Budget,
    /// Where pages come from.
    pub pool: PagePool,
}

impl Memory {
    /// A budget of `limit` bytes and a pool of pages of `page_bytes`.
    pub fn new(limit: usize, page_bytes: usize) -> Self {
        Memory { budget: Budget::new(limit), pool: PagePool::new(page_bytes) }
    }

    /// A page charged to `owner`, or `None` where the budget refuses it.
    pub fn page(&self, owner: &Arc<Reservation>) -> Option<Page> {
        self.pool.page(owner)
    }
}
