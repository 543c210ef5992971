//! The parts of a date in UTC, as keys of objects are made of them.

use std::time::{Duration, UNIX_EPOCH};

/// A second of UTC, each part with its leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Utc {
    pub(crate) year: String,
    pub(crate) month: String,
    pub(crate) day: String,
    pub(crate) hour: String,
    pub(crate) minute: String,
    pub(crate) second: String,
}

/// The last second of the year 9999.
const EPOCH_S_MAX: u64 = 253_402_300_799;

impl Utc {
    /// What comes after the year 9999 is taken for its last second.
    pub(crate) fn new(epoch_s: u64) -> Self {
        let time = UNIX_EPOCH + Duration::from_secs(epoch_s.min(EPOCH_S_MAX));
        let text = humantime::format_rfc3339_seconds(time).to_string();
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
        Self {
            year: part(0, 4),
            month: part(5, 7),
            day: part(8, 10),
            hour: part(11, 13),
            minute: part(14, 16),
            second: part(17, 19),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_taken_apart() {
        let Utc { year, month, day, hour, minute, second } = Utc::new(951_868_799);
        assert_eq!([year, month, day].join("-"), "2000-02-29");
        assert_eq!([hour, minute, second].join(":"), "23:59:59");
        assert_eq!(Utc::new(u64::MAX), Utc::new(EPOCH_S_MAX));
    }
}
