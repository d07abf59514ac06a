//! Why data cannot be loaded, and what to do about it.

use super::finding::Finding;
use crate::util::memory::Shortage;
use crate::util::text::counted;
use crate::zonefile::{self, Format};
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What is wrong with a file of a dataset. Its text names the file, the rule of the guard that it breaks, if
/// it is one, and the fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file, as the configuration names it.
    pub file: PathBuf,
    /// The fault.
    pub cause: Cause,
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, cause } = self;
        match cause.rule() {
            None => write!(f, "{}: {cause}", file.display()),
            Some(rule) => write!(f, "{}: guard {rule}: {cause}", file.display()),
        }
    }
}

/// A fault of a file, or of a candidate built from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// There is no file, or a symlink leads to nothing.
    Vanished,
    /// The operating system does not let the process open or read the file.
    Unreadable(String),
    /// Symlinks lead in a circle.
    SymlinkLoop,
    /// The operating system's other reasons not to open or read the file, such as a broken disk.
    Failing(String),
    /// The process has no descriptor left to open it with.
    NoDescriptor,
    /// The path names something else: "directory", "fifo", "socket", "device".
    NotAFile(&'static str),
    /// The file changed while it was read: what was read may be half old and half new.
    Torn,
    /// `rsync --partial` was stopped: the file is a beginning of the new one, or a mixture.
    Interrupted,
    /// The file is compressed and decompression is switched off.
    Compressed,
    /// The gzip data is damaged or cut off.
    CorruptGzip(String),
    /// The (unpacked) content is longer than this many bytes.
    TooBig(u64),
    /// The content is more than this many times as long as the gzip data, which no list is.
    Bomb(u64),
    /// There are bytes of value zero, or others that no text has: it is something else, or has holes.
    Binary,
    /// It is this, told by how it begins, and no text.
    Foreign(&'static str),
    /// The parser rejects the whole file for this line, for instance a `$TIMESTAMP` in the future.
    Rejected(zonefile::Fatal),
    /// Who takes the content rejects the whole file.
    Fatal(String),
    /// The file holds no bytes at all.
    Empty,
    /// The content is HTML or XML: an error page, or a word from the publisher, but no list.
    Markup,
    /// It is a list in this form, and not in the one that the dataset reads.
    OtherForm {
        /// The form that the file begins in.
        format: Format,
        /// True if the type of the dataset can be read in that form.
        suits: bool,
    },
    /// It is one JSON text, and not an object in each line.
    JsonText,
    /// Loading it takes more memory than the settings allow.
    NoMemory(Shortage),
    /// It is a compiled dataset that cannot be used here.
    Snapshot(String),
    /// It is a snapshot, where the settings do not say that one may come.
    UnaskedSnapshot,
    /// Every line that should be an entry is invalid.
    NothingValid {
        /// The number of invalid lines.
        bad_lines: u64,
        /// What is wrong with the first of them.
        first: Option<String>,
    },
    /// The file is well formed but lists nothing, and would delist everything that is served of it.
    WouldDelistAll {
        /// The number of entries that are served of it.
        entries: u64,
    },
    /// A rule of the guard finds the data as a whole to be wrong.
    Guard {
        /// What it finds.
        finding: Finding,
        /// The first lines or ranges that are wrong, at most [`MAX_SHOWN`](super::MAX_SHOWN).
        shown: Vec<String>,
    },
    /// The data has expired by its own account, and what is served has not.
    Expired,
    /// The candidate was refused for another reason.
    Refused(String),
}

impl Cause {
    /// Why a file that is there cannot be opened or read.
    pub(super) fn unreadable(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => Self::Unreadable(error.to_string()),
            Some(libc::ELOOP) => Self::SymlinkLoop,
            _ => Self::Failing(error.to_string()),
        }
    }

    /// True if there is nothing to judge: the source is away, not wrong.
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Vanished
                | Self::Unreadable(_)
                | Self::SymlinkLoop
                | Self::Failing(_)
                | Self::NoDescriptor
                | Self::NotAFile(_)
                | Self::Torn
                | Self::Interrupted
        )
    }

    /// True if the same bytes may be found good later: reading them again is worth a try.
    pub fn may_pass_by_itself(&self) -> bool {
        match self {
            Self::Interrupted => false,
            Self::Rejected(_) | Self::Fatal(_) | Self::Refused(_) | Self::NoMemory(_) => true,
            other => other.is_absence(),
        }
    }

    /// The name of the rule of the guard that the data breaks, if it is one; `docs/guards.md` has them all.
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Guard { finding, .. } => Some(finding.rule()),
            Self::Foreign(_) | Self::Markup | Self::Binary => Some("foreign"),
            Self::OtherForm { .. } => Some("wrong-form"),
            Self::Bomb(_) => Some("expansion"),
            Self::Interrupted => Some("interrupted"),
            Self::NothingValid { .. } => Some("nothing-valid"),
            Self::Empty => Some("empty"),
            Self::WouldDelistAll { .. } => Some("delisting"),
            Self::Expired => Some("expired"),
            _ => None,
        }
    }

    /// The first lines or ranges that are wrong.
    pub fn shown(&self) -> &[String] {
        match self {
            Self::Guard { shown, .. } => shown,
            Self::NothingValid { first, .. } => first.as_slice(),
            _ => &[],
        }
    }

    /// What the administrator of the dataset can do, as one sentence without an end. `accept` is the command
    /// that has the file served all the same, if there is one.
    pub fn remedy(&self, accept: Option<&str>) -> Cow<'static, str> {
        let Self::Guard { finding, .. } = self else {
            let remedy = self.usual_remedy();
            return match accept.filter(|_| self.may_be_accepted()) {
                Some(accept) => {
                    format!("{remedy}; to serve it all the same, run `{accept}`").into()
                }
                None => remedy.into(),
            };
        };
        let rule = finding.rule();
        let setting = match finding.setting() {
            "off" => format!("off = [\"{rule}\"]"),
            "sentinels" => "sentinels = false".to_owned(),
            setting => format!("another {setting}"),
        };
        let accept = accept.map_or(String::new(), |accept| format!("run `{accept}`, or "));
        format!(
            "look at the new file; if it is right, {accept}set {setting} in the guard table of the dataset"
        )
        .into()
    }

    /// True if a list can be made of the file all the same, if somebody says so.
    pub fn may_be_accepted(&self) -> bool {
        self.rule().is_some() && !matches!(self, Self::Foreign(_) | Self::Bomb(_))
    }

    /// What helps whatever the dataset is.
    fn usual_remedy(&self) -> &'static str {
        match self {
            Self::Vanished => "check the mirror job and the path in the configuration",
            Self::Unreadable(_) => {
                "let the server's user read the file and search every folder on the way to it; if that user may, \
                 the folder was not there at the start (server.sandbox): restart the server"
            }
            Self::SymlinkLoop => "mend the symlinks on the way to it: they lead in a circle",
            Self::Failing(_) => {
                "check the disk or file system that it lies on, and what the system's log says of it"
            }
            Self::NoDescriptor => {
                "raise the limit of open files (LimitNOFILE= of a systemd unit), or lower tcp-connections"
            }
            Self::NotAFile(_) => "put a regular file, or a symlink to one, in its place",
            Self::Torn => {
                "it is read again when it has been quiet for a while; if this stays, \
                           mirror without --inplace"
            }
            Self::Interrupted => "run the mirror job again, and without --partial",
            Self::Compressed => "unpack the file, or allow decompression",
            Self::CorruptGzip(_) => "fetch the file again, and check it with gzip -t",
            Self::TooBig(_) => {
                "check what the file is, or split it into several files of the dataset"
            }
            Self::Bomb(_) => "check what the file is, or unpack it before it is served",
            Self::Binary => {
                "fetch the file again: it is packed, no list at all, or damaged by a crash or a full \
                 disk"
            }
            Self::Foreign(_) => "put text or gzip data of text in its place",
            Self::Rejected(_) | Self::Fatal(_) => "correct the file, or ask its publisher",
            Self::Empty => {
                "fetch the file again, or set accept-empty = true for the dataset if it is meant \
                 to be empty"
            }
            Self::Markup => {
                "read it: a web server's error page, or a word from the publisher, is not a list"
            }
            Self::OtherForm { format, suits } => other_form_remedy(*format, *suits),
            Self::JsonText => {
                "write an object into each line, as `jq -c '.[]'` does of an array, and set format = \
                 \"jsonl\" for the dataset"
            }
            Self::Snapshot(_) => {
                "make it anew with `dnsbld compile` of this version, with the dataset's type and \
                 options"
            }
            Self::NoMemory(_) => {
                "raise max-memory in the [server] settings, or MemoryMax= of the unit, if there \
                 is more; or serve a smaller list"
            }
            Self::UnaskedSnapshot => {
                "fetch the list as text, or set accept-snapshot = true for the dataset if you \
                 compiled it yourself"
            }
            Self::NothingValid { .. } => {
                "check that this is the right file and the right dataset type"
            }
            Self::WouldDelistAll { .. } => {
                "fetch the file again, or set accept-empty = true for the dataset if the list was \
                 shut down"
            }
            Self::Expired => "fetch newer data",
            Self::Guard { .. } | Self::Refused(_) => {
                "check the new file against the one that is served"
            }
        }
    }
}

/// The settings that read a list in this form.
fn other_form_remedy(format: Format, suits: bool) -> &'static str {
    match (format, suits) {
        (Format::Hosts, true) => "set format = \"hosts\" for the dataset",
        (Format::Hosts, false) => "set type = \"dnset\" and format = \"hosts\" for the dataset",
        (Format::Adblock, true) => "set format = \"adblock\" for the dataset",
        (Format::Adblock, false) => "set type = \"dnset\" and format = \"adblock\" for the dataset",
        (Format::Urls, true) => "set format = \"urls\" for the dataset",
        (Format::Urls, false) => "set format = \"urls\" for the dataset, and a type of lists",
        (Format::Csv, _) => {
            "set format = \"csv\" for the dataset, and column if it is not the first"
        }
        (Format::Jsonl, true) => "set format = \"jsonl\" for the dataset",
        (Format::Jsonl, false) => "set format = \"jsonl\" for the dataset, and a type of lists",
        (Format::Rpz, true) => "set format = \"rpz\" for the dataset",
        (Format::Rpz, false) => "set type = \"dnset\" and format = \"rpz\" for the dataset",
        (Format::Dnsmasq, true) => "set format = \"dnsmasq\" for the dataset",
        (Format::Dnsmasq, false) => "set type = \"dnset\" and format = \"dnsmasq\" for the dataset",
        (Format::Domains | Format::Rbldnsd, _) => "set the format of the dataset",
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vanished => f.write_str("there is no such file"),
            Self::Unreadable(reason) | Self::Failing(reason) => {
                write!(f, "cannot be read: {reason}")
            }
            Self::SymlinkLoop => f.write_str("cannot be read: too many levels of symlinks"),
            Self::NoDescriptor => f.write_str("cannot be read: too many files are open"),
            Self::NotAFile(kind) => write!(f, "is a {kind}, not a regular file"),
            Self::Torn => f.write_str("changed while it was read"),
            Self::Interrupted => f.write_str(
                "is what an interrupted rsync --partial left (its modification time is 1970)",
            ),
            Self::Compressed => f.write_str("is compressed, and decompression is switched off"),
            Self::CorruptGzip(reason) => write!(f, "the gzip data is damaged: {reason}"),
            Self::TooBig(limit) => write!(f, "holds more than {limit} bytes"),
            Self::Bomb(times) => write!(f, "unpacks to more than {times} times its size"),
            Self::Binary => {
                f.write_str("is no text: it has bytes of value zero, or others that no text has")
            }
            Self::Foreign(what) => write!(f, "is no list but {what}"),
            Self::Rejected(fatal) => fatal.fmt(f),
            Self::Fatal(reason) | Self::Refused(reason) => f.write_str(reason),
            Self::Empty => f.write_str("holds no bytes"),
            Self::Guard { finding, shown } if shown.is_empty() => finding.fmt(f),
            Self::Guard { finding, shown } => {
                write!(f, "{finding}, the first: {}", shown.join(", "))
            }
            Self::Expired => f.write_str(
                "the data has expired by its $TIMESTAMP line, and what is served has not",
            ),
            Self::Markup => f.write_str("is an HTML or XML page"),
            Self::OtherForm { format, .. } => {
                write!(f, "is {}, and not in rbldnsd's format", format.describe())
            }
            Self::JsonText => f.write_str("is one JSON text, and not an object in each line"),
            Self::Snapshot(reason) => write!(f, "is a snapshot, but {reason}"),
            Self::NoMemory(Shortage { used, expected, max }) => {
                let [used, expected, max] = [used, expected, max].map(|bytes| bytes >> 20);
                write!(
                    f,
                    "takes too much memory: the server has {used} MiB and would have {expected} \
                     MiB of the {max} MiB of max-memory"
                )
            }
            Self::UnaskedSnapshot => f.write_str("is a snapshot, and the dataset takes in none"),
            Self::NothingValid { bad_lines, first } => {
                let lines = counted(*bad_lines, "line is", "lines are");
                write!(f, "holds nothing valid, {lines} wrong")?;
                match first {
                    Some(first) => write!(f, ", the first: {first}"),
                    None => Ok(()),
                }
            }
            Self::WouldDelistAll { entries } => {
                let entries = counted(*entries, "entry is", "entries are");
                write!(f, "lists nothing, while {entries} served")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_where_what_by_which_rule_and_the_remedy() {
        let cause = Cause::Vanished;
        let problem = Problem { file: "zones/l2".into(), cause };
        assert_eq!(problem.to_string(), "zones/l2: there is no such file");
        let finding = Finding::Shrank { entries: 1, before: 1900 };
        let cause = Cause::Guard { finding, shown: Vec::new() };
        let problem = Problem { file: "zones/l2".into(), cause };
        let text = "zones/l2: guard shrank: has 1 entry, and had 1900 before";
        assert_eq!(problem.to_string(), text);
        let remedy = "look at the new file; if it is right, run `dnsbld accept l2`, or set another \
                      shrink in the guard table of the dataset";
        assert_eq!(problem.cause.remedy(Some("dnsbld accept l2")), remedy);
        let remedy = "look at the new file; if it is right, set another shrink in the guard table of the \
                      dataset";
        assert_eq!(problem.cause.remedy(None), remedy);
    }

    /// Whatever the fault, the server's user was to be let read the file.
    #[test]
    fn each_error_of_the_system_has_its_remedy() {
        let remedy = |error| Cause::unreadable(&io::Error::from_raw_os_error(error)).remedy(None);
        assert!(remedy(libc::EACCES).contains("the server's user"));
        assert!(remedy(libc::ELOOP).contains("symlinks"));
        for error in [libc::EIO, libc::EAGAIN, libc::ESTALE] {
            assert!(remedy(error).contains("disk or file system"), "{error}");
        }
    }

    /// There is no setting for the limit; each file may be that long.
    #[test]
    fn a_limit_that_nobody_can_raise_is_not_to_be_raised() {
        let remedy = Cause::TooBig(4 << 30).remedy(None);
        assert!(remedy.contains("split it into several files"), "{remedy}");
    }

    #[test]
    fn one_is_not_many() {
        let text = |bad_lines, first: Option<&str>| {
            Cause::NothingValid { bad_lines, first: first.map(str::to_owned) }.to_string()
        };
        assert_eq!(text(1, None), "holds nothing valid, 1 line is wrong");
        assert_eq!(text(2, Some("x")), "holds nothing valid, 2 lines are wrong, the first: x");
        let text = |entries| Cause::WouldDelistAll { entries }.to_string();
        assert_eq!(text(1), "lists nothing, while 1 entry is served");
        assert_eq!(text(2), "lists nothing, while 2 entries are served");
    }
}
