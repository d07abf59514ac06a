//! Pictures of up to 256 colours as PNG (ISO/IEC 15948).

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::{self, Write};

/// A picture.
pub struct Picture {
    /// The width, in points.
    pub width: usize,
    /// The colour of each point, row by row from the top: a place in `colours`.
    pub points: Vec<u8>,
    /// Red, green and blue.
    pub colours: Vec<[u8; 3]>,
}

impl Picture {
    /// Writes it as PNG.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_png(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { width, points, colours } = self;
        out.write_all(b"\x89PNG\r\n\x1a\n")?;
        let mut header = Vec::new();
        for side in [*width, points.len() / width] {
            header.extend((side as u32).to_be_bytes());
        }
        // Eight bits a point, colours of a palette, and the only ways to pack, filter and interlace.
        header.extend([8, 3, 0, 0, 0]);
        chunk(b"IHDR", &header, out)?;
        chunk(b"PLTE", colours.as_flattened(), out)?;
        let mut rows = ZlibEncoder::new(Vec::new(), Compression::default());
        for row in points.chunks(*width) {
            // Unfiltered.
            rows.write_all(&[0])?;
            rows.write_all(row)?;
        }
        chunk(b"IDAT", &rows.finish()?, out)?;
        chunk(b"IEND", &[], out)
    }
}

fn chunk(kind: &[u8; 4], data: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    out.write_all(&(data.len() as u32).to_be_bytes())?;
    out.write_all(kind)?;
    out.write_all(data)?;
    out.write_all(&crc.sum().to_be_bytes())
}
