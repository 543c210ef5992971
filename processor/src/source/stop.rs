//! The one switch that stops all sources of `flowscout run`.

use tokio::sync::watch;

/// Turns it; clones are the same switch.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

/// Waits for it.
#[derive(Clone, Debug)]
pub struct Stopped(watch::Receiver<bool>);

impl Stop {
    /// Nothing is stopped yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Stops reading: each source hands over what it has read, waits until that is applied, tells whoever it came from, and
    /// lets go of its inlet.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// For a source.
    #[must_use]
    pub fn stopped(&self) -> Stopped {
        Stopped(self.0.subscribe())
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stopped {
    /// Returns once it was turned, or nobody is left who could.
    pub async fn wait(mut self) {
        drop(self.0.wait_for(|stopped| *stopped).await);
    }

    /// Whether it was turned.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }
}
