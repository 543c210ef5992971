//! Names, objects and counts with a store in memory; failures with a server that says what a test wants.

mod answers;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::throttle::{ThrottleConfig, ThrottledStore};
use object_store::{ObjectStore, ObjectStoreExt};

use super::super::{Config, DeadLetters, Kept, Target};
use super::{BUCKET_BYTES_MAX, Bucket, OBJECT_BYTES_MAX, Run, Store, stem};
use crate::decode::{Letters, Place, Position, Reason, Refusal};
use crate::s3::{Address, Prefix};

const OBJECT_BYTES: usize = 10_000;

/// 2026-01-02T03:04:05Z.
const START_S: u64 = 1_767_323_045;

fn run(wait_max: Duration) -> Run {
    Run { start: UNIX_EPOCH + Duration::from_secs(START_S), id: 0xabc, wait_max }
}

fn prefix() -> Prefix {
    match Address::parse("s3://letters/of/a/test").unwrap() {
        Address::Bucket(prefix) => prefix,
        Address::File(_) => unreachable!(),
    }
}

fn bucket(store: impl Into<Store>, wait_max: Duration) -> Bucket {
    Bucket::start(store.into(), prefix(), &run(wait_max), OBJECT_BYTES).unwrap()
}

/// The objects that a run left, in the order of their names.
fn objects(store: &dyn ObjectStore) -> Vec<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let get = |number: u32| {
        let name = format!("of/a/test/20260102T030405Z-0000000000000abc-{number:06}.jsonl");
        runtime.block_on(async { store.get(&name.into()).await.ok()?.bytes().await.ok() })
    };
    (1..).map_while(get).collect()
}

/// Lines of every length up to what a letter may have; the number of each begins it.
fn lines(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number} {}\n", "x".repeat(number * 37 % 2000))).collect()
}

#[test]
fn the_names_of_a_run_are_sorted_by_time_and_tell_runs_apart() {
    let at = |seconds: u64, id: u64| {
        let start = UNIX_EPOCH + Duration::from_secs(START_S + seconds);
        stem(&Run { start, id, wait_max: Duration::ZERO })
    };
    assert_eq!(at(0, 0xabc), "20260102T030405Z-0000000000000abc");
    assert!(at(0, u64::MAX) < at(1, 0) && at(0, 1) != at(0, 2));
}

#[test]
fn objects_together_are_all_lines_in_their_order_and_none_is_too_large() {
    let store = Arc::new(InMemory::new());
    let mut bucket = bucket(Arc::clone(&store) as Arc<dyn ObjectStore>, Duration::MAX);
    let lines = lines(300);
    lines.iter().for_each(|line| bucket.add(line.as_bytes()));
    let (lost, failure) = bucket.finish();
    assert_eq!((lost, failure), (0, None));
    let objects = objects(&*store);
    assert!(objects.len() > 10);
    assert!(objects.iter().all(|object| object.len() <= OBJECT_BYTES && object.ends_with(b"\n")));
    assert!(objects[..objects.len() - 1].iter().all(|object| object.len() > OBJECT_BYTES - 2100));
    assert_eq!(objects.concat(), lines.concat().as_bytes());
}

#[test]
fn a_flush_puts_what_there_is_and_nothing_makes_no_object() {
    let store = Arc::new(InMemory::new());
    let mut bucket = bucket(Arc::clone(&store) as Arc<dyn ObjectStore>, Duration::MAX);
    bucket.flush();
    bucket.add(b"one\n");
    bucket.flush();
    bucket.flush();
    bucket.add(b"two\n");
    assert_eq!(bucket.finish(), (0, None));
    assert_eq!(objects(&*store), ["one\n", "two\n"]);
}

#[test]
fn whoever_does_not_wait_for_a_slow_bucket_leaves_out_whole_objects_and_counts_their_letters() {
    let kept = |wait_max| {
        let wait_put_per_call = Duration::from_millis(30);
        let throttle = ThrottleConfig { wait_put_per_call, ..ThrottleConfig::default() };
        let store = Arc::new(ThrottledStore::new(InMemory::new(), throttle));
        let mut bucket = bucket(Arc::clone(&store) as Arc<dyn ObjectStore>, wait_max);
        let lines = lines(300);
        lines.iter().for_each(|line| bucket.add(line.as_bytes()));
        let (lost, failure) = bucket.finish();
        assert_eq!(failure, None);
        let kept: usize = objects(&*store)
            .iter()
            .map(|object| object.split_inclusive(|byte| *byte == b'\n').count())
            .sum();
        assert_eq!(kept as u64 + lost, 300);
        kept
    };
    assert_eq!(kept(Duration::MAX), 300);
    let kept = kept(Duration::ZERO);
    // At least what was under way, what waited, and the last.
    assert!((10..300).contains(&kept), "{kept}");
}

#[test]
fn an_object_that_is_filled_never_grows_beyond_its_bound() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mut bucket = bucket(store, Duration::MAX);
    for line in lines(300) {
        bucket.add(line.as_bytes());
        assert_eq!(bucket.lines.capacity(), OBJECT_BYTES);
    }
    assert_eq!(BUCKET_BYTES_MAX, 4 * OBJECT_BYTES_MAX);
}

/// Letters of two reasons, in batches.
fn batches() -> Vec<Letters> {
    let letters = |batch: u64| {
        let mut letters = Letters::default();
        for number in 0..50 {
            let reason = if number % 5 == 0 { Reason::BadTime } else { Reason::FieldCount };
            let position = Position::line(batch * 50 + number);
            let place = Place { position, ..Place::default() };
            let refusal = Refusal { reason, field: None };
            letters.add(refusal, &"a file".into(), &place, None, &[b'x'; 200]);
        }
        letters
    };
    (0..40).map(letters).collect()
}

fn write(mut letters: DeadLetters) -> Kept {
    batches().iter().for_each(|batch| assert!(letters.write(batch).is_ok()));
    letters.finish()
}

#[test]
fn a_bucket_gets_the_letters_that_a_file_would_get_sampled_and_capped_over_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letters.jsonl");
    let base = Config { path: path.to_str().unwrap().to_owned(), ..Config::default() };
    let capped = Config { bytes_max: 100_000, ..base.clone() };
    let sampled = Config { sample_above: 300, ..base.clone() };
    for (config, is_whole) in [(base, true), (capped, false), (sampled, false)] {
        let of_file = write(DeadLetters::open(&config, &run(Duration::MAX)).unwrap().unwrap());
        let store = Arc::new(InMemory::new());
        let bucket = bucket(Arc::clone(&store) as Arc<dyn ObjectStore>, Duration::MAX);
        let of_bucket = write(DeadLetters::new(Target::Bucket(bucket), config.clone()));
        assert_eq!(objects(&*store).concat(), std::fs::read(&path).unwrap());
        assert_eq!((of_bucket.letters, of_bucket.left_out), (of_file.letters, of_file.left_out));
        assert_eq!(of_file.letters + of_file.left_out, 2000);
        assert_eq!(of_file.left_out == 0, is_whole, "{config:?}");
    }
}
