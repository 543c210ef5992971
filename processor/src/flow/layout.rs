//! In which order the fields of a record stand. A record does not say its format (`version` is not a format id), so
//! the layout comes from outside: a format string, a header line, or the known default.

use super::field::{self, FIELDS, FieldId};

/// The order of fields in a line, compiled once from a format string or header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    columns: Vec<Column>,
    /// Column of each documented field, or [`ABSENT`].
    places: [u16; FIELDS.len()],
}

/// One column of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name as it was written.
    pub name: String,
    /// The documented field, or `None` for a name that this version does not know; its values pass unread.
    pub field: Option<FieldId>,
}

/// Why a text is not a layout. All are mistakes of whoever wrote the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// No field at all.
    #[error("it names no field; write it as `${{version}} ${{srcaddr}} …`, `default` or `auto`")]
    Empty,
    /// Something else than `${name}`.
    #[error("`{0}` is not of the form ${{field-name}}")]
    Token(String),
    /// A field twice.
    #[error("${{{0}}} stands twice")]
    Repeated(String),
    /// More columns than any documented format can have.
    #[error("it has more than {} fields", Layout::COLUMNS_MAX)]
    TooMany,
    /// A field without which no observation can be made.
    #[error("it has no ${{{missing}}}{}, which detection needs", hint(.near))]
    Missing {
        /// The field that detection needs.
        missing: &'static str,
        /// A column that was perhaps meant to be it.
        near: Option<String>,
    },
}

const ABSENT: u16 = u16::MAX;

impl Layout {
    /// Above all 72 documented fields, with room for those to come.
    pub const COLUMNS_MAX: usize = 128;

    const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                           start end action log-status";

    /// The default format of transit gateway flow logs, version 6 (AWS Transit Gateway guide, "AWS Transit Gateway Flow
    /// Logs").
    const DEFAULT_TRANSIT_GATEWAY: &str = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id \
         tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id \
         tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr \
         srcport dstport protocol packets bytes start end log-status type packets-lost-no-route \
         packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region \
         flow-direction pkt-src-aws-service pkt-dst-aws-service";

    /// The default format: the 14 fields of version 2.
    ///
    /// # Panics
    /// Never: the constant names documented fields once.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the constant is checked by a test")]
    pub fn default_version_2() -> Self {
        Self::from_names(Self::DEFAULT.split(' ')).expect("documented fields")
    }

    /// The default format of transit gateways: the 36 fields of version 6.
    ///
    /// # Panics
    /// Never: the constant names documented fields once.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the constant is checked by a test")]
    pub fn default_transit_gateway() -> Self {
        Self::from_names(Self::DEFAULT_TRANSIT_GATEWAY.split(' ')).expect("documented fields")
    }

    /// As an AWS format string.
    #[must_use]
    pub fn format_string(&self) -> String {
        let fields: Vec<String> =
            self.columns.iter().map(|column| format!("${{{}}}", column.name)).collect();
        fields.join(" ")
    }

    /// From an AWS format string, `${version} ${srcaddr} …`; `$${…}` as Terraform writes it is understood too.
    ///
    /// # Errors
    /// When it is empty, malformed, too long, or names a field twice. Unknown names are kept as columns to pass over.
    pub fn from_format(format: &str) -> Result<Self, LayoutError> {
        let names = format.split_whitespace().map(|token| {
            let inner = token.strip_prefix('$').map(|rest| rest.strip_prefix('$').unwrap_or(rest));
            inner
                .and_then(|rest| rest.strip_prefix('{'))
                .and_then(|rest| rest.strip_suffix('}'))
                .filter(|name| is_plausible_name(name.as_bytes()))
                .ok_or_else(|| LayoutError::Token(token.to_owned()))
        });
        Self::from_names(names.collect::<Result<Vec<_>, _>>()?)
    }

    /// From a header line, names separated by spaces; `None` when the line is not a header.
    ///
    /// A header is a line of at least two words in which every word could be a field name and at least half are documented ones: no data
    /// line has that shape, since it would hold at least one number, address or status.
    #[must_use]
    pub fn from_header(line: &[u8]) -> Option<Self> {
        let is_candidate = line.first().is_some_and(u8::is_ascii_lowercase);
        if !is_candidate || line.len() > Self::COLUMNS_MAX * 32 {
            return None;
        }
        let words = || line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        if !words().all(is_plausible_name) {
            return None;
        }
        let known = words().filter(|word| field::find(word).is_some()).count();
        if words().count() < 2 || known * 2 < words().count() {
            return None;
        }
        Self::from_names(words().map(|word| std::str::from_utf8(word).unwrap_or_default())).ok()
    }

    /// The columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// In which column a documented field stands.
    #[must_use]
    pub fn column_of(&self, field: FieldId) -> Option<usize> {
        let place = self.places[field];
        (place != ABSENT).then_some(usize::from(place))
    }

    /// Names that no document of AWS has, each with the documented name it is near to.
    #[must_use]
    pub fn unknown_names(&self) -> Vec<(&str, Option<&'static str>)> {
        self.columns
            .iter()
            .filter(|column| column.field.is_none())
            .map(|column| (column.name.as_str(), field::suggest(&column.name)))
            .collect()
    }

    /// Checks that detection can work with it: addresses, and a time.
    ///
    /// # Errors
    /// Names the first field that is missing.
    pub fn require_detection_fields(&self) -> Result<(), LayoutError> {
        use field::id;
        let alternatives = [
            ("srcaddr", [id::SRCADDR, id::PKT_SRCADDR]),
            ("dstaddr", [id::DSTADDR, id::PKT_DSTADDR]),
            ("end", [id::END, id::START]),
        ];
        for (missing, fields) in alternatives {
            if fields.iter().all(|&field| self.column_of(field).is_none()) {
                let near =
                    self.unknown_names().into_iter().find(|(_, near)| *near == Some(missing));
                let near = near.map(|(name, _)| name.to_owned());
                return Err(LayoutError::Missing { missing, near });
            }
        }
        Ok(())
    }

    /// Fields without which records are read but no scan can be told.
    #[must_use]
    pub fn missing_for_scans(&self) -> Vec<&'static str> {
        use field::id;
        let needed = [id::PROTOCOL, id::SRCPORT, id::DSTPORT].into_iter();
        let missing = needed.filter(|field| self.column_of(*field).is_none());
        missing.map(|field| FIELDS[field].name).collect()
    }

    fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, LayoutError> {
        let mut layout = Self { columns: Vec::new(), places: [ABSENT; FIELDS.len()] };
        for name in names {
            let field = field::find(name.as_bytes());
            let place = u16::try_from(layout.columns.len()).unwrap_or(ABSENT);
            if usize::from(place) >= Self::COLUMNS_MAX {
                return Err(LayoutError::TooMany);
            }
            if let Some(field) = field {
                if layout.places[field] != ABSENT {
                    return Err(LayoutError::Repeated(name.to_owned()));
                }
                layout.places[field] = place;
            }
            layout.columns.push(Column { name: name.to_owned(), field });
        }
        if layout.columns.is_empty() { Err(LayoutError::Empty) } else { Ok(layout) }
    }
}

fn is_plausible_name(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_lowercase)
        && word.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!(" (is ${{{name}}} misspelt?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_format_has_fourteen_columns_in_table_order() {
        let layout = Layout::default_version_2();
        assert_eq!(layout.columns().len(), 14);
        assert_eq!(layout.column_of(field::id::LOG_STATUS), Some(13));
        assert_eq!(layout.column_of(field::id::TCP_FLAGS), None);
    }

    #[test]
    fn the_transit_gateway_default_has_every_documented_field_of_its_36() {
        let layout = Layout::default_transit_gateway();
        assert_eq!(layout.columns().len(), 36);
        assert_eq!(layout.unknown_names(), []);
        assert_eq!(Layout::from_format(&layout.format_string()).unwrap(), layout);
    }

    #[test]
    fn a_format_string_is_read_in_both_spellings_and_unknown_fields_pass() {
        let layout =
            Layout::from_format("${srcaddr}  $${dstaddr} ${end} ${next-big-thing}").unwrap();
        assert_eq!(layout.columns().len(), 4);
        assert_eq!(layout.unknown_names(), [("next-big-thing", None)]);
        layout.require_detection_fields().unwrap();
        assert_eq!(layout.missing_for_scans(), ["protocol", "srcport", "dstport"]);
        assert!(Layout::default_version_2().missing_for_scans().is_empty());
    }

    #[test]
    fn mistakes_in_a_format_are_named() {
        let message = |format: &str| Layout::from_format(format).unwrap_err().to_string();
        assert!(message("").contains("names no field"));
        assert!(
            message("${srcaddr} dstaddr").contains("`dstaddr` is not of the form ${field-name}")
        );
        assert!(message("${end} ${end}").contains("${end} stands twice"));
        let misspelt = Layout::from_format("${srcadr} ${dstaddr} ${end}").unwrap();
        let error = misspelt.require_detection_fields().unwrap_err().to_string();
        assert!(error.contains("no ${srcaddr} (is ${srcadr} misspelt?)"), "{error}");
    }

    #[test]
    fn a_header_line_is_told_from_data() {
        assert!(Layout::from_header(b"version account-id interface-id srcaddr").is_some());
        assert!(Layout::from_header(b"interface_id vpc_id some-new-field").is_some());
        for data in [
            &b"2 123456789012 eni-1 10.0.0.1"[..],
            b"eni-1235b8ca vpc-1 subnet-1",
            b"- - -",
            b"",
            b"end of file reached",
            b"us-east-1 10.0.0.1 443",
        ] {
            assert!(Layout::from_header(data).is_none(), "{}", String::from_utf8_lossy(data));
        }
    }
}
