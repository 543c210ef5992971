//! HTTP/1.1 around the operations: `awsJson1.1`, whose target is a header.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::account::Account;
use super::calls::Call;
use super::faults::{Fault, Operation};
use super::operations::{Answer, Content, run, shard_of};
use super::refusal::Refusal;

/// What is pushed to a client.
#[derive(Debug)]
pub(super) enum Piece {
    Frame(Bytes),
    /// The connection is closed in the middle.
    Cut,
}

/// The body of an answer.
enum AnswerBody {
    Whole(Option<Bytes>),
    Pushed(mpsc::Receiver<Piece>),
}

/// Answers whoever connects.
pub(super) async fn serve(listener: TcpListener, account: Arc<Account>) {
    loop {
        // One that could not be accepted is gone; there is nobody to tell.
        if let Ok((connection, _address)) = listener.accept().await {
            tokio::spawn(answer_all(connection, Arc::clone(&account)));
        }
    }
}

async fn answer_all(connection: TcpStream, account: Arc<Account>) {
    // Small answers must not wait for the client to acknowledge the ones before.
    drop(connection.set_nodelay(true));
    let service = service_fn(move |request| answer(Arc::clone(&account), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(connection), service)
        .await;
    // Clients go away, and faults cut connections.
    drop(served);
}

/// An error closes the connection.
async fn answer(
    account: Arc<Account>,
    request: Request<Incoming>,
) -> io::Result<Response<AnswerBody>> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let Some(operation) = target.and_then(Operation::of_target) else {
        return Ok(refuse(&Refusal::new("UnknownOperationException", "")));
    };
    let at = account.started.elapsed();
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let shard = shard_of(operation, &body);
    let fault = account.faults().take(operation, shard.as_deref());
    let mut call = Call { operation, shard, at, error: None, records: 0, bytes: 0 };
    let outcome = match &fault {
        Some(Fault::Error(code, message)) => Err(Refusal::new(*code, message)),
        Some(fault @ (Fault::Status(_) | Fault::Hang | Fault::Cut)) => {
            call.error = Some(format!("{fault:?}"));
            account.calls().add(call);
            return no_answer(fault).await;
        }
        _ => run(&account, operation, &body, fault.as_ref()),
    };
    match &outcome {
        Ok(answer) => {
            call.shard = call.shard.or_else(|| answer.shard.clone());
            (call.records, call.bytes) = (answer.records, answer.bytes);
        }
        Err(refusal) => call.error = Some(refusal.code.to_string()),
    }
    account.calls().add(call);
    match fault {
        Some(Fault::Late(time)) => sleep(time).await,
        Some(Fault::CutAnswer) => return Err(cut()),
        _ => {}
    }
    Ok(outcome.map_or_else(|refusal| refuse(&refusal), respond))
}

async fn no_answer(fault: &Fault) -> io::Result<Response<AnswerBody>> {
    match fault {
        Fault::Status(status) => {
            Ok(Response::builder().status(*status).body(AnswerBody::Whole(None)).unwrap())
        }
        Fault::Hang => pending().await,
        _ => Err(cut()),
    }
}

fn respond(answer: Answer) -> Response<AnswerBody> {
    match answer.content {
        Content::Whole(json) => response(200, AnswerBody::Whole(Some(json)), JSON),
        Content::Events(events) => response(200, AnswerBody::Pushed(events), EVENTS),
    }
}

fn refuse(refusal: &Refusal) -> Response<AnswerBody> {
    response(refusal.status(), AnswerBody::Whole(Some(refusal.json())), JSON)
}

const JSON: &str = "application/x-amz-json-1.1";
const EVENTS: &str = "application/vnd.amazon.eventstream";

fn response(status: u16, body: AnswerBody, content_type: &str) -> Response<AnswerBody> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("x-amzn-requestid", "00000000-0000-0000-0000-000000000000")
        .body(body)
        .unwrap()
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "on purpose")
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.get_mut() {
            Self::Whole(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Self::Pushed(events) => ready!(events.poll_recv(context)).map(|piece| match piece {
                Piece::Frame(bytes) => Ok(Frame::data(bytes)),
                Piece::Cut => Err(cut()),
            }),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            Self::Pushed(_) => hyper::body::SizeHint::default(),
        }
    }
}
