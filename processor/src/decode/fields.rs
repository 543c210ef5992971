//! Every field of a line, for those who want them all.

use super::line::LINE_BYTES_MAX;
use super::refusal::{Oddities, Reason, Refusal};
use super::scalar::{parse_address, parse_integer};
use super::split::{Split, Splitter};
use crate::flow::field::{FIELDS, FieldId, FieldType, id};
use crate::flow::{Column, Layout};

/// The value of one column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// It reads `-`: not applicable, or not known to AWS.
    Absent,
    /// A field of integer type.
    Integer(u64),
    /// A field of text type, or one that no document of AWS has.
    Text(&'a [u8]),
}

/// Reads every column of a line by its documented type, as it is written: times keep their unit.
///
/// # Errors
/// The reason and field for which the line is refused.
pub fn fields<'a, 'l>(
    line: &'a [u8],
    layout: &'l Layout,
    splitter: &mut Splitter,
    oddities: &mut Oddities,
) -> Result<Vec<(&'l Column, Value<'a>)>, Refusal> {
    let columns = layout.columns();
    if line.len() > LINE_BYTES_MAX {
        return Err(Refusal { reason: Reason::LineTooLong, field: None });
    }
    match splitter.split(line, columns.len()) {
        Split::Clean => {}
        Split::Collapsed => oddities.doubled_spaces += 1,
        Split::Mismatch => return Err(Refusal { reason: Reason::FieldCount, field: None }),
    }
    let values = columns.iter().enumerate().map(|(place, column)| {
        let value = read(column.field, splitter.value(line, place))?;
        Ok((column, value))
    });
    values.collect()
}

/// One value by the type of its field.
pub(super) fn read(field: Option<FieldId>, text: &[u8]) -> Result<Value<'_>, Refusal> {
    let Some(field) = field.filter(|_| text != b"-") else {
        return Ok(if text == b"-" { Value::Absent } else { Value::Text(text) });
    };
    let refuse = |reason| Refusal { reason, field: Some(FIELDS[field].name) };
    if FIELDS[field].field_type == FieldType::Integer {
        let value = parse_integer(text).filter(|value| *value <= largest(field));
        return value.map(Value::Integer).ok_or_else(|| refuse(Reason::BadNumber));
    }
    let problem = match field {
        id::SRCADDR | id::DSTADDR | id::PKT_SRCADDR | id::PKT_DSTADDR => {
            parse_address(text).is_none().then_some(Reason::BadAddress)
        }
        id::ACTION => (!matches!(text, b"ACCEPT" | b"REJECT")).then_some(Reason::BadAction),
        id::LOG_STATUS => {
            (!matches!(text, b"OK" | b"NODATA" | b"SKIPDATA")).then_some(Reason::BadStatus)
        }
        _ => None,
    };
    problem.map_or(Ok(Value::Text(text)), |reason| Err(refuse(reason)))
}

fn largest(field: FieldId) -> u64 {
    match field {
        id::SRCPORT | id::DSTPORT => u64::from(u16::MAX),
        id::PROTOCOL | id::TCP_FLAGS => u64::from(u8::MAX),
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_read_by_its_type_and_unknown_ones_pass_as_text() {
        let layout =
            Layout::from_format("${account-id} ${srcport} ${new-field} ${vpc-id}").unwrap();
        let mut splitter = Splitter::default();
        let read =
            fields(b"000000000012 443 x -", &layout, &mut splitter, &mut Oddities::default());
        let values: Vec<_> = read.unwrap().into_iter().map(|(_, value)| value).collect();
        let expected =
            [Value::Text(b"000000000012"), Value::Integer(443), Value::Text(b"x"), Value::Absent];
        assert_eq!(values, expected);
    }

    #[test]
    fn what_the_pipeline_reads_is_what_all_fields_say() {
        let layout = Layout::default_version_2();
        let good = "2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 40 1418530010 1418530070 ACCEPT OK";
        let bad =
            [("10.0.0.1", "10.0.0"), (" 2 6", " 65536 6"), ("ACCEPT", "accept"), ("OK", "ok")];
        for (from, to) in bad {
            let line = good.replacen(from, to, 1);
            let (mut splitter, mut oddities) = Default::default();
            let all = fields(line.as_bytes(), &layout, &mut splitter, &mut oddities).unwrap_err();
            let used =
                super::super::parse_line(line.as_bytes(), &layout, &mut splitter, &mut oddities);
            assert_eq!(used.unwrap_err(), all);
        }
    }
}
