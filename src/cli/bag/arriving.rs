//! Standard input as a bag: a thread reads what arrives, unpacks it where it is packed, and sends its lines on at once.

use partita::bag::{Json, Sender};
use partita::io::open_arriving;
use partita::prelude::*;
use partita::units::ByteSize;
use std::io::{ErrorKind as Io, Read};

/// Bytes that are read at one time.
const CHUNK: usize = 64 << 10;
/// The part of the budget that a line may take: some of them may wait, while another one is read.
const SHARE: usize = 16;

/// The lines of standard input as JSON; blank ones are none.
pub fn json(session: &Session) -> Bag<Json> {
    let lines = lines(session).remove(|line| line.iter().all(u8::is_ascii_whitespace));
    lines.try_map(|line| match std::str::from_utf8(&line) {
        Ok(text) => text.parse::<Json>(),
        Err(_) => Err(Error::data("the text is not UTF-8")),
    })
}

/// The lines of standard input as texts.
pub fn text(session: &Session) -> Bag<String> {
    lines(session).try_map(|line| String::from_utf8(line).map_err(|_| "the text is not UTF-8"))
}

fn lines(session: &Session) -> Bag<Vec<u8>> {
    let (sender, bag) = Bag::arriving(session);
    let longest = session.stats().budget / SHARE;
    let read = move || match open_arriving(Box::new(std::io::stdin()), "standard input") {
        Ok(input) => read(input, longest, &sender),
        Err(error) => sender.fail(error),
    };
    match std::thread::Builder::new().name("standard input".into()).spawn(read) {
        Ok(_) => bag,
        Err(e) => bag.try_map(move |_| Err::<Vec<u8>, _>(format!("no thread to read standard input: {e}"))),
    }
}

fn read(mut input: impl Read, longest: usize, sender: &Sender<Vec<u8>>) {
    let (mut buffer, mut rest) = (vec![0; CHUNK], Vec::new());
    loop {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                rest.extend_from_slice(buffer.get(..n).unwrap_or_default());
                if !pass_on(&mut rest, sender) {
                    return;
                }
            }
            Err(e) if e.kind() == Io::Interrupted => {}
            Err(e) if matches!(e.kind(), Io::InvalidData | Io::InvalidInput | Io::UnexpectedEof | Io::Other) => {
                return sender.fail(Error::data(format!("standard input: the compressed data is broken: {e}")));
            }
            Err(e) => return sender.fail(Error::io("standard input", e)),
        }
        if rest.len() > longest {
            let message = format!("standard input: a line is longer than {}", ByteSize(longest));
            return sender.fail(Error::resources(message).advise("raise --memory: it takes at most a sixteenth of it"));
        }
    }
    if !rest.is_empty() {
        sender.send(vec![rest]);
    }
}

/// Sends the lines that are complete; false, when nobody wants them.
fn pass_on(rest: &mut Vec<u8>, sender: &Sender<Vec<u8>>) -> bool {
    let Some(end) = rest.iter().rposition(|b| *b == b'\n') else { return true };
    let behind = rest.split_off(end + 1);
    let complete = std::mem::replace(rest, behind);
    let lines = complete.get(..end).unwrap_or_default().split(|b| *b == b'\n');
    sender.send(lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect())
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
            std::thread::spawn(move || read(bytes.as_slice(), 1000, &sender));
            let lines: Vec<String> = text.lines().map(str::to_string).collect();
            assert_eq!(bag.map(|line: Vec<u8>| String::from_utf8(line).unwrap()).collect().unwrap(), lines, "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_an_error() {
        let session = Session::builder().memory("64MiB").unwrap().build().unwrap();
        let (sender, bag) = Bag::arriving(&session);
        std::thread::spawn(move || read(std::io::repeat(b'x'), 1000, &sender));
        let error = bag.count().unwrap_err();
        assert!(error.message().contains("longer than 1000") && error.advice().is_some(), "{error}");
    }
}
