//! Which formats a source or a log group speaks.
//!
//! A record does not say its format, and CloudWatch Logs and Firehose carry no header (Amazon VPC User Guide, "Flow log
//! records"), so whoever made the flow log must say it here, unless it is a default one. Where several flow logs feed one
//! stream there are several formats: each line is read by the first that fits it.

use std::sync::Arc;

use glob::Pattern;

use crate::flow::{Layout, LayoutError};

/// The formats of one origin.
#[derive(Debug, Clone)]
pub struct Format {
    key: Arc<str>,
    layouts: Vec<Arc<Layout>>,
    is_unambiguous: bool,
}

/// The formats of a source, and of the log groups whose envelopes it carries.
#[derive(Debug, Clone)]
pub struct Formats {
    source: Format,
    log_groups: Vec<(Pattern, Format)>,
}

/// Why a text does not name a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A format string with a mistake.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A list without an entry.
    #[error("the list is empty; write \"auto\" to let header lines and the default formats speak")]
    NoFormat,
    /// A pattern of log group names with a mistake.
    #[error("`{pattern}` is not a pattern of log group names: {problem}")]
    Pattern {
        /// As it was written.
        pattern: String,
        /// Where the mistake is.
        problem: &'static str,
    },
}

impl Format {
    /// Reads each of `texts`, tried in this order: `auto` (the default formats of VPC and transit gateway flow logs), `default`
    /// (the 14 fields of version 2), or an AWS format string. `key` is what messages call this setting.
    ///
    /// # Errors
    /// When a text is none of these, or there is none.
    pub fn new<'t>(
        key: &str,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, FormatError> {
        let mut layouts = Vec::new();
        for text in texts {
            match text {
                "auto" => layouts.extend(defaults()),
                "default" => layouts.push(Arc::new(Layout::default_version_2())),
                format => layouts.push(Arc::new(Layout::from_format(format)?)),
            }
        }
        if layouts.is_empty() {
            return Err(FormatError::NoFormat);
        }
        let mut counts: Vec<usize> = layouts.iter().map(|layout| layout.columns().len()).collect();
        counts.sort_unstable();
        let is_unambiguous = counts.windows(2).all(|pair| pair[0] != pair[1]);
        Ok(Self { key: key.into(), layouts, is_unambiguous })
    }

    /// What messages call this setting.
    #[must_use]
    pub const fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Whether no two layouts have the same number of fields, so that the order in which they are tried cannot matter.
    #[must_use]
    pub const fn is_unambiguous(&self) -> bool {
        self.is_unambiguous
    }

    /// The layouts, at least one, in the order in which they are tried.
    #[must_use]
    pub fn layouts(&self) -> &[Arc<Layout>] {
        &self.layouts
    }
}

impl Default for Formats {
    /// `auto`, whatever the log group.
    fn default() -> Self {
        let layouts = defaults().into();
        Self::of_source(Format { key: "decode.format".into(), layouts, is_unambiguous: true })
    }
}

fn defaults() -> [Arc<Layout>; 2] {
    [Arc::new(Layout::default_version_2()), Arc::new(Layout::default_transit_gateway())]
}

impl Formats {
    /// Every text of the source in `source`, whatever its log group.
    #[must_use]
    pub fn of_source(source: Format) -> Self {
        Self { source, log_groups: Vec::new() }
    }

    /// Texts of log groups whose name matches `pattern` (`*` any letters, `?` one) in `format`; the first pattern that
    /// matches wins.
    ///
    /// # Errors
    /// When the pattern has a mistake.
    pub fn with_log_group(mut self, pattern: &str, format: Format) -> Result<Self, FormatError> {
        let compiled = Pattern::new(pattern).map_err(|error| FormatError::Pattern {
            pattern: pattern.to_owned(),
            problem: error.msg,
        })?;
        self.log_groups.push((compiled, format));
        Ok(self)
    }

    /// The format of texts of a log group; that of the source for an empty name or one that no pattern matches.
    #[must_use]
    pub fn of(&self, log_group: &str) -> &Format {
        self.get(self.place_of(log_group))
    }

    /// All formats that were configured, the source's first.
    pub fn iter(&self) -> impl Iterator<Item = &Format> {
        std::iter::once(&self.source).chain(self.log_groups.iter().map(|(_, format)| format))
    }

    /// Where the format of a log group stands in [`Self::iter`].
    pub(super) fn place_of(&self, log_group: &str) -> usize {
        if log_group.is_empty() {
            return 0;
        }
        let matching = self.log_groups.iter().position(|(pattern, _)| pattern.matches(log_group));
        matching.map_or(0, |place| place + 1)
    }

    /// The format at a place of [`Self::iter`]; the source's beyond its end.
    pub(super) fn get(&self, place: usize) -> &Format {
        let log_group = place.checked_sub(1).and_then(|place| self.log_groups.get(place));
        log_group.map_or(&self.source, |(_, format)| format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> Format {
        Format::new("decode.format", [text]).unwrap()
    }

    #[test]
    fn auto_knows_the_default_formats_of_vpc_and_transit_gateway() {
        let columns: Vec<usize> =
            format("auto").layouts().iter().map(|layout| layout.columns().len()).collect();
        assert_eq!(columns, [14, 36]);
        assert_eq!(format("default").layouts().len(), 1);
    }

    #[test]
    fn a_log_group_has_the_format_of_the_first_pattern_that_matches() {
        let formats = Formats::of_source(format("default"))
            .with_log_group("/vpc/prod", format("${srcaddr} ${dstaddr} ${end}"))
            .unwrap()
            .with_log_group("/vpc/*", format("${end} ${start}"))
            .unwrap();
        let columns = |log_group| formats.of(log_group).layouts()[0].columns().len();
        assert_eq!(
            [columns(""), columns("other"), columns("/vpc/prod"), columns("/vpc/a/b")],
            [14, 14, 3, 2]
        );
        assert_eq!(formats.iter().count(), 3);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(Format::new("key", []).unwrap_err(), FormatError::NoFormat);
        assert!(Format::new("key", ["auto", "srcaddr"]).is_err());
        let error = Formats::of_source(format("auto")).with_log_group("a[", format("auto"));
        assert!(
            error.unwrap_err().to_string().contains("`a[` is not a pattern of log group names")
        );
    }
}
