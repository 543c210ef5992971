//! What all targets but files have in common: lines at their pace, and a bounded number of tasks that
//! send them.

use std::future::Future;
use std::time::{Duration, Instant};

use loadgen::{Generator, Origin, Plan};
use tokio::task::{JoinError, JoinSet};

use crate::run::progress;

/// Takes the lines of a run.
pub(crate) trait Outlet {
    /// Takes a line without its end.
    async fn line(&mut self, line: &[u8], origin: Origin<'_>) -> anyhow::Result<()>;

    /// Sends what has waited for long enough, until so much time has passed.
    async fn idle(&mut self, wait: Duration) -> anyhow::Result<()>;

    /// True if more lines would be in vain.
    fn is_closed(&self) -> bool;
}

/// Tasks of which a bounded number runs.
pub(crate) struct InFlight<T> {
    tasks: JoinSet<T>,
    tasks_max: usize,
}

/// Event time tied to the clock on the wall.
struct Pace {
    /// Event seconds per second; 0 lets everything through.
    pace: u32,
    start_s: u64,
    reached_s: u64,
    started: Instant,
}

/// Gives the lines of `generator` to `outlet`, `pace` event seconds per second, or as fast as it takes
/// them when `pace` is 0.
///
/// # Errors
/// Those of the outlet.
pub(crate) async fn feed(
    outlet: &mut impl Outlet,
    generator: &mut Generator,
    plan: &Plan,
    pace: u32,
) -> anyhow::Result<()> {
    let progress = progress(plan.duration_s);
    let mut pace = Pace::new(pace, plan.start_s);
    let mut line = Vec::new();
    while let Some(origin) = generator.next_line(&mut line) {
        if pace.begins_second(origin.end_s) {
            progress.set_position(origin.end_s.saturating_sub(plan.start_s));
            if let Some(wait) = pace.wait() {
                outlet.idle(wait).await?;
            }
        }
        outlet.line(line.trim_ascii_end(), origin).await?;
        line.clear();
        if outlet.is_closed() {
            break;
        }
    }
    progress.finish_and_clear();
    Ok(())
}

impl<T: Send + 'static> InFlight<T> {
    pub(crate) fn new(tasks_max: u32) -> Self {
        Self { tasks: JoinSet::new(), tasks_max: tasks_max as usize }
    }

    /// Starts `task` as soon as one fewer than may be is running; gives what came of those that ended.
    pub(crate) async fn start(
        &mut self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<Vec<T>, JoinError> {
        let mut ended = Vec::new();
        while self.tasks.len() >= self.tasks_max {
            ended.extend(self.tasks.join_next().await.transpose()?);
        }
        while let Some(task) = self.tasks.try_join_next() {
            ended.push(task?);
        }
        self.tasks.spawn(task);
        Ok(ended)
    }

    /// What came of the next one that ends; `None` when none is running.
    pub(crate) async fn next(&mut self) -> Result<Option<T>, JoinError> {
        self.tasks.join_next().await.transpose()
    }
}

impl Pace {
    #[expect(clippy::disallowed_methods, reason = "the outermost edge: paces a live run")]
    fn new(pace: u32, start_s: u64) -> Self {
        Self { pace, start_s, reached_s: start_s, started: Instant::now() }
    }

    fn begins_second(&mut self, end_s: u64) -> bool {
        let begins = end_s > self.reached_s;
        self.reached_s = self.reached_s.max(end_s);
        begins
    }

    /// How long to wait until the second that began is due.
    fn wait(&self) -> Option<Duration> {
        if self.pace == 0 {
            return None;
        }
        let passed_ms = self.reached_s.saturating_sub(self.start_s).saturating_mul(1_000);
        let due = Duration::from_millis(passed_ms / u64::from(self.pace));
        let wait = due.saturating_sub(self.started.elapsed());
        (!wait.is_zero()).then_some(wait)
    }
}
