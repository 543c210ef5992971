//! `flowscout check`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use super::{Failure, io_failure, misuse, terminal};
use crate::cli::Check;
use crate::config::Config;

pub(super) fn run(options: &Check) -> Result<ExitCode, Failure> {
    let config = Config::load(&options.config).map_err(misuse)?;
    let resolved = toml::to_string(&config).context("the configuration cannot be shown");
    let resolved = resolved.map_err(io_failure)?;
    let budget = config.memory_bytes_max(usize::from(options.workers));
    let mut out = io::stdout().lock();
    let workers = options.workers;
    write!(
        out,
        "{resolved}\n\
         # memory, at the most\n\
         #   hosts, pairs, services  {:>10}\n\
         #   lost by the allocator   {:>10}\n\
         #   findings                {:>10}\n\
         #   volumes                 {:>10}\n\
         #   batches, {workers:>3} workers    {:>10}\n\
         #   unpacked payloads       {:>10}\n\
         #   dead letters            {:>10}\n\
         #   read ahead by sources   {:>10}\n\
         #   what was applied        {:>10}\n\
         #   together                {:>10}\n",
        terminal::bytes(budget.entities as u64),
        terminal::bytes(budget.allocator as u64),
        terminal::bytes(budget.findings as u64),
        terminal::bytes(budget.volumes as u64),
        terminal::bytes(budget.batches as u64),
        terminal::bytes(budget.unpacking as u64),
        terminal::bytes(budget.dead_letters as u64),
        terminal::bytes(budget.sources as u64),
        terminal::bytes(budget.applied as u64),
        terminal::bytes(budget.total() as u64),
    )
    .map_err(io_failure)?;
    Ok(ExitCode::SUCCESS)
}
