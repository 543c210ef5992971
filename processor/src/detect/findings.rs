//! The life of findings: one open at a time per (kind, subject), opened, updated at each power of ten, closed.

use indexmap::IndexMap;
use sketches::hash::{HashKey, KeyedState};

use super::config::Limits;
use crate::flow::Address;
use crate::signal::{Entity, Evidence, Kind, Party, Severity, Signal, Status};
use crate::window::Scope;

/// What a finding is about, as a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// A host with a target or service.
    Scope(Scope),
    /// An interface, by the hash of its id.
    Interface(u32),
}

/// An open finding.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// Everything that its next signal repeats; `status` is that of the last one sent.
    pub signal: Signal,
    /// Power of ten of the last estimate that was sent.
    decade: u32,
    /// Whether it counts as low in the limits, though its severity may have grown.
    is_light: bool,
}

/// All open findings.
#[derive(Debug)]
pub struct Findings {
    open: IndexMap<(Kind, Subject), Finding, KeyedState>,
    per_source: IndexMap<(Kind, Address), u32, KeyedState>,
    limits: Limits,
    /// Open findings that were low or less when they opened.
    light: usize,
    opened: u64,
    suppressed: u64,
}

/// Ids must be the same in every run and task, so their hash is keyed by a constant; they protect nothing.
const ID_KEY: HashKey = HashKey::new(0x666c_6f77_7363_6f75, 0x745f_6669_6e64_696e);

impl Findings {
    /// None open.
    #[must_use]
    pub fn new(key: HashKey, limits: Limits) -> Self {
        let state = KeyedState::new(key);
        Self {
            open: IndexMap::with_hasher(state),
            per_source: IndexMap::with_hasher(state),
            limits,
            light: 0,
            opened: 0,
            suppressed: 0,
        }
    }

    /// Takes a fresh measure of something that crossed its threshold, as a signal without id. Gives the signal to send:
    /// one that opens, or one that updates when the next power of ten was reached.
    ///
    /// A vertical or horizontal scan by a source whose block scan is open is a part of that, and opens no finding.
    pub fn raise(&mut self, subject: Subject, fresh: Signal) -> Option<Signal> {
        if let Some(finding) = self.open.get_mut(&(fresh.kind, subject)) {
            return finding.refresh(fresh);
        }
        if self.is_part_of_block(fresh.kind, subject) {
            return None;
        }
        if self.is_full(&fresh, subject) {
            self.suppressed += 1;
            return None;
        }
        let signal = Signal { id: id_of(&fresh), status: Status::Open, ..fresh };
        let is_light = signal.severity <= Severity::Low;
        self.light += usize::from(is_light);
        let finding = Finding { decade: decade(signal.estimate), is_light, signal: signal.clone() };
        if let Subject::Scope(scope) = subject {
            *self.per_source.entry((signal.kind, scope.source())).or_default() += 1;
        }
        self.opened += 1;
        self.open.insert((signal.kind, subject), finding);
        Some(signal)
    }

    /// Asks `check` of every open finding; the ones for which it gives `None` are closed and handed to `emit`, and their
    /// subjects returned. What it gives is a fresh estimate, kept if larger.
    pub fn review(
        &mut self,
        mut check: impl FnMut(&Subject, &Signal) -> Option<u64>,
        emit: &mut dyn FnMut(Signal),
    ) -> Vec<(Kind, Subject)> {
        let mut closed = Vec::new();
        let (per_source, light) = (&mut self.per_source, &mut self.light);
        self.open.retain(|(kind, subject), finding| {
            if let Some(estimate) = check(subject, &finding.signal) {
                finding.signal.estimate = finding.signal.estimate.max(estimate);
                return true;
            }
            emit(Signal { status: Status::Closed, ..finding.signal.clone() });
            if let Subject::Scope(scope) = subject {
                let source = (*kind, scope.source());
                if let Some(count) = per_source.get_mut(&source) {
                    *count -= 1;
                    if *count == 0 {
                        per_source.swap_remove(&source);
                    }
                }
            }
            *light -= usize::from(finding.is_light);
            closed.push((*kind, *subject));
            false
        });
        closed
    }

    /// Open findings of a kind by one source.
    #[must_use]
    pub fn open_by(&self, kind: Kind, source: Address) -> u32 {
        self.per_source.get(&(kind, source)).copied().unwrap_or(0)
    }

    /// Whether this one is open.
    #[must_use]
    pub fn is_open(&self, kind: Kind, subject: Subject) -> bool {
        self.open.contains_key(&(kind, subject))
    }

    /// Lost intervals counted so far by the open data gap of an interface.
    #[must_use]
    pub fn lost_intervals(&self, subject: Subject) -> u64 {
        self.open.get(&(Kind::DataGap, subject)).map_or(0, |finding| finding.signal.estimate)
    }

    /// Findings that are open now.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.open.values()
    }

    /// Findings opened so far.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// Times that a finding was not opened because of a limit.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }

    fn is_part_of_block(&self, kind: Kind, subject: Subject) -> bool {
        let Subject::Scope(scope) = subject else { return false };
        let is_narrow = kind.is_scan() && kind != Kind::BlockScan;
        is_narrow && self.open_by(Kind::BlockScan, scope.source()) > 0
    }

    /// Half of the room is kept for what is graver than low, so that spoofed sources from outside cannot crowd out what our
    /// own hosts do.
    fn is_full(&self, fresh: &Signal, subject: Subject) -> bool {
        let of_source = match subject {
            Subject::Scope(scope) => self.open_by(fresh.kind, scope.source()),
            Subject::Interface(_) => 0,
        };
        let is_light = fresh.severity <= Severity::Low;
        let room = if is_light { self.limits.open_max / 2 } else { self.limits.open_max };
        let taken = if is_light { self.light } else { self.open.len() };
        taken >= room || of_source >= self.limits.open_per_source_max
    }
}

impl Finding {
    fn refresh(&mut self, fresh: Signal) -> Option<Signal> {
        let known = &mut self.signal;
        known.estimate = known.estimate.max(fresh.estimate);
        known.estimate_error = fresh.estimate_error;
        known.first_seen_s = known.first_seen_s.min(fresh.first_seen_s);
        known.last_seen_s = known.last_seen_s.max(fresh.last_seen_s);
        known.severity = known.severity.max(fresh.severity);
        known.evidence = fresh.evidence;
        let decade = decade(known.estimate);
        (decade > self.decade).then(|| {
            self.decade = decade;
            known.status = Status::Update;
            known.clone()
        })
    }
}

impl Signal {
    /// A signal about a scope, to be completed by [`Findings::raise`].
    pub(super) fn about(kind: Kind, severity: Severity, entity: Entity) -> Self {
        Self {
            id: String::new(),
            kind,
            status: Status::Open,
            severity,
            entity,
            window_s: 0,
            estimate: 0,
            estimate_error: 0,
            threshold: 0,
            first_seen_s: 0,
            last_seen_s: 0,
            evidence: Evidence::default(),
        }
    }
}

impl Entity {
    /// The entity of a scope, as signals show it.
    pub(super) const fn of_scope(scope: &Scope) -> Self {
        let (source, dst, port, protocol) = match *scope {
            Scope::Pair { source, target } => (source, Some(target), None, None),
            Scope::Service { source, protocol, port } => (source, None, Some(port), Some(protocol)),
            Scope::Source { source } => (source, None, None, None),
        };
        Self { src: Party::Host(source), dst, port, protocol }
    }
}

fn decade(estimate: u64) -> u32 {
    estimate.checked_ilog10().unwrap_or(0)
}

fn id_of(signal: &Signal) -> String {
    let Entity { src, dst, port, protocol } = &signal.entity;
    let opened = signal.last_seen_s;
    let text = format!("{} {src} {dst:?} {port:?} {protocol:?} {opened}", signal.kind.label());
    format!("{}-{:016x}", signal.kind.label(), ID_KEY.hash_bytes(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Address = Address::v4(0x0a00_0001);

    fn subject(target: u32) -> Subject {
        Subject::Scope(Scope::Pair { source: SOURCE, target: Address::v4(target) })
    }

    fn measure(subject: Subject, estimate: u64, last_seen_s: u64) -> Signal {
        let Subject::Scope(scope) = subject else { panic!() };
        let entity = Entity::of_scope(&scope);
        let mut signal = Signal::about(Kind::VerticalScan, Severity::High, entity);
        (signal.estimate, signal.last_seen_s) = (estimate, last_seen_s);
        signal
    }

    fn findings(limits: Limits) -> Findings {
        Findings::new(HashKey::new(1, 2), limits)
    }

    #[test]
    fn a_finding_opens_once_updates_at_powers_of_ten_and_closes_under_one_id() {
        let mut findings = findings(Limits::default());
        let opened = findings.raise(subject(1), measure(subject(1), 15, 100)).unwrap();
        assert_eq!(opened.status, Status::Open);
        assert_eq!(findings.raise(subject(1), measure(subject(1), 99, 110)), None);
        let updated = findings.raise(subject(1), measure(subject(1), 100, 120)).unwrap();
        assert_eq!((updated.status, &updated.id), (Status::Update, &opened.id));
        assert_eq!(findings.raise(subject(1), measure(subject(1), 999, 130)), None);
        let mut closed = Vec::new();
        findings.review(|_, _| Some(5), &mut |signal| closed.push(signal));
        assert!(closed.is_empty());
        findings.review(|_, _| None, &mut |signal| closed.push(signal));
        assert_eq!((closed[0].status, closed[0].estimate), (Status::Closed, 999));
        assert_eq!(closed[0].id, opened.id);
        let again = findings.raise(subject(1), measure(subject(1), 15, 900)).unwrap();
        assert_ne!(again.id, opened.id);
    }

    #[test]
    fn a_flood_of_low_findings_leaves_room_for_graver_ones() {
        let mut findings = findings(Limits { open_max: 100, open_per_source_max: 1000 });
        for number in 0..1000 {
            let low = Signal { severity: Severity::Low, ..measure(subject(number), 15, 1) };
            findings.raise(subject(number), low);
        }
        assert_eq!((findings.iter().count(), findings.suppressed()), (50, 950));
        assert!(findings.raise(subject(5000), measure(subject(5000), 15, 1)).is_some());
        findings.review(|_, _| None, &mut |_| {});
        let low = Signal { severity: Severity::Low, ..measure(subject(1), 15, 2) };
        assert!(findings.raise(subject(1), low).is_some());
    }

    #[test]
    fn a_source_cannot_open_more_than_its_share() {
        let mut findings = findings(Limits { open_max: 10, open_per_source_max: 3 });
        let opened =
            (0..9).filter_map(|t| findings.raise(subject(t), measure(subject(t), 15, 1))).count();
        assert_eq!((opened, findings.suppressed()), (3, 6));
        assert_eq!(findings.review(|_, _| None, &mut |_| {}).len(), 3);
        assert!(findings.raise(subject(1), measure(subject(1), 15, 2)).is_some());
    }
}
