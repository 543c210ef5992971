//! The endpoint of Firehose, on the wire: what facts of AWS's specification say of requests and answers, one by one, and what
//! becomes of what is delivered.

mod cloudwatch;
mod delivery;
mod endpoint;
mod limits;
mod request;
mod response;
mod tls;
