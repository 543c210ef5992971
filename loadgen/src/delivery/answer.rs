//! What an endpoint's answer means to Firehose (facts/firehose.md, 3).

use std::fmt::{self, Display, Formatter};

use serde_json::{Map, Value};

/// What came back, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status of HTTP.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// Whether there was a `Content-Length`.
    pub has_content_length: bool,
    /// The body; of one that is longer than [`ANSWER_BYTES_MAX`], more than so many bytes.
    pub body: &'a [u8],
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is delivered.
    Delivered,
    /// It is dropped for good: neither sent again nor kept in the backup bucket.
    Dropped(Failure),
    /// It may be sent again.
    Failed(Failure),
}

/// Why a request was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub code: ErrorCode,
    /// In words.
    pub message: String,
}

/// The error codes of Firehose, each of which it writes with `HttpEndpoint.` before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// Another status than 200.
    DestinationException,
    /// A status of 200 with an answer that breaks the rules.
    InvalidResponseFromDestination,
    /// No answer in time.
    RequestTimeout,
    /// The answer is too long.
    ResponseTooLarge,
    /// There is no connection.
    ConnectionFailed,
    /// The connection broke.
    ConnectionReset,
    /// TLS did not come about.
    SslHandshakeFailure,
}

/// What the body of an answer may have.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The one status that loses data.
const TOO_LARGE: u16 = 413;
const ERROR_MESSAGE_CHARACTERS_MAX: usize = 8_192;
/// Of what an endpoint said that is no answer, so much is repeated.
const SHOWN_CHARACTERS_MAX: usize = 300;

/// Judges an answer to the request of this identifier.
#[must_use]
pub fn judge(answer: &Answer<'_>, request_id: &str) -> Outcome {
    let said = well_formed(answer, request_id);
    match (answer.status, said) {
        (200, Ok(_)) => Outcome::Delivered,
        (200, Err(failure)) => Outcome::Failed(failure),
        (status, said) => {
            let words = said.unwrap_or_else(|_| Some(shown(answer.body)));
            let words = words.filter(|words| !words.is_empty());
            let words = words.map_or_else(String::new, |words| format!(": {words}"));
            let message = format!("the endpoint answered {status}{words}");
            let failure = Failure { code: ErrorCode::DestinationException, message };
            if status == TOO_LARGE { Outcome::Dropped(failure) } else { Outcome::Failed(failure) }
        }
    }
}

/// The error message of an answer that keeps the rules.
fn well_formed(answer: &Answer<'_>, request_id: &str) -> Result<Option<String>, Failure> {
    let invalid =
        |message: String| Err(Failure { code: ErrorCode::InvalidResponseFromDestination, message });
    if answer.body.len() > ANSWER_BYTES_MAX {
        let message = "the answer has more than 1 MiB".to_owned();
        return Err(Failure { code: ErrorCode::ResponseTooLarge, message });
    }
    if !answer.content_type.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        let kind = answer.content_type.unwrap_or("absent");
        return invalid(format!("Content-Type is {kind}, not application/json"));
    }
    if answer.content_encoding.is_some() {
        return invalid("there is a Content-Encoding".to_owned());
    }
    if !answer.has_content_length {
        return invalid("there is no Content-Length".to_owned());
    }
    match serde_json::from_slice(answer.body) {
        Ok(Value::Object(fields)) => error_message(&fields, request_id).or_else(invalid),
        _ => invalid(format!("the body is no JSON object: {}", shown(answer.body))),
    }
}

fn error_message(fields: &Map<String, Value>, request_id: &str) -> Result<Option<String>, String> {
    let known = ["requestId", "timestamp", "errorMessage"];
    if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("there is a field {}", shown(name.as_bytes())));
    }
    match fields.get("requestId") {
        Some(Value::String(id)) if id == request_id => {}
        Some(Value::String(_)) => return Err("requestId is of another request".to_owned()),
        Some(_) => return Err("requestId is no string".to_owned()),
        None => return Err("there is no requestId".to_owned()),
    }
    match fields.get("timestamp") {
        Some(Value::Number(_)) => {}
        Some(_) => return Err("timestamp is no number".to_owned()),
        None => return Err("there is no timestamp".to_owned()),
    }
    match fields.get("errorMessage") {
        None => Ok(None),
        Some(Value::String(message)) if message.chars().count() > ERROR_MESSAGE_CHARACTERS_MAX => {
            Err("errorMessage has more than 8192 characters".to_owned())
        }
        Some(Value::String(message)) => Ok(Some(shown(message.as_bytes()))),
        Some(_) => Err("errorMessage is no string".to_owned()),
    }
}

/// The start of a text, on one line.
fn shown(text: &[u8]) -> String {
    let start = &text[..text.len().min(SHOWN_CHARACTERS_MAX * 4)];
    let text = String::from_utf8_lossy(start);
    let line = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().map(line).take(SHOWN_CHARACTERS_MAX).collect()
}

impl Display for ErrorCode {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::DestinationException => "HttpEndpoint.DestinationException",
            Self::InvalidResponseFromDestination => "HttpEndpoint.InvalidResponseFromDestination",
            Self::RequestTimeout => "HttpEndpoint.RequestTimeout",
            Self::ResponseTooLarge => "HttpEndpoint.ResponseTooLarge",
            Self::ConnectionFailed => "HttpEndpoint.ConnectionFailed",
            Self::ConnectionReset => "HttpEndpoint.ConnectionReset",
            Self::SslHandshakeFailure => "HttpEndpoint.SSLHandshakeFailure",
        })
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"requestId":"id","timestamp":1578090903599}"#;

    fn answer(status: u16, body: &str) -> Answer<'_> {
        Answer {
            status,
            content_type: Some("application/json"),
            content_encoding: None,
            has_content_length: true,
            body: body.as_bytes(),
        }
    }

    fn refused(answer: &Answer<'_>) -> String {
        match judge(answer, "id") {
            Outcome::Failed(failure) => failure.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_200_with_a_right_answer_is_delivered() {
        assert_eq!(judge(&answer(200, GOOD), "id"), Outcome::Delivered);
        let with_message = r#"{"timestamp":0,"requestId":"id","errorMessage":"fine"}"#;
        assert_eq!(judge(&answer(200, with_message), "id"), Outcome::Delivered);
        for status in [201, 202, 204, 301, 308, 400, 401, 403, 404, 429, 500, 503] {
            let expected =
                format!("HttpEndpoint.DestinationException: the endpoint answered {status}");
            assert_eq!(refused(&answer(status, GOOD)), expected);
        }
    }

    #[test]
    fn what_the_endpoint_says_of_a_failure_is_told() {
        let body = r#"{"requestId":"id","timestamp":1,"errorMessage":"too\nbusy"}"#;
        assert!(refused(&answer(503, body)).ends_with("answered 503: too busy"));
        assert!(refused(&answer(502, "<html>Bad Gateway")).ends_with("502: <html>Bad Gateway"));
        assert!(refused(&answer(500, "")).ends_with("answered 500"));
        assert!(refused(&answer(500, &"é".repeat(9_000))).chars().count() < 400);
    }

    #[test]
    fn an_answer_of_413_loses_the_request_whatever_it_says() {
        for body in [GOOD, "", "no JSON"] {
            assert!(matches!(judge(&answer(413, body), "id"), Outcome::Dropped(_)));
        }
    }

    #[test]
    fn each_rule_that_an_answer_of_200_breaks_is_named() {
        let long =
            format!(r#"{{"requestId":"id","timestamp":1,"errorMessage":"{}"}}"#, "é".repeat(8_193));
        let bodies = [
            ("", "the body is no JSON object: "),
            ("[]", "the body is no JSON object: []"),
            (r#"{"requestId":"id","timestamp":1"#, "no JSON object"),
            (r#"{"timestamp":1}"#, "there is no requestId"),
            (r#"{"requestId":7,"timestamp":1}"#, "requestId is no string"),
            (r#"{"requestId":"ID","timestamp":1}"#, "requestId is of another request"),
            (r#"{"requestId":"id"}"#, "there is no timestamp"),
            (r#"{"requestId":"id","timestamp":"1578090903599"}"#, "timestamp is no number"),
            (r#"{"requestId":"id","timestamp":1,"success":true}"#, "there is a field success"),
            (
                r#"{"requestId":"id","timestamp":1,"errorMessage":null}"#,
                "errorMessage is no string",
            ),
            (&long, "errorMessage has more than 8192 characters"),
        ];
        for (body, said) in bodies {
            let told = refused(&answer(200, body));
            assert!(told.starts_with("HttpEndpoint.InvalidResponseFromDestination: "), "{told}");
            assert!(told.contains(said), "{told}");
        }
        let good = answer(200, GOOD);
        let heads = [
            (Answer { content_type: None, ..good }, "Content-Type is absent"),
            (Answer { content_type: Some("text/plain"), ..good }, "Content-Type is text/plain"),
            (
                Answer { content_type: Some("application/json; charset=utf-8"), ..good },
                "Content-Type is application/json; charset=utf-8",
            ),
            (Answer { content_encoding: Some("gzip"), ..good }, "there is a Content-Encoding"),
            (Answer { has_content_length: false, ..good }, "there is no Content-Length"),
        ];
        for (answer, said) in heads {
            assert!(refused(&answer).contains(said));
        }
    }

    #[test]
    fn an_answer_of_more_than_a_mebibyte_is_too_large() {
        let padded = |bytes: usize| format!("{GOOD}{}", " ".repeat(bytes - GOOD.len()));
        assert_eq!(judge(&answer(200, &padded(ANSWER_BYTES_MAX)), "id"), Outcome::Delivered);
        let told = refused(&answer(200, &padded(ANSWER_BYTES_MAX + 1)));
        assert!(told.starts_with("HttpEndpoint.ResponseTooLarge"), "{told}");
    }
}
