//! The plan as text: what will run, and after it ran what each operator did.

use super::pipe::Described;
use crate::units::ByteSize;
use std::fmt::Write;
use std::time::Duration;

/// The operators as a tree, the result on top.
pub fn explain(top: &Described) -> String {
    let mut out = String::new();
    draw(top, "", "", &mut out, &|node| head(node));
    out
}

/// The operators with rows, time (summed over workers), memory and spill.
pub fn explain_analyzed(top: &Described) -> String {
    let mut out = String::new();
    draw(top, "", "", &mut out, &|node| format!("{}{}", head(node), did(node)));
    out
}

fn head(node: &Described) -> String {
    if node.detail.is_empty() { node.name.clone() } else { format!("{}: {}", node.name, node.detail) }
}

fn did(node: &Described) -> String {
    let meter = &node.meter;
    let mut text = format!(" [{} rows, {:.1?}", meter.rows(), Duration::from_nanos(meter.nanos()));
    if meter.peak() > 0 {
        let _ = write!(text, ", {}", ByteSize(meter.peak() as usize));
    }
    if meter.spilled() > 0 {
        let _ = write!(text, ", spilled {}", ByteSize(meter.spilled() as usize));
        if meter.passes() > 1 {
            let _ = write!(text, " in {} passes", meter.passes());
        }
    }
    text.push(']');
    for note in meter.notes() {
        let _ = write!(text, " ({note})");
    }
    text
}

fn draw(node: &Described, first: &str, rest: &str, out: &mut String, line: &dyn Fn(&Described) -> String) {
    let _ = writeln!(out, "{first}{}", line(node));
    for (i, input) in node.inputs.iter().enumerate() {
        let last = i + 1 == node.inputs.len();
        let (branch, bar) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(input, &format!("{rest}{branch}"), &format!("{rest}{bar}"), out, line);
    }
}
