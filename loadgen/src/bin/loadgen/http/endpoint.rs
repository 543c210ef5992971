//! One endpoint: what goes to it, and what an answer, or none, means.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use loadgen::delivery::{
    ANSWER_BYTES_MAX, AccessKey, Answer, Attributes, ErrorCode, Failure, Outcome, is_stream_arn,
    judge, stream_name,
};
use loadgen::payload::gzip;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use reqwest::{Certificate, Client, Response, Url, redirect};

use super::HttpOptions;
use crate::{misuse, tell};

/// Where requests go.
pub(super) struct Endpoint {
    client: Client,
    url: Url,
    /// Those that are the same in every request.
    headers: HeaderMap,
    stream: String,
    is_gzip: bool,
    /// Whether a failure was told.
    noted: AtomicBool,
}

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("x-amz-firehose-protocol-version");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-firehose-request-id");
const SOURCE_ARN: HeaderName = HeaderName::from_static("x-amz-firehose-source-arn");
const ACCESS_KEY: HeaderName = HeaderName::from_static("x-amz-firehose-access-key");
const COMMON_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amz-firehose-common-attributes");
const ACCESS_KEY_VARIABLE: &str = "FLOWSCOUT_FIREHOSE_ACCESS_KEY";
const STREAM: &str = "arn:aws:firehose:us-east-1:123456789012:deliverystream/flow-logs";
/// An endpoint has so much time for its answer (facts/firehose.md, 2).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const URL_CHARACTERS_MAX: usize = 1_000;

/// The URL of the target.
///
/// # Errors
/// A misuse that says what an endpoint's URL is like.
pub(crate) fn check_url(target: &str) -> anyhow::Result<Url> {
    let url = Url::parse(target).map_err(|error| misuse(format!("target `{target}`: {error}")))?;
    if url.as_str().len() > URL_CHARACTERS_MAX {
        return Err(misuse("the URL of an endpoint has at most 1000 characters"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(misuse("the URL of an endpoint has no user: --access-key-file is for secrets"));
    }
    Ok(url)
}

impl Endpoint {
    /// # Errors
    /// A misuse when a header cannot be as it was asked for, an error when a file cannot be read.
    pub(super) fn new(url: &str, options: &HttpOptions) -> anyhow::Result<Self> {
        let url = check_url(url)?;
        let arn = options.source_arn.as_deref().unwrap_or(STREAM);
        if !is_stream_arn(arn) {
            return Err(misuse(format!("--source-arn: `{arn}` is no ARN of a delivery stream")));
        }
        let headers = headers(arn, options)?;
        let client = client(&url, options)?;
        let stream = stream_name(arn).to_owned();
        Ok(Self {
            client,
            url,
            headers,
            stream,
            is_gzip: options.gzip,
            noted: AtomicBool::new(false),
        })
    }

    /// The name of the delivery stream.
    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// The body as it is sent.
    pub(super) fn encode(&self, body: &Bytes) -> Bytes {
        if self.is_gzip { gzip(body).into() } else { body.clone() }
    }

    /// Says why something is sent again, the first time: that may go on for hours.
    pub(super) fn note(&self, failure: &Failure) {
        if !self.noted.swap(true, Ordering::Relaxed) {
            tell(&format!("note: {failure}; it is sent again"));
        }
    }

    /// Sends a request once.
    pub(super) async fn post(&self, id: &str, body: Bytes) -> Outcome {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        let response = request.header(REQUEST_ID, id).body(body).send().await;
        let judged = match response {
            Ok(response) => read(response, id).await,
            Err(error) => Err(error),
        };
        judged.unwrap_or_else(|error| Outcome::Failed(unanswered(&error)))
    }
}

fn headers(arn: &str, options: &HttpOptions) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(PROTOCOL_VERSION, HeaderValue::from_static("1.0"));
    headers.insert(SOURCE_ARN, HeaderValue::from_str(arn).map_err(misuse)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if options.gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(key) = access_key(options.access_key_file.as_deref())? {
        let mut value = HeaderValue::from_str(key.expose()).map_err(misuse)?;
        value.set_sensitive(true);
        headers.insert(ACCESS_KEY, value);
    }
    let attributes = Attributes::parse(&options.common_attributes).map_err(misuse)?;
    if let Some(attributes) = attributes.header() {
        let value = HeaderValue::from_bytes(attributes.as_bytes()).map_err(misuse)?;
        headers.insert(COMMON_ATTRIBUTES, value);
    }
    Ok(headers)
}

fn access_key(file: Option<&Path>) -> anyhow::Result<Option<AccessKey>> {
    let (text, from) = match (file, std::env::var(ACCESS_KEY_VARIABLE)) {
        (Some(file), _) => {
            let shown = file.display().to_string();
            let text = std::fs::read_to_string(file);
            (text.with_context(|| format!("cannot read {shown}"))?, shown)
        }
        (None, Ok(text)) => (text, ACCESS_KEY_VARIABLE.to_owned()),
        (None, Err(std::env::VarError::NotPresent)) => return Ok(None),
        (None, Err(error @ std::env::VarError::NotUnicode(_))) => return Err(misuse(error)),
    };
    AccessKey::parse(&text).map(Some).map_err(|error| misuse(format!("{from}: {error}")))
}

/// A client that goes straight to the endpoint: over no proxy, to no other place.
fn client(url: &Url, options: &HttpOptions) -> anyhow::Result<Client> {
    // Whoever comes second is told that one is there, which is what is meant.
    drop(rustls::crypto::ring::default_provider().install_default());
    let answer_timeout = options.answer_ms.map_or(ANSWER_TIMEOUT, Duration::from_millis);
    let builder = Client::builder()
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(answer_timeout)
        .user_agent("Amazon Kinesis Data Firehose Agent/1.0");
    let builder = match &options.ca_file {
        Some(file) => builder.tls_certs_only(certificates(file)?),
        // Without TLS there need be no trusted certificates on the machine.
        None if url.scheme() == "http" => builder.tls_certs_only([]),
        None => builder,
    };
    builder.build().map_err(|error| {
        anyhow::anyhow!(
            "no HTTP client: {}",
            causes(&error).last().map_or_else(String::new, ToString::to_string)
        )
    })
}

fn certificates(file: &Path) -> anyhow::Result<Vec<Certificate>> {
    let shown = file.display();
    let pem = std::fs::read(file).with_context(|| format!("cannot read {shown}"))?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(misuse(format!("--ca-file: there is no certificate in {shown}")));
    }
    Ok(certificates)
}

async fn read(mut response: Response, id: &str) -> Result<Outcome, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() <= ANSWER_BYTES_MAX
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    let header = |name: HeaderName| {
        let value = response.headers().get(name);
        value.map(|value| value.to_str().unwrap_or("not ASCII"))
    };
    let answer = Answer {
        status: response.status().as_u16(),
        content_type: header(CONTENT_TYPE),
        content_encoding: header(CONTENT_ENCODING),
        has_content_length: response.headers().contains_key(CONTENT_LENGTH),
        body: &body,
    };
    Ok(judge(&answer, id))
}

fn unanswered(error: &reqwest::Error) -> Failure {
    let code = if error.is_connect() && causes(error).any(is_of_tls) {
        ErrorCode::SslHandshakeFailure
    } else if error.is_connect() {
        ErrorCode::ConnectionFailed
    } else if error.is_timeout() {
        ErrorCode::RequestTimeout
    } else {
        ErrorCode::ConnectionReset
    };
    let message = causes(error).last().map_or_else(String::new, ToString::to_string);
    Failure { code, message }
}

/// True for what rustls says of a handshake, and for a connection that ends in the midst of one: none
/// that is only being made does.
fn is_of_tls(cause: &(dyn Error + 'static)) -> bool {
    let Some(io) = cause.downcast_ref::<io::Error>() else { return cause.is::<rustls::Error>() };
    let ended = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset].contains(&io.kind());
    // The source of such an error is that of the one in it.
    ended || io.get_ref().is_some_and(|inner| is_of_tls(inner))
}

/// The error and what caused it; the last says most.
fn causes<'e>(error: &'e reqwest::Error) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let first: &'e (dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}
