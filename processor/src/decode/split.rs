//! Where each column of a line begins and ends.

use crate::flow::Layout;

/// Column boundaries of the line it last split; kept between lines so that nothing is allocated per record.
#[derive(Debug)]
pub struct Splitter {
    /// `starts[i]..ends[i]` is column `i`.
    starts: [u32; Layout::COLUMNS_MAX],
    ends: [u32; Layout::COLUMNS_MAX],
}

impl Default for Splitter {
    fn default() -> Self {
        Self { starts: [0; Layout::COLUMNS_MAX], ends: [0; Layout::COLUMNS_MAX] }
    }
}

/// How a line fell into columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Split {
    /// One space between any two values.
    Clean,
    /// Runs of spaces were taken as one separator, as in AWS's own tcp-flags example.
    Collapsed,
    /// It has another number of values than the layout has columns.
    Mismatch,
}

impl Splitter {
    /// Splits `line`, of at most 4 GiB, into exactly `columns` values.
    pub(super) fn split(&mut self, line: &[u8], columns: usize) -> Split {
        if self.split_at_each_space(line, columns) {
            Split::Clean
        } else if self.split_at_runs(line, columns) {
            Split::Collapsed
        } else {
            Split::Mismatch
        }
    }

    /// The value of a column of the line that was split last.
    #[must_use]
    pub fn value<'a>(&self, line: &'a [u8], column: usize) -> &'a [u8] {
        let range = self.starts[column] as usize..self.ends[column] as usize;
        line.get(range).unwrap_or_default()
    }

    /// Looks at eight bytes at a time: a flow record is mostly short values, so calls to a search for one byte would cost
    /// more than they save.
    fn split_at_each_space(&mut self, line: &[u8], columns: usize) -> bool {
        let mut column = 0;
        let mut start = 0;
        let (words, rest) = line.as_chunks::<8>();
        for (number, word) in words.iter().enumerate() {
            let mut spaces = spaces_in(u64::from_le_bytes(*word));
            while spaces != 0 {
                let place = number * 8 + spaces.trailing_zeros() as usize / 8;
                if !self.close(&mut column, &mut start, place, columns) {
                    return false;
                }
                spaces &= spaces - 1;
            }
        }
        let first = words.len() * 8;
        for place in (first..).zip(rest).filter(|(_, byte)| **byte == b' ').map(|(place, _)| place)
        {
            if !self.close(&mut column, &mut start, place, columns) {
                return false;
            }
        }
        let is_last = column + 1 == columns && start < line.len();
        is_last && self.set(column, start, line.len())
    }

    /// Ends a column at the space at `place`; false if it is empty or one too many.
    fn close(
        &mut self,
        column: &mut usize,
        start: &mut usize,
        place: usize,
        columns: usize,
    ) -> bool {
        if *column + 1 >= columns || place == *start {
            return false;
        }
        let is_set = self.set(*column, *start, place);
        *column += 1;
        *start = place + 1;
        is_set
    }

    #[expect(clippy::cast_possible_truncation, reason = "lines are capped far below 4 GiB")]
    fn set(&mut self, column: usize, start: usize, end: usize) -> bool {
        if let (Some(starts), Some(ends)) = (self.starts.get_mut(column), self.ends.get_mut(column))
        {
            (*starts, *ends) = (start as u32, end as u32);
            return true;
        }
        false
    }

    fn split_at_runs(&mut self, line: &[u8], columns: usize) -> bool {
        let mut column = 0;
        let mut place = 0;
        for word in line.split(|&byte| byte == b' ') {
            if !word.is_empty() {
                if column == columns {
                    return false;
                }
                self.set(column, place, place + word.len());
                column += 1;
            }
            place += word.len() + 1;
        }
        column == columns
    }
}

/// The highest bit of each byte that is a space; exact for every byte, since no carry crosses a byte.
const fn spaces_in(word: u64) -> u64 {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let differs = word ^ 0x2020_2020_2020_2020;
    !(((differs & LOW_BITS) + LOW_BITS) | differs | LOW_BITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn spaces_are_found_in_any_word(word: u64, spaces: u8) {
            let mut bytes = word.to_le_bytes();
            for (place, byte) in bytes.iter_mut().enumerate() {
                *byte = if spaces >> place & 1 == 1 { b' ' } else { *byte };
            }
            let mask = bytes.map(|byte| if byte == b' ' { 0x80 } else { 0 });
            prop_assert_eq!(spaces_in(u64::from_le_bytes(bytes)), u64::from_le_bytes(mask));
        }

        #[test]
        fn columns_are_the_words_of_the_line(line in "[a-c ]{0,40}", columns in 1usize..8) {
            let words: Vec<&[u8]> =
                line.as_bytes().split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
            let is_clean = words.join(&b' ') == line.as_bytes();
            let mut splitter = Splitter::default();
            let split = splitter.split(line.as_bytes(), columns);
            let expected = match (words.len() == columns, is_clean) {
                (true, true) => Split::Clean,
                (true, false) => Split::Collapsed,
                (false, _) => Split::Mismatch,
            };
            prop_assert_eq!(split, expected);
            if split != Split::Mismatch {
                for (column, word) in words.iter().enumerate() {
                    prop_assert_eq!(splitter.value(line.as_bytes(), column), *word);
                }
            }
        }
    }
}
