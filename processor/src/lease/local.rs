//! A lease table in a file, for one process: the same rules without a server.
//!
//! The file is replaced as a whole, so that it is always one that was written to its end. Renewals stay in memory: they
//! tell other workers that this one lives, and there are no others; the lock sees to that.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::memory::Memory;
use super::schema::{self, Attribute};
use super::store::LEASES_MAX;
use super::{Lease, LeaseKey, Store, StoreError, Write, Written};

/// Leases in a JSON file that this process alone has.
#[derive(Debug)]
pub struct Local {
    path: PathBuf,
    leases: Memory,
    /// One write at a time; holds the lock of the whole file as long as it lives.
    lock: Mutex<File>,
}

impl Local {
    /// Opens the file, which is made at the first write. Beside it lies its lock.
    ///
    /// # Errors
    /// Another process has it, it cannot be read, or it is no table of leases.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let leases = match fs::read(path) {
            Ok(bytes) => read(path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(path, &error)),
        };
        Ok(Self { path: path.to_owned(), leases: Memory::new(leases), lock: Mutex::new(lock) })
    }

    fn save(&self, leases: &[Lease]) -> io::Result<()> {
        let leases: Vec<Value> = leases.iter().map(to_json).collect();
        let new = with_suffix(&self.path, ".new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&leases)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // The new name has to last too.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Store for Local {
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn scan(&self) -> Result<Vec<Lease>, StoreError> {
        Ok(self.leases.all())
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        Ok(self.leases.find(key))
    }

    async fn write(&self, write: &Write) -> Result<Written, StoreError> {
        let _one_at_a_time = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.leases.find(write.key());
        let written = self.leases.apply(write);
        let is_kept = !matches!(write, Write::Renew { .. });
        if is_kept && matches!(written, Written::Done { .. }) {
            let leases = self.leases.all();
            let saved = match leases.len() > LEASES_MAX {
                true => Err(io::Error::other(format!("more than {LEASES_MAX} leases"))),
                false => self.save(&leases),
            };
            if let Err(error) = saved {
                // What is not in the file has not happened.
                self.leases.put(write.key(), before);
                return Err(failed(&self.path, &error));
            }
        }
        Ok(written)
    }
}

/// The lock is a file of its own, since the other one is replaced.
fn lock(path: &Path) -> Result<File, StoreError> {
    let path = with_suffix(path, ".lock");
    let file = File::create(&path).map_err(|error| failed(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Unusable(format!(
            "{} is locked: another process reads these streams; give each its own file, or share a table of DynamoDB",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed(&path, &error)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable(format!("{}: {error}", path.display()))
}

fn read(path: &Path, bytes: &[u8]) -> Result<Vec<Lease>, StoreError> {
    let broken = |why: String| StoreError::Unusable(format!("{}: {why}", path.display()));
    let items: Vec<BTreeMap<String, Value>> =
        serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
    let lease = |item: &BTreeMap<String, Value>| {
        let read = schema::from_attributes(|name| item.get(name).map(from_json));
        read.map_err(|error| broken(error.to_string()))
    };
    items.iter().filter_map(|item| lease(item).transpose()).collect()
}

fn to_json(lease: &Lease) -> Value {
    let value = |attribute: Attribute| match attribute {
        Attribute::Text(text) => Value::String(text),
        Attribute::Number(number) => match number.parse::<u64>() {
            Ok(whole) => whole.into(),
            Err(_) => number.parse::<f64>().map_or(Value::Null, Value::from),
        },
        Attribute::Texts(texts) => texts.into(),
        Attribute::Bytes(bytes) => Value::from(bytes)
            .as_array()
            .map_or(Value::Null, |bytes| serde_json::json!({ "bytes": bytes })),
    };
    let attributes = schema::to_attributes(lease).into_iter();
    attributes.map(|(name, attribute)| (name.to_owned(), value(attribute))).collect()
}

fn from_json(value: &Value) -> Attribute {
    match value {
        Value::String(text) => Attribute::Text(text.clone()),
        Value::Number(number) => Attribute::Number(number.to_string()),
        Value::Array(texts) => {
            let text = |text: &Value| text.as_str().unwrap_or_default().to_owned();
            Attribute::Texts(texts.iter().map(text).collect())
        }
        other => {
            let bytes = other.get("bytes").and_then(Value::as_array).into_iter().flatten();
            let byte = |byte: &Value| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
            Attribute::Bytes(bytes.filter_map(byte).collect())
        }
    }
}

#[cfg(test)]
mod tests;
