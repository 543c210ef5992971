//! Sliding distinct counts per key, a million keys and ten: the table beside maps of counters, on the same updates.
//!
//! `cargo bench -p flowscout-benches --bench table` runs all; `-- zipf1m`, `uniform1m`, `zipf10m`, `flood` or `flood24` a part. With
//! `GLIBC_TUNABLES=glibc.malloc.hugetlb=1` the table lies in huge pages; `RUSTFLAGS="-C target-cpu=native"` uses what the
//! processor has.

#![expect(clippy::print_stdout, reason = "a table is the purpose")]

mod flood;
mod subjects;

use flowscout_benches::meter::{median, thread_ns};
use flowscout_benches::scans::{Draw, Found, Plan, SCANNERS, Verdict, WINDOW_PANES};
use subjects::{Batched, Dash, Index, Ring, Single, Subject};

/// Hard, per key that is active in the busiest window.
const BYTES_PER_KEY: usize = 64;

const MILLION: Plan = Plan { keys: 1_000_000, draw: Draw::Zipf, panes: 24, background: 1_100_000 };

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    let plans = [
        ("zipf1m", "1 M keys, Zipf", MILLION),
        ("uniform1m", "1 M keys, uniform", Plan { draw: Draw::Uniform, ..MILLION }),
        ("zipf10m", "10 M keys, Zipf", Plan { keys: 10_000_000, ..MILLION }),
    ];
    for (part, title, plan) in plans {
        if is_wanted(part) {
            beside_peers(title, &plan);
        }
    }
    for (part, megabytes, found_min) in [("flood", 256, 1_000), ("flood24", 24, 990)] {
        if is_wanted(part) {
            flood::run(megabytes, found_min);
        }
    }
}

/// What a subject has shown so far.
struct Run {
    subject: Box<dyn Subject>,
    found: Found,
    bytes: i64,
    /// Processor time by pane.
    ns_per_update: Vec<f64>,
}

/// All subjects take each pane in turn, so that a busy machine slows all of them. Times are medians of the panes after the first
/// window, by processor time.
fn beside_peers(title: &str, plan: &Plan) {
    let keys = plan.active_keys_max();
    let bytes_max = keys * BYTES_PER_KEY;
    let mut runs = Vec::new();
    let mut add = |make: &dyn Fn() -> Box<dyn Subject>| {
        let mut subject = None;
        let bytes = allocation_counter::measure(|| subject = Some(make())).bytes_current;
        runs.extend(subject.map(|subject| Run {
            subject,
            found: Found::default(),
            bytes,
            ns_per_update: Vec::new(),
        }));
    };
    add(&|| Box::new(Batched::new(bytes_max)));
    add(&|| Box::new(Single::new(bytes_max)));
    add(&|| Box::new(Dash::default()));
    add(&|| Box::new(Index::default()));
    add(&|| Box::new(Ring::default()));
    let mut updates = 0;
    for pane in 0..plan.panes {
        let pane = plan.updates(pane, 0, 1);
        updates += pane.len();
        for Run { subject, found, bytes, ns_per_update } in &mut runs {
            let mut ns = 0.0;
            let measured = allocation_counter::measure(|| {
                let before = thread_ns();
                subject.pane(&pane, found);
                ns = thread_ns() - before;
            });
            *bytes += measured.bytes_current;
            ns_per_update.push(ns / pane.len() as f64);
        }
    }
    println!("\n{title}: {updates} updates, {keys} keys active in the busiest window\n");
    show(&runs, keys);
    let complete = Verdict { found: SCANNERS, falsely: 0, missed: 0 };
    runs[..2].iter().for_each(|run| {
        assert_eq!(run.found.verdict(), complete, "{}", run.subject.name());
        // Besides the table there is the list of what a batch has changed.
        assert!(run.bytes <= i64::try_from(bytes_max + (64 << 10)).unwrap_or(0));
    });
}

fn show(runs: &[Run], keys: usize) {
    println!(
        "| counter per key | window | ns per update | x `DashMap` | bytes per active key | found / false / missed | evicted / refused |"
    );
    println!("|---|---|---|---|---|---|---|");
    let dash = &runs[2].ns_per_update;
    for run in runs {
        let steady = WINDOW_PANES as usize;
        let ns = median(run.ns_per_update[steady..].to_vec());
        let ratios = dash.iter().zip(&run.ns_per_update).map(|(dash, ns)| dash / ns);
        let ratio = median(ratios.skip(steady).collect());
        let Verdict { found, falsely, missed } = run.found.verdict();
        let counters = run.subject.counters();
        println!(
            "| {} | sliding | {ns:.1} | {ratio:.2} | {:.0} | {found} / {falsely} / {missed} | {} / {} |",
            run.subject.name(),
            run.bytes as f64 / keys as f64,
            counters.evicted,
            counters.refused,
        );
    }
}
