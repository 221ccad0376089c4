//! Which columns of a table are shown and how wide, and the lines of the box around them.
//!
//! ```text
//! widths 3, 50, 7, 40 in 60 characters      the widest are cut until all fit,
//! -> 3, 18, 7, 18                           none below 10
//! widths 20 x 30 in 60 characters           then columns are left out in the middle
//! -> 10, 10, …, 10, 10
//! ```

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// No column is cut below this while others can be left out.
const LEAST_WIDTH: usize = 10;

/// A column of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which column of the result; `None` stands for those left out.
    pub column: Option<usize>,
    /// Characters that its cells take.
    pub width: usize,
}

/// Lays out columns that want `widths` in lines of `limit` characters (0: as many as they want).
pub fn fit(widths: &[usize], limit: usize) -> Vec<Slot> {
    let wanted: usize = 1 + widths.iter().map(|w| w + 3).sum::<usize>();
    if limit == 0 || wanted <= limit {
        return slots(widths, widths.len(), usize::MAX);
    }
    // Each column takes at least 4 characters: more than `limit / 4` need not be tried.
    for kept in (2..=widths.len().min(limit / 4)).rev() {
        if let Some(cap) = cap(widths, kept, limit) {
            return slots(widths, kept, cap);
        }
    }
    slots(widths, widths.len().min(2), LEAST_WIDTH)
}

/// The width to cut `kept` columns to, so that they fit; `None` if that is too little.
fn cap(widths: &[usize], kept: usize, limit: usize) -> Option<usize> {
    let frame = 1 + 3 * kept + if kept < widths.len() { 4 } else { 0 };
    let mut free = limit.checked_sub(frame)?;
    let mut kept_widths: Vec<usize> = shown(widths.len(), kept).map(|i| widths[i]).collect();
    kept_widths.sort_unstable();
    // From the narrowest: a column that wants less than its share leaves the rest to the wider ones.
    for (i, width) in kept_widths.iter().enumerate() {
        let share = free / (kept - i);
        if *width > share {
            return (share >= LEAST_WIDTH).then_some(share);
        }
        free -= width;
    }
    Some(usize::MAX)
}

/// The columns that stay when `kept` of `all` are shown: the first and the last ones.
fn shown(all: usize, kept: usize) -> impl Iterator<Item = usize> {
    let first = kept.div_ceil(2);
    (0..first).chain(all - (kept - first)..all)
}

fn slots(widths: &[usize], kept: usize, cap: usize) -> Vec<Slot> {
    let mut slots: Vec<Slot> =
        shown(widths.len(), kept).map(|i| Slot { column: Some(i), width: widths[i].min(cap) }).collect();
    if kept < widths.len() {
        slots.insert(kept.div_ceil(2), Slot { column: None, width: 1 });
    }
    slots
}

/// Appends a line of the frame: `┌───┬───┐`.
pub fn rule(slots: &[Slot], [left, middle, right]: [&str; 3], out: &mut Vec<u8>) {
    for (i, slot) in slots.iter().enumerate() {
        out.extend_from_slice(if i == 0 { left } else { middle }.as_bytes());
        out.extend_from_slice("─".repeat(slot.width + 2).as_bytes());
    }
    out.extend_from_slice(right.as_bytes());
    out.push(b'\n');
}

/// Appends a line of cells. `cell` gives a column's text and whether it stands at the right.
pub fn line<'a>(slots: &[Slot], cell: impl Fn(usize) -> (&'a str, bool), out: &mut Vec<u8>) {
    out.extend_from_slice("│".as_bytes());
    for slot in slots {
        let (text, right) = slot.column.map_or(("…", false), &cell);
        out.push(b' ');
        pad(text, slot.width, right, out);
        out.extend_from_slice(" │".as_bytes());
    }
    out.push(b'\n');
}

/// Appends `text` in exactly `width` characters' space, cut with `…` if it is wider.
fn pad(text: &str, width: usize, right: bool, out: &mut Vec<u8>) {
    let own = text.width();
    if own > width {
        return cut(text, width, out);
    }
    let spaces = std::iter::repeat_n(b' ', width - own);
    if right {
        out.extend(spaces);
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend_from_slice(text.as_bytes());
        out.extend(spaces);
    }
}

fn cut(text: &str, width: usize, out: &mut Vec<u8>) {
    let mut used = 0;
    let mut buffer = [0; 4];
    for c in text.chars() {
        let own = c.width().unwrap_or(0);
        if used + own > width.saturating_sub(1) {
            break;
        }
        used += own;
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }
    out.extend_from_slice("…".as_bytes());
    // A wide character that did not fit leaves a gap.
    out.extend(std::iter::repeat_n(b' ', width.saturating_sub(used + 1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(slots: &[Slot]) -> usize {
        1 + slots.iter().map(|s| s.width + 3).sum::<usize>()
    }

    #[test]
    fn shrinks_the_widest_first() {
        let slots = fit(&[3, 50, 7, 40], 60);
        assert_eq!(slots.iter().map(|s| s.width).collect::<Vec<_>>(), [3, 18, 7, 18]);
        assert!(total(&slots) <= 60);
        assert_eq!(fit(&[3, 50], 0), fit(&[3, 50], 1000));
    }

    #[test]
    fn leaves_out_the_middle() {
        let slots = fit(&[30; 20], 60);
        assert!(total(&slots) <= 60);
        assert_eq!(slots.iter().map(|s| s.column).collect::<Vec<_>>(), [Some(0), Some(1), None, Some(18), Some(19)]);
        assert_eq!(fit(&[30; 3], 5).len(), 3, "two columns and the dots, whatever the terminal says");
        assert!(fit(&[], 10).is_empty());
        assert_eq!(fit(&[99], 10).len(), 1);
    }

    #[test]
    fn never_wider_than_asked_where_two_columns_fit() {
        let mut seed = 7u64;
        for _ in 0..2000 {
            let mut next = |n: u64| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed % n
            };
            let widths: Vec<usize> = (0..next(30)).map(|_| next(60) as usize + 1).collect();
            let limit = next(200) as usize + 31;
            assert!(total(&fit(&widths, limit)) <= limit, "{widths:?} in {limit}");
        }
    }

    #[test]
    fn cuts_by_width_not_by_bytes() {
        let cell = |text, width, right| {
            let mut out = Vec::new();
            pad(text, width, right, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(cell("ab", 4, true), "  ab");
        assert_eq!(cell("日本", 4, false), "日本");
        assert_eq!(cell("日本語", 4, false), "日… ");
        assert_eq!(cell("abcdef", 4, false), "abc…");
        assert_eq!(cell("abcdef", 0, false), "…");
    }
}
