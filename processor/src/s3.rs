//! How buckets of S3 are written, and what S3's refusals mean in words. It talks to nobody.
//!
//! Nothing here repeats a URL or the body of an answer: the address of a task's credentials is as good as the credentials, and
//! an answer about an expired token has the token. Of S3's errors, code and message are told.

mod address;
mod refusal;

pub use address::{Address, AddressError, Prefix, is_bucket, is_region};
pub use refusal::{Answer, CredentialsError, Refusal, innermost};
