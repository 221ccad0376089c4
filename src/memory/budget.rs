//! Who may hold how many bytes. One mutex: growth comes in pages of 64 KiB and more, so it is never hot.

use crate::error::{Error, Result};
use crate::ids::ReservationId;
use crate::units::{ByteSize, MIB};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// What is asked of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Growth of a holder above its floor, or within it: the n-th one.
    Growth(u64),
    /// A floor of a new holder, or what a task announces as in flight: the n-th one.
    Floor(u64),
}

/// Decides whether a request is refused although it fits; a seam for tests.
pub type Refusal = dyn Fn(Request) -> bool + Send + Sync;

/// A limit in bytes, and everybody who holds a part of it. Cheap to clone.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

struct Shared {
    ledger: Mutex<Ledger>,
    refuse: Option<Box<Refusal>>,
}

struct Ledger {
    limit: usize,
    /// Bytes of the process itself: what it had before the first query.
    base: usize,
    /// Whether a part is kept free for what the allocator keeps beside what is announced.
    slack: bool,
    /// Bytes announced for what is in flight outside of reservations: batches, buffers of readers.
    in_flight: usize,
    /// Bytes that the process was seen to have outside of reservations.
    seen: usize,
    /// Sum over reservations of max(held, floor).
    committed: usize,
    held: usize,
    peak: usize,
    requests: u64,
    floors: u64,
    next: u32,
    claims: BTreeMap<ReservationId, Claim>,
    holders: BTreeMap<ReservationId, Weak<Reservation>>,
}

/// One reservation as the scheduler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub id: ReservationId,
    /// Bytes held now.
    pub held: usize,
    /// Bytes it may always hold.
    pub floor: usize,
    /// Whether it gives back what it holds above its floor when asked.
    pub revocable: bool,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self::with_refusal(limit, None)
    }

    /// A budget that also refuses what `refuse` says.
    pub fn with_refusal(limit: usize, refuse: Option<Box<Refusal>>) -> Self {
        let ledger = Ledger {
            limit,
            base: 0,
            slack: false,
            in_flight: 0,
            seen: 0,
            committed: 0,
            held: 0,
            peak: 0,
            requests: 0,
            floors: 0,
            next: 0,
            claims: BTreeMap::new(),
            holders: BTreeMap::new(),
        };
        Budget(Arc::new(Shared { ledger: Mutex::new(ledger), refuse }))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic while holding this lock is impossible short of a failing allocation; the numbers stay consistent.
        self.0.ledger.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Commits `floor` bytes to a new holder, or `None` where they are not free.
    pub fn reserve(&self, name: &str, floor: usize, revocable: bool) -> Option<Arc<Reservation>> {
        let mut ledger = self.ledger();
        // A holder that holds nothing yet takes nothing.
        if floor > 0 && (self.refuses_floor(&mut ledger) || !ledger.fits(floor)) {
            return None;
        }
        ledger.committed += floor;
        let id = ReservationId(ledger.next);
        ledger.next += 1;
        ledger.claims.insert(id, Claim { id, held: 0, floor, revocable });
        let made = Reservation { budget: self.clone(), id, name: name.into(), wanted: AtomicUsize::new(0) };
        let made = Arc::new(made);
        ledger.holders.insert(id, Arc::downgrade(&made));
        Some(made)
    }

    /// Whether a test refuses a floor that fits.
    fn refuses_floor(&self, ledger: &mut Ledger) -> bool {
        ledger.floors += 1;
        self.0.refuse.as_ref().is_some_and(|refuse| refuse(Request::Floor(ledger.floors)))
    }

    /// The reservation of that name, while somebody holds it.
    pub fn find(&self, id: ReservationId) -> Option<Arc<Reservation>> {
        self.ledger().holders.get(&id)?.upgrade()
    }

    /// As [`reserve`](Self::reserve), but an error that names both sizes where the floor does not fit.
    ///
    /// # Errors
    /// `Resources`, with the floor and what is free.
    pub fn require(&self, name: &str, floor: usize, revocable: bool) -> Result<Arc<Reservation>> {
        self.reserve(name, floor, revocable).ok_or_else(|| {
            let ledger = self.ledger();
            ledger.too_little(name, floor, ledger.free())
        })
    }

    /// Announces `bytes` that will be in flight outside of reservations until the guard is dropped.
    ///
    /// # Errors
    /// `Resources`, with both sizes, where they do not fit.
    pub fn in_flight(&self, name: &str, bytes: usize) -> Result<InFlight> {
        let mut ledger = self.ledger();
        let more = ledger.base + ledger.in_flight + bytes;
        let refused = bytes > 0 && self.refuses_floor(&mut ledger);
        if refused || more > ledger.outside() && !ledger.fits(more - ledger.outside()) {
            return Err(ledger.too_little(name, bytes, ledger.free()));
        }
        ledger.in_flight += bytes;
        Ok(InFlight { budget: self.clone(), bytes })
    }

    /// Sets what the process had before the first query, in bytes.
    pub fn set_base(&self, bytes: usize) {
        self.ledger().base = bytes;
    }

    /// From now on a part is kept free for what the allocator holds: batches and buffers are announced as what they need,
    /// but freed blocks of odd sizes stay with the process.
    pub fn keep_slack(&self) {
        self.ledger().slack = true;
    }

    /// Tells what the process was seen to have outside of reservations, in bytes. What it had at most is forgotten only
    /// slowly, since it is likely to come again. Returns by how much everything together is over the limit.
    pub fn see_outside(&self, bytes: usize) -> usize {
        let mut ledger = self.ledger();
        ledger.seen = bytes.max(ledger.seen - ledger.seen.div_ceil(512));
        ledger.peak = ledger.peak.max(bytes + ledger.held);
        (bytes + ledger.held).saturating_sub(ledger.limit)
    }

    /// Tells what the process has outside of reservations now, in bytes; what it had before is forgotten at once.
    pub fn set_outside(&self, bytes: usize) {
        let mut ledger = self.ledger();
        ledger.seen = bytes;
        ledger.peak = ledger.peak.max(bytes + ledger.held);
    }

    /// Refuses what needs a floor of so many bytes, if that would not fit were nothing else there.
    ///
    /// # Errors
    /// It would not, and `name` could never begin.
    pub fn admit(&self, name: &str, floor: usize) -> Result<()> {
        let ledger = self.ledger();
        let most = ledger.usable().saturating_sub(ledger.base);
        if floor > most { Err(ledger.too_little(name, floor, most)) } else { Ok(()) }
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.ledger().limit
    }

    /// Bytes that could be committed now.
    pub fn free(&self) -> usize {
        self.ledger().free()
    }

    /// Bytes that reservations hold now.
    pub fn held(&self) -> usize {
        self.ledger().held
    }

    /// The most that was accounted for at one time (outside included), in bytes.
    pub fn peak(&self) -> usize {
        self.ledger().peak
    }

    /// Every reservation, in the order of their making.
    pub fn claims(&self) -> Vec<Claim> {
        self.ledger().claims.values().copied().collect()
    }
}

impl Ledger {
    /// The error of one who needs a floor of which only `free` bytes are there.
    fn too_little(&self, name: &str, floor: usize, free: usize) -> Error {
        let limit = ByteSize(self.limit);
        let needs = format!("{name} needs at least {}", ByteSize(floor));
        let error =
            Error::resources(format!("{needs}, but only {} of the memory budget of {limit} is free", ByteSize(free)));
        let (outside, margin) = (ByteSize(self.outside()), ByteSize(self.margin()));
        error.advise(format!(
            "raise --memory or lower --threads ({outside} is in no reservation, {margin} is kept free for the allocator)"
        ))
    }

    /// What no reservation holds: as announced, or as seen if that is more.
    fn outside(&self) -> usize {
        self.seen.max(self.base + self.in_flight)
    }

    /// What the limit leaves for commitments.
    fn usable(&self) -> usize {
        self.limit - self.margin()
    }

    /// What is kept free: for what the allocator keeps, and, in the command, since its real memory is seen only every few
    /// milliseconds.
    fn margin(&self) -> usize {
        let wanted = self.base > 0 || self.slack;
        if wanted { (self.limit / 16 + 8 * MIB).min(self.limit / 8) } else { 0 }
    }

    fn fits(&self, more: usize) -> bool {
        self.outside().saturating_add(self.committed).saturating_add(more) <= self.usable()
    }

    fn free(&self) -> usize {
        self.usable().saturating_sub(self.outside() + self.committed)
    }

    fn see_peak(&mut self) {
        self.peak = self.peak.max(self.base + self.held);
    }

    /// Changes what `id` holds; `force` goes over the limit rather than refuse.
    fn grow(&mut self, id: ReservationId, bytes: usize, force: bool) -> bool {
        let Some(claim) = self.claims.get(&id).copied() else { return force };
        let more = (claim.held + bytes).max(claim.floor) - claim.held.max(claim.floor);
        // What cannot be asked back leaves room for what may yet come from outside.
        let spare = if claim.revocable || self.base == 0 { 0 } else { self.limit / 16 };
        if more > 0 && !force && !self.fits(more + spare) {
            return false;
        }
        self.committed += more;
        self.held += bytes;
        self.claims.insert(id, Claim { held: claim.held + bytes, ..claim });
        self.see_peak();
        true
    }

    fn shrink(&mut self, id: ReservationId, bytes: usize) {
        let Some(claim) = self.claims.get_mut(&id) else { return };
        let bytes = bytes.min(claim.held);
        let less = claim.held.max(claim.floor) - (claim.held - bytes).max(claim.floor);
        claim.held -= bytes;
        self.committed -= less;
        self.held -= bytes;
    }
}

/// Bytes announced for what is in flight outside of reservations.
pub struct InFlight {
    budget: Budget,
    bytes: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.budget.ledger().in_flight -= self.bytes;
    }
}

/// A holder's part of the budget. Its floor is committed from the start; what it holds above may be asked back.
///
/// Dropping it releases everything; pages that outlive it keep it alive.
pub struct Reservation {
    budget: Budget,
    id: ReservationId,
    name: Box<str>,
    wanted: AtomicUsize,
}

impl Reservation {
    /// Its name in the budget.
    pub fn id(&self) -> ReservationId {
        self.id
    }

    /// Who holds it, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Grows by `bytes`, or says no.
    pub fn try_grow(&self, bytes: usize) -> bool {
        let mut ledger = self.budget.ledger();
        ledger.requests += 1;
        if self.budget.0.refuse.as_ref().is_some_and(|refuse| refuse(Request::Growth(ledger.requests))) {
            // An injected refusal hits only what could be refused for real: growth above the floor.
            if ledger.claims.get(&self.id).is_none_or(|c| c.held + bytes > c.floor) {
                return false;
            }
        }
        ledger.grow(self.id, bytes, false)
    }

    /// Grows by `bytes` even over the limit: for memory that exists already and must be seen.
    pub fn grow_anyway(&self, bytes: usize) {
        self.budget.ledger().grow(self.id, bytes, true);
    }

    /// Gives `bytes` back.
    pub fn shrink(&self, bytes: usize) {
        self.budget.ledger().shrink(self.id, bytes);
    }

    /// Moves the account of `bytes` from this holder to `other`. Cannot fail: nothing new is held.
    pub fn hand_over(&self, other: &Reservation, bytes: usize) {
        let mut ledger = self.budget.ledger();
        ledger.shrink(self.id, bytes);
        ledger.grow(other.id, bytes, true);
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.budget.ledger().claims.get(&self.id).map_or(0, |c| c.held)
    }

    /// Bytes that this holder may always hold.
    pub fn floor(&self) -> usize {
        self.budget.ledger().claims.get(&self.id).map_or(0, |c| c.floor)
    }

    /// Asks the holder to give `bytes` back at its next step.
    pub fn ask(&self, bytes: usize) {
        self.wanted.fetch_max(bytes, Relaxed);
    }

    /// What was asked back and not yet answered, in bytes.
    pub fn wanted(&self) -> usize {
        self.wanted.load(Relaxed)
    }

    /// Takes the request, so that it is answered once.
    pub fn take_wanted(&self) -> usize {
        self.wanted.swap(0, Relaxed)
    }

    /// Commits another floor, or says no: a larger one may not be free.
    pub fn set_floor(&self, floor: usize) -> bool {
        let mut ledger = self.budget.ledger();
        let Some(claim) = ledger.claims.get(&self.id).copied() else { return false };
        let (before, after) = (claim.held.max(claim.floor), claim.held.max(floor));
        if after > before && !ledger.fits(after - before) {
            return false;
        }
        ledger.committed = ledger.committed - before + after;
        ledger.claims.insert(self.id, Claim { floor, ..claim });
        true
    }

    /// From now on nothing is asked back.
    pub fn hold_fast(&self) {
        if let Some(claim) = self.budget.ledger().claims.get_mut(&self.id) {
            claim.revocable = false;
        }
    }

    /// The budget it belongs to.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut ledger = self.budget.ledger();
        ledger.holders.remove(&self.id);
        if let Some(claim) = ledger.claims.remove(&self.id) {
            ledger.committed -= claim.held.max(claim.floor);
            ledger.held -= claim.held;
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} holds {}", self.id, self.name, ByteSize(self.held()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_committed_and_cannot_be_refused() {
        let budget = Budget::new(100);
        let a = budget.reserve("a", 60, true).unwrap();
        let b = budget.reserve("b", 30, true).unwrap();
        assert!(budget.reserve("c", 20, true).is_none());
        assert!(a.try_grow(60) && b.try_grow(40));
        assert!(!a.try_grow(1), "60 + 40 is all there is");
        b.shrink(40);
        assert_eq!(budget.free(), 10);
        assert!(a.try_grow(10));
        drop((a, b));
        assert_eq!((budget.held(), budget.free(), budget.peak()), (0, 100, 100));
    }

    #[test]
    fn what_is_outside_counts() {
        let budget = Budget::new(800);
        let a = budget.reserve("a", 0, true).unwrap();
        budget.set_base(300);
        let flying = budget.in_flight("b", 200).unwrap();
        assert!(budget.in_flight("c", 201).is_err(), "an eighth stays free beside 300 and 200");
        assert!(!a.try_grow(201) && a.try_grow(200));
        drop(flying);
        assert_eq!(budget.free(), 200);
        assert_eq!(budget.see_outside(700), 100, "700 and 200 are over by 100");
        assert_eq!(budget.free(), 0);
        for _ in 0..2000 {
            budget.see_outside(10);
        }
        assert_eq!(budget.free(), 200, "what was seen is forgotten slowly, down to what was announced");
    }

    #[test]
    fn what_could_never_begin_is_not_admitted() {
        let budget = Budget::new(800);
        let a = budget.reserve("a", 700, true).unwrap();
        assert!(budget.admit("b", 800).is_ok(), "others go away");
        budget.set_base(300);
        let refused = budget.admit("b", 401).unwrap_err();
        assert!(refused.message().contains("b needs at least 401 B"), "{refused}");
        assert!(budget.admit("b", 400).is_ok(), "an eighth stays free beside 300");
        drop(a);
    }

    #[test]
    fn what_holds_nothing_is_never_refused() {
        let budget = Budget::new(100);
        let a = budget.reserve("a", 100, true).unwrap();
        assert!(budget.reserve("b", 0, true).is_some() && budget.reserve("c", 1, true).is_none());
        drop(a);
    }

    #[test]
    fn a_reservation_is_found_while_it_lives() {
        let budget = Budget::new(100);
        let a = budget.reserve("a", 0, true).unwrap();
        assert_eq!(budget.find(a.id()).unwrap().name(), "a");
        let id = a.id();
        drop(a);
        assert!(budget.find(id).is_none());
    }

    #[test]
    fn handing_over_keeps_the_sum() {
        let budget = Budget::new(100);
        let (a, b) = (budget.reserve("a", 50, true).unwrap(), budget.reserve("b", 0, false).unwrap());
        assert!(a.try_grow(50));
        a.hand_over(&b, 50);
        assert_eq!((a.held(), b.held(), budget.held()), (0, 50, 50));
        assert_eq!(budget.free(), 0, "a keeps its floor committed");
    }

    #[test]
    fn floors_change_where_they_fit() {
        let budget = Budget::new(100);
        let (a, _b) = (budget.reserve("a", 40, true).unwrap(), budget.reserve("b", 30, true).unwrap());
        assert!(!a.set_floor(71) && a.set_floor(70) && budget.free() == 0);
        assert!(a.try_grow(50) && a.set_floor(10));
        assert_eq!(budget.free(), 20, "it still holds 50");
        a.hold_fast();
        assert_eq!(budget.claims().iter().map(|c| (c.held, c.floor, c.revocable)).next(), Some((50, 10, false)));
    }

    #[test]
    fn injected_refusals_spare_floors() {
        let budget = Budget::with_refusal(100, Some(Box::new(|asked| matches!(asked, Request::Growth(_)))));
        let a = budget.reserve("a", 10, true).unwrap();
        assert!(a.try_grow(10) && !a.try_grow(1));
        let budget = Budget::with_refusal(100, Some(Box::new(|asked| asked == Request::Floor(2))));
        assert!(budget.in_flight("a", 10).is_ok() && budget.reserve("b", 10, true).is_none());
        assert!(budget.reserve("b", 10, true).is_some());
    }
}
