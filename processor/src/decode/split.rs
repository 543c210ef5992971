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

    #[expect(clippy::cast_possible_truncation, reason = "lines are capped far below 4 GiB")]
    fn split_at_each_space(&mut self, line: &[u8], columns: usize) -> bool {
        let mut column = 0;
        let mut start = 0u32;
        for (place, &byte) in line.iter().enumerate() {
            if byte != b' ' {
                continue;
            }
            let place = place as u32;
            if column + 1 >= columns || place == start {
                return false;
            }
            (self.starts[column], self.ends[column]) = (start, place);
            column += 1;
            start = place + 1;
        }
        if column + 1 != columns || start as usize == line.len() {
            return false;
        }
        (self.starts[column], self.ends[column]) = (start, line.len() as u32);
        true
    }

    #[expect(clippy::cast_possible_truncation, reason = "lines are capped far below 4 GiB")]
    fn split_at_runs(&mut self, line: &[u8], columns: usize) -> bool {
        let mut column = 0;
        let mut place = 0;
        for word in line.split(|&byte| byte == b' ') {
            if !word.is_empty() {
                if column == columns {
                    return false;
                }
                self.starts[column] = place as u32;
                self.ends[column] = (place + word.len()) as u32;
                column += 1;
            }
            place += word.len() + 1;
        }
        column == columns
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
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
