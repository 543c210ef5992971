//! `Distinct` as bytes: it comes back, goes on alike, and forged bodies are refused.

use proptest::prelude::*;
use sketches::distinct::{Distinct, HORIZON_PANES, Precision};
use sketches::encoding::{Corruption, DecodeError, Limits, decode, encode, put_varint};
use sketches::pane::Pane;

use crate::check::KEY;
use crate::refusals::refuse;

/// Element and pane.
type Stream = Vec<(u64, Pane)>;

/// Up to so many different elements, some late, with jumps into other eras.
fn stream(elements: u64) -> impl Strategy<Value = Stream> {
    let jump = prop_oneof![40 => 0..2_u32, 2 => 0..70_u32, 1 => 0..400_u32];
    let update = (0..elements, jump, 0..40_u32);
    (0..5_000_u32, prop::collection::vec(update, 0..500)).prop_map(|(start, updates)| {
        let mut now = start;
        let update = |(element, jump, late): (u64, u32, u32)| {
            now += jump;
            (element, now.saturating_sub(late))
        };
        updates.into_iter().map(update).collect()
    })
}

fn streams() -> impl Strategy<Value = Stream> {
    prop_oneof![stream(9), stream(60), stream(150), stream(2_000)]
}

fn precisions() -> impl Strategy<Value = Precision> {
    prop::sample::select(vec![Precision::Percent4, Precision::Percent2])
}

fn see(counter: &mut Distinct, stream: &Stream) -> Vec<bool> {
    stream.iter().map(|&(element, pane)| counter.update(KEY.hash_u64(element), pane)).collect()
}

fn comes_back(counter: &Distinct) -> Distinct {
    let back: Distinct = decode(&encode(counter, KEY).unwrap(), KEY, Limits::default()).unwrap();
    assert_eq!(&back, counter);
    assert_eq!(back.newest(), counter.newest());
    for panes in 1..=counter.window_panes() {
        assert_eq!(back.count(panes), counter.count(panes), "{panes} panes");
    }
    back
}

proptest! {
    #[test]
    fn counters_come_back_and_go_on_alike(
        streams in prop::array::uniform3(streams()), window_panes in 1..=HORIZON_PANES, precision in precisions(), wait in 0..200_u32,
    ) {
        let [mut counter, mut other] = [(); 2].map(|()| Distinct::new(window_panes, precision));
        see(&mut counter, &streams[0]);
        see(&mut other, &streams[1]);
        let mut back = comes_back(&counter);
        let mut other_back = comes_back(&other);

        prop_assert_eq!(see(&mut counter, &streams[2]), see(&mut back, &streams[2]));
        prop_assert_eq!(&comes_back(&counter), &back);
        counter.merge(&other).unwrap();
        back.merge(&other_back).unwrap();
        prop_assert_eq!(&comes_back(&counter), &back);
        for counter in [&mut counter, &mut back, &mut other_back] {
            counter.advance(5_000 + wait);
            counter.shrink();
        }
        prop_assert_eq!(&comes_back(&counter), &back);
        prop_assert_eq!(encode(&counter, KEY), encode(&back, KEY));
        comes_back(&other_back);
    }

    #[test]
    fn counters_of_the_same_elements_in_another_order_have_the_same_bytes(
        stream in streams(), start in 0..900_u32, precision in precisions(), seed: u64,
    ) {
        // All within the window, lest some order has more at once than are counted exactly.
        let stream: Stream = stream.into_iter().map(|(element, pane)| (element, start + pane % 90)).collect();
        let mut shuffled = stream.clone();
        shuffled.sort_by_key(|&(element, pane)| (element ^ u64::from(pane)).wrapping_mul(seed | 1));
        let [there, back] = [&stream, &shuffled].map(|stream| {
            let mut counter = Distinct::new(90, precision);
            see(&mut counter, stream);
            counter
        });
        prop_assert_eq!(&there, &back);
        prop_assert_eq!(encode(&there, KEY), encode(&back, KEY));
    }
}

#[test]
fn what_is_out_of_the_window_is_not_written_and_makes_no_difference() {
    let mut long_ago = Distinct::new(10, Precision::Percent4);
    see(&mut long_ago, &vec![(1, 90), (2, 95), (3, 100)]);
    let mut recent = Distinct::new(10, Precision::Percent4);
    see(&mut recent, &vec![(3, 100), (2, 95)]);
    assert_eq!(long_ago, recent);
    assert_eq!(encode(&long_ago, KEY), encode(&recent, KEY));
    assert_eq!(encode(&recent, KEY).unwrap().len(), 18 + 5 + 2 * 4);

    long_ago.advance(300);
    assert_eq!(long_ago.newest(), None);
    assert_ne!(long_ago, recent, "the newest panes differ");
    recent.advance(300);
    assert_eq!(long_ago, recent);
}

#[test]
fn a_counter_that_has_been_a_sketch_comes_back_as_one() {
    let mut counter = Distinct::new(10, Precision::Percent4);
    see(&mut counter, &(0..200).map(|element| (element, 50)).collect());
    counter.update(KEY.hash_u64(999), 55);
    counter.advance(64);
    assert!(!comes_back(&counter).is_exact());
    let mut exact = Distinct::new(10, Precision::Percent4);
    exact.update(KEY.hash_u64(999), 55);
    exact.advance(64);
    assert_ne!(counter, exact);
    // All of it is out of the window.
    counter.advance(65);
    exact.advance(65);
    assert_eq!(comes_back(&counter), exact);
}

#[test]
fn counters_that_differ_are_not_equal() {
    let of = |window, precision, stream: &Stream| {
        let mut counter = Distinct::new(window, precision);
        see(&mut counter, stream);
        counter
    };
    let many = |last| (0..200).map(|element| (element, 50)).chain([(last, 50)]).collect();
    let counter = of(10, Precision::Percent4, &vec![(1, 50), (2, 50)]);
    for other in [
        of(11, Precision::Percent4, &vec![(1, 50), (2, 50)]),
        of(10, Precision::Percent2, &vec![(1, 50), (2, 50)]),
        of(10, Precision::Percent4, &vec![(1, 50), (2, 51)]),
        of(10, Precision::Percent4, &vec![(1, 50), (2, 49)]),
        of(10, Precision::Percent4, &vec![(1, 50), (3, 50)]),
        of(10, Precision::Percent4, &vec![(1, 50)]),
        of(10, Precision::Percent4, &many(1)),
    ] {
        assert_ne!(counter, other);
        assert_ne!(encode(&counter, KEY), encode(&other, KEY));
    }
    let sketch = |last| of(10, Precision::Percent4, &many(last));
    assert!(sketch(7) == sketch(8) && sketch(7) != sketch(7_000));
}

#[test]
fn bodies_that_no_distinct_has_are_refused() {
    let refused = |body: &[u8]| refuse::<Distinct>(4, body);
    // Newest pane 9, window 5, 4 %; then tier and contents.
    let body = |contents: &[u8]| [[9, 5, 4].as_slice(), contents].concat();
    let sketch = |tokens: &[u8]| body(&[&[1], tokens].concat());
    assert_eq!(refused(&body(&[0, 2, 4, 7, 0, 0, 0, 8, 0, 0])), None);
    assert_eq!(refused(&sketch(&[2, 0, 0x84, 0x7f])), None);
    // A register has 16 places; the larger sketch tells 14 ranks apart.
    for (percent, place, is_used) in
        [(4, 4_095, true), (4, 4_096, false), (2, 16_381, true), (2, 16_382, false), (2, 14, false)]
    {
        let mut body = vec![9, 5, percent, 1, 1];
        put_varint(place << 7, &mut body);
        assert_eq!(refused(&body).is_none(), is_used, "{place} at {percent} %");
    }
    for (forged, why) in [
        (vec![], "the body ends within a field"),
        (vec![0x80, 0x80, 0x80, 0x80, 0x10, 5, 4, 0, 0], "a pane past the last"),
        (vec![9, 0, 4, 0, 0], "window outside 1 to 128"),
        (vec![9, 129, 4, 0, 0], "window outside 1 to 128"),
        (vec![9, 5, 3, 0, 0], "neither 4 nor 2 percent"),
        (body(&[2, 0]), "neither exact nor a sketch"),
        (body(&[0, 129]), "more than 128 elements"),
        (body(&[0, 1, 4, 7, 0]), "the body ends within a field"),
        (body(&[0, 1, 0, 0, 0, 0]), "elements that are not in order"),
        (body(&[0, 2, 4, 7, 0, 0, 3, 7, 0, 0]), "elements that are not in order"),
        (body(&[0, 2, 4, 7, 0, 0, 4, 6, 0, 0]), "elements that are not in order"),
        (body(&[0, 1, 5, 7, 0, 0]), "a pane out of the window"),
        (vec![3, 9, 4, 0, 1, 4, 7, 0, 0], "a pane out of the window"),
        (sketch(&[1, 5]), "a pane out of the window"),
        (sketch(&[1, 127]), "a pane out of the window"),
        (sketch(&[2, 0]), "the body ends within a field"),
        (sketch(&[1, 0x80, 0x80, 0x20]), "a bit where no element has one"),
        (sketch(&[255, 255, 255, 255, 255, 1]), "the body ends within a field"),
        (
            sketch(&[1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            "a bit where no element has one",
        ),
    ] {
        assert_eq!(refused(&forged), Some(DecodeError::structure(why)), "{forged:?}");
    }
    let trailing = Some(DecodeError::Corrupt(Corruption::TrailingBytes));
    assert_eq!(refused(&body(&[0, 0, 0])), trailing);
    assert_eq!(refused(&sketch(&[0, 0])), trailing);
}

#[test]
fn an_exact_counter_is_restored_in_the_least_memory() {
    for (elements, bytes) in
        [(7, 0), (8, 64), (16, 64), (17, 128), (33, 256), (65, 512), (128, 512)]
    {
        let mut counter = Distinct::new(10, Precision::Percent4);
        see(&mut counter, &(0..128).map(|element| (element, 50)).collect());
        see(&mut counter, &(0..elements).map(|element| (element, 62)).collect());
        let own = size_of::<Distinct>();
        let frame = encode(&counter, KEY).unwrap();
        assert_eq!(comes_back(&counter).memory_bytes(), own + bytes, "{elements}");
        let memory = |memory_bytes_max| Limits { memory_bytes_max, ..Limits::default() };
        assert!(decode::<Distinct>(&frame, KEY, memory(own + bytes)).is_ok());
        let refused = decode::<Distinct>(&frame, KEY, memory(own + bytes - 1)).unwrap_err();
        assert_eq!(refused.reason(), "too_large");
    }
}
