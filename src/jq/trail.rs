//! Keys where they are expected: the items of a log mostly have the same keys in the same order, so the keys of the last
//! item are remembered in the order in which they came, whatever object they were in, and the next key is compared with the
//! one that followed last time.
//!
//! ```text
//! {"ts":1,"user":{"id":7,"name":"x"},"path":"/a"}      trail:  "ts":  "user":  "id":  "name":  "path":
//! ```
//!
//! A key is remembered as its bytes up to behind the colon, so one comparison finds where the value begins. A guess holds
//! for the program whose paths it was made with: what keeps a trail is for one program.

/// Most keys that are remembered; of items with more, the first ones.
const MOST: usize = 512;
/// Longest key that is remembered, with its quotes and the colon.
const LONGEST: usize = 128;
/// Keys that may be left out by an item.
const AHEAD: usize = 3;
/// Bytes that are compared at one time.
const WORD: usize = size_of::<u128>();

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    guesses: Vec<Guess>,
    next: usize,
}

#[derive(Debug)]
struct Guess {
    /// The first bytes of the key, and which of them count.
    head: u128,
    mask: u128,
    key: Vec<u8>,
    /// The wanted node of the object that it was in.
    parent: Option<usize>,
    /// The wanted node of its value.
    field: Option<usize>,
}

impl Guess {
    #[inline(always)]
    fn is(&self, rest: &[u8], word: u128, parent: Option<usize>) -> bool {
        word & self.mask == self.head
            && self.parent == parent
            && (self.key.len() <= WORD || rest.starts_with(&self.key))
    }
}

/// The first bytes, the first one lowest; zeros behind their end.
#[inline(always)]
fn word(rest: &[u8]) -> u128 {
    match rest.first_chunk::<WORD>() {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => {
            let mut chunk = [0; WORD];
            chunk.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            u128::from_le_bytes(chunk)
        }
    }
}

impl Trail {
    /// An item begins.
    pub(crate) fn begin(&mut self) {
        self.next = 0;
    }

    /// If the expected key stands at the beginning of `rest`: its length with the colon, and its node.
    #[inline(always)]
    pub(crate) fn follow(&mut self, rest: &[u8], parent: Option<usize>) -> Option<(usize, Option<usize>)> {
        let word = word(rest);
        let guess = self.guesses.get(self.next)?;
        if guess.is(rest, word, parent) {
            self.next += 1;
            return Some((guess.key.len(), guess.field));
        }
        self.look_ahead(rest, word, parent)
    }

    /// Keys that the last item had may be missing.
    #[inline(never)]
    fn look_ahead(&mut self, rest: &[u8], word: u128, parent: Option<usize>) -> Option<(usize, Option<usize>)> {
        for at in self.next + 1..=self.next + AHEAD {
            let guess = self.guesses.get(at)?;
            if guess.is(rest, word, parent) {
                self.next = at + 1;
                return Some((guess.key.len(), guess.field));
            }
        }
        None
    }

    /// Remembers a key (with its quotes and colon) that was not expected.
    pub(crate) fn note(&mut self, key: &[u8], parent: Option<usize>, field: Option<usize>) {
        if key.len() > LONGEST || self.next >= MOST {
            return;
        }
        let bits = 8 * key.len().min(WORD) as u32;
        let mask = if bits == u128::BITS { u128::MAX } else { (1 << bits) - 1 };
        let head = word(key) & mask;
        match self.guesses.get_mut(self.next) {
            Some(guess) => {
                guess.key.clear();
                guess.key.extend_from_slice(key);
                (guess.head, guess.mask, guess.parent, guess.field) = (head, mask, parent, field);
            }
            None => self.guesses.push(Guess { head, mask, key: key.to_vec(), parent, field }),
        }
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_the_last_item_are_expected() {
        let mut trail = Trail::default();
        let long = format!("\"{}\":", "x".repeat(40));
        let keys = ["\"a\":", "\"bc\":", long.as_str(), "\"d\":"];
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(trail.follow(key.as_bytes(), None), None);
            trail.note(key.as_bytes(), None, Some(at));
        }
        for left_out in [None, Some(1), Some(2)] {
            trail.begin();
            for (at, key) in keys.iter().enumerate().filter(|(at, _)| Some(*at) != left_out) {
                let followed = trail.follow(format!("{key}1").as_bytes(), None);
                assert_eq!(followed, Some((key.len(), Some(at))), "{key} without {left_out:?}");
            }
        }
        trail.begin();
        assert_eq!(trail.follow(b"\"a\":1", Some(1)), None, "in another object");
        assert_eq!(trail.follow(b"\"ab\":1", None), None);
        assert_eq!(trail.follow(b"\"a", None), None);
        let other = format!("\"{}y\":", "x".repeat(39));
        assert_eq!(trail.follow(other.as_bytes(), None), None);
    }
}
