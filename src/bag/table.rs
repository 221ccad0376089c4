//! The table of a fold by key: the values of the keys that a worker has met since the table was emptied.
//!
//! ```text
//! index: hash, slot  --->  chunks of slots: key, value, what it takes     in the order in which keys came
//! ```
//!
//! Only the index grows by doubling, and that is small; slots stay where they are. A key of a few bytes is in its slot. A
//! table is emptied chunk by chunk, and its memory comes back as it goes.
//!
//! What the table takes is counted, not seen: a slot, its part of the index, a long key, and for the value what it was
//! encoded to when it had been added to 1, 2, 4, 8 .. times.

use super::coding::{Item, encode};
use crate::error::{Error, Result};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// What an entry of the index takes while the index is half full, and its copy in one that grows.
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
    /// Bytes of the value, when it was measured.
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

#[derive(Clone, Copy)]
struct Place {
    hash: u32,
    slot: u32,
}

/// Half of a hash is enough for an index, which is grown without looking at keys.
fn half(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

pub(super) struct Table<A> {
    index: HashTable<Place>,
    chunks: Vec<Vec<Slot<A>>>,
    bytes: usize,
    /// Where values are encoded to be measured.
    measure: Vec<u8>,
}

impl<A> Table<A> {
    pub(super) fn new() -> Self {
        Table { index: HashTable::new(), chunks: Vec::new(), bytes: 0, measure: Vec::new() }
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
        self.index = HashTable::new();
        let chunks = std::mem::take(&mut self.chunks).into_iter();
        Leaving { chunks, chunk: Vec::new().into_iter(), bytes: std::mem::take(&mut self.bytes) }
    }

    /// The number of the slot of a key, which is made if there is none.
    fn slot(&mut self, hash: u64, key: &[u8], init: impl FnOnce() -> A) -> Result<usize> {
        let (hash, chunks) = (half(hash), &mut self.chunks);
        let same = |place: &Place| {
            place.hash == hash && slot_in(chunks, place.slot as usize).is_some_and(|slot| slot.key.bytes() == key)
        };
        match self.index.entry(spread(hash), same, |place| spread(place.hash)) {
            Entry::Occupied(entry) => Ok(entry.get().slot as usize),
            Entry::Vacant(entry) => {
                let number = chunks.len().saturating_sub(1) * Slot::<A>::CHUNK + chunks.last().map_or(0, Vec::len);
                let slot = u32::try_from(number).map_err(|_| Error::resources("a fold has too many keys at a time"))?;
                let made = Slot { key: Key::of(key), value: Some(init()), adds: 0, bytes: 0 };
                self.bytes += made.cost();
                push(chunks, made);
                entry.insert(Place { hash, slot });
                Ok(number)
            }
        }
    }
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
    /// Makes another value of the value of a key, which begins as `init`.
    pub(super) fn add(
        &mut self,
        hash: u64,
        key: &[u8],
        init: impl FnOnce() -> A,
        add: impl FnOnce(A) -> Result<A>,
    ) -> Result<()> {
        let number = self.slot(hash, key, init)?;
        let chunk = self.chunks.get_mut(number / Slot::<A>::CHUNK).ok_or_else(lost)?;
        let slot = chunk.get_mut(number % Slot::<A>::CHUNK).ok_or_else(lost)?;
        let after = add(slot.value.take().ok_or_else(lost)?)?;
        slot.adds = slot.adds.saturating_add(1);
        if slot.adds.is_power_of_two() {
            self.measure.clear();
            encode(&after, &mut self.measure)?;
            self.bytes = (self.bytes + self.measure.len()).saturating_sub(slot.bytes);
            slot.bytes = self.measure.len();
        }
        slot.value = Some(after);
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
                let grown = |mut list: Vec<u32>| {
                    list.push(n);
                    Ok(list)
                };
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
        let add = |text: &'static str| move |all: String| Ok(all + text);
        table.add(1, b"k", String::new, add("a")).unwrap();
        let small = table.bytes();
        for _ in 0..3 {
            table.add(1, b"k", String::new, add(&"b".repeat(1000).leak()[..])).unwrap();
        }
        assert!((3000..3100).contains(&(table.bytes() - small)), "{} {small}", table.bytes());
        table.add(1, &[b'l'; 100], String::new, add("")).unwrap();
        assert!(table.bytes() - small > 3000 + 100 + PLACE);
        assert_eq!(table.take().last().unwrap().key(), [b'l'; 100]);
        assert!(table.add(1, b"k", String::new, |_| Err(Error::data("no"))).is_err());
        assert!(table.take().next().unwrap().value().is_err());
    }
}
