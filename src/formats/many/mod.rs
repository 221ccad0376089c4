//! Tables whose columns are not all in their files: values in the names of directories (`year=2024/`), the path, the row's
//! number in its file; and tables over files of different columns (`union_by_name`).
//!
//! Life of such a table:
//!
//! 1. [`options`] are taken from the definition; [`keys`] reads the directories' names.
//! 2. The files are grouped to [`Member`]s, tables of their own whose files have one schema. Without `union_by_name` there
//!    is one member, and files that differ are the error that they always were.
//! 3. The columns are those of the members under the [`widen`]ed types, then the row's number, the path, the keys by name.
//!    A key that a file has as a column too replaces it.
//! 4. [`scan`] leaves out files by what a filter says of keys and paths, before they are opened; hands to each member's
//!    format the part of the filter that is about its own columns; puts the columns together, and applies the rest.
//!
//! Limits: where rows are numbered, a file is one split.

mod keys;
pub(super) mod options;
mod scan;
#[cfg(test)]
mod tests;
mod widen;

use self::keys::Key;
use self::options::TableOptions;
use super::{ByName, ColumnStats, FileRef, Format, Scan, ScanSpec, Table, TableDef, TableStats};
use crate::error::{Error, Result};
use crate::memory::Budget;
use arrow::array::{ArrayRef, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::HashSet;
use std::sync::Arc;

/// How a table is put together.
pub(super) struct Many {
    members: Vec<Member>,
    /// Where each column comes from.
    columns: Vec<Origin>,
    files: usize,
}

/// Where a column of the table comes from.
#[derive(Clone)]
enum Origin {
    /// The members' files.
    Files,
    /// One value for each file.
    Fixed(ArrayRef),
    /// The number of the row in its file.
    Number,
}

/// Files of one schema.
struct Member {
    table: Arc<Table>,
    /// Which of the table's files.
    files: Vec<usize>,
    /// For each column of the table, the member's.
    columns: Vec<Option<usize>>,
}

/// What became of a definition: everything that a table is made of.
pub(super) struct Opened {
    pub(super) many: Option<Arc<Many>>,
    pub(super) schema: SchemaRef,
    pub(super) stats: TableStats,
}

/// Opens the table over `files`.
///
/// # Errors
/// Options that do not fit, names that are taken, files that disagree.
pub(super) fn open(
    def: &TableDef,
    format: &'static dyn Format,
    files: &[FileRef],
    budget: Option<&Budget>,
) -> Result<Opened> {
    let mut own = def.clone();
    let options = TableOptions::take(&mut own)?;
    let keys = keys::keys(&options, files)?;
    let apart = format.by_name() == ByName::Each;
    let united = (apart || options.by_name && format.by_name() != ByName::Always) && files.len() > 1;
    let mut members = match united {
        true => unite(&own, format, files, budget)?,
        false => vec![member(&own, format, files, (0..files.len()).collect(), budget)?],
    };
    let plain = keys.is_empty() && options.filename.is_none() && options.row_number.is_none();
    if plain
        && !united
        && let Some(only) = members.pop()
    {
        return Ok(Opened { many: None, schema: only.table.schema.clone(), stats: only.table.stats.clone() });
    }
    let mut table = Columns::of(&mut members, format);
    table.add(&options, keys, files)?;
    let stats = table.stats(&members);
    let many = Many { members, columns: table.origins, files: files.len() };
    Ok(Opened { many: Some(Arc::new(many)), schema: Arc::new(Schema::new(table.fields)), stats })
}

fn member(
    def: &TableDef,
    format: &'static dyn Format,
    all: &[FileRef],
    files: Vec<usize>,
    budget: Option<&Budget>,
) -> Result<Member> {
    let refs: Vec<FileRef> = files.iter().filter_map(|f| all.get(*f).cloned()).collect();
    let (schema, stats) = format.inspect(def, &refs, budget)?;
    let columns = (0..schema.fields().len()).map(Some).collect();
    let table = Arc::new(Table::of_files(def.clone(), format, refs, schema, stats));
    Ok(Member { table, files, columns })
}

/// A member for each file, or for the files of one schema where the schema says all.
fn unite(
    def: &TableDef,
    format: &'static dyn Format,
    files: &[FileRef],
    budget: Option<&Budget>,
) -> Result<Vec<Member>> {
    if matches!(format.by_name(), ByName::Read | ByName::Each) {
        // An empty file has no rows, and names no columns.
        let filled = |file: &usize| files.get(*file).is_some_and(|f| !f.is_empty());
        let some = (0..files.len()).any(|file| filled(&file));
        let read = (0..files.len()).filter(|file| !some || filled(file));
        return read.map(|file| member(def, format, files, vec![file], budget)).collect();
    }
    let mut groups: Vec<(SchemaRef, Vec<usize>)> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let (schema, _) = format.inspect(def, std::slice::from_ref(file), budget)?;
        match groups.iter_mut().find(|(known, _)| *known == schema) {
            Some((_, group)) => group.push(index),
            None => groups.push((schema, vec![index])),
        }
    }
    groups.into_iter().map(|(_, group)| member(def, format, files, group, budget)).collect()
}

/// The columns of a table in the making.
struct Columns {
    fields: Vec<Field>,
    origins: Vec<Origin>,
    stats: Vec<ColumnStats>,
}

impl Columns {
    /// The columns of all members, by name, in the order of their first appearance.
    fn of(members: &mut [Member], format: &'static dyn Format) -> Columns {
        let mut fields: Vec<(Field, bool)> = Vec::new();
        for member in members.iter() {
            let table = &member.table;
            for (field, stats) in table.schema.fields().iter().zip(&table.stats.columns) {
                match fields.iter_mut().find(|(known, _)| known.name() == field.name()) {
                    None => fields.push((field.as_ref().clone(), stats.unseen)),
                    Some((known, unseen)) => *unseen = widen(known, *unseen, field, stats.unseen),
                }
            }
        }
        let stats = match members {
            [only] => only.table.stats.columns.clone(),
            _ => vec![ColumnStats::default(); fields.len()],
        };
        let fields: Vec<Field> = fields.into_iter().map(|(f, _)| f.with_nullable(true)).collect();
        for member in members.iter_mut() {
            member.columns = fields.iter().map(|f| member.table.schema.index_of(f.name()).ok()).collect();
            if format.by_name() == ByName::Read {
                member.table = read_as(&member.table, &fields);
            }
        }
        let origins = fields.iter().map(|_| Origin::Files).collect();
        Columns { fields, origins, stats }
    }

    /// Adds what the options ask for, and the keys.
    fn add(&mut self, options: &TableOptions, keys: Vec<Key>, files: &[FileRef]) -> Result<()> {
        if let Some(name) = &options.row_number {
            self.is_free(name, "file_row_number")?;
            self.push(Field::new(name, DataType::Int64, false), Origin::Number);
        }
        if let Some(name) = &options.filename {
            self.is_free(name, "filename")?;
            let paths = StringViewArray::from_iter_values(files.iter().map(|f| &*f.path));
            self.push(Field::new(name, DataType::Utf8View, false), Origin::Fixed(Arc::new(paths)));
        }
        for Key { name, values } in keys {
            let field = Field::new(&name, values.data_type().clone(), true);
            match self.fields.iter().position(|f| f.name().eq_ignore_ascii_case(&name)) {
                Some(at) => self.replace(at, values),
                None => self.push(field, Origin::Fixed(values)),
            }
        }
        Ok(())
    }

    fn is_free(&self, name: &str, option: &str) -> Result<()> {
        match self.fields.iter().any(|f| f.name() == name) {
            true => Err(Error::query(format!("{option} adds a column {name:?}, but the files have one"))
                .advise(format!("give another name: {option} => 'name'"))),
            false => Ok(()),
        }
    }

    fn push(&mut self, field: Field, origin: Origin) {
        self.stats.push(fixed_stats(&origin));
        self.fields.push(field);
        self.origins.push(origin);
    }

    /// A key takes the place of a column of the files, and keeps its name.
    fn replace(&mut self, at: usize, values: ArrayRef) {
        let origin = Origin::Fixed(values.clone());
        if let (Some(field), Some(stats)) = (self.fields.get_mut(at), self.stats.get_mut(at)) {
            *field = Field::new(field.name(), values.data_type().clone(), true);
            *stats = fixed_stats(&origin);
        }
        if let Some(known) = self.origins.get_mut(at) {
            *known = origin;
        }
    }

    fn stats(&mut self, members: &[Member]) -> TableStats {
        let rows = members.iter().map(|m| m.table.stats.rows).sum();
        let bytes = members.iter().map(|m| m.table.stats.bytes).sum();
        TableStats { rows, bytes, columns: std::mem::take(&mut self.stats), ..TableStats::default() }
    }
}

/// Widens a column by that of another file; answers whether nothing was seen of it yet.
fn widen(known: &mut Field, unseen: bool, other: &Field, other_unseen: bool) -> bool {
    match (unseen, other_unseen) {
        (_, true) => return unseen,
        (true, false) => *known = other.clone(),
        (false, false) if known.data_type() != other.data_type() => {
            *known = Field::new(known.name(), widen::join(known.data_type(), other.data_type()), true);
        }
        _ => {}
    }
    false
}

/// The same table, its columns read as the types that `fields` have.
fn read_as(table: &Arc<Table>, fields: &[Field]) -> Arc<Table> {
    let wanted = |own: &Arc<Field>| match fields.iter().find(|f| f.name() == own.name()) {
        Some(field) => Arc::new(own.as_ref().clone().with_data_type(field.data_type().clone())),
        None => own.clone(),
    };
    let schema = Schema::new(table.schema.fields().iter().map(wanted).collect::<Vec<_>>());
    let (def, files, stats) = (table.def.clone(), table.files.clone(), table.stats.clone());
    Arc::new(Table::of_files(def, table.format, files, Arc::new(schema), stats))
}

/// How many different values a column has that is the same all over a file.
fn fixed_stats(origin: &Origin) -> ColumnStats {
    let Origin::Fixed(values) = origin else { return ColumnStats::default() };
    let Ok(texts) = crate::cells::Column::new(values.as_ref()) else { return ColumnStats::default() };
    let text = |row: usize| {
        let mut text = Vec::new();
        texts.text(row, &mut text);
        text
    };
    let different: HashSet<Vec<u8>> = (0..values.len()).map(text).collect();
    ColumnStats { distinct: Some(different.len() as u64), ..ColumnStats::default() }
}

impl Many {
    /// The same over other files, one for one.
    pub(super) fn over(&self, files: &[FileRef]) -> Many {
        let members = self.members.iter().map(|member| {
            let own = member.files.iter().filter_map(|file| files.get(*file).cloned()).collect();
            let Table { def, format, schema, stats, .. } = &*member.table;
            let table = Table::of_files(def.clone(), *format, own, schema.clone(), stats.clone());
            Member { table: Arc::new(table), files: member.files.clone(), columns: member.columns.clone() }
        });
        Many { members: members.collect(), columns: self.columns.clone(), files: self.files }
    }

    /// Prepares a scan.
    pub(super) fn scan(&self, table: &Table, spec: ScanSpec, split_bytes: usize) -> Result<Box<dyn Scan>> {
        scan::prepare(self, table, spec, split_bytes)
    }
}
