//! The options of formats as Markdown: the same tables that their parsers ask.

use super::csv::options as csv;
use super::options::{Row, TEXT};

/// The tables of options of docs/formats.md, each with its heading.
pub fn options_manual() -> String {
    let tables: [(&str, &[Row]); 2] = [("Any file of text", TEXT), ("read_csv", csv::READING)];
    let table = |(name, rows): &(&str, &[Row])| format!("### {name}\n\n{}", table(rows));
    tables.iter().map(table).collect::<Vec<_>>().join("\n")
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("| option | takes | what it does |\n|---|---|---|\n");
    for row in rows {
        let mut names = row.names.iter().map(|name| format!("`{name}`"));
        let name = names.next().unwrap_or_default();
        let others = names.collect::<Vec<_>>().join(", ");
        let names = if others.is_empty() { name } else { format!("{name} ({others})") };
        text += &format!("| {names} | {} | {} |\n", cell(row.takes), cell(row.does));
    }
    text
}

/// A text for a cell, where a bar would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE=1 cargo test --lib formats::manual` writes the tables anew.
    #[test]
    fn the_manual_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
        let known = std::fs::read_to_string(&path).unwrap();
        let (begin, end) = ("<!-- options: begin -->\n", "<!-- options: end -->");
        let (before, rest) = known.split_once(begin).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        let current = format!("{before}{begin}\n{}\n{end}{after}", options_manual());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &current).unwrap();
            return;
        }
        assert!(known == current, "docs/formats.md is not current: UPDATE=1 cargo test --lib formats::manual");
    }
}
