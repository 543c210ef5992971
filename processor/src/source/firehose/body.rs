//! The body of a request, read into one buffer as it comes, for no longer and no more than it may.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use tokio::time::timeout;

use super::refusal::Refusal;
use super::room::{Charge, Full};
use crate::decode::request::RequestError;

/// How long a body may take to arrive: the largest at 1 MB/s.
pub(super) const BODY_MAX: Duration = Duration::from_secs(60);
/// What is read of a body that nobody wants, so that the client reads its answer in place of an error of the connection.
const UNWANTED_MAX: Duration = Duration::from_secs(10);
const UNWANTED_BYTES_MAX: usize = 64 << 20;

/// All of `body`, charged as it comes.
pub(super) async fn read<B>(
    body: &mut B,
    announced_bytes: Option<u64>,
    bytes_max: usize,
    charge: &mut Charge,
) -> Result<Vec<u8>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let too_large = || Refusal::Body(RequestError::TooLarge { bytes_max });
    let announced = usize::try_from(announced_bytes.unwrap_or_default()).ok();
    let announced = announced.filter(|bytes| *bytes <= bytes_max).ok_or_else(too_large)?;
    let all = async {
        // What is not touched costs nothing.
        let mut read = Vec::with_capacity(announced);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_error| Refusal::BrokenOff)?;
            let Ok(data) = frame.into_data() else { continue };
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

/// Reads on to the end, for a while. Whether it came.
pub(super) async fn drain<B>(body: &mut B) -> bool
where
    B: Body<Data = Bytes> + Unpin,
{
    let all = async {
        let mut drained_bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained_bytes += frame.data_ref().map_or(0, Bytes::len);
            if drained_bytes > UNWANTED_BYTES_MAX {
                return false;
            }
        }
        body.is_end_stream()
    };
    timeout(UNWANTED_MAX, all).await.unwrap_or(false)
}
