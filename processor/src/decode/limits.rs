//! How much one payload may make us hold.

/// Bounds on what is peeled; beyond them a payload is refused with its reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes that one payload may decompress to, over all layers. Default 64 MiB: above what a Firehose request or a
    /// CloudWatch Logs envelope holds. Lower it where memory is scarce.
    pub decompressed_bytes_max: usize,
    /// Envelopes within each other. Default 8: the deepest that AWS makes has five (KPL, base64, gzip, gzip, JSON).
    pub nesting_max: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { decompressed_bytes_max: 64 << 20, nesting_max: 8 }
    }
}
