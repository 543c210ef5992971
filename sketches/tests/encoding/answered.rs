//! `OpenedAnswered` as bytes: it comes back, goes on alike, and forged bodies are refused.

use proptest::prelude::*;
use sketches::answered::OpenedAnswered;
use sketches::encoding::{Corruption, DecodeError, Kind, Limits, decode, encode, put_varint};
use sketches::pane::{Pane, PaneRange};

use crate::check::{KEY, seal};
use crate::refusals::refuse;
use crate::samples;

/// Event, element and pane.
type Stream = Vec<(u8, u64, Pane)>;

/// Up to so many different elements, some late, with jumps past the horizon and into other eras.
fn stream(elements: u64) -> impl Strategy<Value = Stream> {
    let jump = prop_oneof![40 => 0..2_u32, 2 => 0..70_u32, 1 => 0..40_000_u32];
    let late = prop_oneof![20 => 0..20_u32, 1 => 0..60_000_u32];
    let update = (0..4_u8, 0..elements, jump, late);
    let start = prop_oneof![0..20_u32, 0..80_000_u32];
    (start, prop::collection::vec(update, 0..400)).prop_map(|(start, updates)| {
        let mut now = start;
        let update = |(event, element, jump, late): (u8, u64, u32, u32)| {
            now += jump;
            (event, element, now.saturating_sub(late))
        };
        updates.into_iter().map(update).collect()
    })
}

fn streams() -> impl Strategy<Value = Stream> {
    prop_oneof![stream(3), stream(60), stream(150), stream(2_000)]
}

fn see(counter: &mut OpenedAnswered, stream: &Stream) {
    for &(event, element, pane) in stream {
        let hash = KEY.hash_u64(element);
        match event {
            0 => counter.opened(hash, pane),
            1 => counter.refused(hash, pane),
            2 => counter.answered(hash, pane),
            _ => counter.answered_if_seen(hash, pane),
        }
    }
}

fn seen(stream: &Stream) -> OpenedAnswered {
    let mut counter = OpenedAnswered::new();
    see(&mut counter, stream);
    counter
}

fn comes_back(counter: &OpenedAnswered) -> OpenedAnswered {
    let frame = encode(counter, KEY).unwrap();
    let back: OpenedAnswered = decode(&frame, KEY, Limits::default()).unwrap();
    assert_eq!(&back, counter);
    assert_eq!(encode(&back, KEY).unwrap(), frame);
    agree(&back, counter);
    back
}

fn agree(one: &OpenedAnswered, other: &OpenedAnswered) {
    assert_eq!(one.newest(), other.newest());
    assert_eq!(one.elements_max(), other.elements_max());
    let newest = one.newest().unwrap_or_default();
    for last in [newest, newest.saturating_sub(4)] {
        for length in [0, 1, 16, 17, 100, 32_768, 60_000] {
            let window = PaneRange { first: last.saturating_sub(length), last };
            for settled in [last, last.saturating_sub(2)] {
                assert_eq!(one.count(window, settled), other.count(window, settled));
            }
            assert_eq!(one.first_opened(window), other.first_opened(window));
        }
    }
}

proptest! {
    #[test]
    fn counters_come_back_and_go_on_alike(
        streams in prop::array::uniform3(streams()), wait in 0..60_000_u32, kept in 0..60_u32,
    ) {
        let (mut counter, other) = (seen(&streams[0]), seen(&streams[1]));
        let (mut back, other_back) = (comes_back(&counter), comes_back(&other));
        for (counter, other) in [(&mut counter, &other), (&mut back, &other_back)] {
            see(counter, &streams[2]);
            counter.merge(other);
            counter.opened(7 << 32, counter.newest().unwrap_or_default() + wait);
        }
        prop_assert_eq!(&comes_back(&counter), &back);
        agree(&counter, &back);
        for counter in [&mut counter, &mut back] {
            counter.expire(counter.newest().unwrap_or_default().saturating_sub(kept));
        }
        prop_assert_eq!(&comes_back(&counter), &back);
        prop_assert_eq!(encode(&counter, KEY), encode(&back, KEY));
    }

    #[test]
    fn counters_of_the_same_events_in_another_order_have_the_same_bytes(
        stream in streams(), start in 0..90_000_u32, seed: u64,
    ) {
        // All within the horizon, lest what is swept in one order comes too late in another.
        let stream: Stream = stream.into_iter().map(|(event, element, pane)| (event % 3, element, start + pane % 90)).collect();
        let mut shuffled = stream.clone();
        shuffled.sort_by_key(|&(event, element, pane)| {
            (element ^ u64::from(pane) << 20 ^ u64::from(event) << 40).wrapping_mul(seed | 1)
        });
        let [there, back] = [&stream, &shuffled].map(seen);
        prop_assert_eq!(&there, &back);
        prop_assert_eq!(encode(&there, KEY), encode(&back, KEY));
    }

    #[test]
    fn counters_with_different_bytes_are_not_equal(streams in prop::array::uniform2(stream(3))) {
        let [one, other] = streams.each_ref().map(seen);
        prop_assert_eq!(one == other, encode(&one, KEY) == encode(&other, KEY));
    }
}

#[test]
fn what_is_out_of_the_horizon_but_not_swept_still_takes_a_place_when_it_comes_back() {
    let mut counter = OpenedAnswered::new();
    let start = 3 << 14;
    for element in 0..127 {
        counter.opened(KEY.hash_u64(element), start);
    }
    // In the last pane of an era whose base is the start.
    let newest = start + (3 << 14) - 1;
    counter.opened(KEY.hash_u64(127), newest);
    let mut back = comes_back(&counter);
    let window = PaneRange { first: 0, last: newest };
    assert_eq!((back.count(window, newest).seen, back.elements_max()), (1.0, Some(128)));
    for counter in [&mut counter, &mut back] {
        counter.opened(KEY.hash_u64(128), newest);
        assert!(!counter.is_exact());
    }
    agree(&counter, &back);
}

#[test]
fn counters_that_differ_are_not_equal() {
    let counter = seen(&vec![(0, 1, 50), (1, 2, 50)]);
    for other in [
        vec![(0, 1, 50), (1, 2, 49)],
        vec![(0, 1, 50), (2, 2, 50)],
        vec![(0, 1, 50), (1, 3, 50)],
        vec![(0, 1, 50), (0, 1, 49), (1, 2, 50)],
        vec![(0, 1, 51), (1, 2, 51)],
        vec![(0, 1, 50)],
        vec![],
    ] {
        let other = seen(&other);
        assert_ne!(counter, other);
        assert_ne!(encode(&counter, KEY), encode(&other, KEY));
    }
    assert_eq!(counter, seen(&vec![(1, 2, 50), (0, 1, 50), (0, 1, 50)]));
    let mut emptied = counter;
    emptied.expire(51);
    assert_eq!(emptied, OpenedAnswered::new());
}

#[test]
fn bodies_that_no_exact_counter_has_are_refused() {
    let refused = |body: &[u8]| refuse::<OpenedAnswered>(6, body);
    // Newest pane 9; then the number of elements, and fingerprint, mask and events of each.
    let body = |elements: &[&[u8]]| {
        let count = u8::try_from(elements.len()).unwrap();
        [&[9, 0, count], elements.concat().as_slice()].concat()
    };
    assert_eq!(refused(&[0, 0, 0]), None);
    assert_eq!(refused(&body(&[&[0, 0, 0, 0, 15, 0, 0xff, 1, 9, 9]])), None);
    assert_eq!(refused(&body(&[&[0, 0, 0, 0, 8, 0], &[0, 0, 0, 1, 4, 9]])), None);
    for (forged, why) in [
        (vec![], "the body ends within a field"),
        (vec![0x80, 0x80, 0x80, 0x80, 0x10, 0, 0], "a pane past the last"),
        (vec![9, 2, 0], "neither exact nor a sketch"),
        (vec![9, 0, 129], "more than 128 elements"),
        (vec![9, 0, 1, 4, 7], "the body ends within a field"),
        (vec![1, 0, 0], "nothing in the newest pane"),
        (body(&[&[0, 0, 0, 0, 1, 1]]), "nothing in the newest pane"),
        (body(&[&[0, 0, 0, 0, 0]]), "events that nothing has"),
        (body(&[&[0, 0, 0, 0, 2, 1, 0]]), "events that nothing has"),
        (body(&[&[0, 0, 0, 0, 17, 0]]), "events that nothing has"),
        (body(&[&[0, 0, 0, 0, 1, 10]]), "a pane beyond what is swept"),
        (body(&[&[0, 0, 0, 0, 5, 0, 10]]), "a pane beyond what is swept"),
        (body(&[&[0, 0, 0, 0, 9, 0, 0x80, 0x80, 4]]), "a pane beyond what is swept"),
        (body(&[&[0, 0, 0, 0, 3, 0, 0, 0]]), "no openings before the last"),
        (body(&[&[0, 0, 0, 0, 3, 0, 0, 2]]), "an opening before the first pane"),
        (body(&[&[0, 0, 0, 0, 3, 5, 0x10, 0]]), "an opening before the first pane"),
        (body(&[&[0, 1, 0, 0, 1, 0], &[0, 1, 0, 0, 1, 0]]), "elements that are not in order"),
        (body(&[&[0, 1, 0, 0, 1, 0], &[255, 0, 0, 0, 1, 0]]), "elements that are not in order"),
    ] {
        assert_eq!(refused(&forged), Some(DecodeError::structure(why)), "{forged:?}");
    }
    let trailing = Some(DecodeError::Corrupt(Corruption::TrailingBytes));
    assert_eq!(refused(&[0, 0, 0, 0]), trailing);
}

#[test]
fn bodies_that_no_sketch_of_the_answered_has_are_refused() {
    // Newest pane 100; then places, masks and events.
    let refused = |cells: &[u8]| refuse::<OpenedAnswered>(6, &[&[100, 1], cells].concat());
    assert_eq!(refused(&[1, 0]), None);
    assert_eq!(refused(&[3, 0, 0xff, 0xff, 3, 1, 0xff, 0x7f, 3, 15, 1, 0, 1, 16]), None);
    // The last place: 4,095 with an answer.
    assert_eq!(refused(&[0xf8, 0xff, 3, 0]), None);
    for (forged, why) in [
        (vec![], "nothing in the newest pane"),
        (vec![1, 1], "nothing in the newest pane"),
        (vec![0, 0], "events that nothing has"),
        (vec![2, 1, 0], "events that nothing has"),
        (vec![1], "the body ends within a field"),
        (vec![1, 101], "a pane beyond what is swept"),
        (vec![3, 0, 0, 0], "no openings before the last"),
        (vec![3, 1, 0, 0x80], "an opening that no cell remembers"),
        (vec![3, 16, 1, 0], "an opening that no cell remembers"),
        (vec![3, 50, 1, 0], "an opening that no cell remembers"),
        (vec![0x81, 0x80, 4, 0], "a cell past the last"),
        (vec![0xf8, 0xff, 3, 0, 1, 0], "a cell past the last"),
        (vec![255, 255, 255, 255, 255, 255, 255, 255, 255, 1], "a cell past the last"),
    ] {
        assert_eq!(refused(&forged), Some(DecodeError::structure(why)), "{forged:?}");
    }
}

#[test]
fn ages_reach_as_far_as_stamps_are_kept() {
    // An era begins with pane 2^14 * 3, and the base of its stamps is 2^15 before.
    for (newest, oldest) in
        [(49_152_u32, 16_384), (49_153, 16_384), (65_535, 16_384), (65_536, 32_768)]
    {
        for (pane, is_kept) in [(oldest, true), (oldest - 1, false)] {
            let mut body = Vec::new();
            put_varint(newest.into(), &mut body);
            body.extend([0, 1, 0, 0, 0, 0, 5, 0]);
            put_varint((newest - pane).into(), &mut body);
            assert_eq!(refuse::<OpenedAnswered>(6, &body).is_none(), is_kept, "{pane} at {newest}");
        }
    }
}

#[test]
fn the_longest_body_is_written_and_read() {
    // Each cell with its mask and three ages of three bytes; but the last answer is in the newest pane.
    let mut body = vec![0xff, 0xff, 0xff, 0xff, 0x0f, 1];
    for _ in 0..4_096 {
        body.extend([13, 0xa0, 0x9c, 1, 0xa0, 0x9c, 1, 0xa0, 0x9c, 1]);
    }
    body.truncate(body.len() - 3);
    body.push(0);
    assert_eq!(body.len(), Kind::OpenedAnswered.body_bytes_max() - 2);
    let counter = decode::<OpenedAnswered>(&seal(6, 1, &body), KEY, Limits::default()).unwrap();
    comes_back(&counter);
}

#[test]
fn counters_are_restored_in_the_least_memory() {
    for elements in [0, 1, 2, 3, 64, 65, 128, 129, 400, 100_000] {
        let mut counter = samples::answered(elements);
        counter.expire(samples::NOW - 60);
        let frame = encode(&counter, KEY).unwrap();
        let bytes = comes_back(&counter).memory_bytes();
        assert!(bytes <= counter.memory_bytes(), "{elements}");
        let memory = |memory_bytes_max| Limits { memory_bytes_max, ..Limits::default() };
        assert!(decode::<OpenedAnswered>(&frame, KEY, memory(bytes)).is_ok());
        let refused = decode::<OpenedAnswered>(&frame, KEY, memory(bytes - 1)).unwrap_err();
        assert_eq!(refused.reason(), "too_large");
    }
}
