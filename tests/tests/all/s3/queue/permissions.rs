//! What a role may not do, and what its owner is told.

use flowscout_tests::notifications::{Notifications, Route};
use flowscout_tests::records::sum_of;
use flowscout_tests::{S3, Scratch, Service, Signal, wait_for};

use super::fixture::{Setting, failures, put};

/// A run on `bucket` of a server that allows these actions and no other.
fn start(moto: &S3, bucket: &Notifications, setting: &Setting, actions: &[&str]) -> Service {
    let scratch = Scratch::new();
    let program = setting.program(bucket, &scratch);
    let program = moto.serve(program, &moto.only_allowing_all(actions, "*"));
    Service::start(scratch, program)
}

#[test]
fn a_queue_that_may_not_be_read_ends_the_run_at_its_start() {
    let Some(moto) = S3::start() else { return };
    let bucket = Notifications::new(&moto.url(), "no-receive", Route::Direct);
    let scratch = Scratch::new();
    let program = Setting::new("").program(&bucket, &scratch);
    let key = moto.only_allowing("s3:GetObject", "*");
    let run = moto.serve(program, &key).exit_with(1);
    run.assert_says("sqs:ReceiveMessage: access denied: allow it in the role's policy");
}

#[test]
fn objects_that_may_not_be_read_are_not_given_up_and_the_permission_is_named() {
    let Some(moto) = S3::start() else { return };
    let bucket = Notifications::new(&moto.url(), "no-get", Route::Direct);
    put(&bucket, 0..1_000, 500);
    let scratch = Scratch::new();
    let setting = Setting::with_letters("tries_max = 1", &scratch);
    let mut service = start(&moto, &bucket, &setting, &["sqs:*"]);
    service.running.wait_until_says("s3:GetObject on arn:aws:s3:::no-get/logs/");
    let is_told = || service.metric("flowscout_s3_messages_given_back_total") >= 2;
    wait_for("both given back", is_told, || service.running.stderr());
    assert_eq!(failures(&service, "access_denied"), 2);
    assert_eq!(service.metric("flowscout_s3_given_up_total"), 0);
    let _ended = service.stop();
}

#[test]
fn a_message_that_could_not_be_deleted_is_known_when_it_comes_again() {
    let Some(moto) = S3::start() else { return };
    let bucket = Notifications::new(&moto.url(), "no-delete", Route::Direct);
    put(&bucket, 0..1_000, 500);
    let actions = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "s3:GetObject"];
    let mut service = start(&moto, &bucket, &Setting::new("visibility_s = 30"), &actions);
    service.running.wait_until_says("sqs:DeleteMessage: access denied");
    let is_known = || service.metric("flowscout_s3_object_repeats_total") >= 2;
    wait_for("repeats", is_known, || service.running.stderr());
    assert_eq!(service.sum(), sum_of(1_000));
    let _ended = service.running.end(Signal::Terminate);
}
