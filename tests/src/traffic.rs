//! Generated traffic with the truth about it, and the captures of the shared data.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Run, Scratch, flowscout, loadgen};

/// A file of flow logs, and what was injected into it.
#[derive(Debug)]
pub struct Traffic {
    /// Flow-log lines, without a header unless it was asked for.
    pub flows: PathBuf,
    /// What was injected.
    pub truth: PathBuf,
    scratch: Scratch,
}

/// What `loadgen run` is told for twenty minutes of traffic with two scans in it.
pub const TWO_SCANS: [&str; 8] = [
    "--rate",
    "40",
    "--seconds",
    "1200",
    "--scenario",
    "vertical-scan",
    "--scenario",
    "horizontal-scan",
];

impl Traffic {
    /// What `loadgen run` makes of `options`.
    #[must_use]
    pub fn new(options: &[&str]) -> Self {
        let scratch = Scratch::new();
        let (flows, truth) = (scratch.path("flows.log"), scratch.path("truth.tsv"));
        let target = format!("file:{}", flows.display());
        let run = loadgen().arg("run").args(options).args(["--target", &target]);
        let run = run.arg("--truth").arg(&truth).succeed();
        assert_eq!(run.stdout, "", "{run}");
        Self { flows, truth, scratch }
    }

    /// Two hours with every kind of attack, thin enough to be replayed many times.
    #[must_use]
    pub fn thin() -> Self {
        Self::new(&["--rate", "20"])
    }

    /// Ten minutes without an attack.
    #[must_use]
    pub fn calm() -> Self {
        Self::new(&["--rate", "20", "--seconds", "600", "--scenario", "none"])
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> Vec<u8> {
        fs::read(&self.flows).unwrap()
    }

    /// A file beside the flows.
    #[must_use]
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.scratch.file(name, content)
    }

    /// Replays the flows, and scores the signals against the truth with no miss and no false finding allowed.
    #[must_use]
    pub fn replay_and_score(&self, options: &[&str]) -> Run {
        let signals = self.scratch.path("signals.jsonl");
        let replay = flowscout().arg("replay").arg(&self.flows).args(options);
        let replay = replay.args(["--report", "none", "--signals"]).arg(&signals).succeed();
        assert_eq!(replay.stderr, "", "{replay}");
        let score = loadgen().arg("score").arg("--truth").arg(&self.truth);
        let score = score.arg("--signals").arg(&signals);
        score.args(["--min-recall", "1", "--min-precision", "1"]).run()
    }
}

/// The captures of the shared data, by file name without its endings.
#[must_use]
pub fn captures(shared: &Path) -> PathBuf {
    shared.join("development/scan_pcaps/by_capture")
}
