//! Records taken apart by one form, for the tests beside the forms.

use super::cursor::{NONE, Out};
use super::layout::Field;

/// The fields that are set, in order, with their texts.
pub(super) fn taken(
    fields: &[Field],
    take: impl FnOnce(&mut Out<'_>) -> bool,
    record: &[u8],
) -> Option<Vec<(String, String)>> {
    let mut spans = vec![NONE; fields.len()];
    let fits = take(&mut Out { base: 0, spans: &mut spans, state: &mut 0 });
    let set = fields.iter().zip(&spans).filter(|(_, span)| **span != NONE);
    let text = |(begin, end): (u32, u32)| String::from_utf8_lossy(&record[begin as usize..end as usize]).into_owned();
    fits.then(|| set.map(|(field, span)| (field.name.clone(), text(*span))).collect())
}
