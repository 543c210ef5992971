//! Events that their reader has no room for yet.
//!
//! Bounded by what an event is about: of one lease at most a loss, a grant and a request for a handoff wait, since a grant
//! that is lost before it was read needs no mention.

use std::collections::VecDeque;

use crate::lease::{Event, LeaseKey};

#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Event>,
}

impl Backlog {
    pub(super) fn push(&mut self, event: Event) {
        if let Event::Lost(key) = &event {
            let before = self.waiting.len();
            let is_granted = self.waiting.iter().any(|event| is_grant_of(event, key));
            self.waiting.retain(|event| match event {
                Event::Lost(_) => true,
                Event::HandoffRequested(other) => other != key,
                Event::Granted(_) => !is_grant_of(event, key),
            });
            if is_granted {
                debug_assert!(self.waiting.len() < before);
                return;
            }
        }
        self.waiting.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn is_grant_of(event: &Event, key: &LeaseKey) -> bool {
    matches!(event, Event::Granted(grant) if grant.lease.key == *key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::rules::{Timing, Worker};
    use crate::lease::{Checkpoint, Lease, Store as _};

    /// A grant of the rules: nobody else makes tokens.
    fn grant() -> Event {
        let memory = crate::lease::Memory::new([Lease::new("a".into(), Checkpoint::TrimHorizon)]);
        let mut worker = Worker::new("w".into(), Timing::default(), 1, 0);
        worker.tick(0);
        worker.next_output();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        worker.scanned(1, runtime.block_on(memory.scan()));
        while let Some(output) = worker.next_output() {
            match output {
                crate::lease::rules::Output::Write { id, write } => {
                    worker.written(2, id, runtime.block_on(memory.write(&write)));
                }
                crate::lease::rules::Output::Event(event) => return event,
                _ => {}
            }
        }
        panic!("no grant");
    }

    #[test]
    fn a_grant_that_was_lost_unread_is_not_mentioned_and_nothing_piles_up() {
        let (key, mut backlog) = (LeaseKey::from("a"), Backlog::default());
        for _ in 0..1000 {
            backlog.push(Event::Lost(key.clone()));
            backlog.push(grant());
            backlog.push(Event::HandoffRequested(key.clone()));
            backlog.push(Event::Lost(key.clone()));
            backlog.waiting.truncate(1);
        }
        assert_eq!(backlog.pop(), Some(Event::Lost(key.clone())));
        assert!(backlog.is_empty());
        backlog.push(Event::HandoffRequested(key.clone()));
        backlog.push(Event::Lost(key.clone()));
        assert_eq!(backlog.pop(), Some(Event::Lost(key)), "the reader knows the grant");
        assert!(backlog.is_empty());
    }
}
