//! The fast way from a line of JSON to a value of a type: what serde_json answers, in half of the time.
//!
//! Only what records usually have is read here: unwanted values are skipped 32 bytes at a time, text without escapes is lent
//! from the line, short whole numbers are read at once, and keys are where they were in the last line
//! ([`Trail`](crate::jq::Trail)). Whatever is unusual or wrong (a number with a fraction is only passed on; a variant with content, JSON kept as text, keys that are numbers, deep nesting, any fault) is an
//! [`Unusual`], which says nothing else: the line is then read once more by serde_json, whose answer or error counts.
//!
//! So nothing may be taken here that serde_json refuses or understands otherwise. Both take an unwanted value without a look
//! at its encoding.

use crate::formats::json_text::{End, Malformed, Text};
use crate::jq::Trail;
use serde::de::{self, Deserialize, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Deepest nesting that is read here; serde_json goes a little deeper.
const DEPTH: usize = 100;
/// The longest number, in digits, that surely fits.
const DIGITS: usize = 18;
/// The name under which JSON that is kept as text is read.
const RAW: &str = "$serde_json::private::RawValue";

/// The value of a line, if it is as usual. The trail is for lines of this type.
pub(super) fn decode<'de, T: Deserialize<'de>>(line: &'de [u8], trail: &mut Trail) -> Result<T, Unusual> {
    trail.begin();
    let mut decoder = Decoder { text: Text { bytes: line }, at: 0, depth: 0, behind_key: false, trail };
    let value = T::deserialize(&mut decoder)?;
    if decoder.text.space(decoder.at) == line.len() { Ok(value) } else { Err(Unusual) }
}

/// It is for serde_json to say what this is.
#[derive(Debug)]
pub(super) struct Unusual;

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unusual")
    }
}

impl std::error::Error for Unusual {}

impl de::Error for Unusual {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Unusual
    }
}

impl From<Malformed> for Unusual {
    fn from(_: Malformed) -> Self {
        Unusual
    }
}

type Read<T> = Result<T, Unusual>;

struct Decoder<'de, 't> {
    text: Text<'de>,
    at: usize,
    depth: usize,
    /// A key and its colon were read, and its value was not asked for yet.
    behind_key: bool,
    trail: &'t mut Trail,
}

/// A number as it stands there.
enum Number<'de> {
    Positive(u64),
    Negative(i64),
    Other(&'de [u8]),
}

/// Text as it stands there, or without its escapes.
enum Words<'de> {
    Lent(&'de str),
    Made(String),
}

impl<'de> Words<'de> {
    #[inline(always)]
    fn visited<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self {
            Words::Lent(text) => visitor.visit_borrowed_str(text),
            Words::Made(text) => visitor.visit_str(&text),
        }
    }
}

impl<'de> Decoder<'de, '_> {
    /// The first byte of the next value.
    #[inline(always)]
    fn peek(&mut self) -> u8 {
        self.at = self.text.space(self.at);
        self.text.at(self.at)
    }

    #[inline(always)]
    fn eat(&mut self, byte: u8) -> Read<()> {
        if self.peek() != byte {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(())
    }

    /// Behind the value that comes.
    #[inline(always)]
    fn skip(&mut self) -> Read<()> {
        let first = self.peek();
        if first == b'"' {
            let End { at: end, escaped, .. } = self.text.string(self.at + 1)?;
            if !escaped {
                self.at = end + 1;
                return Ok(());
            }
        }
        self.at = match first {
            b'-' | b'0'..=b'9' => self.text.number_end(self.at)?,
            _ => self.text.skip(self.at)?,
        };
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Read<()> {
        let rest = self.text.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(Unusual);
        }
        self.at += word.len();
        Ok(())
    }

    #[inline(always)]
    fn words(&mut self) -> Read<Words<'de>> {
        self.eat(b'"')?;
        let begin = self.at;
        let End { at: end, escaped, ascii } = self.text.string(begin)?;
        self.at = end + 1;
        if escaped {
            return self.made(begin, end);
        }
        let bytes = self.text.bytes.get(begin..end).unwrap_or_default();
        if ascii {
            // SAFETY: ASCII is UTF-8.
            return Ok(Words::Lent(unsafe { std::str::from_utf8_unchecked(bytes) }));
        }
        std::str::from_utf8(bytes).map(Words::Lent).map_err(|_| Unusual)
    }

    /// The key that comes, and its colon where that is at once behind it.
    #[inline(always)]
    fn key(&mut self) -> Read<Words<'de>> {
        let rest = self.text.bytes.get(self.at..).unwrap_or_default();
        match self.trail.follow(rest, None) {
            Some((len, _)) => {
                self.at += len;
                self.behind_key = true;
                let key = rest.get(1..len - 2).unwrap_or_default();
                // SAFETY: the trail was told of a key of the same bytes, which was UTF-8.
                Ok(Words::Lent(unsafe { std::str::from_utf8_unchecked(key) }))
            }
            None => self.other_key(),
        }
    }

    #[inline(never)]
    fn other_key(&mut self) -> Read<Words<'de>> {
        let begin = self.at;
        let words = self.words()?;
        if matches!(words, Words::Lent(_)) && self.text.at(self.at) == b':' {
            self.at += 1;
            self.behind_key = true;
            self.trail.note(self.text.bytes.get(begin..self.at).unwrap_or_default(), None, None);
        }
        Ok(words)
    }

    #[inline(never)]
    fn made(&self, begin: usize, end: usize) -> Read<Words<'de>> {
        let mut made = Vec::with_capacity(end - begin);
        self.text.unescape(begin, end, &mut made)?;
        String::from_utf8(made).map(Words::Made).map_err(|_| Unusual)
    }

    #[inline(always)]
    fn visit_words<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        self.words()?.visited(visitor)
    }

    #[inline(always)]
    fn number(&mut self) -> Read<Number<'de>> {
        let negative = self.peek() == b'-';
        let begin = self.at;
        if !negative && !self.text.at(begin).is_ascii_digit() {
            return Err(Unusual);
        }
        let end = self.text.number_end(begin)?;
        self.at = end;
        let token = self.text.bytes.get(begin..end).unwrap_or_default();
        let digits = token.get(usize::from(negative)..).unwrap_or_default();
        let add = |n: i64, b: &u8| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0'));
        let whole = if digits.len() <= DIGITS { digits.iter().try_fold(0, add) } else { None };
        Ok(match whole {
            // Minus nought is a fraction.
            Some(0) | None if negative => Number::Other(token),
            None => Number::Other(token),
            Some(n) if negative => Number::Negative(-n),
            Some(n) => Number::Positive(n.unsigned_abs()),
        })
    }

    /// Goes into a list or an object, which `inside` reads up to its end.
    #[inline(always)]
    fn nested<R>(&mut self, open: u8, close: u8, inside: impl FnOnce(&mut Self) -> Read<R>) -> Read<R> {
        self.eat(open)?;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unusual);
        }
        let made = inside(self)?;
        self.depth -= 1;
        if self.behind_key {
            return Err(Unusual);
        }
        self.eat(close)?;
        Ok(made)
    }

    #[inline(always)]
    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        self.nested(b'[', b']', |inside| visitor.visit_seq(Parts { of: inside, close: b']', first: true }))
    }

    #[inline(always)]
    fn object<V: Visitor<'de>>(&mut self, visitor: V) -> Read<V::Value> {
        self.nested(b'{', b'}', |inside| visitor.visit_map(Parts { of: inside, close: b'}', first: true }))
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            match self.number()? {
                Number::Positive(n) => visitor.visit_u64(n),
                Number::Negative(n) => visitor.visit_i64(n),
                Number::Other(token) => {
                    serde_json::Deserializer::from_slice(token).$method(visitor).map_err(|_| Unusual)
                }
            }
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            self.visit_words(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de, '_> {
    type Error = Unusual;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.peek() {
            b'"' => self.visit_words(visitor),
            b'{' => self.object(visitor),
            b'[' => self.list(visitor),
            b'n' => self.deserialize_unit(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            _ => match self.number()? {
                Number::Positive(n) => visitor.visit_u64(n),
                Number::Negative(n) => visitor.visit_i64(n),
                Number::Other(token) => {
                    serde_json::Deserializer::from_slice(token).deserialize_any(visitor).map_err(|_| Unusual)
                }
            },
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }
    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_i128<V: Visitor<'de>>(self, _visitor: V) -> Read<V::Value> {
        Err(Unusual)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, _visitor: V) -> Read<V::Value> {
        Err(Unusual)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let is = self.peek() == b't';
        self.word(if is { b"true" } else { b"false" })?;
        visitor.visit_bool(is)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _visitor: V) -> Read<V::Value> {
        Err(Unusual)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _visitor: V) -> Read<V::Value> {
        Err(Unusual)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        if self.peek() != b'n' {
            return visitor.visit_some(self);
        }
        self.word(b"null")?;
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.peek();
        self.word(b"null")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Read<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Read<V::Value> {
        if name == RAW {
            return Err(Unusual);
        }
        visitor.visit_newtype_struct(self)
    }

    #[inline(always)]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Read<V::Value> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _name: &'static str, _len: usize, visitor: V) -> Read<V::Value> {
        self.list(visitor)
    }

    #[inline(always)]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.object(visitor)
    }

    #[inline(always)]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        let text = match self.words()? {
            Words::Lent(text) => text.into(),
            Words::Made(text) => text,
        };
        text.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    #[inline(always)]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }
}

/// The elements of a list, or the entries of an object.
struct Parts<'a, 'de, 't> {
    of: &'a mut Decoder<'de, 't>,
    close: u8,
    first: bool,
}

impl Parts<'_, '_, '_> {
    /// Goes to the next part; says whether there is one.
    #[inline(always)]
    fn go_on(&mut self) -> Read<bool> {
        if self.of.behind_key {
            return Err(Unusual);
        }
        let byte = self.of.peek();
        if byte == self.close {
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) {
            self.of.eat(b',')?;
            if self.of.peek() == self.close {
                return Err(Unusual);
            }
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de, '_> {
    type Error = Unusual;

    #[inline(always)]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Read<Option<T::Value>> {
        if self.go_on()? { seed.deserialize(&mut *self.of).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de, '_> {
    type Error = Unusual;

    #[inline(always)]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Read<Option<K::Value>> {
        if self.go_on()? { seed.deserialize(Key(self.of.key()?)).map(Some) } else { Ok(None) }
    }

    #[inline(always)]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Read<V::Value> {
        if !std::mem::take(&mut self.of.behind_key) {
            self.of.eat(b':')?;
        }
        seed.deserialize(&mut *self.of)
    }
}

/// The key of an entry, which is text here, whatever is wanted.
struct Key<'de>(Words<'de>);

macro_rules! unusual {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _visitor: V) -> Read<V::Value> {
            Err(Unusual)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = Unusual;

    #[inline(always)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.0.visited(visitor)
    }

    serde::forward_to_deserialize_any! { char str string identifier }

    unusual! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq deserialize_map
        deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, _visitor: V) -> Read<V::Value> {
        Err(Unusual)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Read<V::Value> {
        if name == RAW { Err(Unusual) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Read<V::Value> {
        Err(Unusual)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        _visitor: V,
    ) -> Read<V::Value> {
        Err(Unusual)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Read<V::Value> {
        Err(Unusual)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        _visitor: V,
    ) -> Read<V::Value> {
        Err(Unusual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Plain {
        a: i64,
        #[serde(default)]
        b: Option<String>,
        c: Option<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        e: (u8, f32),
        a: Wrapped,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapped(Vec<bool>);

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        A,
        B(i64),
        C { a: u8 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Number(f64),
        Text(String),
        Flat(Flat),
        List(Vec<Any>),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        a: u64,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    /// What is taken here is what serde_json takes; answers whether it was.
    fn agree<T: DeserializeOwned + fmt::Debug + PartialEq>(text: &[u8]) -> bool {
        // The second time all keys are known, the third time those of another line.
        let mut trail = Trail::default();
        let first = agree_with::<T>(text, &mut trail);
        assert_eq!(agree_with::<T>(text, &mut trail), first);
        let _ = decode::<T>(br#"{"a":1,"e":2,"b":{"c":3},"a":4}"#, &mut trail);
        assert_eq!(agree_with::<T>(text, &mut trail), first);
        first
    }

    fn agree_with<T: DeserializeOwned + fmt::Debug + PartialEq>(text: &[u8], trail: &mut Trail) -> bool {
        let (ours, theirs) = (decode::<T>(text, trail), serde_json::from_slice::<T>(text));
        let shown = String::from_utf8_lossy(text);
        if let Ok(ours) = &ours {
            let theirs = theirs.unwrap_or_else(|e| panic!("{shown}: {ours:?}, but {e}"));
            assert_eq!(*ours, theirs, "{shown}");
        }
        ours.is_ok()
    }

    /// Asks for keys without their values, and for one more than wanted.
    #[derive(Debug, PartialEq)]
    struct Hasty<const KEYS: usize>;

    impl<'de, const KEYS: usize> Deserialize<'de> for Hasty<KEYS> {
        fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Hasty)
        }
    }

    impl<'de, const KEYS: usize> Visitor<'de> for Hasty<KEYS> {
        type Value = Self;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("keys")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self, M::Error> {
            for _ in 0..KEYS {
                map.next_key::<String>()?;
            }
            Ok(self)
        }
    }

    fn all(text: &[u8]) -> usize {
        let agreed = [
            agree::<Value>(text),
            agree::<Plain>(text),
            agree::<Vec<Plain>>(text),
            agree::<Kind>(text),
            agree::<Any>(text),
            agree::<Flat>(text),
            agree::<BTreeMap<String, Value>>(text),
            agree::<BTreeMap<u8, i32>>(text),
            agree::<BTreeMap<char, Option<u128>>>(text),
            agree::<(u8, String, Option<bool>)>(text),
            agree::<Option<f64>>(text),
            agree::<i8>(text),
            agree::<char>(text),
            agree::<()>(text),
            agree::<Hasty<1>>(text),
            agree::<Hasty<2>>(text),
            agree::<String>(text),
        ];
        agreed.into_iter().filter(|agreed| *agreed).count()
    }

    fn value() -> impl Strategy<Value = String> {
        let number = prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_filter_map("finite", |n| n.is_finite().then(|| format!("{n:?}"))),
            any::<i128>().prop_map(|n| n.to_string()),
            "-?[0-9]{1,3}",
            "-?[0-9.eE+-]{1,5}",
        ];
        let text = "[ab\\PC\\\\\"/]{0,5}".prop_map(|text| serde_json::to_string(&text).unwrap_or_default());
        let leaf = prop_oneof![number, text, "\"[abcABC]\"", "true|false|null", "\"[a\\\\ud8c0e\"]{0,8}\""];
        leaf.prop_recursive(4, 30, 4, |inner| {
            let fields = prop::collection::vec(("[abcABCe0-9]", inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
                fields.prop_map(|fields| {
                    let fields = fields.iter().map(|(key, value)| format!("\"{key}\" :{value}"));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_taken_is_what_serde_json_takes(text in value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            all(text.as_bytes());
            let mut broken = text.clone().into_bytes();
            let at = at.index(broken.len());
            broken[at] = byte;
            all(&broken);
            all(&text.as_bytes()[..at]);
        }

        #[test]
        fn broken_text_is_refused(text in "[{}\\[\\]:,\"abc01.eE+\\\\utrlsfn -]{0,16}") {
            all(text.as_bytes());
        }
    }

    #[test]
    fn what_is_usual_is_taken() {
        let whole =
            br#" {"x": {"y":[1,"\n"]}, "a": -12, "b":"c\u00e9", "c":{"e":[7, 1.5],"z":null,"a":[true , false]}} "#;
        assert!(agree::<Plain>(whole) && agree::<Value>(whole) && agree::<BTreeMap<String, Value>>(whole));
        assert!(
            agree::<Kind>(b"\"A\"") && agree::<Any>(b"[1,\"a\",{\"a\":1}]") && agree::<Flat>(b"{\"a\":1,\"b\":[]}")
        );
        assert!(!agree::<Kind>(b"{\"B\":1}") && !agree::<Kind>(b"{\"C\":{\"a\":1}}"));
        assert!(agree::<Vec<u64>>(b"[ ]") && !agree::<Vec<u64>>(b"[1,]") && !agree::<Vec<u64>>(b"[1 2]"));
        for text in ["0", "-1", "999999999999999999", "9999999999999999999", "-0", "1.0", "1e3"] {
            assert!(agree::<f64>(text.as_bytes()) && agree::<Value>(text.as_bytes()), "{text}");
        }
        for text in ["01", "+1", "1.", "{\"a\":1}x", "{\"a\" 1}", "{a:1}", "\"\u{1}\"", "\"\\ud800\"", "nul", ""] {
            assert_eq!(all(text.as_bytes()), 0, "{text}");
        }
        let deep = [vec![b'['; 200], vec![b']'; 200]].concat();
        assert!(!agree::<Value>(&deep));
        assert!(!agree::<String>(b"\"\xff\""));
        for hasty in [&br#"{"a":}"#[..], br#"{"a":,"b":}"#, br#"{"a":1,"b":2}"#, br#"{"a":"#] {
            assert!(!agree::<Hasty<1>>(hasty) && !agree::<Hasty<2>>(hasty));
        }
        assert!(agree::<Hasty<1>>(b"{}"));
    }
}
