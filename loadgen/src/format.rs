//! Formats of flow-log lines: an AWS format string, compiled to a list of fields.
//!
//! Fields that the generator knows nothing of print `-`, as AWS does for what does not apply. The
//! `version` field prints the highest version among the selected fields; it identifies no format
//! (facts/flow-log-record.md, 1).

use std::fmt::Write;
use std::str::FromStr;

use thiserror::Error;

/// The fields of a line, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFormat {
    fields: Vec<(Field, String)>,
    version: u8,
}

/// Why a format string is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// A format selects at least one field.
    #[error("the format selects no field")]
    Empty,
    /// Tokens look like `${field-id}`.
    #[error("`{token}` is not a field: write `${{field-id}}`, `default` or `recommended`")]
    Token {
        /// The offending token.
        token: String,
    },
}

/// What the generator can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Version,
    AccountId,
    InterfaceId,
    SourceAddress,
    DestinationAddress,
    SourcePort,
    DestinationPort,
    Protocol,
    Packets,
    Bytes,
    Start,
    End,
    Action,
    LogStatus,
    VpcId,
    SubnetId,
    InstanceId,
    TcpFlags,
    Type,
    PacketSourceAddress,
    PacketDestinationAddress,
    Region,
    AvailabilityZoneId,
    PacketSourceService,
    PacketDestinationService,
    FlowDirection,
    TrafficPath,
    Absent,
}

const DEFAULT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} \
    ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";
const RECOMMENDED: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} \
    ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status} ${tcp-flags} ${pkt-srcaddr} \
    ${pkt-dstaddr} ${flow-direction} ${pkt-src-aws-service} ${pkt-dst-aws-service} ${traffic-path}";

impl Default for LineFormat {
    /// The fourteen fields of version 2.
    fn default() -> Self {
        Self::compile(DEFAULT.split_whitespace()).unwrap_or(Self { fields: Vec::new(), version: 2 })
    }
}

impl LineFormat {
    /// The fields from which a detector learns most: flags, true endpoints, direction, path.
    #[must_use]
    pub fn recommended() -> Self {
        Self::compile(RECOMMENDED.split_whitespace()).unwrap_or_default()
    }

    /// The AWS format string of these lines.
    #[must_use]
    pub fn format_string(&self) -> String {
        let mut text = String::new();
        for (_, name) in &self.fields {
            let separator = if text.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _written = write!(text, "{separator}${{{name}}}");
        }
        text
    }

    /// The header line that files on S3 begin with, without its line end.
    #[must_use]
    pub fn header(&self) -> String {
        let names: Vec<&str> = self.fields.iter().map(|(_, name)| name.as_str()).collect();
        names.join(" ")
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = Field> {
        self.fields.iter().map(|(field, _)| *field)
    }

    pub(crate) fn version(&self) -> u8 {
        self.version
    }

    fn compile<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<Self, FormatError> {
        let mut fields = Vec::new();
        let mut version = 2;
        for token in tokens {
            let name = token.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            let name = name.filter(|name| is_field_name(name));
            let name = name.ok_or_else(|| FormatError::Token { token: token.to_owned() })?;
            let (field, since) = field(name);
            version = version.max(since);
            fields.push((field, name.to_owned()));
        }
        if fields.is_empty() { Err(FormatError::Empty) } else { Ok(Self { fields, version }) }
    }
}

impl FromStr for LineFormat {
    type Err = FormatError;

    /// Reads `default`, `recommended`, or an AWS format string.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "default" => Ok(Self::default()),
            "recommended" => Ok(Self::recommended()),
            other => Self::compile(other.split_whitespace()),
        }
    }
}

fn is_field_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(legal)
}

/// The field of that name, and the version of the record that introduced it
/// (facts/flow-log-record.md, 3).
fn field(name: &str) -> (Field, u8) {
    match name {
        "version" => (Field::Version, 2),
        "account-id" => (Field::AccountId, 2),
        "interface-id" => (Field::InterfaceId, 2),
        "srcaddr" => (Field::SourceAddress, 2),
        "dstaddr" => (Field::DestinationAddress, 2),
        "srcport" => (Field::SourcePort, 2),
        "dstport" => (Field::DestinationPort, 2),
        "protocol" => (Field::Protocol, 2),
        "packets" => (Field::Packets, 2),
        "bytes" => (Field::Bytes, 2),
        "start" => (Field::Start, 2),
        "end" => (Field::End, 2),
        "action" => (Field::Action, 2),
        "log-status" => (Field::LogStatus, 2),
        "vpc-id" => (Field::VpcId, 3),
        "subnet-id" => (Field::SubnetId, 3),
        "instance-id" => (Field::InstanceId, 3),
        "tcp-flags" => (Field::TcpFlags, 3),
        "type" => (Field::Type, 3),
        "pkt-srcaddr" => (Field::PacketSourceAddress, 3),
        "pkt-dstaddr" => (Field::PacketDestinationAddress, 3),
        "region" => (Field::Region, 4),
        "az-id" => (Field::AvailabilityZoneId, 4),
        "pkt-src-aws-service" => (Field::PacketSourceService, 5),
        "pkt-dst-aws-service" => (Field::PacketDestinationService, 5),
        "flow-direction" => (Field::FlowDirection, 5),
        "traffic-path" => (Field::TrafficPath, 5),
        _ => (Field::Absent, version_of_absent(name)),
    }
}

/// The version of a field that always prints `-` here; 2 if AWS has no such field.
fn version_of_absent(name: &str) -> u8 {
    match name {
        "sublocation-type" | "sublocation-id" => 4,
        _ if name.starts_with("ecs-") => 7,
        "reject-reason" => 8,
        "resource-id" => 9,
        "encryption-status" => 10,
        "instance-tag" | "instance-tag-2" | "interface-tag" | "interface-tag-2" | "asg-tag"
        | "asg-tag-2" | "interface-type" => 11,
        _ if name.starts_with("next-hop-") => 11,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_has_fourteen_fields_and_prints_version_2() {
        let format = LineFormat::default();
        assert_eq!((format.fields.len(), format.version()), (14, 2));
        assert_eq!(format.format_string(), DEFAULT);
        assert!(format.header().starts_with("version account-id interface-id srcaddr"));
    }

    #[test]
    fn the_recommended_format_prints_version_5() {
        let format: LineFormat = "recommended".parse().unwrap();
        assert_eq!((format.fields.len(), format.version()), (21, 5));
        assert_eq!(format.format_string().parse(), Ok(format));
    }

    #[test]
    fn a_field_that_we_cannot_fill_keeps_its_name_and_counts_for_the_version() {
        let format: LineFormat = "${srcaddr} ${reject-reason}".parse().unwrap();
        assert_eq!((format.header().as_str(), format.version()), ("srcaddr reject-reason", 8));
        assert_eq!(format.fields().collect::<Vec<_>>(), [Field::SourceAddress, Field::Absent]);
    }

    #[test]
    fn malformed_formats_are_refused() {
        assert_eq!("".parse::<LineFormat>(), Err(FormatError::Empty));
        for token in ["srcaddr", "${}", "${srcaddr", "${Src}"] {
            let expected = FormatError::Token { token: token.to_owned() };
            assert_eq!(token.parse::<LineFormat>(), Err(expected));
        }
    }
}
