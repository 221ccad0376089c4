//! Where the encoded pages of a row group are until it is written: in memory as far as there is room, then on the shelf
//! that the encoder was given. So a row group may be far larger than memory.

use crate::formats::{Shelf, Shelved};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::errors::{ParquetError, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Smaller blobs stay in memory: heads of pages.
const SMALL: usize = 256;

/// Room for pages, shared by all columns of an encoder.
#[derive(Debug)]
pub(super) struct Room {
    shelf: Option<Arc<dyn Shelf>>,
    most: usize,
    used: AtomicUsize,
}

impl Room {
    /// `most` bytes stay in memory where there is a shelf for the others; all, where there is none.
    pub(super) fn new(shelf: Option<Arc<dyn Shelf>>, most: usize) -> Arc<Self> {
        Arc::new(Room { shelf, most, used: AtomicUsize::new(0) })
    }

    /// Bytes of pages in memory.
    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

/// Makes the stores of columns that share a room.
#[derive(Debug)]
pub(super) struct Stores(pub(super) Arc<Room>);

impl PageStoreFactory for Stores {
    fn create(&self, _args: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        Ok(Box::new(Pages { room: self.0.clone(), pages: Vec::new() }))
    }
}

/// The pages of one column chunk.
struct Pages {
    room: Arc<Room>,
    pages: Vec<Kept>,
}

enum Kept {
    Here(Bytes),
    Away(Box<dyn Shelved>),
    Taken,
}

fn failed(error: crate::error::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl PageStore for Pages {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        let key = PageKey::new(self.pages.len() as u64);
        let kept = match &self.room.shelf {
            Some(shelf) if value.len() > SMALL && self.room.used() + value.len() > self.room.most => {
                Kept::Away(shelf.put(&value).map_err(failed)?)
            }
            _ => {
                self.room.used.fetch_add(value.len(), Relaxed);
                // Pages come in vectors that have room for what they would be uncompressed, heads in even larger ones.
                Kept::Here(Bytes::copy_from_slice(&value))
            }
        };
        self.pages.push(kept);
        Ok(key)
    }

    fn take(&mut self, key: PageKey) -> Result<Bytes> {
        let kept = usize::try_from(key.get()).ok().and_then(|at| self.pages.get_mut(at));
        match kept.map(|kept| std::mem::replace(kept, Kept::Taken)) {
            Some(Kept::Here(bytes)) => {
                self.room.used.fetch_sub(bytes.len(), Relaxed);
                Ok(bytes)
            }
            Some(Kept::Away(shelved)) => Ok(shelved.take().map_err(failed)?.into()),
            Some(Kept::Taken) | None => Err(ParquetError::General("a page that is not there".into())),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let here = |kept: &Kept| if let Kept::Here(bytes) = kept { bytes.len() } else { 0 };
        self.room.used.fetch_sub(self.pages.iter().map(here).sum(), Relaxed);
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pages", self.pages.len())
    }
}

#[cfg(test)]
mod tests {
    use crate::error::{Error, ErrorKind, Result};
    use crate::formats::parquet::PARQUET;
    use crate::formats::parquet::tests::{ToFile, all, read, table};
    use crate::formats::{Encode, Format, Shelf, Shelved};
    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use arrow::record_batch::RecordBatch;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};

    /// A shelf in memory, with room for so many pages; counts what is on it.
    #[derive(Debug)]
    struct Heap {
        room: usize,
        here: Arc<AtomicUsize>,
        most: Mutex<usize>,
    }

    struct OnHeap(Vec<u8>, Arc<AtomicUsize>);

    impl Shelf for Heap {
        fn put(&self, bytes: &[u8]) -> Result<Box<dyn Shelved>> {
            if self.here.load(Relaxed) >= self.room {
                return Err(Error::resources("the shelf is full"));
            }
            let count = self.here.fetch_add(1, Relaxed) + 1;
            let mut most = self.most.lock().unwrap();
            *most = count.max(*most);
            Ok(Box::new(OnHeap(bytes.to_vec(), self.here.clone())))
        }
    }

    impl Shelved for OnHeap {
        fn take(self: Box<Self>) -> Result<Vec<u8>> {
            Ok(self.0.clone())
        }
    }

    impl Drop for OnHeap {
        fn drop(&mut self) {
            self.1.fetch_sub(1, Relaxed);
        }
    }

    fn rows(from: i64, count: i64) -> RecordBatch {
        let texts =
            (from..from + count).map(|i| Some(format!("a text that is not like others: {}", i.wrapping_mul(7919))));
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(Int64Array::from_iter_values(from..from + count))),
            ("text", Arc::new(texts.collect::<StringViewArray>())),
            ("few", Arc::new(Int64Array::from_iter_values((from..from + count).map(|i| i % 3)))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap()
    }

    fn encoder(room: usize) -> (Box<dyn Encode>, Arc<Heap>) {
        let heap = Arc::new(Heap { room, here: Arc::default(), most: Mutex::default() });
        let mut encoder = PARQUET.encoder(&rows(0, 1).schema(), &BTreeMap::new(), 256 << 10).unwrap();
        encoder.shelve(heap.clone()).unwrap();
        (encoder, heap)
    }

    #[test]
    fn a_row_group_is_larger_than_what_its_encoder_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large.parquet");
        let (mut encoder, heap) = encoder(usize::MAX);
        let written: Vec<RecordBatch> = (0..200).map(|i| rows(i * 1000, 1000)).collect();
        for batch in &written {
            encoder.push(batch).unwrap();
            assert!(encoder.held() <= 512 << 10, "{} bytes are held", encoder.held());
        }
        let piece = encoder.piece().unwrap();
        assert!(piece.rows == 200_000 && *heap.most.lock().unwrap() > 20);
        let to = Box::new(ToFile(File::create(&path).unwrap()));
        let mut assembler = PARQUET.assembler(&written[0].schema(), &BTreeMap::new(), to).unwrap();
        assembler.append(piece).unwrap();
        assembler.finish().unwrap();
        assert_eq!((heap.here.load(Relaxed), encoder.held()), (0, 0), "nothing is left");
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 1);
        let table = table(&PARQUET, &[path]).unwrap();
        let (back, _) = read(&table, all(&table), 1 << 30).unwrap();
        assert_eq!(back, arrow::compute::concat_batches(&back.schema(), &written).unwrap());
    }

    /// A column with a dictionary keeps 8 bytes for each row of the page in the making.
    #[test]
    fn many_columns_with_dictionaries_stay_within_what_may_be_held() {
        let batch = |from: i64| {
            let column = |c: i64| -> (String, ArrayRef, bool) {
                let values = (from..from + 8192).map(|i| i * (c + 1) % 900);
                (format!("c{c}"), Arc::new(Int64Array::from_iter_values(values)), true)
            };
            RecordBatch::try_from_iter_with_nullable((0..16).map(column)).unwrap()
        };
        let (held, schema) = (4 << 20, batch(0).schema());
        let mut encoder = PARQUET.encoder(&schema, &BTreeMap::new(), held).unwrap();
        encoder.shelve(Arc::new(Heap { room: usize::MAX, here: Arc::default(), most: Mutex::default() })).unwrap();
        for i in 0..40 {
            encoder.push(&batch(i * 8192)).unwrap();
            assert!(encoder.held() < held, "{} bytes are held after {i} batches", encoder.held());
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let to = Box::new(ToFile(file.reopen().unwrap()));
        let mut assembler = PARQUET.assembler(&schema, &BTreeMap::new(), to).unwrap();
        assert_eq!(assembler.held(), 0);
        assembler.append(encoder.piece().unwrap()).unwrap();
        assert!(assembler.held() > 16 * 256, "the footer is counted");
    }

    /// Empty dictionaries alone would be more than may be held: each batch would be a row group.
    #[test]
    fn a_hundred_columns_make_no_row_group_of_each_batch() {
        let batch = |from: i64| {
            let column = |c: i64| -> (String, ArrayRef, bool) {
                (format!("c{c}"), Arc::new(Int64Array::from_iter_values(from + c..from + c + 2048)), true)
            };
            RecordBatch::try_from_iter_with_nullable((0..100).map(column)).unwrap()
        };
        let (held, schema) = (4 << 20, batch(0).schema());
        for options in [BTreeMap::new(), BTreeMap::from([("dictionary".to_string(), "true".to_string())])] {
            let mut encoder = PARQUET.encoder(&schema, &options, held).unwrap();
            encoder.shelve(Arc::new(Heap { room: usize::MAX, here: Arc::default(), most: Mutex::default() })).unwrap();
            for i in 0..8 {
                encoder.push(&batch(i * 2048)).unwrap();
                assert!(encoder.held() < held, "{} bytes are held after {i} batches", encoder.held());
            }
        }
    }

    #[test]
    fn a_full_shelf_is_the_error_that_it_says() {
        let (mut encoder, heap) = encoder(3);
        let error = (0..200).find_map(|i| encoder.push(&rows(i * 1000, 1000)).err()).unwrap();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Resources, "the shelf is full"));
        drop(encoder);
        assert_eq!(heap.here.load(Relaxed), 0);
    }
}
