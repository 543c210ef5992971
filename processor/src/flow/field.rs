//! Every field that AWS documents, one row each.
//!
//! Sources: Amazon VPC User Guide, "Flow log records" (versions 2 to 5 and 7 to 11); AWS Transit Gateway guide,
//! "AWS Transit Gateway Flow Logs" (version 6). Types are those of the Parquet files.

/// How a field's value is written in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldType {
    /// INT_32 or INT_64: a number.
    Integer,
    /// STRING: text, leading zeros kept.
    Text,
}

/// One documented field.
#[derive(Debug)]
pub struct Field {
    /// The name in a format string, with hyphens.
    pub name: &'static str,
    /// The flow-log version that introduced it; 6 is transit gateway only.
    pub version: u8,
    /// Its type.
    pub field_type: FieldType,
}

/// A row of [`FIELDS`].
pub type FieldId = usize;

/// All documented fields, in the order of their versions.
pub static FIELDS: &[Field] = ROWS;

/// The row of `name`, which may be written with hyphens or, as Athena does, with underscores.
#[must_use]
pub fn find(name: &[u8]) -> Option<FieldId> {
    FIELDS.iter().position(|field| {
        field.name.len() == name.len()
            && field
                .name
                .bytes()
                .zip(name)
                .all(|(ours, &theirs)| ours == theirs || (ours == b'-' && theirs == b'_'))
    })
}

/// The documented name nearest to a misspelt one, if one is near.
#[must_use]
pub fn suggest(name: &str) -> Option<&'static str> {
    FIELDS
        .iter()
        .map(|field| (edit_distance(name.as_bytes(), field.name.as_bytes()), field.name))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, name)| name)
}

const fn integer(name: &'static str, version: u8) -> Field {
    Field { name, version, field_type: FieldType::Integer }
}

const fn text(name: &'static str, version: u8) -> Field {
    Field { name, version, field_type: FieldType::Text }
}

const ROWS: &[Field] = &[
    integer("version", 2),
    text("account-id", 2),
    text("interface-id", 2),
    text("srcaddr", 2),
    text("dstaddr", 2),
    integer("srcport", 2),
    integer("dstport", 2),
    integer("protocol", 2),
    integer("packets", 2),
    integer("bytes", 2),
    integer("start", 2),
    integer("end", 2),
    text("action", 2),
    text("log-status", 2),
    text("vpc-id", 3),
    text("subnet-id", 3),
    text("instance-id", 3),
    integer("tcp-flags", 3),
    text("type", 3),
    text("pkt-srcaddr", 3),
    text("pkt-dstaddr", 3),
    text("region", 4),
    text("az-id", 4),
    text("sublocation-type", 4),
    text("sublocation-id", 4),
    text("pkt-src-aws-service", 5),
    text("pkt-dst-aws-service", 5),
    text("flow-direction", 5),
    integer("traffic-path", 5),
    text("resource-type", 6),
    text("tgw-id", 6),
    text("tgw-attachment-id", 6),
    text("tgw-src-vpc-account-id", 6),
    text("tgw-dst-vpc-account-id", 6),
    text("tgw-src-vpc-id", 6),
    text("tgw-dst-vpc-id", 6),
    text("tgw-src-subnet-id", 6),
    text("tgw-dst-subnet-id", 6),
    text("tgw-src-eni", 6),
    text("tgw-dst-eni", 6),
    text("tgw-src-az-id", 6),
    text("tgw-dst-az-id", 6),
    text("tgw-pair-attachment-id", 6),
    integer("packets-lost-no-route", 6),
    integer("packets-lost-blackhole", 6),
    integer("packets-lost-mtu-exceeded", 6),
    integer("packets-lost-ttl-expired", 6),
    text("ecs-cluster-arn", 7),
    text("ecs-cluster-name", 7),
    text("ecs-container-instance-arn", 7),
    text("ecs-container-instance-id", 7),
    text("ecs-container-id", 7),
    text("ecs-second-container-id", 7),
    text("ecs-service-name", 7),
    text("ecs-task-definition-arn", 7),
    text("ecs-task-arn", 7),
    text("ecs-task-id", 7),
    text("reject-reason", 8),
    text("resource-id", 9),
    integer("encryption-status", 10),
    text("instance-tag", 11),
    text("instance-tag-2", 11),
    text("interface-tag", 11),
    text("interface-tag-2", 11),
    text("asg-tag", 11),
    text("asg-tag-2", 11),
    text("interface-type", 11),
    text("next-hop-interface-id", 11),
    text("next-hop-subnet-id", 11),
    text("next-hop-az-id", 11),
    text("next-hop-vpc-id", 11),
    text("next-hop-interface-type", 11),
];

/// Fields that the pipeline reads, by name, resolved when the program is compiled.
#[expect(missing_docs, reason = "each constant is named as its field")]
pub mod id {
    use super::{FieldId, ROWS};

    pub const INTERFACE_ID: FieldId = row("interface-id");
    pub const SRCADDR: FieldId = row("srcaddr");
    pub const DSTADDR: FieldId = row("dstaddr");
    pub const SRCPORT: FieldId = row("srcport");
    pub const DSTPORT: FieldId = row("dstport");
    pub const PROTOCOL: FieldId = row("protocol");
    pub const PACKETS: FieldId = row("packets");
    pub const BYTES: FieldId = row("bytes");
    pub const START: FieldId = row("start");
    pub const END: FieldId = row("end");
    pub const ACTION: FieldId = row("action");
    pub const LOG_STATUS: FieldId = row("log-status");
    pub const TCP_FLAGS: FieldId = row("tcp-flags");
    pub const PKT_SRCADDR: FieldId = row("pkt-srcaddr");
    pub const PKT_DSTADDR: FieldId = row("pkt-dstaddr");
    pub const PKT_DST_AWS_SERVICE: FieldId = row("pkt-dst-aws-service");

    const fn row(name: &str) -> FieldId {
        let mut index = 0;
        while index < ROWS.len() {
            if same(ROWS[index].name.as_bytes(), name.as_bytes()) {
                return index;
            }
            index += 1;
        }
        panic!("not a documented field")
    }

    const fn same(left: &[u8], right: &[u8]) -> bool {
        if left.len() != right.len() {
            return false;
        }
        let mut index = 0;
        while index < left.len() {
            if left[index] != right[index] {
                return false;
            }
            index += 1;
        }
        true
    }
}

fn edit_distance(left: &[u8], right: &[u8]) -> usize {
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, left_byte) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_byte) in right.iter().enumerate() {
            let substituted = previous[column] + usize::from(left_byte != right_byte);
            current.push(substituted.min(previous[column + 1] + 1).min(current[column] + 1));
        }
        previous = current;
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_documented_number_of_fields_per_version() {
        let count = |version| FIELDS.iter().filter(|field| field.version == version).count();
        let counts: Vec<usize> = (2..=11).map(count).collect();
        assert_eq!(counts, [14, 7, 4, 4, 18, 10, 1, 1, 1, 12]);
    }

    #[test]
    fn names_are_unique_and_found_in_both_spellings() {
        for (row, field) in FIELDS.iter().enumerate() {
            assert_eq!(find(field.name.as_bytes()), Some(row));
            assert_eq!(find(field.name.replace('-', "_").as_bytes()), Some(row));
        }
        assert_eq!(find(b"srcadr"), None);
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion_and_a_strange_one_none() {
        assert_eq!(suggest("srcadr"), Some("srcaddr"));
        assert_eq!(suggest("log_status"), Some("log-status"));
        assert_eq!(suggest("colour"), None);
    }
}
