//! Pages decompressed, into exactly the bytes that their headers claim.

use std::fmt;

use super::Problem;
use crate::batch::Codec;

/// Decompressors, with the tables that they keep between pages.
#[derive(Default)]
pub(super) struct Codecs {
    snappy: snap::raw::Decoder,
    gzip: Option<libdeflater::Decompressor>,
    zstd: zstd::bulk::Decompressor<'static>,
}

impl Codecs {
    /// Fills `page` from `compressed`; one that is shorter or longer is corrupt.
    pub(super) fn decompress(
        &mut self,
        codec: Codec,
        compressed: &[u8],
        page: &mut [u8],
    ) -> Result<(), Problem> {
        let written = match codec {
            Codec::Plain => {
                let is_whole = compressed.len() == page.len();
                is_whole.then(|| page.copy_from_slice(compressed)).map(|()| page.len())
            }
            // A page without values has no compressed bytes either.
            _ if page.is_empty() => Some(0),
            Codec::Snappy => self.snappy.decompress(compressed, page).ok(),
            Codec::Gzip => {
                let gzip = self.gzip.get_or_insert_with(libdeflater::Decompressor::new);
                gzip.gzip_decompress(compressed, page).ok()
            }
            Codec::Zstd => self.zstd.decompress_to_buffer(compressed, page).ok(),
            Codec::Unknown(_) => None,
        };
        if written == Some(page.len()) { Ok(()) } else { Err(Problem::Corrupt) }
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Codecs")
    }
}
