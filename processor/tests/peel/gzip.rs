//! Gzip of every make, against flate2's reader of many members.

use std::io::{Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use flowscout::decode::{Limits, Reason};
use proptest::prelude::*;

use super::seen::{Seen, gzip};

fn of_text(payload: &[u8]) -> String {
    Seen::of(payload).lines().concat()
}

fn limited(decompressed_bytes_max: usize, payload: &[u8]) -> Seen {
    Seen::under(Limits { decompressed_bytes_max, ..Limits::default() }, payload)
}

fn reasons(seen: &Seen) -> Vec<Reason> {
    seen.refused.iter().map(|refused| refused.reason).collect()
}

#[test]
fn members_are_joined_and_zeros_behind_them_passed_over() {
    let members = [gzip(b"2 a\n2"), gzip(b""), gzip(b" b\n")].concat();
    assert_eq!(of_text(&members), "2 a\n2 b\n");
    assert_eq!(of_text(&[&members[..], &[0; 1000]].concat()), "2 a\n2 b\n");
    assert_eq!(of_text(&gzip(&members)), "2 a\n2 b\n");
    assert_eq!(Seen::of(&gzip(b"")), Seen::default());
}

#[test]
fn headers_may_have_every_optional_part() {
    let mut encoder = GzBuilder::new()
        .filename("name")
        .comment("comment")
        .extra(&b"\x1f\x8b\x08\x00extra"[..])
        .write(Vec::new(), Compression::new(9));
    encoder.write_all(b"2 a\n").unwrap();
    let mut member = encoder.finish().unwrap();
    // A checksum of the header, which flate2 does not write: any two bytes behind the other parts.
    let end = member.windows(8).position(|window| window == b"comment\0").unwrap() + 8;
    member[3] |= 2;
    member.splice(end..end, [1, 2]);
    assert_eq!(of_text(&[&member[..], &member[..]].concat()), "2 a\n2 a\n");
    for torn in 0..member.len() {
        let seen = Seen::of(&[&gzip(b"2 b\n")[..], &member[..torn]].concat());
        assert_eq!(seen.texts[0].text, "2 b\n");
        assert_eq!(seen.refused.len(), usize::from(torn > 0), "{torn}");
    }
    member[3] |= 0x20;
    assert_eq!(reasons(&Seen::of(&member)), [Reason::BadGzip]);
}

#[test]
fn whole_members_before_a_bad_one_are_used() {
    let lines: String = (0..1000).map(|line| format!("2 {}\n", line * 7919)).collect();
    let (good, bad) = (gzip(b"2 a\n"), gzip(lines.as_bytes()));
    // The time, the extra flags and the system of the header say nothing, nor does the last bit of deflate.
    let silent = |place| (4..10).contains(&place) || place == bad.len() - 9;
    for place in (2..bad.len()).filter(|&place| !silent(place)) {
        let mut flipped = bad.clone();
        flipped[place] ^= 0x40;
        let seen = Seen::of(&[&good[..], &flipped[..]].concat());
        assert_eq!((seen.texts[0].text.as_str(), seen.texts.len()), ("2 a\n", 1), "{place}");
        assert_eq!(reasons(&seen), [Reason::BadGzip], "{place}");
        assert_eq!(seen.refused[0].bytes, flipped);
    }
}

#[test]
fn garbage_behind_members_is_refused_alone() {
    for garbage in [&b"x"[..], b"\0\0x", b"\x1f", b"\x1f\x8b", b"{\"message\":\"2 b\"}"] {
        let seen = Seen::of(&[&gzip(b"2 a\n")[..], garbage].concat());
        assert_eq!(seen.texts[0].text, "2 a\n");
        assert_eq!(seen.refused[0].bytes, garbage);
        assert_eq!(reasons(&seen), [Reason::BadGzip]);
    }
}

#[test]
fn sizes_that_lie_are_not_believed() {
    for size in [0, 3, 5, 1 << 20, u32::MAX] {
        let mut member = gzip(b"2 a\n");
        let end = member.len();
        member[end - 4..].copy_from_slice(&size.to_le_bytes());
        let seen = Seen::of(&member);
        assert_eq!((seen.texts.len(), reasons(&seen)), (0, vec![Reason::BadGzip]));
    }
}

#[test]
fn the_budget_is_that_of_a_payload_over_all_members_and_layers() {
    let line = b"2 a\n";
    let two = [gzip(line), gzip(line)].concat();
    assert_eq!(limited(8, &two).lines(), ["2 a\n2 a\n"]);
    let seen = limited(7, &two);
    assert_eq!((seen.texts[0].text.as_str(), reasons(&seen)), ("2 a\n", vec![Reason::TooLarge]));
    let inner = gzip(line);
    let outer = gzip(&inner);
    assert_eq!(limited(inner.len() + 4, &outer).lines(), ["2 a\n"]);
    assert_eq!(reasons(&limited(inner.len() + 3, &outer)), [Reason::TooLarge]);
    assert_eq!(reasons(&limited(0, &inner)), [Reason::TooLarge]);
    let long = gzip(&line.repeat(100));
    let body = super::seen::request(&[&long, &long]);
    let seen = limited(799, body.as_bytes());
    assert_eq!((seen.texts.len(), reasons(&seen)), (1, vec![Reason::TooLarge]));
    assert_eq!(limited(800, body.as_bytes()).texts.len(), 2);
}

proptest! {
    #[test]
    fn members_agree_with_flate2(
        members in prop::collection::vec(
            ("(2 [a-z]{1,9} [0-9.]{0,9}\n){0,60}", 0u32..10, any::<bool>()), 1..6,
        ),
        cut in prop::option::of(any::<prop::sample::Index>()),
        flip in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut payload = Vec::new();
        for (text, level, has_magic) in &members {
            let mut encoder = GzBuilder::new().write(Vec::new(), Compression::new(*level));
            encoder.write_all(text.as_bytes()).unwrap();
            if *has_magic {
                // In the middle of a stored block it looks like a member.
                encoder.write_all(&gzip(b"#\n")[..12]).unwrap();
            }
            payload.extend(encoder.finish().unwrap());
        }
        if let Some((place, value)) = flip {
            let place = place.index(payload.len());
            payload[place] = value;
        }
        payload.truncate(cut.map_or(payload.len(), |cut| cut.index(payload.len())).max(2));
        payload[..2].copy_from_slice(b"\x1f\x8b");
        let mut expected = Vec::new();
        let is_whole = MultiGzDecoder::new(&payload[..]).read_to_end(&mut expected).is_ok();
        let seen = Seen::of(&payload);
        let found: String = seen.texts.iter().map(|text| text.text.as_str()).collect();
        let found_nothing = !expected.starts_with(b"\x1f\x8b") && !expected.starts_with(b"{");
        if is_whole && found_nothing {
            let expected = String::from_utf8_lossy(&expected).into_owned();
            prop_assert_eq!(&seen.refused, &[]);
            prop_assert!(found == expected || expected.trim().is_empty());
        } else if found_nothing {
            prop_assert_eq!(reasons(&seen), [Reason::BadGzip]);
            // What flate2 gave before it failed includes the beginning of the bad member.
            prop_assert!(String::from_utf8_lossy(&expected).starts_with(&found));
        }
    }
}
