//! One core, row groups in memory: Parquet to typed records, beside the row interface of the `parquet` crate, for each
//! codec. Prints records per second, nanoseconds per record, and bytes per second of the columns that are read.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop; a table is the purpose"
)]

use bytes::Bytes;
use divan::black_box;
use flowscout::batch::RowGroup;
use flowscout::decode::parquet::RowReader;
use flowscout::decode::{Limits, Oddities, Splitter, lines, parse_line};
use flowscout::flow::{Action, Layout, Line};
use flowscout::source::parquet::{Columns, ParquetFile};
use flowscout_benches::meter::{median, thread_ns};
use flowscout_benches::{columns, traffic};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use parquet::schema::parser::parse_message_type;

const ROUNDS: usize = 9;
/// Half of the traffic: some 500,000 rows, in row groups as the usual tools write them.
const TEXT_BYTES: usize = 56 << 20;
const GROUP_ROWS: usize = 128 * 1024;

/// Sums over all records: each field that is read goes into one, so that none is left out as unused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sums {
    records: u64,
    bytes: u64,
    packets: u64,
    ports: u64,
    times: u64,
    accepted: u64,
}

impl Sums {
    fn add(&mut self, line: &Line<'_>) {
        let Line::Flow(record) = black_box(line) else { return };
        self.records += 1;
        self.bytes += record.bytes;
        self.packets += record.packets;
        self.ports += u64::from(record.source_port) + u64::from(record.destination_port);
        self.times += record.start_s + record.end_s;
        self.accepted += u64::from(record.action == Some(Action::Accept));
    }
}

fn from_text(text: &[u8]) -> Sums {
    let layout = Layout::default_version_2();
    let (mut splitter, mut oddities) = (Splitter::default(), Oddities::default());
    let mut sums = Sums::default();
    for (_, line) in lines(text, 1) {
        sums.add(&parse_line(line, &layout, &mut splitter, &mut oddities).unwrap());
    }
    sums
}

fn from_groups(groups: &[RowGroup], reader: &mut RowReader) -> Sums {
    let (mut sums, mut oddities) = (Sums::default(), Oddities::default());
    for group in groups {
        reader.rows(group, &mut oddities, &mut |_, line| sums.add(&line.unwrap())).unwrap();
    }
    sums
}

/// The crate's rows of the columns that we read; addresses stay text, as it has them.
fn from_crate(file: &Bytes) -> Sums {
    let reader = SerializedFileReader::new(file.clone()).unwrap();
    let schema = "message flow_logs { OPTIONAL BYTE_ARRAY interface_id (UTF8);
        OPTIONAL BYTE_ARRAY srcaddr (UTF8); OPTIONAL BYTE_ARRAY dstaddr (UTF8); OPTIONAL INT32 srcport;
        OPTIONAL INT32 dstport; OPTIONAL INT32 protocol; OPTIONAL INT64 packets; OPTIONAL INT64 bytes;
        OPTIONAL INT64 start; OPTIONAL INT64 end; OPTIONAL BYTE_ARRAY action (UTF8);
        OPTIONAL BYTE_ARRAY log_status (UTF8); }";
    let schema = parse_message_type(schema).unwrap();
    let mut sums = Sums::default();
    for row in reader.get_row_iter(Some(schema)).unwrap() {
        let row = black_box(row.unwrap());
        if row.get_string(11).unwrap() != "OK" {
            continue;
        }
        let unsigned = |place| row.get_long(place).unwrap().cast_unsigned();
        sums.records += 1;
        sums.packets += unsigned(6);
        sums.bytes += unsigned(7);
        let ports = row.get_int(3).unwrap() + row.get_int(4).unwrap();
        sums.ports += u64::from(ports.cast_unsigned());
        sums.times += unsigned(8) + unsigned(9);
        sums.accepted += u64::from(row.get_string(10).unwrap() == "ACCEPT");
    }
    sums
}

fn timed(run: &mut dyn FnMut() -> Sums, expected: &Sums) -> f64 {
    let before = thread_ns();
    let sums = run();
    let spent = thread_ns() - before;
    assert_eq!(sums, *expected);
    spent
}

fn main() {
    let million = traffic::million();
    let text = traffic::head(&million.text, TEXT_BYTES);
    let expected = from_text(text);
    assert!(expected.records > 400_000, "{expected:?}");
    let rows = lines(text, 1).count() as f64;
    let text_str = std::str::from_utf8(text).unwrap();
    let codecs = [
        ("uncompressed", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("zstd", Compression::ZSTD(ZstdLevel::default())),
        ("gzip", Compression::GZIP(GzipLevel::default())),
    ];
    println!("{rows} rows; medians of {ROUNDS} rounds of thread time");
    println!("codec          M rows/s  ns/row  GB/s in   peer ns/row  times as fast");
    for (name, codec) in codecs {
        let file = columns::file(text_str, codec, GROUP_ROWS);
        let open = ParquetFile::from_bytes("memory".into(), file.clone(), Columns::Used).unwrap();
        let groups: Vec<RowGroup> = open.map(Result::unwrap).collect();
        let bytes: usize = groups.iter().map(RowGroup::bytes).sum();
        let mut reader = RowReader::new(Limits::default());
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(timed(&mut || from_groups(&groups, &mut reader), &expected));
            theirs.push(timed(&mut || from_crate(&file), &expected));
            ratios.push(theirs[theirs.len() - 1] / ours[ours.len() - 1]);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "{name:<14} {:>8.1} {:>7.1} {:>8.2} {:>13.1} {:>14.1}",
            rows / ours * 1e3,
            ours / rows,
            bytes as f64 / ours,
            theirs / rows,
            median(ratios)
        );
    }
}
