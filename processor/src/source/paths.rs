//! Which files a list of paths, patterns and folders means, in which order.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Why paths name nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// A folder without a flow-log file.
    #[error(
        "{0}: no flow-log file in this folder (looked for *.log, *.gz, *.parquet and objects of Firehose, in sub-folders too)"
    )]
    EmptyFolder(PathBuf),
    /// A pattern that matches nothing.
    #[error("{0}: no file matches this pattern")]
    NoMatch(String),
    /// A pattern that is none.
    #[error("{pattern}: not a pattern: {error}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// Why.
        error: glob::PatternError,
    },
    /// A folder that cannot be listed.
    #[error("{path}: cannot list: {error}")]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// The files that `paths` mean. A folder means its log files and those of its sub-folders; a pattern that is not itself a
/// file means what it matches; `-` and anything else means itself. Files with AWS's names are put in the order of the
/// five-minute slot in their name, since a delivery's folders are not in the order of time.
///
/// # Errors
/// When a folder or pattern means no file, or cannot be listed.
pub fn expand(paths: &[String]) -> Result<Vec<PathBuf>, PathError> {
    let mut files = Vec::new();
    for text in paths {
        let path = Path::new(text);
        if path.is_dir() {
            let mut found = Vec::new();
            walk(path, &mut found)?;
            if found.is_empty() {
                return Err(PathError::EmptyFolder(path.to_owned()));
            }
            files.append(&mut found);
        } else if !path.exists() && text.contains(['*', '?', '[']) {
            files.append(&mut matching(text)?);
        } else {
            files.push(path.to_owned());
        }
    }
    // A file that is named twice, or by two patterns, is one file: its bytes must not count twice.
    let mut known = BTreeSet::new();
    files.retain(|path| path.canonicalize().map_or(true, |path| known.insert(path)));
    files.sort_by_cached_key(|path| slot_of(&name_of(path)).map(str::to_owned));
    Ok(files)
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, PathError> {
    let matches = glob::glob(pattern)
        .map_err(|error| PathError::Pattern { pattern: pattern.to_owned(), error })?;
    let files: Vec<PathBuf> =
        matches.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    if files.is_empty() { Err(PathError::NoMatch(pattern.to_owned())) } else { Ok(files) }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), PathError> {
    let list = |error| PathError::List { path: folder.to_owned(), error };
    let entries =
        fs::read_dir(folder).map_err(list)?.collect::<Result<Vec<_>, _>>().map_err(list)?;
    let mut entries: Vec<_> = entries.into_iter().map(|entry| (entry.path(), entry)).collect();
    entries.sort_by(|left, right| left.0.cmp(&right.0));
    for (path, entry) in entries {
        let kind = entry.file_type().map_err(list)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Links to folders are not followed: they could lead in a circle.
        if kind.is_dir() {
            walk(&path, found)?;
        } else if is_log(&name_of(&path)) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// The last part of a path.
pub(super) fn name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// Whether a file or an object in a folder is taken for a log.
pub(super) fn is_log(name: &str) -> bool {
    let is_known = |extension: &std::ffi::OsStr| {
        ["log", "gz", "parquet"].iter().any(|known| extension == *known)
    };
    Path::new(name).extension().is_some_and(is_known) || is_delivery(name)
}

/// Firehose's `-2026-11-24-09-30-05-` and a UUID (AWS page "Configure Amazon S3 object name format"), as [`is_like`] has it.
pub(super) const TIME_AND_UUID: &str = "-0000-00-00-00-00-00-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

/// Whether Firehose names its objects so, unless it is told to give them an ending.
fn is_delivery(name: &str) -> bool {
    let start = name.len().checked_sub(TIME_AND_UUID.len());
    start.and_then(|start| name.get(start..)).is_some_and(|end| is_like(end, TIME_AND_UUID))
}

/// Whether digits stand where `kind` has 0, hexadecimal digits where it has x, and elsewhere what it has.
pub(super) fn is_like(text: &str, kind: &str) -> bool {
    text.len() == kind.len()
        && text.bytes().zip(kind.bytes()).all(|(byte, kind)| match kind {
            b'0' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_hexdigit(),
            _ => byte == kind,
        })
}

/// The slot in `…_20180620T1620Z_…`, AWS page "Flow log files". Files without one keep their order and come first.
pub(super) fn slot_of(name: &str) -> Option<&str> {
    name.split('_').find(|part| is_like(part, "00000000T0000Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_means_its_logs_in_the_order_of_their_slots() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "a/111122223333_vpcflowlogs_us-east-1_fl-1_20180620T1625Z_aa.log.gz",
            "b/111122223333_vpcflowlogs_us-east-1_fl-1_20180620T1620Z_bb.log.gz",
            "b/111122223333_vpcflowlogs_us-east-1_fl-1_20180620T1630Z_cc.log.parquet",
            "b/flow.logs-1-2018-06-20-16-30-05-0e5f2a3c-1d2e-4f5a-8b9c-0d1e2f3a4b5c",
            "b/labels.tsv",
            "b/README",
            "b/.hidden.log",
        ];
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let files = expand(&[folder.path().to_string_lossy().into_owned()]).unwrap();
        let found: Vec<_> =
            files.iter().map(|path| path.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(found, [names[3], names[1], names[0], names[2]].map(Path::new));
    }

    #[test]
    fn a_file_that_is_named_twice_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        fs::write(&path, "").unwrap();
        let file = path.to_string_lossy().into_owned();
        let all = folder.path().to_string_lossy().into_owned();
        assert_eq!(expand(&[file.clone(), all, file]).unwrap(), [path]);
    }

    #[test]
    fn folders_and_patterns_without_logs_are_refused_and_missing_files_are_left_to_the_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_string_lossy().into_owned();
        assert!(matches!(expand(std::slice::from_ref(&path)), Err(PathError::EmptyFolder(_))));
        assert!(matches!(expand(&[format!("{path}/*.log")]), Err(PathError::NoMatch(_))));
        assert_eq!(expand(&["missing.log".to_owned(), "-".to_owned()]).unwrap().len(), 2);
    }
}
