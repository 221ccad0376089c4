//! The table of a fold by key: the values of the keys that a worker has met since the table was emptied.
//!
//! ```text
//! index: hash, slot  --->  chunks of slots: key, value, what it takes     in the order in which keys came
//! ```
//!
//! Only the index grows by doubling, and that is small; slots stay where they are. A key of a few bytes is in its slot. A
//! table is emptied chunk by chunk, and its memory comes back as it goes.
//!
//! What the table takes is counted, not seen: a slot, its part of the index, a long key, and for a value that may have more
//! than its slot what it was encoded to when it had been added to 1, 2, 4, 8 .. times.
//!
//! A table of many keys is larger than the caches, and whoever adds items one by one waits for memory twice an item. So the
//! keys of several items ([`together`](super::together)) are looked up together: their places in the index are asked for,
//! then their slots, and then the items are added.

use super::coding::{Item, encode};
use crate::error::{Error, Result};

/// What a place of the index takes while the index is half full, and its copy in one that grows.
const PLACE: usize = 32;
/// Bytes of a chunk, about.
const CHUNK_BYTES: usize = 256 << 10;
/// The longest key that is in its slot.
const SHORT: usize = 22;

/// The bytes of a key.
enum Key {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

impl Key {
    fn of(key: &[u8]) -> Key {
        let mut bytes = [0; SHORT];
        match (bytes.get_mut(..key.len()), u8::try_from(key.len())) {
            (Some(to), Ok(len)) => {
                to.copy_from_slice(key);
                Key::Short(len, bytes)
            }
            _ => Key::Long(key.into()),
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Key::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Key::Long(bytes) => bytes,
        }
    }
}

/// A key with its value.
pub(super) struct Slot<A> {
    key: Key,
    /// `None` only while an item is added.
    value: Option<A>,
    adds: u32,
    /// Bytes that the value has elsewhere, when it was measured.
    bytes: usize,
}

impl<A> Slot<A> {
    const CHUNK: usize = {
        let slots = CHUNK_BYTES / size_of::<Slot<A>>();
        if slots < 16 { 16 } else { 1 << slots.ilog2() }
    };

    /// Bytes that it takes.
    fn cost(&self) -> usize {
        let key = match &self.key {
            Key::Short(..) => 0,
            Key::Long(bytes) => bytes.len() + 16,
        };
        PLACE + size_of::<Self>() + key + self.bytes
    }

    pub(super) fn key(&self) -> &[u8] {
        self.key.bytes()
    }

    pub(super) fn value(&self) -> Result<&A> {
        self.value.as_ref().ok_or_else(lost)
    }
}

fn lost() -> Error {
    Error::internal("a value of a fold was lost")
}

/// Half of a hash is enough for an index, which is grown without looking at keys.
#[inline]
fn half(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// An entry of the index: half of the hash, and the number of the slot. Nought is a free one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Place(u64);

impl Place {
    const FREE: Place = Place(0);

    fn new(half: u32, slot: u32) -> Place {
        Place((u64::from(half) << 32) | (u64::from(slot) + 1))
    }

    #[inline(always)]
    fn half(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline(always)]
    fn slot(self) -> usize {
        (self.0 as u32 as usize).wrapping_sub(1)
    }
}

/// Where the slots of keys are: a key's place is the first free one from where its hash says. A power of two of places, of
/// which a quarter at least is free.
#[derive(Default)]
struct Index {
    places: Vec<Place>,
    used: usize,
}

impl Index {
    /// The places to look at, one after the other, for a hash.
    #[inline(always)]
    fn from(&self, half: u32) -> impl Iterator<Item = usize> + use<> {
        let mask = self.places.len().wrapping_sub(1);
        (half as usize..).map(move |at| at & mask).take(self.places.len())
    }

    #[inline(always)]
    fn at(&self, place: usize) -> Place {
        self.places.get(place).copied().unwrap_or_default()
    }

    /// The slot of a hash that is `same`.
    #[inline(always)]
    fn find(&self, half: u32, same: impl Fn(usize) -> bool) -> Option<usize> {
        for place in self.from(half) {
            match self.at(place) {
                Place::FREE => return None,
                found if found.half() == half && same(found.slot()) => return Some(found.slot()),
                _ => {}
            }
        }
        None
    }

    #[inline(never)]
    fn insert(&mut self, half: u32, slot: u32) {
        if self.used >= self.places.len() / 4 * 3 {
            let more = vec![Place::FREE; (2 * self.places.len()).max(16)];
            for place in std::mem::replace(&mut self.places, more).into_iter().filter(|place| *place != Place::FREE) {
                self.put(place);
            }
        }
        self.put(Place::new(half, slot));
        self.used += 1;
    }

    fn put(&mut self, new: Place) {
        let free = self.from(new.half()).find(|place| self.at(*place) == Place::FREE);
        if let Some(place) = free.and_then(|free| self.places.get_mut(free)) {
            *place = new;
        }
    }
}

pub(super) struct Table<A> {
    index: Index,
    chunks: Vec<Vec<Slot<A>>>,
    bytes: usize,
    /// Where values are encoded to be measured.
    measure: Vec<u8>,
}

impl<A> Table<A> {
    pub(super) fn new() -> Self {
        Table { index: Index::default(), chunks: Vec::new(), bytes: 0, measure: Vec::new() }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Everything that is in it, which is then empty.
    pub(super) fn take(&mut self) -> Leaving<A> {
        self.index = Index::default();
        let chunks = std::mem::take(&mut self.chunks).into_iter();
        Leaving { chunks, chunk: Vec::new().into_iter(), bytes: std::mem::take(&mut self.bytes) }
    }

    /// Lets the processor bring in the place of a hash, which is asked for soon.
    #[inline(always)]
    pub(super) fn expect_place(&self, hash: u64) {
        let place = self.index.from(half(hash)).next();
        if let Some(place) = place.and_then(|place| self.index.places.get(place)) {
            fetch(place);
        }
    }

    /// The same with the slot of a hash, whose place is here.
    #[inline(always)]
    pub(super) fn expect_slot(&self, hash: u64) {
        if let Some(slot) = self.index.find(half(hash), |_| true).and_then(|slot| slot_in(&self.chunks, slot)) {
            fetch(&slot.key);
            fetch(&slot.bytes);
        }
    }

    /// The number of the slot of a key, which is made if there is none.
    #[inline(always)]
    fn slot(&mut self, hash: u64, key: &[u8], init: impl FnOnce() -> A) -> Result<usize> {
        let (half, chunks) = (half(hash), &self.chunks);
        let same = |slot: usize| slot_in(chunks, slot).is_some_and(|slot| slot.key.bytes() == key);
        match self.index.find(half, same) {
            Some(slot) => Ok(slot),
            None => self.insert(half, key, init()),
        }
    }

    #[inline(never)]
    fn insert(&mut self, half: u32, key: &[u8], value: A) -> Result<usize> {
        let number = self.chunks.len().saturating_sub(1) * Slot::<A>::CHUNK + self.chunks.last().map_or(0, Vec::len);
        // The greatest number is no slot's: see `Place`.
        let slot = u32::try_from(number).ok().filter(|slot| *slot < u32::MAX);
        let slot = slot.ok_or_else(|| Error::resources("a fold has too many keys at a time"))?;
        let made = Slot { key: Key::of(key), value: Some(value), adds: 0, bytes: 0 };
        self.bytes += made.cost();
        push(&mut self.chunks, made);
        self.index.insert(half, slot);
        Ok(number)
    }
}

/// Tells the processor that what is there will be wanted, where it can be told.
#[inline(always)]
fn fetch<T>(there: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which touches nothing; every x86-64 has it.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(there).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = there;
}

fn slot_in<A>(chunks: &[Vec<Slot<A>>], number: usize) -> Option<&Slot<A>> {
    chunks.get(number / Slot::<A>::CHUNK)?.get(number % Slot::<A>::CHUNK)
}

fn push<A>(chunks: &mut Vec<Vec<Slot<A>>>, slot: Slot<A>) {
    match chunks.last_mut() {
        Some(last) if last.len() < Slot::<A>::CHUNK => last.push(slot),
        last => {
            // The first one grows as it must, since most tables are small.
            let room = if last.is_some() { Slot::<A>::CHUNK } else { 0 };
            let mut chunk = Vec::with_capacity(room);
            chunk.push(slot);
            chunks.push(chunk);
        }
    }
}

impl<A: Item> Table<A> {
    /// Changes the value of a key, which begins as `init`.
    #[inline(always)]
    pub(super) fn add(
        &mut self,
        hash: u64,
        key: &[u8],
        init: impl FnOnce() -> A,
        add: impl FnOnce(&mut Option<A>) -> Result<()>,
    ) -> Result<()> {
        let number = self.slot(hash, key, init)?;
        let chunk = self.chunks.get_mut(number / Slot::<A>::CHUNK).ok_or_else(lost)?;
        let slot = chunk.get_mut(number % Slot::<A>::CHUNK).ok_or_else(lost)?;
        add(&mut slot.value)?;
        slot.adds = slot.adds.saturating_add(1);
        // What has nothing to drop has nothing elsewhere.
        if std::mem::needs_drop::<A>() && slot.adds.is_power_of_two() {
            self.measure.clear();
            encode(slot.value()?, &mut self.measure)?;
            self.bytes = (self.bytes + self.measure.len()).saturating_sub(slot.bytes);
            slot.bytes = self.measure.len();
        }
        Ok(())
    }
}

/// Slots on their way out of a table, in the order in which their keys came.
pub(super) struct Leaving<A> {
    chunks: std::vec::IntoIter<Vec<Slot<A>>>,
    chunk: std::vec::IntoIter<Slot<A>>,
    bytes: usize,
}

impl<A> Leaving<A> {
    /// Bytes that the rest takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<A> Iterator for Leaving<A> {
    type Item = Slot<A>;

    fn next(&mut self) -> Option<Slot<A>> {
        loop {
            if let Some(slot) = self.chunk.next() {
                self.bytes = self.bytes.saturating_sub(slot.cost());
                return Some(slot);
            }
            self.chunk = self.chunks.next()?.into_iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Keys of many lengths, with hashes that collide.
    #[test]
    fn values_of_a_table_are_those_of_a_map() {
        for mask in [u64::MAX, 7, 0] {
            let (mut table, mut map) = (Table::new(), BTreeMap::<Vec<u8>, Vec<u32>>::new());
            for n in 0..if mask == u64::MAX { 60_000u32 } else { 900 } {
                let key = n % 20_011 * 7919 % 20_011;
                let key = vec![b'a' + (key % 23) as u8; (key % 41) as usize]
                    .into_iter()
                    .chain(key.to_le_bytes())
                    .collect::<Vec<u8>>();
                let hash = twox_hash::XxHash64::oneshot(0, &key) & mask;
                let grown = |list: &mut Option<Vec<u32>>| {
                    list.as_mut().unwrap().push(n);
                    Ok(())
                };
                table.expect_place(hash);
                table.expect_slot(hash);
                table.add(hash, &key, Vec::new, grown).unwrap();
                map.entry(key).or_default().push(n);
            }
            assert!(table.bytes() >= map.len() * (PLACE + size_of::<Slot<Vec<u32>>>()));
            let mut leaving = table.take();
            assert!(table.is_empty() && table.bytes() == 0);
            let mut all = BTreeMap::new();
            for slot in leaving.by_ref() {
                assert!(all.insert(slot.key().to_vec(), slot.value().unwrap().clone()).is_none());
            }
            assert_eq!((all, leaving.bytes()), (map, 0));
        }
    }

    #[test]
    fn what_a_value_takes_is_counted_as_it_grows() {
        let mut table = Table::new();
        let add = |text: &'static str| {
            move |all: &mut Option<String>| {
                *all = all.take().map(|all| all + text);
                Ok(())
            }
        };
        table.add(1, b"k", String::new, add("a")).unwrap();
        let small = table.bytes();
        for _ in 0..3 {
            table.add(1, b"k", String::new, add(&"b".repeat(1000).leak()[..])).unwrap();
        }
        assert!((3000..3100).contains(&(table.bytes() - small)), "{} {small}", table.bytes());
        table.add(1, &[b'l'; 100], String::new, add("")).unwrap();
        assert!(table.bytes() - small > 3000 + 100 + PLACE);
        assert_eq!(table.take().last().unwrap().key(), [b'l'; 100]);
        let lost = |value: &mut Option<String>| {
            *value = None;
            Err(Error::data("no"))
        };
        assert!(table.add(1, b"k", String::new, lost).is_err());
        assert!(table.take().next().unwrap().value().is_err());
    }
}
