//! Values in jq's order: null, false, true, numbers, texts, arrays, objects. Of arrays and objects those with the least
//! JSON come first.

use partita::bag::{Json, OrderKey};

/// The order of a value.
pub struct InOrder(pub Json);

impl OrderKey for InOrder {
    fn write(&self, out: &mut Vec<u8>) {
        write(&self.0, out);
    }
}

/// The bytes that compare as the values do.
pub fn bytes(json: &Json) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(json, &mut bytes);
    bytes
}

fn write(value: &Json, out: &mut Vec<u8>) {
    let json = value.as_str();
    match json.as_bytes().first() {
        Some(b'n') | None => out.push(0),
        Some(b'f') => out.push(1),
        Some(b't') => out.push(2),
        Some(b'"') => {
            out.push(4);
            value.text().unwrap_or_default().write(out);
        }
        Some(b'[') => {
            out.push(5);
            json.write(out);
        }
        Some(b'{') => {
            out.push(6);
            json.write(out);
        }
        Some(_) => {
            out.push(3);
            let nearest: f64 = json.parse().unwrap_or(f64::NAN);
            nearest.write(out);
            // Integers that share the nearest float differ in what is left of them.
            let rest = json.parse::<i128>().map_or(0, |n| n.saturating_sub(nearest as i128));
            rest.write(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_jqs_order() {
        let sorted = [
            "null",
            "false",
            "true",
            "-1e300",
            "-2",
            "0",
            "0.5",
            "1",
            "9007199254740992",
            "9007199254740993",
            "1e300",
            "\"\"",
            "\"a\"",
            "\"a\\n\"",
            "\"b\"",
            "[]",
            "{}",
        ];
        let bytes = |json: &&str| bytes(&json.parse().unwrap());
        assert!(sorted.iter().map(bytes).collect::<Vec<_>>().is_sorted());
        assert_eq!(bytes(&"1"), bytes(&"1.0"));
    }
}
