//! Inputs: a seed (a sound file, or one that broke somebody), bent by a few edits.

use std::path::Path;

/// A seed, edits of it, and how it is read: what the library makes up.
pub type Case = (u16, Vec<Edit>, u64);

/// A kind of edit, a place, a value.
pub type Edit = (u8, u32, u8);

/// The most bytes of a file that is a seed, and of an input that grows.
const MOST: u64 = 64 << 10;

/// Sound and broken inputs of one kind, and pieces that mean something in it.
pub struct Inputs {
    pub seeds: Vec<Vec<u8>>,
    most: u64,
    pub tokens: Vec<&'static [u8]>,
}

impl Inputs {
    pub fn new(tokens: &[&'static str]) -> Inputs {
        Inputs { seeds: Vec::new(), most: MOST, tokens: tokens.iter().map(|t| t.as_bytes()).collect() }
    }

    /// Files of text are taken only up to 3 KiB: they are read in many small splits.
    pub fn of_text(mut self) -> Inputs {
        self.most = 3 << 10;
        self
    }

    pub fn seed(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.seeds.push(bytes.into());
        self
    }

    pub fn seeds<T: Into<Vec<u8>>>(mut self, all: impl IntoIterator<Item = T>) -> Self {
        self.seeds.extend(all.into_iter().map(Into::into));
        self
    }

    /// Files of this repository with one of some endings.
    pub fn files(self, dir: &str, endings: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
        let found = self.below(&root, endings, usize::MAX);
        assert!(!found.seeds.is_empty(), "there is nothing in {dir}");
        found
    }

    /// Some of the files of the test data beside the repository, if they are there.
    pub fn shared(self, dir: &str, endings: &[&str], most: usize) -> Self {
        let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
        let root = std::env::var_os("SHARED_TESTDATA").map_or(usual, Into::into).join(dir);
        match root.is_dir() {
            true => self.below(&root, endings, most),
            false => {
                eprintln!("skipped: {} is not there", root.display());
                self
            }
        }
    }

    fn below(mut self, root: &Path, endings: &[&str], most: usize) -> Self {
        let (mut dirs, mut files) = (vec![root.to_path_buf()], Vec::new());
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                match path.is_dir() {
                    true => dirs.push(path),
                    false if endings.is_empty() || endings.iter().any(|e| name.ends_with(e)) => files.push(path),
                    false => {}
                }
            }
        }
        files.sort();
        files.retain(|path| path.metadata().is_ok_and(|meta| meta.len() <= self.most));
        let step = files.len().div_ceil(most).max(1);
        self.seeds.extend(files.iter().step_by(step).map(|path| std::fs::read(path).unwrap()));
        self
    }

    /// The bytes of a case.
    pub fn bytes(&self, case: &Case) -> Vec<u8> {
        let mut bytes = self.seeds[usize::from(case.0) % self.seeds.len()].clone();
        for (kind, at, value) in &case.1 {
            self.edit(&mut bytes, *kind, *at as usize, *value);
        }
        bytes
    }

    fn edit(&self, bytes: &mut Vec<u8>, kind: u8, at: usize, value: u8) {
        let place = at % (bytes.len() + 1);
        let length = usize::from(value) % 64 + 1;
        let end = bytes.len().min(place + length);
        match kind % 10 {
            0 if place < bytes.len() => bytes[place] = value,
            1 if place < bytes.len() => bytes[place] ^= 1 << (value % 8),
            2 => bytes.insert(place, value),
            3 => drop(bytes.drain(place..end)),
            4 if bytes.len() < 2 * MOST as usize => {
                let again = bytes[place..end].to_vec();
                bytes.splice(place..place, again);
            }
            5 | 6 if !self.tokens.is_empty() => {
                let token = self.tokens[usize::from(value) % self.tokens.len()];
                bytes.splice(place..place, token.iter().copied());
            }
            7 if value < 32 => bytes.truncate(place),
            8 if place < bytes.len() => {
                // A number of two bytes, at its edges.
                let edge = [0x00u8, 0x01, 0x7f, 0x80, 0xff][usize::from(value) % 5];
                let end = bytes.len().min(place + 2);
                bytes[place..end].fill(edge);
            }
            9 => {
                let other = &self.seeds[usize::from(value) % self.seeds.len()];
                let from = at / 7 % (other.len() + 1);
                let piece = other[from..other.len().min(from + 40)].to_vec();
                bytes.splice(place..end, piece);
            }
            _ => {}
        }
    }
}
