//! The life of a request: its head, its body, its records as one batch into the pipeline, and its answer once the batch is
//! applied.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Bytes};
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::http::request::Parts as HttpHead;
use hyper::{Method, Request, StatusCode};
use tokio::time::timeout;

use super::access_keys::AccessKeys;
use super::answer::{self, Answer};
use super::body::Incoming;
use super::head::{self, ACCESS_KEY, Head};
use super::refusal::Refusal;
use super::room::{Charge, Full, Room};
use super::watched::Watched;
use crate::batch::{Batch, BatchId, Content, Extent};
use crate::decode::request;
use crate::source::clock::Clock;
use crate::source::inlet::Inlet;
use crate::source::receipts::Receipts;
use crate::source::told::Told;
use crate::telemetry::requests::{Begun, Requests, Taken};

/// What all requests share.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) path: String,
    pub(super) body_bytes_max: usize,
    pub(super) access_keys: Watched<AccessKeys>,
    pub(super) room: Room,
    pub(super) inlet: Inlet,
    pub(super) receipts: Receipts,
    pub(super) requests: Requests,
    pub(super) clock: Clock,
    pub(super) told: Told,
}

/// Firehose waits three minutes for an answer, load balancers of AWS a minute.
const ANSWER_MAX: Duration = Duration::from_secs(50);
/// What a record needs beside its bytes: where it stands.
const RECORD_BYTES: usize = size_of::<Bytes>();
/// A body that is not larger is taken apart in a millisecond, or in some if it is gzip.
const SMALL_BYTES: usize = 256 << 10;
/// Methods of that length are no methods.
const METHOD_MAX: usize = 16;
/// Where load balancers look, whatever the configured path is.
const LIVENESS: &str = "/livez";

impl Endpoint {
    /// Answers one request.
    pub(super) async fn serve<B>(self: Arc<Self>, request: Request<B>) -> Result<Answer, Infallible>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        if head.method == Method::GET && head.uri.path() == LIVENESS {
            return Ok(answer::alive());
        }
        let mut body = Incoming::new(body);
        let begun = self.requests.begin();
        let taken = self.take(&head, &mut body).await;
        let unix_ms = self.clock.unix_ms();
        match taken {
            Ok(request_id) => {
                begun.answered(StatusCode::OK.as_u16(), "");
                Ok(answer::applied(&request_id, unix_ms))
            }
            Err((request_id, refusal)) => {
                self.tell(&request_id, &refusal, begun);
                let mut answer = answer::refused(&request_id, unix_ms, &refusal);
                // Whoever waits to be asked for a body needs not send it.
                if !head.headers.contains_key(EXPECT) {
                    body.drain().await;
                }
                if !body.is_whole() {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(answer)
            }
        }
    }

    /// The id of the request once it is applied; otherwise as far as the id is known, and why not.
    async fn take<B>(
        &self,
        http: &HttpHead,
        body: &mut Incoming<B>,
    ) -> Result<Box<str>, (Box<str>, Refusal)>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let known = |refusal| (head::request_id(&http.headers).into(), refusal);
        let head = self.admit(http).map_err(known)?;
        let mut charge = self.room.charge();
        let bytes = body.read(head.content_length, self.body_bytes_max, &mut charge).await;
        let bytes = bytes.map_err(known)?;
        let request = self.unpack(&head, &bytes).await.map_err(known)?;
        let body_bytes = bytes.len() as u64;
        drop((bytes, charge));
        let request_id = request.request_id.clone();
        let batch = self.batch(&head, request);
        let (batch, taken) = batch.map_err(|refusal| (request_id.clone(), refusal))?;
        match self.apply(batch).await {
            Ok(()) => {
                self.requests.took(Taken { body_bytes, ..taken });
                Ok(request_id)
            }
            Err(refusal) => Err((request_id, refusal)),
        }
    }

    /// Whether the body is worth reading.
    fn admit(&self, http: &HttpHead) -> Result<Head, Refusal> {
        let presented = http.headers.get(ACCESS_KEY).map(HeaderValue::as_bytes);
        if !self.path.is_empty() && http.uri.path() != self.path {
            return Err(Refusal::Path);
        }
        if http.method != Method::POST {
            return Err(Refusal::Method(http.method.as_str().chars().take(METHOD_MAX).collect()));
        }
        if !self.access_keys.get().allow(presented) {
            return Err(Refusal::AccessKey);
        }
        Head::read(&http.headers)
    }

    /// All records, decoded on this thread: a few milliseconds for a request of the usual size. Of larger ones only so many at
    /// once, and others do the other work of this thread meanwhile.
    async fn unpack(&self, head: &Head, body: &[u8]) -> Result<request::Request, Refusal> {
        let unpack = || {
            self.room.with_unpacker(|unpacker, arena| unpacker.unpack(body, head.is_gzip, arena))
        };
        let request = if body.len() <= SMALL_BYTES {
            unpack()?
        } else {
            let _turn = self.room.turn().await;
            tokio::task::block_in_place(unpack)?
        };
        let id = &request.request_id;
        // It stands in answers, logs and letters.
        let is_fine = match &head.request_id {
            Some(announced) => announced == id,
            None => head::is_name(id),
        };
        if is_fine { Ok(request) } else { Err(Refusal::RequestId) }
    }

    /// The records share the bytes of the request, which are charged until the pipeline has decoded them.
    fn batch(&self, head: &Head, request: request::Request) -> Result<(Batch, Taken), Refusal> {
        let checksum = request.checksum();
        let request::Request { request_id, arena, records } = request;
        let mut charge: Charge = self.room.charge();
        let held_bytes = arena.held_bytes() + records.len() * RECORD_BYTES;
        charge.grow(held_bytes).map_err(|Full| Refusal::Busy)?;
        let bytes = arena.as_ref().len() as u64;
        let taken = Taken { records: records.len() as u64, bytes, body_bytes: 0 };
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let extent = Extent::Request { id: request_id.into(), records: count, bytes, checksum };
        let id = BatchId { source: Arc::clone(&head.source), extent };
        let held = charge.hold(arena);
        let payloads = records.into_iter().map(|record| held.slice(record)).collect();
        Ok((Batch { id, content: Content::Payloads { first_record: 1, payloads } }, taken))
    }

    async fn apply(&self, batch: Batch) -> Result<(), Refusal> {
        let receipt = self.receipts.expect(&batch.id);
        tracing::debug!(batch = %batch.id, "received");
        let applied = async {
            self.inlet.send(Ok(batch)).await.map_err(|_closed| Refusal::Ending)?;
            receipt.await.map_err(|_abandoned| Refusal::Ending)
        };
        let late = Refusal::Late { seconds: ANSWER_MAX.as_secs() };
        timeout(ANSWER_MAX, applied).await.unwrap_or(Err(late))
    }

    fn tell(&self, request_id: &str, refusal: &Refusal, begun: Begun) {
        let (status, reason) = (refusal.status().as_u16(), refusal.label());
        begun.answered(status, reason);
        if self.told.is_due(reason) {
            tracing::warn!(request_id, status, reason, error = %refusal, "a request is refused");
        } else {
            tracing::debug!(request_id, status, reason, error = %refusal, "a request is refused");
        }
    }
}
