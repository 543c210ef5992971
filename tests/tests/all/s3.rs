//! Objects of S3: what is promised in docs/s3.md.

mod queue;
mod replay;
