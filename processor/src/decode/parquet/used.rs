//! The columns that the pipeline reads, and a row of them as a [`Line`].

use super::Problem;
use super::cell::{Decision, Endpoint, Number, Status, Text};
use super::codec::Codecs;
use super::column::{BATCH_ROWS, Budget, Column, Rows};
use crate::batch::{ColumnType, PhysicalType, RowGroup};
use crate::decode::line::to_seconds;
use crate::decode::refusal::{Oddities, Reason, Refusal};
use crate::flow::field::{FIELDS, FieldId, id};
use crate::flow::{Action, Address, Line, Record, TcpFlags};

/// Whether the pipeline reads this field, as [`parse_line`](crate::decode::parse_line) does.
#[must_use]
pub fn is_used(field: FieldId) -> bool {
    NUMBERS.contains(&field) || TEXTS.contains(&field)
}

/// Whether values of `column` can be those of `field`: text always, integers where digits are a value.
pub(super) fn can_hold(field: FieldId, column: &ColumnType) -> bool {
    match column.physical {
        PhysicalType::ByteArray | PhysicalType::Fixed(_) => true,
        PhysicalType::Int32 | PhysicalType::Int64 => NUMBERS.contains(&field),
        _ => false,
    }
}

/// One column for each field that is used.
#[derive(Debug, Default)]
pub(super) struct UsedColumns {
    interface_id: Column<Text>,
    source: Column<Endpoint>,
    destination: Column<Endpoint>,
    packet_source: Column<Endpoint>,
    packet_destination: Column<Endpoint>,
    source_port: Column<Number>,
    destination_port: Column<Number>,
    protocol: Column<Number>,
    packets: Column<Number>,
    bytes: Column<Number>,
    start: Column<Number>,
    end: Column<Number>,
    action: Column<Decision>,
    status: Column<Status>,
    tcp_flags: Column<Number>,
    destination_service: Column<Text>,
}

/// The rows that were read last, column by column.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    columns: &'a UsedColumns,
    interface_id: &'a [Text],
    source: &'a [Endpoint],
    destination: &'a [Endpoint],
    packet_source: &'a [Endpoint],
    packet_destination: &'a [Endpoint],
    source_port: &'a [Number],
    destination_port: &'a [Number],
    protocol: &'a [Number],
    packets: &'a [Number],
    bytes: &'a [Number],
    start: &'a [Number],
    end: &'a [Number],
    action: &'a [Decision],
    status: &'a [Status],
    tcp_flags: &'a [Number],
    destination_service: &'a [Text],
}

/// A text that is passed on may be so long: interface ids have 21 bytes, AWS's service names up to 25. One value of a
/// dictionary stands for many rows, each of which would have to hash it.
const TEXT_BYTES_MAX: u32 = 1024;

const NUMBERS: [FieldId; 8] = [
    id::SRCPORT,
    id::DSTPORT,
    id::PROTOCOL,
    id::PACKETS,
    id::BYTES,
    id::START,
    id::END,
    id::TCP_FLAGS,
];

const TEXTS: [FieldId; 8] = [
    id::INTERFACE_ID,
    id::SRCADDR,
    id::DSTADDR,
    id::PKT_SRCADDR,
    id::PKT_DSTADDR,
    id::ACTION,
    id::LOG_STATUS,
    id::PKT_DST_AWS_SERVICE,
];

impl UsedColumns {
    /// Begins a row group.
    pub(super) fn begin(&mut self, group: &RowGroup) -> Result<(), Refusal> {
        for (field, rows) in self.by_field() {
            let corrupt = || Problem::Corrupt.in_field(Some(field));
            let Some(place) = group.columns.iter().position(|column| column.field == Some(field))
            else {
                rows.begin(None);
                continue;
            };
            let chunk = group.chunks.iter().position(|chunk| chunk.column == place);
            let column = &group.columns[place];
            let chunk = chunk.filter(|_| can_hold(field, column)).ok_or_else(corrupt)?;
            rows.begin(Some((chunk, column)));
        }
        Ok(())
    }

    /// Reads the next rows, at most `rows_max`; returns how many.
    pub(super) fn fill(
        &mut self,
        group: &RowGroup,
        codecs: &mut Codecs,
        budget: &mut Budget,
        rows_max: usize,
    ) -> Result<usize, Refusal> {
        let mut rows = rows_max.min(BATCH_ROWS);
        for (field, column) in self.by_field() {
            let available = column.available(group, codecs, budget);
            rows = rows.min(available.map_err(|problem| problem.in_field(Some(field)))?);
        }
        for (field, column) in self.by_field() {
            column.fill(rows).map_err(|problem| problem.in_field(Some(field)))?;
        }
        Ok(rows)
    }

    /// The first `rows` of the rows that were read last.
    pub(super) fn view(&self, rows: usize) -> View<'_> {
        View {
            columns: self,
            interface_id: &self.interface_id.cells()[..rows],
            source: &self.source.cells()[..rows],
            destination: &self.destination.cells()[..rows],
            packet_source: &self.packet_source.cells()[..rows],
            packet_destination: &self.packet_destination.cells()[..rows],
            source_port: &self.source_port.cells()[..rows],
            destination_port: &self.destination_port.cells()[..rows],
            protocol: &self.protocol.cells()[..rows],
            packets: &self.packets.cells()[..rows],
            bytes: &self.bytes.cells()[..rows],
            start: &self.start.cells()[..rows],
            end: &self.end.cells()[..rows],
            action: &self.action.cells()[..rows],
            status: &self.status.cells()[..rows],
            tcp_flags: &self.tcp_flags.cells()[..rows],
            destination_service: &self.destination_service.cells()[..rows],
        }
    }

    fn by_field(&mut self) -> [(FieldId, &mut dyn Rows); 16] {
        [
            (id::INTERFACE_ID, &mut self.interface_id),
            (id::SRCADDR, &mut self.source),
            (id::DSTADDR, &mut self.destination),
            (id::PKT_SRCADDR, &mut self.packet_source),
            (id::PKT_DSTADDR, &mut self.packet_destination),
            (id::SRCPORT, &mut self.source_port),
            (id::DSTPORT, &mut self.destination_port),
            (id::PROTOCOL, &mut self.protocol),
            (id::PACKETS, &mut self.packets),
            (id::BYTES, &mut self.bytes),
            (id::START, &mut self.start),
            (id::END, &mut self.end),
            (id::ACTION, &mut self.action),
            (id::LOG_STATUS, &mut self.status),
            (id::TCP_FLAGS, &mut self.tcp_flags),
            (id::PKT_DST_AWS_SERVICE, &mut self.destination_service),
        ]
    }
}

impl<'a> View<'a> {
    /// One row as [`parse_line`](crate::decode::parse_line) reads its values, field by field in the same order.
    #[inline]
    pub(super) fn line(&self, row: usize, oddities: &mut Oddities) -> Result<Line<'a>, Refusal> {
        let (interface_id, service) = (self.interface_id[row], self.destination_service[row]);
        if interface_id.length.max(service.length) > TEXT_BYTES_MAX {
            return Err(Refusal { reason: Reason::LineTooLong, field: None });
        }
        let (start_s, end_s) = self.times(row, oddities)?;
        let interface_id = self.columns.interface_id.text(interface_id);
        match self.status[row] {
            Status::Ok => {}
            Status::NoData => return Ok(Line::Silence),
            Status::SkipData => return Ok(Line::Blind { interface_id, start_s, end_s }),
            Status::Bad => return Err(refuse(Reason::BadStatus, id::LOG_STATUS)),
        }
        let source =
            endpoint((self.packet_source[row], id::PKT_SRCADDR), (self.source[row], id::SRCADDR))?;
        let destination = endpoint(
            (self.packet_destination[row], id::PKT_DSTADDR),
            (self.destination[row], id::DSTADDR),
        )?;
        Ok(Line::Flow(Record {
            interface_id,
            source,
            destination,
            source_port: number(self.source_port[row], id::SRCPORT)?,
            destination_port: number(self.destination_port[row], id::DSTPORT)?,
            protocol: number(self.protocol[row], id::PROTOCOL)?,
            packets: number(self.packets[row], id::PACKETS)?,
            bytes: number(self.bytes[row], id::BYTES)?,
            start_s,
            end_s,
            action: action(self.action[row])?,
            tcp_flags: tcp_flags(self.tcp_flags[row])?,
            destination_service: self.columns.destination_service.text(service),
        }))
    }

    #[inline]
    fn times(&self, row: usize, oddities: &mut Oddities) -> Result<(u64, u64), Refusal> {
        let start = number(self.start[row], id::START)?;
        let times = to_seconds(start, number(self.end[row], id::END)?);
        oddities.millisecond_times += u64::from(times.has_milliseconds);
        times.interval_s.ok_or_else(|| refuse(Reason::BadTime, id::END))
    }
}

/// The packet's own address where it is known, else that of the interface's side.
#[inline]
fn endpoint(
    packet: (Endpoint, FieldId),
    interface: (Endpoint, FieldId),
) -> Result<Address, Refusal> {
    let (cell, field) = if matches!(packet.0, Endpoint::Absent) { interface } else { packet };
    match cell {
        Endpoint::Value(bits) => Ok(Address::v6(u128::from_ne_bytes(bits))),
        Endpoint::Absent => Err(refuse(Reason::NoAddress, field)),
        Endpoint::Bad => Err(refuse(Reason::BadAddress, field)),
    }
}

/// A number that must fit its type; 0 when absent.
#[inline]
fn number<N: TryFrom<u64> + Default>(cell: Number, field: FieldId) -> Result<N, Refusal> {
    match cell {
        Number::Absent => Ok(N::default()),
        Number::Value(value) => {
            N::try_from(value).map_err(|_error| refuse(Reason::BadNumber, field))
        }
        Number::Bad => Err(refuse(Reason::BadNumber, field)),
    }
}

#[inline]
fn action(cell: Decision) -> Result<Option<Action>, Refusal> {
    match cell {
        Decision::Value(action) => Ok(Some(action)),
        Decision::Absent => Ok(None),
        Decision::Bad => Err(refuse(Reason::BadAction, id::ACTION)),
    }
}

#[inline]
fn tcp_flags(cell: Number) -> Result<Option<TcpFlags>, Refusal> {
    if matches!(cell, Number::Absent) {
        return Ok(None);
    }
    number(cell, id::TCP_FLAGS).map(|flags| Some(TcpFlags(flags)))
}

#[cold]
fn refuse(reason: Reason, field: FieldId) -> Refusal {
    Refusal { reason, field: Some(FIELDS[field].name) }
}
