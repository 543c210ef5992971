//! The table and what else one would build: each names the keys that come to 100 distinct elements in 12 panes.

#![expect(clippy::expect_used, reason = "a benchmark without its subject has no use")]

use sketches::hash::AsIs;
use std::hash::DefaultHasher;

use cardinality_estimator::CardinalityEstimator;
use dashmap::DashMap;
use flowscout_benches::scans::{Found, THRESHOLD, WINDOW_PANES};
use indexmap::{IndexMap, IndexSet};
use sketches::distinct::{Distinct, Estimate, Precision};
use sketches::table::{Counters, DistinctTable, Update};

/// One way to count per key.
pub(crate) trait Subject {
    /// As in the table.
    fn name(&self) -> &'static str;
    /// Applies the updates of a pane and names whom it finds.
    fn pane(&mut self, updates: &[Update], found: &mut Found);
    /// Evictions and refusals.
    fn counters(&self) -> Counters {
        Counters::default()
    }
}

/// What the pipeline would have at hand at once.
const BATCH: usize = 4_096;

/// An estimate has to exceed the threshold by two sigmas; a count need only reach it.
fn is_scan(count: Estimate) -> bool {
    count.distinct >= f64::from(THRESHOLD) + 2.0 * count.standard_error
}

pub(crate) struct Batched {
    table: DistinctTable,
    changed: Vec<usize>,
}

impl Batched {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { table: table(bytes_max), changed: Vec::new() }
    }

    /// Applies a batch and names whom it finds.
    pub(crate) fn apply(&mut self, updates: &[Update], found: &mut Found) {
        self.changed.clear();
        self.table.update_batch(updates, THRESHOLD, &mut self.changed);
        for key in self.changed.iter().map(|&index| updates[index].key) {
            if !found.has(key) && self.table.count(key, WINDOW_PANES).is_some_and(is_scan) {
                found.name(key);
            }
        }
    }

    pub(crate) const fn memory_bytes(&self) -> usize {
        self.table.memory_bytes()
    }
}

impl Subject for Batched {
    fn name(&self) -> &'static str {
        "`DistinctTable`, batched"
    }

    fn pane(&mut self, updates: &[Update], found: &mut Found) {
        updates.chunks(BATCH).for_each(|batch| self.apply(batch, found));
    }

    fn counters(&self) -> Counters {
        self.table.counters()
    }
}

pub(crate) struct Single(DistinctTable);

impl Single {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(table(bytes_max))
    }
}

impl Subject for Single {
    fn name(&self) -> &'static str {
        "`DistinctTable`, one update at a time"
    }

    fn pane(&mut self, updates: &[Update], found: &mut Found) {
        for &update in updates {
            if self.0.update(update)
                && !found.has(update.key)
                && self.0.count(update.key, WINDOW_PANES).is_some_and(is_scan)
            {
                found.name(update.key);
            }
        }
    }

    fn counters(&self) -> Counters {
        self.0.counters()
    }
}

fn table(bytes_max: usize) -> DistinctTable {
    DistinctTable::new(bytes_max, WINDOW_PANES, 1).expect("the budget is above the least")
}

/// Names a key by the counter that a map has for it. Sets that have no room for the threshold are not counted.
fn apply(counter: &mut Distinct, update: &Update, found: &mut Found) {
    const ROOM_MIN: usize = size_of::<Distinct>() + THRESHOLD as usize * size_of::<u32>();
    if counter.update(update.element, update.pane)
        && counter.memory_bytes() >= ROOM_MIN
        && !found.has(update.key)
        && is_scan(counter.count(WINDOW_PANES))
    {
        found.name(update.key);
    }
}

fn counter() -> Distinct {
    Distinct::new(WINDOW_PANES, Precision::Percent4)
}

#[derive(Default)]
pub(crate) struct Dash(DashMap<u64, Box<Distinct>, AsIs>);

impl Subject for Dash {
    fn name(&self) -> &'static str {
        "`DashMap<u64, Box<Distinct>>`"
    }

    fn pane(&mut self, updates: &[Update], found: &mut Found) {
        for update in updates {
            let mut entry = self.0.entry(update.key).or_insert_with(|| Box::new(counter()));
            apply(&mut entry, update, found);
        }
    }
}

#[derive(Default)]
pub(crate) struct Index(IndexMap<u64, Distinct, AsIs>);

impl Subject for Index {
    fn name(&self) -> &'static str {
        "`IndexMap<u64, Distinct>`"
    }

    fn pane(&mut self, updates: &[Update], found: &mut Found) {
        for update in updates {
            apply(self.0.entry(update.key).or_insert_with(counter), update, found);
        }
    }
}

type Plain = CardinalityEstimator<u64, DefaultHasher, 10, 6>;

/// One map of plain counters per pane of the window; who met a twelfth of the threshold in any one pane, as a scanner must, is
/// looked up in all of them at the end of each pane.
#[derive(Default)]
pub(crate) struct Ring {
    panes: [IndexMap<u64, Plain, AsIs>; WINDOW_PANES as usize],
    suspects: [IndexSet<u64, AsIs>; WINDOW_PANES as usize],
    next: usize,
}

impl Subject for Ring {
    fn name(&self) -> &'static str {
        "12 `IndexMap<u64, CardinalityEstimator>`"
    }

    fn pane(&mut self, updates: &[Update], found: &mut Found) {
        let place = self.next;
        self.next = (self.next + 1) % self.panes.len();
        let (map, suspects) = (&mut self.panes[place], &mut self.suspects[place]);
        map.clear();
        suspects.clear();
        for update in updates {
            let counter = map.entry(update.key).or_default();
            counter.insert_hash(update.element);
            if counter.estimate() >= THRESHOLD.div_ceil(WINDOW_PANES) as usize {
                suspects.insert(update.key);
            }
        }
        let suspects: IndexSet<u64, AsIs> = self.suspects.iter().flatten().copied().collect();
        for key in suspects.into_iter().filter(|&key| !found.has(key)).collect::<Vec<_>>() {
            let mut union = Plain::default();
            self.panes.iter().filter_map(|map| map.get(&key)).for_each(|one| union.merge(one));
            if union.estimate() >= THRESHOLD as usize {
                found.name(key);
            }
        }
    }
}
