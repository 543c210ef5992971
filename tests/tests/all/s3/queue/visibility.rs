//! Messages stay hidden for as long as their objects are worked on, whatever the data path does.

use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::thread;
use std::time::Duration;

use flowscout_tests::notifications::{Notifications, Route};
use flowscout_tests::records::sum_of;
use flowscout_tests::{Ministack, Scratch, Service, Signal, gzip, wait_for};

use super::fixture::{Setting, put, wait_until_empty};

/// A run whose data path stands still in the middle of an object.
struct Stalled {
    service: Service,
    /// Whoever reads from it lets the data path go on.
    reader: File,
}

impl Stalled {
    fn start(bucket: &Notifications) -> Self {
        let scratch = Scratch::new();
        let pipe = scratch.path("letters");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        // Dead letters go to a pipe that nobody empties.
        let reader = thread::spawn(move || File::open(pipe).unwrap());
        let setting = Setting::with_letters("visibility_s = 30", &scratch);
        let service = setting.start_in(bucket, scratch);
        let reader = reader.join().unwrap();
        // Longer than a pipe holds, as refused lines.
        bucket.put("nonsense.log.gz", &gzip("?".repeat(60_000).repeat(40).as_bytes()));
        let is_begun = || service.metric("flowscout_s3_bytes_total") > 0;
        wait_for("a begun object", is_begun, String::new);
        Self { service, reader }
    }
}

#[test]
fn a_message_stays_hidden_while_the_data_path_stands_still_and_counts_once_when_it_is_seen_again() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "stalled", Route::Direct);
    let Stalled { service, mut reader } = Stalled::start(&bucket);
    put(&bucket, 0..2_000, 500);
    thread::sleep(Duration::from_secs(40));
    let extensions = service.metric("flowscout_s3_extensions_total");
    assert!(extensions >= 3, "{extensions} extensions");
    let in_hand = bucket.depth();
    assert!(in_hand.1 >= 1, "{in_hand:?}");
    let seen: Vec<String> = bucket.peek().into_iter().map(|message| message.body).collect();
    assert!(!seen.iter().any(|body| body.contains("nonsense")), "{seen:?}");
    // A task that stands still as a whole cannot keep it: another reader gets the message, and so does this one later.
    service.running.send(Signal::Stop);
    wait_for("a timeout", || bucket.depth().1 == 0, || format!("{:?}", bucket.depth()));
    service.running.send(Signal::Continue);
    let empties =
        thread::spawn(move || drop(std::io::copy(&mut reader.by_ref(), &mut std::io::sink())));
    wait_until_empty(&bucket, &service);
    assert_eq!(service.sum(), sum_of(2_000));
    let _ended = service.stop();
    empties.join().unwrap();
}

#[test]
fn what_cannot_be_finished_in_time_is_given_back_before_the_end() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "unfinished", Route::Direct);
    let Stalled { service, reader } = Stalled::start(&bucket);
    service.running.send(Signal::Terminate);
    let run = service.running.wait();
    assert_eq!(run.code, Some(1), "the data path still stands: {run}");
    run.assert_says("not all objects were read to their ends");
    assert_eq!(bucket.depth().1, 0, "nobody waits for a timeout: {run}");
    drop(reader);
}
