//! Pages written by hand, as no writer writes them.

use std::sync::Arc;

use flowscout::batch::{Chunk, Codec, ColumnType, PhysicalType, RowGroup};
use flowscout::flow::field;

/// A page header and the page behind it. Numbers are those of `parquet.thrift`.
pub(crate) struct Page {
    pub(crate) page_type: i32,
    pub(crate) page_bytes: i32,
    pub(crate) values: i32,
    pub(crate) encoding: i32,
    pub(crate) body: Vec<u8>,
}

pub(crate) const DATA: i32 = 0;
pub(crate) const DICTIONARY: i32 = 2;
pub(crate) const PLAIN: i32 = 0;
pub(crate) const INDICES: i32 = 8;

impl Page {
    /// One whose header tells the truth, if it is not compressed.
    pub(crate) fn new(page_type: i32, values: i32, encoding: i32, body: &[u8]) -> Self {
        let page_bytes = i32::try_from(body.len()).unwrap();
        Self { page_type, page_bytes, values, encoding, body: body.to_vec() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let compressed = i32::try_from(self.body.len()).unwrap();
        let mut bytes = Vec::new();
        for number in [self.page_type, self.page_bytes, compressed] {
            bytes.push(0x15);
            zigzag(number, &mut bytes);
        }
        // Field 5 for data, 7 for a dictionary; both are structs that begin with values and encoding.
        bytes.push(if self.page_type == DICTIONARY { 0x4c } else { 0x2c });
        for number in [self.values, self.encoding] {
            bytes.push(0x15);
            zigzag(number, &mut bytes);
        }
        bytes.extend([0, 0]);
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A row group of one required column, not compressed.
pub(crate) fn group(name: &str, physical: PhysicalType, rows: u64, pages: &[Page]) -> RowGroup {
    let column = ColumnType {
        name: name.to_owned(),
        field: field::find(name.as_bytes()),
        physical,
        is_optional: false,
        is_unsigned: false,
    };
    let bytes: Vec<u8> = pages.iter().flat_map(Page::bytes).collect();
    let chunks = vec![Chunk { column: 0, codec: Codec::Plain, bytes: bytes.into() }];
    RowGroup { index: 0, rows, columns: Arc::from([column]), chunks }
}

fn zigzag(number: i32, bytes: &mut Vec<u8>) {
    let mut left = ((number << 1) ^ (number >> 31)).cast_unsigned();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}
