//! Event time in whole panes.
//!
//! The caller chooses how long a pane is; nothing in this crate knows seconds.

/// Event time in whole panes since the epoch.
pub type Pane = u32;

/// A range of panes; both ends are inclusive, and `first > last` is the empty range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaneRange {
    /// The oldest pane of the range, inclusive.
    pub first: Pane,
    /// The newest pane of the range, inclusive.
    pub last: Pane,
}

impl PaneRange {
    /// Whether `pane` lies in the range.
    #[must_use]
    pub const fn contains(&self, pane: Pane) -> bool {
        self.first <= pane && pane <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_the_range() {
        let range = PaneRange { first: 3, last: 5 };
        assert!(!range.contains(2) && range.contains(3) && range.contains(5) && !range.contains(6));
        assert!(!PaneRange { first: 5, last: 3 }.contains(4));
    }
}
