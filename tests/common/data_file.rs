//! Data files in the text of scenarios and cases:
//!
//! ```text
//! file one gzip        a data file: gzip, crlf, open (no newline at the end)
//! |:127.0.0.2:Listed   a line of it
//! ```
//!
//! In lines, `\xNN` is a byte, `\{300*ab}` is "ab" 300 times, `\\` a backslash.

use std::fmt::{self, Display, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;

/// A data file; its lines without their ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DataFile<Line> {
    pub(crate) name: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) crlf: bool,
    pub(crate) gzip: bool,
    pub(crate) open: bool,
}

impl<Line> Default for DataFile<Line> {
    fn default() -> Self {
        Self { name: String::new(), lines: Vec::new(), crlf: false, gzip: false, open: false }
    }
}

impl<Line: AsRef<[u8]>> DataFile<Line> {
    /// Reads what stands behind the word `file`.
    pub(crate) fn from_text(text: &str) -> Result<Self, String> {
        let mut words = text.split(' ');
        let name = words.next().unwrap_or_default().to_owned();
        let mut file = Self { name, ..Self::default() };
        for word in words {
            match word {
                "crlf" => file.crlf = true,
                "gzip" => file.gzip = true,
                "open" => file.open = true,
                _ => return Err(format!("a file cannot be {word:?}")),
            }
        }
        Ok(file)
    }

    /// What is in the file, before it is compressed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let end: &[u8] = if self.crlf { b"\r\n" } else { b"\n" };
        let mut bytes = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            bytes.extend_from_slice(line.as_ref());
            if !self.open || at + 1 < self.lines.len() {
                bytes.extend_from_slice(end);
            }
        }
        bytes
    }

    /// Writes it into `folder` with this modification time, in seconds since 1970.
    pub(crate) fn write(&self, folder: &Path, mtime: u64) -> io::Result<()> {
        let mut handle = File::create(folder.join(&self.name))?;
        let mut bytes = self.bytes();
        if self.gzip {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&bytes)?;
            bytes = gzip.finish()?;
        }
        handle.write_all(&bytes)?;
        handle.set_modified(UNIX_EPOCH + Duration::from_secs(mtime))
    }
}

/// The first line of its text.
impl<Line> Display for DataFile<Line> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {}", self.name)?;
        for (word, set) in [("crlf", self.crlf), ("gzip", self.gzip), ("open", self.open)] {
            if set {
                write!(f, " {word}")?;
            }
        }
        Ok(())
    }
}

/// A text that [`unescape`] turns into these bytes.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("writing to a string does not fail"),
        }
    }
    text
}

/// The bytes that a text stands for.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let unknown = || format!("neither \\\\ nor \\xNN nor \\{{N*text}}: {text}");
        if let Some(after) = escape.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = after;
        } else if let Some(digits) = escape.strip_prefix('x') {
            let (digits, after) = digits.split_at_checked(2).ok_or_else(unknown)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| unknown())?);
            rest = after;
        } else {
            let (repeat, after) = escape
                .strip_prefix('{')
                .and_then(|escape| escape.split_once('}'))
                .ok_or_else(unknown)?;
            let (count, part) = repeat.split_once('*').ok_or_else(unknown)?;
            let count = count.parse().map_err(|_| unknown())?;
            bytes.extend_from_slice(part.repeat(count).as_bytes());
            rest = after;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}
