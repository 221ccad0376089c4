//! Items as jq shows them: a line for each value, two spaces deeper each level; `-c` leaves them as they are, `-r` takes the
//! quotes off texts, `-j` the line ends too.

use partita::bag::Json;

/// How items are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    pub pretty: bool,
    pub raw: bool,
    pub joined: bool,
}

impl Style {
    /// Appends an item with its line end.
    pub fn write(self, json: &Json, out: &mut Vec<u8>) {
        match json.text() {
            Some(text) if self.raw => out.extend_from_slice(text.as_bytes()),
            None if self.pretty => indented(json.as_str().as_bytes(), out),
            _ => out.extend_from_slice(json.as_str().as_bytes()),
        }
        if !self.joined {
            out.push(b'\n');
        }
    }
}

/// Appends JSON without spaces in lines.
fn indented(json: &[u8], out: &mut Vec<u8>) {
    let (mut depth, mut at) = (0usize, 0);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', 2 * depth));
    };
    while let Some(byte) = json.get(at).copied() {
        let next = json.get(at + 1).copied();
        at += 1;
        match (byte, next) {
            (b'"', _) => {
                let end = text_end(json, at);
                out.extend_from_slice(json.get(at - 1..end).unwrap_or_default());
                at = end;
            }
            (b'{', Some(b'}')) | (b'[', Some(b']')) => {
                out.extend([byte, next.unwrap_or_default()]);
                at += 1;
            }
            (b'{' | b'[', _) => {
                out.push(byte);
                depth += 1;
                line(out, depth);
            }
            (b'}' | b']', _) => {
                depth = depth.saturating_sub(1);
                line(out, depth);
                out.push(byte);
            }
            (b',', _) => {
                out.push(byte);
                line(out, depth);
            }
            (b':', _) => out.extend(b": "),
            _ => out.push(byte),
        }
    }
}

/// Behind the text whose content begins at `at`.
fn text_end(json: &[u8], mut at: usize) -> usize {
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: Style, json: &str) -> String {
        let mut out = Vec::new();
        style.write(&json.parse().unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn items_look_as_jq_shows_them() {
        let pretty = Style { pretty: true, ..Style::default() };
        let text = "{\n  \"a\": [\n    1,\n    \"x,\\\"]\"\n  ],\n  \"b\": {},\n  \"c\": []\n}\n";
        assert_eq!(written(pretty, r#"{"a":[1,"x,\"]"],"b":{},"c":[]}"#), text);
        assert_eq!(written(pretty, "\"a\\nb\""), "\"a\\nb\"\n");
        assert_eq!(written(Style { pretty: true, raw: true, joined: false }, "\"a\\nb\""), "a\nb\n");
        assert_eq!(written(Style::default(), r#"{"a":[1]}"#), "{\"a\":[1]}\n");
    }
}
