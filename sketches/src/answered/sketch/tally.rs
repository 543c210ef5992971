//! How many cells of each rank are set in the bitmaps of a question.

use super::super::element::Ranges;
use super::super::stamps::{NEVER, Stamp, StampRange};
use super::row::{Opened, OpenedRow, Row, recent_mask};
use super::{CHUNKS, LANES, RANKS, Sketch};

/// Cells set, by rank less one, in the bitmaps of four unions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// Opened, refused or answered in the window.
    pub(super) seen: [u32; RANKS],
    /// Refused in the window, opened in its settled part, or answered since.
    pub(super) failed_or_answered: [u32; RANKS],
    /// Answered in the window or later.
    pub(super) answered: [u32; RANKS],
    /// Answered in the range that acquits.
    pub(super) answered_since: [u32; RANKS],
}

/// What of a question is the same for all cells.
struct Question {
    window: Within,
    settled: Within,
    /// The window and all that comes after it.
    later: Within,
    since: Within,
    window_recent: u16,
    settled_recent: u16,
}

/// One comparison per stamp: those before the range wrap around and end up above its length.
#[derive(Clone, Copy, PartialEq)]
struct Within {
    first: Stamp,
    length: Stamp,
}

const NO_OPENINGS: &OpenedRow = &[Opened::NEVER; CHUNKS];
const NO_STAMPS: &Row = &[[NEVER; LANES]; CHUNKS];

impl Tally {
    pub(super) fn new(sketch: &Sketch, ranges: Ranges, newest: Stamp) -> Self {
        let question = Question {
            window: Within::new(ranges.window),
            settled: Within::new(ranges.settled),
            later: Within::new(ranges.window.with_later()),
            since: Within::new(ranges.since),
            window_recent: recent_mask(ranges.window, newest),
            settled_recent: recent_mask(ranges.settled, newest),
        };
        // Mostly: the window ends with the newest pane, and no earlier answer acquits.
        let is_one_range = question.later == question.window && question.since == question.window;
        let none = [0; RANKS];
        let mut tally =
            Self { seen: none, failed_or_answered: none, answered: none, answered_since: none };
        let ranks = sketch.opened.len().max(sketch.refused.len()).max(sketch.answered.len());
        for rank in 0..ranks {
            let opened = sketch.opened.get(rank).unwrap_or(NO_OPENINGS);
            let ends = match (sketch.refused.get(rank), sketch.answered.get(rank)) {
                (None, None) => None,
                (refused, answered) => {
                    Some((refused.unwrap_or(NO_STAMPS), answered.unwrap_or(NO_STAMPS)))
                }
            };
            let cells_set = match ends {
                None => question.of_openings(opened),
                Some((refused, answered)) if is_one_range => {
                    question.of_all::<true>(opened, refused, answered)
                }
                Some((refused, answered)) => question.of_all::<false>(opened, refused, answered),
            };
            [
                tally.seen[rank],
                tally.failed_or_answered[rank],
                tally.answered[rank],
                tally.answered_since[rank],
            ] = cells_set;
        }
        tally
    }
}

/// Cells set of one rank, in the order of [`Tally`].
impl Question {
    fn of_openings(&self, opened: &OpenedRow) -> [u32; 4] {
        let mut sums = [[0_u16; LANES]; 2];
        for Opened { last, recent } in opened {
            for lane in 0..LANES {
                sums[0][lane] += u16::from(self.is_opened(last[lane], recent[lane]));
                sums[1][lane] += u16::from(self.is_settled(last[lane], recent[lane]));
            }
        }
        let [seen, failed] = sums.map(|lanes| lanes.into_iter().sum::<u16>().into());
        [seen, failed, 0, 0]
    }

    /// With `ONE`, answers are looked for in one range only: `later` and `since` are the window.
    fn of_all<const ONE: bool>(
        &self,
        opened: &OpenedRow,
        refused: &Row,
        answered: &Row,
    ) -> [u32; 4] {
        let mut sums = [[0_u16; LANES]; 4];
        for ((Opened { last, recent }, refused), answered) in
            opened.iter().zip(refused).zip(answered)
        {
            for lane in 0..LANES {
                let is_refused = self.window.contains(refused[lane]);
                let is_answered = self.window.contains(answered[lane]);
                let is_since = if ONE { is_answered } else { self.since.contains(answered[lane]) };
                let is_opened = self.is_opened(last[lane], recent[lane]);
                let is_settled = self.is_settled(last[lane], recent[lane]);
                sums[0][lane] += u16::from(is_opened | is_refused | is_answered);
                sums[1][lane] += u16::from(is_settled | is_refused | is_since);
                sums[2][lane] += u16::from(is_since);
                if !ONE {
                    sums[3][lane] += u16::from(self.later.contains(answered[lane]));
                }
            }
        }
        let [seen, failed_or_answered, since, later] =
            sums.map(|lanes| lanes.into_iter().sum::<u16>().into());
        [seen, failed_or_answered, if ONE { since } else { later }, since]
    }

    // Bitwise operators, so that the cells of a chunk go through the same vector instructions.

    const fn is_opened(&self, last: Stamp, recent: u16) -> bool {
        self.window.contains(last) | (recent & self.window_recent != 0)
    }

    const fn is_settled(&self, last: Stamp, recent: u16) -> bool {
        self.settled.contains(last) | (recent & self.settled_recent != 0)
    }
}

impl Within {
    const fn new(range: StampRange) -> Self {
        if range.is_empty() {
            // No stamp is that large.
            return Self { first: Stamp::MAX, length: 0 };
        }
        Self { first: range.first(), length: range.last() - range.first() }
    }

    const fn contains(self, stamp: Stamp) -> bool {
        stamp.wrapping_sub(self.first) <= self.length
    }
}
