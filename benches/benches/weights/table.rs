//! Speed beside memory and error, of programs that run in turn: on a shared machine a median of one
//! taken before that of the next would compare two loads.

use std::hint::black_box;
use std::time::Instant;

use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::talkers::Talkers;

use super::distribution::{error_max, histogram, quantiles, sorted};
use super::ours::{Batched, Prehashed, Small};
use super::peers::{CountMinSketch, CountMinSketch64, Exact, FrequentItemsSketch, TopK};
use super::summary::Summary;
use super::{UPDATES, filled};

/// A name, a fill that is timed, its time in each round, and the columns behind it.
struct Row {
    name: &'static str,
    fill: fn(),
    update_ns: Vec<f64>,
    rest: String,
}

const ROUNDS: usize = 11;
/// Per update: a second per fill.
const SLOW_NS: f64 = 1_000.0;

/// Prints both tables.
#[expect(clippy::print_stdout, reason = "a table is the purpose")]
pub(crate) fn print() {
    println!(
        "\n{:<34} {:>9} {:>6} {:>10} {:>12} {:>12} {:>12}",
        "weights", "ns/update", "least", "bytes", "recall@1000", "mean error", "below truth"
    );
    print_timed(vec![
        summary::<Talkers<u64>>(),
        summary::<Batched>(),
        summary::<Prehashed>(),
        summary::<Small>(),
        summary::<FrequentItemsSketch<u64>>(),
        summary::<TopK<u64>>(),
        summary::<Exact>(),
        summary::<CountMin>(),
        summary::<ConservativeCountMin>(),
        summary::<CountMinSketch<u64>>(),
        summary::<CountMinSketch64<u64>>(),
    ]);
    println!(
        "\n{:<34} {:>9} {:>6} {:>10} {:>12}",
        "quantiles", "ns/update", "least", "bytes", "max error"
    );
    print_timed(distributions());
}

fn summary<S: Summary>() -> Row {
    let (summary, update_ns) = timed(filled::<S>);
    let quality = summary.quality();
    quality.check(S::NAME, &S::PROMISE);
    let recall = quality.recall.map_or("-".to_owned(), |recall| format!("{recall:.3}"));
    let (error, below) = (quality.error, quality.underestimated * 100.0);
    let rest = format!("{:>10} {recall:>12} {error:>12.1e} {below:>10.1} %", summary.bytes());
    Row { name: S::NAME, fill: || drop(black_box(filled::<S>())), update_ns: vec![update_ns], rest }
}

fn distributions() -> Vec<Row> {
    let (ours, peer) = (quantiles(), histogram());
    let rest = |bytes: usize, error: f64| format!("{bytes:>10} {error:>12.1e}");
    vec![
        Row {
            name: "Quantiles, 1 %",
            fill: || drop(black_box(quantiles())),
            update_ns: Vec::new(),
            rest: rest(ours.memory_bytes(), error_max(|q| ours.quantile(q).unwrap())),
        },
        Row {
            name: "hdrhistogram 7, 2 digits",
            fill: || drop(black_box(histogram())),
            update_ns: Vec::new(),
            rest: rest(peer.distinct_values() * 8, error_max(|q| peer.value_at_quantile(q) as f64)),
        },
        Row {
            name: "sort, exact",
            fill: || drop(black_box(sorted())),
            update_ns: Vec::new(),
            rest: rest(UPDATES * 8, 0.0),
        },
    ]
}

/// Median and least of rounds in which each row runs once; a row that took seconds does not run again.
#[expect(clippy::print_stdout, reason = "a table is the purpose")]
fn print_timed(mut rows: Vec<Row>) {
    for _ in 0..ROUNDS {
        for row in &mut rows {
            if row.update_ns.iter().all(|&ns| ns < SLOW_NS) {
                row.update_ns.push(timed(row.fill).1);
            }
        }
    }
    for Row { name, update_ns, rest, .. } in &mut rows {
        update_ns.sort_by(f64::total_cmp);
        let (median, least) = (update_ns[update_ns.len() / 2], update_ns[0]);
        println!("{name:<34} {median:>9.1} {least:>6.1} {rest}");
    }
}

/// What a fill gives, and its time per update.
#[expect(clippy::disallowed_methods, reason = "measures the run, never reaches the core")]
fn timed<T>(fill: impl FnOnce() -> T) -> (T, f64) {
    let before = Instant::now();
    let filled = black_box(fill());
    (filled, before.elapsed().as_secs_f64() * 1e9 / UPDATES as f64)
}
