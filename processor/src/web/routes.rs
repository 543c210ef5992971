//! Paths, headers, and who may ask.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::status::Board;

/// Nothing but our own files, and nobody may frame us: text from the data cannot become code even if it became markup.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

pub(super) fn router(board: Arc<Board>) -> Router {
    let file = |kind: &'static str, text: &'static str| get(async move || content(kind, text));
    Router::new()
        .route("/", file(HTML, include_str!("page.html")))
        .route("/page.css", file(CSS, include_str!("page.css")))
        .route("/page.js", file(JAVASCRIPT, include_str!("page.js")))
        .route("/icon.svg", file(SVG, include_str!("icon.svg")))
        .route("/livez", file(TEXT, "ok\n"))
        .route("/api/v1/status", get(status))
        .fallback(async || (StatusCode::NOT_FOUND, content(TEXT, "not found\n")))
        .layer(middleware::from_fn(guard))
        .with_state(board)
}

async fn status(State(board): State<Arc<Board>>) -> Response {
    match serde_json::to_vec(&*board.newest()) {
        Ok(json) => content(JSON, json),
        Err(error) => {
            tracing::error!(%error, "the status cannot be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn content(kind: &'static str, body: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, kind)], body).into_response()
}

/// Refuses what was not meant for this machine; marks every response.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = if is_meant_for_us(request.headers()) {
        next.run(request).await
    } else {
        let reason = "this dashboard answers to loopback host names only\n";
        (StatusCode::FORBIDDEN, content(TEXT, reason)).into_response()
    };
    let headers: [(HeaderName, &'static str); 5] = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_meant_for_us(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    host.is_some_and(is_loopback) && hosts.next().is_none()
}

/// Whether a `Host` header names this machine from within: `localhost` or a loopback address, with or without a port
/// (RFC 9110, 7.2).
fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':').or(rest.is_empty().then_some("0"))),
        None => host.split_once(':').map_or((host, Some("0")), |(name, port)| (name, Some(port))),
    };
    let is_address = || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    port.is_some_and(is_port) && (name.eq_ignore_ascii_case("localhost") || is_address())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_ours() {
        for host in [
            "localhost",
            "LocalHost:8666",
            "127.0.0.1",
            "127.0.0.1:8666",
            "127.8.9.1:1",
            "[::1]",
            "[::1]:8666",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "example.com:8666",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1:8666",
            "0.0.0.0:8666",
            "[::]:8666",
            "::1",
            "[::1]evil",
            "[::1",
            "127.0.0.1:",
            "127.0.0.1:8666:1",
            "127.0.0.1:99999",
            "user@127.0.0.1",
            "127.0.0.1, example.com",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn two_host_headers_are_nobodys() {
        let mut headers = HeaderMap::new();
        assert!(!is_meant_for_us(&headers));
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(is_meant_for_us(&headers));
        headers.append(HOST, HeaderValue::from_static("localhost"));
        assert!(!is_meant_for_us(&headers));
    }
}
