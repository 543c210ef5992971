//! Streams of keys that meet elements, for whatever is tested against tables.

use proptest::prelude::*;
use sketches::pane::Pane;

/// Keys with elements and panes; as many elements for a key as its number says at most, so that all tiers occur; with jumps
/// into other eras.
pub(crate) fn stream(
    keys: u64,
    elements: u64,
    length: usize,
) -> impl Strategy<Value = Vec<(u64, u64, Pane)>> {
    let jump = prop_oneof![60 => Just(0_u32), 6 => 0..4_u32, 1 => 0..90_u32, 1 => 0..400_u32];
    let update = (0..keys, 0..elements, jump, 0..30_u32);
    (0..3_000_u32, prop::collection::vec(update, 0..length)).prop_map(move |(start, updates)| {
        let mut now = start;
        let update = |(key, element, jump, late): (u64, u64, u32, u32)| {
            now += jump;
            (key, element % (1 + key * elements / keys), now.saturating_sub(late))
        };
        updates.into_iter().map(update).collect()
    })
}
