//! A server of HTTP/1.1 on 127.0.0.1, made of the standard library, whose files behave and misbehave as they are told; and
//! that remembers what it was asked.
//!
//! Files below `/bucket/` are those of a bucket as well: `GET /bucket?list-type=2` lists them, a few a page; they can be put,
//! as a whole or in parts, and appear when they are complete.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Keys of one page of a listing.
const PAGE: usize = 3;
/// A day on which everything was modified.
const MODIFIED: &str = "Fri, 01 Mar 2024 12:00:00 GMT";

/// How a file is served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// As it should be.
    Well,
    /// Without ranges.
    Whole,
    /// Without ranges, with half of what was promised.
    HalfOfWhole,
    /// With this status, always.
    Status(u16),
    /// With this status the first so many times.
    StatusFirst(u16, usize),
    /// The first so many answers break off in the middle.
    BreaksOff(usize),
    /// Ranges have one byte less than was asked for, and say so.
    Short,
    /// After so many answers it is another file, and says so.
    Changes(usize),
    /// The same, in a store that does not compare tags itself.
    ChangesUnasked(usize),
    /// After so many answers nothing comes any more.
    Hangs(usize),
}

/// A file.
#[derive(Clone)]
struct Served {
    bytes: Arc<Vec<u8>>,
    how: How,
    tag: bool,
    /// How often it was asked for.
    asked: usize,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub parameters: String,
    pub range: Option<(u64, u64)>,
    pub signed: bool,
    pub status: u16,
    pub sent: usize,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Served>,
    asked: Vec<Asked>,
    /// Parts of files to come, by upload.
    uploads: BTreeMap<String, BTreeMap<usize, Vec<u8>>>,
    /// How many uploads there were.
    begun: usize,
    /// What becomes of parts from this number on.
    parts: Option<(usize, How)>,
}

struct Shared {
    state: Mutex<State>,
    change: Condvar,
    closed: AtomicBool,
}

/// See the head of this file. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (state, change) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { state, change, closed: AtomicBool::new(false) });
        let of_all = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of_all.closed.load(SeqCst) {
                    return;
                }
                let shared = of_all.clone();
                std::thread::spawn(move || serve(&shared, stream));
            }
        });
        Server { address, shared }
    }

    /// Serves `bytes` at `path`, which begins with a slash; returns the address.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>, how: How) -> String {
        self.put_with(path, bytes, how, true)
    }

    /// As `put`, without an ETag.
    pub fn put_untagged(&self, path: &str, bytes: impl Into<Vec<u8>>, how: How) -> String {
        self.put_with(path, bytes, how, false)
    }

    fn put_with(&self, path: &str, bytes: impl Into<Vec<u8>>, how: How, tag: bool) -> String {
        let served = Served { bytes: Arc::new(bytes.into()), how, tag, asked: 0 };
        self.shared.state.lock().unwrap().files.insert(path.to_string(), served);
        self.url(path)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where the server is: `http://127.0.0.1:1234`.
    pub fn endpoint(&self) -> String {
        self.url("")
    }

    /// The bytes at `path`, if there are any.
    pub fn get(&self, path: &str) -> Option<Vec<u8>> {
        self.shared.state.lock().unwrap().files.get(path).map(|file| file.bytes.to_vec())
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().files.keys().cloned().collect()
    }

    /// How many uploads are neither complete nor aborted.
    pub fn uploads(&self) -> usize {
        self.shared.state.lock().unwrap().uploads.len()
    }

    /// From the part of this number on, parts are answered so.
    pub fn take_parts(&self, from: usize, how: How) {
        self.shared.state.lock().unwrap().parts = Some((from, how));
    }

    /// What was asked since the last call.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.state.lock().unwrap().asked)
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, requests: usize) {
        let mut state = self.shared.state.lock().unwrap();
        while state.asked.len() < requests {
            state = self.shared.change.wait_timeout(state, Duration::from_secs(1)).unwrap().0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closed.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// One request: its first line, and its headers by their names in lower case.
struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn read_request(from: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_string(), words.next()?.to_string());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_string());
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    from.take(length).read_to_end(&mut body).ok()?;
    Some(Request { method, target, headers, body })
}

/// An answer in the making.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// What is promised, where that is not what is sent.
    promised: Option<usize>,
    hangs: bool,
}

impl Answer {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into(), promised: None, hangs: false }
    }
}

fn serve(shared: &Shared, stream: TcpStream) {
    let mut from = BufReader::new(stream.try_clone().unwrap());
    let mut to = stream;
    while let Some(request) = read_request(&mut from) {
        let answer = answer(shared, &request);
        let range = request.headers.get("range").and_then(|r| range(r));
        let parameters = request.target.split_once('?').map_or("", |(_, rest)| rest).to_string();
        let asked = Asked {
            method: request.method.clone(),
            parameters,
            range,
            signed: request.headers.contains_key("authorization"),
            status: answer.status,
            sent: answer.body.len(),
        };
        shared.state.lock().unwrap().asked.push(asked);
        shared.change.notify_all();
        if answer.hangs {
            while !shared.closed.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            return;
        }
        let promised = answer.promised.unwrap_or(answer.body.len());
        let mut head = format!("HTTP/1.1 {} Said\r\nContent-Length: {promised}\r\n", answer.status);
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let body = if request.method == "HEAD" { &[][..] } else { &answer.body };
        if to.write_all((head + "\r\n").as_bytes()).and_then(|()| to.write_all(body)).is_err() || promised > body.len()
        {
            return;
        }
    }
}

fn range(text: &str) -> Option<(u64, u64)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn answer(shared: &Shared, request: &Request) -> Answer {
    let (path, parameters) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let mut state = shared.state.lock().unwrap();
    if matches!(request.method.as_str(), "PUT" | "POST" | "DELETE") {
        return taken(&mut state, path, parameters, request);
    }
    if parameters.contains("list-type=2") {
        return listing(&state, path, parameters);
    }
    let Some(file) = state.files.get_mut(&decoded(path)) else {
        let body = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
        return Answer::new(404, body);
    };
    let nth = file.asked;
    file.asked += 1;
    let file = file.clone();
    drop(state);
    one(&file, nth, request)
}

/// What is put, as a whole or in parts.
fn taken(state: &mut State, path: &str, parameters: &str, request: &Request) -> Answer {
    let given: BTreeMap<&str, String> =
        parameters.split('&').map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(n, v)| (n, decoded(v))).collect();
    let file = |bytes: Vec<u8>| Served { bytes: Arc::new(bytes), how: How::Well, tag: true, asked: 0 };
    let tagged = |body: &str| {
        let mut made = Answer::new(200, body);
        made.headers.push(("ETag", "\"put\"".to_string()));
        made
    };
    let id = given.get("uploadId").cloned().unwrap_or_default();
    match (request.method.as_str(), given.get("partNumber")) {
        ("POST", _) if given.contains_key("uploads") => {
            state.begun += 1;
            let id = format!("upload{}", state.begun);
            state.uploads.insert(id.clone(), BTreeMap::new());
            Answer::new(
                200,
                format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"),
            )
        }
        ("PUT", Some(number)) => {
            let number: usize = number.parse().unwrap();
            match state.parts {
                Some((from, How::Status(status))) if number >= from => return refusal(status),
                Some((from, How::Hangs(_))) if number >= from => return Answer { hangs: true, ..Answer::new(200, "") },
                _ => {}
            }
            let Some(parts) = state.uploads.get_mut(&id) else { return refusal(404) };
            parts.insert(number, request.body.clone());
            tagged("")
        }
        ("POST", _) => {
            let Some(parts) = state.uploads.remove(&id) else { return refusal(404) };
            assert!(parts.keys().copied().eq(1..=parts.len()), "{:?}", parts.keys());
            state.files.insert(decoded(path), file(parts.into_values().flatten().collect()));
            tagged("<CompleteMultipartUploadResult><ETag>put</ETag></CompleteMultipartUploadResult>")
        }
        ("DELETE", _) => {
            state.uploads.remove(&id);
            Answer::new(204, "")
        }
        _ => {
            if let Some(Served { how: How::Status(status), .. }) = state.files.get(&decoded(path)) {
                return refusal(*status);
            }
            state.files.insert(decoded(path), file(request.body.clone()));
            tagged("")
        }
    }
}

fn one(file: &Served, nth: usize, request: &Request) -> Answer {
    let (mut tag, mut bytes, mut compares) = ("\"first\"", file.bytes.clone(), true);
    match file.how {
        How::Status(status) => return refusal(status),
        How::StatusFirst(status, times) if nth < times => return refusal(status),
        How::Hangs(times) if nth >= times => return Answer { hangs: true, ..Answer::new(200, "") },
        How::Changes(times) | How::ChangesUnasked(times) if nth >= times => {
            tag = "\"second\"";
            bytes = Arc::new(file.bytes.iter().map(|b| if *b == b'1' { b'2' } else { *b }).collect());
            compares = file.how == How::Changes(times);
        }
        _ => {}
    }
    if compares && file.tag && request.headers.get("if-match").is_some_and(|wanted| wanted != tag) {
        return Answer::new(412, "");
    }
    let asked = request.headers.get("range").and_then(|r| range(r));
    let asked = asked.filter(|_| !matches!(file.how, How::Whole | How::HalfOfWhole));
    let mut made = match asked {
        Some((from, _)) if from >= bytes.len() as u64 => {
            let mut made = Answer::new(416, "");
            made.headers.push(("Content-Range", format!("bytes */{}", bytes.len())));
            return made;
        }
        Some((from, to)) => {
            let to = (to as usize).min(bytes.len() - 1);
            let mut made = Answer::new(206, &bytes[from as usize..=to]);
            made.headers.push(("Content-Range", format!("bytes {from}-{to}/{}", bytes.len())));
            made
        }
        None => Answer::new(200, &bytes[..]),
    };
    made.headers.push(("Last-Modified", MODIFIED.to_string()));
    if file.tag {
        made.headers.push(("ETag", tag.to_string()));
    }
    match file.how {
        How::HalfOfWhole => break_off(&mut made),
        How::BreaksOff(times) if nth < times => break_off(&mut made),
        How::Short => drop(made.body.pop()),
        _ => {}
    }
    if request.method == "HEAD" {
        made.promised = Some(made.body.len());
    }
    made
}

fn break_off(answer: &mut Answer) {
    answer.promised = Some(answer.body.len());
    answer.body.truncate(answer.body.len() / 2);
}

/// What stores say, with things in it that must not be shown.
fn refusal(status: u16) -> Answer {
    let body = "<?xml version=\"1.0\"?><Error xmlns=\"http://s3.amazonaws.com/doc/\"><Code>Refused</Code>\
                <Message>This is the reason.</Message><AWSAccessKeyId>LEAKED</AWSAccessKeyId></Error>";
    Answer::new(status, body)
}

/// A page of the keys of a bucket.
fn listing(state: &State, bucket: &str, parameters: &str) -> Answer {
    let given: BTreeMap<&str, String> =
        parameters.split('&').filter_map(|p| p.split_once('=')).map(|(name, value)| (name, decoded(value))).collect();
    let prefix = given.get("prefix").cloned().unwrap_or_default();
    let delimiter = given.get("delimiter").filter(|d| !d.is_empty());
    let begin: usize = given.get("continuation-token").map_or(0, |n| n.parse().unwrap());
    let base = format!("{}/", bucket.trim_end_matches('/'));
    let keys = state.files.iter().filter_map(|(path, file)| Some((path.strip_prefix(&base)?, file)));
    let mut keys: Vec<_> = keys.filter(|(key, _)| key.starts_with(&prefix)).collect();
    if delimiter.is_some() {
        keys.retain(|(key, _)| !key[prefix.len()..].contains('/'));
    }
    let page = keys.iter().skip(begin).take(PAGE);
    let mut body = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    for (key, file) in page {
        let size = file.bytes.len();
        body += &format!(
            "<Contents><Key>{key}</Key><LastModified>2024-03-01T12:00:00.000Z</LastModified>\
             <ETag>&quot;first&quot;</ETag><Size>{size}</Size></Contents>"
        );
    }
    if begin + PAGE < keys.len() {
        body += &format!("<NextContinuationToken>{}</NextContinuationToken>", begin + PAGE);
    }
    Answer::new(200, body + "</ListBucketResult>")
}

/// A text without `%2F` and its like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|t| u8::from_str_radix(std::str::from_utf8(t).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
