//! What a flow log says, as plain values: an [`Address`], a [`Record`] that borrows from the bytes it was
//! read from, the [`Line`] that a decoder found, and the [`Layout`] in which its fields stand.
//!
//! Field meanings: Amazon VPC User Guide, "Flow log records".

mod address;
pub mod field;
mod layout;
mod network;
mod record;

pub use address::Address;
pub use layout::{Column, Layout, LayoutError};
pub use network::{Network, NetworkError, Networks};
pub use record::{Action, Line, Record, TcpFlags, protocol};
