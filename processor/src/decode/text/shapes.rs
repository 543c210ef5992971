//! The 81 shapes of an IPv4 address: four octets of one to three digits each.
//!
//! A shape is known by four marks, its three dots and the byte before it, as bits of a word in which bit 15 is the
//! address's last byte. A multiplication spreads the 81 words over a table without two in one place.

/// How to bring the digits of one shape into line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// For each of 16 places, hundreds, tens, ones and nothing of each octet, the byte that belongs there; 0x80 for none.
    pub(super) order: [u8; 16],
    /// The least value of each octet that needs its digits: below it, the first is a leading zero.
    pub(super) smallest: [u32; 4],
    /// The four marks; 0 where the table has no shape.
    marks: u32,
}

/// Found by trying random odd numbers until one kept all 81 apart.
const SPREAD: u32 = 0x5d49_b513;

static SHAPES: [Shape; 256] = table();

impl Shape {
    /// The shape of the last `length` of 16 bytes, in which `dots` has the bits of those bytes that are dots.
    #[inline(always)]
    pub(super) fn find(dots: u32, length: u32) -> Option<&'static Self> {
        let before = 0x8000_u32.checked_shr(length).unwrap_or(0);
        // All bits above that of the byte before; dots in front of it belong to another column.
        let inside = !(before | before.wrapping_sub(1));
        let marks = dots & inside | before;
        let shape = &SHAPES[place(marks)];
        (shape.marks == marks && before != 0).then_some(shape)
    }
}

const fn place(marks: u32) -> usize {
    (marks.wrapping_mul(SPREAD) >> 24) as usize
}

const fn table() -> [Shape; 256] {
    let mut table = [Shape { order: [0x80; 16], smallest: [0; 4], marks: 0 }; 256];
    let mut number = 0;
    while number < 81 {
        let lengths = [number / 27 % 3 + 1, number / 9 % 3 + 1, number / 3 % 3 + 1, number % 3 + 1];
        let shape = shape(lengths);
        let slot = &mut table[place(shape.marks)];
        assert!(slot.marks == 0, "two shapes in one place");
        *slot = shape;
        number += 1;
    }
    table
}

const fn shape(lengths: [u8; 4]) -> Shape {
    let mut shape = Shape { order: [0x80; 16], smallest: [0; 4], marks: 0 };
    let mut end = 16;
    let mut octet = 4;
    while octet > 0 {
        octet -= 1;
        let length = lengths[octet];
        let mut digit = 0;
        while digit < length {
            shape.order[octet * 4 + (2 - digit) as usize] = end - 1 - digit;
            digit += 1;
        }
        shape.smallest[octet] = [0, 0, 10, 100][length as usize];
        end -= length + 1;
        shape.marks |= 1 << end;
    }
    shape
}
