//! Objects of a store in memory, against files with the same bytes.

use std::io::Write;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use parquet::basic::Compression as PageCompression;
use parquet::data_type::Int32Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::batch::{self, BatchId};
use crate::source::file::Files;
use crate::source::parquet::ParquetError;

mod store;

use store::Watched;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());

fn object() -> Object {
    Object { bucket: "flows".into(), key: "a/b.log".into() }
}

fn store_of(content: impl Into<Bytes>) -> Arc<Watched> {
    let store = Watched::default();
    store.put_now("a/b.log", content.into());
    Arc::new(store)
}

fn try_open(store: &Arc<Watched>, range_bytes_max: u64) -> Result<ObjectBatches, SourceError> {
    let store: Arc<dyn ObjectStore> = Arc::clone(store) as _;
    let reading = Reading { columns: Columns::All, range_bytes_max, ..Reading::default() };
    open_with(RUNTIME.handle(), &store, &object(), reading)
}

/// Everything but the name of the source, to compare.
fn shape(item: Result<Batch, SourceError>) -> String {
    match item {
        Ok(Batch { id: BatchId { extent, .. }, content }) => {
            let place = match extent {
                Extent::Offset(place) | Extent::Object { offset_bytes: place, .. } => place,
                other => panic!("{other:?}"),
            };
            format!("{place} {content:?}")
        }
        Err(error) => error.to_string().split_once(": ").unwrap().1.to_owned(),
    }
}

fn of_object(content: &[u8], range_bytes_max: u64) -> Vec<String> {
    let store = store_of(content.to_vec());
    match try_open(&store, range_bytes_max) {
        Ok(batches) => batches.map(shape).collect(),
        Err(error) => vec![shape(Err(error))],
    }
}

fn of_file(content: &[u8]) -> Vec<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    Files::new(vec![file.path().to_owned()], Columns::All).map(shape).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Four row groups of two columns.
fn parquet_file(rows: i32) -> Vec<u8> {
    let schema = "message flows { required int32 srcport; required int32 dstport; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(PageCompression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties.into()).unwrap();
    for group in 0..4 {
        let mut rows_of_group = writer.next_row_group().unwrap();
        while let Some(mut column) = rows_of_group.next_column().unwrap() {
            let values: Vec<i32> = (0..rows).map(|row| row * 31 % (group + 7)).collect();
            column.typed::<Int32Type>().write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }
        rows_of_group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    let text = "([ a-z0-9.-]{0,60}\n){0,40}";
    let documents = r#"(\{"a":"[a-z]{0,30}","b":\[1,2\]\}\n?){0,30}"#;
    let gzipped = prop_oneof![text, documents].prop_map(|text| gzip(text.as_bytes()));
    let cut = (text, 0.0..1.0).prop_map(|(text, part)| {
        let mut gzip = gzip(text.as_bytes());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a place within it"
        )]
        gzip.truncate((gzip.len() as f64 * part) as usize);
        gzip
    });
    prop_oneof![
        text.prop_map(String::into_bytes),
        documents.prop_map(String::into_bytes),
        gzipped,
        cut,
        (0..200).prop_map(parquet_file),
        Just(b"PAR1 is no Parquet PAR1".to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_cut_of_ranges_gives_the_batches_of_the_file(
        content in contents(),
        range_bytes_max in 1_u64..300,
    ) {
        prop_assert_eq!(of_object(&content, range_bytes_max), of_file(&content));
    }
}

#[test]
fn many_batches_of_a_large_object_are_those_of_the_file() {
    let text: Vec<u8> = (0..400_000).flat_map(|n: u32| format!("{n} {n}\n").into_bytes()).collect();
    for content in [gzip(&text), text, parquet_file(100_000)] {
        let batches = of_object(&content, 100_000);
        assert!(batches.len() > 3, "{}", batches.len());
        assert!(batches == of_file(&content));
    }
}

#[test]
fn batches_are_named_by_the_object_and_its_version() {
    let store = store_of("one\ntwo\n");
    let mut batches = try_open(&store, 3).unwrap();
    let etag = Arc::clone(batches.etag());
    assert!(!etag.is_empty() && !etag.contains('"'), "{etag}");
    let batch = batches.next().unwrap().unwrap();
    assert_eq!(&*batch.id.source, "s3://flows/a/b.log");
    assert_eq!(batch.id.extent, Extent::Object { etag, offset_bytes: 0 });
    assert_eq!(batches.consumed_bytes().load(Ordering::Relaxed), 8);
}

#[test]
fn an_empty_object_has_no_batches_and_a_version() {
    let mut batches = try_open(&store_of(""), 10).unwrap();
    assert!(!batches.etag().is_empty());
    assert!(batches.next().is_none());
}

#[test]
fn each_byte_is_asked_for_once_and_at_most_one_range_ahead() {
    let text = "0123456789\n".repeat(200_000);
    let store = store_of(text.clone());
    let range_bytes = 400_000;
    let mut batches = try_open(&store, range_bytes).unwrap();
    let mut read = 0;
    while let Some(batch) = batches.next().transpose().unwrap() {
        let batch::Content::Lines(lines) = batch.content else { panic!("it is text") };
        read += lines.bytes.len() as u64;
        let asked = store.ranges().iter().map(|range| range.end).max().unwrap();
        // A batch is read ahead of, too: the cutter holds what is no whole line.
        let ahead = read.next_multiple_of(range_bytes) + 2 * range_bytes;
        assert!(asked <= ahead, "{asked} bytes were asked for when {read} had been read");
    }
    let ranges = store.ranges();
    assert!(ranges.iter().all(|range| range.end - range.start <= range_bytes));
    assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "{ranges:?}");
    assert!(ranges.last().unwrap().end >= text.len() as u64);
}

#[test]
fn of_parquet_only_what_is_wanted_is_fetched() {
    let file = parquet_file(200_000);
    let store = store_of(file.clone());
    let opened = try_open(&store, 10_000).unwrap();
    drop(opened);
    let fetched: u64 = store.ranges().iter().map(|range| range.end - range.start).sum();
    assert!(fetched < 30_000, "{fetched} bytes of {} for the footer", file.len());
}

#[test]
fn an_object_that_is_put_anew_while_it_is_read_is_an_error_that_says_so() {
    let text = "0123456789\n".repeat(200_000);
    for knows_if_match in [true, false] {
        let store = store_of(text.clone());
        store.ignore_if_match(!knows_if_match);
        let mut batches = try_open(&store, 100_000).unwrap();
        assert!(batches.next().unwrap().is_ok());
        store.put_now("a/b.log", text.replace('0', "1").into());
        let rest: Vec<_> = batches.collect();
        let (last, whole) = rest.split_last().unwrap();
        assert!(whole.iter().all(Result::is_ok) && whole.len() < 3, "{rest:?}");
        let error = last.as_ref().unwrap_err();
        assert!(error.to_string().contains("another version of the object was put"), "{error}");
        assert!(error.to_string().starts_with("s3://flows/a/b.log:"), "{error}");
        assert!(!error.is_of_content());
    }
}

#[test]
fn what_is_not_there_or_no_key_is_told() {
    let store = Arc::new(Watched::default());
    let error = try_open(&store, 10).unwrap_err();
    assert!(!error.is_of_content());
    let said = error.to_string();
    assert!(said.starts_with("s3://flows/a/b.log: not found ("), "{said}");
    assert!(said.ends_with("; is there a bucket flows, and the object in it?"), "{said}");
    let store: Arc<dyn ObjectStore> = store;
    for key in ["a//b", "/a", "a/", "a/../b", "a/\u{1b}b"] {
        let object = Object { bucket: "flows".into(), key: key.into() };
        let error = open(RUNTIME.handle(), &store, &object, Columns::All).unwrap_err();
        assert!(error.is_of_content(), "reading it again cannot help");
        assert!(error.to_string().contains("a key with an empty part"), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

#[test]
fn errors_of_the_network_are_told_from_errors_of_content() {
    let text = "0123456789\n".repeat(200_000);
    let store = store_of(text.clone());
    let mut batches = try_open(&store, 100_000).unwrap();
    store.fail_from_now();
    let error = batches.find_map(Result::err).unwrap();
    assert!(!error.is_of_content(), "{error}");
    assert!(error.to_string().contains("S3 answered a failure"), "{error}");
    assert!(batches.next().is_none(), "nothing follows");

    let mut broken = gzip(text.as_bytes());
    let middle = broken.len() / 2;
    broken[middle..middle + 50].fill(0xff);
    let half = gzip(text.as_bytes())[..middle].to_vec();
    for content in [broken, half] {
        let error = try_open(&store_of(content), 1000).unwrap().find_map(Result::err).unwrap();
        assert!(matches!(error, SourceError::Read { .. }) && error.is_of_content(), "{error}");
    }
    let error = try_open(&store_of("PAR1 and no footer"), 10).unwrap_err();
    assert!(error.is_of_content(), "{error}");

    let store = store_of(parquet_file(50_000));
    let mut batches = try_open(&store, 1000).unwrap();
    store.fail_from_now();
    let error = batches.next().unwrap().unwrap_err();
    assert!(matches!(error, SourceError::Parquet { error: ParquetError::Read(_), .. }));
    assert!(!error.is_of_content(), "{error}");
}
