//! `s3://BUCKET/PREFIX`: files as AWS publishes them, which give the same totals as the lines themselves.

use std::collections::BTreeSet;
use std::fs;

use flowscout_tests::{AccessKey, Object, S3, Scratch, flowscout, loadgen};
use serde_json::Value;

use super::{TRAFFIC, number_of};

const ACTION: &str = "s3:PutObject";

/// Forty minutes, from eight minutes before midnight.
const LONGER: [&str; 6] = ["--seconds", "2400", "--start", "1767225120", "--format", "recommended"];

fn arguments<'a>(target: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    let traffic = &TRAFFIC[..6];
    [&["run"], traffic, &LONGER, &["--target", target], options].concat()
}

/// What a replay says about traffic, whatever it is stored in.
fn totals(scratch: &Scratch, names: &str) -> Value {
    let replay = flowscout().arg("replay").arg(scratch.path(names)).args(["--report", "json"]);
    let mut report = replay.succeed().report();
    let names = ["records", "bytes", "refused_lines", "event_time"];
    let known = names.map(|name| (name.to_owned(), report[name].take()));
    assert!(known.iter().all(|(_, value)| !value.is_null()), "{known:?}");
    Value::Object(known.into_iter().collect())
}

fn expected() -> Value {
    let scratch = Scratch::new();
    let target = format!("file:{}", scratch.path("flows.log").display());
    assert_eq!(loadgen().args(arguments(&target, &["--header"])).succeed().stderr, "");
    totals(&scratch, "flows.log")
}

/// What the objects of a run give when they are downloaded.
fn downloaded(objects: &[Object]) -> Value {
    let scratch = Scratch::new();
    for object in objects {
        let name = object.key.rsplit('/').next().unwrap();
        fs::write(scratch.path(name), &object.content).unwrap();
    }
    assert_eq!(fs::read_dir(scratch.folder()).unwrap().count(), objects.len());
    totals(&scratch, "*.log.*")
}

#[test]
fn files_of_every_layout_give_the_totals_of_the_lines() {
    let Some(s3) = S3::start() else { return };
    s3.create_bucket("flows");
    let key = s3.only_allowing(ACTION, "arn:aws:s3:::flows/*");
    let plain = "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/01/01/12";
    let hive = "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/\
                year=2026/month=01/day=01/hour=00/12";
    let layouts: [(&str, &[&str], &str); 4] = [
        ("text", &[], plain),
        ("deep/er", &["--hive", "--hourly"], hive),
        ("parquet", &["--parquet"], plain),
        ("many", &["--files-per-slot", "3", "--object-bytes", "65536"], plain),
    ];
    for (prefix, options, folder) in layouts {
        let target = format!("s3://flows/{prefix}/");
        let run = s3.serve(loadgen().args(arguments(&target, options)), &key).succeed();
        let objects = s3.objects("flows", &format!("{prefix}/"));
        assert_eq!(number_of("objects", &run.stderr), objects.len() as u64);
        assert!(objects.iter().any(|object| object.key.starts_with(&format!("{prefix}/{folder}"))));
        let slots: BTreeSet<&str> =
            objects.iter().map(|object| object.key.rsplit('_').nth(1).unwrap()).collect();
        assert_eq!(slots.first(), Some(&"20251231T2350Z"));
        assert_eq!(slots.len(), 9, "{slots:?}");
        if prefix == "many" {
            assert!(objects.len() > 27)
        } else {
            assert_eq!(objects.len(), 9)
        }
        assert_eq!(downloaded(&objects), expected(), "{prefix}");
    }
}

#[test]
fn a_bucket_that_refuses_ends_the_run_and_says_why() {
    let Some(mut s3) = S3::start() else { return };
    s3.create_bucket("flows");
    let key = s3.only_allowing(ACTION, "arn:aws:s3:::flows/allowed/*");
    let run = |s3: &S3, target: &str, key: &AccessKey| {
        s3.serve(loadgen().args(arguments(target, &[])), key).exit_with(1)
    };
    let denied = run(&s3, "s3://flows/denied", &key);
    denied.assert_says("AccessDenied");
    denied.assert_says("put 0 objects, 0 lines");
    assert!(!denied.stderr.contains(key.secret()));
    run(&s3, "s3://flows/allowed", &AccessKey::unknown()).assert_says("InvalidAccessKeyId");
    s3.stop();
}
