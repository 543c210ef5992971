//! One core, lines in memory: text to typed records. The kernel with each instruction set that the machine has, beside its
//! byte-by-byte oracle, and beside `split(' ')` and `str::parse` into the same fields.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::sync::LazyLock;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use flowscout::decode::{Instructions, Oddities, Refusal, Splitter, TextParser, lines, parse_line};
use flowscout::flow::{Action, Layout, Line};
use flowscout_benches::{peer, traffic};

/// Larger than a second-level cache, small enough for the third.
const TEXT_BYTES: usize = 8 << 20;

static VERSION_2: LazyLock<Input> = LazyLock::new(|| Input {
    text: text(&traffic::million()),
    layout: Layout::default_version_2(),
    peer: |line| peer::parse(line),
});

static VERSION_5: LazyLock<Input> = LazyLock::new(|| Input {
    text: text(&traffic::seconds(600, traffic::ALL_OF_VERSION_5.parse().unwrap())),
    layout: Layout::from_format(traffic::ALL_OF_VERSION_5).unwrap(),
    peer: |line| peer::parse_all_of_version_5(line),
});

struct Input {
    text: String,
    layout: Layout,
    peer: for<'l> fn(&'l str) -> Option<peer::Row<'l>>,
}

fn text(traffic: &traffic::Traffic) -> String {
    String::from_utf8(traffic::head(&traffic.text, TEXT_BYTES).to_vec()).unwrap()
}

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

impl Sums {
    fn add(&mut self, read: &Result<Line<'_>, Refusal>) {
        if let Ok(Line::Flow(record)) = read {
            let record = black_box(record);
            self.records += 1;
            self.bytes += record.bytes;
            self.packets += record.packets;
            self.ports += u64::from(record.source_port) + u64::from(record.destination_port);
            self.times += record.start_s + record.end_s;
            self.accepted += u64::from(record.action == Some(Action::Accept));
        }
    }
}

fn kernel(input: &Input, parser: &mut TextParser) -> Sums {
    let (mut oddities, mut sums) = (Oddities::default(), Sums::default());
    parser.parse(input.text.as_bytes(), &input.layout, &mut oddities, &mut |_, _, read| {
        sums.add(&read)
    });
    sums
}

/// As messages of CloudWatch Logs come: each by itself.
fn kernel_by_line(input: &Input, parser: &mut TextParser) -> Sums {
    let (mut oddities, mut sums) = (Oddities::default(), Sums::default());
    for (_, line) in lines(input.text.as_bytes(), 1) {
        sums.add(&parser.parse_line(line, &input.layout, &mut oddities));
    }
    sums
}

fn oracle(input: &Input) -> Sums {
    let (mut splitter, mut oddities) = (Splitter::default(), Oddities::default());
    let mut sums = Sums::default();
    for (_, line) in lines(input.text.as_bytes(), 1) {
        sums.add(&parse_line(line, &input.layout, &mut splitter, &mut oddities));
    }
    sums
}

fn split_and_parse(input: &Input) -> Sums {
    let mut sums = Sums::default();
    for row in input.text.lines().filter_map(input.peer) {
        let row = black_box(&row);
        sums.records += 1;
        sums.bytes += row.bytes;
        sums.packets += row.packets;
        sums.ports += u64::from(row.source_port) + u64::from(row.destination_port);
        sums.times += row.start_s + row.end_s;
        sums.accepted += u64::from(row.is_accepted);
    }
    sums
}

fn available() -> impl Iterator<Item = Instructions> {
    let all = Instructions::ALL.into_iter();
    all.filter(|instructions| TextParser::with_instructions(*instructions).is_some())
}

#[divan::bench_group(sample_count = 60)]
mod version_2 {
    use super::{
        Bencher, Instructions, VERSION_2, available, bench, bench_kernel, kernel, kernel_by_line,
        split_and_parse,
    };

    #[divan::bench(args = available())]
    fn flowscout(bencher: Bencher, instructions: Instructions) {
        bench_kernel(bencher, &VERSION_2, instructions, kernel);
    }

    #[divan::bench(args = available())]
    fn flowscout_by_line(bencher: Bencher, instructions: Instructions) {
        bench_kernel(bencher, &VERSION_2, instructions, kernel_by_line);
    }

    #[divan::bench]
    fn oracle(bencher: Bencher) {
        bench(bencher, &VERSION_2, || super::oracle(&VERSION_2));
    }

    #[divan::bench]
    fn peer_split_and_parse(bencher: Bencher) {
        bench(bencher, &VERSION_2, || split_and_parse(&VERSION_2));
    }
}

#[divan::bench_group(sample_count = 60)]
mod version_5 {
    use super::{
        Bencher, Instructions, VERSION_5, available, bench, bench_kernel, kernel, kernel_by_line,
        split_and_parse,
    };

    #[divan::bench(args = available())]
    fn flowscout(bencher: Bencher, instructions: Instructions) {
        bench_kernel(bencher, &VERSION_5, instructions, kernel);
    }

    #[divan::bench(args = available())]
    fn flowscout_by_line(bencher: Bencher, instructions: Instructions) {
        bench_kernel(bencher, &VERSION_5, instructions, kernel_by_line);
    }

    #[divan::bench]
    fn oracle(bencher: Bencher) {
        bench(bencher, &VERSION_5, || super::oracle(&VERSION_5));
    }

    #[divan::bench]
    fn peer_split_and_parse(bencher: Bencher) {
        bench(bencher, &VERSION_5, || split_and_parse(&VERSION_5));
    }
}

fn bench_kernel(
    bencher: Bencher,
    input: &Input,
    instructions: Instructions,
    kernel: fn(&Input, &mut TextParser) -> Sums,
) {
    let mut parser = TextParser::with_instructions(instructions).unwrap();
    bench(bencher, input, || kernel(input, &mut parser));
}

fn bench(bencher: Bencher, input: &Input, mut parse: impl FnMut() -> Sums) {
    let expected = split_and_parse(input);
    assert!(expected.records > 25_000, "{expected:?}");
    bencher
        .counter(ItemsCount::new(expected.records))
        .counter(BytesCount::new(input.text.len()))
        .bench_local(|| assert_eq!(parse(), expected));
}

fn main() {
    divan::main();
}
