//! The section `sources.kinesis` of the configuration.

use serde::{Deserialize, Serialize};

use super::buffer::ANSWER_BYTES_MAX;

/// Which streams to read, and how.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Names or ARNs of streams. Default none: Kinesis is not read.
    pub streams: Vec<String>,
    /// Which application this is: the name of its lease table, and of its consumer with fan-out. Tasks with the same name share the
    /// shards. Default `flowscout`.
    pub application: String,
    /// How shards are read. Default polling.
    pub mode: Mode,
    /// Where a stream without a lease is begun: `TRIM_HORIZON` (default), `LATEST`, or a time, RFC 3339, for `AT_TIMESTAMP`.
    pub initial_position: String,
    /// Records that arrive within so much time make one batch. Default 2 s. Lower it for earlier signals and more, smaller
    /// batches. From 0.1 to 60 s.
    pub bucket_ms: u64,
    /// The longest wait between two calls to a shard where nothing comes, with polling. Default 1 s; from 0.2 to 60 s.
    pub idle_ms_max: u64,
    /// With fan-out: a subscription that gave no event for so long is dead and made anew. Default 20 s: the service sends an event
    /// about every 5 s. From 6 s to 5 min.
    pub no_event_s_max: u64,
    /// Bytes of records that are read and not yet applied, over all shards, with room for answers on their way. Default 256 MiB, at
    /// least 32 MiB. Shards beyond one for each 32 MiB wait for each other's calls.
    pub buffer_bytes_max: usize,
    /// How often a checkpoint is written for each shard that advanced. Default 5 s; from 1 to 300 s. After a crash at most this is read
    /// again.
    pub checkpoint_s: u64,
    /// Whether user records that belong to another shard are dropped, with the aggregate around them, as the KCL does. Default
    /// false: only the KPL needs it, which puts such records again after resharding; from other producers it loses data.
    pub drops_foreign_hash_keys: bool,
    /// The address of the service, in place of the region's. Default empty. For test servers and VPC endpoints.
    pub endpoint_url: String,
    /// Where leases are kept.
    pub leases: Leases,
}

/// How shards are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// `GetRecords`: five calls a second and 2 MB/s a shard, shared with every other application that polls.
    #[default]
    Polling,
    /// `SubscribeToShard`: 2 MB/s a shard of our own, for a price.
    FanOut,
}

/// Where leases are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Leases {
    /// The store. Default `dynamodb`.
    pub store: Store,
    /// The DynamoDB table. Default empty: named as the application, which is how the KCL names it.
    pub table: String,
    /// Whether the table is created, with on-demand billing, if there is none. Default true. Set it to false where templates make it,
    /// and the role needs no dynamodb:CreateTable.
    pub creates_table: bool,
    /// The file of the store `local`. Default `flowscout.leases.json`.
    pub path: String,
    /// How long a lease lasts that is not renewed: a task that dies is replaced within twice that. Default 10 s, as in the KCL; from
    /// 2 s to 300 s. Raise it where tasks are stopped for longer than that, as by a debugger.
    pub duration_s: u64,
    /// How long a shard that another task asked for may take to be handed over, before it is taken. Default 30 s; from 1 to 300 s.
    pub handoff_s_max: u64,
    /// Leases that this task holds at the most. Default 1000. Each may hold a batch of 1 MiB that is not yet full.
    pub held_max: usize,
    /// The name of this task among the others. Default empty: host name and a random number, new at every start.
    pub worker_id: String,
    /// The address of DynamoDB, in place of the region's. Default empty.
    pub endpoint_url: String,
}

/// The kind of a lease store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// A table that tasks share, in the schema of the KCL.
    #[default]
    Dynamodb,
    /// A file of this machine, for one task.
    Local,
}

/// Where a stream without leases is begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InitialPosition {
    /// The oldest record.
    TrimHorizon,
    /// Behind the newest.
    Latest,
    /// The first that arrived then or later.
    AtTimestamp {
        /// Milliseconds of Unix time.
        unix_ms: u64,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            streams: Vec::new(),
            application: "flowscout".to_owned(),
            mode: Mode::default(),
            initial_position: "TRIM_HORIZON".to_owned(),
            bucket_ms: 2_000,
            idle_ms_max: 1_000,
            no_event_s_max: 20,
            buffer_bytes_max: 256 << 20,
            checkpoint_s: 5,
            drops_foreign_hash_keys: false,
            endpoint_url: String::new(),
            leases: Leases::default(),
        }
    }
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            store: Store::default(),
            table: String::new(),
            creates_table: true,
            path: "flowscout.leases.json".to_owned(),
            duration_s: 10,
            handoff_s_max: 30,
            held_max: 1_000,
            worker_id: String::new(),
            endpoint_url: String::new(),
        }
    }
}

impl Config {
    /// The initial position.
    ///
    /// # Errors
    /// When it is none of the three.
    pub fn initial_position(&self) -> Result<InitialPosition, String> {
        match self.initial_position.as_str() {
            "TRIM_HORIZON" => return Ok(InitialPosition::TrimHorizon),
            "LATEST" => return Ok(InitialPosition::Latest),
            _ => {}
        }
        let time = humantime::parse_rfc3339(&self.initial_position).ok();
        let since = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let unix_ms = since.and_then(|since| u64::try_from(since.as_millis()).ok());
        unix_ms.map(|unix_ms| InitialPosition::AtTimestamp { unix_ms }).ok_or_else(|| {
            "must be TRIM_HORIZON, LATEST, or a time such as 2026-01-01T00:00:00Z".to_owned()
        })
    }

    /// The lease table's name.
    #[must_use]
    pub fn table(&self) -> &str {
        if self.leases.table.is_empty() { &self.application } else { &self.leases.table }
    }

    /// The first value that makes no sense, by its key below `sources.kinesis`.
    ///
    /// # Errors
    /// The key, and what is wrong.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.initial_position().map_err(|problem| ("initial_position", problem))?;
        let within = |key, value: u64, least: u64, most: u64| {
            let problem = format!("must lie between {least} and {most}");
            if (least..=most).contains(&value) { Ok(()) } else { Err((key, problem)) }
        };
        within("bucket_ms", self.bucket_ms, 100, 60_000)?;
        within("idle_ms_max", self.idle_ms_max, 200, 60_000)?;
        within("no_event_s_max", self.no_event_s_max, 6, 300)?;
        within("checkpoint_s", self.checkpoint_s, 1, 300)?;
        within("leases.duration_s", self.leases.duration_s, 2, 300)?;
        within("leases.handoff_s_max", self.leases.handoff_s_max, 1, 300)?;
        within("leases.held_max", self.leases.held_max as u64, 1, 10_000)?;
        let (least, most) = (ANSWER_BYTES_MAX as u64, 1 << 40);
        within("buffer_bytes_max", self.buffer_bytes_max as u64, least, most)?;
        self.check_names()
    }

    /// Bytes that reading may hold at the most, before batches are handed to the workers.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        if self.streams.is_empty() {
            return 0;
        }
        self.buffer_bytes_max + self.leases.held_max * super::BATCH_BYTES_MAX
    }

    fn check_names(&self) -> Result<(), (&'static str, String)> {
        let is_name = |name: &str, most: usize| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            (1..=most).contains(&name.len()) && name.bytes().all(is_letter)
        };
        for stream in &self.streams {
            let name = stream_name(stream);
            let is_arn = name.len() == stream.len() || stream.starts_with("arn:");
            if !is_name(name, 128) || !is_arn {
                let problem = format!("{stream:?} is neither the name nor the ARN of a stream");
                return Err(("streams", problem));
            }
        }
        let mut names: Vec<&str> = self.streams.iter().map(|stream| stream_name(stream)).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let problem =
                format!("two streams have the name {:?}: read them by two tasks", pair[0]);
            return Err(("streams", problem));
        }
        for (key, url) in [
            ("endpoint_url", &self.endpoint_url),
            ("leases.endpoint_url", &self.leases.endpoint_url),
        ] {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
            if !url.is_empty() && !has_host {
                return Err((key, format!("{url:?} is no address such as https://host:port")));
            }
        }
        let letters = "letters, digits, underscores, dots and hyphens";
        if !is_name(&self.application, 128) {
            return Err(("application", format!("must have 1 to 128 {letters}")));
        }
        // Amazon DynamoDB Developer Guide, "Naming rules".
        if self.leases.store == Store::Dynamodb
            && !(is_name(self.table(), 255) && self.table().len() >= 3)
        {
            return Err(("leases.table", format!("must have 3 to 255 {letters}")));
        }
        if self.leases.store == Store::Local && self.leases.path.is_empty() {
            return Err(("leases.path", "must name a file".to_owned()));
        }
        Ok(())
    }
}

/// Of a name or an ARN.
fn stream_name(stream: &str) -> &str {
    stream.rsplit_once(":stream/").map_or(stream, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut Config)) -> (&'static str, String) {
        let mut config = Config::default();
        change(&mut config);
        config.check().unwrap_err()
    }

    #[test]
    fn mistakes_are_named_by_key() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(
            problem(|config| config.initial_position = "OLDEST".into()).0,
            "initial_position"
        );
        assert_eq!(problem(|config| config.buffer_bytes_max = 1 << 20).0, "buffer_bytes_max");
        assert_eq!(problem(|config| config.streams = vec!["a b".into()]).0, "streams");
        assert_eq!(problem(|config| config.streams = vec!["x:stream/a".into()]).0, "streams");
        assert_eq!(problem(|config| config.streams = vec!["a".into(), "a".into()]).0, "streams");
        let twice = ["arn:aws:kinesis:us-east-1:111111111111:stream/a", "a"];
        assert_eq!(problem(|config| config.streams = twice.map(Into::into).into()).0, "streams");
        assert_eq!(problem(|config| config.leases.table = "ab".into()).0, "leases.table");
    }

    #[test]
    fn a_time_is_an_initial_position() {
        let config =
            Config { initial_position: "2026-01-01T00:00:00.250Z".into(), ..Config::default() };
        let expected = InitialPosition::AtTimestamp { unix_ms: 1_767_225_600_250 };
        assert_eq!(config.initial_position(), Ok(expected));
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn streams_are_named_or_given_by_arn() {
        let arn = "arn:aws-us-gov:kinesis:us-gov-west-1:123456789012:stream/vpc-flow_logs.1";
        let config = Config { streams: vec![arn.into(), "other".into()], ..Config::default() };
        assert_eq!(config.check(), Ok(()));
    }
}
