//! Known lines in random stacks of envelopes come back in order.

use flowscout::decode::{Limits, Reason};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::aggregates::aggregate;
use super::seen::{Seen, base64, envelope, gzip, request};

/// Something that AWS, or a user of it, puts around payloads.
#[derive(Clone, Copy, Debug)]
enum Wrapper {
    Gzip,
    Members,
    Aggregate,
    Envelope,
    Vended,
    Request,
    Failed,
    Letter,
    Kinesis,
    Api,
    Logs,
    Pretty,
    Lines,
}

const WRAPPERS: [Wrapper; 13] = [
    Wrapper::Gzip,
    Wrapper::Members,
    Wrapper::Aggregate,
    Wrapper::Envelope,
    Wrapper::Vended,
    Wrapper::Request,
    Wrapper::Failed,
    Wrapper::Letter,
    Wrapper::Kinesis,
    Wrapper::Api,
    Wrapper::Logs,
    Wrapper::Pretty,
    Wrapper::Lines,
];

#[derive(Clone, Debug)]
enum Tree {
    Lines(usize),
    Wrapped(Wrapper, Vec<Tree>),
}

/// A payload, how many envelopes it is deep, and how it begins: only payloads of one kind can be joined into one.
#[derive(Clone, Debug)]
struct Built {
    bytes: Vec<u8>,
    depth: u8,
    kind: Kind,
    /// How many lines there were when it was done.
    lines_end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    gzip_layers: u8,
    is_text: bool,
}

const TEXT: Kind = Kind { gzip_layers: 0, is_text: true };

impl Wrapper {
    const fn depth(self) -> u8 {
        match self {
            Self::Lines => 0,
            Self::Gzip | Self::Members | Self::Aggregate | Self::Envelope | Self::Vended => 1,
            _ => 2,
        }
    }

    const fn takes_records(self) -> bool {
        matches!(self, Self::Aggregate | Self::Request | Self::Kinesis | Self::Api | Self::Pretty)
    }

    const fn takes_only_text(self) -> bool {
        matches!(self, Self::Envelope | Self::Vended | Self::Lines)
    }

    fn wrap(self, payloads: &[Vec<u8>]) -> Vec<u8> {
        let joined = payloads.concat();
        let texts = || payloads.iter().map(|payload| std::str::from_utf8(payload).unwrap());
        let records = |record: fn(String) -> Value| -> Vec<Value> {
            payloads.iter().map(base64).map(record).collect()
        };
        let text = match self {
            Self::Gzip => return gzip(&joined),
            Self::Members => return payloads.iter().flat_map(|payload| gzip(payload)).collect(),
            Self::Aggregate => return aggregate(payloads),
            Self::Lines => return [b" ", &joined[..], b"\r\n"].concat(),
            Self::Envelope => envelope(&texts().collect::<Vec<_>>()),
            Self::Vended => texts().map(|text| json!({"message": text}).to_string()).collect(),
            Self::Request => request(payloads),
            Self::Failed => json!({"rawData": base64(joined)}).to_string() + "\n",
            Self::Letter => {
                json!({"flowscout": "dead_letter", "format": null, "data": base64(joined)})
                    .to_string()
            }
            Self::Kinesis => {
                json!({"Records": records(|data| json!({"kinesis": {"data": data}}))}).to_string()
            }
            Self::Api => json!({"Records": records(|data| json!({"Data": data}))}).to_string(),
            Self::Logs => json!({"awslogs": {"data": base64(joined)}}).to_string(),
            Self::Pretty => {
                let records = records(|data| json!({"recordId": "1", "data": data}));
                format!("{:#}\n", json!({"x": {"y": {}}, "records": records}))
            }
        };
        text.into_bytes()
    }

    /// Of what it makes of payloads of `inner`.
    const fn kind(self, inner: Kind) -> Kind {
        match self {
            Self::Gzip | Self::Members => Kind { gzip_layers: inner.gzip_layers + 1, ..inner },
            Self::Aggregate => Kind { gzip_layers: 0, is_text: false },
            _ => TEXT,
        }
    }
}

impl Tree {
    /// Adds its lines to `lines`; leaves out what cannot stand together or would be too deep.
    fn build(&self, lines: &mut Vec<String>) -> Built {
        let (wrapper, inner) = match self {
            Self::Lines(count) => return built_lines(*count, lines),
            Self::Wrapped(wrapper, inner) => (wrapper, inner),
        };
        let mut built: Vec<Built> = Vec::new();
        for tree in inner {
            let mark = lines.len();
            let next = tree.build(lines);
            let fits = match built.first() {
                _ if next.depth + wrapper.depth() > 8 => built.is_empty(),
                _ if wrapper.takes_only_text() && next.kind != TEXT => built.is_empty(),
                Some(first) if next.depth.max(first.depth) + wrapper.depth() > 8 => false,
                Some(first) => {
                    let is_alike = first.kind == next.kind && next.kind.is_text;
                    wrapper.takes_records() || is_alike
                }
                None => true,
            };
            if fits {
                built.push(next);
            } else {
                lines.truncate(mark);
            }
        }
        let first = &built[0];
        let depth = built.iter().map(|built| built.depth).max().unwrap() + wrapper.depth();
        if depth > 8 || (wrapper.takes_only_text() && first.kind != TEXT) {
            // It cannot be wrapped so; what came first stays as it is.
            lines.truncate(first.lines_end);
            return first.clone();
        }
        let payloads: Vec<_> = built.iter().map(|built| built.bytes.clone()).collect();
        let (bytes, kind) = (wrapper.wrap(&payloads), wrapper.kind(first.kind));
        Built { bytes, depth, kind, lines_end: lines.len() }
    }
}

fn built_lines(count: usize, lines: &mut Vec<String>) -> Built {
    let first = lines.len();
    let line = |line| format!("2 1 eni-é 10.0.0.1 10.0.0.2 443 {line} 6 1 40 1 2 ACCEPT \"OK\\\"");
    lines.extend((first..first + count).map(line));
    let bytes = (lines[first..].join("\n") + "\n").into_bytes();
    Built { bytes, depth: 0, kind: TEXT, lines_end: lines.len() }
}

fn trees() -> impl Strategy<Value = Tree> {
    (1usize..4).prop_map(Tree::Lines).prop_recursive(7, 30, 3, |inner| {
        let wrapper = prop::sample::select(&WRAPPERS[..]);
        (wrapper, prop::collection::vec(inner, 1..4))
            .prop_map(|(wrapper, inner)| Tree::Wrapped(wrapper, inner))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn lines_come_back_in_order_from_any_stack_of_envelopes(tree in trees()) {
        let mut lines = Vec::new();
        let built = tree.build(&mut lines);
        let seen = Seen::under(Limits { nesting_max: built.depth, ..Limits::default() }, &built.bytes);
        prop_assert_eq!(&seen.refused, &[]);
        let texts = seen.texts.iter().flat_map(|text| text.text.lines());
        let found: Vec<&str> =
            texts.map(str::trim).filter(|line| !line.is_empty()).collect();
        prop_assert_eq!(found, lines);
    }
}

#[test]
fn one_envelope_too_many_is_refused_whole() {
    let limits = |nesting_max| Limits { nesting_max, ..Limits::default() };
    let mut payload = b"2 a".to_vec();
    for depth in 1..=20 {
        payload = gzip(&payload);
        assert_eq!(Seen::under(limits(depth), &payload).lines(), ["2 a"]);
        let seen = Seen::under(limits(depth - 1), &payload);
        assert_eq!(seen.refused[0].reason, Reason::NestedTooDeep);
        assert_eq!((seen.refused.len(), seen.texts.len()), (1, 0));
    }
    let data = base64("2 a");
    for (depth, text) in [
        (1, json!({"message": json!({"message": "2 a"}).to_string()}).to_string()),
        (1, json!({"records": [{ "data": data }]}).to_string()),
        (1, json!({"rawData": data}).to_string()),
        (0, envelope(&["2 a"])),
    ] {
        let seen = Seen::under(limits(depth), text.as_bytes());
        assert_eq!((seen.refused[0].reason, seen.texts.len()), (Reason::NestedTooDeep, 0));
        assert_eq!(Seen::under(limits(depth + 1), text.as_bytes()).lines(), ["2 a"]);
    }
    let seen = Seen::under(limits(0), &aggregate(&[b"2 a"]));
    assert_eq!(seen.refused[0].reason, Reason::NestedTooDeep);
}
