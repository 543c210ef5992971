//! A row's way into its entities.

use sketches::pane::Pane;

use super::{Breadth, Entity, Scope, Window, elements_max, has_ports};
use crate::combine::{Conversation, ConversationKey};
use crate::flow::{Address, protocol};
use crate::observe::{Confidence, Outcome};

/// The entities of a row, and where they were when they were sought.
#[derive(Clone, Copy, Debug)]
pub struct Sought {
    scopes: [Scope; 3],
    hashes: [u64; 3],
    places: [Option<usize>; 3],
}

/// Elements from which on an entity keeps samples of its targets as evidence.
const SAMPLED_ELEMENTS: usize = 4;

impl Window {
    /// Where the entities of a row are: their search, some rows before the row is applied, so that the cache misses of several
    /// rows overlap.
    #[must_use]
    pub fn seek(&self, key: &ConversationKey) -> Sought {
        let ConversationKey { initiator: source, target, port, protocol, .. } = *key;
        let scopes = [
            Scope::Service { source, protocol, port },
            Scope::Pair { source, target },
            Scope::Source { source },
        ];
        let hashes = scopes.map(|scope| scope.hash(self.key));
        let wanted = if has_ports(protocol) { 3 } else { 1 };
        let mut places = [None; 3];
        for (place, &hash) in places.iter_mut().zip(&hashes[..wanted]) {
            *place = self.entities.place(hash);
        }
        Sought { scopes, hashes, places }
    }

    /// Applies a row to its entities and gives their scopes; none where its direction is unknown or proves nothing.
    pub fn update(
        &mut self,
        key: &ConversationKey,
        row: &Conversation,
        sought: &Sought,
    ) -> [Option<Scope>; 3] {
        let has_ports = has_ports(key.protocol);
        let is_icmp = matches!(key.protocol, protocol::ICMP | protocol::ICMPV6);
        let says_something = row.has_failed_attempt() || row.marks.contains(Outcome::Answered);
        let is_evidence =
            says_something && row.confidence > Confidence::Low && (has_ports || is_icmp);
        if !is_evidence || key.target.is_group() || key.initiator.is_group() {
            return [None; 3];
        }
        let source = key.initiator;
        let tag = u64::from(key.protocol) << 16 | u64::from(key.port);
        let [service, pair, whole] = sought.scopes;
        let Sought { hashes: [service_hash, pair_hash, whole_hash], places, .. } = *sought;
        // Pings are counted by service alone.
        let known_hash = if has_ports { whole_hash } else { service_hash };
        if self.entities.is_full()
            && self.entities.get(known_hash).is_none()
            && !self.admission.admits(source, self.key.hash_pair(key.target.bits(), tag), key.pane)
        {
            return [None; 3];
        }
        let is_settled = has_ports && row.marks.contains(Outcome::Answered) && row.rejected == 0;
        if is_settled && self.recent.repeats(key, row.marks) {
            return [None; 3];
        }
        let change = Change { key, row, is_blind: self.blind.covers(key.interface, key.pane) };
        let host = self.key.hash_u128(key.target.bits());
        self.entities.update_at(places[0], service_hash, |entity| change.apply(entity, host));
        if !has_ports {
            self.acquit_known(key, host, sought);
            return [Some(service), None, None];
        }
        if row.marks.contains(Outcome::Answered) {
            self.acquit_ping(source, key.target, key.pane);
        }
        self.acquit_ping(key.target, source, key.pane);
        let (both, port) = (self.key.hash_pair(key.target.bits(), tag), self.key.hash_u64(tag));
        self.entities.update_at(places[1], pair_hash, |entity| change.apply(entity, port));
        let bucket_panes = self.rejection_bucket_panes();
        self.entities.update_at(places[2], whole_hash, |entity| {
            change.apply(entity, both);
            if row.has_failed_attempt() || row.rejected > 0 {
                let breadth = entity.breadth.get_or_insert_default();
                change.apply_breadth(breadth, host, port, bucket_panes);
            }
        });
        [Some(service), Some(pair), Some(whole)]
    }

    /// Notes who sends a ping; one to a host that it speaks with has been answered.
    fn acquit_known(&mut self, key: &ConversationKey, host: u64, sought: &Sought) {
        self.pingers.note(key.initiator);
        let [service_hash, pair_hash, _] = sought.hashes;
        let reverse = Scope::Pair { source: key.target, target: key.initiator };
        let is_known = self.entities.get(pair_hash).is_some_and(Entity::has_answer);
        if is_known || self.entity(&reverse).is_some() {
            self.entities.update(service_hash, |entity| entity.elements.answered(host, key.pane));
        }
    }

    /// Between two hosts that speak TCP or UDP, ICMP discovers nothing: path measurements ping whom one speaks with, and a
    /// host answers with errors those who try its closed ports. `target` answered `source`, or called on it.
    fn acquit_ping(&mut self, source: Address, target: Address, pane: Pane) {
        if !self.pingers.may_hold(source) {
            return;
        }
        let icmp = if target.is_v4() { protocol::ICMP } else { protocol::ICMPV6 };
        let pinged = Scope::Service { source, protocol: icmp, port: 0 }.hash(self.key);
        if self.entities.get(pinged).is_some() {
            let host = self.key.hash_u128(target.bits());
            self.entities.update(pinged, |entity| entity.elements.answered_if_seen(host, pane));
        }
    }
}

struct Change<'r> {
    key: &'r ConversationKey,
    row: &'r Conversation,
    /// Records of this interface were lost, so a missing answer proves nothing.
    is_blind: bool,
}

impl Change<'_> {
    fn apply(&self, entity: &mut Entity, element: u64) {
        let (marks, pane) = (self.row.marks, self.key.pane);
        let is_opened = marks.contains(Outcome::Opened);
        let is_reset = is_opened && marks.contains(Outcome::Reset);
        if marks.contains(Outcome::Refused) || is_reset {
            entity.elements.refused(element, pane);
        } else if is_opened && !self.is_blind {
            entity.elements.opened(element, pane);
        }
        if marks.contains(Outcome::Answered) {
            entity.elements.answered(element, pane);
        }
        entity.confidence = entity.confidence.max(Some(self.row.confidence));
        let has_failed = self.row.has_failed_attempt();
        entity.count_failure(has_failed);
        if !has_failed {
            return;
        }
        entity.last_failed_s = entity.last_failed_s.max(self.row.last_s);
        if elements_max(&entity.elements) >= SAMPLED_ELEMENTS {
            let samples = entity.samples.get_or_insert_default();
            samples.push((self.key.target, self.key.port));
        }
    }

    fn apply_breadth(&self, breadth: &mut Breadth, host: u64, port: u64, bucket_panes: u32) {
        let pane = self.key.pane;
        if self.row.has_failed_attempt() {
            breadth.hosts.opened(host, pane);
            breadth.ports.opened(port, pane);
        }
        if self.row.rejected > 0 {
            breadth.add_rejected(pane, bucket_panes, self.row.rejected);
        }
    }
}
