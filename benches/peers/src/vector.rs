//! Vector's remap language: a compiled program, resolved for each event, as Vector's `remap` transform does.

use std::collections::BTreeMap;

use vrl::compiler::runtime::Runtime;
use vrl::compiler::{Program as Compiled, TargetValue, TimeZone, compile};
use vrl::value::{Secrets, Value};

use crate::{Input, Sums, Wrapping};

/// A compiled program.
pub struct Program {
    program: Compiled,
    runtime: Runtime,
}

impl Program {
    /// What Vector's documentation has users write for this input.
    pub fn new(input: &Input) -> Self {
        let names = input.format.replace(['$', '{', '}'], "").replace('-', "_");
        let parse = |line: &str| format!("parse_aws_vpc_flow_log!({line}, format: \"{names}\")");
        let source = match input.wrapping {
            Wrapping::Lines => format!(". = {}", parse("string!(.)")),
            Wrapping::Vended => format!(". = parse_json!(string!(.))\n. = {}", parse("string!(.message)")),
            Wrapping::Subscription => format!(
                ". = parse_json!(string!(decode_gzip!(string!(.))))\n\
                 . = map_values(array!(.logEvents)) -> |event| {{ {} }}",
                parse("string!(event.message)")
            ),
            Wrapping::Request => format!(
                ". = parse_json!(string!(.))\n\
                 . = map_values(array!(.records)) -> |record| {{\n\
                 document = parse_json!(decode_base64!(string!(record.data)))\n{}\n}}",
                parse("string!(document.message)")
            ),
        };
        let compiled = compile(&source, &vrl::stdlib::all());
        let program = compiled.unwrap_or_else(|errors| panic!("{source}: {errors:?}")).program;
        Self { program, runtime: Runtime::default() }
    }

    /// Reads all records.
    pub fn run(&mut self, input: &Input) -> Sums {
        let mut sums = Sums::default();
        for payload in &input.payloads {
            match input.wrapping {
                Wrapping::Lines | Wrapping::Vended => {
                    for line in std::str::from_utf8(payload).expect("ASCII").lines() {
                        add(&mut sums, &self.resolve(line.as_bytes()));
                    }
                }
                Wrapping::Subscription | Wrapping::Request => match self.resolve(payload) {
                    Value::Array(records) => records.iter().for_each(|record| add(&mut sums, record)),
                    other => panic!("{other}"),
                },
            }
        }
        sums
    }

    fn resolve(&mut self, event: &[u8]) -> Value {
        let mut target = TargetValue {
            value: Value::from(bytes::Bytes::copy_from_slice(event)),
            metadata: Value::Object(BTreeMap::new()),
            secrets: Secrets::new(),
        };
        let resolved = self.runtime.resolve(&mut target, &self.program, &TimeZone::default());
        self.runtime.clear();
        resolved.expect("a record")
    }
}

fn add(sums: &mut Sums, record: &Value) {
    let number = |name: &str| match record.as_object().and_then(|fields| fields.get(name)) {
        Some(Value::Integer(number)) => u64::try_from(*number).expect("a count"),
        other => panic!("{name}: {other:?}"),
    };
    sums.records += 1;
    sums.packets += number("packets");
    sums.bytes += number("bytes");
}
