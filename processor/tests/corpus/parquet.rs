//! Whatever a Parquet file holds, reading it ends, gives no more rows than are claimed, and leaves nothing behind in the
//! reader that would change what it reads next.

use std::sync::Arc;

use flowscout::batch::{Chunk, Codec, ColumnType, PhysicalType, RowGroup};
use flowscout::decode::parquet::RowReader;
use flowscout::decode::{Limits, Oddities, Refusal};
use flowscout::flow::field;
use flowscout::source::parquet::{Columns, ParquetFile};

/// Small, so that what is too large is met too.
const LIMITS: Limits = Limits { decompressed_bytes_max: 1 << 20, nesting_max: 8 };
/// Rows of a group that claims a billion would only take time.
const ROWS_MAX: u64 = 20_000;
const PIECES: &str = "srcport bytes start end srcaddr interface-id action log-status";

/// The first byte says whether the rest is a file, or the pages of a column of which the next bytes say the type.
pub(crate) fn check(input: &[u8]) {
    match input {
        [b'P', ..] => check_file(input),
        [b'c', kind, codec, rows, pages @ ..] => check_pages(*kind, *codec, *rows, pages),
        _ => {}
    }
}

fn check_file(input: &[u8]) {
    let mut reused = RowReader::new(LIMITS);
    for wanted in [Columns::Used, Columns::All] {
        let bytes = input.to_vec().into();
        let Ok(file) = ParquetFile::from_bytes("input".into(), bytes, wanted) else { continue };
        for group in file.take(8).flatten() {
            check_group(&group, &mut reused);
        }
    }
}

fn check_pages(kind: u8, codec: u8, rows: u8, pages: &[u8]) {
    let names: Vec<&str> = PIECES.split(' ').collect();
    let name = names[usize::from(kind & 7)];
    let physical = match kind >> 3 & 7 {
        0 => PhysicalType::Int32,
        1 => PhysicalType::Int64,
        2 => PhysicalType::Boolean,
        3 => PhysicalType::Double,
        4 => PhysicalType::Fixed(3),
        _ => PhysicalType::ByteArray,
    };
    let column = ColumnType {
        name: name.replace('-', "_"),
        field: field::find(name.as_bytes()),
        physical,
        is_optional: kind & 64 != 0,
        is_unsigned: kind & 128 != 0,
    };
    let codec = match codec & 3 {
        0 => Codec::Plain,
        1 => Codec::Snappy,
        2 => Codec::Gzip,
        _ => Codec::Zstd,
    };
    let group = RowGroup {
        index: 0,
        rows: u64::from(rows) * 16,
        columns: Arc::from([column]),
        chunks: vec![Chunk { column: 0, codec, bytes: pages.to_vec().into() }],
    };
    check_group(&group, &mut RowReader::new(LIMITS));
}

fn check_group(group: &RowGroup, reused: &mut RowReader) {
    let group = RowGroup { rows: group.rows.min(ROWS_MAX), ..group.clone() };
    let seen = [rows(&mut RowReader::new(LIMITS), &group), rows(reused, &group)];
    assert_eq!(seen[0], seen[1], "the reader remembers");
    check_end(&group, &seen[0]);
    let seen = [all(&mut RowReader::new(LIMITS), &group), all(reused, &group)];
    assert_eq!(seen[0], seen[1], "the reader remembers");
    check_end(&group, &seen[0]);
    let mut texts = 0;
    let numbers = [0, 3, group.rows.saturating_sub(1), group.rows + 9];
    reused.texts(&group, &numbers, &mut |_, _| texts += 1).ok();
    assert!(texts <= 3, "{texts} texts");
}

/// How many rows were given, what was said of them, and how it ended.
type Seen = (u64, u64, Result<(), Refusal>);

fn check_end(group: &RowGroup, (rows, _, end): &Seen) {
    assert!(*rows <= group.rows, "{rows} rows of {}", group.rows);
    assert!(end.is_err() || *rows == group.rows, "{rows} rows of {}", group.rows);
}

fn rows(reader: &mut RowReader, group: &RowGroup) -> Seen {
    let (mut count, mut sum) = (0, 0);
    let mut oddities = Oddities::default();
    let end = reader.rows(group, &mut oddities, &mut |number, line| {
        assert_eq!(number, count);
        count += 1;
        sum = add(sum, &line);
    });
    (count, sum, end)
}

fn all(reader: &mut RowReader, group: &RowGroup) -> Seen {
    let (mut count, mut sum) = (0, 0);
    let end = reader.all(group, &mut |number, values| {
        assert_eq!(number, count);
        count += 1;
        sum = add(sum, &values);
    });
    (count, sum, end)
}

/// A sum over what debugging shows (FNV-1a).
fn add(sum: u64, value: &impl std::fmt::Debug) -> u64 {
    let text = format!("{value:?}");
    text.bytes().fold(sum, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
