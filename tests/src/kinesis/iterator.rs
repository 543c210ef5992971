//! Iterators of shards: all that a read needs, in a text that tells clients nothing.

use base64_turbo::URL_SAFE_NO_PAD;

use super::account::Account;
use super::clock;
use super::refusal::Refusal;

/// A place in a shard and since when it is known.
#[derive(Debug)]
pub(super) struct ShardIterator {
    pub(super) stream: String,
    pub(super) shard: String,
    pub(super) place: u64,
    number: u64,
    made_ms: u64,
}

impl ShardIterator {
    pub(super) fn new(account: &Account, stream: &str, shard: &str, place: u64) -> Self {
        let (stream, shard) = (stream.to_owned(), shard.to_owned());
        Self { stream, shard, place, number: account.next_iterator(), made_ms: clock::epoch_ms() }
    }

    pub(super) fn text(&self) -> String {
        let Self { stream, shard, place, number, made_ms } = self;
        URL_SAFE_NO_PAD.encode(format!("{made_ms}/{number}/{place}/{shard}/{stream}"))
    }

    /// Reads one, however old it is.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.splitn(5, '/');
        let mut number = || parts.next()?.parse().ok();
        let (made_ms, number, place) = (number()?, number()?, number()?);
        let (shard, stream) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { stream, shard, place, number, made_ms })
    }

    pub(super) fn require_valid(&self, account: &Account) -> Result<(), Refusal> {
        let age_ms = clock::epoch_ms().saturating_sub(self.made_ms);
        let is_young = u128::from(age_ms) <= account.options.iterator_life.as_millis();
        if is_young && account.is_iterator_valid(self.number) {
            return Ok(());
        }
        let message = format!("Iterator expired. It was made {age_ms} ms ago.");
        Err(Refusal::new("ExpiredIteratorException", message))
    }
}
