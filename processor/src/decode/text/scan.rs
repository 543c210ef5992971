//! First pass: where the separators of a stretch of text stand.

use super::instructions::{Kernel, Separators};
use crate::flow::Layout;

/// The places of one stretch of text, kept between stretches. A few kilobytes, so that they are still in the
/// first-level cache, with the text, when the second pass reads both.
pub(super) struct Places {
    /// Offsets of separators, in order. Slot 0 stands for the line feed before it.
    pub(super) separators: [u32; SLOTS],
    /// For each whole line, the slot of the line feed that ends it.
    pub(super) line_ends: [u32; SLOTS],
}

/// What a scan found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Scanned {
    /// Used slots of [`Places::separators`].
    pub(super) separators: usize,
    /// Used slots of [`Places::line_ends`].
    pub(super) lines: usize,
    /// Whether the scan reached the end of the text; else it stopped because it had enough.
    pub(super) is_all: bool,
    /// Whether two separators are neighbours anywhere: then some line has an empty column, or is empty.
    pub(super) has_neighbours: bool,
}

/// The separators around the columns of one line: column `c` lies between the entries `c` and `c + 1`.
pub(super) type Row = [u32; Layout::COLUMNS_MAX + 1];

/// Enough for some 140 lines of version 2.
const SEPARATORS_MAX: usize = 2048;
/// A chunk that is begun may have 64 more, and a row is read from any of them.
const SLOTS: usize = SEPARATORS_MAX + 64 + Layout::COLUMNS_MAX + 1;
/// Text is not looked at further ahead than this, however few separators it has.
pub(super) const STRETCH_BYTES_MAX: usize = 32 * 1024;

impl Places {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self { separators: [0; SLOTS], line_ends: [0; SLOTS] })
    }

    /// Finds the separators in the first bytes of `text`, which stands at the offset `base`; `LINES` says whether line feeds
    /// are among them. The end of the text, if it is reached, ends a line too.
    #[inline(always)]
    pub(super) fn scan<K: Kernel, const LINES: bool>(
        &mut self,
        kernel: K,
        text: &[u8],
        mut base: u32,
    ) -> Scanned {
        let stretch = text.get(..STRETCH_BYTES_MAX).unwrap_or(text);
        let mut scan = Scan { places: self, separators: 1, lines: 0, before: 1, neighbours: 0 };
        scan.places.separators[0] = base.wrapping_sub(1);
        let (chunks, rest) = stretch.as_chunks::<64>();
        for chunk in chunks {
            if scan.separators > SEPARATORS_MAX {
                return scan.finish(false);
            }
            scan.add::<K, LINES>(kernel, kernel.separators::<LINES>(chunk), base);
            base += 64;
        }
        if scan.separators > SEPARATORS_MAX {
            return scan.finish(false);
        }
        if !rest.is_empty() {
            let found = separators_at_end::<K, LINES>(kernel, stretch, rest);
            scan.add::<K, LINES>(kernel, found, base);
            base += u32::try_from(rest.len()).unwrap_or(0);
        }
        let is_all = stretch.len() == text.len();
        let last = text.last();
        if is_all && !(LINES && last == Some(&b'\n')) {
            scan.end(base, last == Some(&b' '));
        }
        scan.finish(is_all)
    }

    /// The separators of the line between two slots, if it has so many columns and, should it be suspected of it, none that
    /// is empty.
    #[inline(always)]
    pub(super) fn row(
        &self,
        slot: usize,
        last: usize,
        columns: usize,
        is_suspect: bool,
    ) -> Option<&Row> {
        let row: &Row = self.separators.get(slot..)?.first_chunk()?;
        let is_regular = last - slot == columns && !(is_suspect && has_empty(row, columns));
        is_regular.then_some(row)
    }
}

#[inline(never)]
fn has_empty(row: &Row, columns: usize) -> bool {
    let neighbours = row.iter().zip(&row[1..]).take(columns);
    neighbours.into_iter().any(|(before, end)| before.wrapping_add(1) == *end)
}

/// The separators in `rest`, the end of `stretch` and less than a chunk: bits are numbered from the beginning of `rest`.
#[inline(always)]
fn separators_at_end<K: Kernel, const LINES: bool>(
    kernel: K,
    stretch: &[u8],
    rest: &[u8],
) -> Separators {
    if let Some(chunk) = stretch.last_chunk() {
        let found = kernel.separators::<LINES>(chunk);
        let known = 64 - rest.len();
        return Separators { all: found.all >> known, line_feeds: found.line_feeds >> known };
    }
    let mut chunk = [0; 64];
    chunk[..rest.len()].copy_from_slice(rest);
    kernel.separators::<LINES>(&chunk)
}

struct Scan<'p> {
    places: &'p mut Places,
    separators: usize,
    lines: usize,
    /// 1 if the byte before the next chunk is a separator.
    before: u64,
    neighbours: u64,
}

impl Scan<'_> {
    #[inline(always)]
    fn add<K: Kernel, const LINES: bool>(&mut self, kernel: K, found: Separators, base: u32) {
        self.neighbours |= found.all & (found.all << 1 | self.before);
        self.before = found.all >> 63;
        if LINES {
            self.end_lines(found.all, found.line_feeds);
        }
        if let Some(slots) = self.places.separators.get_mut(self.separators..)
            && let Some(slots) = slots.first_chunk_mut()
        {
            kernel.flatten(found.all, base, slots);
        }
        self.separators += found.all.count_ones() as usize;
    }

    /// Writes the first line end always, since whether a chunk has one is as good as a coin toss.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "slots are few")]
    fn end_lines(&mut self, all: u64, mut line_feeds: u64) {
        loop {
            let before = line_feeds.wrapping_sub(1) & !line_feeds;
            let slot = self.separators as u32 + (all & before).count_ones();
            if let Some(end) = self.places.line_ends.get_mut(self.lines) {
                *end = slot;
            }
            self.lines += usize::from(line_feeds != 0);
            line_feeds &= line_feeds.wrapping_sub(1);
            if line_feeds == 0 {
                return;
            }
        }
    }

    /// The text ends at `offset` without a line feed.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "slots are few")]
    fn end(&mut self, offset: u32, is_after_space: bool) {
        self.neighbours |= u64::from(is_after_space);
        let slot = self.separators;
        if let (Some(separator), Some(end)) =
            (self.places.separators.get_mut(slot), self.places.line_ends.get_mut(self.lines))
        {
            (*separator, *end) = (offset, slot as u32);
        }
        self.separators += 1;
        self.lines += 1;
    }

    #[inline(always)]
    fn finish(&self, is_all: bool) -> Scanned {
        let Self { separators, lines, neighbours, .. } = *self;
        Scanned { separators, lines, is_all, has_neighbours: neighbours != 0 }
    }
}
