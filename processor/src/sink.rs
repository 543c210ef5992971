//! Where signals go: JSON lines to a file or to standard output. And where refused bytes go.

pub mod dead_letters;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::signal::Signal;

/// A file or standard output, one JSON object per line.
pub struct JsonLines {
    writer: Box<dyn Write>,
}

impl JsonLines {
    /// To the file at `path`, which is replaced, or to standard output if it is `-`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let writer: Box<dyn Write> = if path.as_os_str() == "-" {
            Box::new(BufWriter::new(io::stdout()))
        } else {
            Box::new(BufWriter::new(File::create(path)?))
        };
        Ok(Self { writer })
    }

    /// To the end of the file at `path`, or to standard output if it is `-`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn append(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::create(path);
        }
        let file = File::options().append(true).create(true).open(path)?;
        Ok(Self { writer: Box::new(BufWriter::new(file)) })
    }

    /// Writes one signal; it is visible to readers at once, since signals are few and someone waits for them.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(&mut self, signal: &Signal) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, signal)?;
        self.writer.write_all(b"\n")?;
        self.writer.flush()
    }
}

impl std::fmt::Debug for JsonLines {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("JsonLines").finish_non_exhaustive()
    }
}
