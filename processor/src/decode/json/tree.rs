//! JSON of any shape, fully checked: a flat tree of borrowed nodes, made by simd-json.

use simd_json::{Buffers, Node, Tape};

use super::boundary::structure_count;
use crate::decode::peel::scratch::{Scratch, Usage};
use crate::decode::refusal::Reason;

/// Deeper documents are refused; those of AWS have five levels.
const DEPTH_MAX: usize = 64;
/// Up to here a document may hold as many values as fit into it.
const SMALL_BYTES: usize = 1 << 20;
/// A larger one must have so many bytes for each bracket, comma and colon: simd-json keeps up to 56 bytes for each. The
/// densest that AWS sends, log events with extracted fields, have 13.
const BYTES_PER_STRUCTURE_MIN: usize = 10;

/// Parses documents; keeps its buffers.
pub(in crate::decode) struct Reader {
    /// The document, whose escapes are resolved in place.
    copy: Scratch,
    buffers: Buffers,
    tape: Tape<'static>,
    usage: Usage,
    /// The largest document since the buffers were made.
    document_bytes_max: usize,
}

/// A value: its node and, behind it, those of what it holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::decode) struct Tree<'t, 'd> {
    nodes: &'t [Node<'d>],
}

impl Reader {
    /// Gives the tree of `document` to `use_tree`, or why there is none: it is not one JSON document, or too dense.
    pub(in crate::decode) fn read<T>(
        &mut self,
        document: &[u8],
        use_tree: impl FnOnce(Result<Tree<'_, '_>, Reason>) -> T,
    ) -> T {
        if is_overloaded(document) {
            return use_tree(Err(Reason::TooLarge));
        }
        self.document_bytes_max = self.document_bytes_max.max(document.len());
        let copy = self.copy.room(document.len());
        copy.copy_from_slice(document);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(copy, &mut self.buffers, &mut tape);
        self.usage.note(held_bytes(document.len(), tape.0.len()));
        let result = match parsed {
            Ok(()) => use_tree(Ok(Tree { nodes: &tape.0 })),
            Err(_) => use_tree(Err(Reason::BadJson)),
        };
        self.tape = tape.reset();
        result
    }

    /// About how many bytes it keeps.
    pub(in crate::decode) fn held_bytes(&self) -> usize {
        held_bytes(self.document_bytes_max, self.tape.0.capacity())
    }

    /// Ends a payload: gives memory back that the last ones did not need.
    pub(in crate::decode) fn settle(&mut self, is_pressed: bool) {
        if self.usage.releases(self.held_bytes(), is_pressed) {
            *self = Self::default();
        }
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            copy: Scratch::default(),
            buffers: Buffers::with_max_depth(0, DEPTH_MAX),
            tape: Tape(Vec::new()),
            usage: Usage::default(),
            document_bytes_max: 0,
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reader").field("held_bytes", &self.held_bytes()).finish()
    }
}

impl<'t, 'd> Tree<'t, 'd> {
    /// The value if it is a string.
    pub(in crate::decode) fn text(self) -> Option<&'d str> {
        match self.nodes.first()? {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// Keys and values of an object, in the order in which they stand; `None` if it is no object.
    pub(in crate::decode) fn members(self) -> Option<impl Iterator<Item = (&'d str, Self)>> {
        let Some(Node::Object { len, .. }) = self.nodes.first() else { return None };
        let mut rest = self.nodes.get(1..)?;
        Some((0..*len).map_while(move |_| {
            let (key, behind) = rest.split_first()?;
            let (value, behind) = behind.split_at_checked(node_count(behind)?)?;
            rest = behind;
            Some((Tree { nodes: std::slice::from_ref(key) }.text()?, Self { nodes: value }))
        }))
    }

    /// The value of a key of an object; of several, the last.
    pub(in crate::decode) fn member(self, name: &str) -> Option<Self> {
        self.members()?.filter(|(key, _)| *key == name).last().map(|(_, value)| value)
    }

    /// What an array holds; `None` if it is no array.
    pub(in crate::decode) fn elements(self) -> Option<impl Iterator<Item = Self>> {
        let Some(Node::Array { len, .. }) = self.nodes.first() else { return None };
        let mut rest = self.nodes.get(1..)?;
        Some((0..*len).map_while(move |_| {
            let (element, behind) = rest.split_at_checked(node_count(rest)?)?;
            rest = behind;
            Some(Self { nodes: element })
        }))
    }
}

/// Of a document of so many bytes: our copy and two of simd-json's, the nodes, and a place for each.
const fn held_bytes(document_bytes: usize, nodes: usize) -> usize {
    3 * document_bytes + nodes * (size_of::<Node<'_>>() + size_of::<u32>())
}

/// Nodes of the value that `nodes` begin with.
fn node_count(nodes: &[Node<'_>]) -> Option<usize> {
    Some(match nodes.first()? {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        Node::String(_) | Node::Static(_) => 1,
    })
}

fn is_overloaded(document: &[u8]) -> bool {
    document.len() > SMALL_BYTES
        && structure_count(document) > document.len() / BYTES_PER_STRUCTURE_MIN
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::samples::documents;
    use super::*;

    /// As `serde_json` has it, with null for what is neither a string nor holds others.
    fn rewritten(tree: Tree<'_, '_>) -> Value {
        if let Some(members) = tree.members() {
            return members.map(|(key, value)| (key.to_owned(), rewritten(value))).collect();
        }
        if let Some(elements) = tree.elements() {
            return elements.map(rewritten).collect();
        }
        tree.text().map_or(Value::Null, Value::from)
    }

    fn without_numbers(value: Value) -> Value {
        match value {
            Value::Number(_) => Value::Null,
            Value::Array(elements) => elements.into_iter().map(without_numbers).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(key, value)| (key, without_numbers(value))).collect()
            }
            other => other,
        }
    }

    fn read(document: &[u8]) -> Option<Value> {
        Reader::default().read(document, |tree| tree.map(rewritten).ok())
    }

    #[test]
    fn a_key_that_stands_twice_has_its_last_value() {
        Reader::default().read(br#"{"a":{"b":1},"c":"x","a":"y"}"#, |tree| {
            assert_eq!(tree.unwrap().member("a").unwrap().text(), Some("y"));
            assert!(tree.unwrap().member("b").is_none());
        });
    }

    #[test]
    fn hostile_depth_and_density_are_refused_with_little_memory() {
        let mut reader = Reader::default();
        let deep = [vec![b'['; 1_000_000], [vec![b'['; 100], vec![b']'; 100]].concat()];
        for document in deep {
            assert_eq!(reader.read(&document, |tree| tree.err()), Some(Reason::BadJson));
        }
        let dense = [&b"[1,1,1"[..], b"{\"a\":"].map(|unit| unit.repeat(2_000_000));
        for document in dense {
            assert_eq!(reader.read(&document, |tree| tree.err()), Some(Reason::TooLarge));
        }
        assert!(reader.held_bytes() < 100 << 20, "{}", reader.held_bytes());
    }

    #[test]
    fn buffers_of_one_document_serve_the_next() {
        let mut reader = Reader::default();
        for number in 0..3 {
            let text = format!(r#"{{"a":["x\n{number}"]}}"#);
            let expected = format!("x\n{number}");
            reader.read(text.as_bytes(), |tree| {
                let element = tree.unwrap().member("a").unwrap().elements().unwrap().next();
                assert_eq!(element.unwrap().text(), Some(expected.as_str()));
            });
            assert!(reader.read(b"{\"a\":\"x", |tree| tree.is_err()));
        }
    }

    proptest! {
        #[test]
        fn trees_are_what_serde_json_reads(value in documents(), is_pretty: bool) {
            let text = if is_pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert_eq!(read(text.as_bytes()), Some(without_numbers(value)));
        }

        #[test]
        fn what_is_no_document_is_refused_as_serde_json_refuses_it(
            value in documents(),
            place: prop::sample::Index,
            byte in prop::sample::select(&b" \"\\{}[],:a1-\x01\xff"[..]),
        ) {
            let mut text = value.to_string().into_bytes();
            let place = place.index(text.len());
            text[place] = byte;
            let oracle: Option<Value> = serde_json::from_slice(&text).ok();
            prop_assert_eq!(read(&text).is_some(), oracle.is_some());
        }
    }
}
