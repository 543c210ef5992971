//! The programs from outside, as their users meet them. One binary, so that it is linked once.
#![expect(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod all {
    mod accuracy;
    mod bad_input;
    mod contract;
    mod dead_letters;
    mod documented;
    mod end_to_end;
    mod examples;
    mod firehose;
    mod formats;
    mod kinesis;
    mod kinesis_servers;
    mod leases;
    mod load_targets;
    mod payloads;
    mod running;
    mod s3;
    mod vectors;
}
