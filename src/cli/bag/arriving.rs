//! Standard input as a bag: a thread reads what arrives, unpacks it where it is packed, and sends its lines, or the records of
//! its document, on at once. Where what arrives is broken, that is the last item, and a bad one: as in files, what came before
//! it counts.

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

/// A line or record, or why there are no more of them.
type Came = Result<Vec<u8>>;

/// The records of standard input as JSON: its lines, of which blank ones are none, or what is in its one document, behind
/// the path `records` where that is given.
pub fn json(session: &Session, records: Option<&str>) -> Bag<Json> {
    let found = arriving(session, Records::new(records)).remove(is_blank);
    found.try_map(|came| match std::str::from_utf8(&came?) {
        Ok(text) => text.parse::<Json>(),
        Err(_) => Err(Error::data("the text is not UTF-8")),
    })
}

/// The lines of standard input as texts.
pub fn text(session: &Session) -> Bag<String> {
    let lines = arriving(session, Records::lines_only());
    lines.try_map(|came| String::from_utf8(came?).map_err(|_| Error::data("the text is not UTF-8")))
}

fn is_blank(came: &Came) -> bool {
    came.as_ref().is_ok_and(|record| record.iter().all(u8::is_ascii_whitespace))
}

fn arriving(session: &Session, records: Records) -> Bag<Came> {
    let (sender, bag) = Bag::arriving(session);
    let longest = session.stats().budget / SHARE;
    let read = move || match open_arriving(Box::new(std::io::stdin()), NAME) {
        Ok(input) => read(input, longest, records, &sender),
        Err(error) => end(error, &sender),
    };
    match std::thread::Builder::new().name(NAME.into()).spawn(read) {
        Ok(_) => bag,
        Err(e) => bag.try_map(move |_| Err::<Came, _>(format!("no thread to read standard input: {e}"))),
    }
}

fn read(mut input: impl Read, longest: usize, mut records: Records, sender: &Sender<Came>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let n = match input.read(&mut buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == Io::Interrupted => continue,
            Err(e) if matches!(e.kind(), Io::InvalidData | Io::InvalidInput | Io::UnexpectedEof | Io::Other) => {
                return end(Error::data(format!("{NAME}: the compressed data is broken: {e}")), sender);
            }
            Err(e) => return end(Error::io(NAME, e), sender),
        };
        let is_wanted = pass_on(buffer.get(..n).unwrap_or_default(), n == 0, &mut records, sender);
        if n == 0 || !is_wanted {
            return;
        }
        if records.waiting() > longest {
            let message = format!("{NAME}: a line or record is longer than {}", ByteSize(longest));
            return end(Error::resources(message).advise("raise --memory: it takes at most a sixteenth of it"), sender);
        }
    }
}

/// Sends what is complete with `bytes`; false, when no more is wanted or can come.
fn pass_on(mut bytes: &[u8], last: bool, records: &mut Records, sender: &Sender<Came>) -> bool {
    loop {
        match records.feed(bytes, last) {
            Ok(found) if found.is_empty() => return true,
            Ok(found) => {
                if !sender.send(found.into_iter().map(Ok).collect()) {
                    return false;
                }
                bytes = &[];
            }
            Err(error) => {
                end(error.at(Place { file: Some(NAME.into()), ..Place::default() }), sender);
                return false;
            }
        }
    }
}

/// The last item says why there are no more. Whether it ends the query is for whoever judges bad items.
fn end(error: Error, sender: &Sender<Came>) {
    sender.send(vec![Err(error)]);
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
            assert_eq!(
                bag.map(|line: Came| String::from_utf8(line.unwrap()).unwrap()).collect().unwrap(),
                lines,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_an_error() {
        let session = Session::builder().memory("64MiB").unwrap().build().unwrap();
        for records in [Records::lines_only(), Records::new(None), Records::new(Some("a"))] {
            let (sender, bag) = Bag::arriving(&session);
            std::thread::spawn(move || read(b"{\"a\": \"".chain(std::io::repeat(b'x')), 1000, records, &sender));
            let error = bag.try_map(|came: Came| came).count().unwrap_err();
            assert!(error.message().contains("longer than 1000") && error.advice().is_some(), "{error}");
        }
    }
}
