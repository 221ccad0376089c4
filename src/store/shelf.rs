//! Results at rest that are values of a program's own types: in memory while the budget allows that, else in scratch.
//!
//! # Life of a result
//!
//! 1. A task puts it on the [`Shelf`] with its size and its [`Coding`]. Its bytes are charged to the shelf's reservation; where
//!    they are refused, the largest results that nobody uses go to scratch, then this one. One that cannot be written stays:
//!    it is pinned, and whoever puts it waits for memory.
//! 2. A task that needs it borrows it ([`Shelved::borrow`]): what is in scratch comes back, which may be refused too. The
//!    last one who needs it takes it ([`Shelved::take`]): nothing is copied.
//! 3. It is dropped with the last [`Shelved`]: until then its bytes are charged, also those of a taken one.
//!
//! What came back keeps its place in scratch, so that it is written once.
//!
//! # Known limits
//!
//! A result is made before it is measured: a function's own memory is only what its task announced. A result that comes back
//! needs room for its encoded bytes beside its own.

use super::scratch::Scratch;
use super::spill::{BlockRef, SpillWriter};
use crate::error::{Error, Result};
use crate::guard::{drop_guarded, guarded};
use crate::ids::ReservationId;
use crate::memory::{Memory, Reservation};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// A value of any type, shared.
pub type Payload = Arc<dyn Any + Send + Sync>;

/// The name of no reservation.
const NOBODY: ReservationId = ReservationId(u32::MAX);

/// Takes pieces of an encoded value.
pub type Pieces<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// Results of fewer bytes stay where they are: what is known of a place in scratch is not much less.
const LEAST: usize = 256;

/// Writes a value, piece by piece.
pub type EncodeFn = fn(&Payload, &mut Pieces<'_>) -> Result<()>;

/// The value that was written as these bytes.
pub type DecodeFn = fn(&[u8]) -> Result<Payload>;

/// How values of one type are written and read back.
#[derive(Clone, Copy)]
pub struct Coding {
    /// Writes.
    pub encode: EncodeFn,
    /// Reads.
    pub decode: DecodeFn,
}

/// What a result's owner gets of putting or borrowing it.
pub enum Kept<T> {
    /// It is there.
    Here(T),
    /// So many bytes of memory are missing.
    Refused(usize),
}

/// Where results rest. One a session; cheap to clone.
#[derive(Clone)]
pub struct Shelf(Arc<Inner>);

struct Inner {
    memory: Memory,
    scratch: Scratch,
    /// Made with the first result.
    owner: OnceLock<Option<Arc<Reservation>>>,
    account: Mutex<Account>,
    writer: Mutex<Option<SpillWriter>>,
    next: AtomicU64,
}

#[derive(Default)]
struct Account {
    /// Bytes of results in memory.
    used: usize,
    /// Bytes that the reservation holds: pages' worth, so that small results do not ask each time.
    charged: usize,
    /// Results in memory that could go to scratch, by size.
    movable: BTreeMap<(usize, u64), Weak<Entry>>,
    /// Results that cannot, and their bytes.
    pinned: (usize, usize),
}

struct Entry {
    shelf: Arc<Inner>,
    number: u64,
    bytes: usize,
    coding: Option<Coding>,
    place: Mutex<Place>,
}

struct Place {
    here: Option<Payload>,
    away: Option<Away>,
    charged: bool,
}

/// A result in scratch.
struct Away {
    blocks: Vec<BlockRef>,
    bytes: usize,
}

/// A result at rest. Cheap to clone; the last clone frees it.
#[derive(Clone)]
pub struct Shelved(Arc<Entry>);

/// Memory that is charged for results to come; what they do not take is given back.
pub struct Room {
    shelf: Arc<Inner>,
    bytes: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> bool {
        let enough = self.bytes >= bytes;
        self.bytes -= if enough { bytes } else { 0 };
        enough
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.shelf.discharge(self.bytes);
        }
    }
}

/// Bytes that are counted until it is dropped.
pub struct Held {
    shelf: Arc<Inner>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shelf.owner().iter().for_each(|owner| owner.shrink(self.bytes));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    /// An empty shelf.
    pub fn new(memory: &Memory, scratch: &Scratch) -> Self {
        let (memory, scratch) = (memory.clone(), scratch.clone());
        let (owner, account, writer, next) = Default::default();
        Shelf(Arc::new(Inner { memory, scratch, owner, account, writer, next }))
    }

    /// Takes a result of so many bytes; one without coding is pinned. The value stays the caller's where it is refused.
    ///
    /// # Errors
    /// What scratch meets.
    pub fn put(&self, value: &mut Option<Payload>, bytes: usize, coding: Option<Coding>) -> Result<Kept<Shelved>> {
        let inner = &self.0;
        let here = inner.charge_or_move(bytes);
        let away = match (here, coding, &value) {
            (true, ..) => None,
            (false, Some(coding), Some(value)) => Some(inner.write(value, coding)?),
            _ => return Ok(Kept::Refused(bytes)),
        };
        let here = value.take().filter(|_| here);
        let charged = here.is_some();
        let number = inner.next.fetch_add(1, Relaxed);
        let place = Mutex::new(Place { here, away, charged });
        let entry = Arc::new(Entry { shelf: inner.clone(), number, bytes, coding, place });
        match coding {
            Some(_) if charged => inner.list(&entry),
            Some(_) => {}
            None => {
                let pinned = &mut lock(&inner.account).pinned;
                *pinned = (pinned.0 + 1, pinned.1 + bytes);
            }
        }
        Ok(Kept::Here(Shelved(entry)))
    }

    /// The reservation that results are charged to.
    pub fn reservation(&self) -> ReservationId {
        self.0.owner().map_or(NOBODY, |owner| owner.id())
    }

    /// Bytes that somebody asks back and that nobody has answered for.
    pub fn take_wanted(&self) -> usize {
        self.0.owner.get().and_then(Option::as_ref).map_or(0, |owner| owner.take_wanted())
    }

    /// Moves results that nobody uses to scratch, the largest first; returns the bytes given back.
    pub fn give(&self, bytes: usize) -> usize {
        let inner = &self.0;
        let before = inner.account().charged;
        let mut moved = 0;
        while moved < bytes {
            match inner.move_one() {
                Some(more) => moved += more,
                None => break,
            }
        }
        inner.trim(0);
        before.saturating_sub(inner.account().charged)
    }

    /// The same, where it is this shelf that was asked.
    pub fn give_for(&self, asked: ReservationId, bytes: usize) -> usize {
        let own = self.0.owner.get().and_then(Option::as_ref).is_some_and(|owner| owner.id() == asked);
        if own { self.give(bytes) } else { 0 }
    }

    /// Memory for results that will be borrowed together: all of it, or none, so that two who need much do not each get half.
    pub fn room(&self, bytes: usize) -> Option<Room> {
        self.0.charge_or_move(bytes).then(|| Room { shelf: self.0.clone(), bytes })
    }

    /// Counts bytes that are there already and cannot be asked back: what is known of the results to come.
    pub fn hold(&self, bytes: usize) -> Held {
        self.0.owner().iter().for_each(|owner| owner.grow_anyway(bytes));
        Held { shelf: self.0.clone(), bytes }
    }

    /// How many results cannot be written to scratch, and their bytes.
    pub fn pinned(&self) -> (usize, usize) {
        self.0.account().pinned
    }

    /// Bytes of results in memory.
    pub fn used(&self) -> usize {
        self.0.account().used
    }
}

impl Inner {
    fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }

    /// Who holds what results take. A holder without a floor is never refused.
    fn owner(&self) -> Option<&Arc<Reservation>> {
        self.owner.get_or_init(|| self.memory.budget.reserve("results", 0, true)).as_ref()
    }

    fn charge_or_move(&self, bytes: usize) -> bool {
        loop {
            if self.charge(bytes) {
                return true;
            }
            if self.move_one().is_none() {
                return false;
            }
        }
    }

    fn charge(&self, bytes: usize) -> bool {
        let Some(owner) = self.owner() else { return false };
        let mut account = self.account();
        let used = account.used + bytes;
        let missing = used.saturating_sub(account.charged);
        let page = missing.max(self.memory.pool.page_bytes());
        let grown = match missing {
            0 => 0,
            _ if owner.try_grow(page) => page,
            _ if owner.try_grow(missing) => missing,
            _ => return false,
        };
        account.charged += grown;
        account.used = used;
        true
    }

    fn discharge(&self, bytes: usize) {
        let mut account = self.account();
        account.used = account.used.saturating_sub(bytes);
        drop(account);
        self.trim(2 * self.memory.pool.page_bytes());
    }

    /// Gives back what is charged and not used, where it is more than `spare`.
    fn trim(&self, spare: usize) {
        let mut account = self.account();
        let unused = account.charged - account.used.min(account.charged);
        if unused > spare {
            let less = unused - spare / 2;
            account.charged -= less;
            self.owner().iter().for_each(|owner| owner.shrink(less));
        }
    }

    fn list(&self, entry: &Arc<Entry>) {
        if entry.bytes < LEAST {
            return;
        }
        self.account().movable.insert((entry.bytes, entry.number), Arc::downgrade(entry));
    }

    /// Moves the largest result that nobody uses to scratch; returns its bytes. One that cannot be written stays.
    fn move_one(&self) -> Option<usize> {
        let mut below = (usize::MAX, u64::MAX);
        loop {
            let (key, entry) = {
                let account = self.account();
                let (key, entry) = account.movable.range(..below).next_back()?;
                (*key, entry.upgrade())
            };
            below = key;
            if let Some(bytes) = entry.and_then(|entry| entry.leave()) {
                return Some(bytes);
            }
        }
    }

    fn write(&self, value: &Payload, coding: Coding) -> Result<Away> {
        let mut writer = lock(&self.writer);
        let writer = writer.get_or_insert_with(|| self.scratch.writer());
        let mut away = Away { blocks: Vec::new(), bytes: 0 };
        // What writes it may be a program's own code, and this may be a thread of nobody's task.
        guarded(|| {
            (coding.encode)(value, &mut |piece| {
                away.blocks.push(writer.write(piece)?);
                away.bytes += piece.len();
                Ok(())
            })
        })?;
        Ok(away)
    }
}

impl Entry {
    /// Goes to scratch, unless somebody uses it, or it is there.
    fn leave(&self) -> Option<usize> {
        let mut place = self.place.try_lock().ok()?;
        // Only this place refers to it, and nobody can get at it while this is locked.
        let value = place.here.as_ref().filter(|value| Arc::strong_count(value) == 1)?;
        if place.away.is_none() {
            place.away = Some(self.shelf.write(value, self.coding?).ok()?);
        }
        let value = place.here.take();
        place.charged = false;
        drop(place);
        let _ = drop_guarded(value);
        self.shelf.account().movable.remove(&(self.bytes, self.number));
        self.shelf.discharge(self.bytes);
        Some(self.bytes)
    }

    fn read(&self, away: &Away) -> Result<Payload> {
        let coding = self.coding.ok_or_else(|| Error::internal("a pinned result is in scratch"))?;
        let mut bytes = vec![0; away.bytes];
        let mut rest = bytes.as_mut_slice();
        for block in &away.blocks {
            let (into, more) = std::mem::take(&mut rest)
                .split_at_mut_checked(block.len())
                .ok_or_else(|| Error::internal("a result in scratch is longer than it was"))?;
            block.read(into)?;
            rest = more;
        }
        (coding.decode)(&bytes)
    }
}

impl Shelved {
    /// The result, if it is in memory; else the bytes of room that it needs to come there.
    pub fn here(&self) -> Kept<Payload> {
        let place = lock(&self.0.place);
        match (&place.here, &place.away) {
            (Some(value), _) => Kept::Here(value.clone()),
            (None, away) => Kept::Refused(self.0.bytes + away.as_ref().map_or(0, |away| away.bytes)),
        }
    }

    /// The result, which stays where it is.
    ///
    /// # Errors
    /// What scratch meets.
    pub fn borrow(&self) -> Result<Kept<Payload>> {
        self.borrow_in(None)
    }

    /// The same, in room that was got before.
    ///
    /// # Errors
    /// What scratch meets.
    pub fn borrow_in(&self, room: Option<&mut Room>) -> Result<Kept<Payload>> {
        let entry = &self.0;
        let mut place = lock(&entry.place);
        if let Some(value) = &place.here {
            return Ok(Kept::Here(value.clone()));
        }
        let Some(away) = &place.away else { return Err(Error::internal("a result is used after it was taken")) };
        let bytes = entry.bytes + away.bytes;
        let charged = room.is_some_and(|room| room.take(bytes)) || entry.shelf.charge_or_move(bytes);
        if !charged {
            return Ok(Kept::Refused(bytes));
        }
        let read = entry.read(away);
        entry.shelf.discharge(if read.is_ok() { away.bytes } else { bytes });
        let value = read?;
        place.here = Some(value.clone());
        place.charged = true;
        drop(place);
        entry.shelf.list(entry);
        Ok(Kept::Here(value))
    }

    /// The result, which is nobody's from then on but the caller's. It stays charged until this is dropped.
    ///
    /// # Errors
    /// What scratch meets.
    pub fn take(&self) -> Result<Kept<Payload>> {
        let value = match self.borrow()? {
            Kept::Here(value) => value,
            refused => return Ok(refused),
        };
        let entry = &self.0;
        let mut place = lock(&entry.place);
        (place.here, place.away) = (None, None);
        drop(place);
        if entry.bytes >= LEAST {
            entry.shelf.account().movable.remove(&(entry.bytes, entry.number));
        }
        Ok(Kept::Here(value))
    }

    /// The result for somebody outside the budget: it takes no memory of the shelf where it was in scratch.
    ///
    /// # Errors
    /// What scratch meets.
    pub fn out(&self) -> Result<Payload> {
        let place = lock(&self.0.place);
        match (&place.here, &place.away) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(away)) => self.0.read(away),
            (None, None) => Err(Error::internal("a result is used after it was taken")),
        }
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.0.bytes
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let place = self.place.get_mut().unwrap_or_else(PoisonError::into_inner);
        let charged = place.charged;
        // The memory goes first and its account afterwards.
        place.away = None;
        let _ = drop_guarded(place.here.take());
        let mut account = self.shelf.account();
        match self.coding {
            Some(_) if self.bytes < LEAST => {}
            Some(_) => drop(account.movable.remove(&(self.bytes, self.number))),
            None => {
                let (count, bytes) = account.pinned;
                account.pinned = (count.saturating_sub(1), bytes.saturating_sub(self.bytes));
            }
        }
        drop(account);
        if charged {
            self.shelf.discharge(self.bytes);
        }
    }
}

impl fmt::Debug for Shelved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a result of {} bytes", self.0.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coding() -> Coding {
        fn encode(value: &Payload, out: &mut Pieces<'_>) -> Result<()> {
            let text = value.downcast_ref::<String>().unwrap();
            text.as_bytes().chunks(3000).try_for_each(out)
        }
        fn decode(bytes: &[u8]) -> Result<Payload> {
            Ok(Arc::new(String::from_utf8(bytes.to_vec()).unwrap()))
        }
        Coding { encode, decode }
    }

    fn shelf(limit: usize) -> (Shelf, Memory) {
        let memory = Memory::new(limit, 4096);
        (Shelf::new(&memory, &Scratch::new(vec![], None, 1 << 16).unwrap()), memory)
    }

    fn put(shelf: &Shelf, text: &str, coding: Option<Coding>) -> Option<Shelved> {
        let mut value: Option<Payload> = Some(Arc::new(text.to_string()));
        match shelf.put(&mut value, text.len(), coding).unwrap() {
            Kept::Here(shelved) => Some(shelved),
            Kept::Refused(_) => None,
        }
    }

    fn read(shelved: &Shelved) -> String {
        match shelved.borrow().unwrap() {
            Kept::Here(value) => value.downcast_ref::<String>().unwrap().clone(),
            Kept::Refused(bytes) => panic!("{bytes} refused"),
        }
    }

    #[test]
    fn results_beyond_the_budget_are_in_scratch_and_come_back() {
        let (shelf, memory) = shelf(40_000);
        let texts: Vec<String> = (0..20).map(|n| n.to_string().repeat(8000)).collect();
        let shelved: Vec<Shelved> = texts.iter().map(|text| put(&shelf, text, Some(coding())).unwrap()).collect();
        assert!(memory.budget.held() <= 40_000 && shelf.used() <= 40_000);
        for _ in 0..2 {
            for (text, shelved) in texts.iter().zip(&shelved) {
                assert!(read(shelved) == *text);
            }
        }
        drop(shelved);
        assert_eq!(shelf.used(), 0);
        shelf.give(0);
        assert_eq!(memory.budget.held(), 0);
    }

    #[test]
    fn what_cannot_be_written_is_pinned_counted_and_refused_beyond_the_budget() {
        let (shelf, memory) = shelf(20_000);
        let one = put(&shelf, &"x".repeat(12_000), None).unwrap();
        assert!(put(&shelf, &"y".repeat(12_000), None).is_none());
        assert_eq!((shelf.give(1), shelf.pinned()), (0, (1, 12_000)));
        let other = put(&shelf, &"z".repeat(12_000), Some(coding())).unwrap();
        assert!(matches!(other.borrow().unwrap(), Kept::Refused(24_000)));
        drop(one);
        assert_eq!((shelf.pinned(), shelf.used()), ((0, 0), 0));
        drop(other);
        assert!(memory.budget.held() <= 3 * 4096);
    }

    #[test]
    fn room_is_had_at_once_or_not_at_all() {
        let (shelf, _memory) = shelf(40_000);
        let shelved: Vec<Shelved> =
            (0..6).map(|n: u32| put(&shelf, &n.to_string().repeat(8000), Some(coding())).unwrap()).collect();
        shelf.give(usize::MAX);
        let need = |shelved: &Shelved| if let Kept::Refused(bytes) = shelved.here() { bytes } else { 0 };
        assert_eq!(shelved.iter().map(need).sum::<usize>(), 6 * 16_000);
        let mut room = shelf.room(32_000).unwrap();
        assert!(shelf.room(32_000).is_none() && matches!(shelved[5].borrow().unwrap(), Kept::Refused(16_000)));
        for shelved in &shelved[..2] {
            assert!(matches!(shelved.borrow_in(Some(&mut room)).unwrap(), Kept::Here(_)));
        }
        drop(room);
        assert_eq!((shelf.used(), need(&shelved[0]), need(&shelved[2])), (16_000, 0, 16_000));
    }

    #[test]
    fn what_is_there_anyway_is_counted() {
        let (shelf, memory) = shelf(30_000);
        let held = shelf.hold(20_000);
        assert_eq!((memory.budget.held(), shelf.give(1)), (20_000, 0));
        let one = put(&shelf, &"x".repeat(12_000), Some(coding())).unwrap();
        assert_eq!(shelf.used(), 0, "it is in scratch");
        drop(held);
        assert_eq!(read(&one).len(), 12_000);
    }

    #[test]
    fn what_is_in_use_stays() {
        let (shelf, _memory) = shelf(40_000);
        let one = put(&shelf, &"x".repeat(12_000), Some(coding())).unwrap();
        let held = one.borrow().unwrap();
        assert_eq!(shelf.give(1), 0);
        drop(held);
        assert!(shelf.give(1) >= 12_000);
        assert_eq!(shelf.give(1), 0, "it is away");
    }

    #[test]
    fn what_is_taken_stays_charged_until_the_end_and_is_not_copied() {
        let (shelf, _memory) = shelf(40_000);
        let one = put(&shelf, &"x".repeat(12_000), Some(coding())).unwrap();
        let Kept::Here(value) = one.take().unwrap() else { panic!("refused") };
        assert_eq!((shelf.used(), shelf.give(1)), (12_000, 0));
        assert_eq!(Arc::into_inner(value.downcast::<String>().unwrap()).unwrap().len(), 12_000);
        assert!(one.borrow().is_err());
        drop(one);
        assert_eq!(shelf.used(), 0);
    }
}
