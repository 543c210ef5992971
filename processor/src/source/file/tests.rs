use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::batch;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn read(paths: &[&Path]) -> (Vec<u8>, Vec<String>) {
    let paths = paths.iter().map(|path| path.to_path_buf()).collect();
    let (mut bytes, mut problems) = (Vec::new(), Vec::new());
    for item in Files::new(paths, Columns::Used) {
        match item {
            Ok(batch) => match batch.content {
                batch::Content::Lines(lines) => bytes.extend(lines.bytes),
                batch::Content::Payloads { payloads, .. } => bytes.extend(payloads.concat()),
                batch::Content::Rows(_) | batch::Content::Unreadable(_) => panic!("no lines"),
            },
            Err(error) => problems.push(error.to_string()),
        }
    }
    (bytes, problems)
}

#[test]
fn many_gzip_members_in_one_file_are_read_as_one_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("members.log");
    std::fs::write(&path, [gzip(b"one\ntw"), gzip(b"o\n"), gzip(b"three")].concat()).unwrap();
    let (bytes, problems) = read(&[&path]);
    assert_eq!((bytes.as_slice(), problems.len()), (&b"one\ntwo\nthree"[..], 0));
}

#[test]
fn a_gzip_cut_in_the_middle_gives_its_whole_lines_and_a_problem_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.log.gz");
    let text: Vec<u8> = (0..200_000).flat_map(|n: u32| format!("{n}\n").into_bytes()).collect();
    let whole = gzip(&text);
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let other = folder.path().join("other.log");
    std::fs::write(&other, "last\n").unwrap();
    let (bytes, problems) = read(&[&path, &other]);
    assert!(bytes.ends_with(b"\nlast\n"));
    let lines = bytes.split(|byte| *byte == b'\n').count() - 2;
    assert!(lines > 1000 && text.starts_with(&bytes[..bytes.len() - "last\n".len()]));
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains(&format!("cut.log.gz:{}: cannot read on", lines + 1)),
        "{problems:?}"
    );
}

#[test]
fn a_missing_file_is_a_problem_and_the_next_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("there.log");
    std::fs::write(&path, "x\n").unwrap();
    let (bytes, problems) = read(&[&folder.path().join("missing.log"), &path]);
    assert_eq!(bytes, b"x\n");
    assert!(problems[0].contains("missing.log: cannot open"), "{problems:?}");
}

#[test]
fn documents_within_two_layers_of_gzip_are_cut_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup");
    let text = b"\xef\xbb\xbf {\"a\":1}{\"b\":2}\n{\"c\":3}";
    std::fs::write(&path, gzip(&[gzip(&text[..9]), gzip(&text[9..])].concat())).unwrap();
    let batches: Vec<_> = Files::new(vec![path], Columns::Used).map(Result::unwrap).collect();
    let [Batch { content: batch::Content::Payloads { first_record: 1, payloads }, .. }] =
        &batches[..]
    else {
        panic!("{batches:?}");
    };
    assert_eq!(payloads.len(), 3);
    assert_eq!(payloads[2], b"\n{\"c\":3}"[..]);
}
