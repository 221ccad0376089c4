//! One scan of a table that is put together: see the head of the module.

use super::{Many, Member, Origin, widen};
use crate::error::{Error, Place, Result};
use crate::formats::{FileRef, FilterPart, RowFilter, Scan, ScanSpec, Split, SplitReader, Table};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{DataType, SchemaRef};
use std::sync::Arc;

/// What all readers share.
struct Shared {
    /// The columns that are put together: the wanted ones, then those that only the filter wants.
    columns: Vec<Piece>,
    schema: SchemaRef,
    /// How many of them, from the first, are wanted.
    wanted: usize,
    wanted_schema: SchemaRef,
    files: Vec<FileRef>,
}

/// Where a column that is put together comes from.
enum Piece {
    /// The table's column of that number.
    Files(usize),
    Fixed(ArrayRef),
    Number,
}

/// The scan of one member.
struct Part {
    scan: Box<dyn Scan>,
    /// For each column that is put together, where the member's reader has it.
    places: Arc<Vec<Option<usize>>>,
    /// Tests that the member cannot make, each with the places of its columns among those put together.
    late: Arc<Vec<(FilterPart, Vec<usize>, SchemaRef)>>,
}

struct ManyScan {
    shared: Arc<Shared>,
    parts: Vec<Part>,
    /// For each split, its part and the number within it.
    within: Vec<(usize, usize)>,
    splits: Vec<Split>,
    floor: usize,
}

pub(super) fn prepare(many: &Many, table: &Table, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
    let tests = spec.filter.as_deref().map(RowFilter::conjuncts).unwrap_or_default();
    let is_fixed = |column: &usize| matches!(many.columns.get(*column), Some(Origin::Fixed(_)));
    let (of_files, of_rows): (Vec<_>, Vec<_>) =
        tests.into_iter().partition(|t| !t.columns.is_empty() && t.columns.iter().all(is_fixed));
    let kept = kept_files(many, table, &of_files)?;
    let shared = Arc::new(shared(many, table, &spec, &of_rows)?);
    let numbered = shared.columns.iter().any(|c| matches!(c, Piece::Number));
    let mut scan =
        ManyScan { shared, parts: Vec::new(), within: Vec::new(), splits: Vec::new(), floor: 2 * spec.batch_bytes };
    for member in &many.members {
        if member.files.iter().any(|f| kept.value(*f)) {
            let split_bytes = if numbered { usize::MAX } else { split_bytes };
            scan.add(table, member, &kept, &spec, &of_rows, split_bytes, numbered)?;
        }
    }
    scan.in_order();
    Ok(Box::new(scan))
}

/// The files that the tests of their own columns keep.
fn kept_files(many: &Many, table: &Table, tests: &[FilterPart]) -> Result<BooleanArray> {
    let mut kept = BooleanArray::from(vec![true; many.files]);
    for test in tests {
        let columns = test.columns.iter().filter_map(|c| match many.columns.get(*c) {
            Some(Origin::Fixed(values)) => Some(values.clone()),
            _ => None,
        });
        let schema = Arc::new(table.schema.project(&test.columns)?);
        let answer = test.kept(&RecordBatch::try_new(schema, columns.collect())?)?;
        kept = arrow::compute::and(&kept, &answer)?;
    }
    Ok(kept)
}

fn shared(many: &Many, table: &Table, spec: &ScanSpec, tests: &[FilterPart]) -> Result<Shared> {
    let mut together = spec.projection.clone();
    for column in tests.iter().flat_map(|t| &t.columns) {
        if !together.contains(column) {
            together.push(*column);
        }
    }
    let piece = |column: &usize| match many.columns.get(*column) {
        Some(Origin::Files) => Ok(Piece::Files(*column)),
        Some(Origin::Fixed(values)) => Ok(Piece::Fixed(values.clone())),
        Some(Origin::Number) => Ok(Piece::Number),
        None => Err(Error::internal("a column that the table does not have")),
    };
    Ok(Shared {
        columns: together.iter().map(piece).collect::<Result<_>>()?,
        schema: Arc::new(table.schema.project(&together)?),
        wanted: spec.projection.len(),
        wanted_schema: Arc::new(table.schema.project(&spec.projection)?),
        files: table.files.clone(),
    })
}

impl ManyScan {
    #[allow(clippy::too_many_arguments)]
    fn add(
        &mut self,
        table: &Table,
        member: &Member,
        kept: &BooleanArray,
        spec: &ScanSpec,
        tests: &[FilterPart],
        split_bytes: usize,
        numbered: bool,
    ) -> Result<()> {
        let same = |column: &usize| {
            let own = member.columns.get(*column).copied().flatten()?;
            let (own_type, wanted) =
                (member.table.schema.field(own).data_type(), table.schema.field(*column).data_type());
            (own_type == wanted).then_some(own)
        };
        let is_its_own = |test: &&FilterPart| !numbered && test.columns.iter().all(|c| same(c).is_some());
        let (early, late): (Vec<&FilterPart>, Vec<&FilterPart>) = tests.iter().partition(is_its_own);
        let early: Vec<FilterPart> = early.into_iter().map(|t| t.over(|c| same(&c).unwrap_or_default())).collect();
        let mut projection = Vec::new();
        let mut places = Vec::with_capacity(self.shared.columns.len());
        for (nth, piece) in self.shared.columns.iter().enumerate() {
            let used = nth < self.shared.wanted || late.iter().any(|t| self.is_tested(table, t, nth));
            let own = match piece {
                Piece::Files(column) if used => member.columns.get(*column).copied().flatten(),
                _ => None,
            };
            places.push(own.map(|own| {
                let place = projection.iter().position(|p| *p == own);
                place.unwrap_or_else(|| {
                    projection.push(own);
                    projection.len() - 1
                })
            }));
        }
        let late = late.into_iter().map(|test| self.late(table, test)).collect::<Result<Vec<_>>>()?;
        let inner = ScanSpec {
            projection,
            filter: RowFilter::all(early).map(Arc::new),
            files: Some(member.files.iter().map(|f| kept.value(*f)).collect()),
            ..spec.clone()
        };
        let scan = member.table.scan(inner, split_bytes)?;
        let part = self.parts.len();
        self.floor = self.floor.max(scan.floor() + 2 * spec.batch_bytes);
        for (index, split) in scan.splits().iter().enumerate() {
            let file = member.files.get(split.file).copied().unwrap_or(split.file);
            self.splits.push(Split { file, range: split.range.clone() });
            self.within.push((part, index));
        }
        self.parts.push(Part { scan, places: Arc::new(places), late: Arc::new(late) });
        Ok(())
    }

    /// Whether a test is about the `nth` of the columns that are put together.
    fn is_tested(&self, table: &Table, test: &FilterPart, nth: usize) -> bool {
        test.columns.iter().any(|c| self.place(table, *c) == Some(nth))
    }

    fn place(&self, table: &Table, column: usize) -> Option<usize> {
        self.shared.schema.index_of(table.schema.field(column).name()).ok()
    }

    fn late(&self, table: &Table, test: &FilterPart) -> Result<(FilterPart, Vec<usize>, SchemaRef)> {
        let places: Option<Vec<usize>> = test.columns.iter().map(|c| self.place(table, *c)).collect();
        let places = places.ok_or_else(|| Error::internal("a column of a filter was not put together"))?;
        Ok((test.clone(), places, Arc::new(table.schema.project(&test.columns)?)))
    }

    /// Puts the splits into the order of the files.
    fn in_order(&mut self) {
        let mut order: Vec<usize> = (0..self.splits.len()).collect();
        order.sort_by_key(|i| self.splits.get(*i).map(|s| s.file));
        self.within = order.iter().filter_map(|i| self.within.get(*i).copied()).collect();
        self.splits = order.iter().filter_map(|i| self.splits.get(*i).cloned()).collect();
    }
}

impl Scan for ManyScan {
    fn splits(&self) -> &[Split] {
        &self.splits
    }

    fn open(&self, index: usize) -> Result<Box<dyn SplitReader>> {
        let no_split = || Error::internal("no such split");
        let (part, within) = *self.within.get(index).ok_or_else(no_split)?;
        let part = self.parts.get(part).ok_or_else(no_split)?;
        let file = self.splits.get(index).ok_or_else(no_split)?.file;
        Ok(Box::new(Together {
            shared: self.shared.clone(),
            reader: part.scan.open(within)?,
            places: part.places.clone(),
            late: part.late.clone(),
            file,
            fixed: self.shared.columns.iter().map(|piece| of_file(piece, file)).collect(),
            row: 0,
        }))
    }

    fn floor(&self) -> usize {
        self.floor
    }
}

/// The value of a file, without the others'.
fn of_file(piece: &Piece, file: usize) -> Option<ArrayRef> {
    let Piece::Fixed(values) = piece else { return None };
    let value = (file < values.len()).then(|| values.slice(file, 1))?;
    Some(match value.data_type() {
        DataType::Utf8View => Arc::new(value.as_string_view().gc()),
        _ => value,
    })
}

/// Reads one split, and puts its columns together with those that are not in its file.
struct Together {
    shared: Arc<Shared>,
    reader: Box<dyn SplitReader>,
    places: Arc<Vec<Option<usize>>>,
    late: Arc<Vec<(FilterPart, Vec<usize>, SchemaRef)>>,
    file: usize,
    /// The values of the columns that are the same all over the file, a row each.
    fixed: Vec<Option<ArrayRef>>,
    row: i64,
}

impl SplitReader for Together {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(read) = self.reader.next()? else { return Ok(None) };
        let rows = read.num_rows();
        let columns = self.shared.columns.iter().zip(self.places.iter()).enumerate();
        let columns = columns.map(|(nth, (piece, place))| self.column(nth, piece, *place, &read));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        self.row += rows as i64;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let mut batch = RecordBatch::try_new_with_options(self.shared.schema.clone(), columns, &options)?;
        for (test, places, schema) in self.late.iter() {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let tested = places.iter().filter_map(|p| batch.columns().get(*p).cloned()).collect();
            let kept = test.kept(&RecordBatch::try_new_with_options(schema.clone(), tested, &options)?)?;
            batch = filter_record_batch(&batch, &kept)?;
        }
        let wanted = batch.columns().iter().take(self.shared.wanted).cloned().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(Some(RecordBatch::try_new_with_options(self.shared.wanted_schema.clone(), wanted, &options)?))
    }
}

impl Together {
    fn column(&self, nth: usize, piece: &Piece, place: Option<usize>, read: &RecordBatch) -> Result<ArrayRef> {
        let (rows, field) = (read.num_rows(), self.shared.schema.field(nth));
        match piece {
            Piece::Number => Ok(Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|i| self.row + i)))),
            Piece::Fixed(_) => {
                let value = self.fixed.get(nth).cloned().flatten();
                let value = value.ok_or_else(|| Error::internal("a file without its key"))?;
                Ok(take(&value, &UInt32Array::from_value(0, rows), None)?)
            }
            Piece::Files(_) => match place.and_then(|place| read.columns().get(place)) {
                None => Ok(new_null_array(field.data_type(), rows)),
                Some(column) => widen::widened(column, field.data_type()).map_err(|e| {
                    let file = self.shared.files.get(self.file).map(|f| f.path.clone());
                    e.at(Place { file, column: Some(field.name().clone()), ..Place::default() })
                }),
            },
        }
    }
}
