//! One core, lines in memory: text to typed records, beside `split(' ')` and `str::parse` into the same fields.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::sync::LazyLock;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use flowscout::decode::{Oddities, Splitter, lines, parse_line};
use flowscout::flow::{Action, Layout, Line};
use flowscout_benches::{peer, traffic};

/// Larger than a second-level cache, small enough for the third.
const TEXT_BYTES: usize = 8 << 20;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let text = traffic::head(&traffic::million().text, TEXT_BYTES).to_vec();
    String::from_utf8(text).unwrap()
});

/// Sums over all records: each field that is parsed goes into one, so that none is left out as unused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sums {
    records: u64,
    bytes: u64,
    packets: u64,
    ports: u64,
    times: u64,
    accepted: u64,
}

fn ours() -> Sums {
    let layout = Layout::default_version_2();
    let (mut splitter, mut oddities) = (Splitter::default(), Oddities::default());
    let mut sums = Sums::default();
    for (_, line) in lines(TEXT.as_bytes(), 1) {
        if let Ok(Line::Flow(record)) = parse_line(line, &layout, &mut splitter, &mut oddities) {
            let record = black_box(record);
            sums.records += 1;
            sums.bytes += record.bytes;
            sums.packets += record.packets;
            sums.ports += u64::from(record.source_port) + u64::from(record.destination_port);
            sums.times += record.start_s + record.end_s;
            sums.accepted += u64::from(record.action == Some(Action::Accept));
        }
    }
    sums
}

fn split_and_parse() -> Sums {
    let mut sums = Sums::default();
    for row in TEXT.lines().filter_map(peer::parse) {
        let row = black_box(row);
        sums.records += 1;
        sums.bytes += row.bytes;
        sums.packets += row.packets;
        sums.ports += u64::from(row.source_port) + u64::from(row.destination_port);
        sums.times += row.start_s + row.end_s;
        sums.accepted += u64::from(row.is_accepted);
    }
    sums
}

#[divan::bench(sample_count = 60)]
fn flowscout(bencher: Bencher) {
    bench(bencher, ours);
}

#[divan::bench(sample_count = 60)]
fn peer_split_and_parse(bencher: Bencher) {
    bench(bencher, split_and_parse);
}

fn bench(bencher: Bencher, parse: fn() -> Sums) {
    let expected = split_and_parse();
    assert!(expected.records > 70_000 && expected == ours(), "{expected:?}, {:?}", ours());
    bencher
        .counter(ItemsCount::new(expected.records))
        .counter(BytesCount::new(TEXT.len()))
        .bench(|| assert_eq!(parse(), expected));
}

fn main() {
    divan::main();
}
