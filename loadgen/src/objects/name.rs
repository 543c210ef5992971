//! Keys, as AWS makes them (facts/flow-log-record.md, 9).

use thiserror::Error;

use super::Layout;
use crate::date::Utc;
use crate::line::{ACCOUNT, REGION};

/// Why a prefix is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// AWS keeps the folder for itself.
    #[error("a prefix of flow logs is not below AWSLogs, which AWS adds")]
    Reserved,
}

/// Looks at what is to come before `AWSLogs/`.
///
/// # Errors
/// [`PrefixError`] when AWS would refuse it.
pub fn check_prefix(prefix: &str) -> Result<(), PrefixError> {
    if prefix.split('/').any(|part| part == "AWSLogs") {
        Err(PrefixError::Reserved)
    } else {
        Ok(())
    }
}

/// The key of a file of the five minutes that begin at this epoch second.
pub(super) fn key(layout: &Layout, slot_s: u64, hash: u64) -> String {
    let Utc { year, month, day, hour, minute, .. } = Utc::new(slot_s);
    let Layout { prefix, hive, hourly, parquet, seed, .. } = layout;
    let slash = if prefix.is_empty() { "" } else { "/" };
    let day_folder = if *hive {
        format!(
            "aws-account-id={ACCOUNT}/aws-service=vpcflowlogs/aws-region={REGION}/\
             year={year}/month={month}/day={day}"
        )
    } else {
        format!("{ACCOUNT}/vpcflowlogs/{REGION}/{year}/{month}/{day}")
    };
    let hour_folder = match (hourly, hive) {
        (false, _) => String::new(),
        (true, false) => format!("/{hour}"),
        (true, true) => format!("/hour={hour}"),
    };
    let ending = if *parquet { "log.parquet" } else { "log.gz" };
    // Another plan is another flow log.
    let flow_log = format!("fl-0{:016x}", crate::draws::mix(*seed));
    let hash = hash >> 32;
    format!(
        "{prefix}{slash}AWSLogs/{day_folder}{hour_folder}/\
         {ACCOUNT}_vpcflowlogs_{REGION}_{flow_log}_{year}{month}{day}T{hour}{minute}Z_{hash:08x}.{ending}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(prefix: &str, hive: bool, hourly: bool, parquet: bool) -> String {
        let layout = Layout {
            prefix: prefix.to_owned(),
            hive,
            hourly,
            parquet,
            files_per_slot: 1,
            object_bytes_max: 1,
            seed: 1,
        };
        // 2018-06-20T16:20:00Z, the example of the guide.
        let key = key(&layout, 1_529_511_600, 0xdead_beef_0000_0000);
        let (before, after) = key.split_once("_fl-0").unwrap();
        format!("{before} {}", &after[16..])
    }

    #[test]
    fn keys_are_those_of_the_guide() {
        let file = "123456789012_vpcflowlogs_us-east-1 _20180620T1620Z_deadbeef.log.gz";
        let plain = "AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/";
        let hive = "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/\
                    year=2018/month=06/day=20/";
        assert_eq!(named("", false, false, false), format!("{plain}{file}"));
        assert_eq!(named("", false, true, false), format!("{plain}16/{file}"));
        assert_eq!(named("", true, false, false), format!("{hive}{file}"));
        assert_eq!(named("a/b", true, true, false), format!("a/b/{hive}hour=16/{file}"));
        let parquet = file.replace(".log.gz", ".log.parquet");
        assert_eq!(named("a", false, false, true), format!("a/{plain}{parquet}"));
    }

    #[test]
    fn the_folder_of_aws_is_reserved() {
        assert!(check_prefix("").is_ok() && check_prefix("my/AWSLogs2").is_ok());
        assert!(check_prefix("AWSLogs").is_err() && check_prefix("a/AWSLogs/b").is_err());
    }
}
