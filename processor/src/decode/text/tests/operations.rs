//! Each operation of a kernel against what it is said to do.

use proptest::prelude::*;

use crate::decode::scalar::{parse_integer, parse_v4};
use crate::decode::text::instructions::{Kernel, Separators};
use crate::decode::text::portable::Portable;

macro_rules! with_each_kernel {
    ($check:ident, $($argument:expr),*) => {
        $check(Portable, $($argument),*)?;
        #[cfg(target_arch = "x86_64")]
        {
            use crate::decode::text::{avx2::Avx2, avx512::Avx512};
            if let Some(simd) = pulp::x86::V3::try_new() {
                $check(Avx2(simd), $($argument),*)?;
            }
            if let Some(simd) = pulp::x86::V4::try_new() {
                $check(Avx512(simd), $($argument),*)?;
            }
        }
    };
}

type Checked = Result<(), TestCaseError>;

fn separators<K: Kernel>(kernel: K, chunk: &[u8; 64]) -> Checked {
    let bits = |wanted: &[u8]| {
        let numbered = chunk.iter().enumerate();
        numbered.fold(0, |bits, (place, byte)| bits | u64::from(wanted.contains(byte)) << place)
    };
    let with_lines = Separators { all: bits(b" \n"), line_feeds: bits(b"\n") };
    prop_assert_eq!(kernel.separators::<true>(chunk), with_lines);
    let without = Separators { all: bits(b" "), line_feeds: 0 };
    prop_assert_eq!(kernel.separators::<false>(chunk), without);
    Ok(())
}

fn flatten<K: Kernel>(kernel: K, bits: u64, base: u32) -> Checked {
    let expected: Vec<u32> =
        (0..64).filter(|place| bits >> place & 1 == 1).map(|place| base + place).collect();
    let mut slots = [0; 64];
    kernel.flatten(bits, base, &mut slots);
    prop_assert_eq!(&slots[..expected.len()], &expected[..]);
    Ok(())
}

fn all<T: Copy, const N: usize>(values: [Option<T>; N]) -> Option<[T; N]> {
    values.iter().all(Option::is_some).then(|| values.map(|value| value.unwrap()))
}

fn integers<K: Kernel>(kernel: K, texts: &[[u8; 16]; 4], lengths: [u32; 4]) -> Checked {
    let texts = texts.each_ref();
    let number = |text: &[u8]| if text.is_empty() { Some(0) } else { parse_integer(text) };
    let expected = [0, 1, 2, 3].map(|i| number(&texts[i][16 - lengths[i] as usize..]));
    prop_assert_eq!(kernel.integers(texts, lengths), all(expected));
    let halves = texts.map(|text| text.last_chunk().unwrap());
    let lengths = lengths.map(|length| length.min(8));
    let expected = [0, 1, 2, 3].map(|i| number(&texts[i][16 - lengths[i] as usize..]));
    let expected = all(expected).map(|values| values.map(|value| u32::try_from(value).unwrap()));
    prop_assert_eq!(kernel.short_integers(halves, lengths), expected);
    Ok(())
}

fn dotted<K: Kernel>(kernel: K, texts: &[[u8; 16]; 2], lengths: [u32; 2]) -> Checked {
    let texts = texts.each_ref();
    let expected = [0, 1].map(|i| {
        let length = (lengths[i] as usize).min(16);
        let text = &texts[i][16 - length..];
        let address = parse_v4(text).filter(|_| lengths[i] <= 15);
        address.and_then(|address| u32::try_from(address.bits() & 0xffff_ffff).ok())
    });
    prop_assert_eq!(kernel.dotted(texts, lengths), all(expected));
    Ok(())
}

/// A text at the end of sixteen bytes, with anything before it.
fn at_end(text: String, before: [u8; 16]) -> ([u8; 16], u32) {
    let mut bytes = before.to_vec();
    bytes.extend(text.bytes().take(16));
    (*bytes.last_chunk().unwrap(), u32::try_from(text.len()).unwrap())
}

fn byte_of_text() -> impl Strategy<Value = u8> {
    prop_oneof![
        Just(b' '),
        Just(b'\n'),
        Just(b'!'),
        Just(b'*'),
        Just(0xa0),
        Just(0x8a),
        any::<u8>()
    ]
}

fn digits_and_more() -> impl Strategy<Value = ([u8; 16], u32)> {
    let text = prop_oneof![6 => "[0-9]{0,16}", 1 => "[/-:]{0,16}", 1 => "[ -~]{0,16}"];
    (text, any::<[u8; 16]>()).prop_map(|(text, before)| at_end(text, before))
}

fn dotted_and_more() -> impl Strategy<Value = ([u8; 16], u32)> {
    let octet = "0|[1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-5][0-9]";
    let four = prop::collection::vec(octet, 4).prop_map(|octets| octets.join("."));
    let text = prop_oneof![8 => four, 2 => "[0-9]{1,3}(\\.[0-9]{1,3}){3}", 1 => "[/-:]{7,15}", 1 => "[0-9.]{0,40}"];
    let before = any::<[u8; 16]>()
        .prop_map(|bytes| bytes.map(|byte| if byte % 3 == 0 { b'.' } else { byte }));
    (text, before).prop_map(|(text, before)| at_end(text, before))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn separators_are_found(chunk in prop::collection::vec(byte_of_text(), 64)) {
        let chunk = <[u8; 64]>::try_from(chunk).unwrap();
        with_each_kernel!(separators, &chunk);
    }

    #[test]
    fn bits_become_places(bits: u64, other: u64, third: u64, base in 0..1_000_000_u32) {
        for bits in [bits, bits & other, bits & other & third, bits | other, u64::MAX, 0] {
            with_each_kernel!(flatten, bits, base);
        }
    }

    #[test]
    fn digits_become_numbers(values in prop::array::uniform4(digits_and_more())) {
        let (texts, lengths) = (values.map(|value| value.0), values.map(|value| value.1));
        with_each_kernel!(integers, &texts, lengths);
    }

    #[test]
    fn dotted_quads_become_addresses(values in prop::array::uniform2(dotted_and_more())) {
        let (texts, lengths) = (values.map(|value| value.0), values.map(|value| value.1));
        with_each_kernel!(dotted, &texts, lengths);
    }
}

#[test]
fn every_octet_is_read_in_every_place_and_shape() {
    let check = || -> Checked {
        for octet in 0..1000_u32 {
            for (place, width) in [(0, 1), (1, 2), (2, 3), (3, 1)] {
                let mut octets = ["1", "22", "133", "4"].map(str::to_owned);
                octets[place] = format!("{octet:0width$}");
                let (text, length) = at_end(octets.join("."), [b'.'; 16]);
                let (other, other_length) = at_end("10.20.30.40".to_owned(), [b'1'; 16]);
                with_each_kernel!(dotted, &[text, other], [length, other_length]);
                with_each_kernel!(dotted, &[other, text], [other_length, length]);
            }
        }
        Ok(())
    };
    check().unwrap();
}
