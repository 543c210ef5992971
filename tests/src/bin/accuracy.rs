//! Prints the tables of docs/accuracy.md: every labelled set under a folder, replayed and scored, at both presets.
//!
//! A set is a folder with `flows.log.gz` and `labels.tsv`; `by_capture/*.log.gz` inside it are listed one by one, without
//! scores.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flowscout::batch::BatchId;
use flowscout::config::{Config, Preset};
use flowscout::detect::Detector;
use flowscout::pipeline::{self, Observer, Outcome, Settings};
use flowscout::signal::{Signal, Status};
use flowscout::source::parquet::Columns;
use flowscout::source::{SourceError, file::Files};
use loadgen::{Scorecard, Truth};
use sketches::hash::HashKey;

const PRESETS: [(&str, Preset); 2] =
    [("default", Preset::Default), ("sensitive", Preset::Sensitive)];
const TOLERANCE_S: u64 = 600;
/// Fixed, so that the tables are the same in every run.
const KEY: HashKey = HashKey::new(1, 2);

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: accuracy FOLDER")?;
    let mut out = io::stdout().lock();
    let sets = sets(Path::new(&folder))?;
    write_sets(&sets, &mut out)?;
    for set in sets.iter().filter(|set| set.join("by_capture").is_dir()) {
        write_captures(&set.join("by_capture"), &mut out)?;
    }
    Ok(())
}

fn write_sets(sets: &[PathBuf], out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "| set | preset | findings | true | related | false | precision | recall of labelled attacks |\n\
         |---|---|---|---|---|---|---|---|"
    )?;
    for set in sets {
        for (name, preset) in PRESETS {
            let signals = replay(&set.join("flows.log.gz"), preset)?;
            let findings = loadgen::parse_signals(signals.lines.as_slice())?;
            let truth = Truth::parse(BufReader::new(File::open(set.join("labels.tsv"))?))?;
            let card = loadgen::score(&truth, &findings, TOLERANCE_S);
            let set = set.file_name().unwrap_or_default().to_string_lossy();
            writeln!(out, "| {set} | {name} | {} |", row(&card, findings.len()))?;
        }
    }
    Ok(())
}

fn row(card: &Scorecard, findings: usize) -> String {
    let (mut right, mut related, mut wrong) = (0, 0, 0);
    for count in card.findings() {
        right += count.true_count;
        related += count.related;
        wrong += count.false_count;
    }
    let mut recalls: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for group in card.groups() {
        let recall = recalls.entry(group.scenario.as_str()).or_default();
        *recall = (recall.0 + group.found, recall.1 + group.injected);
    }
    let recalls: Vec<String> =
        recalls.iter().map(|(label, (found, all))| format!("{label} {found}/{all}")).collect();
    let precision = card.precision().map_or("–".to_owned(), |value| format!("{value:.3}"));
    let recalls = if recalls.is_empty() { "–".to_owned() } else { recalls.join(", ") };
    format!("{findings} | {right} | {related} | {wrong} | {precision} | {recalls}")
}

fn write_captures(folder: &Path, out: &mut impl Write) -> Result<()> {
    writeln!(out, "\n| capture | default | sensitive |\n|---|---|---|")?;
    let mut captures: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    captures.sort();
    for capture in captures {
        let told = |preset| Ok::<_, anyhow::Error>(replay(&capture, preset)?.opened.join("; "));
        let (default, sensitive) = (told(Preset::Default)?, told(Preset::Sensitive)?);
        let name = capture.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".log.gz");
        let or_none = |text: String| if text.is_empty() { "nothing".to_owned() } else { text };
        writeln!(out, "| {name} | {} | {} |", or_none(default), or_none(sensitive))?;
    }
    Ok(())
}

fn sets(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut sets = list.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    sets.retain(|set| set.join("labels.tsv").is_file());
    sets.sort();
    Ok(sets)
}

fn replay(path: &Path, preset: Preset) -> Result<Collected> {
    let config = Config::preset(preset)?;
    let settings = Settings::new(1, KEY, config.window.pane_s);
    let detector = Detector::new(config.rules, config.network, config.window, KEY);
    let mut detector = detector.context("the sketches cannot be made")?;
    let files = Files::new(vec![path.to_owned()], Columns::Used);
    let mut collected = Collected::default();
    pipeline::run(files, &settings, &mut detector, &mut collected);
    match collected.problem.take() {
        Some(problem) => Err(problem.into()),
        None => Ok(collected),
    }
}

#[derive(Default)]
struct Collected {
    lines: Vec<u8>,
    opened: Vec<String>,
    problem: Option<SourceError>,
}

impl Observer<SourceError> for Collected {
    fn signal(&mut self, signal: Signal) {
        if signal.status == Status::Open {
            self.opened.push(format!("{} {}", signal.kind.label(), signal.entity));
        }
        // Writing to memory fails for want of memory alone.
        if serde_json::to_writer(&mut self.lines, &signal).is_ok() {
            self.lines.push(b'\n');
        }
    }

    fn batch(&mut self, _id: &BatchId, _detector: &Detector, _outcome: &Outcome) {}

    fn problem(&mut self, problem: SourceError) {
        self.problem.get_or_insert(problem);
    }
}
