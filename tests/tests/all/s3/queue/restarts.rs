//! Ends in mid-object, good and bad.

use flowscout_tests::Signal;
use flowscout_tests::notifications::{Notifications, Route};
use flowscout_tests::records::sum_of;
use flowscout_tests::{Ministack, wait_for};

use super::fixture::{Setting, put, wait_until_empty};

/// The shortest.
const VISIBILITY: &str = "visibility_s = 30";

#[test]
fn whatever_was_not_deleted_when_a_task_was_killed_is_read_again() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "killed", Route::Direct);
    let objects = put(&bucket, 0..60_000, 500);
    let service = Setting::new(VISIBILITY).start(&bucket);
    service.wait_for_records(5_000);
    let deleted = service.metric("flowscout_s3_messages_deleted_total");
    let _killed = service.running.end(Signal::Kill);
    let (visible, hidden) = bucket.depth();
    let left = visible + hidden;
    assert!(deleted > 0 && left > 0 && left <= objects, "{deleted} deleted, {left} left");
    let service = Setting::new(VISIBILITY).start(&bucket);
    wait_until_empty(&bucket, &service);
    assert_eq!(service.metric("flowscout_s3_objects_total"), left);
    assert_eq!(service.records(), left * 500);
    let _ended = service.stop();
}

#[test]
fn sigterm_finishes_what_was_begun_and_shows_the_rest_to_others_at_once() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "terminated", Route::Direct);
    put(&bucket, 0..60_000, 500);
    let service = Setting::new(VISIBILITY).start(&bucket);
    service.wait_for_records(5_000);
    let (run, _scratch) = service.stop();
    let (visible, hidden) = bucket.depth();
    assert_eq!(hidden, 0, "{run}");
    assert!(visible > 0, "it was stopped too late to tell anything: {run}");
    let seen = |name: &str| {
        let line = run.stderr.lines().find(|line| line.starts_with(name)).unwrap();
        let number = line[name.len()..].trim_start().split(' ').next().unwrap();
        number.replace(',', "").parse::<u64>().unwrap()
    };
    let first_records = seen("records ");
    let service = Setting::new(VISIBILITY).start(&bucket);
    service.wait_for_records(60_000 - first_records);
    wait_until_empty(&bucket, &service);
    assert_eq!(service.records() + first_records, 60_000);
    let _ended = service.stop();
}

#[test]
fn a_task_takes_what_another_one_gave_back() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "shared", Route::Direct);
    let services = [(); 2].map(|()| Setting::new(VISIBILITY).start(&bucket));
    put(&bucket, 0..20_000, 250);
    let records = || services.iter().map(|service| service.records()).sum::<u64>();
    wait_for("the records", || records() >= 20_000, || records().to_string());
    wait_until_empty(&bucket, &services[0]);
    let sums = services.each_ref().map(|service| service.sum());
    let sum = (sums[0].0 + sums[1].0, sums[0].1 + sums[1].1);
    assert_eq!(sum, sum_of(20_000), "each object is read by one of them");
    for service in services {
        let _ended = service.stop();
    }
}
