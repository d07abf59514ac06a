//! The Hilbert curve through all IPv4 addresses, in the order people know (xkcd 195, ipv4-heatmap): 0.0.0.0/8
//! top left, 1.0.0.0/8 to the right of it, 255.0.0.0/8 top right.

/// The place of an address in a square of 65,536 by 65,536: the column, and the row from the top. Neighbours on the curve
/// are neighbours in the square, and a prefix of even length is a square of its own.
pub(super) fn place(address: u32) -> (u32, u32) {
    let (mut x, mut y) = (0, 0);
    // From the smallest squares to the greatest: each is turned as its place in the next one asks.
    for level in 0..16 {
        let (side, quarter) = (1 << level, address >> (2 * level) & 3);
        let (right, down) = (quarter >> 1, (quarter ^ quarter >> 1) & 1);
        if down == 0 {
            if right == 1 {
                (x, y) = (side - 1 - x, side - 1 - y);
            }
            (x, y) = (y, x);
        }
        x += side * right;
        y += side * down;
    }
    (x, y)
}

#[cfg(test)]
mod tests {
    use super::place;

    /// The corners and the middle of the drawing of xkcd 195, and those that everybody looks for.
    #[test]
    fn networks_are_where_people_look_for_them() {
        let of = |octet: u32| {
            let (x, y) = place(octet << 24);
            (x >> 12, y >> 12)
        };
        let first = [0, 1, 2, 3, 4, 5, 6, 7].map(of);
        assert_eq!(first, [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 3), (1, 3), (1, 2)]);
        let top = [0, 1, 14, 15, 16, 19, 20, 21, 234, 235, 236, 239, 240, 241, 254, 255];
        assert_eq!(top.map(of), std::array::from_fn(|x| (x as u32, 0)));
        assert_eq!(
            [10, 63, 64, 85, 127, 128, 170, 191, 192, 224].map(of),
            [(3, 3), (0, 7), (0, 8), (0, 15), (7, 8), (8, 8), (15, 15), (15, 8), (15, 7), (11, 3),]
        );
    }

    #[test]
    fn the_curve_has_no_gap_and_a_prefix_of_even_length_is_a_square() {
        let mut before = place(0);
        for step in 1..=0xffff_u32 {
            // Neighbours in three scales.
            let at = place(step);
            assert_eq!(at.0.abs_diff(before.0) + at.1.abs_diff(before.1), 1, "{step}");
            before = at;
            let (x, y) = place(step << 16);
            let (next_x, next_y) = place((step << 16).wrapping_sub(1));
            assert_eq!((x >> 8).abs_diff(next_x >> 8) + (y >> 8).abs_diff(next_y >> 8), 1);
            assert_eq!(place(0x0a00_0000 | step).0 >> 8, place(0x0a00_0000).0 >> 8);
        }
    }
}
