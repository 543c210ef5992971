//! Settings of decoding.

use serde::{Deserialize, Serialize};

use super::format::{Format, FormatError, Formats};
use super::health::Threshold;
use super::limits::Limits;

/// How lines are written, how much may be unpacked, and when refusals are a problem.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The format of lines without a header: `auto` (the default formats of VPC and transit gateway flow logs), `default` (the
    /// 14 fields of version 2), or the flow log's `LogFormat` as `DescribeFlowLogs` gives it. A list when several flow logs feed
    /// one stream: a line is read by the first that fits it. Default: `auto`. Set it for every custom format that
    /// does not come with a header, which only files in S3 have.
    pub format: Texts,
    /// The same for the envelopes of CloudWatch Logs, by the name of their log group; the first pattern that matches wins, and
    /// `format` holds for groups that none matches. Default: none.
    pub log_groups: Vec<LogGroup>,
    /// Bytes that one payload may decompress to; larger ones are refused as `too_large`. Default 64 MiB, more than a
    /// Firehose request may hold. Lower it where memory is scarce: each worker may hold as much twice.
    pub decompressed_bytes_max: usize,
    /// Share of refused lines above which a format is reported as wrong, from 0 to 1. Default 0.1; 1 reports none.
    pub refusal_ratio_max: f64,
    /// Lines that must have been seen before. Default 100.
    pub refusal_lines_min: u64,
}

/// One log group, or several whose names are alike.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogGroup {
    /// Its name; `*` stands for any letters, `?` for one.
    pub name: String,
    /// As `decode.format`.
    pub format: Texts,
}

/// One format or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Texts {
    /// One.
    One(String),
    /// Tried in this order.
    Several(Vec<String>),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: Texts::One("auto".to_owned()),
            log_groups: Vec::new(),
            decompressed_bytes_max: Limits::default().decompressed_bytes_max,
            refusal_ratio_max: 0.1,
            refusal_lines_min: 100,
        }
    }
}

impl Config {
    /// The formats, compiled; messages call the first setting `key`.
    ///
    /// # Errors
    /// The key of the setting that is wrong, and why.
    pub fn formats(&self, key: &str) -> Result<Formats, (String, FormatError)> {
        let format = |key: &str, texts: &Texts| {
            Format::new(key, texts.iter()).map_err(|error| (key.to_owned(), error))
        };
        let mut formats = Formats::of_source(format(key, &self.format)?);
        for LogGroup { name, format: texts } in &self.log_groups {
            let key = format!("decode.log_groups.{name:?}");
            formats =
                formats.with_log_group(name, format(&key, texts)?).map_err(|error| (key, error))?;
        }
        Ok(formats)
    }

    /// Bounds on what is peeled.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { decompressed_bytes_max: self.decompressed_bytes_max, ..Limits::default() }
    }

    /// When refusals are a problem.
    #[must_use]
    pub const fn threshold(&self) -> Threshold {
        Threshold { refusal_ratio_max: self.refusal_ratio_max, lines_min: self.refusal_lines_min }
    }
}

impl Texts {
    fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts,
        }
        .iter()
        .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_a_format_names_its_setting() {
        let group =
            |format: &str| LogGroup { name: "/vpc/a".into(), format: Texts::One(format.into()) };
        let config =
            Config { log_groups: vec![group("${srcaddr}"), group("x")], ..Config::default() };
        let (key, _) = config.formats("decode.format").unwrap_err();
        assert_eq!(key, "decode.log_groups.\"/vpc/a\"");
        let config = Config { format: Texts::Several(Vec::new()), ..Config::default() };
        assert_eq!(
            config.formats("decode.format").unwrap_err(),
            ("decode.format".into(), FormatError::NoFormat)
        );
    }
}
