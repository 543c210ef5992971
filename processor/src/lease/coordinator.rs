//! The shell around the rules: a thread of its own that renews, takes and gives up, whatever the readers of shards do.

mod backlog;
mod shell;
mod table;

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::rules::{Request, Timing, Token, View};
use super::{Checkpoint, CheckpointError, Child, Event, Lease, LeaseKey, Store, StoreError};
use shell::Shell;

/// Starts the thread that keeps the leases of one worker.
#[derive(Debug)]
pub struct Coordinator;

/// Speaks to the thread; usable from any runtime. When the last one is dropped, the leases are given up.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<Arc<View>>,
}

/// Why there is no coordinator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The table cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no thread or no runtime for it.
    #[error("cannot start the thread of the leases: {0}")]
    Thread(#[from] io::Error),
}

type Reply<T> = oneshot::Sender<T>;

enum Command {
    Ask {
        key: LeaseKey,
        token: Token,
        request: Request,
        reply: Reply<Result<(), CheckpointError>>,
    },
    Finish {
        key: LeaseKey,
        token: Token,
        children: Vec<Child>,
        reply: Reply<Result<(), CheckpointError>>,
    },
    Create {
        leases: Vec<Lease>,
        reply: Reply<Result<usize, StoreError>>,
    },
    Delete {
        keys: Vec<LeaseKey>,
        reply: Reply<Result<(), StoreError>>,
    },
    Shutdown {
        reply: Reply<()>,
    },
}

/// Events wait here for their reader, and behind it in a backlog that leaves out what has no consequences any more.
const EVENTS_MAX: usize = 256;

/// Whoever has more to say waits.
const COMMANDS_MAX: usize = 256;

impl Coordinator {
    /// Makes the store within the runtime of the new thread, since an HTTP client belongs to its runtime, sees to it that the
    /// table is ready, and begins. Blocks until then, which takes some seconds if the table has to be made.
    ///
    /// Names of workers must differ: of two workers with one name each takes the other's leases. The receiver gets what
    /// happens to leases; a reader that stops reading it does not stop the renewals. When the receiver ends, nothing is held.
    ///
    /// # Errors
    /// The store cannot be made, the table is not usable, or there is no thread.
    pub fn start<S, M, F>(
        make_store: M,
        worker: Arc<str>,
        timing: Timing,
    ) -> Result<(Handle, mpsc::Receiver<Event>), StartError>
    where
        S: Store,
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<S, StoreError>>,
    {
        let (commands, commands_receiver) = mpsc::channel(COMMANDS_MAX);
        let (events, events_receiver) = mpsc::channel(EVENTS_MAX);
        let (started, is_started) = std::sync::mpsc::sync_channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            runtime.block_on(async move {
                let store = match prepared(make_store).await {
                    Ok(store) => store,
                    Err(error) => return drop(started.send(Err(error))),
                };
                let (shell, view) = Shell::new(store, worker, timing, commands_receiver, events);
                // Whoever started it waits for this.
                drop(started.send(Ok(view)));
                shell.run().await;
            });
        };
        std::thread::Builder::new().name("leases".to_owned()).spawn(run)?;
        match is_started.recv() {
            Ok(Ok(view)) => Ok((Handle { commands, view }, events_receiver)),
            Ok(Err(error)) => Err(error.into()),
            Err(_ended) => Err(StartError::Store(ended())),
        }
    }
}

async fn prepared<S, M, F>(make_store: M) -> Result<S, StoreError>
where
    S: Store,
    M: FnOnce() -> F,
    F: Future<Output = Result<S, StoreError>>,
{
    let store = make_store().await?;
    store.prepare().await?;
    Ok(store)
}

impl Handle {
    /// Writes how far the shard was read. Tried again while the lease is held; whether a write came through whose answer was
    /// lost is found out.
    ///
    /// # Errors
    /// See [`CheckpointError`]; only after [`CheckpointError::Lost`] is the lease gone.
    pub async fn checkpoint(
        &self,
        key: &LeaseKey,
        token: Token,
        checkpoint: Checkpoint,
    ) -> Result<(), CheckpointError> {
        self.ask(key, token, Request::Checkpoint { checkpoint, children: Vec::new() }).await
    }

    /// Ends the lease of a shard that was read to its end: makes the leases of its children, to be read from their oldest
    /// records, and then writes the end. The lease is then no longer held, without an event.
    ///
    /// # Errors
    /// See [`CheckpointError`]; the lease stays held unless it is lost.
    pub async fn finish(
        &self,
        key: &LeaseKey,
        token: Token,
        children: Vec<Child>,
    ) -> Result<(), CheckpointError> {
        let command = |reply| Command::Finish { key: key.clone(), token, children, reply };
        self.send(command).await.unwrap_or(Err(CheckpointError::Lost))
    }

    /// Gives a lease up, to whoever asked for it, else to nobody; this worker does not take it back for the duration of a
    /// lease. Nothing to do if it is not held any more.
    ///
    /// # Errors
    /// The coordinator has ended.
    pub async fn release(&self, key: &LeaseKey, token: Token) -> Result<(), StoreError> {
        match self.ask(key, token, Request::Release).await {
            Ok(()) | Err(CheckpointError::Lost) => Ok(()),
            Err(CheckpointError::Store(error)) => Err(error),
            Err(other) => Err(StoreError::Unusable(other.to_string())),
        }
    }

    /// Makes those of the leases that are not there, and looks for leases to take.
    ///
    /// # Returns
    /// How many were made.
    ///
    /// # Errors
    /// Some may have been made.
    pub async fn create(&self, leases: Vec<Lease>) -> Result<usize, StoreError> {
        self.send(|reply| Command::Create { leases, reply }).await.unwrap_or_else(|| Err(ended()))
    }

    /// Removes leases.
    ///
    /// # Errors
    /// Some may have been removed.
    pub async fn delete(&self, keys: Vec<LeaseKey>) -> Result<(), StoreError> {
        self.send(|reply| Command::Delete { keys, reply }).await.unwrap_or_else(|| Err(ended()))
    }

    /// What is known of the table: the newest scan, and what was counted a moment ago.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Waits until the table was read again, and at least once.
    ///
    /// # Returns
    /// What is known then; after the coordinator has ended, what was known last.
    pub async fn next_view(&self) -> Arc<View> {
        let scans = self.view.borrow().scans;
        let mut views = self.view.clone();
        match views.wait_for(|view| view.scans > scans).await {
            Ok(view) => Arc::clone(&view),
            Err(_ended) => self.view(),
        }
    }

    /// Gives up all leases that are still held, and ends the thread. Takes at most the duration of a lease.
    pub async fn shutdown(&self) {
        // Nothing to wait for if it has ended before.
        let _ended = self.send(|reply| Command::Shutdown { reply }).await;
    }

    async fn ask(
        &self,
        key: &LeaseKey,
        token: Token,
        request: Request,
    ) -> Result<(), CheckpointError> {
        let command = |reply| Command::Ask { key: key.clone(), token, request, reply };
        self.send(command).await.unwrap_or(Err(CheckpointError::Lost))
    }

    /// None if the thread has ended.
    async fn send<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Handle").field("view", &self.view()).finish_non_exhaustive()
    }
}

fn ended() -> StoreError {
    StoreError::Unavailable("the thread of the leases has ended".to_owned())
}

#[cfg(test)]
mod tests;
