//! Rows that are too far ahead of the clock to be believed alone.
//!
//! Event time comes from the data, so one record with a wrong year would move the clock past every window, and all that
//! follows would be late. A row further ahead than the longest window is held until others stand near it: then time has
//! really moved (a gap in the logs, the next capture of a replay). A row that stays alone is dropped and counted.

use std::borrow::Cow;

use sketches::pane::Pane;

use crate::combine::{Conversation, ConversationKey};

type Row = (ConversationKey, Conversation);

/// Rows held back.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    held: Vec<Row>,
    dropped: u64,
}

/// This many rows within one window of each other are time, fewer may be a mistake.
const BELIEVED_ROWS: usize = 3;
const HELD_MAX: usize = 1024;

impl Ahead {
    /// The rows that may be applied now, in order of pane: of those held and those of a new batch, all that are within
    /// `horizon_panes` of the clock or of enough others. `clock` is 0 before the first row, which is believed.
    pub(super) fn admit<'r>(
        &mut self,
        rows: &'r [Row],
        clock: Pane,
        horizon_panes: u32,
    ) -> Cow<'r, [Row]> {
        let is_near = |clock: Pane, pane: Pane| pane <= clock.saturating_add(horizon_panes);
        let newest = rows.last().map_or(0, |(key, _)| key.pane);
        if self.held.is_empty() && clock > 0 && is_near(clock, newest) {
            return Cow::Borrowed(rows);
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(rows);
        all.sort_by_key(|(key, _)| key.pane);
        let mut clock = if clock == 0 { all.first().map_or(0, |(key, _)| key.pane) } else { clock };
        let mut admitted = Vec::with_capacity(all.len());
        for (place, row) in all.iter().enumerate() {
            let pane = row.0.pane;
            let neighbour = all.get(place + BELIEVED_ROWS - 1);
            if is_near(clock, pane) || neighbour.is_some_and(|(key, _)| is_near(pane, key.pane)) {
                clock = clock.max(pane);
                admitted.push(*row);
            } else {
                self.held.push(*row);
            }
        }
        let excess = self.held.len().saturating_sub(HELD_MAX);
        self.dropped += self.held.drain(..excess).count() as u64;
        Cow::Owned(admitted)
    }

    /// Gives up on what is still alone.
    pub(super) fn finish(&mut self) {
        self.dropped += self.held.drain(..).count() as u64;
    }

    /// Rows that were never believed.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}
