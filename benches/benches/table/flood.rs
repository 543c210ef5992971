//! A hundred million spoofed keys in twelve panes, and scanners that work under their cover.

use flowscout_benches::meter::thread_ns;
use flowscout_benches::scans::{Draw, Found, Plan, Verdict, WINDOW_PANES};

use super::subjects::{Batched, Subject};

const SPOOFED: u64 = 100_000_000;
const PANES: u64 = WINDOW_PANES as u64;
/// Made, then applied: 5 MB of updates at a time.
const PARTS: u64 = 40;
/// Of the process besides the table: a part of the updates, and what has been named.
const BESIDES_BYTES: usize = 24 << 20;

/// The table has to keep to its budget at all times, the process too, to accuse nobody and to find `found_min` of 1,001.
pub(crate) fn run(megabytes: usize, found_min: u64) {
    let plan =
        Plan { keys: SPOOFED, draw: Draw::Once, panes: WINDOW_PANES, background: SPOOFED / PANES };
    let bytes_max = megabytes * 1_000_000;
    let resident_before = resident_bytes();
    let mut subject = Batched::new(bytes_max);
    let (mut found, mut updates, mut ns, mut growth_max) = (Found::default(), 0, 0.0, 0);
    for pane in 0..WINDOW_PANES {
        for part in 0..PARTS {
            let batch = plan.updates(pane, part, PARTS);
            let before = thread_ns();
            subject.pane(&batch, &mut found);
            ns += thread_ns() - before;
            updates += batch.len();
            growth_max = growth_max.max(resident_bytes().saturating_sub(resident_before));
            assert!(subject.memory_bytes() <= bytes_max);
        }
    }
    let Verdict { found, falsely, missed } = found.verdict();
    let counters = subject.counters();
    println!(
        "\nFlood of {SPOOFED} keys seen once in {WINDOW_PANES} panes, budget {megabytes} MB\n"
    );
    println!(
        "| updates | ns per update | table, MB | process grew by, MB | found / false / missed | evicted | largest evicted | refused |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    println!(
        "| {updates} | {:.0} | {:.0} | {:.0} | {found} / {falsely} / {missed} | {} | {} elements | {} |",
        ns / updates as f64,
        subject.memory_bytes() as f64 / 1e6,
        growth_max as f64 / 1e6,
        counters.evicted,
        counters.evicted_elements_max,
        counters.refused,
    );
    assert!(growth_max <= bytes_max + BESIDES_BYTES, "the process grew by {growth_max} bytes");
    assert_eq!(falsely, 0);
    assert!(found >= found_min, "{found} found");
}

/// The second field of `/proc/self/statm`, in pages of 4 KiB.
#[expect(clippy::expect_used, reason = "without the file there is nothing to measure")]
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has this file");
    let pages = text.split(' ').nth(1).and_then(|field| field.parse::<usize>().ok());
    pages.expect("the second field is a number") * 4_096
}
