//! What must hold between cells and blocks whatever has happened, and what once did not hold.

use proptest::prelude::*;

use super::cells::WORDS;
use super::*;
use crate::distinct::{Distinct, Precision, registers};
use crate::error::MergeError;
use crate::hash::HashKey;

const KEY: HashKey = HashKey::new(11, 12);

/// Every block has one owner, which refers to it; its newest stamp and the bound of its elements are right; and nothing else
/// is owned.
fn check(table: &DistinctTable) -> Result<(), TestCaseError> {
    let mut owned = 0;
    for (line, words) in table.cells.lines().iter().take(table.cells.len() * LINES).enumerate() {
        for (half, cell) in cells::of_line(words).into_iter().enumerate() {
            let View::Block(block) = cells::view(&cell) else { continue };
            owned += 1;
            prop_assert_eq!(table.blocks.owner(block.line), room::owner((line, half)));
            prop_assert_eq!(block.line % blocks::lines(block.class), 0);
            let lines = table.block_lines(&block).as_flattened();
            let newest = match block.class {
                SKETCH => registers::newest(bytemuck::must_cast_slice(lines)),
                _ => entries::newest(lines),
            };
            // Cell and block may be of different eras; brought to the present, they agree where anything is left.
            let era = table.clock.era();
            let in_cell = block.newest.saturating_sub(table.cells.distance(line, era));
            let in_block = newest.saturating_sub(table.blocks.pages.distance(block.line, era));
            prop_assert_eq!(in_cell, in_block);
            if block.class != SKETCH {
                let oldest = table.clock.oldest(u32::MAX);
                let live = entries::count(
                    lines,
                    oldest.saturating_add(table.blocks.pages.distance(block.line, era)),
                );
                prop_assert!(live <= block.used && block.used as usize <= lines.len());
            }
        }
    }
    let owners: usize =
        (0..table.blocks.pages.len()).map(|page| table.blocks.owners(page).count()).sum();
    prop_assert_eq!(owned, owners);
    Ok(())
}

#[derive(Clone, Debug)]
enum Step {
    Update { key: u64, element: u64, late: u32 },
    Fill { key: u64, elements: u64 },
    Merge { key: u64, elements: u64, ahead: u32 },
    Advance(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..3_000_u64;
    prop_oneof![
        40 => (key.clone(), 0..40_u64, 0..20_u32)
            .prop_map(|(key, element, late)| Step::Update { key, element, late }),
        10 => (key.clone(), 1..400_u64).prop_map(|(key, elements)| Step::Fill { key, elements }),
        4 => (key, 1..400_u64, 0..70_u32)
            .prop_map(|(key, elements, ahead)| Step::Merge { key, elements, ahead }),
        1 => prop_oneof![0..3_u32, 0..200_u32].prop_map(Step::Advance),
    ]
}

fn take(table: &mut DistinctTable, step: &Step) {
    let pane = table.newest();
    let key = |key| KEY.hash_u64(key);
    match *step {
        Step::Update { key: of, element, late } => {
            let element = KEY.hash_u64(element);
            table.update(Update { key: key(of), element, pane: pane.saturating_sub(late) });
        }
        Step::Fill { key: of, elements } => {
            let update = |element| Update { key: key(of), element: KEY.hash_u64(element), pane };
            let updates: Vec<Update> = (0..elements).map(update).collect();
            table.update_batch(&updates, 0, &mut Vec::new());
        }
        Step::Merge { key: of, elements, ahead } => {
            let mut counter = Distinct::new(12, Precision::Percent4);
            (0..elements).for_each(|element| {
                counter.update(KEY.hash_u64(element), pane + ahead);
            });
            table.merge(key(of), &counter).unwrap();
        }
        Step::Advance(panes) => table.advance(pane + panes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cells_and_blocks_agree_whatever_has_happened(
        start in 0..400_u32, keys in 500..9_000_u64, steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut table = DistinctTable::new(BYTES_MIN, 12, 5).unwrap();
        // Enough keys that most steps find the table full, and move or evict.
        let update = |k| Update { key: KEY.hash_u64(k), element: KEY.hash_u64(k % 3), pane: start };
        (0..keys).for_each(|k| {
            table.update(update(k));
        });
        for step in &steps {
            take(&mut table, step);
        }
        check(&table)?;
    }
}

#[test]
fn a_sketch_that_gets_another_across_an_era_stays() {
    let mut table = DistinctTable::new(BYTES_MIN, 12, 5).unwrap();
    // Its page is not the next that the hand comes to.
    let key = 900 << 29;
    (0..200).for_each(|element| {
        table.update(Update { key, element: KEY.hash_u64(element), pane: 1_012 });
    });
    table.advance(1_022);
    let mut counter = Distinct::new(12, Precision::Percent4);
    (200..400).for_each(|element| {
        counter.update(KEY.hash_u64(element), 1_026);
    });
    table.merge(key, &counter).unwrap();
    for pane in 1_027..=1_037 {
        table.advance(pane);
        let (low, high) = table.count(key, 12).unwrap().interval(4.0);
        assert!(low <= 200.0 && 200.0 <= high || pane < 1_024, "{pane}: {low} to {high}");
    }
    check(&table).unwrap();
}

#[test]
fn a_set_of_which_all_is_out_of_the_window_is_counted_exactly_again() {
    let mut table = DistinctTable::new(BYTES_MIN, 12, 5).unwrap();
    let key = KEY.hash_u64(1);
    let update = |element, pane| Update { key, element: KEY.hash_u64(element), pane };
    for elements in [20, 500] {
        let now = table.newest() + 20;
        (0..elements).for_each(|element| {
            table.update(update(element, now));
        });
        // Two panes later than its window, before the hand has come by.
        table.update(update(9_999, now + 14));
        let count = table.count(key, 12).unwrap();
        assert!(count.is_exact && (count.distinct - 1.0).abs() < 1e-9, "{elements}: {count:?}");
        check(&table).unwrap();
    }
}

#[test]
fn a_table_of_small_keys_that_is_merged_puts_out_few_that_are_larger() {
    let mut table = DistinctTable::new(1 << 20, 12, 5).unwrap();
    let two =
        |k: u64| [0, 1].map(|e| Update { key: KEY.hash_u64(k), element: KEY.hash_u64(e), pane: 9 });
    table.update_batch(&(0..30_000).flat_map(two).collect::<Vec<_>>(), 0, &mut Vec::new());
    let residents = |table: &DistinctTable| {
        (0..30_000).filter(|&k| table.elements_max(KEY.hash_u64(k)) == 2).count()
    };
    let before = residents(&table);
    let mut flooded = DistinctTable::new(1 << 20, 12, 6).unwrap();
    (100_000..300_000).for_each(|k| {
        flooded.update(Update { key: KEY.hash_u64(k), element: KEY.hash_u64(7), pane: 9 });
    });
    table.merge_table(&flooded).unwrap();
    assert!(residents(&table) * 100 > before * 85, "{} of {before}", residents(&table));
}

#[test]
fn a_counter_of_the_other_precision_is_refused() {
    let mut table = DistinctTable::new(BYTES_MIN, 12, 5).unwrap();
    let mut counter = Distinct::new(12, Precision::Percent2);
    counter.update(KEY.hash_u64(1), 5);
    assert_eq!(table.merge(7, &counter), Err(MergeError { ours: 4_096, theirs: 16_384 }));
    assert_eq!(table.count(7, 12), None);
}

/// Each new key of a flood, and whoever starts under it, is let in by its own luck, and not by that of the port that all of them
/// try.
#[test]
fn no_element_opens_a_full_table_to_all_keys_or_closes_it_to_any() {
    let admitted = (0..40_u64).map(|port| {
        let mut table = DistinctTable::new(BYTES_MIN, 12, port).unwrap();
        let two = |k: u64| {
            [0, 1].map(|e| Update { key: KEY.hash_u64(k), element: KEY.hash_u64(e), pane: 9 })
        };
        table.update_batch(&(0..6_000).flat_map(two).collect::<Vec<_>>(), 0, &mut Vec::new());
        let refused_before = table.counters().refused;
        let element = KEY.hash_u64(1_000 + port);
        (10_000..11_000).for_each(|k| {
            table.update(Update { key: KEY.hash_u64(k), element, pane: 9 });
        });
        1_000 - (table.counters().refused - refused_before)
    });
    // One in eight of those that meet four keys of two elements; the rest meet one that is new itself.
    for admitted in admitted {
        assert!((100..500).contains(&admitted), "{admitted}");
    }
}

#[test]
fn a_header_stands_at_the_beginning_of_each_cell() {
    assert_eq!(2 * WORDS, size_of::<Line>() / size_of::<u32>());
}
