//! Rows made by jq: a column for each of some programs, many rows to an item.
//!
//! Who folds or describes wants a few values of each record, of records without number. As items they would be made one by
//! one, written into objects, and read again with their keys. Here:
//!
//! 1. All programs are one, which puts out a value for each column: it runs once a record, on the bytes where it was read.
//! 2. The values of many records gather as text, one behind the other ([`JqRows`]): nothing is allocated for a record.
//! 3. [`Bag::<JqRows>::to_frame`] keeps that text at rest, finds out what types all values of a column have, and reads them
//!    straight into columns, piece by piece.
//!
//! ```text
//! .user.id   .bytes         "u7"\n12\n"u9"\nnull\n ..          one row: "u7", 12
//! ```

use super::Bag;
use super::frames::Texts;
use super::items::{Blocked, Chain, Items, Pulled, Pulse};
use super::jq::{Jq, limits};
use super::json::Json;
use super::lines::Make;
use super::text::TextOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::formats::{SeenObjects, rows_of};
use crate::frame::{Frame, Session};
use crate::jq::{Limits, Outputs, Program, Room};
use serde::Serialize;
use std::sync::{Arc, OnceLock};

/// The most bytes of values that gather.
const PIECE: usize = 128 << 10;

/// Columns, each with the program whose first output is its value; null where that puts out nothing.
///
/// ```
/// # fn main() -> partita::Result<()> {
/// use partita::bag::JqColumns;
/// use partita::prelude::*;
///
/// let session = Session::builder().memory("64MiB")?.build()?;
/// let columns = JqColumns::new().column("user", ".user.name")?.column("tag", ".tags[]")?;
/// let rows = session.read_jq_rows("testdata/events.jsonl", &columns, &TextOptions::default())?.to_frame()?;
/// session.register("tagged", &rows)?;
/// assert_eq!(session.sql("SELECT * FROM tagged WHERE \"user\" = 'bob' AND tag = 'a'")?.count()?, 12);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct JqColumns {
    names: Vec<String>,
    programs: Vec<String>,
}

impl JqColumns {
    /// No columns.
    pub fn new() -> Self {
        JqColumns::default()
    }

    /// With one more column.
    ///
    /// # Errors
    /// `Usage`, for a name that is there already; as [`Jq::check`], for a program that is none.
    pub fn column(mut self, name: impl Into<String>, program: impl Into<String>) -> Result<Self> {
        let (name, program) = (name.into(), program.into());
        if self.names.contains(&name) {
            return Err(Error::new(ErrorKind::Usage, format!("there is a column {name:?} already")));
        }
        // Its own errors, with a caret in it.
        Jq::new(program.as_str()).check()?;
        self.names.push(name);
        self.programs.push(program);
        Ok(self)
    }

    fn names(&self) -> Arc<[String]> {
        self.names.as_slice().into()
    }

    /// The program that puts out a value for each column.
    fn program(&self) -> Result<Jq> {
        let first: Vec<String> = self.programs.iter().map(|program| format!("[{program}\n][0]")).collect();
        match first.is_empty() {
            true => Err(Error::new(ErrorKind::Usage, "rows need a column")),
            false => Ok(Jq::new(first.join(", "))),
        }
    }
}

/// Some rows of values, by column: what [`Session::read_jq_rows`] and [`Bag::jq_rows`] make.
#[derive(Clone, Debug)]
pub struct JqRows {
    names: Arc<[String]>,
    /// Values of JSON, each with a line end behind it.
    values: Vec<u8>,
    rows: usize,
}

impl JqRows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Some rows with these values.
    fn of(names: &Arc<[String]>, values: Vec<u8>, rows: usize) -> Option<JqRows> {
        (rows > 0).then(|| JqRows { names: names.clone(), values, rows })
    }
}

/// A row that lacks values would move all behind it.
#[inline]
fn check(values: usize, names: &[String]) -> Result<()> {
    if values == names.len() { Ok(()) } else { Err(Error::internal("a row that lacks values")) }
}

/// What gathers at most.
#[derive(Clone, Copy)]
struct Most {
    bytes: usize,
    rows: usize,
}

impl Most {
    #[inline]
    fn is_reached(self, bytes: usize, rows: usize) -> bool {
        bytes >= self.bytes || rows >= self.rows
    }

    fn of(session: &Session) -> Most {
        let tuning = session.lowering().limits.tuning;
        Most { bytes: PIECE.min(tuning.batch_bytes), rows: tuning.batch_rows }
    }
}

/// Rows of the lines of a partition.
struct OfLines {
    program: Arc<Program>,
    limits: Limits,
    room: Room,
    names: Arc<[String]>,
    values: Outputs,
    rows: usize,
    most: Most,
}

impl Make<JqRows> for OfLines {
    fn make(&mut self, line: &[u8], file: &Arc<str>) -> Result<Option<JqRows>> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        self.values.count_anew();
        self.room.reads(Some(file));
        self.program.run(line, &self.limits, None, &mut self.room, &mut self.values)?;
        check(self.values.len(), &self.names)?;
        self.rows += 1;
        let is_enough = self.most.is_reached(self.values.lines().len(), self.rows);
        Ok(if is_enough { self.rest() } else { None })
    }

    fn rest(&mut self) -> Option<JqRows> {
        JqRows::of(&self.names, self.values.take_lines(), std::mem::take(&mut self.rows))
    }
}

/// Rows of the lists of a partition, each of which has the values of one.
struct OfLists {
    input: Chain<Vec<Json>>,
    names: Arc<[String]>,
    values: Vec<u8>,
    rows: usize,
    most: Most,
}

impl OfLists {
    fn push(&mut self, values: &[Json]) -> Result<()> {
        check(values.len(), &self.names)?;
        for value in values {
            self.values.extend_from_slice(value.as_str().as_bytes());
            self.values.push(b'\n');
        }
        self.rows += 1;
        Ok(())
    }

    fn take(&mut self) -> Option<JqRows> {
        let room = Vec::with_capacity(self.values.len());
        JqRows::of(&self.names, std::mem::replace(&mut self.values, room), std::mem::take(&mut self.rows))
    }
}

impl Items<JqRows> for OfLists {
    fn begin(&mut self, pulse: &mut Pulse<'_>) -> Result<Option<Blocked>> {
        self.input.begin(pulse)
    }

    fn next(&mut self, pulse: &mut Pulse<'_>) -> Result<Pulled<JqRows>> {
        loop {
            match self.input.next(pulse)? {
                Pulled::Item(values) => {
                    self.push(&values)?;
                    if self.most.is_reached(self.values.len(), self.rows)
                        && let Some(rows) = self.take()
                    {
                        return Ok(Pulled::Item(rows));
                    }
                }
                Pulled::Pause => return Ok(Pulled::Pause),
                Pulled::Blocked(why) => return Ok(Pulled::Blocked(why)),
                Pulled::End => return Ok(self.take().map_or(Pulled::End, Pulled::Item)),
            }
        }
    }
}

impl Session {
    /// The records of files of JSON as rows of what programs make of them, straight from the bytes of each record: see
    /// [`JqColumns`].
    ///
    /// # Errors
    /// As [`read_jq`](Self::read_jq); `Usage`, where there are no columns.
    pub fn read_jq_rows(&self, path: &str, columns: &JqColumns, options: &TextOptions) -> Result<Bag<JqRows>> {
        let (program, limits, most) = (columns.program()?.compile()?, limits(self), Most::of(self));
        let (bytes, names) = (limits.bytes, columns.names());
        let make = move || -> Box<dyn Make<JqRows>> {
            let (program, limits, names) = (program.clone(), limits.clone(), names.clone());
            let (room, values) = (Room::default(), Outputs::in_lines());
            Box::new(OfLines { program, limits, room, names, values, rows: 0, most })
        };
        Ok(self.records(path, options, Arc::new(make))?.holding(bytes + 2 * most.bytes))
    }
}

impl<T: Serialize + Send + 'static> Bag<T> {
    /// The items as rows of what programs make of them.
    ///
    /// ```
    /// # fn main() -> partita::Result<()> {
    /// use partita::bag::JqColumns;
    /// use partita::prelude::*;
    ///
    /// let session = Session::builder().memory("64MiB")?.build()?;
    /// let columns = JqColumns::new().column("n", ".[0]")?.column("more", ".[1:] | add")?;
    /// let rows = Bag::from_iter(&session, [vec![1, 2, 3], vec![4]], 1).jq_rows(&columns)?;
    /// assert_eq!(rows.to_frame()?.lines()?, ["1|5", "4|"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`jq`](Self::jq); `Usage`, where there are no columns.
    pub fn jq_rows(&self, columns: &JqColumns) -> Result<Bag<JqRows>> {
        let (names, most) = (columns.names(), Most::of(&self.session));
        let lists = self.jq_lists(columns.program()?)?.holding(2 * most.bytes);
        Ok(lists.each("rows", move |input, _, _, _| {
            Box::new(OfLists { input, names: names.clone(), values: Vec::new(), rows: 0, most })
        }))
    }
}

impl Bag<JqRows> {
    /// The rows as a frame, which rest from now on: a column has the type that fits all its values, as
    /// [`to_frame`](Bag::to_frame) of objects says. A bag without rows has no columns.
    ///
    /// # Errors
    /// Whatever the run meets; `Query`, for rows of different columns.
    pub fn to_frame(&self) -> Result<Frame> {
        let names = OnceLock::<Arc<[String]>>::new();
        let add = move |mut rows: JqRows, text: &mut Vec<u8>, seen: &mut SeenObjects| {
            if *names.get_or_init(|| rows.names.clone()) != rows.names {
                return Err(Error::query("the rows have different columns"));
            }
            seen.add_rows(&rows.names, &rows.values)?;
            text.append(&mut rows.values);
            Ok(rows.rows)
        };
        Texts::kept(self, Arc::new(add))?.frame(&self.session, rows_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bag::BadItems;
    use serde_json::{Value, json};

    fn columns(programs: &[&str]) -> JqColumns {
        programs.iter().enumerate().fold(JqColumns::new(), |all, (at, p)| all.column(format!("c{at}"), *p).unwrap())
    }

    /// The rows of objects of the same values.
    fn of_objects(items: &Bag<Value>, programs: &[&str]) -> Vec<String> {
        let fields: Vec<String> = programs.iter().enumerate().map(|(at, p)| format!("c{at}: [{p}\n][0]")).collect();
        items.jq(format!("{{{}}}", fields.join(", "))).unwrap().to_frame().unwrap().lines().unwrap()
    }

    #[test]
    fn rows_are_those_of_objects() {
        let record = |n: i64| match n % 7 {
            0 => json!({"a": n, "b": {"x": format!("a text of some length {}", n % 97)}}),
            1 => json!({"a": n as f64 / 4.0, "b": null, "c": [n, null]}),
            2 => json!({"b": {"x": "2024-01-01", "y": {"z": true}}}),
            _ => json!({"a": n, "b": {"x": format!("u{}", n % 11)}, "c": []}),
        };
        let programs = [".a", ".b.x", ".c", "empty", ".c[]?", ".b", "1, 2", ".a as $a | $a"];
        let dir = tempfile::tempdir().unwrap();
        for (memory, count, partitions) in [("64MiB", 20_000, 3), ("64MiB", 0, 2), ("64MiB", 5, 9), ("24MiB", 4_000, 2)]
        {
            let session = Session::builder().memory(memory).unwrap().threads(2).build().unwrap();
            let path = dir.path().join(format!("{count}.jsonl"));
            let lines: String = (0..count).map(|n| format!("{}\n\n", record(n))).collect();
            std::fs::write(&path, lines).unwrap();
            let items = Bag::range(&session, 0..count, partitions).map(record);
            for some in [&programs[..], &programs[..3], &programs[1..2]] {
                let wanted = of_objects(&items, some);
                assert_eq!(items.jq_rows(&columns(some)).unwrap().to_frame().unwrap().lines().unwrap(), wanted);
                let options = TextOptions { split_bytes: Some(9_999), ..TextOptions::default() };
                let read = session.read_jq_rows(&path.to_string_lossy(), &columns(some), &options).unwrap();
                assert_eq!(read.to_frame().unwrap().lines().unwrap(), wanted);
                assert_eq!(read.map(|rows| rows.len() as i64).sum().unwrap().unwrap_or(0), i128::from(count));
            }
        }
    }

    #[test]
    fn bad_records_are_left_out_alone() {
        let session = Session::builder().memory("64MiB").unwrap().build().unwrap();
        let items = Bag::from_iter(&session, [json!({"a": 1}), json!([]), json!({"a": "x"})], 1);
        let rows = items.jq_rows(&columns(&["1", ".a"])).unwrap();
        assert!(rows.to_frame().err().unwrap().message().contains("cannot"));
        let bad = BadItems::skip();
        assert_eq!(rows.on_error(&bad).to_frame().unwrap().lines().unwrap(), ["1|1", "1|\"x\""]);
        assert_eq!(bad.count(), 1);
    }

    #[test]
    fn columns_that_do_not_go_together_are_refused() {
        let session = Session::builder().memory("64MiB").unwrap().build().unwrap();
        let items = Bag::range(&session, 0..3, 1);
        let (one, other) = (items.jq_rows(&columns(&["."])).unwrap(), items.jq_rows(&columns(&[".", "1"])).unwrap());
        assert_eq!(one.concat(&other).to_frame().err().unwrap().kind(), ErrorKind::Query);
        assert_eq!(one.concat(&one).to_frame().unwrap().count().unwrap(), 6);
        assert_eq!(items.jq_rows(&JqColumns::new()).unwrap_err().kind(), ErrorKind::Usage);
        assert!(columns(&["."]).column("c0", ".").is_err());
        let wrong = JqColumns::new().column("a", ".a | (").unwrap_err();
        assert!(wrong.message().contains('^'), "{wrong}");
    }
}
