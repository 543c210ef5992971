//! The body of a request, read into one buffer as it comes, for no longer and no more than it may.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame};
use tokio::time::timeout;

use super::refusal::Refusal;
use super::room::{Charge, Full};
use crate::decode::request::RequestError;

/// A body as it arrives.
#[derive(Debug)]
pub(super) struct Incoming<B> {
    body: B,
    is_whole: bool,
}

/// How long a body may take to arrive: the largest at 1 MB/s.
const BODY_MAX: Duration = Duration::from_secs(60);
/// What is read of a body that nobody wants, so that the client reads its answer in place of an error of the connection.
const UNWANTED_MAX: Duration = Duration::from_secs(10);
const UNWANTED_BYTES_MAX: usize = 64 << 20;

impl<B: Body<Data = Bytes> + Unpin> Incoming<B> {
    pub(super) fn new(body: B) -> Self {
        let is_whole = body.is_end_stream();
        Self { body, is_whole }
    }

    /// Whether nothing more comes, so that another request can follow.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// All of it, charged as it comes.
    pub(super) async fn read(
        &mut self,
        announced_bytes: Option<u64>,
        bytes_max: usize,
        charge: &mut Charge,
    ) -> Result<Vec<u8>, Refusal> {
        let too_large = || Refusal::Body(RequestError::TooLarge { bytes_max });
        let announced = usize::try_from(announced_bytes.unwrap_or_default()).ok();
        let announced = announced.filter(|bytes| *bytes <= bytes_max).ok_or_else(too_large)?;
        let all = async {
            // What is not touched costs nothing.
            let mut read = Vec::with_capacity(announced);
            while let Some(frame) = self.frame().await {
                let Ok(data) = frame?.into_data() else { continue };
                let length = read.len() + data.len();
                if length > bytes_max {
                    return Err(too_large());
                }
                charge.grow(length).map_err(|Full| Refusal::Busy)?;
                read.extend_from_slice(&data);
            }
            Ok(read)
        };
        let slow = Refusal::Slow { seconds: BODY_MAX.as_secs() };
        timeout(BODY_MAX, all).await.unwrap_or(Err(slow))
    }

    /// Reads on to the end, for a while.
    pub(super) async fn drain(&mut self) {
        let all = async {
            let mut drained_bytes = 0;
            while drained_bytes <= UNWANTED_BYTES_MAX
                && let Some(Ok(frame)) = self.frame().await
            {
                drained_bytes += frame.data_ref().map_or(0, Bytes::len);
            }
        };
        // Whoever sends for longer is not heard out.
        drop(timeout(UNWANTED_MAX, all).await);
    }

    async fn frame(&mut self) -> Option<Result<Frame<Bytes>, Refusal>> {
        if self.is_whole {
            return None;
        }
        let frame = self.body.frame().await;
        self.is_whole = frame.is_none();
        frame.map(|frame| frame.map_err(|_error| Refusal::BrokenOff))
    }
}
