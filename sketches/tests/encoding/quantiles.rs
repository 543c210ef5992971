//! `Quantiles` as bytes: they come back, go on alike, and forged bodies are refused.

use proptest::prelude::*;
use sketches::encoding::{DecodeError, Limits, decode, encode, put_varint};
use sketches::quantiles::Quantiles;

use crate::check::KEY;
use crate::refusals::refuse;

fn values() -> impl Strategy<Value = Vec<u64>> {
    let value = prop_oneof![
        1 => Just(0_u64),
        5 => 0..100_u64,
        10 => (any::<u64>(), 0..64_u32).prop_map(|(bits, shift)| bits >> shift),
        2 => (0..64_u32).prop_map(|shift| u64::MAX >> shift),
    ];
    prop::collection::vec(value, 0..100)
}

fn filled(relative_error: f64, values: &[u64]) -> Quantiles {
    let mut sketch = Quantiles::new(relative_error).unwrap();
    values.iter().for_each(|&value| sketch.add(value));
    sketch
}

fn agree(one: &Quantiles, other: &Quantiles) {
    assert_eq!(one, other);
    assert_eq!(one.memory_bytes(), other.memory_bytes());
    for q in (0..=200).map(|step| f64::from(step) / 200.0) {
        assert_eq!(one.quantile(q), other.quantile(q), "{q}");
    }
}

fn comes_back(sketch: &Quantiles) -> Quantiles {
    let frame = encode(sketch, KEY).unwrap();
    let back: Quantiles = decode(&frame, KEY, Limits::default()).unwrap();
    assert_eq!(encode(&back, KEY).unwrap(), frame);
    agree(&back, sketch);
    back
}

proptest! {
    #[test]
    fn quantiles_come_back_and_go_on_alike(
        relative_error in prop::sample::select(vec![0.001, 0.01, 0.03, 0.17, 0.5]),
        streams in prop::array::uniform3(values()), doublings in 0..40_u32,
    ) {
        let [mut sketch, mut other] = [0, 1].map(|stream| filled(relative_error, &streams[stream]));
        for _ in 0..doublings {
            let copy = sketch.clone();
            sketch.merge(&copy).unwrap();
        }
        let mut back = comes_back(&sketch);
        back.merge(&comes_back(&other)).unwrap();
        sketch.merge(&other).unwrap();
        for sketch in [&mut sketch, &mut back, &mut other] {
            streams[2].iter().for_each(|&value| sketch.add(value));
        }
        comes_back(&other);
        agree(&comes_back(&sketch), &back);
    }

    #[test]
    fn quantiles_of_the_same_values_in_another_order_have_the_same_bytes(values in values()) {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let [there, back] = [values, sorted].map(|values| filled(0.01, &values));
        prop_assert_eq!(&there, &back);
        prop_assert_eq!(encode(&there, KEY), encode(&back, KEY));
    }

    #[test]
    fn values_of_any_bin_come_back(relative_error in 0.001..=0.5_f64, values in values()) {
        comes_back(&filled(relative_error, &values));
    }
}

#[test]
fn the_highest_count_comes_back() {
    let mut sketch = filled(0.01, &[3]);
    for _ in 0..52 {
        let copy = sketch.clone();
        sketch.merge(&copy).unwrap();
        if sketch.count() < 1 << 52 {
            sketch.add(3);
        }
    }
    while sketch.count() < (1 << 53) - 1 {
        let mut rest = filled(0.01, &[3]);
        let wanted = (1 << 53) - 1 - sketch.count();
        while rest.count() <= wanted / 2 {
            let copy = rest.clone();
            rest.merge(&copy).unwrap();
        }
        sketch.merge(&rest).unwrap();
    }
    let mut back = comes_back(&sketch);
    back.add(9);
    agree(&back, &sketch);
}

#[test]
fn every_bin_of_every_error_comes_back() {
    for relative_error in [0.001, 0.01, 0.1, 0.5] {
        let growth = (1.0 + relative_error) / (1.0 - relative_error);
        let mut sketch = filled(relative_error, &[0, 1, u64::MAX]);
        let mut bound = 1.0_f64;
        while bound < 1.8e19 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "below 2^64"
            )]
            let value = bound as u64;
            [value - 1, value, value + 1].into_iter().for_each(|value| sketch.add(value));
            bound *= growth;
        }
        comes_back(&sketch);
    }
}

#[test]
fn bodies_that_no_quantiles_have_are_refused() {
    // With a relative error of 0.5, bins are 1 and 2, 3 to 8, 9 to 26, ...
    let body = |least: u64, above: u64, sum: u128, rest: &[u64]| {
        let mut body = 0.5_f64.to_le_bytes().to_vec();
        put_varint(least, &mut body);
        put_varint(above, &mut body);
        body.extend(sum.to_le_bytes());
        rest.iter().for_each(|&value| put_varint(value, &mut body));
        body
    };
    let refused = |body: &[u8]| refuse::<Quantiles>(8, body);
    assert_eq!(refused(&0.5_f64.to_le_bytes()), None);
    assert_eq!(refused(&body(0, 0, 0, &[7])), None);
    assert_eq!(refused(&body(4, 6, 20, &[0, 1, 2, 0, 1])), None);
    assert_eq!(refused(&body(0, 10, 14, &[1, 1, 1, 0, 1])), None);
    let highest = (1 << 53) - 1;
    assert_eq!(refused(&body(4, 0, 4 * u128::from(highest), &[0, 1, highest])), None);
    let (extremes, sum) =
        ("extremes in other bins than values", "a sum that the values do not have");
    for (body, why) in [
        (vec![], "the body ends within a field"),
        (0.000_9_f64.to_le_bytes().to_vec(), "relative error outside 0.001 to 0.5"),
        (f64::NAN.to_le_bytes().to_vec(), "relative error outside 0.001 to 0.5"),
        (body(2, u64::MAX - 1, 0, &[]), "a value past the last"),
        (body(4, 0, 4, &[]), "the body ends within a field"),
        (body(4, 0, 4, &[0, 1]), "the body ends within a field"),
        (body(4, 0, 4, &[0, 1, 0]), extremes),
        (body(4, 0, 4, &[0]), extremes),
        (body(4, 0, 4, &[0, 0, 1]), extremes),
        (body(4, 0, 4, &[0, 2, 1]), extremes),
        (body(4, 0, 4, &[1, 1, 1]), extremes),
        (body(4, 2, 10, &[0, 1, 1]), extremes),
        (body(4, 6, 14, &[0, 1, 2]), extremes),
        (body(4, 6, 14, &[0, 1, 1, 0, 1, 0, 1]), extremes),
        (body(0, 4, 4, &[0, 1, 1]), extremes),
        (body(0, 0, 0, &[0]), extremes),
        (body(4, 0, 4, &[0, 41, 1]), extremes),
        (body(4, 0, 4, &[0, u64::MAX, 1]), "a bin of no values"),
        (body(4, 0, 4, &[0, 1, highest + 1]), "2^53 values or more"),
        (body(4, 0, 4, &[highest, 1, 1]), "2^53 values or more"),
        (body(4, 0, 5, &[0, 1, 1]), sum),
        (body(4, 6, 13, &[0, 1, 1, 0, 1]), sum),
        (body(4, 6, 25, &[0, 1, 2, 0, 1]), sum),
        (body(0, 10, 10, &[1, 0, 2, 1, 1]), sum),
        (body(0, 0, 1, &[7]), sum),
    ] {
        assert_eq!(refused(&body), Some(DecodeError::structure(why)), "{body:?}");
    }
    // At 0.1 % there are hundreds of bins between 1 and 2.
    let mut between = 0.001_f64.to_le_bytes().to_vec();
    between.extend([1, 1]);
    between.extend(4_u128.to_le_bytes());
    between.extend([0, 0, 1, 9, 1]);
    assert_eq!(refused(&between), Some(DecodeError::structure("a bin of no values")));
}
