//! A result in a box, for people: the first and the last rows, cut to the width of the terminal.
//!
//! Life of a row: of each batch only the rows that may be among the first or the last ones become text. While they are
//! fewer than [`LAYOUT_ROWS`], the first rows wait, since the widest of them decides the layout; later ones are printed
//! in that layout, cut with `…` where they do not fit. The last rows wait in a ring until the end. So memory is
//! bounded whatever `--max-rows` says.
//!
//! A result that is a plan (of `EXPLAIN`) is text already and is printed without a box.

use super::boxes::{self, Slot};
use super::{Printer, Shape};
use crate::cli::types::{is_numeric, word};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use partita::Result;
use partita::cells::Column;
use std::collections::VecDeque;
use unicode_width::UnicodeWidthStr;

/// Rows whose widths decide the layout.
const LAYOUT_ROWS: usize = 4_096;
/// Most rows that wait for the end.
const TAIL_ROWS: usize = 4_096;
/// Longest text of a cell, in characters.
const CELL_CHARS: usize = 1_000;

type Row = Vec<String>;

/// Prints rows in a box.
pub struct Table {
    head_rows: usize,
    tail_rows: usize,
    width: usize,
    header: bool,
    null: String,
    columns: Vec<Head>,
    plan: Option<usize>,
    head: Vec<Row>,
    tail: VecDeque<Row>,
    /// Rows printed or waiting in `head`.
    heads: usize,
    total: usize,
    layout: Option<Vec<Slot>>,
}

struct Head {
    name: String,
    word: String,
    right: bool,
}

impl Table {
    /// As many rows and as wide as the shape says.
    pub fn new(shape: &Shape) -> Self {
        let tail_rows = (shape.max_rows / 2).min(TAIL_ROWS);
        Table {
            head_rows: if shape.max_rows == 0 { usize::MAX } else { shape.max_rows - tail_rows },
            tail_rows,
            width: shape.width,
            header: shape.header,
            null: shape.null.clone().unwrap_or_else(|| "NULL".into()),
            columns: Vec::new(),
            plan: None,
            head: Vec::new(),
            tail: VecDeque::new(),
            heads: 0,
            total: 0,
            layout: None,
        }
    }

    /// Chooses the layout from the rows that wait, and prints the frame's top and them.
    fn open(&mut self, out: &mut Vec<u8>) -> Vec<Slot> {
        let rows = || self.head.iter().chain(&self.tail);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|c| {
                let head = &self.columns[c];
                let named = if self.header { head.name.width().max(head.word.width()) } else { 0 };
                rows().map(|row| row[c].width()).max().unwrap_or(0).max(named).max(1)
            })
            .collect();
        let slots = boxes::fit(&widths, self.width);
        boxes::rule(&slots, ["┌", "┬", "┐"], out);
        if self.header {
            boxes::line(&slots, |c| (&self.columns[c].name, self.columns[c].right), out);
            boxes::line(&slots, |c| (&self.columns[c].word, self.columns[c].right), out);
            boxes::rule(&slots, ["├", "┼", "┤"], out);
        }
        for row in std::mem::take(&mut self.head) {
            self.line(&slots, &row, out);
        }
        slots
    }

    fn line(&self, slots: &[Slot], row: &Row, out: &mut Vec<u8>) {
        boxes::line(slots, |c| (&row[c], self.columns[c].right), out);
    }

    fn footer(&self, slots: &[Slot], out: &mut Vec<u8>) {
        let rows = counted(self.total, "row");
        let shown = self.heads + self.tail.len();
        let mut parts = vec![if shown < self.total { format!("{rows} ({shown} shown)") } else { rows }];
        if slots.iter().any(|slot| slot.column.is_none()) {
            let all = counted(self.columns.len(), "column");
            parts.push(format!("{all} ({} shown)", slots.len() - 1));
        }
        out.extend_from_slice(parts.join(", ").as_bytes());
        out.push(b'\n');
    }

    /// The rows of a batch that may be shown: up to where the head ends, and from where the tail begins.
    fn wanted(&self, rows: usize) -> (usize, usize) {
        let first = rows.min(self.head_rows - self.heads);
        (first, first.max(rows.saturating_sub(self.tail_rows)))
    }

    fn take_row(&mut self, columns: &[Column], row: usize) -> Row {
        let mut scratch = Vec::new();
        columns.iter().map(|column| cell(column, row, &self.null, &mut scratch)).collect()
    }
}

impl Printer for Table {
    fn begin(&mut self, schema: &SchemaRef, _out: &mut Vec<u8>) -> Result<()> {
        let head = |name: &str, data_type| Head {
            name: on_one_line(name),
            word: word(data_type),
            right: is_numeric(data_type),
        };
        self.columns = schema.fields().iter().map(|f| head(f.name(), f.data_type())).collect();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        self.plan = match names[..] {
            ["plan"] => Some(0),
            ["plan_type", "plan"] => Some(1),
            _ => None,
        };
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = Column::all(batch)?;
        if let Some(plan) = self.plan {
            for row in 0..batch.num_rows() {
                columns[plan].text(row, out);
                out.push(b'\n');
            }
            return Ok(());
        }
        let (head_end, tail_begin) = self.wanted(batch.num_rows());
        for row in 0..head_end {
            let row = self.take_row(&columns, row);
            self.heads += 1;
            match self.layout.take() {
                Some(slots) => {
                    self.line(&slots, &row, out);
                    self.layout = Some(slots);
                }
                None => self.head.push(row),
            }
            if self.layout.is_none() && self.head.len() == LAYOUT_ROWS {
                self.layout = Some(self.open(out));
            }
        }
        for row in tail_begin..batch.num_rows() {
            if self.tail.len() == self.tail_rows {
                self.tail.pop_front();
            }
            let row = self.take_row(&columns, row);
            self.tail.push_back(row);
        }
        self.total += batch.num_rows();
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.plan.is_some() || self.columns.is_empty() {
            return Ok(());
        }
        let slots = match self.layout.take() {
            Some(slots) => slots,
            None => self.open(out),
        };
        if self.heads + self.tail.len() < self.total {
            boxes::line(&slots, |c| ("·", self.columns[c].right), out);
        }
        for row in &self.tail {
            self.line(&slots, row, out);
        }
        boxes::rule(&slots, ["└", "┴", "┘"], out);
        self.footer(&slots, out);
        Ok(())
    }
}

fn cell(column: &Column, row: usize, null: &str, scratch: &mut Vec<u8>) -> String {
    if column.is_null(row) {
        return null.to_string();
    }
    scratch.clear();
    column.text(row, scratch);
    on_one_line(&String::from_utf8_lossy(scratch))
}

/// Text that keeps to its line and cannot command the terminal.
fn on_one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(CELL_CHARS));
    for (i, c) in text.chars().enumerate() {
        if i == CELL_CHARS {
            shown.push('…');
            break;
        }
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// `1 row`, `1,234 rows`.
fn counted(n: usize, what: &str) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::sync::Arc;

    fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
        batch(vec![("n", Arc::new(Int64Array::from_iter_values(range)))])
    }

    #[test]
    fn a_small_result_is_shown_whole() {
        let text = r#"┌────────┬──────────────┬────────┬─────────┬─────────┐
│     id │ name         │  price │ ok      │ note    │
│ bigint │ varchar      │ double │ boolean │ varchar │
├────────┼──────────────┼────────┼─────────┼─────────┤
│      1 │ plain        │    1.0 │ true    │         │
│    -20 │ a,b\t"c"\nd| │    nan │ false   │ é       │
│   NULL │ NULL         │   NULL │ NULL    │ NULL    │
└────────┴──────────────┴────────┴─────────┴─────────┘
3 rows
"#;
        assert_eq!(shown("table", &shape(), &[simple()]), text);
    }

    #[test]
    fn a_large_result_shows_both_ends() {
        let shape = Shape { max_rows: 3, ..shape() };
        let text = "\
┌────────┐
│      n │
│ bigint │
├────────┤
│      0 │
│      1 │
│      · │
│   1199 │
└────────┘
1,200 rows (3 shown)
";
        assert_eq!(shown("table", &shape, &[numbers(0..1000), numbers(1000..1200)]), text);
        let small: Vec<RecordBatch> = (0..1200).map(|i| numbers(i..i + 1)).collect();
        assert_eq!(shown("table", &shape, &small), text, "whatever the batches are");
    }

    #[test]
    fn as_many_rows_as_allowed_need_no_dots() {
        let shape = Shape { max_rows: 3, ..shape() };
        assert!(!shown("table", &shape, &[numbers(0..1), numbers(1..3)]).contains('·'));
        let empty = "┌────────┐\n│      n │\n│ bigint │\n├────────┤\n└────────┘\n0 rows\n";
        assert_eq!(shown("table", &shape, &[numbers(0..0)]), empty);
    }

    #[test]
    fn all_rows_stream_in_the_layout_of_the_first() {
        let rows = LAYOUT_ROWS as i64 * 2;
        let many = numbers(0..rows);
        let last: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX]));
        let last = batch(vec![("n", last)]);
        for max_rows in [0, rows as usize * 2] {
            let text = shown("table", &Shape { max_rows, ..shape() }, &[many.clone(), last.clone()]);
            assert_eq!(text.lines().count(), rows as usize + 1 + 6);
            assert!(text.contains("│   8191 │\n│ 92233… │\n└"), "{}", &text[text.len() - 200..]);
        }
        assert!(shown("table", &Shape { max_rows: 0, ..shape() }, &[many.slice(0, 2)]).ends_with("2 rows\n"));
    }

    #[test]
    fn a_narrow_terminal_drops_columns_and_says_so() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["some long text"]));
        let names = ["a", "b", "c", "d", "e"];
        let wide = batch(names.iter().map(|n| (*n, column.clone())).collect());
        let text = "\
┌────────────┬────────────┬───┬────────────┐
│ a          │ b          │ … │ e          │
│ varchar    │ varchar    │ … │ varchar    │
├────────────┼────────────┼───┼────────────┤
│ some long… │ some long… │ … │ some long… │
└────────────┴────────────┴───┴────────────┘
1 row, 5 columns (3 shown)
";
        assert_eq!(shown("table", &Shape { width: 46, ..shape() }, &[wide]), text);
    }

    #[test]
    fn nothing_in_a_cell_commands_the_terminal() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["\u{1b}[2J"]));
        let text = shown("table", &shape(), &[batch(vec![("x", column)])]);
        assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}[2J"));
    }

    #[test]
    fn plans_are_text() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["scan t\n  filter"]));
        assert_eq!(shown("table", &shape(), &[batch(vec![("plan", column)])]), "scan t\n  filter\n");
    }
}
