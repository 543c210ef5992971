//! JSON documents of any shape, for tests.

use proptest::prelude::*;
use serde_json::Value;

/// Any value of nulls, numbers, strings, arrays and objects.
pub(super) fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "[ -~\u{0}-\u{ff}]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\\\\\"]{0,4}", inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}
