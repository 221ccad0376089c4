//! The column `filename` of tables over files, which is there for who names it: `SELECT filename, * FROM 'logs/*.csv'`.
//!
//! A query that names it although no table has it is bound once more: its files are read with `filename => true`, and the
//! stars over them leave it out. Tables and views of a session have it only where they were made so.

use crate::error::Error;
use crate::front::{Front, files};
use datafusion_sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, ObjectName, Select, SelectItem, TableFactor, WildcardAdditionalOptions,
};

/// Whether binding failed because somebody names the column and nobody has it.
pub(in crate::front) fn lacks_filename(error: &Error) -> bool {
    let missing = error.message().strip_prefix("no column \"").and_then(|rest| rest.split('"').next());
    missing.is_some_and(|name| name == "filename" || name.ends_with(".filename"))
}

/// Adds the column to the files in the FROM of a select; its stars leave it out.
pub(super) fn add(front: &Front, select: &mut Select) {
    let add = |factor: &mut TableFactor| files::with_filename(factor, |name| front.table(name).is_ok());
    let mut added = 0;
    for from in &mut select.from {
        added += usize::from(add(&mut from.relation));
        added += from.joins.iter_mut().map(|join| usize::from(add(&mut join.relation))).sum::<usize>();
    }
    let only = select.from.len() == 1 && select.from.iter().all(|from| from.joins.is_empty());
    for item in &mut select.projection {
        match item {
            SelectItem::Wildcard(options) if added > 0 => leave_out(options),
            SelectItem::QualifiedWildcard(_, options) if added > 0 && only => leave_out(options),
            _ => {}
        }
    }
}

fn leave_out(options: &mut WildcardAdditionalOptions) {
    let name = || ObjectName::from(vec![Ident::with_quote('"', "filename")]);
    if let Some(except) = &mut options.opt_except {
        except.additional_elements.push(Ident::with_quote('"', "filename"));
        return;
    }
    options.opt_exclude = Some(match options.opt_exclude.take() {
        None => ExcludeSelectItem::Single(name()),
        Some(ExcludeSelectItem::Single(one)) => ExcludeSelectItem::Multiple(vec![one, name()]),
        Some(ExcludeSelectItem::Multiple(mut all)) => {
            all.push(name());
            ExcludeSelectItem::Multiple(all)
        }
    });
}
