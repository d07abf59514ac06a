//! Data files in rbldnsd's formats: from text to a listing, with diagnostics.
//!
//! A [`Parser`] takes the bytes of the files of one dataset in pieces of any size and gives
//! [`Parsed`]. It skips a line that it cannot use, reports it with its place, the reason and its
//! text, and never fails the file for it.
//!
//! A reader turns lines into [entries](EntryKey), and one place takes them, where the rules of the
//! dataset types stand: see the file `entry.rs`. The parser accepts what rbldnsd 1.0 accepts, and
//! besides: it ignores carriage returns before newlines and a byte order mark before the first
//! line, takes IPv6 prefixes in an `ip4trie`, texts of up to 1020 bytes, years of `$TIMESTAMP` beyond
//! 2038, comments behind special lines, and the entry parameters of rspamd's fork. In the
//! [native dialect](Dialect::Native) it reads more as its author means it, and says so.
//!
//! ```
//! use dnsbld::zonefile::{Kind, Options, Parser};
//!
//! let mut parser = Parser::new(Kind::Ip4Set, Options::default());
//! parser.start_file();
//! parser.feed(b":2:listed, see http://bl.example/$\n192.0.2.0/28\n!192.0.2.").unwrap();
//! parser.feed(b"3\nnonsense\n").unwrap();
//! parser.end_file().unwrap();
//! let parsed = parser.finish();
//! assert_eq!(parsed.entries, 2);
//! assert_eq!(parsed.diagnostics.kept[0].line, 4);
//! let ranges: Vec<_> = parsed.ip4.unwrap().ranges().map(|r| r.end - r.start + 1).collect();
//! assert_eq!(ranges, [3, 12]);
//! ```

mod acl;
mod batch;
mod collector;
mod counts;
mod diagnostic;
mod entry;
mod fast;
mod fatal;
mod format;
mod generic;
mod hash_form;
mod hashes;
mod ip4;
mod ip6;
mod keys;
mod kind;
mod line;
mod list_builder;
mod mistake;
mod native;
mod options;
mod params;
mod parsed;
mod parser;
mod rules;
mod scan;
mod search;
mod section_reader;
mod special;
#[cfg(test)]
mod tests;
mod value;
mod values;

pub use acl::{Keys, ParsedAcl, Subjects};
pub use batch::Batches;
pub use counts::Counts;
pub use diagnostic::{Diagnostic, Diagnostics, MAX_OF_KIND, Omitted};
pub use entry::{EntryKey, Observer, Place, Says};
pub use fatal::{Fatal, FatalCause, SectionTypes};
pub use format::{Format, Stated, UnknownFormat, Unread, is_json_text, sniff};
pub use hash_form::HashForm;
pub use kind::{Kind, UnknownKind};
pub use line::{EntryLine, LineKey};
pub use mistake::{Mistake, Special};
pub use options::{Dialect, Options};
pub use params::not_before;
pub use parsed::{Parsed, ParsedSection};
pub use parser::Parser;
pub use search::{Finder, SectionSeen, Sighting, Wanted};
pub use special::{MAX_VARIABLE, NsData, SoaData, Vars};

/// What some editors write at the start of a file of UTF-8: it is no part of the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The most name servers of a `$NS` line that count.
pub const MAX_NAME_SERVERS: usize = 32;
/// The longest line that is used whole, in bytes without its newline.
pub const MAX_LINE: usize = 32_768;
/// The longest template of a TXT record, and the longest text it is written out to, in bytes: four
/// character-strings (RFC 1035 section 3.3), which with a question of usual length fit into one UDP
/// response. Longer ones are cut.
pub const MAX_TEXT: usize = 1020;
