//! `flowscout decode`.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::process::ExitCode;

use serde_json::{Map, Number};

use super::inputs::Found;
use super::{Failure, formats, io_failure, misuse, terminal};
use crate::batch::RowGroup;
use crate::cli::Decode;
use crate::config::Config;
use crate::decode::parquet::RowReader;
use crate::decode::{
    Decoded, Decoder, Letter, Limits, Oddities, Reader, Refusal, Splitter, Value, fields,
};
use crate::flow::Layout;
use crate::source::ahead::Inputs;
use crate::source::parquet::Columns;

pub(super) fn run(options: &Decode) -> Result<ExitCode, Failure> {
    let config = options.config.as_deref().map(Config::load).transpose().map_err(misuse)?;
    let config = config.unwrap_or_default().decode;
    let (formats, notes) = formats(&options.format, &config)?;
    notes.iter().for_each(|note| terminal::complain(note));
    let found = Found::among(&options.paths, None)?;
    let runtime = found.handle();
    let mut decoder = Decoder::new(formats, config.limits());
    let mut printer = Printer::new(config.limits());
    let mut code = ExitCode::SUCCESS;
    for item in Inputs::new(found.inputs, Columns::All, runtime) {
        match item {
            Ok(batch) => {
                let decoded = decoder.decode(&batch, &mut printer);
                complain(&decoded);
                printer.check().map_err(io_failure)?;
            }
            Err(problem) => {
                terminal::complain(&problem.to_string());
                code = ExitCode::FAILURE;
            }
        }
    }
    printer.out.flush().map_err(io_failure)?;
    Ok(code)
}

/// Prints every line as a JSON object of all its fields.
struct Printer {
    out: BufWriter<StdoutLock<'static>>,
    splitter: Splitter,
    rows: RowReader,
    failure: Option<io::Error>,
}

impl Printer {
    fn new(limits: Limits) -> Self {
        let out = BufWriter::new(io::stdout().lock());
        let (splitter, rows) = (Splitter::default(), RowReader::new(limits));
        Self { out, splitter, rows, failure: None }
    }

    fn print(&mut self, object: &Map<String, serde_json::Value>) {
        if self.failure.is_none() {
            let written = serde_json::to_writer(&mut self.out, object).map_err(io::Error::from);
            self.failure = written.and_then(|()| self.out.write_all(b"\n")).err();
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }
}

impl Reader for Printer {
    fn line(
        &mut self,
        line: &[u8],
        layout: &Layout,
        oddities: &mut Oddities,
    ) -> Result<(), Refusal> {
        let fields = fields(line, layout, &mut self.splitter, oddities)?;
        self.print(&object(fields.iter().map(|(column, value)| (&*column.name, *value))));
        Ok(())
    }

    fn rows(
        &mut self,
        group: &RowGroup,
        _oddities: &mut Oddities,
        refused: &mut impl FnMut(u64, Refusal),
    ) -> (u64, Result<(), Refusal>) {
        let mut rows = std::mem::replace(&mut self.rows, RowReader::new(Limits::default()));
        let mut seen = 0;
        let end = rows.all(group, &mut |number, row| {
            seen += 1;
            match row {
                Ok(fields) => self.print(&object(fields.iter().copied())),
                Err(refusal) => refused(number, refusal),
            }
        });
        self.rows = rows;
        (seen, end)
    }

    fn row_texts(&mut self, group: &RowGroup, numbers: &[u64], each: &mut impl FnMut(u64, &[u8])) {
        if !numbers.is_empty() {
            // Why it ends early was said when its rows were read.
            let _end = self.rows.texts(group, numbers, each);
        }
    }
}

const EXCERPT_BYTES_MAX: usize = 100;

fn complain(decoded: &Decoded) {
    for Letter { refusal, source, position, data, .. } in decoded.letters.kept() {
        let excerpt = data[..data.len().min(EXCERPT_BYTES_MAX)].escape_ascii();
        terminal::complain(&format!("{source}:{position}: {refusal}: {excerpt}"));
    }
    let left_out = decoded.letters.left_out();
    if left_out > 0 {
        terminal::complain(&format!("and {left_out} more that were refused"));
    }
}

fn object<'a>(
    fields: impl Iterator<Item = (&'a str, Value<'a>)>,
) -> Map<String, serde_json::Value> {
    let json = |value| match value {
        Value::Absent => serde_json::Value::Null,
        Value::Integer(number) => serde_json::Value::Number(Number::from(number)),
        Value::Text(text) => serde_json::Value::String(String::from_utf8_lossy(text).into_owned()),
    };
    fields.map(|(name, value)| (name.to_owned(), json(value))).collect()
}
