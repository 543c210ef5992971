//! Distinct counters side by side: time, memory and error of ours and of those of other crates.
//!
//! `cargo bench -p flowscout-benches --bench distinct` prints two tables; `-- speed` or `-- error` one of them.

#![expect(clippy::print_stdout, reason = "a table is the purpose")]

use flowscout_benches::counters::{self, Subject};
use flowscout_benches::meter::median;

/// Distinct elements of the speed table: two in the exact tier, two in the sketch tier.
const SIZES: [usize; 4] = [16, 100, 10_000, 100_000];
/// Distinct elements of the error table.
const ERROR_SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];
/// Streams of different elements, each under a key of its own.
const SEEDS: u64 = 60;
/// All counters take a turn in each round, so that a busy machine slows all of them.
const ROUNDS: usize = 15;
/// Elements or calls of one measurement: about a millisecond.
const CALLS: usize = 200_000;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    if is_wanted("error") {
        errors();
    }
    if is_wanted("speed") {
        speeds();
    }
}

/// Root mean square errors over the seeds, and bytes. Ours must keep to what they claim; a peer that does not is marked.
fn errors() {
    println!(
        "| counter | window | bytes at {} | % error at {} | % claimed |",
        list(&SIZES),
        list(&ERROR_SIZES)
    );
    println!("|---|---|---|---|---|");
    for subject in counters::all() {
        let claimed = 100.0 * subject.theory;
        let window = if subject.slides { "sliding" } else { "none" };
        let (bytes, errors) = (bytes(&subject), errors_of(&subject).join(" / "));
        println!("| {} | {window} | {bytes} | {errors} | {claimed:.2} |", subject.name);
    }
}

fn errors_of(subject: &Subject) -> Vec<String> {
    let largest = ERROR_SIZES[ERROR_SIZES.len() - 1];
    let mut squares = [0.0; ERROR_SIZES.len()];
    for seed in 0..SEEDS {
        let hashes = counters::hashes(seed, 0, largest as u64);
        let estimates = (subject.estimates)(&hashes, &ERROR_SIZES);
        for ((sum, estimate), distinct) in squares.iter_mut().zip(estimates).zip(ERROR_SIZES) {
            *sum += (estimate / distinct as f64 - 1.0).powi(2);
        }
    }
    let show = |(sum, distinct): (f64, usize)| {
        let error = (sum / SEEDS as f64).sqrt();
        let is_kept = error <= subject.error_max(distinct, SEEDS);
        assert!(is_kept || subject.is_peer, "{}, {distinct} distinct: {error}", subject.name);
        format!("{:.2}{}", 100.0 * error, if is_kept { "" } else { " **(!)**" })
    };
    squares.into_iter().zip(ERROR_SIZES).map(show).collect()
}

/// What the allocator gave, the counter itself included.
fn bytes(subject: &Subject) -> String {
    let held = SIZES.map(|size| {
        let hashes = counters::hashes(1, 0, size as u64);
        let mut counter = None;
        let measured = allocation_counter::measure(|| counter = Some((subject.hold)(&hashes)));
        measured.bytes_current.to_string()
    });
    held.join(" / ")
}

/// Medians of the rounds, by processor time.
fn speeds() {
    println!(
        "| counter | window | ns per insert at {} | ns per estimate at {} | ns per merge |",
        list(&SIZES),
        list(&SIZES[1..])
    );
    println!("|---|---|---|---|---|");
    let subjects = counters::all();
    let streams = SIZES.map(|size| counters::hashes(1, 0, size as u64));
    let largest = SIZES[SIZES.len() - 1] as u64;
    let other = counters::hashes(1, largest / 2, largest);
    let mut rounds = vec![Vec::new(); subjects.len()];
    for _ in 0..ROUNDS {
        for (subject, rounds) in subjects.iter().zip(&mut rounds) {
            let insert =
                |hashes: &Vec<u64>| (subject.insert_ns)(hashes, CALLS.div_ceil(hashes.len()));
            let estimate = |hashes: &Vec<u64>| (subject.estimate_ns)(hashes, CALLS / 200);
            let merge = (subject.merge_ns)([&streams[3], &other], CALLS / 20);
            let of_inserts = streams.iter().map(insert);
            rounds
                .push(of_inserts.chain(streams[1..].iter().map(estimate)).chain([merge]).collect());
        }
    }
    for (subject, rounds) in subjects.iter().zip(&rounds) {
        let window = if subject.slides { "sliding" } else { "none" };
        let medians: Vec<f64> = (0..8).map(|column| middle(rounds, column)).collect();
        let [inserts, estimates, merge] =
            [&medians[..4], &medians[4..7], &medians[7..]].map(show_ns);
        println!("| {} | {window} | {inserts} | {estimates} | {merge} |", subject.name);
    }
}

fn middle(rounds: &[Vec<f64>], column: usize) -> f64 {
    median(rounds.iter().map(|round| round[column]).collect())
}

fn show_ns(values: &[f64]) -> String {
    let show = |ns: &f64| if *ns < 100.0 { format!("{ns:.1}") } else { format!("{ns:.0}") };
    values.iter().map(show).collect::<Vec<_>>().join(" / ")
}

fn list(sizes: &[usize]) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" / ")
}
