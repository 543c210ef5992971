//! Why bytes were not decoded, split by what the reader does next.

use thiserror::Error;

use super::Kind;

/// Why bytes were not decoded. It never holds the data itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end before the frame does: wait for more, or cut off what a crash left at the end of a file.
    #[error("frame cut short: {present} of at least {needed} bytes")]
    Truncated {
        /// The bytes that are there.
        present: usize,
        /// The bytes that it takes, as far as those present tell.
        needed: usize,
    },
    /// Damaged or forged: skip it, and count it.
    #[error("corrupt frame: {0}")]
    Corrupt(Corruption),
    /// Hashed under another secret: sketches of the two deployments must not be merged. Check the configuration.
    #[error("frame of another secret: its sketch cannot be merged with ours")]
    WrongKey,
    /// An intact frame of another kind: the reader lost its place, or the writer is newer.
    #[error("frame of kind {found} where {expected:?} ({}) is expected", expected.number())]
    WrongKind {
        /// The kind that was asked for.
        expected: Kind,
        /// The number in the frame.
        found: u8,
    },
    /// Written by a release that this one cannot read: upgrade the reader, and keep the bytes.
    #[error("{kind:?} version {found}, where this release reads {oldest} to {newest}")]
    UnsupportedVersion {
        /// The kind of the frame.
        kind: Kind,
        /// The version in the frame.
        found: u8,
        /// The oldest version that is read.
        oldest: u8,
        /// The newest version that is read, and the one that is written.
        newest: u8,
    },
    /// The frame itself has a layout that this release cannot read: upgrade the reader, and keep the bytes.
    #[error("frame version {found}, where this release reads 1")]
    UnsupportedFrame {
        /// The version in the frame.
        found: u8,
    },
    /// More than the reader's limits or the kind's maximum allow: skip it, or raise the limit.
    #[error("{what} of {bytes} bytes where {allowed} are allowed")]
    TooLarge {
        /// `body` or `sketch`.
        what: &'static str,
        /// What the frame asks for.
        bytes: usize,
        /// The limit.
        allowed: usize,
    },
}

/// How a frame is corrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Corruption {
    /// It does not start like a frame.
    #[error("no frame starts here")]
    NotAFrame,
    /// The checksum is that of other bytes.
    #[error("the checksum does not match")]
    Checksum,
    /// Bytes follow the frame, or the last field of its body.
    #[error("bytes follow the end")]
    TrailingBytes,
    /// The checksum matches, but no sketch is written like this.
    #[error("{0}")]
    Structure(&'static str),
}

impl DecodeError {
    /// A body that no sketch is written as; `what` says where, and never holds data.
    #[must_use]
    pub const fn structure(what: &'static str) -> Self {
        Self::Corrupt(Corruption::Structure(what))
    }

    /// A stable label for metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Corrupt(Corruption::NotAFrame) => "not_a_frame",
            Self::Corrupt(Corruption::Checksum) => "checksum",
            Self::Corrupt(Corruption::TrailingBytes) => "trailing_bytes",
            Self::Corrupt(Corruption::Structure(_)) => "structure",
            Self::WrongKey => "wrong_key",
            Self::WrongKind { .. } => "wrong_kind",
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::UnsupportedFrame { .. } => "unsupported_frame",
            Self::TooLarge { .. } => "too_large",
        }
    }
}
