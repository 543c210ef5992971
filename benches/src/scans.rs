//! Updates of a table of distinct counters: scanners that have to be found among keys that must not be.
//!
//! - 1,001 scanners meet 150 to 1,000 elements each within 12 panes;
//! - 10,000 decoys meet 60 to 95 in any 12 panes, again and again;
//! - everyone else meets 4, or one in eight of them 50: below 60 for ever.
//!
//! Keys and elements are hashed before the clock starts, as the pipeline hashes in a pass of its own.

use indexmap::IndexMap;
use sketches::hash::{AsIs, HashKey, split_mix};
use sketches::pane::Pane;
use sketches::table::Update;

use crate::traffic::KEY;

/// Panes of the window.
pub const WINDOW_PANES: u32 = 12;
/// Whoever has so many distinct elements in the window is a scanner.
pub const THRESHOLD: u32 = 100;
/// Scanners of a plan.
pub const SCANNERS: u64 = 1_001;
const DECOYS: u64 = 10_000;
/// The first pane.
const EPOCH: Pane = 1_000;
const SCANNER: u64 = 1 << 40;
const DECOY: u64 = 2 << 40;

/// How the keys of everyone else are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Key `r` with a density of 1 / `r`.
    Zipf,
    /// Each alike.
    Uniform,
    /// Each once.
    Once,
}

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Keys besides scanners and decoys.
    pub keys: u64,
    /// How they are drawn.
    pub draw: Draw,
    /// Panes of the run.
    pub panes: u32,
    /// Updates per pane besides those of scanners and decoys.
    pub background: u64,
}

impl Plan {
    /// The updates of one pane, shuffled; `part` of `parts`, so that a pane need not fit in memory.
    #[must_use]
    pub fn updates(&self, pane: u32, part: u64, parts: u64) -> Vec<Update> {
        let mut state = u64::from(pane) << 32 | part;
        let share = self.background / parts;
        let key_and_element = |place| match self.draw {
            Draw::Once => (u64::from(pane) * self.background + part * share + place, 0),
            _ => self.background_update(&mut state),
        };
        let mut updates: Vec<Update> = (0..share)
            .map(key_and_element)
            .chain(self.scans(pane).skip(as_index(part)).step_by(as_index(parts)))
            .map(|(key, element)| update(key, element, pane))
            .collect();
        let mut state = !u64::from(pane);
        for place in (1..updates.len()).rev() {
            updates.swap(place, as_index(below(split_mix(&mut state), place as u64 + 1)));
        }
        updates
    }

    /// The most keys that any window of the run has.
    #[must_use]
    pub fn active_keys_max(&self) -> usize {
        let (mut last, mut most) = (IndexMap::<u64, Pane, AsIs>::default(), 0);
        for pane in 0..self.panes {
            self.updates(pane, 0, 1).into_iter().for_each(|update| {
                last.insert(update.key, pane);
            });
            most = most.max(last.values().filter(|&&seen| pane - seen < WINDOW_PANES).count());
        }
        most
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "floored, within 1..=keys"
    )]
    fn background_update(&self, state: &mut u64) -> (u64, u64) {
        let key = if self.draw == Draw::Uniform {
            1 + below(split_mix(state), self.keys)
        } else {
            let unit = (split_mix(state) >> 11) as f64 / (1_u64 << 53) as f64;
            (self.keys as f64).powf(unit).floor() as u64
        };
        let elements = if key.is_multiple_of(8) { 50 } else { 4 };
        (key, below(split_mix(state), elements))
    }

    /// Scanners begin at some pane and take 12 from there; decoys never stop.
    fn scans(&self, pane: u32) -> impl Iterator<Item = (u64, u64)> {
        let window = u64::from(WINDOW_PANES);
        let starts = u64::from(self.panes - WINDOW_PANES) + 1;
        let scans = (0..SCANNERS).flat_map(move |scanner| {
            let (start, elements) = (scanner % starts, 150 + below(mixed(scanner), 851));
            let step = u64::from(pane).checked_sub(start).unwrap_or(window);
            (0..elements).filter(move |e| e % window == step).map(move |e| (SCANNER + scanner, e))
        });
        let decoys = (0..DECOYS).flat_map(move |decoy| {
            let (elements, step) = (60 + below(mixed(decoy), 36), u64::from(pane) % window);
            (0..elements).filter(move |e| e % window == step).map(move |e| (DECOY + decoy, e))
        });
        scans.chain(decoys)
    }
}

/// Whom a run has named.
#[derive(Clone, Debug, Default)]
pub struct Found(IndexMap<u64, (), AsIs>);

/// How many of whom a run has named, and how many scanners it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Scanners named.
    pub found: u64,
    /// Others named.
    pub falsely: u64,
    /// Scanners not named.
    pub missed: u64,
}

impl Found {
    /// Whether a key has been named.
    #[must_use]
    pub fn has(&self, key: u64) -> bool {
        self.0.contains_key(&key)
    }

    /// Names a key.
    pub fn name(&mut self, key: u64) {
        self.0.insert(key, ());
    }

    /// Holds what was named against the truth.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let is_named = |scanner: &u64| self.has(KEY.hash_u64(SCANNER + scanner));
        let found = (0..SCANNERS).filter(is_named).count() as u64;
        Verdict { found, falsely: self.0.len() as u64 - found, missed: SCANNERS - found }
    }
}

const ELEMENTS: HashKey = HashKey::new(3, 4);

fn update(key: u64, element: u64, pane: u32) -> Update {
    Update {
        key: KEY.hash_u64(key),
        element: ELEMENTS.hash_u64(element << 44 ^ key),
        pane: EPOCH + pane,
    }
}

const fn mixed(seed: u64) -> u64 {
    let mut state = seed;
    split_mix(&mut state)
}

/// A number below `bound` from a draw of 64 bits (Lemire 2019, multiply-shift without its correction).
const fn below(draw: u64, bound: u64) -> u64 {
    ((draw as u128 * bound as u128) >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "indices of vectors")]
const fn as_index(number: u64) -> usize {
    number as usize
}
