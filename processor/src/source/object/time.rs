//! Which time an object is of, as its key says.
//!
//! AWS puts the start of a five-minute slot into the names of flow-log files, and Firehose the time at which it began an object;
//! both put objects below folders of their day or hour (AWS pages "Flow log files" and "Configure Amazon S3 object name format").

use std::ops::Range;
use std::time::UNIX_EPOCH;

use super::super::paths::{TIME_AND_UUID, is_like, slot_of};

/// A time from and a time to, half open, in seconds of Unix time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    /// The first second in it.
    pub from_s: u64,
    /// The first second after it.
    pub to_s: u64,
}

impl Period {
    /// Whatever there is.
    pub const ALWAYS: Self = Self { from_s: 0, to_s: u64::MAX };

    /// Whether an object belongs to it: by the time in its name; by its folder, if that has any part in it; or else by when it
    /// was last changed.
    pub(super) fn has(&self, key: &str, modified_s: u64) -> bool {
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        match (time_of_name(name), time_of_folder(folder)) {
            (Some(time_s), _) => self.holds(time_s),
            (None, Some(times)) => self.meets(&times),
            (None, None) => self.holds(modified_s),
        }
    }

    /// Whether objects of it can be below a folder. A date tells only where it ends the folder: what follows a date that is
    /// somebody's prefix, such as `archive/2024/01/AWSLogs`, has one of its own.
    pub(super) fn may_have(&self, folder: &str) -> bool {
        let parts: Vec<&str> = folder.split('/').collect();
        let ending = dates(&parts).find(|date| date.parts.end == parts.len());
        ending.is_none_or(|Date { parts: place, times }| {
            if is_of_aws(&parts[..place.start]) {
                return self.meets(&times);
            }
            // A year or a month may be such a prefix: one request tells what is in it.
            times.end - times.start > DAY_S || self.widened().meets(&times)
        })
    }

    /// Whether it can do without folders below this one, since it has the whole of it.
    pub(super) fn has_all_of(&self, folder: &str) -> bool {
        *self == Self::ALWAYS
            || time_of_folder(folder)
                .is_some_and(|times| self.from_s <= times.start && times.end <= self.to_s)
    }

    /// By as much as an object's time can be before or after that of its folder, where that is not AWS's.
    const fn widened(&self) -> Self {
        // Firehose takes the folder from the oldest record, in a time zone of up to 14 h from UTC, and the name from a clock
        // after up to two hours of retries.
        let (from_s, to_s) = (self.from_s.saturating_sub(DAY_S), self.to_s.saturating_add(DAY_S));
        Self { from_s, to_s }
    }

    const fn holds(&self, time_s: u64) -> bool {
        self.from_s <= time_s && time_s < self.to_s
    }

    const fn meets(&self, times: &Range<u64>) -> bool {
        self.from_s < times.end && times.start < self.to_s
    }
}

/// The slot in `…_20180620T1620Z_…`, or the time in `…-2026-11-24-09-30-05-` and a UUID.
fn time_of_name(name: &str) -> Option<u64> {
    if let Some(slot) = slot_of(name) {
        let [date, time] = [&slot[..8], &slot[9..13]];
        let [year, month, day] = [&date[..4], &date[4..6], &date[6..]];
        return unix_s(&format!("{year}-{month}-{day}T{}:{}:00Z", &time[..2], &time[2..]));
    }
    let starts = 0..(name.len() + 1).saturating_sub(TIME_AND_UUID.len());
    let mut parts = starts.filter_map(|start| name.get(start..start + TIME_AND_UUID.len()));
    let time = parts.find(|part| is_like(part, TIME_AND_UUID))?;
    unix_s(&format!("{}T{}Z", &time[1..11], time[12..20].replace('-', ":")))
}

/// Of the innermost date, after the last `AWSLogs` if there is one: what comes before is a prefix of whoever set it up.
fn time_of_folder(folder: &str) -> Option<Range<u64>> {
    let parts: Vec<&str> = folder.rsplit('/').take_while(|part| *part != AWS_LOGS).collect();
    let parts: Vec<&str> = parts.into_iter().rev().collect();
    dates(&parts).next().map(|date| date.times)
}

/// AWS reserves it.
const AWS_LOGS: &str = "AWSLogs";
const DAY_S: u64 = 86_400;

/// Whether AWS's flow logs have their dates here: `…AWSLogs/…/vpcflowlogs/{region}`, or Hive's `…/aws-service=vpcflowlogs/{region}`.
/// It takes both folder and name from the slot.
fn is_of_aws(parts: &[&str]) -> bool {
    match parts {
        [before @ .., "vpcflowlogs", _region] => before.contains(&AWS_LOGS),
        [.., "aws-service=vpcflowlogs", _region] => true,
        _ => false,
    }
}

/// Part of a folder.
struct Date {
    /// Which of its parts.
    parts: Range<usize>,
    times: Range<u64>,
}

/// `yyyy/MM`, `yyyy/MM/dd` or `yyyy/MM/dd/HH`, or `year=`, `month=`, `day=`, `hour=`, all or the first of them; the innermost first.
/// Digits that stand alone where a year could are none: an account or a name may look so.
fn dates(parts: &[&str]) -> impl Iterator<Item = Date> {
    (0..parts.len()).rev().filter_map(|start| {
        let parts = &parts[start..];
        let hive = parts.iter().zip(["year=", "month=", "day=", "hour="]);
        let hive = numbers(
            hive.map(|(part, name)| part.strip_prefix(name).filter(|digits| digits.len() <= 4)),
        );
        let plain = parts.iter().zip([4, 2, 2, 2]);
        let plain =
            numbers(plain.map(|(part, digits)| Some(*part).filter(|part| part.len() == digits)));
        let numbers = match (hive.as_slice(), plain.as_slice()) {
            ([], [] | [_]) => return None,
            ([], _) => plain,
            _ => hive,
        };
        Some(Date { parts: start..start + numbers.len(), times: times(&numbers)? })
    })
}

fn numbers<'p>(parts: impl Iterator<Item = Option<&'p str>>) -> Vec<u64> {
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    parts.map_while(|part| part.filter(is_number)?.parse().ok()).collect()
}

/// Year, month, day and hour, as many of them as there are.
fn times(numbers: &[u64]) -> Option<Range<u64>> {
    let start = |year: u64, month: u64, day: u64, hour: u64| {
        unix_s(&format!("{year:04}-{month:02}-{day:02}T{hour:02}:00:00Z"))
    };
    if !(2000..2200).contains(numbers.first()?) {
        return None;
    }
    match *numbers {
        [year] => Some(start(year, 1, 1, 0)?..start(year + 1, 1, 1, 0)?),
        [year, 12] => Some(start(year, 12, 1, 0)?..start(year + 1, 1, 1, 0)?),
        [year, month] => Some(start(year, month, 1, 0)?..start(year, month + 1, 1, 0)?),
        [year, month, day] => start(year, month, day, 0).map(|start| start..start + DAY_S),
        [year, month, day, hour, ..] => {
            start(year, month, day, hour).map(|start| start..start + 3600)
        }
        [] => None,
    }
}

/// `None` when there is no such time.
fn unix_s(rfc3339: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(rfc3339).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> u64 {
        unix_s(text).unwrap()
    }

    fn period(from: &str, to: &str) -> Period {
        let at = |day: &str| at(&format!("{day}:00:00Z"));
        Period { from_s: at(from), to_s: at(to) }
    }

    #[test]
    fn names_of_aws_and_of_firehose_have_a_time() {
        let uuid = "0e5f2a3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c";
        let time = at("2026-01-02T03:04:00Z");
        let slot = "111122223333_vpcflowlogs_us-east-1_fl-1_20260102T0304Z_aa";
        for name in [slot.to_owned() + ".log.gz", slot.to_owned() + ".log.parquet"] {
            assert_eq!(time_of_name(&name), Some(time), "{name}");
        }
        for end in ["", ".gz", ".parquet", "-more"] {
            let name = format!("flow.logs-1-2026-01-02-03-04-05-{uuid}{end}");
            assert_eq!(time_of_name(&name), Some(time + 5), "{name}");
        }
        for name in ["", "a.log", "20260102T0304Z", "x_20261302T0304Z_x", "ä-2026-01-02-03-04-05-ü"]
        {
            let expected = (name == "20260102T0304Z").then_some(time);
            assert_eq!(time_of_name(name), expected, "{name}");
        }
    }

    #[test]
    fn folders_have_the_time_of_their_innermost_date() {
        let day = at("2026-02-28T00:00:00Z");
        let hour = day + 3 * 3600..day + 4 * 3600;
        let month = at("2026-02-01T00:00:00Z")..at("2026-03-01T00:00:00Z");
        let cases = [
            ("p/AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/02/28", Some(day..day + 86_400)),
            ("2026/02/28/03", Some(hour.clone())),
            ("2026/02/28/03/more", Some(hour.clone())),
            ("2024/01/AWSLogs/2026/02/28/03", Some(hour.clone())),
            ("2024/01/AWSLogs/111122223333", None),
            ("year=2026/month=02/day=28/hour=03", Some(hour.clone())),
            ("year=2026/month=2/day=28/hour=3/region=x", Some(hour)),
            ("a/2026/02", Some(month.clone())),
            ("a/year=2026/month=02/name=x", Some(month)),
            ("year=2026", Some(at("2026-01-01T00:00:00Z")..at("2027-01-01T00:00:00Z"))),
            ("2025/12", Some(at("2025-12-01T00:00:00Z")..at("2026-01-01T00:00:00Z"))),
            ("a/2026", None),
            ("2026/13/01", None),
            ("2026/02/30", None),
            ("1234/02", None),
            ("2026/2/28", None),
            ("", None),
            ("year=/month=02", None),
        ];
        for (folder, times) in cases {
            assert_eq!(time_of_folder(folder), times, "{folder}");
        }
    }

    #[test]
    fn the_time_in_a_name_decides_then_the_folder_then_the_change() {
        let day = period("2026-01-02T00", "2026-01-03T00");
        let other = at("2025-01-01T00:00:00Z");
        let slot = |slot: &str| format!("2026/01/02/1_vpcflowlogs_r_fl-1_{slot}_a.log.gz");
        for (key, modified, is_in) in [
            (slot("20260102T0000Z"), other, true),
            (slot("20260102T2355Z"), other, true),
            (slot("20260103T0000Z"), day.from_s, false),
            ("2026/01/02/part-0.parquet".to_owned(), other, true),
            ("2026/01/part-0.parquet".to_owned(), other, true),
            ("2026/01/03/part-0.parquet".to_owned(), day.from_s, false),
            ("flows.log".to_owned(), day.from_s, true),
            ("flows.log".to_owned(), day.to_s, false),
        ] {
            assert_eq!(day.has(&key, modified), is_in, "{key}");
        }
        assert!(Period::ALWAYS.has("2026/01/03/a.log", 0));
    }

    #[test]
    fn folders_that_are_not_awss_are_looked_into_a_day_before_and_after() {
        let hours = period("2026-01-12T10", "2026-01-12T12");
        for prefix in ["", "vpcflowlogs/", "AWSLogs/x/", "vpcflowlogs/us-east-1/"] {
            let looked_into = |hour: &u64| {
                hours.may_have(&format!("{prefix}2026/01/{:02}/{:02}", 10 + hour / 24, hour % 24))
            };
            let looked_into: Vec<u64> = (0..5 * 24).filter(looked_into).collect();
            assert_eq!(looked_into, (24 + 10..3 * 24 + 12).collect::<Vec<_>>(), "{prefix}");
        }
        let plain = "AWSLogs/1/vpcflowlogs/r/2026/01/12/";
        let hive = "AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=r/year=2026/month=01/day=12/hour=";
        for root in [plain, hive] {
            let of_aws = |hour: &u64| hours.may_have(&format!("{root}{hour:02}"));
            assert_eq!((0..24).filter(of_aws).collect::<Vec<_>>(), [10, 11], "{root}");
        }
        assert!(hours.may_have("anything/else"));
        assert!(hours.has_all_of("2026/01/12/11") && !hours.has_all_of("2026/01/12"));
    }

    #[test]
    fn a_date_in_somebodys_prefix_hides_nothing() {
        let day = period("2026-02-01T00", "2026-02-02T00");
        let root = "archive/2024/01/AWSLogs/1/vpcflowlogs/r";
        for folder in
            ["archive/2024/01", "archive/2024/01/AWSLogs", root, "year=2024", "2024/01/15/x"]
        {
            assert!(day.may_have(folder), "{folder}");
        }
        assert!(day.may_have(&format!("{root}/2026/02")));
        for folder in ["2025/12", "2026/01", "2026/02/02"] {
            assert!(!day.may_have(&format!("{root}/{folder}")), "{folder}");
        }
        assert!(!day.may_have("archive/2024/01/15"));
    }
}
