//! New objects through a queue of SQS: what is promised in docs/s3.md, "From a queue".

mod delivery;
mod failures;
mod fixture;
mod permissions;
mod restarts;
mod visibility;
