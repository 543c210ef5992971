//! `extractedFields` of a log event as a header line and a data line.

use super::json::tree::Tree;
use super::place::Extracted;
use crate::flow::field::{self, FIELDS, FieldId, id};

/// Writes the lines of one event after the other into the same buffers.
#[derive(Debug, Default)]
pub(super) struct Extraction {
    header: Vec<u8>,
    line: Vec<u8>,
    /// The fields that stood at each place in the last event: those of one log group have the same ones.
    last: Vec<FieldId>,
}

impl Extraction {
    /// The documented fields among `fields`, in the order of the table; `None` without both addresses. A value that is
    /// empty or holds white space is none: it could not stand in a line.
    pub(super) fn read(&mut self, fields: Tree<'_, '_>) -> Option<Extracted<'_>> {
        let mut values = [""; FIELDS.len()];
        for (place, (name, value)) in fields.members()?.enumerate() {
            if let (Some(row), Some(value)) = (self.find(place, name), value.text()) {
                let is_word = value.bytes().all(|byte| byte > b' ' && byte != 0x7f);
                values[row] = if is_word { value } else { "" };
            }
        }
        if values[id::SRCADDR].is_empty() || values[id::DSTADDR].is_empty() {
            return None;
        }
        self.header.clear();
        self.line.clear();
        for (field, value) in FIELDS.iter().zip(values).filter(|(_, value)| !value.is_empty()) {
            for (line, word) in [(&mut self.header, field.name), (&mut self.line, value)] {
                if !line.is_empty() {
                    line.push(b' ');
                }
                line.extend_from_slice(word.as_bytes());
            }
        }
        Some(Extracted { header: &self.header, line: &self.line })
    }

    /// The documented field that stands under `name` at `place`.
    fn find(&mut self, place: usize, name: &str) -> Option<FieldId> {
        if let Some(&row) = self.last.get(place)
            && is_spelling_of(name, FIELDS[row].name)
        {
            return Some(row);
        }
        let row = field::find(name.as_bytes())?;
        if place < FIELDS.len() {
            // A guess for the places between is checked like any other.
            self.last.resize(self.last.len().max(place + 1), row);
            self.last[place] = row;
        }
        Some(row)
    }
}

fn is_spelling_of(name: &str, field: &str) -> bool {
    let is_same = |(ours, theirs)| ours == theirs || (ours == b'-' && theirs == b'_');
    name.len() == field.len() && field.bytes().zip(name.bytes()).all(is_same)
}

#[cfg(test)]
mod tests {
    use super::super::json::tree::Reader;
    use super::*;

    fn read(fields: &str) -> Option<(String, String)> {
        read_after(&mut Extraction::default(), fields)
    }

    fn read_after(extraction: &mut Extraction, fields: &str) -> Option<(String, String)> {
        Reader::default().read(fields.as_bytes(), |tree| {
            let Extracted { header, line } = extraction.read(tree.unwrap())?;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            Some((text(header), text(line)))
        })
    }

    #[test]
    fn documented_fields_stand_in_the_order_of_the_table() {
        let fields = r#"{"dstaddr":"10.0.0.2","bytes":"40","srcaddr":"10.0.0.1","@aws.account":"1",
            "log_status":"OK","interface_id":"","action":"A B","protocol":6,"end":"a\nb"}"#;
        let expected = ("srcaddr dstaddr bytes log-status", "10.0.0.1 10.0.0.2 40 OK");
        let (header, line) = read(fields).unwrap();
        assert_eq!((header.as_str(), line.as_str()), expected);
    }

    #[test]
    fn events_after_one_another_may_have_other_fields() {
        let mut extraction = Extraction::default();
        let both = r#""srcaddr":"1","dstaddr":"2""#;
        for (fields, header) in [
            (r#""end":"3","start":"4""#, "srcaddr dstaddr start end"),
            (r#""@x":"3","start":"4""#, "srcaddr dstaddr start"),
            (r#""start":"4","end":"3""#, "srcaddr dstaddr start end"),
            (r#""az-id":"5""#, "srcaddr dstaddr az-id"),
        ] {
            for text in [format!("{{{both},{fields}}}"), format!("{{{fields},{both}}}")] {
                assert_eq!(read_after(&mut extraction, &text).unwrap().0, header);
            }
        }
    }

    #[test]
    fn there_are_no_lines_without_both_addresses() {
        for fields in [r#"{}"#, r#"[]"#, r#""x""#, r#"{"srcaddr":"10.0.0.1","dstaddr":""}"#] {
            assert_eq!(read(fields), None, "{fields}");
        }
    }
}
