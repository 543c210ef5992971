//! A program that is watched and signalled while it runs, as the tests of the streams need it.

use std::thread;
use std::time::Duration;

use flowscout_tests::{Signal, loadgen};

#[test]
fn a_program_is_read_while_it_runs_and_stands_still_while_it_is_stopped() {
    let endless = ["run", "--scenario", "none", "--seconds", "100000", "--target", "stdout"];
    let mut running = loadgen().args(endless).start();
    running.wait_until("it has written", |running| {
        Some(()).filter(|()| running.stdout().len() > 1000)
    });
    running.send(Signal::Stop);
    // What stands in the pipe is still read.
    thread::sleep(Duration::from_millis(200));
    let written = running.stdout().len();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(running.stdout().len(), written);
    assert!(running.is_running());
    running.send(Signal::Continue);
    running.wait_until("it writes on", |running| {
        Some(()).filter(|()| running.stdout().len() > written)
    });
    assert_eq!(running.end(Signal::Kill).code, None);
}
