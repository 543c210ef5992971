//! `flowscout replay` and `decode` of objects: against the same objects as files, choosing them by time, and what is said when
//! they cannot be had.

use std::fmt::Write as _;
use std::fs;

use base64_turbo::STANDARD;
use flowscout_tests::{
    AccessKey, Ministack, Program, Run, S3, Scratch, Traffic, flowscout, gzip, loadgen,
};
use serde_json::{Value, json};

/// A server with an empty bucket `flows`, of which anyone may do anything.
fn flows() -> Option<S3> {
    let s3 = S3::start()?;
    s3.create_bucket("flows");
    Some(s3)
}

fn replay(s3: &S3, arguments: &[&str]) -> Program {
    let program = flowscout().arg("replay").args(arguments).args(["--report", "json"]);
    s3.serve(program, &AccessKey::unknown())
}

fn line(time_s: u64) -> String {
    let start_s = time_s - 60;
    format!("2 1 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 40 {start_s} {time_s} ACCEPT OK\n")
}

fn count(run: &Run, name: &str) -> u64 {
    run.report()[name].as_u64().unwrap()
}

fn problems(run: &Run) -> Vec<String> {
    let report = run.report();
    let problems = report["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem.as_str().unwrap().to_owned()).collect()
}

/// 2026-01-02T00:00:00Z.
const DAY_S: u64 = 1_767_312_000;

fn name(slot: &str) -> String {
    format!("111122223333_vpcflowlogs_us-east-1_fl-0123_{slot}_a1b2.log.gz")
}

/// What a replay says and signals, but for the time it took and where its inputs are.
fn told(scratch: &Scratch, program: Program, from: &str) -> (Value, String, String) {
    let (signals, letters) = (scratch.path("signals.jsonl"), scratch.path("letters.jsonl"));
    let program = program.arg("--signals").arg(&signals).arg("--dead-letters").arg(&letters);
    let run = program.with_hash_key().exit_with(1);
    let mut report: Value = serde_json::from_str(&run.stderr.replace(from, "")).unwrap();
    let fields = report.as_object_mut().unwrap();
    for field in ["elapsed_s", "records_per_s"] {
        fields.remove(field).unwrap();
    }
    let [signals, letters] = [signals, letters].map(|path| fs::read_to_string(path).unwrap());
    (report, signals, letters.replace(from, ""))
}

#[test]
fn objects_in_all_of_awss_layouts_give_the_report_of_the_same_files() {
    let Some(s3) = flows() else { return };
    let layouts: [&[&str]; 4] =
        [&[], &["--hive", "--hourly"], &["--parquet"], &["--parquet", "--hive", "--hourly"]];
    for (number, layout) in layouts.iter().enumerate() {
        let prefix = format!("of/{number}");
        let put = loadgen().args(["run", "--rate", "20", "--files-per-slot", "2"]).args(*layout);
        let put = put.args(["--target", &format!("s3://flows/{prefix}")]);
        drop(s3.serve(put, &AccessKey::unknown()).succeed());
        let folder = format!("{prefix}/AWSLogs/1/vpcflowlogs/r/2026/01/01");
        // What is refused, and what breaks off, is told in its place too.
        s3.put(
            "flows",
            &format!("{folder}/{}", name("20260101T0050Z")),
            b"version start\nx y\nz\n",
        );
        let broken = &gzip(line(DAY_S).repeat(1000).as_bytes())[..200];
        s3.put("flows", &format!("{folder}/{}", name("20260101T0055Z")), broken);
        s3.put("flows", &format!("{prefix}/README"), b"no log");

        let scratch = Scratch::new();
        for object in s3.objects("flows", &prefix) {
            let path = scratch.path(&object.key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, object.content).unwrap();
        }
        let local = scratch.path(&prefix);
        let url = format!("s3://flows/{prefix}");
        let replay = |path: &str| flowscout().args(["replay", path, "--report", "json"]);
        let of_files = told(&scratch, replay(local.to_str().unwrap()), local.to_str().unwrap());
        let of_s3 = s3.serve(replay(&url), &AccessKey::unknown());
        let of_s3 = told(&scratch, of_s3, &url);
        assert!(of_files.0["records"].as_u64().unwrap() > 100_000, "{}", of_files.0);
        assert!(of_files.1.lines().count() > 5 && of_files.2.lines().count() == 2, "{of_files:?}");
        assert_eq!(of_files, of_s3, "{layout:?}");
    }
}

#[test]
fn another_server_gives_what_was_put_into_it() {
    let Some(server) = Ministack::shared() else { return };
    server.create_bucket("replayed");
    let traffic = Traffic::thin();
    let of_file = flowscout().args(["replay", "--report", "json"]).arg(&traffic.flows).succeed();
    for layout in [&["--hive", "--hourly"][..], &["--parquet"]] {
        let url = format!("s3://replayed/{}", layout.len());
        let put = loadgen().args(["run", "--rate", "20", "--target", &url]).args(layout);
        drop(server.serve(put).env("AWS_ALLOW_HTTP", "true").succeed());
        let replay = flowscout().args(["replay", &url, "--report", "json"]);
        let of_s3 = server.serve(replay).succeed();
        for name in ["records", "bytes", "rejected_records", "no_data_records"] {
            assert_eq!(count(&of_s3, name), count(&of_file, name), "{name}: {of_s3}");
        }
        // Half an hour, of which all slots are told by their names.
        let half = ["--from", "2026-01-01T00:30:00Z", "--to", "2026-01-01T01:00:00Z"];
        let replay = flowscout().args(["replay", &url, "--report", "json"]).args(half);
        let of_half = server.serve(replay).succeed();
        let (all, half) = (count(&of_s3, "records"), count(&of_half, "records"));
        assert!(half * 5 > all && half * 3 < all, "{half} of {all}");
        let time = of_half.report()["event_time"].to_string();
        assert!(!time.contains("T01:05") && !time.contains("T00:2"), "{time}");
    }
}

#[test]
fn a_range_of_dates_takes_what_its_names_say() {
    let Some(s3) = flows() else { return };
    let hours = [0, 12, 23];
    for day in 1..=4 {
        for hour in hours {
            let text = line(DAY_S + day * 86_400 + hour * 3600 - 2 * 86_400 + 10);
            let slot = format!("202601{day:02}T{hour:02}00Z");
            let plain = format!("p/AWSLogs/1/vpcflowlogs/r/2026/01/{day:02}/{}", name(&slot));
            let hive = format!("h/year=2026/month=01/day={day:02}/hour={hour:02}/{}", name(&slot));
            for key in [plain, hive] {
                s3.put("flows", &key, &gzip(text.as_bytes()));
            }
        }
    }
    for (from, to, records) in [
        (None, None, 12),
        (Some("2026-01-02"), None, 9),
        (None, Some("2026-01-02"), 3),
        (Some("2026-01-02"), Some("2026-01-04"), 6),
        (Some("2026-01-02T12:00:00Z"), Some("2026-01-02T23:00:00Z"), 1),
        (Some("2026-01-02T13:00:00+01:00"), Some("2026-01-02T23:00:01Z"), 2),
    ] {
        for url in ["s3://flows/p", "s3://flows/h/"] {
            let mut arguments = vec![url];
            arguments.extend(from.iter().flat_map(|from| ["--from", from]));
            arguments.extend(to.iter().flat_map(|to| ["--to", to]));
            let run = replay(&s3, &arguments).succeed();
            assert_eq!(count(&run, "records"), records, "{arguments:?}");
        }
    }
    let nothing = ["s3://flows/p", "--from", "2027-01-01"];
    replay(&s3, &nothing).exit_with(2).assert_says("s3://flows/p/: no flow-log object below");
    let turned = ["s3://flows/p", "--from", "2026-01-03", "--to", "2026-01-03"];
    replay(&s3, &turned).exit_with(2).assert_says("--from must be before --to");
    let unknown = ["s3://flows/p", "--from", "yesterday"];
    replay(&s3, &unknown).exit_with(2).assert_says("not a time such as 2026-01-02");
    replay(&s3, &["-", "--from", "2026-01-03"]).exit_with(2).assert_says("s3://BUCKET/PREFIX");
}

#[test]
fn a_url_of_one_object_means_that_one_and_others_with_files_are_sorted_by_their_slots() {
    let Some(s3) = flows() else { return };
    let scratch = Scratch::new();
    s3.put("flows", "p/export", line(DAY_S).as_bytes());
    s3.put("flows", "p/b/later.log", line(DAY_S + 900).as_bytes());
    let slot = format!("p/{}", name("20260102T0005Z"));
    s3.put("flows", &slot, &gzip(line(DAY_S + 300).as_bytes()));
    s3.put("flows", "p/empty.log", b"");
    let file = scratch.file(&name("20260102T0000Z"), gzip(line(DAY_S + 60).as_bytes()));
    let ends = |arguments: &[&str]| -> Vec<u64> {
        let decode = flowscout().arg("decode").args(arguments);
        let run = s3.serve(decode, &AccessKey::unknown()).succeed();
        run.json_lines().iter().map(|line| line["end"].as_u64().unwrap() - DAY_S).collect()
    };
    // Not called as a log is, and of any time.
    assert_eq!(ends(&["s3://flows/p/export"]), [0]);
    let old = replay(&s3, &["s3://flows/p/export", "--to", "2020-01-01"]).succeed();
    assert_eq!(count(&old, "records"), 1);
    assert_eq!(ends(&["s3://flows/p", "s3://flows/p/b", "s3://flows/p/b/later.log"]), [900, 300]);
    assert_eq!(ends(&["s3://flows/p/", file.to_str().unwrap()]), [900, 60, 300]);
    assert_eq!(ends(&["s3://flows"]), [900, 300]);
    assert_eq!(ends(&["s3://flows/p/empty.log"]), [0; 0]);
    let missing = replay(&s3, &["s3://flows/p/nowhere.log"]).exit_with(2);
    missing.assert_says("s3://flows/p/nowhere.log/: no flow-log object below this prefix");
    replay(&s3, &["s3://flows/p/*.log"]).exit_with(2).assert_says("patterns are not matched in S3");
    replay(&s3, &["gs://flows/p"]).exit_with(2).assert_says("only s3://BUCKET/PREFIX");
    let secret = replay(&s3, &["s3://AKIAIOSFODNN7EXAMPLE:c2VjcmV0@flows/p"]).exit_with(2);
    assert!(!secret.stderr.contains("c2VjcmV0"), "{secret}");
}

#[test]
fn what_firehose_could_not_deliver_is_replayed_from_its_backup() {
    let Some(s3) = flows() else { return };
    let uuid = "0e5f2a3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c";
    let mut backup = String::new();
    for number in 0..3 {
        let message = json!({ "message": line(DAY_S + number).trim_end() }).to_string();
        let raw = if number < 2 { message } else { line(DAY_S + number) };
        let failed = json!({ "attemptsMade": 4, "arrivalTimestamp": 1_767_312_000_000_u64,
            "errorCode": "HttpEndpoint.DestinationException", "errorMessage": "503",
            "attemptEndingTimestamp": 1_767_312_300_000_u64, "rawData": STANDARD.encode(&raw),
            "subsequenceNumber": 0, "dataId": format!("4966{number}") });
        writeln!(backup, "{failed}").unwrap();
    }
    let folder = "flows/http-endpoint-failed/2026/01/02/03";
    let key = format!("{folder}/to-flowscout-1-2026-01-02-03-04-05-{uuid}");
    s3.put("flows", &key, backup.as_bytes());
    for url in ["s3://flows/flows/http-endpoint-failed/", "s3://flows"] {
        let range = ["--from", "2026-01-02T03:00:00Z", "--to", "2026-01-02T04:00:00Z"];
        let run = replay(&s3, &[&[url], &range[..]].concat()).succeed();
        assert_eq!((count(&run, "records"), count(&run, "refused_lines")), (3, 0));
    }
}

#[test]
fn an_object_that_cannot_be_read_is_a_problem_and_the_rest_goes_on() {
    let Some(s3) = flows() else { return };
    let lines: String = (0..5000).map(|second| line(DAY_S + second)).collect();
    let whole = gzip(lines.as_bytes());
    s3.put("flows", "p/a.log.gz", &whole);
    s3.put("flows", "p/b.log.gz", &whole[..whole.len() / 2]);
    s3.put("flows", "p/c.log.parquet", b"PAR1 and nothing more");
    s3.put("flows", "p/d.log.gz", &whole);
    let run = replay(&s3, &["s3://flows/p"]).exit_with(1);
    assert!(count(&run, "records") > 10_000 && count(&run, "records") < 15_000, "{run}");
    let problems = problems(&run);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("s3://flows/p/b.log.gz:"), "{problems:?}");
    assert!(problems[0].contains("cannot read on: "), "{problems:?}");
    assert!(problems[1].starts_with("s3://flows/p/c.log.parquet: "), "{problems:?}");
}

#[test]
fn a_bucket_or_a_permission_that_is_missing_is_named() {
    let Some(s3) = flows() else { return };
    s3.put("flows", "p/a.log", line(DAY_S).as_bytes());
    s3.put("flows", "p/b.log", line(DAY_S).as_bytes());
    let run = replay(&s3, &["s3://nowhere/p"]).exit_with(1);
    run.assert_says("s3://nowhere/p/: cannot list: not found (NoSuchBucket");
    run.assert_says("is there a bucket nowhere?");

    let lister = s3.only_allowing("s3:ListBucket", "arn:aws:s3:::flows");
    let program = flowscout().args(["replay", "s3://flows/p", "--report", "json"]);
    let run = s3.serve(program, &lister).exit_with(1);
    let said = problems(&run);
    let expected = "access denied (AccessDenied: Access Denied); the role or user needs s3:GetObject on \
                    arn:aws:s3:::flows/p/";
    for (problem, name) in said.iter().zip(["a.log", "b.log"]) {
        let expected = format!("s3://flows/p/{name}: {expected}{name}");
        assert!(problem.starts_with(&expected), "{problem}");
    }
    assert_eq!((said.len(), count(&run, "records")), (2, 0));
    assert!(!run.stderr.contains(lister.secret()));

    let Some(s3) = flows() else { return };
    s3.put("flows", "p/a.log", line(DAY_S).as_bytes());
    let reader = s3.only_allowing("s3:GetObject", "arn:aws:s3:::flows/p/*");
    let read = |url: &str| s3.serve(flowscout().args(["decode", url]), &reader);
    // One object needs no permission to list.
    assert_eq!(read("s3://flows/p/a.log").succeed().json_lines().len(), 1);
    let run = read("s3://flows/p/").exit_with(1);
    run.assert_says("s3://flows/p/: cannot list: access denied (AccessDenied");
    run.assert_says("needs s3:ListBucket on arn:aws:s3:::flows");
    let program = flowscout().args(["decode", "s3://flows/p"]);
    let run = s3.serve(program, &AccessKey::unknown()).exit_with(1);
    run.assert_says("the credentials are not accepted (InvalidAccessKeyId");
}

#[test]
fn large_objects_and_bombs_are_replayed_in_bounded_memory() {
    let Some(s3) = flows() else { return };
    let traffic = Traffic::thin();
    let lines = traffic.lines();
    let times = 200_000_000 / lines.len() + 1;
    let large = gzip(&lines.repeat(times));
    assert!(large.len() > 3 * (8 << 20), "{} bytes are several ranges", large.len());
    let records = times * lines.iter().filter(|byte| **byte == b'\n').count();
    for number in 0..2 {
        s3.put("flows", &format!("large/{number}.log.gz"), &large);
    }
    let run = replay(&s3, &["s3://flows/large"]).succeed();
    let memory_bytes = run.memory_bytes_max;
    assert!(memory_bytes < 200_000_000, "{memory_bytes}: {run}");
    let report = run.report();
    let silent = ["no_data_records", "skipped_data_records"].map(|name| count(&run, name));
    let seen = count(&run, "records") + silent[0] + silent[1];
    assert_eq!(seen, 2 * records as u64, "{report}");

    s3.put("flows", "bomb/a.log.gz", &gzip(&vec![b'0'; 64 << 20]));
    s3.put("flows", "bomb/b.log.gz", &gzip(&gzip(&vec![b'\n'; 64 << 20])));
    let run = replay(&s3, &["s3://flows/bomb"]).succeed();
    assert_eq!(count(&run, "refused_lines"), 1);
    assert!(run.memory_bytes_max < 100_000_000, "{}: {run}", run.memory_bytes_max);
}
