//! `DistinctTable` as bytes: it comes back, goes on alike, and forged bodies are refused.

#[path = "../streams/keyed.rs"]
mod keyed;

use std::collections::BTreeSet;

use proptest::prelude::*;
use sketches::encoding::{DecodeError, Limits, decode, encode};
use sketches::table::{BYTES_MIN, DistinctTable, Update};

use crate::check::{KEY, seal};
use crate::refusals::refuse;
use crate::samples;

/// As updates under the key of all frames.
fn stream(keys: u64, elements: u64, length: usize) -> impl Strategy<Value = Vec<Update>> {
    let update = |(key, element, pane)| Update {
        key: KEY.hash_u64(key),
        element: KEY.hash_u64(element),
        pane,
    };
    let streams = keyed::stream(keys, elements, length);
    streams.prop_map(move |stream| stream.into_iter().map(update).collect())
}

/// Back from its bytes, which are its own again.
fn comes_back(table: &DistinctTable) -> DistinctTable {
    let frame = encode(table, KEY).unwrap();
    let back: DistinctTable = decode(&frame, KEY, Limits::default()).unwrap();
    assert_eq!(encode(&back, KEY).unwrap(), frame);
    assert_eq!(back.memory_bytes(), table.memory_bytes());
    assert_eq!((back.newest(), back.counters()), (table.newest(), table.counters()));
    back
}

/// Every key has the same count in every window.
fn agree(table: &DistinctTable, other: &DistinctTable, keys: &BTreeSet<u64>) {
    for &key in keys {
        for panes in 1..=128 {
            let [ours, theirs] = [table, other].map(|table| {
                table.count(key, panes).filter(|count| count.distinct > 0.0 || !count.is_exact)
            });
            assert_eq!(ours, theirs, "{panes} panes");
        }
    }
}

fn keys(streams: &[&[Update]]) -> BTreeSet<u64> {
    streams.iter().copied().flatten().map(|update| update.key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tables_come_back_and_go_on_alike(
        streams in prop::array::uniform2(stream(20, 400, 3_000)), window_panes in 1..=128_u32, wait in 0..200_u32,
    ) {
        let mut table = DistinctTable::new(1 << 20, window_panes, 1).unwrap();
        table.update_batch(&streams[0], 0, &mut Vec::new());
        table.advance(table.newest() + wait % 60);
        let mut back = comes_back(&table);
        let keys = keys(&[&streams[0], &streams[1]]);
        agree(&table, &back, &keys);

        for table in [&mut table, &mut back] {
            table.update_batch(&streams[1], 0, &mut Vec::new());
        }
        prop_assert_eq!(table.counters().evicted, 0);
        prop_assert_eq!(back.counters(), table.counters());
        agree(&table, &back, &keys);
        agree(&comes_back(&table), &comes_back(&back), &keys);
        for table in [&mut table, &mut back] {
            table.advance(table.newest() + wait);
        }
        agree(&table, &back, &keys);
    }

    #[test]
    fn full_tables_come_back(seed: u64, sets in prop::collection::vec((1..4_000_u64, 1..200_u64), 1..5)) {
        let mut table = DistinctTable::new(BYTES_MIN, 40, seed).unwrap();
        let mut updates = Vec::new();
        let mut draw = seed;
        for (round, (keys, elements)) in (0..).zip(sets) {
            for step in 0..6_000_u32 {
                draw = draw.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                let pane = 1_000 + round * 13 + step / 1_000;
                let (key, element) = (KEY.hash_u64((draw >> 33) % keys), KEY.hash_u64((draw >> 20) % elements));
                updates.push(Update { key, element, pane });
            }
        }
        table.update_batch(&updates, 0, &mut Vec::new());
        let mut back = comes_back(&table);
        agree(&table, &back, &keys(&[&updates]));
        // Those that have just been let in stay, whatever else goes.
        back.update_batch(&updates, 0, &mut Vec::new());
        comes_back(&back);
    }
}

#[test]
fn a_sketch_of_which_all_is_out_of_the_window_comes_back_and_begins_anew() {
    // In line 900 of 1,024, to which the hand does not come in five panes.
    let key = 900 << 29;
    let update = |element, pane| Update { key, element: KEY.hash_u64(element), pane };
    let mut table = DistinctTable::new(BYTES_MIN, 5, 1).unwrap();
    for element in 0..200 {
        table.update(update(element, 100));
    }
    table.advance(105);
    let mut back = comes_back(&table);
    for table in [&mut table, &mut back] {
        assert!(table.count(key, 5).is_some_and(|count| count.distinct == 0.0));
        table.update(update(0, 105));
        assert!(table.count(key, 5).is_some_and(|count| count.is_exact));
    }
    agree(&table, &back, &BTreeSet::from([key]));
}

#[test]
fn sets_that_have_not_been_looked_at_since_an_earlier_era_come_back() {
    // In lines 900 to 903 of 1,024, to which the hand does not come in five panes.
    let keys = BTreeSet::from([900 << 29, 901 << 29, 902 << 29, 903 << 29]);
    let mut table = DistinctTable::new(BYTES_MIN, 128, 1).unwrap();
    table.advance(1_020);
    for (&key, elements) in keys.iter().zip([5, 20, 70, 200]) {
        for element in 0..elements {
            let pane = 1_020 - element % 20;
            table.update(Update { key, element: KEY.hash_u64(element.into()), pane });
        }
    }
    // An era begins with pane 1,024.
    table.advance(1_025);
    let mut back = comes_back(&table);
    agree(&table, &back, &keys);
    for key in &keys {
        assert!(back.count(*key, 6).is_some_and(|count| count.distinct > 0.9));
        assert!(back.count(*key, 5).is_some_and(|count| count.distinct < 0.1));
    }
    // Once round for the hand, which leaves what is in the window.
    for table in [&mut table, &mut back] {
        table.advance(1_060);
    }
    agree(&table, &back, &keys);
    agree(&table, &comes_back(&back), &keys);
}

/// All that is before the cells: 16 pages of cells, 14 of blocks, newest pane 9, window 5.
const EMPTY: [u8; 18] = [16, 14, 9, 5, 1, 2, 3, 4, 5, 6, 7, 8, 15, 0, 0, 0, 0, 0];

fn refused(body: &[u8]) -> Option<DecodeError> {
    refuse::<DistinctTable>(5, body)
}

/// A cell: how many are before it, tag and kind, and contents.
fn cell(gap: u8, tag: u32, kind: u32, contents: &[u8]) -> Vec<u8> {
    [&[gap], (tag << 3 | kind).to_le_bytes().as_slice(), contents].concat()
}

/// So many elements, in the newest pane.
fn elements(count: u8) -> Vec<u8> {
    let entries = (1..=count).flat_map(|fingerprint| [0, fingerprint, 0, 0]);
    [count].into_iter().chain(entries).collect()
}

#[test]
fn headers_that_no_table_has_are_refused() {
    assert_eq!(refused(&EMPTY), None);
    let with = |place: usize, bytes: &[u8]| [&EMPTY[..place], bytes, &EMPTY[place + 1..]].concat();
    let many = [0x80, 0x80, 0x80, 0x80, 0x10];
    for (body, why) in [
        (with(0, &[0]), "a size that no table has"),
        (with(0, &[15]), "a size that no table has"),
        (with(0, &[17]), "a size that no table has"),
        (with(0, &many), "a size that no table has"),
        (with(1, &[0]), "a size that no table has"),
        (with(1, &many), "a size that no table has"),
        (with(2, &many), "a pane past the last"),
        (with(3, &[0]), "window outside 1 to 128"),
        (with(12, &[16]), "a hand past the last page"),
        (with(13, &many), "a number that no table counts to"),
        (with(15, &many), "a number that no table counts to"),
        (with(15, &[1]), "elements of keys that were not evicted"),
        (EMPTY[..17].to_vec(), "the body ends within a field"),
    ] {
        assert_eq!(refused(&body), Some(DecodeError::structure(why)), "{body:?}");
    }
    // 2^25 pages less some are a table, of 128 GiB.
    let error = refused(&with(0, &[0xf0, 0xff, 0xff, 0x0f])).unwrap();
    assert_eq!(error.reason(), "too_large");
}

#[test]
fn counts_of_what_happened_stop_at_their_highest() {
    let most = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1].as_slice();
    let body = [&[16, 14, 100, 5], [7; 8].as_slice(), &[0, 0], most, &[9], most, most].concat();
    let frame = seal(5, 1, &body);
    let mut table: DistinctTable = decode(&frame, KEY, Limits::default()).unwrap();
    let before = table.counters();
    assert_eq!((before.evicted, before.refused, before.late), (u64::MAX, u64::MAX, u64::MAX));
    let updates: Vec<Update> = (0..30_000)
        .map(|step| Update {
            key: KEY.hash_u64(step % 5_000),
            element: KEY.hash_u64(step / 5_000),
            pane: if step == 0 { 9 } else { 100 },
        })
        .collect();
    table.update_batch(&updates, 0, &mut Vec::new());
    assert_eq!(table.counters(), before);
}

#[test]
fn cells_that_no_table_has_are_refused() {
    let body = |cells: &[Vec<u8>]| [EMPTY.to_vec(), cells.concat()].concat();
    let one = elements(1);
    for (kind, most) in [(1, 7), (2, 16), (3, 32), (4, 64), (5, 128)] {
        let refusal = |count| refused(&body(&[cell(0, 1, kind, &elements(count))]));
        assert_eq!((refusal(1), refusal(most)), (None, None), "kind {kind}");
        let why = "none or more elements than its cell has room for";
        assert_eq!(refusal(0), Some(DecodeError::structure(why)));
        let why = if most == 128 { "more than 128 elements" } else { why };
        assert_eq!(refusal(most + 1), Some(DecodeError::structure(why)), "kind {kind}");
    }
    assert_eq!(refused(&body(&[cell(0, 1, 6, &[0])])), None);
    assert_eq!(refused(&body(&[cell(9, 5, 6, &[2, 0, 0x84, 0x7f]), cell(0, 6, 1, &one)])), None);
    for (cells, why) in [
        (vec![cell(0, 1, 0, &one)], "a cell of no kind"),
        (vec![cell(0, 1, 7, &one)], "a cell of no kind"),
        (vec![cell(0, 1, 1, &[1, 5, 1, 0, 0])], "a pane out of the window"),
        (vec![cell(0, 1, 2, &[2, 0, 2, 0, 0, 0, 1, 0, 0])], "elements that are not in order"),
        (vec![cell(0, 1, 6, &[1, 0x80, 0x80, 0x20])], "a bit where no element has one"),
        (vec![cell(0, 1, 6, &[1, 5])], "a pane out of the window"),
        (vec![cell(0, 1, 1, &one), cell(0, 1, 1, &one)], "a key that stands in two cells"),
        (vec![vec![0x80, 0x10]], "a cell past the last"),
        (vec![vec![0xff, 0x0f, 9], vec![0; 3], one.clone(), vec![0]], "a cell past the last"),
        (vec![vec![255, 255, 255, 255, 255, 255, 255, 255, 255, 1]], "a cell past the last"),
        (vec![vec![0, 9, 0]], "the body ends within a field"),
    ] {
        let body = body(&cells);
        assert_eq!(refused(&body), Some(DecodeError::structure(why)), "{body:?}");
    }
}

#[test]
fn a_key_cannot_stand_in_both_of_its_lines() {
    // The other line of the first, for a tag of 0, is the second; for the highest tag, the last of 1,024.
    let two = |gap: &[u8], tag: u32| {
        let first = cell(0, tag, 1, &elements(1));
        let second = cell(0, tag, 1, &elements(1))[1..].to_vec();
        refused(&[&EMPTY, first.as_slice(), gap, &second].concat())
    };
    let twice = Some(DecodeError::structure("a key that stands in two cells"));
    assert_eq!([two(&[1], 0), two(&[2], 0), two(&[3], 0)], [twice, twice, None]);
    let highest = (1 << 29) - 1;
    assert_eq!([two(&[1], highest), two(&[0xfc, 0x0f], highest)], [None, None]);
    assert_eq!([two(&[0xfd, 0x0f], highest), two(&[0xfe, 0x0f], highest)], [twice, twice]);
}

#[test]
fn no_more_blocks_are_taken_than_there_are() {
    // A page holds one sketch, or 64, 32, 16 or 8 blocks; classes do not share a page.
    for (kind, of_page) in [(2, 64), (3, 32), (4, 16), (5, 8), (6, 1)] {
        let contents = if kind == 6 { vec![0] } else { elements(1) };
        let cells = |count: u32| (0..count).flat_map(|tag| cell(0, tag * 4_096, kind, &contents));
        let body = |count| EMPTY.into_iter().chain(cells(count)).collect::<Vec<u8>>();
        assert_eq!(refused(&body(14 * of_page)), None, "kind {kind}");
        let why = DecodeError::structure("more blocks than there are");
        assert_eq!(refused(&body(14 * of_page + 1)), Some(why), "kind {kind}");
    }
}

#[test]
fn a_table_is_decoded_within_the_memory_that_it_takes() {
    let table = samples::table(&[3, 200]);
    let frame = encode(&table, KEY).unwrap();
    let memory = |memory_bytes_max| Limits { memory_bytes_max, ..Limits::default() };
    let bytes = table.memory_bytes();
    assert!(decode::<DistinctTable>(&frame, KEY, memory(bytes)).is_ok());
    let allowed = bytes - 1;
    let error = DecodeError::TooLarge { what: "sketch", bytes, allowed };
    assert_eq!(decode::<DistinctTable>(&frame, KEY, memory(allowed)).err(), Some(error));
}
