//! Several workers, each with a clock of its own, share a table over a network that loses, delays and cuts; some stop for a
//! while, some die. They run the rules that the coordinator runs, the table runs [`Write::apply`].
//!
//! What must hold, always:
//! 1. No two workers believe at one moment that they hold a lease, unless it was just taken from a holder that did not give
//!    it up in time; then for less than the duration of a lease. Why: a holder believes for 95 % of the duration after it
//!    *sent* its last renewal, and whoever takes waits for the whole duration after it *saw* that renewal's counter, which
//!    cannot have been before it was sent. With clocks that run within 2 % of the true time, 0.95 / 0.98 < 1 / 1.02.
//! 2. A checkpoint is only ever written by the process that took the lease last, and never goes back.
//! 3. A checkpoint that was confirmed to the reader is in the table.
//!
//! And once all is well again:
//! 4. Within [`HEALED_DURATIONS`] each lease is held by exactly one live worker, no two workers differ by more than one
//!    lease, and it stays so.
//! 5. Every request was answered.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a failing helper is a failing test")]

#[path = "leases/simulation.rs"]
mod simulation;

use flowscout::lease::rules::{Output, Worker};
use flowscout::lease::{Checkpoint, Lease, Timing, Write, Written};
use proptest::prelude::*;
use simulation::{Fault, Kind, Plan, Simulation};

const DURATION_MS: u64 = 10_000;

/// Two until all are taken, and for each of the at most 9 leases that have to move to a fifth worker: one third until it is
/// asked for, one third until its holder learns of it, one half until it is drained, one third until it is seen. A reader
/// that hears nothing costs 3 more, once, since it then has heard all there is: 2 + 9 * 1.5 + 3 = 18.5, and a bit for luck.
const HEALED_DURATIONS: u64 = 20;

fn fault(workers: usize) -> impl Strategy<Value = Fault> {
    let kind = prop_oneof![
        Just(Kind::Partition),
        Just(Kind::Pause),
        Just(Kind::Crash),
        Just(Kind::SlowReader),
        Just(Kind::DeafReader),
    ];
    (0..workers, 0..15 * DURATION_MS, 100..4 * DURATION_MS, kind)
        .prop_map(|(worker, at_ms, length_ms, kind)| Fault { worker, at_ms, length_ms, kind })
}

fn plan() -> impl Strategy<Value = Plan> {
    (2..=5usize).prop_flat_map(|workers| {
        let clocks = prop::collection::vec((0..1_000_000u64, 980..=1020u64), workers);
        let faults = prop::collection::vec(fault(workers), 0..16);
        (any::<u64>(), clocks, 1..=12usize, faults, 0..20u64, 0..20u64).prop_map(
            |(seed, clocks, leases, faults, lost_percent, late_percent)| Plan {
                seed,
                clocks,
                leases,
                faults,
                lost_percent,
                late_percent,
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn workers_share_the_leases_whatever_happens_to_them(plan in plan()) {
        let mut simulation = Simulation::new(&plan, DURATION_MS);
        simulation.run_until(15 * DURATION_MS);
        simulation.heal();
        simulation.run_until((19 + HEALED_DURATIONS) * DURATION_MS);
        let owners = simulation.settled();
        simulation.run_until((24 + HEALED_DURATIONS) * DURATION_MS);
        prop_assert_eq!(simulation.settled(), owners, "nothing moves any more");
    }
}

#[test]
fn leases_of_a_killed_worker_are_held_by_others_within_two_durations() {
    for seed in 0..200 {
        let clocks = vec![(5, 980), (70_000, 1020), (900, 1000)];
        let plan =
            Plan { seed, clocks, leases: 12, faults: Vec::new(), lost_percent: 0, late_percent: 0 };
        let mut simulation = Simulation::new(&plan, DURATION_MS);
        simulation.run_until(20 * DURATION_MS + seed * 97);
        let owners = simulation.settled();
        assert_eq!(owners.len(), 12);
        simulation.kill(0);
        simulation.run_until(22 * DURATION_MS + seed * 97);
        simulation.assert_all_held();
    }
}

#[test]
fn a_survivor_looks_when_the_leases_of_a_killed_worker_expire() {
    for seed in 0..100 {
        let clocks = vec![(5, 1020), (70_000, 980)];
        let plan =
            Plan { seed, clocks, leases: 12, faults: Vec::new(), lost_percent: 0, late_percent: 0 };
        let mut simulation = Simulation::new(&plan, DURATION_MS);
        let start_ms = 20 * DURATION_MS + seed * 97;
        simulation.run_until(start_ms);
        assert_eq!(simulation.settled().len(), 12);
        simulation.kill(0);
        // A third until the last renewal is seen, one until it is expired, both by a clock that is 2 % too slow.
        simulation.run_until(start_ms + DURATION_MS * 145 / 100);
        simulation.assert_all_held();
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let faults = vec![Fault { worker: 1, at_ms: 30_000, length_ms: 25_000, kind: Kind::Partition }];
    let clocks = vec![(0, 1000), (7, 990), (9, 1010)];
    let plan = Plan { seed: 7, clocks, leases: 7, faults, lost_percent: 5, late_percent: 5 };
    let [one, other] = [0, 1].map(|_| {
        let mut simulation = Simulation::new(&plan, DURATION_MS);
        simulation.run_until(15 * DURATION_MS);
        simulation.table()
    });
    assert_eq!(one, other);
    assert!(one.iter().any(|lease| lease.counter > 20), "{one:?}");
}

#[test]
fn an_eviction_that_arrives_after_the_lease_was_taken_again_does_nothing() {
    let mut lease = Lease::new("s".into(), Checkpoint::TrimHorizon);
    let take =
        |counter| Write::Take { key: "s".into(), counter, owner: "me".into(), is_switch: false };
    let evict = |counter| Write::Evict {
        key: "s".into(),
        counter,
        owner: Some("me".into()),
        checkpoint_owner: None,
    };
    for write in [take(0), evict(1), take(2)] {
        lease = write.apply(Some(&lease)).unwrap().unwrap();
    }
    // It was tried twice, and the first try was on its way for long.
    assert!(evict(1).apply(Some(&lease)).is_err());
}

#[test]
fn a_belief_is_counted_from_when_the_write_was_sent() {
    let timing = Timing { duration_ms: DURATION_MS, ..Timing::default() };
    let mut lease = Lease::new("s".into(), Checkpoint::TrimHorizon);
    let mut worker = Worker::new("me".into(), timing, 1, 0);
    worker.scanned(100, Ok(vec![lease.clone()]));
    let mut outputs = std::iter::from_fn(|| worker.next_output());
    let Some(Output::Write { id, write }) = outputs.find(|it| matches!(it, Output::Write { .. }))
    else {
        panic!("a take")
    };
    lease = write.apply(Some(&lease)).unwrap().unwrap();
    worker.written(1_100, id, Ok(Written::Done { now: Some(lease.clone()) }));
    let last_ms = 100 + timing.belief_ms() - 1;
    assert!(worker.belief(last_ms, &lease.key).is_some());
    assert!(worker.belief(last_ms + 1, &lease.key).is_none());
}
