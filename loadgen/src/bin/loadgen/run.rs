//! `loadgen run`: a plan from the arguments, lines to the target.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use loadgen::{Generator, LineFormat, Plan, Profile, Scenario, truth};

use crate::options::{Kind, Options};
use crate::{http, misuse, s3, streams, tell};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The network and its ordinary traffic: ordinary, busy, quiet
    #[arg(long, default_value = "ordinary")]
    profile: String,
    /// What to inject, repeatable: vertical-scan, horizontal-scan, icmp-sweep, block-scan,
    /// slow-scan, exfiltration, rejected-surge, data-gap; `all` that fit into the time (the
    /// default), or `none`
    #[arg(long = "scenario", value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Flow records per second of event time, on average
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Seconds of event time
    #[arg(long, default_value_t = 7_200, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Same seed, same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Epoch second of the first record; 2026-01-01T00:00:00Z unless given
    #[arg(long, value_name = "EPOCH", default_value_t = 1_767_225_600, value_parser = clap::value_parser!(u64).range(..=YEAR_9999))]
    start: u64,
    /// `default`, `recommended`, or an AWS format string such as '${version} ${srcaddr}'
    #[arg(long, default_value = "default")]
    format: String,
    /// Begin with a line of field names, as files on S3 do
    #[arg(long)]
    header: bool,
    /// Where lines go: `stdout`; `file:PATH`; `https://HOST/PATH` or `http://HOST/PATH`, an endpoint
    /// to which they are delivered as Amazon Data Firehose does; or, with the region and the
    /// credentials that AWS tools use, `kinesis:STREAM` or `firehose:STREAM`, by its name or ARN, and
    /// `s3://BUCKET/PREFIX`, in files as AWS publishes them
    #[arg(long)]
    target: String,
    /// Where to write what was injected, as tab-separated values
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

enum Target<'a> {
    Stdout,
    File(&'a Path),
    Stream(Kind, &'a str),
    Http(&'a str),
    S3(s3::Address<'a>),
}

/// The last second that a timestamp of four-digit years can name.
const YEAR_9999: u64 = 253_402_300_799;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let target = parse_target(arguments)?;
    let plan = plan(arguments)?;
    let mut generator = Generator::new(&plan).map_err(misuse)?;
    if let Some(path) = &arguments.truth {
        write_truth(path, &generator)?;
    }
    let header = arguments.header.then(|| format!("{}\n", plan.format.header()));
    let header = header.unwrap_or_default();
    let written = match target {
        Target::Stdout => pump(&mut generator, &plan, &header, &mut io::stdout().lock()),
        Target::File(path) => {
            let shown = path.display();
            let mut file = File::create(path).with_context(|| format!("cannot create {shown}"))?;
            pump(&mut generator, &plan, &header, &mut file)
        }
        Target::Stream(kind, stream) => {
            streams::run(kind, stream, &arguments.options, &mut generator, &plan)?;
            Ok(())
        }
        Target::Http(url) => {
            http::run(url, &arguments.options, &mut generator, &plan)?;
            Ok(())
        }
        Target::S3(address) => {
            s3::run(address, &arguments.options, &mut generator, &plan)?;
            Ok(())
        }
    };
    match written {
        // Whoever read has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error).with_context(|| format!("cannot write to {}", arguments.target)),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn parse_target(arguments: &Arguments) -> anyhow::Result<Target<'_>> {
    let target = arguments.target.as_str();
    let (scheme, rest) = target.split_once(':').unwrap_or((target, ""));
    let (target, kind) = match (scheme, rest) {
        ("stdout", "") if target == "stdout" => (Target::Stdout, None),
        ("file", "") => return Err(misuse("target `file:` lacks a path")),
        ("file", path) => (Target::File(Path::new(path)), None),
        ("kinesis" | "firehose", stream) => {
            let kind = if scheme == "kinesis" { Kind::Kinesis } else { Kind::Firehose };
            streams::check_stream(kind, stream)?;
            (Target::Stream(kind, stream), Some(kind))
        }
        ("http" | "https", _) => {
            http::check_url(target)?;
            (Target::Http(target), Some(Kind::Http))
        }
        ("s3", rest) => (Target::S3(s3::address(rest)?), Some(Kind::S3)),
        _ => {
            return Err(misuse(format!(
                "target `{target}` is neither `stdout`, nor `file:PATH`, nor `kinesis:STREAM`, nor \
                 `firehose:STREAM`, nor `https://HOST/PATH`, nor `s3://BUCKET/PREFIX`"
            )));
        }
    };
    if arguments.header && kind.is_some() {
        return Err(misuse(
            "--header is for files: records of a stream have none, and objects of S3 one each",
        ));
    }
    arguments.options.check(kind)?;
    Ok(target)
}

fn plan(arguments: &Arguments) -> anyhow::Result<Plan> {
    let format: LineFormat = arguments.format.parse().map_err(misuse)?;
    Ok(Plan {
        profile: Profile::by_name(&arguments.profile).map_err(misuse)?,
        scenarios: scenarios(&arguments.scenarios, arguments.seconds)?,
        rate_per_s: arguments.rate,
        duration_s: arguments.seconds,
        seed: arguments.seed,
        start_s: arguments.start,
        format,
    })
}

fn scenarios(names: &[String], duration_s: u32) -> anyhow::Result<Vec<Scenario>> {
    if names.iter().any(|name| name == "none") {
        return if names.len() == 1 {
            Ok(Vec::new())
        } else {
            Err(misuse("scenario `none` excludes others"))
        };
    }
    let mut scenarios = Vec::new();
    if names.is_empty() || names.iter().any(|name| name == "all") {
        scenarios = Scenario::fitting(duration_s);
        for left_out in Scenario::ALL.iter().filter(|scenario| !scenarios.contains(scenario)) {
            let needed_s = left_out.duration_s_min();
            tell(&format!(
                "note: scenario {left_out} left out, it needs at least {needed_s} seconds"
            ));
        }
    }
    for name in names.iter().filter(|name| *name != "all") {
        let scenario: Scenario = name.parse().map_err(misuse)?;
        if !scenarios.contains(&scenario) {
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}

fn write_truth(path: &Path, generator: &Generator) -> anyhow::Result<()> {
    let shown = path.display();
    let mut file =
        BufWriter::new(File::create(path).with_context(|| format!("cannot create {shown}"))?);
    truth::write_rows(generator.truth(), &mut file)
        .and_then(|()| file.flush())
        .with_context(|| format!("cannot write {shown}"))
}

fn pump(
    generator: &mut Generator,
    plan: &Plan,
    header: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    let progress = progress(plan.duration_s);
    out.write_all(header.as_bytes())?;
    let mut chunk = Vec::new();
    while generator.next_chunk(&mut chunk) {
        out.write_all(&chunk)?;
        chunk.clear();
        progress.set_position(generator.reached_s() - plan.start_s);
    }
    out.flush()?;
    progress.finish_and_clear();
    Ok(())
}

pub(crate) fn progress(duration_s: u32) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::from(duration_s));
    let template = "{bar:40} {pos}/{len} s of event time, {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
