//! Files that claim what they do not have, break off, or hold other bytes than they should.

use std::io::Write as _;

use flate2::write::GzEncoder;
use flowscout::batch::{Codec, PhysicalType, RowGroup};
use flowscout::decode::parquet::RowReader;
use flowscout::decode::{Limits, Oddities};
use flowscout::source::parquet::Columns;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};

use super::pages::{DATA, DICTIONARY, INDICES, PLAIN, Page, group};
use super::reading;
use super::table::{Column, Kind, Style, write};

/// Rows that were given, and how it ended.
fn read(group: &RowGroup) -> (u64, Result<(), String>) {
    let mut rows = 0;
    let mut reader = RowReader::new(Limits::default());
    let end = reader.rows(group, &mut Oddities::default(), &mut |_, _| rows += 1);
    (rows, end.map_err(|refusal| refusal.to_string()))
}

fn refusal(group: &RowGroup) -> String {
    let mut end = None;
    let measured = allocation_counter::measure(|| end = Some(read(group)));
    assert!(measured.bytes_max < 1 << 20, "{} bytes were held", measured.bytes_max);
    end.unwrap().1.unwrap_err()
}

#[test]
fn what_headers_claim_is_refused_before_it_is_allocated() {
    let large = |page_type, values| Page {
        page_bytes: i32::MAX,
        ..Page::new(page_type, values, PLAIN, &[0; 8])
    };
    for page in [large(DATA, 1), large(DICTIONARY, 1)] {
        assert_eq!(refusal(&group("bytes", PhysicalType::Int64, 1, &[page])), "too_large in bytes");
    }
    let many = Page::new(DICTIONARY, i32::MAX, PLAIN, &[0; 8]);
    assert_eq!(refusal(&group("bytes", PhysicalType::Int64, 1, &[many])), "too_large in bytes");
    let negative = Page::new(DATA, -1, PLAIN, &[0; 8]);
    assert_eq!(
        refusal(&group("bytes", PhysicalType::Int64, 1, &[negative])),
        "bad_parquet in bytes"
    );
    // DELTA_BINARY_PACKED: blocks of 2^35 values, 4 miniblocks, 2^31 values, first 0, no block behind it.
    let delta = [0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 4, 0xff, 0xff, 0xff, 0xff, 0x07, 0];
    let delta = Page::new(DATA, i32::MAX, 5, &delta);
    assert_eq!(refusal(&group("bytes", PhysicalType::Int64, 1, &[delta])), "too_large in bytes");
}

#[test]
fn a_page_that_inflates_to_more_than_it_claims_is_refused_at_that() {
    let mut bomb = GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![0; 64 << 20]).unwrap();
    let body = bomb.finish().unwrap();
    let page = Page { page_bytes: 800, ..Page::new(DATA, 100, PLAIN, &body) };
    let mut group = group("bytes", PhysicalType::Int64, 100, &[page]);
    group.chunks[0].codec = Codec::Gzip;
    assert_eq!(refusal(&group), "bad_parquet in bytes");
}

#[test]
fn a_run_of_a_billion_rows_ends_at_its_bound() {
    // One dictionary value, and an index run of 10^9 times the first.
    let dictionary = Page::new(DICTIONARY, 1, PLAIN, &1_418_530_070u64.to_le_bytes());
    let run = [1, 0x80, 0xa8, 0xd6, 0xb9, 0x07, 0];
    let data = Page::new(DATA, 1_000_000_000, INDICES, &run);
    let group = group("end", PhysicalType::Int64, 1_000_000_000, &[dictionary, data]);
    let bound = 65_536 + 64 * group.bytes() as u64;
    assert_eq!(read(&group), (bound, Err("too_large".to_owned())));
}

#[test]
fn pages_that_do_not_fit_together_are_refused() {
    let value = 7u64.to_le_bytes();
    let dictionary = || Page::new(DICTIONARY, 1, PLAIN, &value);
    let cases = [
        ("two dictionaries", vec![dictionary(), dictionary()]),
        ("no dictionary", vec![Page::new(DATA, 1, INDICES, &[1, 2, 0])]),
        (
            "an index that it does not have",
            vec![dictionary(), Page::new(DATA, 1, INDICES, &[1, 2, 1])],
        ),
        ("an index of 40 bits", vec![dictionary(), Page::new(DATA, 1, INDICES, &[40, 2, 0])]),
        ("no index", vec![dictionary(), Page::new(DATA, 1, INDICES, &[])]),
        ("runs of nothing", vec![dictionary(), Page::new(DATA, 1, INDICES, &[1, 0, 0, 0, 0])]),
        ("half a value", vec![Page::new(DATA, 1, PLAIN, &value[..4])]),
        ("an unknown encoding", vec![Page::new(DATA, 1, 9, &value)]),
        ("no page", vec![]),
        ("pages of no value", vec![Page::new(DATA, 0, PLAIN, &[]), Page::new(DATA, 0, PLAIN, &[])]),
    ];
    for (case, pages) in cases {
        let group = group("bytes", PhysicalType::Int64, 1, &pages);
        assert_eq!(refusal(&group), "bad_parquet in bytes", "{case}");
    }
}

#[test]
fn rows_before_a_broken_page_are_given() {
    let value = 1_418_530_070u64.to_le_bytes();
    let whole = Page::new(DATA, 100, PLAIN, &value.repeat(100));
    let broken = Page::new(DATA, 100, PLAIN, &value);
    let group = group("end", PhysicalType::Int64, 200, &[whole, broken]);
    assert_eq!(read(&group), (100, Err("bad_parquet in end".to_owned())));
}

/// A small file with values of every kind of column and null.
fn small(style: Style) -> bytes::Bytes {
    let column = |name: &str, kind, values: [Option<&str>; 3]| {
        let values: Vec<_> = values.iter().copied().cycle().take(40).collect();
        Column::new(name, kind, &values)
    };
    let columns = [
        column("interface_id", Kind::Text, [Some("eni-1"), None, Some("eni-22")]),
        column("srcaddr", Kind::Bytes, [Some("10.0.0.1"), Some("10.0.0.2"), Some("-")]),
        column("dstaddr", Kind::Fixed(8), [Some("10.0.0.9"), Some("10.0.1.9"), None]),
        column("bytes", Kind::Int64, [Some("40"), Some("-7"), Some("9000000000")]),
        column("end", Kind::Uint32, [Some("1418530070"), Some("1418530071"), None]),
        column("flag", Kind::Boolean, [Some("true"), Some("false"), None]),
        column("ratio", Kind::Double, [Some("0.5"), None, Some("-3")]),
    ];
    write(&columns, style)
}

fn styles() -> [Style; 5] {
    let style = Style { page_rows: 16, group_rows: 30, ..Style::default() };
    [
        style,
        Style { codec: Compression::UNCOMPRESSED, has_dictionary: false, ..style },
        Style { codec: Compression::GZIP(GzipLevel::default()), is_version_2: true, ..style },
        Style { codec: Compression::ZSTD(ZstdLevel::default()), has_dictionary: false, ..style },
        Style {
            codec: Compression::UNCOMPRESSED,
            is_version_2: true,
            has_dictionary: false,
            has_deltas: true,
            ..style
        },
    ]
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    for style in styles() {
        let file = small(style);
        for length in 0..file.len() {
            assert!(reading::open(&file.slice(..length), Columns::All).is_err(), "{length}");
        }
    }
}

#[test]
fn a_column_that_is_cut_anywhere_gives_rows_or_a_refusal() {
    for group in styles().iter().flat_map(|style| reading::groups(&small(*style))) {
        for place in 0..group.chunks.len() {
            for length in 0..group.chunks[place].bytes.len() {
                let mut cut = group.clone();
                cut.chunks[place].bytes.truncate(length);
                let mut rows = 0;
                let mut reader = RowReader::new(Limits::default());
                assert!(reader.all(&cut, &mut |_, _| rows += 1).is_err());
                assert!(rows < group.rows);
            }
        }
    }
}

#[test]
fn a_file_with_any_byte_changed_is_read_to_an_end() {
    for style in styles() {
        let file = small(style);
        for place in 0..file.len() {
            for flip in [0x01, 0xff] {
                let mut changed = file.to_vec();
                changed[place] ^= flip;
                let Ok(file) = reading::open(&changed.into(), Columns::All) else { continue };
                for group in file.flatten() {
                    let mut rows = 0;
                    let mut reader = RowReader::new(Limits::default());
                    reader.all(&group, &mut |_, _| rows += 1).ok();
                    reader.rows(&group, &mut Oddities::default(), &mut |_, _| rows += 1).ok();
                    assert!(rows <= 2 * (65_536 + 64 * group.bytes() as u64));
                }
            }
        }
    }
}
