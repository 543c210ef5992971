//! What decoding allocates, whatever the bytes claim.

use proptest::prelude::*;
use sketches::answered::OpenedAnswered;
use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::distinct::Distinct;
use sketches::encoding::{Encode, Limits, decode};
use sketches::hyperloglog::HyperLogLog;
use sketches::quantiles::Quantiles;
use sketches::table::DistinctTable;
use sketches::talkers::Talkers;

use crate::check::{KEY, seal};
use crate::samples;

/// All bytes that decoding allocates, even those given back before the next are taken.
fn allocated<S: Encode>(frame: &[u8], limits: Limits) -> usize {
    let measured = allocation_counter::measure(|| drop(decode::<S>(frame, KEY, limits)));
    usize::try_from(measured.bytes_total).unwrap()
}

fn allocated_most(frame: &[u8], limits: Limits) -> usize {
    let distinct = allocated::<HyperLogLog>(frame, limits);
    let weights = allocated::<CountMin>(frame, limits);
    let [ports, hosts] =
        [allocated::<Talkers<(u8, u16)>>(frame, limits), allocated::<Talkers<u128>>(frame, limits)];
    let windowed = allocated::<Distinct>(frame, limits);
    let table = allocated::<DistinctTable>(frame, limits);
    let answered = allocated::<OpenedAnswered>(frame, limits);
    let conservative = allocated::<ConservativeCountMin>(frame, limits);
    let quantiles = allocated::<Quantiles>(frame, limits);
    let all = [distinct, weights, ports, hosts, windowed, table, answered, conservative, quantiles];
    all.into_iter().max().unwrap()
}

#[test]
fn the_counter_counts() {
    let frame = seal(1, 1, &[16, 0]);
    assert_eq!(allocated::<HyperLogLog>(&frame, Limits::default()), 1 << 16);
}

#[test]
fn claims_beyond_the_limits_allocate_nothing() {
    let limits = Limits { body_bytes_max: 100, memory_bytes_max: 1_000 };
    let huge_count = [128, 128, 128, 128, 128, 128, 128, 64, 0];
    for (kind, body) in [
        (1, vec![16, 0]),
        (2, vec![24, 0]),
        (3, [[6].as_slice(), &huge_count].concat()),
        (3, [[5].as_slice(), &huge_count].concat()),
        (3, vec![5, 9, 0]),
        (4, vec![9, 60, 4, 1, 0]),
        (4, vec![9, 60, 2, 1, 0]),
        (5, [&[16, 1, 9, 60], [0; 16].as_slice()].concat()),
        (6, vec![9, 0, 128]),
        (6, vec![9, 1, 1, 0]),
        (7, vec![10, 0]),
        (8, 0.01_f64.to_le_bytes().to_vec()),
        (5, [&[16], &huge_count[..8], &[9, 60], [0; 16].as_slice()].concat()),
    ] {
        assert_eq!(allocated_most(&seal(kind, 1, &body), limits), 0, "{body:?}");
    }
    for kind in 0..10 {
        let mut frame = seal(kind, 1, &[]);
        frame[10..14].fill(255);
        frame.resize(5_000, 0);
        assert_eq!(allocated_most(&frame, limits), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn no_body_allocates_more_than_the_limit(
        kind in 1..=8_u8,
        body in prop::collection::vec(any::<u8>(), 0..50),
        shape in 0..30_u8,
        memory_log2 in 8..22_u32,
    ) {
        let limits = Limits { memory_bytes_max: 1 << memory_log2, ..Limits::default() };
        prop_assert!(allocated_most(&seal(kind, 1, &body), limits) <= limits.memory_bytes_max);
        // A likely first byte gets further.
        let shaped = [[shape].as_slice(), &body].concat();
        prop_assert!(allocated_most(&seal(kind, 1, &shaped), limits) <= limits.memory_bytes_max);
    }

    #[test]
    fn no_damage_allocates_more_than_the_limit(
        sample in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        value in any::<u8>(),
        memory_log2 in 8..22_u32,
    ) {
        let limits = Limits { memory_bytes_max: 1 << memory_log2, ..Limits::default() };
        let frames = samples::frames();
        let frame = sample.get(&frames);
        let mut body = frame[14..frame.len() - 4].to_vec();
        let place = place.index(body.len());
        body[place] = value;
        prop_assert!(allocated_most(&seal(frame[4], 1, &body), limits) <= limits.memory_bytes_max);
    }
}
