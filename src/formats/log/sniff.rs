//! Which format a file has, found out from lines of its beginning, its middle and its end.
//!
//! What a beginning tells for sure is asked first (JSON, Zeek, W3C, the journal's export). Else each format is tried on all
//! sampled lines; the first one that takes all is the file's, else the one that takes most of them, at least half, and the earlier of
//! two that are equal.
//! Messages are last, since their lines may go on: a tenth of the lines must begin with a moment, and no format of fixed
//! fields may take nine of ten.

use super::cursor::{NONE, Out};
use super::known::{KNOWN, Kind};
use super::layout::{Fit, Layout};
use super::pairs::{SEPARATORS, Separator, count};
use super::{csvlog, messages, w3c, zeek};
use crate::formats::json;

/// Lines of a piece that are tried.
const LINES: usize = 100;

/// Pairs of a line that make it one of `key=value`, whatever stands before.
const PAIRS: usize = 3;

/// The lines of a sample, without blank ones.
pub(super) struct Sampled<'a> {
    /// The first bytes of the file.
    pub(super) head: &'a [u8],
    pub(super) pieces: Vec<Vec<&'a [u8]>>,
    pub(super) anchor: i64,
}

impl<'a> Sampled<'a> {
    /// All lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.pieces.iter().flatten().copied()
    }

    fn tried(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.pieces.iter().flat_map(|lines| lines.iter().take(LINES)).copied()
    }

    /// The format; `None` where there is none.
    pub(super) fn kind(&self) -> Option<Kind> {
        let all = self.tried().count();
        if let Some(kind) = self.by_head() {
            return Some(kind);
        }
        let mut best: Option<(usize, Kind)> = None;
        for known in KNOWN {
            let score = self.score(known.kind);
            // Lines that messages take as parts of others may as well be the few that are not of the file's format.
            let is_strict = |kind: Kind| !matches!(kind, Kind::Logfmt | Kind::Pairs);
            let nearly = best.filter(|(before, kind)| is_strict(*kind) && before * 10 >= all * 9);
            if let Some((_, kind)) = nearly.filter(|_| known.kind == Kind::Messages) {
                return Some(kind);
            }
            if score == all && all > 0 {
                return Some(known.kind);
            }
            let enough = score * 2 >= all && score > 0;
            if enough && best.is_none_or(|(before, _)| score > before) {
                best = Some((score, known.kind));
            }
        }
        best.map(|(_, kind)| kind)
    }

    fn by_head(&self) -> Option<Kind> {
        if zeek::is_zeek(self.head) {
            return Some(Kind::Zeek);
        }
        if w3c::is_w3c(self.head) {
            return Some(Kind::W3c);
        }
        if csvlog::is_csvlog(self.head) {
            return Some(Kind::PostgresCsv);
        }
        if self.head.starts_with(b"__CURSOR=") || self.head.starts_with(b"__REALTIME_TIMESTAMP=") {
            return Some(Kind::Journal);
        }
        let is_object = |line: &&[u8]| line.starts_with(b"{") && line.trim_ascii_end().ends_with(b"}");
        let objects = self.tried().filter(is_object).count();
        let most = objects > 0 && objects * 10 >= self.tried().count() * 9;
        (most || json::goes_on_over_lines(self.head)).then_some(Kind::Json)
    }

    /// How many lines a format takes.
    fn score(&self, kind: Kind) -> usize {
        match kind {
            Kind::Json | Kind::Zeek | Kind::W3c | Kind::Journal | Kind::PostgresCsv => 0,
            Kind::Logfmt => self.tried().filter(|l| count(l, Separator::Logfmt) >= 2).count(),
            Kind::Pairs if self.has_levels() => 0,
            Kind::Pairs => self.separator().map_or(0, |(_, score)| score),
            Kind::Messages => self.messages(),
            kind => self.fixed(kind),
        }
    }

    /// The separator of pairs with which most lines have many, and how many.
    pub(super) fn separator(&self) -> Option<(Separator, usize)> {
        let score = |s: Separator| self.tried().filter(|l| count(l, s) >= PAIRS).count();
        let mut best = None;
        for (separator, score) in SEPARATORS.into_iter().map(|s| (s, score(s))) {
            if score > 0 && best.is_none_or(|(_, before)| score > before) {
                best = Some((separator, score));
            }
        }
        best
    }

    fn fixed(&self, kind: Kind) -> usize {
        let Some(layout) = Layout::fixed(kind, self.anchor) else { return 0 };
        let mut spans = vec![NONE; layout.fields.len()];
        let takes = |line: &&[u8]| {
            spans.fill(NONE);
            let fit = layout.take(line, &mut Out { base: 0, spans: &mut spans, state: &mut 0 });
            fit == Fit::Yes && layout.is_sound(line, &spans)
        };
        self.tried().filter(takes).count()
    }

    /// Whether most lines begin with a moment and have a level: then pairs are a part of messages.
    fn has_levels(&self) -> bool {
        let leveled = self.tried().filter(|line| messages::has_level(line, self.anchor)).count();
        leveled * 2 >= self.tried().count()
    }

    /// Lines from the first one of each piece that begins a record.
    fn messages(&self) -> usize {
        let (mut all, mut heads) = (0, 0);
        for lines in &self.pieces {
            let is_head = |line: &&&[u8]| messages::is_head(line, self.anchor);
            let own = lines.iter().take(LINES);
            heads += own.clone().filter(is_head).count();
            all += own.skip_while(|line| !is_head(line)).count();
        }
        if heads * 10 >= all { all } else { 0 }
    }
}
