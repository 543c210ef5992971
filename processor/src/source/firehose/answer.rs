//! Answers as Firehose takes them: `application/json`, not compressed, with a length, and nothing in them but `requestId`,
//! `timestamp` as a number, and perhaps `errorMessage`. Anything else it counts as a failure, whatever the status.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::refusal::Refusal;

pub(super) type Answer = Response<Full<Bytes>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    request_id: &'a str,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// Firehose takes no longer message.
const MESSAGE_CHARACTERS_MAX: usize = 8_192;

/// The answer to a request that was applied, or was before.
pub(super) fn applied(request_id: &str, unix_ms: u64) -> Answer {
    of(StatusCode::OK, &Body { request_id, timestamp: unix_ms, error_message: None })
}

/// The answer to one that was not.
pub(super) fn refused(request_id: &str, unix_ms: u64, refusal: &Refusal) -> Answer {
    let message = refusal.to_string().chars().take(MESSAGE_CHARACTERS_MAX).collect();
    let body = Body { request_id, timestamp: unix_ms, error_message: Some(message) };
    of(refusal.status(), &body)
}

/// What a load balancer asks for.
pub(super) fn alive() -> Answer {
    Response::new(Full::from(Bytes::from_static(b"ok\n")))
}

fn of(status: StatusCode, body: &Body<'_>) -> Answer {
    // Text and a number become JSON whatever they are.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(Full::from(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;
    use crate::decode::request::RequestError;

    async fn body(answer: Answer) -> Value {
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn an_answer_has_the_fields_that_firehose_knows_and_no_other() {
        let applied = applied("id-1", 1_578_090_903_599);
        assert_eq!(applied.status(), StatusCode::OK);
        assert_eq!(
            body(applied).await,
            json!({"requestId": "id-1", "timestamp": 1_578_090_903_599_u64})
        );
        let refused = refused("id-1", 7, &Refusal::AccessKey);
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        let message = "the access key is missing or wrong";
        assert_eq!(
            body(refused).await,
            json!({"requestId": "id-1", "timestamp": 7, "errorMessage": message})
        );
    }

    #[tokio::test]
    async fn a_long_message_is_cut_to_what_firehose_takes() {
        let refusal = Refusal::Body(RequestError::BadJson("\u{e9}".repeat(10_000)));
        let body = body(refused("", 7, &refusal)).await;
        assert_eq!(body["errorMessage"].as_str().unwrap().chars().count(), MESSAGE_CHARACTERS_MAX);
    }
}
