//! Several tasks: one dies, one leaves, one comes.

use std::time::Duration;

use flowscout_tests::kinesis::{KinesisServer, Options};
use flowscout_tests::{Ministack, Signal};

use super::service::{Service, Setting, now, put_range, sum_of, wait_for};

const DURATION_S: u32 = 4;
const SHARDS: u64 = 6;

fn held(service: &Service) -> u64 {
    service.metric("flowscout_leases_held")
}

/// Shards of which there are series, which is those that are read.
fn read(service: &Service) -> usize {
    service.metrics("flowscout_kinesis_records_total").len()
}

fn wait_until_balanced(services: &[&Service]) {
    let most = SHARDS.div_ceil(services.len() as u64);
    let is_balanced = || {
        let held: Vec<u64> = services.iter().map(|service| held(service)).collect();
        held.iter().sum::<u64>() == SHARDS
            && held.iter().all(|held| *held <= most)
            && services.iter().map(|service| read(service) as u64).sum::<u64>() == SHARDS
    };
    let seen = || {
        let said: Vec<String> = services.iter().map(|service| service.running.stderr()).collect();
        said.join("\n===\n")
    };
    wait_for("balance", is_balanced, seen);
}

fn setting(stream: &str, ministack: &Ministack) -> Setting {
    Setting::among_others(stream, &ministack.url(), DURATION_S)
}

/// A machine that stands still for seconds, as shared ones do, must not fail a bound in time: one of three tries has to hold it.
fn holds_within(bound: Duration, took: impl Fn(u32) -> Duration) {
    let tries: Vec<Duration> = (0..3)
        .map(took)
        .scan(false, |is_held, took| {
            let goes_on = !*is_held;
            *is_held = took <= bound;
            goes_on.then_some(took)
        })
        .collect();
    assert!(tries.iter().any(|took| *took <= bound), "took {tries:?}, not {bound:?}");
}

#[test]
fn shards_of_a_killed_task_are_read_again_within_two_lease_durations() {
    let Some(ministack) = Ministack::shared() else { return };
    holds_within(Duration::from_secs(u64::from(2 * DURATION_S)), |attempt| {
        time_of_takeover(ministack, &format!("killed-of-three-{attempt}"))
    });
}

fn time_of_takeover(ministack: &Ministack, stream: &str) -> Duration {
    let server = KinesisServer::start(Options::default());
    server.create_stream(stream, u32::try_from(SHARDS).unwrap());
    let setting = setting(stream, ministack);
    let [first, second, third] = [(); 3].map(|()| setting.start(&server));
    wait_until_balanced(&[&first, &second, &third]);
    put_range(&server, stream, 0..600);
    let records =
        |services: &[&Service]| services.iter().map(|service| service.records()).sum::<u64>();
    wait_for("all", || records(&[&first, &second, &third]) >= 600, String::new);
    let checkpoints = || third.metric("flowscout_kinesis_checkpoint_age_milliseconds") == 0;
    wait_for("checkpoints", checkpoints, String::new);
    std::thread::sleep(Duration::from_secs(2));
    let before = records(&[&first, &second]);
    let _killed = third.running.end(Signal::Kill);
    let start = now();
    put_range(&server, stream, 600..1_200);
    // Two thirds of the new records lie in shards that are still read; the last third is the dead task's.
    wait_for(
        "takeover",
        || records(&[&first, &second]) >= before + 600,
        || format!("{}\n===\n{}", first.running.stderr(), second.running.stderr()),
    );
    let took = start.elapsed();
    let repeated = records(&[&first, &second]) - before - 600;
    assert_eq!(repeated, 0, "all that the dead task had folded was checkpointed");
    let _ended = (first.stop(), second.stop());
    took
}

#[test]
fn a_task_that_is_told_to_end_hands_over_within_five_seconds() {
    let Some(ministack) = Ministack::shared() else { return };
    holds_within(Duration::from_secs(5), |attempt| {
        time_of_handover(ministack, &format!("handed-over-{attempt}"))
    });
}

fn time_of_handover(ministack: &Ministack, stream: &str) -> Duration {
    let server = KinesisServer::start(Options::default());
    server.create_stream(stream, u32::try_from(SHARDS).unwrap());
    // As configured by default.
    let setting = Setting::among_others(stream, &ministack.url(), 10);
    let [first, second] = [(); 2].map(|()| setting.start(&server));
    wait_until_balanced(&[&first, &second]);
    put_range(&server, stream, 0..600);
    let total = || first.records() + second.records();
    wait_for("all", || total() >= 600, String::new);
    let before = first.sum();
    put_range(&server, stream, 600..700);
    let start = now();
    let (run, _scratch) = second.stop();
    let is_over = || read(&first) as u64 == SHARDS;
    wait_for("handover", is_over, || first.running.stderr());
    let took = start.elapsed();
    let handed_over: u64 = {
        let text = run.stderr.split("records ").nth(1).unwrap().trim_start();
        text.split(' ').next().unwrap().replace(',', "").parse().unwrap()
    };
    wait_for("the rest", || first.records() + handed_over >= 700, || first.running.stderr());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(first.records() + handed_over, 700, "before: {before:?}, of {:?}", sum_of(700));
    let _ended = first.stop();
    took
}

#[test]
fn a_new_task_gets_its_share_and_nothing_is_read_twice() {
    let Some(ministack) = Ministack::shared() else { return };
    let server = KinesisServer::start(Options::default());
    server.create_stream("share", u32::try_from(SHARDS).unwrap());
    let setting = setting("share", ministack);
    let first = setting.start(&server);
    wait_until_balanced(&[&first]);
    put_range(&server, "share", 0..300);
    let second = setting.start(&server);
    put_range(&server, "share", 300..600);
    wait_until_balanced(&[&first, &second]);
    put_range(&server, "share", 600..900);
    let total = || {
        let (first, second) = (first.sum(), second.sum());
        (first.0 + second.0, first.1 + second.1)
    };
    wait_for("all", || total().0 >= 900, || format!("{:?}", total()));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(total(), sum_of(900), "handed over, not taken: {}", first.running.stderr());
    assert_eq!(second.metric("flowscout_leases_stolen_total"), SHARDS / 2);
    let _ended = (first.stop(), second.stop());
}

#[test]
fn a_task_that_stood_still_longer_than_its_leases_last_joins_again_and_nothing_is_read_twice() {
    let Some(ministack) = Ministack::shared() else { return };
    let server = KinesisServer::start(Options::default());
    server.create_stream("stopped", u32::try_from(SHARDS).unwrap());
    let setting = setting("stopped", ministack);
    let [first, second] = [(); 2].map(|()| setting.start(&server));
    wait_until_balanced(&[&first, &second]);
    second.running.send(Signal::Stop);
    let is_over = || read(&first) as u64 == SHARDS;
    wait_for("takeover", is_over, || first.running.stderr());
    put_range(&server, "stopped", 0..600);
    wait_for("all", || first.records() >= 600, || first.running.stderr());
    std::thread::sleep(Duration::from_secs(2));
    second.running.send(Signal::Continue);
    wait_until_balanced(&[&first, &second]);
    put_range(&server, "stopped", 600..700);
    let total = || first.records() + second.records();
    wait_for("the rest", || total() >= 700, || second.running.stderr());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(
        total(),
        700,
        "nothing is read again behind a checkpoint: {}",
        second.running.stderr()
    );
    assert!(second.metric("flowscout_leases_lost_total") > 0);
    let _ended = (first.stop(), second.stop());
}
