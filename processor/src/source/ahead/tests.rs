//! Objects that answer slowly and out of order.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::batch::Content;
use crate::source::object::Object;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

const WAIT: Duration = Duration::from_millis(20);

/// A store of objects that take a while to answer.
fn store(objects: &[(String, String)]) -> Arc<dyn ObjectStore> {
    let store = InMemory::new();
    for (key, content) in objects {
        let key = Path::from(key.as_str());
        RUNTIME.block_on(store.put(&key, content.clone().into())).unwrap();
    }
    let waits = ThrottleConfig { wait_get_per_call: WAIT, ..ThrottleConfig::default() };
    Arc::new(ThrottledStore::new(store, waits))
}

fn listed(store: &Arc<dyn ObjectStore>, key: &str, bytes: u64) -> Input {
    let object = Object { bucket: "flows".into(), key: key.into() };
    Input::Object(Listed { object, bytes, store: Arc::clone(store) })
}

fn read(inputs: Vec<Input>) -> (String, Vec<String>) {
    let (mut text, mut problems) = (String::new(), Vec::new());
    for item in Inputs::new(inputs, Columns::Used, Some(RUNTIME.handle().clone())) {
        match item {
            Ok(Batch { content: Content::Lines(lines), .. }) => {
                text += std::str::from_utf8(&lines.bytes).unwrap();
            }
            Ok(batch) => panic!("{batch:?}"),
            Err(error) => problems.push(error.to_string()),
        }
    }
    (text, problems)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a bound on time is what is tested")]
fn many_objects_and_files_come_in_the_order_of_the_list_and_wait_together() {
    let objects: Vec<(String, String)> = (0..200)
        .map(|number| {
            let mut text = String::new();
            let lines = if number % 40 == 0 { 100_000 } else { 3 };
            (0..lines).for_each(|line| writeln!(text, "{number} {line}").unwrap());
            (format!("{number}.log"), text)
        })
        .collect();
    let store = store(&objects);
    let mut inputs: Vec<Input> =
        objects.iter().map(|(key, text)| listed(&store, key, text.len() as u64)).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "of a file\n").unwrap();
    inputs.insert(77, Input::File(file.path().to_owned()));
    let mut expected: Vec<&str> = objects.iter().map(|(_, text)| text.as_str()).collect();
    expected.insert(77, "of a file\n");
    let begun = std::time::Instant::now();
    let (text, problems) = read(inputs);
    assert!(text == expected.concat() && problems.is_empty(), "{problems:?}");
    // One after the other would wait for 4 s.
    assert!(begun.elapsed() < WAIT * 200 / 2, "{:?}", begun.elapsed());
}

#[test]
fn an_object_that_cannot_be_read_is_a_problem_in_its_place_and_the_rest_goes_on() {
    let store = store(&[("a".into(), "a\n".into()), ("c".into(), "c\n".into())]);
    let (text, problems) = read(["a", "b", "c"].map(|key| listed(&store, key, 2)).into());
    assert_eq!(text, "a\nc\n");
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("s3://flows/b: not found ("), "{problems:?}");
    let inputs = Inputs::new(vec![listed(&store, "a", 2)], Columns::Used, None);
    let lost: Vec<_> = inputs.collect();
    assert!(matches!(&lost[..], [Err(SourceError::Object { .. })]), "{lost:?}");
}

#[test]
fn large_objects_are_read_four_at_a_time_and_one_that_is_larger_alone() {
    let store = store(&[]);
    let under_way = |bytes: u64, key: &str| {
        let inputs = (0..30).map(|number| listed(&store, &format!("{number}{key}"), bytes));
        let runtime = Some(RUNTIME.handle().clone());
        let mut inputs = Inputs::new(inputs.collect(), Columns::Used, runtime);
        inputs.look_ahead();
        inputs.underway.len()
    };
    assert_eq!(under_way(1000, ".log.gz"), AHEAD_MAX);
    let text_of_aws = "_vpcflowlogs_us-east-1_fl-1_20260102T0304Z_a.log.gz";
    assert_eq!(under_way(1 << 20, text_of_aws), AHEAD_MAX);
    assert_eq!(under_way(1 << 40, text_of_aws), 4);
    // It may be gzip of a document, or Parquet.
    for key in [".log.gz", "-1-2026-01-02-03-04-05-0e5f2a3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c"] {
        assert_eq!(under_way(1 << 20, key), 1, "{key}");
        assert_eq!(under_way(30_000, key), 2, "{key}: gzip of 31 MB each");
    }
    assert_eq!(under_way(1 << 40, ".parquet"), 1);
    assert_eq!(under_way(16 << 20, ".parquet"), 4);
}

#[test]
fn someone_who_stops_reading_leaves_no_thread_behind() {
    let text = "0123456789\n".repeat(1_000_000);
    let store = store(&[("a".into(), text.clone()), ("b".into(), text)]);
    let inputs = ["a", "b"].map(|key| listed(&store, key, 11_000_000)).into();
    let mut inputs = Inputs::new(inputs, Columns::Used, Some(RUNTIME.handle().clone()));
    assert!(inputs.next().unwrap().is_ok());
    let underway = std::mem::take(&mut inputs.underway);
    for reader in underway {
        let Underway::Object(Reader { batches, thread, .. }) = reader else { unreachable!() };
        drop(batches);
        thread.join().unwrap();
    }
}

#[test]
fn a_reader_that_panics_is_not_told_as_the_end_of_the_program() {
    let mut inputs = Inputs::new(vec![], Columns::Used, None);
    let (sender, batches) = bounded(QUEUED_MAX);
    let thread = thread::spawn(move || {
        drop(sender);
        panic!("of the test");
    });
    let reader = Reader { name: "s3://flows/a".into(), held_bytes: 0, batches, thread };
    inputs.underway.push_back(Underway::Object(reader));
    let said = inputs.next().unwrap().unwrap_err().to_string();
    assert!(said.contains("s3://flows/a") && said.contains("panicked"), "{said}");
    assert!(!said.contains("ending") && inputs.next().is_none(), "{said}");
}

#[test]
fn inputs_are_sorted_by_their_slots() {
    let store = store(&[]);
    let slot = |time: &str| format!("x/1_vpcflowlogs_us-east-1_fl-1_{time}_a.log.gz");
    let keys = [slot("20260102T0005Z"), "b.log".into(), slot("20260101T2355Z"), "a.log".into()];
    let mut inputs: Vec<Input> = keys.iter().map(|key| listed(&store, key, 1)).collect();
    inputs.insert(0, Input::File(slot("20260102T0000Z").into()));
    Input::sort(&mut inputs);
    let sorted: Vec<String> = inputs
        .iter()
        .map(|input| match input {
            Input::File(path) => path.display().to_string(),
            Input::Object(listed) => listed.object.key.to_string(),
        })
        .collect();
    let slots = ["20260101T2355Z", "20260102T0000Z", "20260102T0005Z"].map(slot);
    assert_eq!(sorted[..2], ["b.log", "a.log"]);
    assert_eq!(sorted[2..], slots);
}
