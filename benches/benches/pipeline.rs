//! One core, a million lines in memory: up to the partial, and up to the signals, beside a plain group-by.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use flowscout::batch::Batch;
use flowscout::combine::{Combiner, Partial};
use flowscout::config::Config;
use flowscout::decode::Splitter;
use flowscout::detect::Detector;
use flowscout::pipeline::combine_batch;
use flowscout_benches::peer::{self, GroupBy};
use flowscout_benches::traffic::{self, KEY, Kinds, Traffic};

struct Input {
    traffic: Traffic,
    batches: Vec<Batch>,
    expected: Expected,
}

/// What the peer counted: the truth for all.
#[derive(Clone, Copy)]
struct Expected {
    records: u64,
    bytes: u64,
}

static INPUT: LazyLock<Input> = LazyLock::new(|| {
    let traffic = traffic::million();
    let batches = traffic::batches(&traffic.text);
    let GroupBy { records, bytes, .. } = group_by(&batches);
    assert!(records > 1_000_000);
    Input { traffic, batches, expected: Expected { records, bytes } }
});

fn group_by(batches: &[Batch]) -> GroupBy {
    let mut groups = GroupBy::default();
    for batch in batches {
        let text = std::str::from_utf8(&batch.bytes).unwrap();
        text.lines().filter_map(peer::parse).for_each(|row| groups.add(&row));
    }
    groups.close();
    groups
}

fn partials(batches: &[Batch], mut take: impl FnMut(Partial)) {
    let mut splitter = Splitter::default();
    let mut combiner = Combiner::new(KEY, Config::default().window.pane_s);
    for batch in batches {
        let (partial, refusals) = combine_batch(batch, &mut splitter, &mut combiner);
        assert_eq!(refusals.total(), 0);
        take(partial);
    }
}

fn check(detector: &mut Detector, mut opened: Kinds, input: &Input) {
    detector.finish(&mut |signal| traffic::count_opened(&mut opened, &signal));
    let totals = detector.totals();
    let expected = &input.expected;
    assert_eq!((totals.records, totals.bytes), (expected.records, expected.bytes));
    assert_eq!(opened, input.traffic.injected);
}

/// Decode, observe and combine.
#[divan::bench(sample_count = 11, sample_size = 1)]
fn up_to_partials(bencher: Bencher) {
    let input = &*INPUT;
    bencher.counter(ItemsCount::new(input.expected.records)).bench(|| {
        let (mut records, mut bytes) = (0, 0);
        partials(&input.batches, |partial| {
            records += partial.records;
            let rows = partial.conversations.iter();
            bytes += rows.map(|(_, row)| row.bytes_up + row.bytes_down).sum::<u64>();
        });
        assert_eq!((records, bytes), (input.expected.records, input.expected.bytes));
    });
}

/// Window and rules alone, on partials that are ready.
#[divan::bench(sample_count = 11, sample_size = 1)]
fn fold_of_partials(bencher: Bencher) {
    let input = &*INPUT;
    let mut ready = Vec::new();
    partials(&input.batches, |partial| ready.push(partial));
    bencher
        .counter(ItemsCount::new(input.expected.records))
        .with_inputs(traffic::detector)
        .bench_values(|mut detector| {
            let mut opened = Kinds::new();
            for partial in &ready {
                let emit = &mut |signal| traffic::count_opened(&mut opened, &signal);
                detector.apply(partial, emit);
            }
            check(&mut detector, opened, input);
            detector
        });
}

/// Decode, observe, combine, window and all default rules.
#[divan::bench(sample_count = 11, sample_size = 1)]
fn up_to_signals(bencher: Bencher) {
    let input = &*INPUT;
    bencher
        .counter(ItemsCount::new(input.expected.records))
        .with_inputs(traffic::detector)
        .bench_values(|mut detector| {
            let mut opened = Kinds::new();
            partials(&input.batches, |partial| {
                let emit = &mut |signal| traffic::count_opened(&mut opened, &signal);
                detector.apply(&partial, emit);
            });
            check(&mut detector, opened, input);
            detector
        });
}

/// Distinct ports and bytes per source in tumbling windows: less than is asked for, and no signal.
#[divan::bench(sample_count = 11, sample_size = 1)]
fn peer_group_by(bencher: Bencher) {
    let input = &*INPUT;
    bencher.counter(ItemsCount::new(input.expected.records)).bench(|| {
        let groups = group_by(&input.batches);
        assert_eq!((groups.records, groups.bytes), (input.expected.records, input.expected.bytes));
        assert!(groups.ports_max > 400, "the vertical scan of 400 ports and more is in there");
    });
}

fn main() {
    divan::main();
}
