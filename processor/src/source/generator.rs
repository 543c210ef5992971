//! The load generator as a source, for the demo: its lines go through the same decoder as any file.

use std::sync::Arc;

use loadgen::{Generator, Plan, PlanError};

use super::SourceError;
use super::cut::BATCH_BYTES;
use crate::batch::{Batch, BatchId, Content, Lines};
use crate::flow::Layout;

/// Generated lines in batches.
#[derive(Debug)]
pub struct Generated {
    generator: Generator,
    layout: Arc<Layout>,
    offset_bytes: u64,
    line: u64,
    is_over: bool,
}

impl Generated {
    /// The traffic of `plan`.
    ///
    /// # Errors
    /// When the plan cannot be carried out.
    pub fn new(plan: &Plan) -> Result<Self, PlanError> {
        let generator = Generator::new(plan)?;
        let layout = Layout::from_format(&generator.format_string());
        // The generator writes a format string of its own fields, each once.
        let layout = Arc::new(layout.unwrap_or_else(|_error| Layout::default_version_2()));
        Ok(Self { generator, layout, offset_bytes: 0, line: 1, is_over: false })
    }

    /// What was injected.
    #[must_use]
    pub fn truth(&self) -> &[loadgen::TruthRow] {
        self.generator.truth()
    }
}

impl Iterator for Generated {
    type Item = Result<Batch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::with_capacity(2 * BATCH_BYTES);
        while !self.is_over && bytes.len() < BATCH_BYTES {
            self.is_over = !self.generator.next_chunk(&mut bytes);
        }
        if bytes.is_empty() {
            return None;
        }
        let id = BatchId::at("generator".into(), self.offset_bytes);
        let first_line = self.line;
        self.offset_bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let lines = memchr::memchr_iter(b'\n', &bytes).count();
        self.line += u64::try_from(lines).unwrap_or(u64::MAX);
        let lines = Lines { first_line, bytes, layout: Some(Arc::clone(&self.layout)) };
        Some(Ok(Batch { id, content: Content::Lines(lines) }))
    }
}
