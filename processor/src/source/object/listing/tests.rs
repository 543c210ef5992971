//! A bucket of keys that counts who asked for what.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;

use async_trait::async_trait;
use object_store::list::PaginatedListResult;
use object_store::{Error, ListResult};
use proptest::prelude::*;
use tokio::runtime::Builder;

use super::*;

/// Keys with the hour of 2026 in which they were changed, a few to a page.
#[derive(Debug, Default)]
struct Keys {
    keys: BTreeMap<String, u64>,
    listed: Mutex<Vec<String>>,
}

const PAGE: usize = 3;
/// 2026-01-01T00:00:00Z.
const YEAR_S: u64 = 1_767_225_600;

impl Keys {
    fn of<K: Into<String>>(keys: impl IntoIterator<Item = K>) -> Self {
        let keys = keys.into_iter().map(|key| (key.into(), 0)).collect();
        Self { keys, ..Self::default() }
    }

    fn find(&self, folder: &str, period: &Period) -> Vec<String> {
        self.try_find(folder, period, usize::MAX).unwrap()
    }

    fn try_find(
        &self,
        folder: &str,
        period: &Period,
        room: usize,
    ) -> Result<Vec<String>, Unlisted> {
        let runtime = Builder::new_current_thread().build().unwrap();
        let folder = Path::from(folder);
        let found = runtime.block_on(below(self, &folder, period, room))?;
        Ok(found.into_iter().map(|(key, _)| key.to_string()).collect())
    }

    /// Prefixes that were asked for since this was called before, one for each page.
    fn listed(&self) -> Vec<String> {
        std::mem::take(&mut self.listed.lock().unwrap())
    }
}

#[async_trait]
impl PaginatedListStore for Keys {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        options: PaginatedListOptions,
    ) -> object_store::Result<PaginatedListResult> {
        let prefix = prefix.unwrap_or_default();
        self.listed.lock().unwrap().push(prefix.to_owned());
        let begin = options.page_token.map_or(Bound::Unbounded, Bound::Excluded);
        let mut result =
            ListResult { common_prefixes: vec![], objects: vec![], extensions: Default::default() };
        let mut last: Option<String> = None;
        for (key, hour) in self.keys.range((begin, Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            let inner = rest.split_once('/').filter(|_| options.delimiter.is_some());
            let inner = inner.map(|(name, _)| format!("{prefix}{name}/"));
            if let Some(inner) = &inner
                && last.as_ref().is_some_and(|last| last.starts_with(inner))
            {
                last = Some(key.clone());
                continue;
            }
            if result.objects.len() + result.common_prefixes.len() == PAGE {
                return Ok(PaginatedListResult { result, page_token: last });
            }
            match inner {
                Some(inner) => result.common_prefixes.push(Path::parse(inner)?),
                None => result.objects.push(ObjectMeta {
                    location: Path::parse(key)?,
                    last_modified: (std::time::UNIX_EPOCH
                        + std::time::Duration::from_secs(YEAR_S + hour * 3600))
                    .into(),
                    size: key.len() as u64,
                    e_tag: None,
                    version: None,
                }),
            }
            last = Some(key.clone());
        }
        Ok(PaginatedListResult { result, page_token: None })
    }
}

/// Of January 2026.
fn days(from: u64, to: u64) -> Period {
    let at = |day: u64| YEAR_S + (day - 1) * 86_400;
    Period { from_s: at(from), to_s: at(to) }
}

fn slot(day: u64, hour: u64) -> String {
    format!("111122223333_vpcflowlogs_us-east-1_fl-1_202601{day:02}T{hour:02}05Z_aa.log.gz")
}

const ROOT: &str = "p/AWSLogs/111122223333/vpcflowlogs/us-east-1";

#[test]
fn everything_below_a_prefix_is_listed_at_once_and_only_logs_are_taken() {
    let keys = Keys::of([
        "p/README",
        "p/b/x.log.gz",
        "p/b-c/x.parquet",
        "p/_SUCCESS",
        "p/.hidden/x.log",
        "p/b/.x.log",
        "p/",
        "p2/x.log",
        "p/http-endpoint-failed/2026/01/02/03/s-1-2026-01-02-03-04-05-0e5f2a3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c",
    ]);
    let found = keys.find("p", &Period::ALWAYS);
    // As a folder of files is walked: b before b-c, although / comes behind -.
    assert_eq!(found[..2], ["p/b/x.log.gz", "p/b-c/x.parquet"]);
    assert!(found[2].starts_with("p/http-endpoint-failed/"));
    assert_eq!(found.len(), 3);
    assert_eq!(keys.listed(), ["p/", "p/", "p/"], "nine keys on pages of three");
    assert_eq!(keys.find("", &Period::ALWAYS).len(), 4);
}

#[test]
fn days_out_of_the_period_are_not_listed() {
    let key = |day, hour| format!("{ROOT}/2026/01/{day:02}/{}", slot(day, hour));
    let keys = Keys::of((1..=31).flat_map(|day| [key(day, 0), key(day, 23)]));
    let found = keys.find(ROOT, &days(10, 12));
    assert_eq!(found, [key(10, 0), key(10, 23), key(11, 0), key(11, 23)]);
    let listed = keys.listed();
    // The years, the months, eleven pages of days, and the two days.
    let of_days: Vec<_> = listed.iter().filter(|prefix| prefix.len() > ROOT.len() + 9).collect();
    assert_eq!(listed.len(), 1 + 1 + 11 + 2, "{listed:?}");
    assert_eq!(of_days, [&format!("{ROOT}/2026/01/11/"), &format!("{ROOT}/2026/01/10/")]);
}

#[test]
fn hive_and_hours_and_firehose_are_pruned_too() {
    let root = "AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=us-east-1";
    let hive = |day, hour| {
        format!("{root}/year=2026/month=01/day={day:02}/hour={hour:02}/{}", slot(day, hour))
    };
    let keys = Keys::of((1..=5).flat_map(|day| [hive(day, 3), hive(day, 4), hive(day, 5)]));
    let hour = Period { from_s: days(2, 3).from_s + 4 * 3600, to_s: days(2, 3).from_s + 5 * 3600 };
    assert_eq!(keys.find("", &hour), [hive(2, 4)]);
    let listed = keys.listed();
    assert!(!listed.iter().any(|prefix| prefix.contains("day=03")), "{listed:?}");
    assert!(!listed.iter().any(|prefix| prefix.contains("hour=03")), "{listed:?}");

    let uuid = "0e5f2a3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c";
    let firehose = |day, hour, time: &str| {
        format!("2026/01/{day:02}/{hour:02}/flow-1-2026-01-{day:02}-{time}-{uuid}")
    };
    // Its first record came in the hour before the one in its name.
    let late = firehose(2, 3, "04-00-01");
    let all = [firehose(2, 2, "02-10-00"), late.clone(), firehose(2, 4, "04-59-59")];
    let others = [firehose(3, 5, "05-00-00"), firehose(4, 4, "04-00-00")];
    let keys = Keys::of(all.iter().chain(&others).cloned());
    assert_eq!(keys.find("", &hour), [late, all[2].clone()]);
    let listed = keys.listed();
    assert!(!listed.iter().any(|prefix| prefix.starts_with("2026/01/03/05")), "{listed:?}");
    assert!(!listed.iter().any(|prefix| prefix.starts_with("2026/01/04")), "{listed:?}");
}

#[test]
fn what_has_no_time_in_its_key_is_told_by_its_change() {
    let mut keys = Keys::of(["p/a.log", "p/b.log"]);
    keys.keys.insert("p/c.log".to_owned(), 24);
    assert_eq!(keys.find("p", &days(1, 2)), ["p/a.log", "p/b.log"]);
    assert_eq!(keys.find("p", &days(2, 3)), ["p/c.log"]);
}

#[test]
fn more_objects_than_there_is_room_for_end_the_listing() {
    let keys = Keys::of((0..100).map(|number| format!("p/{number:03}.log")));
    let ended = keys.try_find("p", &Period::ALWAYS, 10).unwrap_err();
    assert!(matches!(ended, Unlisted::TooMany));
    assert!(keys.listed().len() <= 4, "the rest is not listed");
    assert_eq!(keys.try_find("p", &Period::ALWAYS, 100).unwrap().len(), 100);
    let prefix = Prefix { bucket: "flows".into(), key: Path::from("p") };
    let said = ended.of(&prefix).to_string();
    assert!(said.starts_with("s3://flows/p/: more than 250000 objects"), "{said}");
}

#[test]
fn a_key_that_cannot_be_had_is_told() {
    let keys = Keys::of(["p/a.log", "p/b//c.log"]);
    let ended = keys.try_find("p", &Period::ALWAYS, 10).unwrap_err();
    assert!(matches!(ended, Unlisted::Store(Error::InvalidPath { .. })), "{ended:?}");
    let prefix = Prefix { bucket: "flows".into(), key: Path::from("p") };
    assert!(matches!(ended.of(&prefix), ListError::Key { .. }));
}

/// Where AWS or somebody else puts a date, and whether an object's time may differ from its folder's.
fn folders() -> impl Strategy<Value = (String, u64, usize, bool)> {
    let layout = (0_usize..7, 2_u64..6, 0_u64..24);
    layout.prop_map(|(layout, day, hour)| {
        let plain = format!("2026/01/{day:02}");
        let hive = format!("year=2026/month=01/day={day:02}");
        let aws = "AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=r";
        let (folder, is_hourly, is_free) = match layout {
            0 => (format!("{plain}/{hour:02}"), true, true),
            1 => (format!("vpcflowlogs/{plain}/{hour:02}"), true, true),
            2 => (hive, false, true),
            3 => (format!("AWSLogs/1/vpcflowlogs/r/{plain}"), false, false),
            4 => (format!("AWSLogs/1/vpcflowlogs/r/{plain}/{hour:02}"), true, false),
            5 => (format!("{aws}/{hive}/hour={hour:02}"), true, false),
            _ => ("other".to_owned(), false, true),
        };
        let first = (day - 1) * 24 + if is_hourly { hour } else { 0 };
        (folder, first, if is_hourly { 1 } else { 24 }, is_free)
    })
}

fn keys() -> impl Strategy<Value = String> {
    let prefix = prop_oneof![
        4 => Just(""),
        1 => Just("2024/01/"),
        1 => Just("2026/03/copy/"),
        1 => Just("2026/01/"),
        1 => Just("year=2024/month=02/"),
    ];
    let name = prop_oneof![
        2 => "[a-c]{1,2}".prop_map(|name| name + ".log"),
        1 => Just("README".to_owned()),
        6 => Just(String::new()),
    ];
    (prefix, folders(), name, any::<prop::sample::Index>()).prop_map(
        |(prefix, (folder, first, hours, is_free), name, place)| {
            // The hour in the name, from a day before the folder's first until a day after its last.
            let spare: usize = if is_free { 24 } else { 0 };
            let number = first - spare as u64 + place.index(hours + 2 * spare) as u64;
            let name = if name.is_empty() { slot(number / 24 + 1, number % 24) } else { name };
            format!("p/{prefix}{folder}/{name}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn pruning_leaves_out_nothing_of_the_period(
        keys in proptest::collection::btree_set(keys(), 0..40),
        (from_hour, hours) in (0_u64..100, 1_u64..60),
    ) {
        let keys = Keys::of(keys);
        let from_s = YEAR_S + from_hour * 3600;
        let period = Period { from_s, to_s: from_s + hours * 3600 };
        let all = keys.find("p", &Period::ALWAYS);
        let expected: Vec<_> = all.into_iter().filter(|key| period.has(key, YEAR_S)).collect();
        prop_assert_eq!(keys.find("p", &period), expected);
    }
}
