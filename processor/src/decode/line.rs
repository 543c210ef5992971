//! One line of text to one [`Line`].

use super::refusal::{Oddities, Reason, Refusal};
use super::scalar::{parse_address, parse_integer};
use super::split::{Split, Splitter};
use crate::flow::field::{FIELDS, FieldId, id};
use crate::flow::{Action, Address, Layout, Line, Record, TcpFlags};

/// A line may be this long; the longest documented record, with every field and tag, is far shorter.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Above any time in seconds that is meant (the year 5138) and below any time in milliseconds (1973).
const SECONDS_MAX: u64 = 100_000_000_000;
/// 2100-01-01: a record beyond it would drag the event-time clock away.
const END_S_MAX: u64 = 4_102_444_800;

/// Reads one line, without its line end, by `layout`.
///
/// # Errors
/// The reason and field for which the line is refused.
pub fn parse_line<'a>(
    line: &'a [u8],
    layout: &Layout,
    splitter: &mut Splitter,
    oddities: &mut Oddities,
) -> Result<Line<'a>, Refusal> {
    if line.len() > LINE_BYTES_MAX {
        return Err(Refusal { reason: Reason::LineTooLong, field: None });
    }
    match splitter.split(line, layout.columns().len()) {
        Split::Clean => {}
        Split::Collapsed => oddities.doubled_spaces += 1,
        Split::Mismatch => return Err(Refusal { reason: Reason::FieldCount, field: None }),
    }
    let values = Values { line, layout, splitter };
    let (start_s, end_s) = values.times(oddities)?;
    let interface_id = values.text(id::INTERFACE_ID);
    match values.text(id::LOG_STATUS) {
        b"OK" | b"" => {}
        b"NODATA" => return Ok(Line::Silence),
        b"SKIPDATA" => return Ok(Line::Blind { interface_id, start_s, end_s }),
        _ => return Err(refuse(Reason::BadStatus, id::LOG_STATUS)),
    }
    Ok(Line::Flow(Record {
        interface_id,
        source: values.endpoint(id::PKT_SRCADDR, id::SRCADDR)?,
        destination: values.endpoint(id::PKT_DSTADDR, id::DSTADDR)?,
        source_port: values.number(id::SRCPORT)?,
        destination_port: values.number(id::DSTPORT)?,
        protocol: values.number(id::PROTOCOL)?,
        packets: values.number(id::PACKETS)?,
        bytes: values.number(id::BYTES)?,
        start_s,
        end_s,
        action: values.action()?,
        tcp_flags: values.tcp_flags()?,
        destination_service: values.text(id::PKT_DST_AWS_SERVICE),
    }))
}

struct Values<'a, 's> {
    line: &'a [u8],
    layout: &'s Layout,
    splitter: &'s Splitter,
}

impl<'a> Values<'a, '_> {
    /// The text of a field; empty when the layout lacks it or it reads `-`.
    fn text(&self, field: FieldId) -> &'a [u8] {
        let Some(column) = self.layout.column_of(field) else { return b"" };
        let value = self.splitter.value(self.line, column);
        if value == b"-" { b"" } else { value }
    }

    /// A number that must fit its type; 0 when absent.
    fn number<N: TryFrom<u64> + Default>(&self, field: FieldId) -> Result<N, Refusal> {
        let text = self.text(field);
        if text.is_empty() {
            return Ok(N::default());
        }
        parse_integer(text)
            .and_then(|value| N::try_from(value).ok())
            .ok_or_else(|| refuse(Reason::BadNumber, field))
    }

    fn endpoint(&self, packet: FieldId, interface: FieldId) -> Result<Address, Refusal> {
        let (field, text) = match self.text(packet) {
            b"" => (interface, self.text(interface)),
            text => (packet, text),
        };
        if text.is_empty() {
            return Err(refuse(Reason::NoAddress, field));
        }
        parse_address(text).ok_or_else(|| refuse(Reason::BadAddress, field))
    }

    fn action(&self) -> Result<Option<Action>, Refusal> {
        match self.text(id::ACTION) {
            b"ACCEPT" => Ok(Some(Action::Accept)),
            b"REJECT" => Ok(Some(Action::Reject)),
            b"" => Ok(None),
            _ => Err(refuse(Reason::BadAction, id::ACTION)),
        }
    }

    fn tcp_flags(&self) -> Result<Option<TcpFlags>, Refusal> {
        if self.text(id::TCP_FLAGS).is_empty() {
            return Ok(None);
        }
        self.number(id::TCP_FLAGS).map(|flags| Some(TcpFlags(flags)))
    }

    /// `start` and `end` in seconds.
    fn times(&self, oddities: &mut Oddities) -> Result<(u64, u64), Refusal> {
        let times = to_seconds(self.number(id::START)?, self.number(id::END)?);
        oddities.millisecond_times += u64::from(times.has_milliseconds);
        times.interval_s.ok_or(refuse(Reason::BadTime, id::END))
    }
}

/// The times of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Whether one of them was written in milliseconds.
    pub(super) has_milliseconds: bool,
    /// The first never after the second; `None` if there is no time, or one that cannot be meant.
    pub(super) interval_s: Option<(u64, u64)>,
}

/// `start` and `end` as they are written, 0 when absent; each stands in for the other.
#[inline]
pub(super) fn to_seconds(start: u64, end: u64) -> Times {
    let has_milliseconds = start.max(end) > SECONDS_MAX;
    let to_seconds = |time: u64| if time > SECONDS_MAX { time / 1000 } else { time };
    let (start_s, end_s) = (to_seconds(start), to_seconds(end));
    let end_s = if end_s == 0 { start_s } else { end_s };
    if end_s == 0 || end_s > END_S_MAX {
        return Times { has_milliseconds, interval_s: None };
    }
    let start_s = if start_s == 0 { end_s } else { start_s.min(end_s) };
    Times { has_milliseconds, interval_s: Some((start_s, end_s)) }
}

fn refuse(reason: Reason, field: FieldId) -> Refusal {
    Refusal { reason, field: Some(FIELDS[field].name) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse<'a>(line: &'a str, layout: &Layout) -> Result<Line<'a>, Refusal> {
        parse_line(line.as_bytes(), layout, &mut Splitter::default(), &mut Oddities::default())
    }

    fn flow<'a>(line: &'a str, layout: &Layout) -> Record<'a> {
        match parse(line, layout) {
            Ok(Line::Flow(record)) => record,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refusal(line: &str) -> String {
        parse(line, &Layout::default_version_2()).unwrap_err().to_string()
    }

    // The documented examples below are those of the AWS page "Flow log record examples".

    #[test]
    fn the_documented_accepted_record_is_read_field_by_field() {
        let line = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 \
                    1418530010 1418530070 ACCEPT OK";
        let record = flow(line, &Layout::default_version_2());
        assert_eq!(record.interface_id, b"eni-1235b8ca123456789");
        assert_eq!(record.source.to_string(), "172.31.16.139");
        assert_eq!(record.destination.to_string(), "172.31.16.21");
        assert_eq!((record.source_port, record.destination_port, record.protocol), (20641, 22, 6));
        assert_eq!((record.packets, record.bytes), (20, 4249));
        assert_eq!((record.start_s, record.end_s), (1_418_530_010, 1_418_530_070));
        assert_eq!((record.action, record.tcp_flags), (Some(Action::Accept), None));
    }

    #[test]
    fn the_documented_no_data_and_skipped_records_are_silence_and_blindness() {
        let layout = Layout::default_version_2();
        let silence =
            "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA";
        assert_eq!(parse(silence, &layout), Ok(Line::Silence));
        let skipped =
            "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA";
        let interface_id = &b"eni-11111111aaaaaaaaa"[..];
        let (start_s, end_s) = (1_431_280_876, 1_431_280_934);
        assert_eq!(parse(skipped, &layout), Ok(Line::Blind { interface_id, start_s, end_s }));
    }

    #[test]
    fn the_documented_ipv6_record_is_read() {
        let line = "2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 \
                    2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK";
        let record = flow(line, &Layout::default_version_2());
        assert_eq!(record.source.to_string(), "2001:db8:1234:a100:8d6e:3477:df66:f105");
        assert!(!record.destination.is_v4());
    }

    #[test]
    fn the_documented_tcp_flag_record_with_its_double_space_is_read_and_noted() {
        let format = "${version} ${vpc-id} ${subnet-id} ${instance-id} ${interface-id} ${account-id} ${type} \
                      ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${pkt-srcaddr} ${pkt-dstaddr} ${protocol} \
                      ${bytes} ${packets} ${start} ${end} ${action} ${tcp-flags} ${log-status}";
        let line = "3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 \
                    eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43416 5001 52.213.180.42 \
                    10.0.0.62 6 568 8 1566848875 1566848933 ACCEPT 2  OK";
        let layout = Layout::from_format(format).unwrap();
        let mut oddities = Oddities::default();
        let parsed =
            parse_line(line.as_bytes(), &layout, &mut Splitter::default(), &mut oddities).unwrap();
        let Line::Flow(record) = parsed else { panic!("{parsed:?}") };
        assert_eq!(record.tcp_flags, Some(TcpFlags(2)));
        assert_eq!(oddities.doubled_spaces, 1);
    }

    #[test]
    fn behind_a_nat_gateway_the_packet_addresses_are_the_endpoints() {
        let layout = Layout::from_format(
            "${instance-id} ${interface-id} ${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr} ${end}",
        )
        .unwrap();
        let line = "- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5 1566848933";
        assert_eq!(flow(line, &layout).destination.to_string(), "203.0.113.5");
    }

    #[test]
    fn milliseconds_are_brought_to_seconds_and_noted() {
        let line = "2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 40 1418530010000 1418530070999 ACCEPT OK";
        let mut oddities = Oddities::default();
        let layout = Layout::default_version_2();
        let parsed =
            parse_line(line.as_bytes(), &layout, &mut Splitter::default(), &mut oddities).unwrap();
        let Line::Flow(record) = parsed else { panic!("{parsed:?}") };
        assert_eq!((record.start_s, record.end_s), (1_418_530_010, 1_418_530_070));
        assert_eq!(oddities.millisecond_times, 1);
    }

    #[test]
    fn dashes_are_absent_values() {
        let line = "2 unknown - 10.0.0.1 10.0.0.2 - - 47 - - 1418530010 1418530070 - OK";
        let record = flow(line, &Layout::default_version_2());
        assert_eq!((record.source_port, record.bytes, record.action), (0, 0, None));
        assert_eq!(record.interface_id, b"");
    }

    #[test]
    fn a_line_over_the_cap_is_refused_and_one_at_the_cap_is_not_for_its_length() {
        assert_eq!(refusal(&"a".repeat(LINE_BYTES_MAX + 1)), "line_too_long");
        assert_eq!(refusal(&"a".repeat(LINE_BYTES_MAX)), "field_count");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            line in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "[-0-9a-zA-Z.: ]{0,150}".prop_map(String::into_bytes),
                "([-0-9A-Z.:]{1,9} ){13}(OK|NODATA|SKIPDATA|-)".prop_map(String::into_bytes),
            ]
        ) {
            let layout = Layout::default_version_2();
            let (mut splitter, mut oddities) = Default::default();
            if let Ok(Line::Flow(record)) = parse_line(&line, &layout, &mut splitter, &mut oddities) {
                prop_assert!(record.start_s <= record.end_s && record.end_s <= END_S_MAX);
            }
        }
    }

    #[test]
    fn each_bad_field_is_refused_under_its_reason_and_name() {
        let good = "2 1 eni-1 10.0.0.1 10.0.0.2 1 2 6 1 40 1418530010 1418530070 ACCEPT OK";
        let with = |from: &str, to: &str| refusal(&good.replacen(from, to, 1));
        assert_eq!(with("10.0.0.1", "10.0.0.256"), "bad_address in srcaddr");
        assert_eq!(with("10.0.0.2", "-"), "no_address in dstaddr");
        assert_eq!(with(" 2 6 ", " 65536 6 "), "bad_number in dstport");
        assert_eq!(with(" 2 6 ", " 2 256 "), "bad_number in protocol");
        assert_eq!(with(" 40 ", " 4x "), "bad_number in bytes");
        assert_eq!(with("ACCEPT", "ALLOW"), "bad_action in action");
        assert_eq!(with("OK", "FINE"), "bad_status in log-status");
        assert_eq!(with("1418530010 1418530070", "0 0"), "bad_time in end");
        assert_eq!(with(" OK", ""), "field_count");
        assert_eq!(with("OK", "OK OK"), "field_count");
    }
}
