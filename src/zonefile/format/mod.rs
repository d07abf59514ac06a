//! Text forms other than rbldnsd's in which lists are published: from a line to the keys it names.
//!
//! A reader is a function of a line. It knows the form alone: what its keys are worth is decided where
//! entries are taken, by the rules of the dataset type. Readers keep nothing of a line but what the form
//! carries from line to line (the column of a CSV file, the origin of an RPZ zone).
//!
//! | form | a line | keys |
//! |---|---|---|
//! | `hosts` | `0.0.0.0 bad.example worse.example` | all names (hosts(5)) |
//! | `adblock` | `\|\|bad.example^$third-party` | the name and what is below; `@@` excludes |
//! | `urls` | `https://bad.example/login` | the host |
//! | `csv` | `"bad.example",phishing` | one column (RFC 4180) |
//! | `jsonl` | `{"cidr":"192.0.2.0/24","sblid":"SBL1"}` | one field; the text from `sblid` |
//! | `rpz` | `bad.example CNAME .` | the name; `rpz-passthru.` excludes |
//! | `dnsmasq` | `address=/bad.example/0.0.0.0` | the names and what is below |
//! | `domains` | `bad.example.` | the name |

mod adblock;
mod csv;
mod dnsmasq;
mod hosts;
mod jsonl;
mod key;
mod rpz;
mod sniff;
#[cfg(test)]
mod tests;
mod urls;

pub use jsonl::Stated;
pub(super) use key::Key;
pub use sniff::{is_json_text, sniff};

use super::Kind;
use crate::listing::names::Scope;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// How the lines of a file are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Format {
    /// rbldnsd's own formats, one for each dataset type.
    #[default]
    Rbldnsd,
    /// An address and the names that have it (hosts(5)).
    Hosts,
    /// Filter rules of AdBlock and its kin.
    Adblock,
    /// URLs, or hosts with a path or a port.
    Urls,
    /// Fields between commas, semicolons or tabs.
    Csv,
    /// A JSON object in each line, as Spamhaus publishes DROP.
    Jsonl,
    /// A response policy zone in master file format.
    Rpz,
    /// Settings of dnsmasq.
    Dnsmasq,
    /// A domain name in each line.
    Domains,
}

impl Format {
    const NAMES: [(&'static str, Self); 9] = [
        ("rbldnsd", Self::Rbldnsd),
        ("hosts", Self::Hosts),
        ("adblock", Self::Adblock),
        ("urls", Self::Urls),
        ("csv", Self::Csv),
        ("jsonl", Self::Jsonl),
        ("rpz", Self::Rpz),
        ("dnsmasq", Self::Dnsmasq),
        ("domains", Self::Domains),
    ];

    /// What a file in this format is, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Rbldnsd => "a list in rbldnsd's format",
            Self::Hosts => "a hosts file",
            Self::Adblock => "a filter list of AdBlock's kind",
            Self::Urls => "a list of URLs",
            Self::Csv => "a CSV file",
            Self::Jsonl => "a file of JSON lines",
            Self::Rpz => "a response policy zone",
            Self::Dnsmasq => "a configuration of dnsmasq",
            Self::Domains => "a list of domain names",
        }
    }

    /// The names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|&(name, _)| name)
    }

    /// True if a dataset of this type can be read in this format.
    pub fn suits(self, kind: Kind) -> bool {
        let is_list = !kind.is_access_list() && !matches!(kind, Kind::Generic | Kind::Combined);
        match self {
            Self::Rbldnsd => true,
            _ if self.is_for_names_alone() => matches!(kind, Kind::Dnset | Kind::Mixed),
            _ => is_list && kind != Kind::Hashset,
        }
    }

    /// True if the keys of this format may be addresses, in a dataset of this type. Filters and lists of
    /// names have some among their names, which `mixed` takes.
    pub(super) fn has_addresses(self, kind: Kind) -> bool {
        match self {
            Self::Adblock | Self::Domains => kind == Kind::Mixed,
            _ => !self.is_for_names_alone(),
        }
    }

    /// True if this format is about names, and no type of addresses alone can be read in it.
    pub fn is_for_names_alone(self) -> bool {
        matches!(self, Self::Hosts | Self::Adblock | Self::Rpz | Self::Dnsmasq | Self::Domains)
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|&(_, format)| format).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            Self::NAMES.iter().find(|(_, format)| format == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// A name that is not the name of a format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownFormat(pub String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown format `{}`: expected one of", self.0)?;
        for (i, name) in Format::names().enumerate() {
            write!(f, "{} {name}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownFormat {}

/// What a line says of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Item<'l> {
    /// The key as the line spells it.
    pub(super) key: Cow<'l, [u8]>,
    /// Where the key starts in the line, in bytes.
    pub(super) at: usize,
    /// The key is not to be listed.
    pub(super) excluded: bool,
    /// What is listed if the key is a name.
    pub(super) scope: Scope,
    /// The text of the entry, if it has one of its own.
    pub(super) text: Option<Cow<'l, [u8]>>,
}

impl<'l> Item<'l> {
    /// A listed name, or an address.
    fn new(key: &'l [u8], at: usize) -> Self {
        Self { key: Cow::Borrowed(key), at, excluded: false, scope: Scope::Itself, text: None }
    }

    fn scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    fn excluded(self, excluded: bool) -> Self {
        Self { excluded, ..self }
    }
}

/// Why a line of a form is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// The line has no key where the form has one.
    NoKey,
    /// A rule of a filter list that is about more than a name.
    NotAName,
    /// An option that makes a rule of a filter list do something else than block a name.
    OtherOption,
    /// A quote is not closed.
    OpenQuote,
    /// The line is no JSON object.
    NotJson,
    /// The record of a policy zone neither lists nor excludes a name.
    NoPolicy,
    /// The owner of the record is not below the origin of the zone.
    OutOfZone,
    /// A directive of a zone that may stand for records (`$INCLUDE`, `$GENERATE`).
    OtherDirective,
    /// A setting that lists nothing.
    OtherSetting,
    /// No column has this name.
    NoColumn,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "the line has no address and no name where this format has one",
            Self::NotAName => "the rule is about more than a domain name; only ||name^ can be listed",
            Self::OtherOption => {
                "an option of the rule makes it do something else than block the name"
            }
            Self::OpenQuote => "a quote is opened and not closed in this line",
            Self::NotJson => "the line is not a JSON object",
            Self::NoPolicy => {
                "the record lists nothing; expected CNAME with the target `.`, `*.`, `rpz-drop.` or `rpz-passthru.`"
            }
            Self::OutOfZone => "the owner is not below the origin of the zone",
            Self::OtherDirective => {
                "the directive is not read: write its records out; expected $ORIGIN or $TTL"
            }
            Self::OtherSetting => "the setting lists nothing; expected server=, address= or local=",
            Self::NoColumn => "no column of the header has the name that `column` gives",
        })
    }
}

/// A line that is not used: where it goes wrong, and why.
pub(super) type Refusal = (usize, Unread);

/// Reads the lines of the files of one dataset.
#[derive(Clone, Debug)]
pub(super) enum Reader {
    Hosts,
    Adblock,
    Urls,
    Csv(csv::Csv),
    Jsonl(jsonl::Jsonl),
    Rpz(rpz::Rpz),
    Dnsmasq,
    Domains,
}

impl Reader {
    /// The reader of a format for datasets of a type; `None` for rbldnsd's own format. `column` is the
    /// column or field of the key.
    pub(super) fn new(kind: Kind, format: Format, column: Option<&str>) -> Option<Self> {
        Some(match format {
            Format::Rbldnsd => return None,
            Format::Hosts => Self::Hosts,
            Format::Adblock => Self::Adblock,
            Format::Urls => Self::Urls,
            Format::Csv => Self::Csv(csv::Csv::new(column)),
            Format::Jsonl => Self::Jsonl(jsonl::Jsonl::new(kind, column)),
            Format::Rpz => Self::Rpz(rpz::Rpz::default()),
            Format::Dnsmasq => Self::Dnsmasq,
            Format::Domains => Self::Domains,
        })
    }

    /// Starts the first file, or the next one.
    pub(super) fn start_file(&mut self) {
        match self {
            Self::Csv(csv) => csv.start_file(),
            Self::Rpz(rpz) => *rpz = rpz::Rpz::default(),
            _ => {}
        }
    }

    /// Takes a line without its newline, and tells `say` each of its keys.
    pub(super) fn line<'l>(
        &mut self,
        line: &'l [u8],
        say: &mut dyn FnMut(Item<'l>),
    ) -> Result<(), Refusal> {
        match self {
            Self::Hosts => hosts::line(line, say),
            Self::Adblock => adblock::line(line, say),
            Self::Urls => urls::line(line, say),
            Self::Csv(csv) => csv.line(line, say),
            Self::Jsonl(jsonl) => jsonl.line(line, say),
            Self::Rpz(rpz) => rpz.line(line, say),
            Self::Dnsmasq => dnsmasq::line(line, say),
            Self::Domains => {
                domain(line, say);
                Ok(())
            }
        }
    }

    /// The line and the column, both from 1, of a parenthesis that is not closed.
    pub(super) fn open_parenthesis(&self) -> Option<(u32, u32)> {
        match self {
            Self::Rpz(rpz) => rpz.open_parenthesis(),
            _ => None,
        }
    }

    /// What the files say of themselves.
    pub(super) fn stated(&self) -> Stated {
        match self {
            Self::Jsonl(jsonl) => jsonl.stated(),
            _ => Stated::default(),
        }
    }
}

/// A line of one name; what follows it is a remark.
fn domain<'l>(line: &'l [u8], say: &mut dyn FnMut(Item<'l>)) {
    let Some((at, word)) = words(line).next() else { return };
    if is_remark(word) || word.starts_with(b"!") || word.starts_with(b"//") {
        return;
    }
    // A remark may follow the name without a blank.
    let name = word.split(|&byte| byte == b'#').next().unwrap_or(word);
    say(scoped(name, at));
}

/// A name with its scope as `dnset` writes it: `name`, `.name` or `*.name`.
fn scoped(word: &[u8], at: usize) -> Item<'_> {
    if let Some(name) = word.strip_prefix(b"*.") {
        Item::new(name, at + 2).scope(Scope::Below)
    } else if let Some(name) = word.strip_prefix(b".") {
        Item::new(name, at + 1).scope(Scope::Both)
    } else {
        Item::new(word, at)
    }
}

/// The words of a line, each with where it starts.
fn words(line: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    // With the vertical tab: isspace(3) of other readers counts it, and a name must not keep it.
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\x0b';
    let mut end = 0;
    std::iter::from_fn(move || {
        let start = end + line[end..].iter().position(|byte| !is_blank(byte))?;
        end = line[start..].iter().position(is_blank).map_or(line.len(), |len| start + len);
        Some((start, &line[start..end]))
    })
}

fn is_remark(word: &[u8]) -> bool {
    matches!(word.first(), Some(b'#' | b';'))
}
