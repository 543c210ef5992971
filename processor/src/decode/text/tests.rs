//! The kernel against `lines` and `parse_line`, for each instruction set that the machine has.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{Instructions, TextParser, lines};
use crate::decode::{LINE_BYTES_MAX, Oddities, Refusal, Splitter, parse_line};
use crate::flow::field::FIELDS;
use crate::flow::{Layout, Line};

mod operations;

/// What was read of a text.
type Seen<'a> = (Vec<(u64, &'a [u8], Result<Line<'a>, Refusal>)>, Oddities);

fn slowly<'a>(text: &'a [u8], layout: &Layout) -> Seen<'a> {
    let (mut splitter, mut oddities) = <(Splitter, Oddities)>::default();
    let numbered = lines(text, 0);
    let seen = numbered
        .map(|(number, line)| {
            (number, line, parse_line(line, layout, &mut splitter, &mut oddities))
        })
        .collect();
    (seen, oddities)
}

fn fast<'a>(parser: &mut TextParser, text: &'a [u8], layout: &Layout) -> Seen<'a> {
    let (mut seen, mut oddities) = (Vec::new(), Oddities::default());
    parser.parse(text, layout, &mut oddities, &mut |number, line, read| {
        seen.push((number, line, read));
    });
    (seen, oddities)
}

fn by_line<'a>(parser: &mut TextParser, text: &'a [u8], layout: &Layout) -> Seen<'a> {
    let mut oddities = Oddities::default();
    let numbered = lines(text, 0);
    let seen = numbered
        .map(|(number, line)| (number, line, parser.parse_line(line, layout, &mut oddities)))
        .collect();
    (seen, oddities)
}

fn parsers() -> Vec<TextParser> {
    let parsers = Instructions::ALL.into_iter().filter_map(TextParser::with_instructions);
    parsers.collect()
}

fn check(text: &[u8], layout: &Layout) {
    let expected = slowly(text, layout);
    for mut parser in parsers() {
        same(&fast(&mut parser, text, layout), &expected, &parser);
        same(&by_line(&mut parser, text, layout), &expected, &parser);
    }
}

/// Shows the first line that differs, since a text is long.
fn same((seen, oddities): &Seen<'_>, expected: &Seen<'_>, parser: &TextParser) {
    for ((number, line, read), expected) in seen.iter().zip(&expected.0) {
        let excerpt = line.escape_ascii().to_string();
        assert_eq!((number, *line), (&expected.0, expected.1), "{parser:?}: {excerpt}");
        assert_eq!(read, &expected.2, "{parser:?}: {excerpt}");
    }
    assert_eq!((seen.len(), oddities), (expected.0.len(), &expected.1), "{parser:?}");
}

fn names(names: &str) -> Vec<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

fn layout_of(names: &[String]) -> Layout {
    let format: Vec<String> = names.iter().map(|name| format!("${{{name}}}")).collect();
    Layout::from_format(&format.join(" ")).unwrap()
}

const VERSION_2: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                         start end action log-status";

/// Column names: fixed layouts, any choice of fields in any order, and single columns.
fn columns() -> impl Strategy<Value = Vec<String>> {
    let of_version = |versions: std::ops::RangeInclusive<u8>| -> Vec<String> {
        let fields = FIELDS.iter().filter(|field| versions.contains(&field.version));
        fields.map(|field| field.name.to_owned()).collect()
    };
    let all = of_version(2..=11);
    let transit_gateway = "version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr srcport dstport \
                           protocol packets bytes start end log-status type packets-lost-no-route tcp-flags region \
                           flow-direction pkt-src-aws-service pkt-dst-aws-service";
    prop_oneof![
        4 => Just(names(VERSION_2)),
        1 => Just(names(transit_gateway)),
        2 => Just(of_version(2..=5)).prop_shuffle(),
        1 => Just(all.clone()).prop_shuffle(),
        1 => prop::sample::subsequence(all.clone(), 1..20).prop_shuffle(),
        1 => select(all).prop_map(|name| vec![name]),
    ]
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<u32>().prop_map(|bits| std::net::Ipv4Addr::from_bits(bits).to_string()),
        2 => "[0-9]{1,3}(\\.[0-9]{1,3}){3}",
        1 => "[0-9.]{1,17}",
        1 => any::<u128>().prop_map(|bits| std::net::Ipv6Addr::from_bits(bits).to_string()),
        1 => "[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){1,8}",
        1 => "::(ffff:)?[0-9]{1,3}(\\.[0-9]{1,3}){3}",
    ]
}

fn integer(digits: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![8 => digits, 1 => "[0-9]{1,22}", 1 => "0{1,5}[0-9]{1,3}", 1 => "[0-9]{0,8}[/:.]"]
}

/// Mostly what AWS writes into a field, sometimes what it does not.
fn value(name: &str) -> BoxedStrategy<String> {
    let usual = match name {
        "srcaddr" | "dstaddr" | "pkt-srcaddr" | "pkt-dstaddr" => address().boxed(),
        "srcport" | "dstport" => integer("[0-9]{1,5}").boxed(),
        "protocol" | "tcp-flags" => integer("[0-9]{1,3}").boxed(),
        "packets" | "bytes" => integer("[0-9]{1,12}").boxed(),
        "start" | "end" => integer("1[0-9]{9}|17[0-9]{11}|4102444[78]00|0").boxed(),
        "action" => select(vec!["ACCEPT", "REJECT", "ACCEPS", "REJECTED", "accept"])
            .prop_map(str::to_owned)
            .boxed(),
        "log-status" => prop_oneof![
            12 => Just("OK"), 2 => Just("NODATA"), 2 => Just("SKIPDATA"), 1 => Just("OKAY"), 1 => Just("K")
        ]
        .prop_map(str::to_owned)
        .boxed(),
        _ => "[a-z]{1,6}-[0-9a-f]{1,17}|[!-~]{1,40}".boxed(),
    };
    prop_oneof![24 => usual, 1 => Just("-".to_owned()), 1 => Just(String::new())].boxed()
}

/// A line in which only some columns are not as AWS writes them.
fn line(names: &[String]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let good = ["2", "10.0.0.1", "443", "1418530010", "ACCEPT", "OK", "eni-1235b8ca"];
    let plain = |name: &str| match name {
        "srcaddr" | "dstaddr" | "pkt-srcaddr" | "pkt-dstaddr" => good[1],
        "srcport" | "dstport" | "packets" | "bytes" => good[2],
        "start" | "end" => good[3],
        "action" => good[4],
        "log-status" => good[5],
        "protocol" | "tcp-flags" | "version" => good[0],
        _ => good[6],
    };
    let values: Vec<_> = names
        .iter()
        .map(|name| prop_oneof![3 => Just(plain(name).to_owned()), 1 => value(name)])
        .collect();
    let separator = prop_oneof![200 => Just(" "), 1 => Just("  "), 1 => Just("\t")];
    let separators = prop::collection::vec(separator, names.len());
    let end = select(vec!["\n", "\n", "\n", "\n", "\r\n", "\n\n", " \n", "\r\r\n", " \r\n", "\n "]);
    (values, separators, end).prop_map(|(values, separators, end)| {
        let mut line = String::new();
        for (value, separator) in values.iter().zip(&separators) {
            line.extend([value.as_str(), separator]);
        }
        line.truncate(line.trim_end().len());
        line.push_str(end);
        line.into_bytes()
    })
}

/// Some lines, with a few bytes overwritten, dropped or cut off.
fn text() -> impl Strategy<Value = (Vec<String>, Vec<u8>)> {
    let byte = prop_oneof![select(b" \n\r-.:0/9AaO\0\xff\xa0\x8a".to_vec()), any::<u8>()];
    let changes = prop::collection::vec((any::<Index>(), byte, any::<bool>()), 0..4);
    columns().prop_flat_map(move |names| {
        let lines = prop::collection::vec(line(&names), 1..12);
        (Just(names), lines, changes.clone(), 0..40_usize, 0..3_usize).prop_map(
            |(names, lines, changes, cut, rest)| {
                let mut text = lines.concat();
                for (place, byte, replaces) in changes {
                    let place = place.index(text.len());
                    if replaces { text[place] = byte } else { text.insert(place, byte) }
                }
                text.truncate(text.len().saturating_sub(if rest == 0 { cut } else { rest - 1 }));
                (names, text)
            },
        )
    })
}

#[test]
fn line_ends_of_both_kinds_are_cut_off_and_empty_lines_counted() {
    let seen: Vec<_> = lines(b"one\r\n\n\r\ntwo\nthree", 7).collect();
    assert_eq!(seen, [(7, &b"one"[..]), (10, b"two"), (11, b"three")]);
}

proptest! {
    #[test]
    fn agrees_with_splitting_at_line_feeds(text in "[ab\r\n]{0,40}") {
        let expected: Vec<(u64, &str)> = (1..)
            .zip(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)))
            .filter(|(_, line)| !line.is_empty())
            .collect();
        let seen: Vec<(u64, &str)> = lines(text.as_bytes(), 1)
            .map(|(number, line)| (number, std::str::from_utf8(line).unwrap()))
            .collect();
        prop_assert_eq!(seen, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn lines_of_any_layout_are_read_as_the_slow_way_reads_them((names, text) in text()) {
        check(&text, &layout_of(&names));
    }

    #[test]
    fn noise_is_read_as_the_slow_way_reads_it(
        text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            prop::collection::vec(select(b" \n\r-1.:aO".to_vec()), 0..400),
        ],
        names in columns(),
    ) {
        check(&text, &layout_of(&names));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Long enough for several stretches, lines that do not fit into one, and offsets that begin anew.
    #[test]
    fn long_texts_are_read_as_the_slow_way_reads_them(
        (names, text) in text(),
        repeats in 1..400_usize,
        filler in select(b"a \n-".to_vec()),
        filler_bytes in select(vec![0, 1, 63, 64, 65, 2_047, 2_048, 2_049, 32_767, 32_768, 32_769, 65_536, 65_537]),
        position in any::<Index>(),
    ) {
        let mut long = text.repeat(repeats);
        let place = position.index(long.len() + 1);
        long.splice(place..place, std::iter::repeat_n(filler, filler_bytes));
        check(&long, &layout_of(&names));
    }
}

#[test]
fn values_at_the_very_beginning_of_a_text_are_read_too() {
    for first in ["srcaddr", "end", "srcport", "action", "log-status", "interface-id"] {
        let mut names = names(VERSION_2);
        names.retain(|name| name != first);
        names.insert(0, first.to_owned());
        let layout = layout_of(&names);
        let good = |name: &str| match name {
            "srcaddr" | "dstaddr" => "1.2.3.4",
            "action" => "REJECT",
            "log-status" => "OK",
            "end" | "start" => "1418530010",
            _ => "7",
        };
        let line: Vec<&str> = names.iter().map(|name| good(name)).collect();
        check(line.join(" ").as_bytes(), &layout);
    }
}

#[test]
fn a_line_at_and_over_the_cap_is_refused_as_the_slow_way_does() {
    for length in [LINE_BYTES_MAX - 1, LINE_BYTES_MAX, LINE_BYTES_MAX + 1] {
        for end in ["", "\n", "\r\n"] {
            let text = "a".repeat(length) + end;
            check(text.as_bytes(), &Layout::default_version_2());
        }
    }
}

#[test]
fn a_second_block_allocates_nothing() {
    let layout = Layout::default_version_2();
    let text =
        b"2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 40 1418530010 1418530070 ACCEPT OK\n".repeat(5_000);
    for mut parser in parsers() {
        let (mut records, mut oddities) = (0, Oddities::default());
        let measured = allocation_counter::measure(|| {
            parser.parse(&text, &layout, &mut oddities, &mut |_, _, read| {
                records += u64::from(read.is_ok());
            });
        });
        assert_eq!((records, measured.count_total), (5_000, 0));
    }
}

#[test]
fn the_best_instruction_set_is_chosen() {
    let best = Instructions::ALL.into_iter().rev().find_map(TextParser::with_instructions);
    assert_eq!(format!("{:?}", TextParser::new()), format!("{:?}", best.unwrap()));
}
