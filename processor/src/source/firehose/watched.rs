//! Files whose content may be replaced while we run: keys and certificates are rotated without a restart.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::sleep;

/// What was made of files, or of nothing that changes.
pub(super) struct Watched<T> {
    current: RwLock<Arc<T>>,
    files: Option<Files<T>>,
}

struct Files<T> {
    paths: Vec<PathBuf>,
    parse: fn(&[Vec<u8>]) -> Result<T, String>,
    contents: Mutex<Vec<Vec<u8>>>,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{path}: cannot read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It makes no sense.
    #[error("{path}: {problem}")]
    Content {
        /// The file, or the first of those that belong together.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(5);

impl<T> Watched<T> {
    /// Something that never changes.
    pub(super) fn fixed(value: T) -> Self {
        Self { current: RwLock::new(Arc::new(value)), files: None }
    }

    /// What `parse` makes of the contents of `paths`, now.
    pub(super) fn open(
        paths: Vec<PathBuf>,
        parse: fn(&[Vec<u8>]) -> Result<T, String>,
    ) -> Result<Self, FileError> {
        let contents = read(&paths)?;
        let value = parse(&contents).map_err(|problem| content_error(&paths, problem))?;
        let files = Files { paths, parse, contents: Mutex::new(contents) };
        Ok(Self { current: RwLock::new(Arc::new(value)), files: Some(files) })
    }

    /// As it is now.
    pub(super) fn get(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files for ever. What makes no sense is told, and the former stays in use.
    pub(super) async fn watch(&self, what: &str) {
        let Some(files) = &self.files else { return std::future::pending().await };
        let mut is_told = false;
        loop {
            sleep(LOOK).await;
            match self.look(files) {
                Ok(false) => is_told = false,
                Ok(true) => {
                    is_told = false;
                    tracing::info!(what, "read again");
                }
                Err(error) if is_told => tracing::debug!(what, %error, "still cannot be used"),
                Err(error) => {
                    is_told = true;
                    tracing::error!(what, %error, "cannot be used: the former stays in use");
                }
            }
        }
    }

    /// Whether they have changed.
    fn look(&self, files: &Files<T>) -> Result<bool, FileError> {
        let contents = read(&files.paths)?;
        let mut known = files.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == contents {
            return Ok(false);
        }
        let value =
            (files.parse)(&contents).map_err(|problem| content_error(&files.paths, problem))?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
        *known = contents;
        Ok(true)
    }
}

/// Neither contents nor what was made of them: they are secrets.
impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.files.as_ref().map(|files| &files.paths);
        formatter.debug_struct("Watched").field("paths", &paths).finish_non_exhaustive()
    }
}

fn read(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, FileError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| FileError::Read { path: path.clone(), error })
    };
    paths.iter().map(read).collect()
}

fn content_error(paths: &[PathBuf], problem: String) -> FileError {
    FileError::Content { path: paths.first().cloned().unwrap_or_default(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(contents: &[Vec<u8>]) -> Result<u32, String> {
        let text = String::from_utf8_lossy(&contents[0]);
        text.trim().parse().map_err(|_error| "no number".to_owned())
    }

    #[test]
    fn a_file_that_changes_is_used_when_it_makes_sense() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| std::fs::write(file.path(), text).unwrap();
        write("1");
        let watched = Watched::open(vec![file.path().to_owned()], number).unwrap();
        let look = || watched.look(watched.files.as_ref().unwrap());
        assert!(!look().unwrap());
        write("2");
        assert!(look().unwrap());
        assert_eq!(*watched.get(), 2);
        write("two");
        assert!(look().unwrap_err().to_string().ends_with(": no number"));
        assert_eq!(*watched.get(), 2);
    }

    #[test]
    fn a_file_that_is_missing_or_makes_no_sense_is_named_at_the_start() {
        let missing = Watched::open(vec!["/no/such/file".into()], number).unwrap_err();
        assert!(missing.to_string().starts_with("/no/such/file: cannot read: "));
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Watched::open(vec![file.path().to_owned()], number).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: no number", file.path().display()));
    }
}
