//! `flowscout decode`.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use serde_json::{Map, Number};

use super::{Failure, io_failure, layout, misuse, terminal};
use crate::batch::Batch;
use crate::cli::Decode;
use crate::decode::{Oddities, Splitter, Value, fields, lines};
use crate::flow::Column;
use crate::source::{self, file::Files};

pub(super) fn run(options: &Decode) -> Result<ExitCode, Failure> {
    let (layout, notes) = layout(&options.format.format)?;
    notes.iter().for_each(|note| terminal::complain(note));
    let paths = source::expand(&options.paths).map_err(misuse)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    for item in Files::new(paths, layout) {
        match item {
            Ok(batch) => print(&batch, &mut out).map_err(io_failure)?,
            Err(problem) => {
                terminal::complain(&problem.to_string());
                code = ExitCode::FAILURE;
            }
        }
    }
    out.flush().map_err(io_failure)?;
    Ok(code)
}

fn print(batch: &Batch, out: &mut impl Write) -> io::Result<()> {
    let (mut splitter, mut oddities) = (Splitter::default(), Oddities::default());
    for (number, line) in lines(&batch.bytes, batch.first_line) {
        match fields(line, &batch.layout, &mut splitter, &mut oddities) {
            Ok(fields) => {
                serde_json::to_writer(&mut *out, &object(&fields))?;
                out.write_all(b"\n")?;
            }
            Err(refusal) => {
                let excerpt = line[..line.len().min(100)].escape_ascii();
                let source = &batch.id.source;
                terminal::complain(&format!("{source}:{number}: {refusal}: {excerpt}"));
            }
        }
    }
    Ok(())
}

fn object(fields: &[(&Column, Value<'_>)]) -> Map<String, serde_json::Value> {
    let json = |value| match value {
        Value::Absent => serde_json::Value::Null,
        Value::Integer(number) => serde_json::Value::Number(Number::from(number)),
        Value::Text(text) => serde_json::Value::String(String::from_utf8_lossy(text).into_owned()),
    };
    fields.iter().map(|(column, value)| (column.name.clone(), json(*value))).collect()
}
