//! Maps of the IPv4 addresses that a list has: a picture with a Hilbert curve, on which neighbouring networks are
//! neighbours, each prefix of even length is a square, and the colour says how many of its addresses are listed.

mod hilbert;
mod letters;
mod png;

pub use png::Picture;

use hilbert::place;
use ipnet::Ipv4Net;

/// The side of the map, in points.
const SIDE: usize = 1024;
const SIDE_BITS: u32 = SIDE.ilog2();
/// The most rows, and columns, of squares with a label.
const SQUARES_BITS: u32 = 4;
const MARGIN: usize = 32;
const TITLE: usize = 84;
const LEGEND: usize = 84;
const WIDTH: usize = SIDE + 2 * MARGIN;

/// Colours, each the first of as many as there are steps where it is one of several.
const PAPER: u8 = 0;
const INK: u8 = 1;
const FAINT: u8 = 2;
/// Nothing listed.
const EMPTY: u8 = 3;
/// Nothing listed, in a network that nobody has: private, reserved, or outside what the map is of.
const RESERVED: u8 = 4;
const LISTED: u8 = 5;
/// Of the changes: listed since, delisted since, both, neither.
const ADDED: u8 = LISTED + STEPS;
const REMOVED: u8 = ADDED + STEPS;
const BOTH: u8 = REMOVED + STEPS;
const KEPT: u8 = BOTH + STEPS;
/// The same colours under a line of the grid, and under a letter.
const GRID: u8 = KEPT + STEPS;
const LABEL: u8 = 2 * GRID;
/// The steps of a colour: one more for each doubling of the addresses that a point stands for.
const STEPS: u8 = 14;

/// A map that is being filled.
pub struct Map {
    /// What it is of: of even length.
    net: Ipv4Net,
    /// The addresses that a cell stands for are two to this power.
    cell_bits: u32,
    /// The cells of a row are two to this power.
    side_bits: u32,
    cells: Vec<Cell>,
    /// What was counted.
    counted: Cell,
    is_of_changes: bool,
}

/// A square of the grid: a part of what the map is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Square {
    /// The network.
    pub net: Ipv4Net,
    /// How many of its addresses are listed.
    pub listed: u64,
    /// Where it begins in the picture, from the left and from the top, and its side, in points.
    pub left: usize,
    /// From the top.
    pub top: usize,
    /// The side.
    pub side: usize,
}

/// How many addresses there are of each sort.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// Listed now, and before if the map is of changes.
    kept: u32,
    added: u32,
    removed: u32,
}

/// What is known of a range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    Kept,
    Added,
    Removed,
}

impl Map {
    /// An empty map of a prefix; of the next wider one if its length is odd.
    pub fn new(net: Ipv4Net, is_of_changes: bool) -> Self {
        let len = net.prefix_len() & !1;
        let net = Ipv4Net::new_assert(net.addr(), len).trunc();
        let side_bits = SIDE_BITS.min(u32::from(32 - len) / 2);
        let cell_bits = u32::from(32 - len) - 2 * side_bits;
        let cells = vec![Cell::default(); 1 << (2 * side_bits)];
        Self { net, cell_bits, side_bits, cells, counted: Cell::default(), is_of_changes }
    }

    /// Counts the ranges that are listed.
    pub fn add(&mut self, ranges: impl Iterator<Item = (u32, u32)>) {
        ranges.for_each(|(start, end)| self.count(start, end, Sort::Kept));
    }

    /// Counts how these ranges, in order and apart, differ from those of before.
    pub fn add_changes(
        &mut self,
        before: impl Iterator<Item = (u32, u32)>,
        now: impl Iterator<Item = (u32, u32)>,
    ) {
        compare(before, now, &mut |start, end, sort| self.count(start, end, sort));
    }

    fn count(&mut self, start: u32, end: u32, sort: Sort) {
        let (first, last) = (u32::from(self.net.network()), u32::from(self.net.broadcast()));
        let (mut start, end) = (start.max(first), end.min(last));
        while start <= end {
            let cell_end = start | ((1_u32 << self.cell_bits) - 1);
            let until = cell_end.min(end);
            let count = until - start + 1;
            let at = self.cell(start);
            for cell in [&mut self.cells[at], &mut self.counted] {
                let of_sort = match sort {
                    Sort::Kept => &mut cell.kept,
                    Sort::Added => &mut cell.added,
                    Sort::Removed => &mut cell.removed,
                };
                *of_sort = of_sort.saturating_add(count);
            }
            let Some(next) = until.checked_add(1) else { break };
            start = next;
        }
    }

    /// The place of an address in the map, in cells.
    fn column_and_row(&self, address: u32) -> (usize, usize) {
        let ((x, y), (left, top)) = (place(address), place(self.net.network().into()));
        let side = self.cell_bits / 2 + self.side_bits;
        let corner = !((1_u32 << side) - 1);
        let shift = self.cell_bits / 2;
        (((x - (left & corner)) >> shift) as usize, ((y - (top & corner)) >> shift) as usize)
    }

    fn cell(&self, address: u32) -> usize {
        let (column, row) = self.column_and_row(address);
        row << self.side_bits | column
    }

    /// Draws the map, with this title.
    pub fn picture(&self, title: &str) -> Picture {
        let mut points = vec![PAPER; WIDTH * (TITLE + SIDE + LEGEND)];
        self.draw_cells(&mut points);
        self.draw_squares(&mut points);
        write(&mut points, title, MARGIN, 22, 3, INK);
        write(&mut points, &self.subtitle(), MARGIN, 56, 2, FAINT);
        self.draw_legend(&mut points);
        Picture { width: WIDTH, points, colours: colours() }
    }

    /// The squares of the grid in which something of these ranges is, in the order of their addresses.
    pub fn squares(&self, ranges: impl Iterator<Item = (u32, u32)>) -> Vec<Square> {
        let bits = SQUARES_BITS.min(self.side_bits);
        let len = u32::from(self.net.prefix_len()) + 2 * bits;
        let size = 1_u64 << (32 - len);
        let (first, last) = (u32::from(self.net.network()), u32::from(self.net.broadcast()));
        let mut listed = vec![0; 1 << (2 * bits)];
        for (start, end) in ranges {
            let (mut start, end) = (u64::from(start.max(first)), u64::from(end.min(last)));
            while start <= end {
                let number = (start - u64::from(first)) / size;
                let until = (u64::from(first) + (number + 1) * size - 1).min(end);
                listed[number as usize] += until - start + 1;
                start = until + 1;
            }
        }
        let (scale, side) = (SIDE >> self.side_bits, SIDE >> bits);
        let square = |(number, listed): (usize, u64)| {
            let first = first + (number as u64 * size) as u32;
            let (column, row) = self.column_and_row(first);
            Square {
                net: Ipv4Net::new_assert(first.into(), len as u8),
                listed,
                left: MARGIN + column * scale / side * side,
                top: TITLE + row * scale / side * side,
                side,
            }
        };
        listed.into_iter().enumerate().filter(|(_, listed)| *listed > 0).map(square).collect()
    }

    /// The width and the height of the picture, in points.
    pub const SIZE: (usize, usize) = (WIDTH, TITLE + SIDE + LEGEND);

    fn draw_cells(&self, points: &mut [u8]) {
        let scale = SIDE >> self.side_bits;
        let first = u32::from(self.net.network());
        for number in 0..1_u32 << (2 * self.side_bits) {
            let address = first + (number << self.cell_bits);
            let (column, row) = self.column_and_row(address);
            let colour = self.colour(address, self.cells[row << self.side_bits | column]);
            for y in row * scale..(row + 1) * scale {
                let from = (TITLE + y) * WIDTH + MARGIN + column * scale;
                points[from..from + scale].fill(colour);
            }
        }
    }

    fn colour(&self, address: u32, cell: Cell) -> u8 {
        let Cell { kept, added, removed } = cell;
        let (base, count) = match (added, removed, kept) {
            (0, 0, 0) => return if is_reserved(address) { RESERVED } else { EMPTY },
            (0, 0, kept) if self.is_of_changes => (KEPT, kept),
            (0, 0, kept) => (LISTED, kept),
            (added, 0, _) => (ADDED, added),
            (0, removed, _) => (REMOVED, removed),
            (added, removed, _) => (BOTH, added.saturating_add(removed)),
        };
        base + self.step(count)
    }

    /// The step of a colour, for a number of addresses from 1 to all of a cell: the last for all.
    fn step(&self, count: u32) -> u8 {
        let last = u32::from(STEPS) - 1;
        match self.cell_bits {
            0 => STEPS - 1,
            bits => (count.ilog2() * last / bits).min(last) as u8,
        }
    }

    /// The lines between squares, and the labels in them: neither hides what is under it.
    fn draw_squares(&self, points: &mut [u8]) {
        let squares_bits = SQUARES_BITS.min(self.side_bits);
        let square = SIDE >> squares_bits;
        for y in 0..SIDE {
            for x in 0..SIDE {
                if (x % square == 0 && x > 0) || (y % square == 0 && y > 0) {
                    points[(TITLE + y) * WIDTH + MARGIN + x] += GRID;
                }
            }
        }
        let square_len = u32::from(self.net.prefix_len()) + 2 * squares_bits;
        let first_octet = u32::from(self.net.prefix_len()) / 8;
        for number in 0..1_u32 << (2 * squares_bits) {
            let address =
                u32::from(self.net.network()) + number.checked_shl(32 - square_len).unwrap_or(0);
            let octets = &address.to_be_bytes()[first_octet.min(3) as usize..];
            let shown = (square_len.div_ceil(8) - first_octet.min(3)) as usize;
            let label: Vec<_> = octets.iter().take(shown).map(u8::to_string).collect();
            let label = label.join(".");
            let (column, row) = self.column_and_row(address);
            let scale = SIDE >> self.side_bits;
            let (left, top) = (column * scale / square * square, row * scale / square * square);
            // Of several octets, the label is long.
            let size = if shown == 1 { 2 } else { 1 };
            let width = (letters::ADVANCE * label.len() - 1) * size;
            let (left, top) = (left + (square - width) / 2, top + (square - 7 * size) / 2);
            for (x, y) in enlarged(&label, size) {
                let at = (TITLE + top + y) * WIDTH + MARGIN + left + x;
                points[at] = points[at] % GRID + LABEL;
            }
        }
    }

    fn subtitle(&self) -> String {
        let Cell { kept, added, removed } = self.counted;
        let what = match self.is_of_changes {
            true => format!(
                "{} listed since, {} delisted, {} as before",
                grouped(added),
                grouped(removed),
                grouped(kept)
            ),
            false => format!("{} addresses listed", grouped(kept)),
        };
        let place = match self.net.prefix_len() {
            0 => String::new(),
            _ => format!(" in {}", self.net),
        };
        let cell = match self.cell_bits {
            0 => "a point is one address".to_owned(),
            bits => format!("a point is a /{}", 32 - bits),
        };
        format!("{what}{place}; {cell}")
    }

    fn draw_legend(&self, points: &mut [u8]) {
        let top = TITLE + SIDE + 20;
        let ramps: &[(u8, &str)] = match self.is_of_changes {
            true => {
                &[(ADDED, "listed"), (REMOVED, "delisted"), (BOTH, "both"), (KEPT, "as before")]
            }
            false if self.cell_bits == 0 => &[(LISTED, "listed")],
            false => &[(LISTED, "addresses listed in a point")],
        };
        let steps: Vec<u8> = match (self.cell_bits, self.is_of_changes) {
            (0, _) => vec![STEPS - 1],
            (_, false) => (0..STEPS).collect(),
            (_, true) => (0..STEPS).step_by(3).collect(),
        };
        let swatch = if self.is_of_changes { 22 } else { 36 };
        let mut left = MARGIN;
        let fill = |points: &mut [u8], left: usize, colour: u8| {
            for y in top..top + 16 {
                points[y * WIDTH + left..y * WIDTH + left + swatch].fill(colour);
            }
        };
        for (base, words) in ramps {
            let start = left;
            for step in &steps {
                fill(points, left, base + step);
                left += swatch;
            }
            let has_scale = self.cell_bits > 0 && !self.is_of_changes;
            write(points, words, start, top + if has_scale { 44 } else { 24 }, 2, FAINT);
            if has_scale {
                write(points, "1", start, top + 24, 2, INK);
                let all = grouped(1 << self.cell_bits);
                let width = (letters::ADVANCE * all.len() - 1) * 2;
                write(points, &all, left - width, top + 24, 2, INK);
                let middle = 1_u32 << (self.cell_bits / 2);
                let first = (0..STEPS).find(|step| *step >= self.step(middle)).unwrap_or(0);
                write(
                    points,
                    &grouped(middle),
                    start + usize::from(first) * swatch,
                    top + 24,
                    2,
                    INK,
                );
            }
            let width = words.len() * letters::ADVANCE * 2;
            left = left.max(start + width) + 40;
        }
        for (colour, words) in [(EMPTY, "none"), (RESERVED, "reserved")] {
            fill(points, left, colour);
            write(points, words, left, top + 24, 2, FAINT);
            left += words.len() * letters::ADVANCE * 2 + 28;
        }
    }
}

/// Compares ranges with those of before, both in order and apart.
fn compare(
    before: impl Iterator<Item = (u32, u32)>,
    now: impl Iterator<Item = (u32, u32)>,
    take: &mut dyn FnMut(u32, u32, Sort),
) {
    let (mut before, mut now) = (before.peekable(), now.peekable());
    let mut start = 0_u64;
    loop {
        let open = |next: Option<&(u32, u32)>| {
            next.map(|&(first, last)| (u64::from(first).max(start), u64::from(last)))
        };
        let (sort, first, last) = match (open(before.peek()), open(now.peek())) {
            (None, None) => return,
            (Some(old), None) => (Sort::Removed, old.0, old.1),
            (None, Some(new)) => (Sort::Added, new.0, new.1),
            (Some(old), Some(new)) if old.0 < new.0 => (Sort::Removed, old.0, old.1.min(new.0 - 1)),
            (Some(old), Some(new)) if new.0 < old.0 => (Sort::Added, new.0, new.1.min(old.0 - 1)),
            (Some(old), Some(new)) => (Sort::Kept, old.0, old.1.min(new.1)),
        };
        take(first as u32, last as u32, sort);
        start = last + 1;
        before.next_if(|range| u64::from(range.1) < start);
        now.next_if(|range| u64::from(range.1) < start);
    }
}

/// Networks that no host of the Internet has (the registry of RFC 6890, those of at least a /10, and multicast).
fn is_reserved(address: u32) -> bool {
    let [a, b, ..] = address.to_be_bytes();
    matches!(a, 0 | 10 | 127 | 224..) || (a == 100 && b & 0xc0 == 64)
}

/// The points of a text in letters of a size.
fn enlarged(text: &str, size: usize) -> impl Iterator<Item = (usize, usize)> {
    letters::points(text).flat_map(move |(x, y)| {
        let of_letter = (0..size * size).map(move |at| (at % size, at / size));
        of_letter.map(move |(right, down)| (x * size + right, y * size + down))
    })
}

/// Writes a text; what does not fit into the width is cut.
fn write(points: &mut [u8], text: &str, left: usize, top: usize, size: usize, colour: u8) {
    for (x, y) in enlarged(text, size) {
        if left + x < WIDTH {
            points[(top + y) * WIDTH + left + x] = colour;
        }
    }
}

/// A number in groups of three digits.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// All colours, in the order of their numbers.
fn colours() -> Vec<[u8; 3]> {
    const BLACK: [u8; 3] = [13, 16, 28];
    let mut colours = vec![BLACK, [238, 240, 245], [150, 158, 178], [24, 29, 46], [36, 38, 48]];
    // Each from few to all.
    let listed: &[[u8; 3]] =
        &[[112, 62, 190], [190, 60, 150], [235, 80, 85], [252, 155, 50], [255, 244, 165]];
    let added: &[[u8; 3]] = &[[150, 60, 20], [235, 110, 30], [255, 190, 110]];
    let removed: &[[u8; 3]] = &[[25, 80, 150], [50, 140, 230], [150, 210, 255]];
    let both: &[[u8; 3]] = &[[120, 50, 130], [200, 90, 210], [245, 190, 250]];
    let kept: &[[u8; 3]] = &[[58, 62, 74], [84, 88, 100], [118, 122, 132]];
    for stops in [listed, added, removed, both, kept] {
        colours.extend((0..STEPS).map(|step| {
            let at = f32::from(step) / f32::from(STEPS - 1) * (stops.len() - 1) as f32;
            let stop = (at as usize).min(stops.len() - 2);
            mixed(stops[stop], stops[stop + 1], at - stop as f32)
        }));
    }
    let plain = colours.clone();
    colours.extend(plain.iter().map(|colour| mixed(*colour, [110, 120, 150], 0.28)));
    colours.extend(plain.iter().map(|colour| mixed(*colour, [200, 208, 225], 0.45)));
    colours
}

fn mixed(one: [u8; 3], other: [u8; 3], share: f32) -> [u8; 3] {
    std::array::from_fn(|at| {
        let (one, other) = (f32::from(one[at]), f32::from(other[at]));
        (one + (other - one) * share).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(picture: &Picture, x: usize, y: usize) -> u8 {
        picture.points[(TITLE + y) * WIDTH + MARGIN + x] % GRID
    }

    fn map(net: &str, ranges: &[(u32, u32)]) -> Picture {
        let mut map = Map::new(net.parse().unwrap(), false);
        map.add(ranges.iter().copied());
        map.picture("a title")
    }

    #[test]
    fn networks_are_coloured_where_they_are() {
        // 10.0.0.0/8 in the fourth row and column, and one address in the last /20.
        let picture = map("0.0.0.0/0", &[(0x0a00_0000, 0x0aff_ffff), (u32::MAX, u32::MAX)]);
        let all = LISTED + STEPS - 1;
        for (x, y) in [(3 * 64, 3 * 64), (3 * 64 + 63, 3 * 64 + 63)] {
            assert_eq!(point(&picture, x, y), all);
        }
        for (x, y) in [(3 * 64 - 1, 3 * 64), (4 * 64, 3 * 64), (3 * 64, 4 * 64)] {
            assert!(point(&picture, x, y) < LISTED);
        }
        assert_eq!(point(&picture, SIDE - 1, 0), LISTED);
        let listed = (0..SIDE * SIDE).filter(|at| point(&picture, at % SIDE, at / SIDE) >= LISTED);
        assert_eq!(listed.count(), 64 * 64 + 1);
    }

    #[test]
    fn squares_are_where_their_networks_are() {
        let ranges = [(0x0a00_0000, 0x0b00_0000), (u32::MAX, u32::MAX)];
        let map = |net: &str| Map::new(net.parse().unwrap(), false);
        let picture = map("0.0.0.0/0").picture("");
        assert_eq!(Map::SIZE, (picture.width, picture.points.len() / picture.width));
        let squares = map("0.0.0.0/0").squares(ranges.into_iter());
        let told: Vec<_> = squares.iter().map(|it| (it.net.to_string(), it.listed)).collect();
        let wanted = [("10.0.0.0/8", 1 << 24), ("11.0.0.0/8", 1), ("255.0.0.0/8", 1)];
        assert_eq!(told, wanted.map(|(net, listed)| (net.to_owned(), listed)));
        let Square { left, top, side, .. } = squares[0];
        assert_eq!((left, top, side), (MARGIN + 192, TITLE + 192, 64));
        let part = map("10.0.0.0/8").squares(ranges.into_iter());
        assert_eq!((part.len(), part[7].net.to_string()), (256, "10.7.0.0/16".to_owned()));
        assert_eq!(map("10.0.0.7/32").squares(ranges.into_iter())[0].side, SIDE);
    }

    #[test]
    fn a_part_is_the_square_of_the_whole_enlarged() {
        let ranges = [(0x0a01_0000, 0x0a01_ffff), (0x0a80_0000, 0x0a83_ffff)];
        let (whole, part) = (map("0.0.0.0/0", &ranges), map("10.0.0.0/8", &ranges));
        for x in 0..64 {
            for y in 0..64 {
                let one = point(&whole, 3 * 64 + x, 3 * 64 + y) >= LISTED;
                assert_eq!(point(&part, 16 * x + 7, 16 * y + 7) >= LISTED, one, "{x} {y}");
            }
        }
    }

    #[test]
    fn small_prefixes_have_large_cells_and_odd_ones_are_widened() {
        let picture = map("192.0.2.7/32", &[(0xc000_0207, 0xc000_0207)]);
        assert_eq!(point(&picture, 500, 500), LISTED + STEPS - 1);
        let map = Map::new("192.0.2.128/25".parse().unwrap(), false);
        assert_eq!((map.net.to_string(), map.cells.len()), ("192.0.2.0/24".into(), 256));
        map.picture("");
    }

    #[test]
    fn changes_are_told_apart() {
        let mut found = Vec::new();
        let before = [(0, 9), (20, 29), (u32::MAX - 1, u32::MAX)];
        let now = [(5, 24), (40, 40), (u32::MAX, u32::MAX)];
        compare(before.into_iter(), now.into_iter(), &mut |start, end, sort| {
            found.push((start, end, sort));
        });
        use Sort::{Added, Kept, Removed};
        let wanted = [
            (0, 4, Removed),
            (5, 9, Kept),
            (10, 19, Added),
            (20, 24, Kept),
            (25, 29, Removed),
            (40, 40, Added),
            (u32::MAX - 1, u32::MAX - 1, Removed),
            (u32::MAX, u32::MAX, Kept),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_reader_of_png_sees_the_same_picture() {
        let picture = map("0.0.0.0/0", &[(0x0a00_0000, 0x0aff_ffff)]);
        let mut bytes = Vec::new();
        picture.write_png(&mut bytes).unwrap();
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut points = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut points).unwrap();
        assert_eq!((info.width as usize, info.color_type), (WIDTH, ::png::ColorType::Indexed));
        assert_eq!(points, picture.points);
        let palette = reader.info().palette.as_ref().unwrap();
        assert_eq!(palette.as_ref(), picture.colours.as_flattened());
    }
}
