//! Frames: for each row, the numbers of the first row that it sees and of the row after the last.
//!
//! With `EXCLUDE` there is a hole around the row, so that a frame has a left and a right part ([`Parts`]).
//!
//! Inside a partition all these only grow. Ends that go by rows and peers are arithmetic; ends that go by groups or by a distance
//! of keys are places on the tape that walk forward, each over its own batch. Keys are compared as `arrow-row` writes them,
//! in the order of the sort: so a descending order, nulls (which see just their peers) and NaN need no thought.

use super::levels::{Rows, marks};
use super::tape::{Cursor, Tape};
use super::{Edge, Exclude, Frame, Need, Shared, Window};
use crate::error::{Error, Result};
use arrow::array::ArrayRef;
use arrow_row::{RowConverter, Rows as Encoded, SortField};
use std::sync::Arc;

/// The frames of a batch's rows; an empty one has its start as its end.
#[derive(Default)]
pub(super) struct Frames {
    /// The number of the batch's first row.
    first: u64,
    pub(super) starts: Vec<u64>,
    pub(super) ends: Vec<u64>,
    /// What is left out; none, if nothing is.
    holes: Vec<(u64, u64)>,
    /// Whether the row itself is not left out with its peers.
    ties: bool,
}

/// The rows of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Those before the hole; all, if there is none.
    pub(super) left: (u64, u64),
    /// The row itself, if it is in the hole and yet in the frame.
    pub(super) here: Option<u64>,
    /// Those behind the hole.
    pub(super) right: (u64, u64),
}

impl Frames {
    /// The rows of each frame.
    pub(super) fn parts(&self) -> impl Iterator<Item = Parts> + '_ {
        let bounds = self.starts.iter().zip(&self.ends).enumerate();
        bounds.map(|(i, (start, end))| match self.holes.get(i) {
            None => Parts { left: (*start, *end), here: None, right: (*end, *end) },
            Some((from, to)) => {
                let row = self.first + i as u64;
                let (left, right) = ((*from).clamp(*start, *end), (*to).clamp(*start, *end));
                let here = Some(row).filter(|r| self.ties && (start..end).contains(&r));
                Parts { left: (*start, left), here, right: (right, *end) }
            }
        })
    }
}

/// Places the frames of one kind.
pub(super) struct Framer {
    shared: Arc<Shared>,
    frame: Frame,
    partition: usize,
    peers: usize,
    start: Walker,
    end: Walker,
}

/// A place that walks forward.
enum Walker {
    /// No need to walk.
    Still,
    Groups(GroupWalker),
    Keys(Box<KeyWalker>),
}

#[derive(Default)]
struct GroupWalker {
    cursor: Cursor,
    at: u64,
    /// The number of the group that `at` is in.
    ordinal: u64,
}

struct KeyWalker {
    cursor: Cursor,
    at: u64,
    converter: RowConverter,
    key: usize,
    target: usize,
    /// The keys of the batch that begins at this row.
    keys: Option<(u64, Encoded)>,
}

impl Framer {
    pub(super) fn new(shared: &Arc<Shared>, window: &Window) -> Result<Self> {
        Ok(Framer {
            frame: window.frame,
            partition: shared.level(window.partition),
            peers: shared.level(window.peers),
            start: Walker::new(shared, window.frame.start)?,
            end: Walker::new(shared, window.frame.end)?,
            shared: shared.clone(),
        })
    }

    /// How far ahead of a row its frame must be known.
    pub(super) fn need(&self) -> Need {
        match (self.frame.start, self.frame.end) {
            (_, Edge::Unbounded) => Need::Partition,
            (Edge::Range { following: true, .. }, _) => Need::Partition,
            (Edge::Group(n), _) if n > 0 => Need::Partition,
            (_, Edge::Range { following: true, .. }) => Need::Partition,
            (_, Edge::Group(n)) if n > 0 => Need::Partition,
            (_, Edge::Peers | Edge::Group(0) | Edge::Range { .. }) => Need::Peers,
            (_, Edge::Row(n)) => Need::Rows(n.max(0) as u64),
            (_, Edge::Group(_)) => Need::Nothing,
        }
    }

    /// The first row that it will look at again.
    pub(super) fn keeps(&self, next: u64) -> u64 {
        self.start.keeps(next).min(self.end.keeps(next))
    }

    pub(super) fn place(&mut self, rows: &Rows, tape: &mut Tape) -> Result<Frames> {
        let mark = self.shared.mark(self.peers);
        let (partition, peers) = (rows.level(self.partition)?, rows.level(self.peers)?);
        let first = rows.piece.first;
        let targets = |walker: &mut Walker| walker.targets(rows);
        let (from, to) = (targets(&mut self.start)?, targets(&mut self.end)?);
        let mut frames = Frames {
            first,
            starts: Vec::with_capacity(rows.len()),
            ends: Vec::with_capacity(rows.len()),
            holes: match self.frame.exclude {
                Exclude::Nothing => Vec::new(),
                Exclude::Current => (first..rows.piece.end()).map(|row| (row, row + 1)).collect(),
                Exclude::Group | Exclude::Ties => {
                    peers.starts.iter().copied().zip(peers.ends.iter().copied()).collect()
                }
            },
            ties: self.frame.exclude == Exclude::Ties,
        };
        let bounds = partition.starts.iter().zip(&partition.ends);
        let groups = peers.starts.iter().zip(&peers.ends).zip(&peers.ordinals);
        for (i, ((begin, end), ((peer, last), ordinal))) in bounds.zip(groups).enumerate() {
            let row = first + i as u64;
            if row == *begin {
                self.start.enter(row, *ordinal);
                self.end.enter(row, *ordinal);
            }
            let start = match self.frame.start {
                Edge::Unbounded => *begin,
                Edge::Row(n) => moved(row, n),
                Edge::Peers => *peer,
                Edge::Group(n) => self.start.group(moved(*ordinal, n), *end, tape, mark)?,
                Edge::Range { .. } => self.start.key(from.as_ref(), i, false, *end, tape)?,
            };
            let stop = match self.frame.end {
                Edge::Unbounded => *end,
                Edge::Row(n) => moved(row, n.saturating_add(1)),
                Edge::Peers => *last,
                Edge::Group(n) => self.end.group(moved(*ordinal, n.saturating_add(1)), *end, tape, mark)?,
                Edge::Range { .. } => self.end.key(to.as_ref(), i, true, *end, tape)?,
            };
            let start = start.clamp(*begin, *end);
            frames.starts.push(start);
            frames.ends.push(stop.clamp(start, *end));
        }
        Ok(frames)
    }
}

/// `row` and `n` rows more.
pub(super) fn moved(row: u64, n: i64) -> u64 {
    row.saturating_add_signed(n)
}

impl Walker {
    fn new(shared: &Shared, edge: Edge) -> Result<Self> {
        Ok(match edge {
            Edge::Group(_) => Walker::Groups(GroupWalker::default()),
            Edge::Range { key, target, options, .. } => {
                let field = SortField::new_with_options(shared.data_type(key)?.clone(), options);
                let converter = RowConverter::new(vec![field])?;
                Walker::Keys(Box::new(KeyWalker {
                    cursor: Cursor::default(),
                    at: 0,
                    converter,
                    key,
                    target,
                    keys: None,
                }))
            }
            _ => Walker::Still,
        })
    }

    fn keeps(&self, next: u64) -> u64 {
        match self {
            Walker::Still => next,
            Walker::Groups(walker) => walker.at.min(next),
            Walker::Keys(walker) => walker.at.min(next),
        }
    }

    /// A partition begins at `row`, with the group `ordinal`.
    fn enter(&mut self, row: u64, ordinal: u64) {
        match self {
            Walker::Still => {}
            Walker::Groups(walker) => (walker.at, walker.ordinal) = (row, ordinal),
            Walker::Keys(walker) => walker.at = row,
        }
    }

    fn targets(&mut self, rows: &Rows) -> Result<Option<Encoded>> {
        match self {
            Walker::Keys(walker) => Ok(Some(walker.encode(rows.piece.column(walker.target)?)?)),
            _ => Ok(None),
        }
    }

    /// The first row in the group `ordinal` or a later one.
    fn group(&mut self, ordinal: u64, end: u64, tape: &mut Tape, mark: usize) -> Result<u64> {
        match self {
            Walker::Groups(walker) => walker.walk(ordinal, end, tape, mark),
            _ => Err(Error::internal("a frame of groups that does not count them")),
        }
    }

    /// The first row whose key is not before the target (`beyond`: is behind it).
    fn key(&mut self, targets: Option<&Encoded>, row: usize, beyond: bool, end: u64, tape: &mut Tape) -> Result<u64> {
        match (self, targets) {
            (Walker::Keys(walker), Some(targets)) => walker.walk(targets.row(row).as_ref(), beyond, end, tape),
            _ => Err(Error::internal("a frame of keys that does not compare them")),
        }
    }
}

impl GroupWalker {
    fn walk(&mut self, ordinal: u64, end: u64, tape: &mut Tape, mark: usize) -> Result<u64> {
        while self.ordinal < ordinal && self.at < end {
            // To the next row that begins a group, in this batch or behind it.
            let piece = self.cursor.at(self.at, tape)?;
            let (index, marks) = (piece.index(self.at), marks(piece, mark)?.values());
            let rest = marks.slice(index + 1, marks.len() - index - 1);
            match rest.set_indices().next() {
                Some(more) => {
                    self.at += 1 + more as u64;
                    self.ordinal += 1;
                }
                None => {
                    self.at = piece.end();
                    if self.at < end {
                        let piece = self.cursor.at(self.at, tape)?;
                        self.ordinal += u64::from(super::levels::marks(piece, mark)?.value(0));
                    }
                }
            }
        }
        self.at = self.at.min(end);
        Ok(self.at)
    }
}

impl KeyWalker {
    fn encode(&self, column: &ArrayRef) -> Result<Encoded> {
        Ok(self.converter.convert_columns(&[super::keys::canonical(column)])?)
    }

    fn walk(&mut self, target: &[u8], beyond: bool, end: u64, tape: &mut Tape) -> Result<u64> {
        while self.at < end {
            let piece = self.cursor.at(self.at, tape)?.clone();
            let keys = match &self.keys {
                Some((first, keys)) if *first == piece.first => keys,
                _ => {
                    let keys = self.encode(piece.column(self.key)?)?;
                    &self.keys.insert((piece.first, keys)).1
                }
            };
            let last = piece.end().min(end);
            while self.at < last {
                let row = keys.row(piece.index(self.at));
                let inside = if beyond { row.as_ref() > target } else { row.as_ref() >= target };
                if inside {
                    return Ok(self.at);
                }
                self.at += 1;
            }
        }
        Ok(self.at)
    }
}
