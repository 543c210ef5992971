//! Flow-log lines as the files that AWS puts into a bucket: one set of files per five minutes.
//!
//! In the order in which a line passes: this file chooses its slot and its file, `columns` and `file`
//! write it, `name` gives the file its key. All of it is pure; the caller puts what is complete. Same
//! plan and same layout, same objects. Memory bound: the open files of one slot, each of about
//! [`Layout::object_bytes_max`], and in Parquet the columns of one row group besides.
//!
//! Source: facts/flow-log-record.md (3, 9); AWS publishes at most 75 MB in a file and goes on in
//! another ("Flow log files" in the guide of transit gateways).

mod columns;
mod file;
mod name;

use parquet::errors::ParquetError;

use crate::draws::mix;
use crate::format::LineFormat;
use crate::generator::Origin;
use columns::Columns;
use file::File;

pub use name::{PrefixError, check_prefix};

/// What the files are like and where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// What comes before `AWSLogs/`, without a slash at its ends; may be empty.
    pub prefix: String,
    /// Folders that tools of Hive take for columns.
    pub hive: bool,
    /// A folder for each hour.
    pub hourly: bool,
    /// Columns in place of lines.
    pub parquet: bool,
    /// How many files share the records of five minutes; those of one interface lie in one.
    pub files_per_slot: u32,
    /// A file of about so many bytes ends, and another goes on.
    pub object_bytes_max: usize,
    /// Makes names unique.
    pub seed: u64,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// How many flow-log lines are in it.
    pub lines: u64,
}

/// Writes lines into the files of their slot.
#[derive(Debug)]
pub struct Slots {
    layout: Layout,
    header: String,
    columns: Columns,
    slot_s: u64,
    open: Vec<Option<File>>,
    objects: u64,
}

/// Files are named after the start of their five minutes.
const SLOT_S: u64 = 300;
/// The largest file that AWS publishes.
pub const OBJECT_BYTES_MAX: u32 = 75_000_000;

impl Slots {
    /// Nothing written yet.
    #[must_use]
    pub fn new(layout: Layout, format: &LineFormat) -> Self {
        let header = format.header();
        let open = (0..layout.files_per_slot.max(1)).map(|_| None).collect();
        let columns = Columns::new(&header);
        Self { layout, header, columns, slot_s: 0, open, objects: 0 }
    }

    /// Takes a line without its end. Files that are complete are appended to `out`.
    ///
    /// # Errors
    /// When the columns cannot be written.
    pub fn push(
        &mut self,
        line: &[u8],
        origin: Origin<'_>,
        out: &mut Vec<Object>,
    ) -> Result<(), ParquetError> {
        let slot_s = origin.end_s / SLOT_S * SLOT_S;
        if slot_s != self.slot_s {
            self.finish(out)?;
            self.slot_s = slot_s;
        }
        let place = self.place(origin.interface);
        let mut file = match self.open[place].take() {
            Some(file) => file,
            None if self.layout.parquet => File::columns(&self.columns)?,
            None => File::text(&self.header)?,
        };
        file.push(line)?;
        if file.bytes() < self.layout.object_bytes_max {
            self.open[place] = Some(file);
            return Ok(());
        }
        self.close(file, out)
    }

    /// Closes all that is open.
    ///
    /// # Errors
    /// When the columns cannot be written.
    pub fn finish(&mut self, out: &mut Vec<Object>) -> Result<(), ParquetError> {
        for place in 0..self.open.len() {
            if let Some(file) = self.open[place].take() {
                self.close(file, out)?;
            }
        }
        Ok(())
    }

    /// Which of the files of a slot has this interface.
    fn place(&self, interface: &str) -> usize {
        let files = self.open.len();
        if files == 1 {
            return 0;
        }
        let hash = interface.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        usize::try_from(hash % files as u64).unwrap_or(0)
    }

    fn close(&mut self, file: File, out: &mut Vec<Object>) -> Result<(), ParquetError> {
        let hash = mix(self.layout.seed ^ mix(self.slot_s ^ mix(self.objects)));
        self.objects += 1;
        let key = name::key(&self.layout, self.slot_s, hash);
        let (content, lines) = file.close()?;
        out.push(Object { key, content, lines });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use proptest::prelude::*;

    use super::*;

    const FORMAT: &str = "${interface-id} ${end}";

    fn layout() -> Layout {
        Layout {
            prefix: String::new(),
            hive: false,
            hourly: false,
            parquet: false,
            files_per_slot: 1,
            object_bytes_max: 1 << 20,
            seed: 1,
        }
    }

    fn written(layout: Layout, lines: &[(u8, u64)]) -> Vec<Object> {
        let mut slots = Slots::new(layout, &FORMAT.parse().unwrap());
        let mut out = Vec::new();
        for (interface, end_s) in lines {
            let interface = format!("eni-{interface}");
            let origin = Origin { interface: &interface, start_s: *end_s, end_s: *end_s };
            slots.push(format!("{interface} {end_s}").as_bytes(), origin, &mut out).unwrap();
        }
        slots.finish(&mut out).unwrap();
        out
    }

    /// What a reader that knows nothing of this module makes of an object.
    fn read(object: &Object) -> Vec<(u8, u64)> {
        let lines: Vec<String> = if object.key.ends_with(".parquet") {
            let reader = SerializedFileReader::new(Bytes::from(object.content.clone())).unwrap();
            let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
            let fields = |row: parquet::record::Row| {
                let values = row.get_column_iter().map(|(_, field)| field.to_string());
                values.collect::<Vec<_>>().join(" ").replace('"', "")
            };
            rows.map(fields).collect()
        } else {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&object.content[..]).read_to_string(&mut text).unwrap();
            let text = text.strip_prefix("interface-id end\n").unwrap();
            assert!(text.ends_with('\n'));
            text.lines().map(str::to_owned).collect()
        };
        assert_eq!(lines.len() as u64, object.lines);
        let line = |line: &String| {
            let (interface, end) = line.split_once(' ').unwrap();
            (interface.strip_prefix("eni-").unwrap().parse().unwrap(), end.parse().unwrap())
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_file_has_the_records_that_end_in_its_five_minutes() {
        let start_s = 1_767_225_600;
        let lines = [(1, start_s), (1, start_s + 299), (1, start_s + 300), (2, start_s + 1_500)];
        let objects = written(layout(), &lines);
        let times: Vec<&str> =
            objects.iter().map(|object| object.key.rsplit('_').nth(1).unwrap()).collect();
        assert_eq!(times, ["20260101T0000Z", "20260101T0005Z", "20260101T0025Z"]);
        assert_eq!(objects.iter().map(|object| object.lines).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn a_file_that_is_large_enough_is_followed_by_another() {
        let interface = |number| mix(number).to_le_bytes()[0];
        let lines: Vec<(u8, u64)> =
            (0..150_000).map(|number| (interface(number), number / 1_000)).collect();
        for parquet in [false, true] {
            let objects = written(Layout { object_bytes_max: 20_000, parquet, ..layout() }, &lines);
            assert!(objects.len() > 1);
            let longest = objects.iter().map(|object| object.content.len()).max().unwrap();
            assert!(longest < 400_000, "{longest}");
            assert_eq!(objects.iter().flat_map(read).collect::<Vec<_>>(), lines);
        }
    }

    proptest! {
        #[test]
        fn every_line_is_in_one_file_and_those_of_an_interface_in_their_order(
            mut lines in prop::collection::vec((0_u8..9, 0_u64..1_200), 0..300),
            files_per_slot in 1_u32..5,
            parquet in any::<bool>(),
            object_bytes_max in 20_usize..2_000,
        ) {
            lines.sort_by_key(|(_, end_s)| *end_s);
            let layout = Layout { files_per_slot, parquet, object_bytes_max, ..layout() };
            let objects = written(layout, &lines);
            let mut keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(keys.len(), objects.len());
            let read: Vec<Vec<(u8, u64)>> = objects.iter().map(read).collect();
            for file in &read {
                prop_assert!(!file.is_empty());
                prop_assert!(file.iter().all(|(_, end_s)| end_s / 300 == file[0].1 / 300));
            }
            let of = |all: &[(u8, u64)], one: u8| -> Vec<u64> {
                all.iter().filter(|(interface, _)| *interface == one).map(|(_, end_s)| *end_s).collect()
            };
            for interface in 0..9 {
                prop_assert_eq!(of(&read.concat(), interface), of(&lines, interface));
            }
        }
    }
}
