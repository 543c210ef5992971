//! A layout as the second pass needs it: the column of each field that is read.

use crate::flow::Layout;
use crate::flow::field::{FieldId, id};

/// A column, or [`ABSENT`].
pub(super) type Place = u8;

/// What the layout lacks.
pub(super) const ABSENT: Place = u8::MAX;

/// The columns of the fields that a record has. It is as cheap to make as a layout is to compare with another, so that
/// none is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// Columns of a line.
    pub(super) columns: usize,
    pub(super) interface_id: Place,
    pub(super) destination_service: Place,
    /// `pkt-srcaddr`, `pkt-dstaddr`.
    pub(super) packet_addresses: [Place; 2],
    /// `srcaddr`, `dstaddr`.
    pub(super) addresses: [Place; 2],
    /// `packets`, `bytes`, `start`, `end`.
    pub(super) integers: [Place; 4],
    /// `srcport`, `dstport`, `protocol`, `tcp-flags`.
    pub(super) short_integers: [Place; 4],
    pub(super) action: Place,
    pub(super) log_status: Place,
}

impl Plan {
    /// That of [`Layout::default_version_2`]: what is compiled for it knows the columns.
    pub(super) const VERSION_2: Self = Self {
        columns: 14,
        interface_id: 2,
        destination_service: ABSENT,
        packet_addresses: [ABSENT, ABSENT],
        addresses: [3, 4],
        integers: [8, 9, 10, 11],
        short_integers: [5, 6, 7, ABSENT],
        action: 12,
        log_status: 13,
    };

    #[inline(always)]
    pub(super) fn new(layout: &Layout) -> Self {
        let place = |field: FieldId| {
            layout
                .column_of(field)
                .and_then(|column| Place::try_from(column).ok())
                .unwrap_or(ABSENT)
        };
        Self {
            columns: layout.columns().len(),
            interface_id: place(id::INTERFACE_ID),
            destination_service: place(id::PKT_DST_AWS_SERVICE),
            packet_addresses: [place(id::PKT_SRCADDR), place(id::PKT_DSTADDR)],
            addresses: [place(id::SRCADDR), place(id::DSTADDR)],
            integers: [place(id::PACKETS), place(id::BYTES), place(id::START), place(id::END)],
            short_integers: [
                place(id::SRCPORT),
                place(id::DSTPORT),
                place(id::PROTOCOL),
                place(id::TCP_FLAGS),
            ],
            action: place(id::ACTION),
            log_status: place(id::LOG_STATUS),
        }
    }
}
