//! Where fields and rows end: 64 bytes at a time, as bit masks.
//!
//! ```text
//! text       a,"b,""c",d⏎
//! quotes     ..1...11.1...      each bit a byte
//! inside     ..1111.11....      running xor of the quotes: text between quotes, the opening one included
//! ends       .1........1.1      delimiters and newlines that are not inside
//! ```
//!
//! A doubled quote closes and opens again, so it needs no case of its own. The result, [`Structure`], is a list of places:
//! `spans[k]` is where the k-th field begins and, less the width of what separates them, where the field before it ends;
//! `row_ends[r]` is the index in `spans` of what follows row r.
//!
//! This is exact as long as quotes open only at the beginning of a field. Where one opens elsewhere, it must close before
//! the field ends (then it is text as any other); else the scan reports it. Text behind a closing quote belongs to its field;
//! but where that field goes over several lines, a quote that nobody meant has swallowed them: the scan reports that, too,
//! unless it was told that such fields [`join`](Marks::joins).
//!
//! Dialects with more than that (escapes, comments, quotes anywhere, delimiters of several bytes) go byte by byte: see
//! [`walk`](super::walk).
//!
//! The masks come from AVX2 where the machine has it, else from plain arithmetic; both are compiled from one body, and
//! must give the same masks.

/// The bytes that make the structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// What quotes fields, if anything does.
    pub(super) quote: Option<u8>,
    /// What may precede a quote inside a quoted field, if it is not the quote itself.
    pub(super) escape: Option<u8>,
    /// What separates fields, or begins to.
    pub(super) delimiter: u8,
    /// What of a delimiter of several bytes follows its first one.
    pub(super) tail: Tail,
    /// What ends rows: `\n`, or `\r` in files that have no `\n`.
    pub(super) newline: u8,
    /// What begins comments, if anything does.
    pub(super) comment: Option<u8>,
    /// Whether comments may stand behind fields, too.
    pub(super) inline: bool,
    /// Whether quotes may stand anywhere, as spreadsheets read them.
    pub(super) loose: bool,
    /// Whether blanks before a field are not of it, so that a quote behind them quotes it.
    pub(super) spaced: bool,
    /// Whether text may follow the closing quote of a field of several lines.
    pub(super) joins: bool,
}

/// The longest delimiter, in bytes.
pub(super) const MOST: usize = 8;

/// What follows the first byte of a delimiter of several bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    bytes: [u8; MOST - 1],
    len: u8,
}

impl Tail {
    /// The first byte of a delimiter and the rest of it; `None` where it has no bytes, or more than [`MOST`].
    pub(super) fn of(delimiter: &[u8]) -> Option<(u8, Tail)> {
        let (first, rest) = delimiter.split_first()?;
        let mut tail = Tail { bytes: [0; MOST - 1], len: rest.len() as u8 };
        tail.bytes.get_mut(..rest.len())?.copy_from_slice(rest);
        Some((*first, tail))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Marks {
    /// Fields that `delimiter` separates and `quote` quotes, in lines.
    pub(super) fn new(delimiter: u8, quote: Option<u8>, newline: u8) -> Marks {
        let (tail, escape, comment) = (Tail::default(), None, None);
        let (inline, loose, spaced, joins) = (false, false, false, false);
        Marks { quote, escape, delimiter, tail, newline, comment, inline, loose, spaced, joins }
    }

    /// The delimiter.
    pub(super) fn delimits(&self) -> Vec<u8> {
        [&[self.delimiter], self.tail.bytes()].concat()
    }

    /// Bytes of the delimiter.
    pub(super) fn width(&self) -> usize {
        1 + usize::from(self.tail.len)
    }

    /// How many fields a line has whose quotes have no meaning.
    pub(super) fn pieces(&self, line: &[u8]) -> usize {
        1 + match self.tail.len {
            0 => memchr::memchr_iter(self.delimiter, line).count(),
            _ => memchr::memmem::find_iter(line, &self.delimits()).count(),
        }
    }

    /// Whether masks tell the structure, so that a file can be cut anywhere.
    pub(super) fn is_plain(&self) -> bool {
        let quotes = self.quote.is_some() && (self.loose || self.spaced);
        self.escape.is_none() && self.comment.is_none() && self.tail.len == 0 && !quotes
    }
}

/// Why a scan could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quote in the middle of an unquoted field, with a delimiter or newline before the next one.
    StrayQuote(usize),
    /// The text ends inside the quoted field of the row that begins here.
    OpenQuote(usize),
    /// A quoted field of several lines, and text behind its closing quote: where both quotes are.
    Swallowed(usize, usize),
}

impl Broken {
    /// What is wrong, for people.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Broken::StrayQuote(_) => "a quote stands in the middle of a field that is not quoted",
            Broken::OpenQuote(_) => "a quoted field is not closed before the file ends",
            Broken::Swallowed(..) => "a quoted field goes over several lines, and text follows its closing quote",
        }
    }

    /// The place that tells most.
    pub(super) fn at(self) -> usize {
        let (Broken::StrayQuote(at) | Broken::OpenQuote(at) | Broken::Swallowed(at, _)) = self;
        at
    }

    /// Where the scan noticed it: rows that end before are rows.
    fn noticed(self) -> usize {
        match self {
            Broken::Swallowed(_, at) => at,
            other => other.at(),
        }
    }
}

/// What to scan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Where the first row begins.
    pub(super) start: usize,
    /// Where the bytes end; behind it there must be 64 bytes more in the buffer.
    pub(super) end: usize,
    /// Rows that begin here or later are not wanted.
    pub(super) stop: usize,
    /// Whether the file ends at `end`.
    pub(super) last: bool,
    /// Most rows wanted.
    pub(super) max_rows: usize,
    /// Whether only the rows matter: then each row is one field.
    pub(super) rows_only: bool,
}

/// The places of fields and rows; see the head of this file. Reused from scan to scan.
#[derive(Default)]
pub(super) struct Structure {
    pub(super) spans: Vec<u32>,
    pub(super) row_ends: Vec<u32>,
    /// How many quotes stood where none should, in a dialect that takes them.
    pub(super) loosely: u32,
}

impl Structure {
    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        4 * (self.spans.len() + self.row_ends.len())
    }

    /// Where row `r` ends: the place of its newline (or the end of the file).
    pub(super) fn row_end(&self, r: usize) -> usize {
        let next = self.row_ends.get(r).and_then(|k| self.spans.get(*k as usize)).copied().unwrap_or(0);
        (next as usize).saturating_sub(1)
    }

    /// Where row `r` begins.
    pub(super) fn row_start(&self, r: usize) -> usize {
        let k = if r == 0 { 0 } else { self.row_ends.get(r - 1).copied().unwrap_or(0) };
        self.spans.get(k as usize).copied().unwrap_or(0) as usize
    }

    /// Finds the complete rows of a piece.
    ///
    /// # Errors
    /// A quote in the wrong place, or one that the file does not close. The rows before it are found.
    pub(super) fn scan(&mut self, bytes: &[u8], marks: &Marks, piece: Piece) -> Result<(), Broken> {
        self.row_ends.clear();
        self.loosely = 0;
        if self.spans.len() < 1024 {
            self.spans.resize(1024, 0);
        }
        let mut scan = Scan { out: self, bytes, marks, piece, n: 1, opened: 0 };
        if let Some(first) = scan.out.spans.first_mut() {
            *first = piece.start as u32;
        }
        let scanned = match marks.is_plain() {
            true => dispatch(&mut scan),
            false => scan.walk(),
        };
        self.cut(piece);
        scanned
    }

    /// Drops rows that are not wanted.
    fn cut(&mut self, piece: Piece) {
        self.row_ends.truncate(piece.max_rows);
        while !self.row_ends.is_empty() && self.row_start(self.row_ends.len() - 1) >= piece.stop {
            self.row_ends.pop();
        }
    }
}

/// How many fields a text of commas and lines has, for measurements: a piece at a time, as a reader finds them.
pub fn scan_structure(text: &[u8]) -> usize {
    const PIECE: usize = 512 << 10;
    let (mut found, marks) = (Structure::default(), Marks::new(b',', Some(b'"'), b'\n'));
    let (mut at, mut fields) = (0, 0);
    // The last bytes of the text are the padding of the rest.
    let all = text.len().saturating_sub(64);
    while at < all {
        let end = all.min(at + PIECE);
        let piece = Piece { start: at, end, stop: end, last: end == all, max_rows: usize::MAX, rows_only: false };
        if found.scan(text, &marks, piece).is_err() || found.row_ends.is_empty() {
            break;
        }
        fields += found.row_ends.last().map_or(0, |n| *n as usize);
        at = found.row_end(found.row_ends.len() - 1) + 1;
    }
    fields
}

/// One scan under way.
pub(super) struct Scan<'a> {
    pub(super) out: &'a mut Structure,
    pub(super) bytes: &'a [u8],
    pub(super) marks: &'a Marks,
    pub(super) piece: Piece,
    /// How many spans there are.
    n: usize,
    /// Where the quoted field began that the walk is in.
    pub(super) opened: usize,
}

/// The masks of one block.
struct Masks {
    quotes: u64,
    delimiters: u64,
    newlines: u64,
}

impl Scan<'_> {
    /// The loop over blocks, compiled once for each kind of machine.
    #[inline(always)]
    fn blocks(&mut self, masks: impl Fn(&[u8; 64], &Marks) -> Masks) -> Result<(), Broken> {
        let Piece { start, end, stop, max_rows, .. } = self.piece;
        let mut at = start;
        let mut inside = 0u64; // all ones inside quotes
        let mut after_mark = 1u64; // bit 0: the byte before the block is a mark (or the beginning)
        let mut after_closing = 0u64; // bit 0: the byte before the block closes a quoted field
        while at < end && self.out.row_ends.len() < max_rows {
            if at > stop && !self.out.row_ends.is_empty() && self.last_end() >= stop {
                break;
            }
            let Some(block) = self.bytes.get(at..).and_then(|b| b.first_chunk::<64>()) else { break };
            let valid = if end - at >= 64 { u64::MAX } else { (1 << (end - at)) - 1 };
            let m = masks(block, self.marks);
            let (quotes, delimiters, newlines) = (m.quotes & valid, m.delimiters & valid, m.newlines & valid);
            let (mut d, mut n) = (delimiters, newlines);
            if (quotes | inside | after_closing) != 0 {
                let region = prefix_xor(quotes) ^ inside;
                let marks = quotes | delimiters | newlines;
                let before = (marks << 1) | after_mark;
                let closings = quotes & !region;
                let behind = ((closings << 1) | after_closing) & valid & !marks;
                if let Err(broken) = self.check_quotes(at, quotes & region & !before, behind) {
                    let before = broken.noticed().saturating_sub(at);
                    let sound = 1u64.checked_shl(before as u32).unwrap_or(0).wrapping_sub(1); // the rows before it are rows
                    self.flatten(at, (d | n) & !region & sound, n & !region & sound);
                    return Err(broken);
                }
                after_closing = closings >> 63;
                inside = 0u64.wrapping_sub(region >> 63);
                (d, n) = (d & !region, n & !region);
            }
            after_mark = (quotes | delimiters | newlines) >> 63;
            self.flatten(at, if self.piece.rows_only { n } else { d | n }, n);
            at += 64;
        }
        self.finish(at, inside != 0)
    }

    /// Where the last row found ends.
    fn last_end(&self) -> usize {
        self.out.row_end(self.out.row_ends.len().wrapping_sub(1))
    }

    /// Appends the places behind `ends`, and the indexes of those that are `newlines`.
    #[inline(always)]
    pub(super) fn flatten(&mut self, at: usize, mut ends: u64, mut newlines: u64) {
        let base = at as u32 + 1;
        if self.out.spans.len() < self.n + 64 {
            self.out.spans.resize(2 * self.out.spans.len() + 64, 0);
        }
        let index = self.n as u32;
        while newlines != 0 {
            let below = newlines ^ (newlines - 1); // up to and with the lowest newline
            self.out.row_ends.push(index + (ends & below).count_ones() - 1);
            newlines &= newlines - 1;
        }
        let count = ends.count_ones() as usize;
        let Some(out) = self.out.spans.get_mut(self.n..).and_then(|s| s.first_chunk_mut::<64>()) else { return };
        let mut i = 0;
        while i < count {
            // Four at a time: what is written beyond the count is written over later.
            for k in 0..4 {
                out[(i + k) & 63] = base.wrapping_add(ends.trailing_zeros());
                ends &= ends.wrapping_sub(1);
            }
            i += 4;
        }
        self.n += count;
    }

    /// Quotes that open in the middle of an unquoted field must close before the field ends; text behind a closing quote is
    /// not to follow several lines.
    #[inline(always)]
    fn check_quotes(&self, at: usize, openings: u64, behind: u64) -> Result<(), Broken> {
        if (openings | behind) == 0 { Ok(()) } else { self.check_both(at, openings, behind) }
    }

    /// The one that comes first counts.
    #[cold]
    fn check_both(&self, at: usize, openings: u64, behind: u64) -> Result<(), Broken> {
        let (strays, closed) = (self.check_strays(at, openings), self.check_closed(at, behind));
        match (strays, closed) {
            (Err(a), Err(b)) => Err(if a.noticed() < b.noticed() { a } else { b }),
            (Err(broken), Ok(())) | (Ok(()), Err(broken)) => Err(broken),
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    /// Looks at the quoted fields that close before the bytes `behind`.
    fn check_closed(&self, at: usize, mut behind: u64) -> Result<(), Broken> {
        if self.marks.joins {
            return Ok(());
        }
        while behind != 0 {
            let place = at + behind.trailing_zeros() as usize;
            if let (true, Some(closing)) = (self.is_text(place), place.checked_sub(1))
                && let Some(opening) = self.opening_above(closing)
            {
                return Err(Broken::Swallowed(opening, closing));
            }
            behind &= behind - 1;
        }
        Ok(())
    }

    /// Whether what stands behind a closing quote is text, and not only blanks up to the end of the field.
    pub(super) fn is_text(&self, place: usize) -> bool {
        let rest = self.bytes.get(place..self.piece.end).unwrap_or_default();
        let blanks = rest.iter().take_while(|b| **b == b' ' || **b == b'\t').count();
        let is_end = |b: &u8| *b == self.marks.delimiter || *b == self.marks.newline;
        match rest.get(blanks..).unwrap_or_default() {
            [] => false, // or more bytes will tell: then the row is not complete
            [b'\r'] => false,
            [b'\r', next, ..] => !is_end(next),
            [first, ..] => !is_end(first),
        }
    }

    /// Where the quoted field began that closes here, if that was in another line.
    fn opening_above(&self, closing: usize) -> Option<usize> {
        let (quote, newline) = (self.marks.quote?, self.marks.newline);
        let (mut at, mut above) = (closing, false);
        loop {
            let before = self.bytes.get(self.piece.start..at)?;
            let place = self.piece.start + memchr::memrchr2(quote, newline, before)?;
            let doubled = || place > self.piece.start && self.bytes.get(place - 1) == Some(&quote);
            at = match self.bytes.get(place) {
                Some(b) if *b == newline => {
                    above = true;
                    place
                }
                _ if doubled() => place - 1,
                _ => return above.then_some(place),
            };
        }
    }

    fn check_strays(&self, at: usize, mut openings: u64) -> Result<(), Broken> {
        let Some(quote) = self.marks.quote else { return Ok(()) };
        while openings != 0 {
            let place = at + openings.trailing_zeros() as usize;
            if !self.closes(place, quote) {
                return Err(Broken::StrayQuote(place));
            }
            openings &= openings - 1;
        }
        Ok(())
    }

    /// Whether the quote at `place` and those that follow it come in pairs within their field.
    fn closes(&self, mut place: usize, quote: u8) -> bool {
        loop {
            let rest = self.bytes.get(place + 1..self.piece.end).unwrap_or_default();
            let next = memchr::memchr3(quote, self.marks.delimiter, self.marks.newline, rest);
            match next.and_then(|n| rest.get(n..)) {
                // Right behind the second one, a third one opens again: to the masks, it is a doubled quote.
                Some([a, b, ..]) if *a == quote && *b == quote => place += next.unwrap_or(0) + 2,
                Some([a, ..]) => return *a == quote,
                _ => return !self.piece.last, // more bytes will tell: then the row is not complete
            }
        }
    }

    /// The rest behind the last newline is a row when the file ends there.
    pub(super) fn finish(&mut self, at: usize, inside: bool) -> Result<(), Broken> {
        let Piece { start, end, last, max_rows, .. } = self.piece;
        if at < end || !last || self.out.row_ends.len() >= max_rows {
            return Ok(());
        }
        let rest = if self.out.row_ends.is_empty() { start } else { self.last_end() + 1 };
        if rest >= end {
            return Ok(());
        }
        if inside {
            return Err(Broken::OpenQuote(rest));
        }
        self.flatten(end, 1, 1);
        Ok(())
    }
}

fn dispatch(scan: &mut Scan<'_>) -> Result<(), Broken> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("popcnt")
        && std::arch::is_x86_feature_detected!("lzcnt")
    {
        // SAFETY: the machine has the features that the function is compiled for.
        return unsafe { avx2::blocks(scan) };
    }
    scan.blocks(portable::masks)
}

/// Bit i of the result is the xor of bits 0..=i.
#[inline(always)]
fn prefix_xor(mut x: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        x ^= x << shift;
    }
    x
}

/// Whether the number of `quote`s in `bytes` is odd.
pub(super) fn odd(bytes: &[u8], quote: u8) -> bool {
    count(bytes, quote) % 2 == 1
}

fn count(bytes: &[u8], byte: u8) -> usize {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has the feature that the function is compiled for.
        return unsafe { avx2::count(bytes, byte) };
    }
    portable::count(bytes, byte)
}

mod portable {
    use super::{Marks, Masks};

    pub(super) fn masks(block: &[u8; 64], marks: &Marks) -> Masks {
        Masks {
            quotes: marks.quote.map_or(0, |q| equal(block, q)),
            delimiters: equal(block, marks.delimiter),
            newlines: equal(block, marks.newline),
        }
    }

    /// Bit i: whether byte i is `byte`. Eight bytes at a time: a byte of zeros after the xor, its high bit gathered by a
    /// multiplication.
    fn equal(block: &[u8; 64], byte: u8) -> u64 {
        const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
        let wanted = u64::from(byte).wrapping_mul(0x0101_0101_0101_0101);
        let mut mask = 0;
        for (i, eight) in block.chunks_exact(8).enumerate() {
            let x = u64::from_le_bytes(eight.try_into().unwrap_or_default()) ^ wanted;
            let zero = !(((x & LOW) + LOW) | x | LOW); // high bit of each byte that is zero; exact, no carries
            mask |= ((zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
        }
        mask
    }

    #[inline(always)]
    pub(super) fn count(bytes: &[u8], byte: u8) -> usize {
        let chunks = bytes.chunks(192); // a sum in a byte does not overflow
        chunks.map(|c| usize::from(c.iter().map(|b| u8::from(*b == byte)).sum::<u8>())).sum()
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{Broken, Marks, Masks, Scan};
    use std::arch::x86_64::*;

    /// # Safety
    /// The machine has the features named here.
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
    pub(super) unsafe fn blocks(scan: &mut Scan<'_>) -> Result<(), Broken> {
        // SAFETY: as above.
        scan.blocks(|block, marks| unsafe { masks(block, marks) })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn masks(block: &[u8; 64], marks: &Marks) -> Masks {
        // SAFETY: two loads of 32 bytes cover the 64 bytes of the block; unaligned loads are allowed.
        let (low, high) = unsafe {
            let p = block.as_ptr().cast::<__m256i>();
            (_mm256_loadu_si256(p), _mm256_loadu_si256(p.add(1)))
        };
        let equal = |byte: u8| {
            let wanted = _mm256_set1_epi8(byte as i8);
            let l = _mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)) as u32;
            let h = _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)) as u32;
            u64::from(l) | (u64::from(h) << 32)
        };
        Masks {
            quotes: marks.quote.map_or(0, equal),
            delimiters: equal(marks.delimiter),
            newlines: equal(marks.newline),
        }
    }

    /// # Safety
    /// The machine has the feature named here.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn count(bytes: &[u8], byte: u8) -> usize {
        super::portable::count(bytes, byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> Marks {
        Marks::new(b',', Some(b'"'), b'\n')
    }

    fn whole(text: &str) -> (Vec<u8>, Piece) {
        let mut bytes = text.as_bytes().to_vec();
        let end = bytes.len();
        bytes.extend([b'"'; 64]);
        (bytes, Piece { start: 0, end, stop: end, last: true, max_rows: usize::MAX, rows_only: false })
    }

    fn scanned(text: &str, portable: bool) -> Result<Vec<Vec<String>>, Broken> {
        let (bytes, piece) = whole(text);
        let mut s = Structure::default();
        if portable {
            s.spans = vec![0; 1024];
            Scan { out: &mut s, bytes: &bytes, marks: &marks(), piece, n: 1, opened: 0 }.blocks(portable::masks)?;
        } else {
            s.scan(&bytes, &marks(), piece)?;
        }
        Ok(texts(&s, &bytes))
    }

    fn walked(text: &str, marks: Marks) -> Result<Vec<Vec<String>>, Broken> {
        let (bytes, piece) = whole(text);
        let mut s = Structure::default();
        s.scan(&bytes, &marks, piece)?;
        Ok(texts(&s, &bytes))
    }

    fn texts(s: &Structure, bytes: &[u8]) -> Vec<Vec<String>> {
        let mut first = 0;
        let mut rows = Vec::new();
        for end in &s.row_ends {
            let spans = &s.spans[first..=*end as usize];
            let text = |w: &[u32]| String::from_utf8_lossy(&bytes[w[0] as usize..w[1] as usize - 1]).into_owned();
            rows.push(spans.windows(2).map(text).collect());
            first = *end as usize;
        }
        rows
    }

    #[test]
    fn fields_and_rows() {
        let rows = scanned("a,\"b,\"\"c\"\"\n\",d\n\n,\nlast", false).unwrap();
        let want: [&[&str]; 4] = [&["a", "\"b,\"\"c\"\"\n\"", "d"], &[""], &["", ""], &["last"]];
        assert_eq!(rows, want);
    }

    #[test]
    fn stray_and_open_quotes() {
        assert_eq!(scanned("12\" pipe,x\n", false), Err(Broken::StrayQuote(2)));
        assert_eq!(scanned("6\"2\" tall,x\n", false).unwrap()[0], ["6\"2\" tall", "x"]);
        assert_eq!(scanned("a\n\"b", false), Err(Broken::OpenQuote(2)));
        assert_eq!(
            scanned("a\"\"\",\nb", false),
            Err(Broken::StrayQuote(1)),
            "the third quote is not in a quoted field"
        );
    }

    #[test]
    fn quotes_anywhere_escapes_and_comments() {
        let loose = Marks { loose: true, ..marks() };
        assert_eq!(walked("12\" pipe,x\n\"a,\"b\"c,d\n", loose).unwrap(), [["12\" pipe", "x"], ["\"a,\"b\"c", "d"]]);
        assert_eq!(walked("a\n\"b", loose), Err(Broken::OpenQuote(2)));
        let escapes = Marks { escape: Some(b'\\'), ..loose };
        assert_eq!(
            walked("\"a\\\",\",b\\\n\"c\"\"\",d", escapes).unwrap(),
            [["\"a\\\",\"", "b\\"], ["\"c\"\"\"", "d"]]
        );
        let bare = Marks { quote: None, escape: Some(b'\\'), ..marks() };
        assert_eq!(walked("a\\,b,c\\\nd\n", bare).unwrap(), [["a\\,b", "c\\\nd"]]);
        let comments = Marks { comment: Some(b'#'), inline: true, ..loose };
        let rows = walked("# a,\"b\n1,2#x,y\n\"#\",3", comments).unwrap();
        let want: [&[&str]; 3] = [&["# a,\"b"], &["1", "2", "x,y"], &["\"#\"", "3"]];
        assert_eq!(rows, want);
        let strict = Marks { comment: Some(b'#'), ..marks() };
        assert_eq!(walked("a,\"b\"c\n", strict), Err(Broken::StrayQuote(5)));
        let spaced = Marks { spaced: true, ..marks() };
        assert_eq!(
            walked("a, \"b,c\" \n  \"d\",e\n", Marks { loose: true, ..spaced }).unwrap(),
            [["a", " \"b,c\" "], ["  \"d\"", "e"]]
        );
        assert_eq!(walked("a,b \"\n", spaced), Err(Broken::StrayQuote(4)));
    }

    #[test]
    fn delimiters_of_several_bytes() {
        let (first, tail) = Tail::of(b"||").unwrap();
        let wide = Marks { tail, ..Marks::new(first, Some(b'"'), b'\n') };
        assert_eq!((wide.delimits(), wide.width(), wide.pieces(b"a|b||c|||")), (b"||".to_vec(), 2, 3));
        // The walk's spans are those of the first byte behind; texts here end a byte before that.
        assert_eq!(walked("a|b||\"c||d\"||\n", wide).unwrap(), [["a|b|", "\"c||d\"|", ""]]);
        assert_eq!(walked("a||", wide).unwrap(), [["a|", ""]]);
        assert_eq!(walked("a|", wide).unwrap(), [["a|"]]);
        assert!(Tail::of(b"").is_none() && Tail::of(b"123456789").is_none());
    }

    proptest::proptest! {
        #[test]
        fn masks_and_the_walk_agree(text in "[ab\",\n]{0,200}") {
            if let Ok(rows) = scanned(&text, false) {
                assert_eq!(walked(&text, Marks { loose: true, ..marks() }).unwrap(), rows);
            }
        }

        #[test]
        fn both_kinds_of_masks_agree(text in "[ab\",\n\r]{0,300}") {
            assert_eq!(scanned(&text, false), scanned(&text, true));
            let quotes = text.bytes().filter(|b| *b == b'"').count();
            assert_eq!((count(text.as_bytes(), b'"'), portable::count(text.as_bytes(), b'"')), (quotes, quotes));
        }

        #[test]
        fn masks_see_every_byte(block: [u8; 32], byte: u8) {
            let mut all = [0; 64];
            all[..32].copy_from_slice(&block);
            all[32..].copy_from_slice(&block);
            all[40] = byte;
            let marks = Marks::new(byte ^ 1, Some(byte), byte ^ 0x80);
            let m = portable::masks(&all, &marks);
            for (i, b) in all.iter().enumerate() {
                let bits = (m.quotes >> i & 1 == 1, m.delimiters >> i & 1 == 1, m.newlines >> i & 1 == 1);
                assert_eq!(bits, (*b == byte, *b == byte ^ 1, *b == byte ^ 0x80));
            }
        }
    }
}
