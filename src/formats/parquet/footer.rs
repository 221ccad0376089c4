//! The footer of a file: read, checked against the file's length, and cut down to the one row group that a reader needs.

use super::fault;
use super::source::Source;
use crate::error::{Error, Result};
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use std::sync::Arc;

/// The least length of a Parquet file: two magics and the footer's length.
const LEAST: u64 = 12;
/// Bytes before anything else.
const MAGIC: i64 = 4;

/// Reads the footer, without page indexes, and checks what later code relies on.
pub(super) fn read(source: &Source) -> Result<Arc<ParquetMetaData>> {
    check_magic(source)?;
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
    let footer = reader.parse_and_finish(source).map_err(fault::read)?;
    check_counts(&footer)?;
    let footer = with_dictionaries_in_place(footer)?;
    for group in footer.row_groups() {
        check_chunks(group, source.len())?;
    }
    Ok(Arc::new(footer))
}

fn check_magic(source: &Source) -> Result<()> {
    let mut magic = [0; 4];
    if source.len() < LEAST {
        return Err(Error::data("the file is too short to be a Parquet file"));
    }
    source.read_at(source.len() - 4, &mut magic).map_err(|e| fault::read(e.into()))?;
    match &magic {
        b"PAR1" => Ok(()),
        b"PARE" => Err(Error::data("the file is encrypted").advise("decrypt it first: encrypted Parquet is not read")),
        _ => Err(Error::data("this is not a Parquet file, or its end is missing (it does not end with PAR1)")),
    }
}

/// A footer whose counts contradict each other would lose rows without a word.
fn check_counts(footer: &ParquetMetaData) -> Result<()> {
    let mut rows = 0i64;
    for group in footer.row_groups() {
        if group.num_rows() < 0 || group.num_columns() != footer.file_metadata().schema_descr().num_columns() {
            return Err(Error::data("the file is corrupt: a row group contradicts the schema"));
        }
        rows = rows.saturating_add(group.num_rows());
    }
    // Some old writers leave the count at 0; the row groups are what is read.
    let said = footer.file_metadata().num_rows();
    if said != 0 && rows != said {
        return Err(Error::data(format!("the file is corrupt: it promises {said} rows, its row groups {rows}")));
    }
    Ok(())
}

/// Some writers say that a dictionary begins at 0, where the magic is: it then begins where the data is said to begin.
fn with_dictionaries_in_place(footer: ParquetMetaData) -> Result<ParquetMetaData> {
    let misplaced = |chunk: &ColumnChunkMetaData| chunk.dictionary_page_offset().is_some_and(|at| at < MAGIC);
    if !footer.row_groups().iter().any(|group| group.columns().iter().any(misplaced)) {
        return Ok(footer);
    }
    let mend = |chunk: &ColumnChunkMetaData| match misplaced(chunk) {
        true => chunk.clone().into_builder().set_dictionary_page_offset(None).build(),
        false => Ok(chunk.clone()),
    };
    let groups = footer.row_groups().iter().map(|group| {
        let chunks = group.columns().iter().map(mend).collect::<Result<Vec<_>, _>>()?;
        group.clone().into_builder().set_column_metadata(chunks).build()
    });
    let groups = groups.collect::<Result<Vec<_>, _>>().map_err(fault::read)?;
    Ok(footer.into_builder().set_row_groups(groups).build())
}

fn check_chunks(group: &RowGroupMetaData, len: u64) -> Result<()> {
    for chunk in group.columns() {
        let (start, length) = chunk.byte_range();
        if chunk.file_path().is_some_and(|path| !path.is_empty()) {
            return Err(Error::unsupported("a Parquet file whose columns lie in other files"));
        }
        if start.checked_add(length).is_none_or(|end| end > len) {
            let name = chunk.column_path().string();
            return Err(Error::data(format!("the file is truncated: column {name} ends beyond the file")));
        }
    }
    Ok(())
}

/// The footer with row group `group` only; with its page indexes where `indexed` and where the file has them.
///
/// Indexes of a whole file can be larger than the budget; those of one row group are small.
pub(super) fn one_group(
    source: &Source,
    footer: &ParquetMetaData,
    group: usize,
    indexed: bool,
) -> Result<Arc<ParquetMetaData>> {
    let all = footer.file_metadata();
    let own = footer.row_group(group);
    // The crate takes no batch larger than the file's count of rows, which may be wrong.
    let meta = FileMetaData::new(
        all.version(),
        own.num_rows(),
        all.created_by().map(str::to_string),
        all.key_value_metadata().cloned(),
        all.schema_descr_ptr(),
        all.column_orders().cloned(),
    );
    let one = ParquetMetaData::new(meta, vec![own.clone()]);
    if !indexed || !has_page_index(footer.row_group(group)) {
        return Ok(Arc::new(one));
    }
    let mut reader = ParquetMetaDataReader::new_with_metadata(one).with_page_index_policy(PageIndexPolicy::Optional);
    reader.read_page_indexes(source).map_err(fault::read)?;
    Ok(Arc::new(reader.finish().map_err(fault::read)?))
}

/// Whether every column chunk knows where its pages are.
pub(super) fn has_page_index(group: &RowGroupMetaData) -> bool {
    group.columns().iter().all(|chunk| chunk.offset_index_offset().is_some())
}
