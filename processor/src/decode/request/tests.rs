use base64_turbo::STANDARD;
use libdeflater::{CompressionLvl, Compressor};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const BYTES_MAX: usize = 64 << 20;

fn unpack(body: &[u8]) -> Result<Request, RequestError> {
    Unpacker::new(BYTES_MAX).unpack(body, false, Arena::default())
}

fn records(request: &Request) -> Vec<Vec<u8>> {
    request.records.iter().map(|record| request.arena.as_ref()[record.clone()].to_vec()).collect()
}

fn body(records: &[impl AsRef<[u8]>]) -> Value {
    let record = |data: &dyn AsRef<[u8]>| json!({ "data": STANDARD.encode(data.as_ref()) });
    let records: Vec<Value> = records.iter().map(|data| record(data)).collect();
    json!({ "requestId": "id-1", "timestamp": 1_578_090_901_599_u64, "records": records })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::fastest());
    let mut room = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(bytes, &mut room).unwrap();
    room.truncate(length);
    room
}

fn problem(body: &str) -> String {
    unpack(body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_spelling_of_firehose_and_any_other_give_the_same() {
    let exact = br#"{"requestId":"id-1","timestamp":1578090901599,"records":[{"data":"YQ=="},{"data":""},{"data":"YmI="}]}"#;
    let other = [
        r#"{"records":[{"data":"YQ=="},{"data":""},{"data":"YmI="}],"requestId":"id-1"}"#,
        r#"{"requestId":"id\u002d1","timestamp":1.5e12,"records":[{"data":"YQ=="},{"data":"","x":[1]},{"data":"YmI="}]}"#,
        "\n{ \"x\": {\"records\":[]}, \"requestId\":\"id-1\",\t\"records\": [ {\"data\":\"YQ\"} , {\"data\":\"\"},{\"data\":\"YmI\"} ] }\n",
    ];
    for text in other.iter().map(|text| text.as_bytes()).chain([&exact[..]]) {
        let request = unpack(text).unwrap();
        assert_eq!(&*request.request_id, "id-1");
        assert_eq!(records(&request), [&b"a"[..], b"", b"bb"]);
    }
}

#[test]
fn each_thing_that_is_wrong_is_named() {
    assert!(problem("").starts_with("the body is no request of Firehose: EOF"));
    assert!(problem("[]").contains("invalid type: sequence, expected an object with `requestId`"));
    assert!(problem(r#"{"records":[{"data":""}]}"#).contains("missing field `requestId`"));
    assert!(problem(r#"{"requestId":"a"}"#).contains("missing field `records`"));
    assert!(problem(r#"{"requestId":7,"records":[]}"#).contains("expected a string"));
    assert!(problem(r#"{"requestId":"a","records":{}}"#).contains("expected an array of records"));
    assert!(problem(r#"{"requestId":"a","records":[{}]}"#).contains("missing field `data`"));
    assert!(problem(r#"{"requestId":"a","records":[{"data":{"a":1}}]}"#).contains("expected a"));
    assert!(problem(r#"{"requestId":"a","records":[{"data":""}]} x"#).contains("trailing"));
    let twice = r#"{"requestId":"a","records":[{"data":""}],"records":[{"data":""}]}"#;
    assert!(problem(twice).contains("duplicate field `records`"));
    assert_eq!(problem(r#"{"requestId":"a","records":[]}"#), "the body has no record");
    let bad = r#"{"requestId":"a","records":[{"data":""},{"data":"%"}]}"#;
    assert_eq!(problem(bad), "`data` of record 2 is not base64");
    assert!(problem(&"[".repeat(1_000_000)).contains("no request"));
}

#[test]
fn as_many_and_as_long_records_as_firehose_sends_are_taken_and_no_more() {
    let most = body(&vec![b"x"; RECORDS_MAX]).to_string();
    assert_eq!(unpack(most.as_bytes()).unwrap().records.len(), RECORDS_MAX);
    let more = body(&vec![b"x"; RECORDS_MAX + 1]);
    for text in [more.to_string(), format!("{more:#}")] {
        assert_eq!(unpack(text.as_bytes()).unwrap_err(), RequestError::TooManyRecords);
    }
    let longest = body(&[vec![b'x'; RECORD_BYTES_MAX]]).to_string();
    assert_eq!(records(&unpack(longest.as_bytes()).unwrap())[0].len(), RECORD_BYTES_MAX);
    let longer = body(&[vec![], vec![b'x'; RECORD_BYTES_MAX + 1]]).to_string();
    assert_eq!(unpack(longer.as_bytes()).unwrap_err(), RequestError::RecordTooLarge { number: 2 });
}

#[test]
fn gzip_is_taken_up_to_its_bound_and_never_beyond() {
    let text = body(&["line"]).to_string();
    let mut unpacker = Unpacker::new(text.len());
    let request = unpacker.unpack(&gzip(text.as_bytes()), true, Arena::default()).unwrap();
    assert_eq!(records(&request), [b"line"]);
    let larger = gzip(format!("{text} ").as_bytes());
    let too_large = RequestError::TooLarge { bytes_max: text.len() };
    assert_eq!(unpacker.unpack(&larger, true, Arena::default()).unwrap_err(), too_large);
    assert_eq!(
        unpacker.unpack(format!("{text} ").as_bytes(), false, Arena::default()).unwrap_err(),
        too_large
    );
    let member = gzip(text.as_bytes());
    for torn in [&member[..member.len() - 1], text.as_bytes(), b""] {
        let unpacked = unpacker.unpack(torn, true, Arena::default());
        assert!(unpacked.is_err(), "{torn:?}");
    }
}

proptest! {
    #[test]
    fn whatever_was_put_in_comes_out(
        data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..50),
        is_pretty: bool,
        is_gzip: bool,
    ) {
        let body = body(&data);
        let text = if is_pretty { format!("{body:#}") } else { body.to_string() };
        let bytes = if is_gzip { gzip(text.as_bytes()) } else { text.into_bytes() };
        let request = Unpacker::new(BYTES_MAX).unpack(&bytes, is_gzip, Arena::default()).unwrap();
        prop_assert_eq!(records(&request), data);
    }

    /// `serde_json` and the base64 of RFC 4648 as the oracle.
    #[test]
    fn a_body_with_one_byte_changed_is_taken_as_the_oracle_takes_it(
        data in prop::collection::vec("[a-z]{0,12}", 1..5),
        place: prop::sample::Index,
        byte in prop::sample::select(&b" \"\\{}[],:a1=-\x01\xff"[..]),
    ) {
        let mut text = body(&data).to_string().into_bytes();
        let place = place.index(text.len());
        text[place] = byte;
        let oracle = || {
            let body: Value = serde_json::from_slice(&text).ok()?;
            let id = body["requestId"].as_str()?.to_owned();
            let records = body["records"].as_array()?.iter();
            let decode = |record: &Value| {
                let data = record["data"].as_str()?;
                STANDARD.decode(data).ok().or_else(|| base64_turbo::STANDARD_NO_PAD.decode(data).ok())
            };
            let records = records.map(decode).collect::<Option<Vec<_>>>()?;
            Some((id, records))
        };
        let ours = unpack(&text).ok().map(|request| (request.request_id.to_string(), records(&request)));
        // A key that became another one can leave the records doubled or gone; the oracle takes the last, we take none.
        prop_assert_eq!(ours, oracle());
    }
}
