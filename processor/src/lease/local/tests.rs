use super::*;
use crate::lease::Checkpoint;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn take(key: &str, counter: u64) -> Write {
    Write::Take { key: key.into(), counter, owner: "me".into(), is_switch: false }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases.json");
    let local = Local::open(&path).unwrap();
    let mut lease = Lease::new("s".into(), Checkpoint::TrimHorizon);
    lease.parents = vec!["a".into(), "b".into()];
    lease.hash_range = Some(crate::lease::HashRange::WHOLE);
    run(local.write(&Write::Create(lease))).unwrap();
    let taken = run(local.write(&take("s", 0))).unwrap();
    let checkpoint = Checkpoint::from_text("340282366920938463463374607431768211456", 2).unwrap();
    let write = Write::Checkpoint {
        key: "s".into(),
        counter: 1,
        holder: "me".into(),
        checkpoint,
        children: vec!["d".into(), "c".into()],
    };
    let Written::Done { now: Some(lease) } = run(local.write(&write)).unwrap() else {
        panic!("refused after {taken:?}");
    };
    let refused = run(local.write(&take("s", 0))).unwrap();
    assert_eq!(refused, Written::Refused { current: Some(lease.clone()) });
    drop(local);
    let local = Local::open(&path).unwrap();
    assert_eq!(run(local.scan()), Ok(vec![lease.clone()]));
    assert_eq!(run(local.get(&"s".into())), Ok(Some(lease)));
    run(local.write(&Write::Delete { key: "s".into() })).unwrap();
    drop(local);
    assert_eq!(run(Local::open(&path).unwrap().scan()), Ok(vec![]));
}

#[test]
fn a_second_process_is_told_who_is_in_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases.json");
    let first = Local::open(&path).unwrap();
    let message = Local::open(&path).unwrap_err().to_string();
    assert!(message.contains("leases.json.lock is locked: another process"), "{message}");
    drop(first);
    Local::open(&path).unwrap();
}

#[test]
fn a_file_of_something_else_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases.json");
    for text in [
        "",
        "{}",
        "[{\"leaseKey\":\"s\"}]",
        "[{\"leaseKey\":\"s\",\"leaseCounter\":0,\"checkpoint\":\"x\"}]",
    ] {
        fs::write(&path, text).unwrap();
        let message = Local::open(&path).unwrap_err().to_string();
        assert!(message.contains("leases.json"), "{message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn renewals_cost_no_disk_and_what_cannot_be_saved_has_not_happened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leases.json");
    let local = Local::open(&path).unwrap();
    run(local.write(&Write::Create(Lease::new("s".into(), Checkpoint::Latest)))).unwrap();
    run(local.write(&take("s", 0))).unwrap();
    let saved = fs::read(&path).unwrap();
    let renew = Write::Renew { key: "s".into(), counter: 1, holder: "me".into() };
    assert!(matches!(run(local.write(&renew)), Ok(Written::Done { .. })));
    assert_eq!(fs::read(&path).unwrap(), saved);

    let before = run(local.scan());
    drop(folder);
    let error = run(local.write(&take("s", 2))).unwrap_err();
    assert!(matches!(error, StoreError::Unusable(_)), "{error}");
    assert_eq!(run(local.scan()), before);
}
