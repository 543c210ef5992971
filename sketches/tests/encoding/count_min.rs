//! Bodies that no count-min has, plain or conservative.

use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::encoding::DecodeError;

use crate::refusals::refuse;

#[test]
fn bodies_that_no_count_min_has_are_refused() {
    let rows = |counters: &[u8]| [[4, 16].as_slice(), counters].concat();
    assert_eq!(refuse::<CountMin>(2, &rows(&[1; 64])), None);
    assert_eq!(refuse::<CountMin>(2, &rows(&[16, 0, 14, 16, 0, 14, 16, 0, 29, 16])), None);
    for (body, why) in [
        (vec![3, 0], "width outside 2^4 to 2^16"),
        (vec![17, 0], "width outside 2^4 to 2^16"),
        (rows(&[1; 65]), "a counter past the last"),
        (rows(&[0, 63, 1]), "a counter past the last"),
        (rows(&[0, 64, 1]), "a counter past the last"),
        (rows(&[16, 0, 3, 0, 9, 16]), "two runs of zeros that are one"),
        (rows(&[16, 0, 14]), "the body ends within a field"),
        (rows(&[1; 63]), "a row does not sum to the total"),
        (rows(&[2; 64]), "a row does not sum to the total"),
        (rows(&[16, 0, 14, 16, 0, 14, 16]), "a row does not sum to the total"),
    ] {
        assert_eq!(refuse::<CountMin>(2, &body), Some(DecodeError::structure(why)), "{body:?}");
    }
}

#[test]
fn bodies_that_no_conservative_count_min_has_are_refused() {
    let rows = |counters: &[u8]| [[4, 16].as_slice(), counters].concat();
    let refused = |body: &[u8]| refuse::<ConservativeCountMin>(7, body);
    assert_eq!(refused(&[4, 0]), None);
    assert_eq!(refused(&rows(&[1; 64])), None);
    assert_eq!(refused(&rows(&[16, 0, 14, 16, 0, 14, 16, 0, 29, 16])), None);
    // Rows that sum to 4, as little as four together may.
    assert_eq!(refused(&rows(&[4, 0, 14, 4, 0, 14, 4, 0, 29, 4])), None);
    assert_eq!(refused(&rows(&[9, 7, 0, 13, 9, 0, 14, 9, 0, 29, 9])), None);
    for (body, why) in [
        (vec![3, 0], "width outside 2^4 to 2^16"),
        (vec![17, 0], "width outside 2^4 to 2^16"),
        (rows(&[1; 65]), "a counter past the last"),
        (rows(&[16, 0, 3, 0, 9, 16]), "two runs of zeros that are one"),
        (rows(&[16, 0, 14]), "the body ends within a field"),
        (rows(&[2; 64]), "a row sums to more than the total"),
        (rows(&[17, 0, 14, 17, 0, 14, 17, 0, 29, 17]), "a row sums to more than the total"),
        (vec![4, 0, 1], "a row sums to more than the total"),
        (rows(&[]), "all rows sum to less than the total"),
        (rows(&[3, 0, 14, 3, 0, 14, 3, 0, 29, 3]), "all rows sum to less than the total"),
        (rows(&[16, 0, 14, 16, 0, 14, 16]), "rows whose highest counters differ"),
        (rows(&[9, 0, 14, 8, 0, 14, 9, 0, 29, 9]), "rows whose highest counters differ"),
    ] {
        assert_eq!(refused(&body), Some(DecodeError::structure(why)), "{body:?}");
    }
}
