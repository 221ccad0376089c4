//! Standard input as a bag: a thread reads what arrives, unpacks it where it is packed, and sends its lines, or the records of
//! its document, on at once.

use partita::Place;
use partita::bag::{Json, Records, Sender};
use partita::io::open_arriving;
use partita::prelude::*;
use partita::units::ByteSize;
use std::io::{ErrorKind as Io, Read};

/// Bytes that are read at one time.
const CHUNK: usize = 64 << 10;
/// What it is called.
const NAME: &str = "standard input";
/// The part of the budget that a line may take: some of them may wait, while another one is read.
const SHARE: usize = 16;

/// The records of standard input as JSON: its lines, of which blank ones are none, or what is in its one document, behind
/// the path `records` where that is given.
pub fn json(session: &Session, records: Option<&str>) -> Bag<Json> {
    let found = arriving(session, Records::new(records)).remove(|record| record.iter().all(u8::is_ascii_whitespace));
    found.try_map(|record| match std::str::from_utf8(&record) {
        Ok(text) => text.parse::<Json>(),
        Err(_) => Err(Error::data("the text is not UTF-8")),
    })
}

/// The lines of standard input as texts.
pub fn text(session: &Session) -> Bag<String> {
    let lines = arriving(session, Records::lines_only());
    lines.try_map(|line| String::from_utf8(line).map_err(|_| "the text is not UTF-8"))
}

fn arriving(session: &Session, records: Records) -> Bag<Vec<u8>> {
    let (sender, bag) = Bag::arriving(session);
    let longest = session.stats().budget / SHARE;
    let read = move || match open_arriving(Box::new(std::io::stdin()), NAME) {
        Ok(input) => read(input, longest, records, &sender),
        Err(error) => sender.fail(error),
    };
    match std::thread::Builder::new().name(NAME.into()).spawn(read) {
        Ok(_) => bag,
        Err(e) => bag.try_map(move |_| Err::<Vec<u8>, _>(format!("no thread to read standard input: {e}"))),
    }
}

fn read(mut input: impl Read, longest: usize, mut records: Records, sender: &Sender<Vec<u8>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let n = match input.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == Io::Interrupted => continue,
            Err(e) if matches!(e.kind(), Io::InvalidData | Io::InvalidInput | Io::UnexpectedEof | Io::Other) => {
                return sender.fail(Error::data(format!("{NAME}: the compressed data is broken: {e}")));
            }
            Err(e) => return sender.fail(Error::io(NAME, e)),
        };
        let found = match records.feed(buffer.get(..n).unwrap_or_default(), n == 0) {
            Ok(found) => found,
            Err(error) => return sender.fail(error.at(Place { file: Some(NAME.into()), ..Place::default() })),
        };
        let is_wanted = found.is_empty() || sender.send(found);
        if n == 0 || !is_wanted {
            return;
        }
        if records.waiting() > longest {
            let message = format!("{NAME}: a line or record is longer than {}", ByteSize(longest));
            return sender.fail(Error::resources(message).advise("raise --memory: it takes at most a sixteenth of it"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole() {
        let session = Session::builder().memory("64MiB").unwrap().build().unwrap();
        for text in ["", "a", "a\n", "a\r\n\nb", "\n"] {
            let (sender, bag) = Bag::arriving(&session);
            let bytes = text.as_bytes().to_vec();
            std::thread::spawn(move || read(bytes.as_slice(), 1000, Records::lines_only(), &sender));
            let lines: Vec<String> = text.lines().map(str::to_string).collect();
            assert_eq!(bag.map(|line: Vec<u8>| String::from_utf8(line).unwrap()).collect().unwrap(), lines, "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_an_error() {
        let session = Session::builder().memory("64MiB").unwrap().build().unwrap();
        for records in [Records::lines_only(), Records::new(None), Records::new(Some("a"))] {
            let (sender, bag) = Bag::arriving(&session);
            std::thread::spawn(move || read(b"{\"a\": \"".chain(std::io::repeat(b'x')), 1000, records, &sender));
            let error = bag.count().unwrap_err();
            assert!(error.message().contains("longer than 1000") && error.advice().is_some(), "{error}");
        }
    }
}
