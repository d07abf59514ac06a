//! What both servers are given: zones, datasets and files; and its text form, in which failures
//! are printed and hand-written cases are kept.
//!
//! ```text
//! options -a -t 1800
//! serve bl.example:ip4set:one,two
//! file one crlf
//! |:127.0.0.2:Listed, see $
//! |1.2.3.4
//! a-outside-127|1.2.3.5 :10.0.0.1:dnsbld refuses this line: as if it were not there
//! file two gzip open
//! |1.2.3.6
//! ```
//!
//! Files are written as in all scenarios ([`data_file`]); what stands before the bar of a line is the
//! wanted difference by which only one server takes it. `options` are those of rbldnsd's command
//! line; these here if nothing is said.

use dnsbld::wire::name::NameBuf;
use dnsbld::zonefile::{Options, Parser};
use std::fmt::{self, Display};
use std::io;
use std::net::Ipv6Addr;
use std::path::Path;

use super::server::Program;
use super::{as_meant, known_differences};
use crate::common::data_file::{self, escape, unescape};
use crate::common::name::{self, Name};

/// A type of dataset that both servers know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Ip4set,
    Ip4tset,
    Ip4trie,
    Ip6tset,
    Ip6trie,
    Dnset,
    Generic,
    Combined,
    /// Who may ask.
    Acl,
}

impl Kind {
    /// All that list something.
    pub(crate) const ALL: [Self; 8] = [
        Self::Ip4set,
        Self::Ip4tset,
        Self::Ip4trie,
        Self::Ip6tset,
        Self::Ip6trie,
        Self::Dnset,
        Self::Generic,
        Self::Combined,
    ];

    /// As in a zone specification.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ip4set => "ip4set",
            Self::Ip4tset => "ip4tset",
            Self::Ip4trie => "ip4trie",
            Self::Ip6tset => "ip6tset",
            Self::Ip6trie => "ip6trie",
            Self::Dnset => "dnset",
            Self::Acl => "acl",
            Self::Generic => "generic",
            Self::Combined => "combined",
        }
    }

    /// True if its keys are IPv4 addresses.
    pub(crate) fn is_ipv4(self) -> bool {
        matches!(self, Self::Ip4set | Self::Ip4tset | Self::Ip4trie)
    }

    /// True if its keys are IPv6 addresses.
    pub(crate) fn is_ipv6(self) -> bool {
        matches!(self, Self::Ip6tset | Self::Ip6trie)
    }
}

/// One zone specification of the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub(crate) zone: String,
    pub(crate) kind: Kind,
    pub(crate) files: Vec<String>,
}

impl Spec {
    /// The zone's apex in lower case.
    pub(crate) fn apex(&self) -> Name {
        name::lowercase(&name::from_text(self.zone.as_bytes()))
    }
}

/// What a line of a data file belongs to: itself a dataset, or a section of a combined one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Section {
    pub(crate) kind: Kind,
    /// The whole names below which its entries are.
    pub(crate) apexes: Vec<Name>,
}

impl Section {
    /// The section that a line of a combined dataset begins, if it does.
    fn begun_by(line: &[u8], zone: &Name) -> Option<Self> {
        let text = String::from_utf8_lossy(line.trim_ascii_start()).into_owned();
        let rest = text.trim_start_matches(['#', ';', ':']).strip_prefix('$')?;
        let mut words = rest.split_ascii_whitespace();
        words.next().filter(|word| word.eq_ignore_ascii_case("dataset"))?;
        let kind = words.next()?.split(':').next()?;
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let subzones = words.take_while(|word| !word.starts_with(['#', ';']));
        let subzones = subzones.filter(|word| NameBuf::from_text(word.as_bytes()).is_ok());
        let apex = |subzone: &str| match subzone {
            "@" => zone.clone(),
            _ => name::under(&name::lowercase(&name::from_text(subzone.as_bytes())), zone),
        };
        Some(Self { kind, apexes: subzones.map(apex).collect() })
    }
}

impl Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.zone, self.kind.as_str(), self.files.join(","))
    }
}

/// A line of a data file, without its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    pub(crate) text: Vec<u8>,
    /// The wanted difference by which only one server takes the line, or reads it as it is meant:
    /// rbldnsd, or for `ip4trie-ipv6` and `acl-mapped` dnsbld.
    pub(crate) only_one: Option<&'static str>,
}

impl Line {
    /// Takes the form in which rbldnsd reads what dnsbld reads in the line, if there is one.
    fn become_readable(&mut self) {
        if self.only_one != Some(known_differences::ACL_MAPPED) {
            return;
        }
        let text = String::from_utf8_lossy(&self.text).into_owned();
        let (address, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let address: Option<Ipv6Addr> = address.parse().ok();
        if let Some(mapped) = address.and_then(|address| address.to_ipv4_mapped()) {
            *self = Self::new(format!("{mapped} {rest}"));
        }
    }

    /// A line that both servers read alike.
    pub(crate) fn new(text: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into(), only_one: None }
    }
}

impl AsRef<[u8]> for Line {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// A data file.
pub(crate) type DataFile = data_file::DataFile<Line>;

/// The modification time of the first file, the next ones are a second later each: a serial
/// number that no generated `$SOA` line has.
pub(crate) const FIRST_MTIME: u32 = 1_600_000_000;

/// The options with which rbldnsd is closest to dnsbld by its own name: see `known_differences::MADE_EQUAL`.
const NATIVE_OPTIONS: [&str; 3] = ["-a", "-t", "1800"];

/// A file that is not there.
const NO_FILE: &str = "no-such-file";

/// Zones, datasets and files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scenario {
    /// Of rbldnsd's command line.
    pub(crate) options: Vec<String>,
    pub(crate) specs: Vec<Spec>,
    pub(crate) files: Vec<DataFile>,
}

impl Default for Scenario {
    fn default() -> Self {
        let options = NATIVE_OPTIONS.map(str::to_owned).to_vec();
        Self { options, specs: Vec::new(), files: Vec::new() }
    }
}

impl Scenario {
    /// The same files as dnsbld wants to read them, with the wanted differences that made them
    /// so; none if nothing in them is read differently.
    pub(crate) fn as_wanted(&self, program: Program) -> Option<(Self, Vec<&'static str>)> {
        let mut wanted = self.clone();
        let mut ids = Vec::new();
        for spec in wanted.specs.iter_mut().filter(|spec| spec.kind != Kind::Acl) {
            if known_differences::shows(known_differences::NOTHING_VALID, program)
                && self.holds_nothing_valid(spec)
            {
                spec.files = vec![NO_FILE.to_owned()];
                ids.push(known_differences::NOTHING_VALID);
            }
        }
        ids.extend(wanted.take_down_unguarded(program));
        wanted.add_ipv6_of_ip4tries();
        if known_differences::shows(known_differences::AS_MEANT, program) {
            for spec in &wanted.specs {
                for file in wanted.files.iter_mut().filter(|file| spec.files.contains(&file.name)) {
                    if as_meant::rewrite(file, spec.kind) {
                        ids.push(known_differences::AS_MEANT);
                    }
                }
            }
        }
        for file in &mut wanted.files {
            if std::mem::take(&mut file.crlf) {
                ids.push(known_differences::CRLF);
            }
            for line in &mut file.lines {
                line.only_one = line.only_one.filter(|id| known_differences::shows(id, program));
                ids.extend(line.only_one);
                line.become_readable();
            }
            file.lines.retain(|line| line.only_one.is_none());
        }
        ids.sort_unstable();
        ids.dedup();
        (!ids.is_empty()).then_some((wanted, ids))
    }

    /// Takes the files from zones whose access list cannot be read, which is no way to get in.
    fn take_down_unguarded(&mut self, program: Program) -> Option<&'static str> {
        let lost = |spec: &&Spec| {
            let packed = self.options.iter().any(|option| option == "-C");
            let is_lost = |name| self.file(name).is_none_or(|file| packed && file.gzip);
            let refused = known_differences::shows(known_differences::NOTHING_VALID, program)
                && self.holds_nothing_valid(spec);
            spec.kind == Kind::Acl && (refused || spec.files.iter().any(|name| is_lost(name)))
        };
        let apexes: Vec<Name> = self.specs.iter().filter(lost).map(Spec::apex).collect();
        for spec in self.specs.iter_mut().filter(|spec| spec.kind != Kind::Acl) {
            if apexes.iter().any(|apex| apex.is_empty() || *apex == spec.apex()) {
                spec.files = vec![NO_FILE.to_owned()];
            }
        }
        (!apexes.is_empty()).then_some(known_differences::ACL_NOT_LOADED)
    }

    /// True if the files of a dataset have no entry and are not just an empty list either: not a
    /// byte, or lines that cannot be used.
    fn holds_nothing_valid(&self, spec: &Spec) -> bool {
        let Ok(kind) = spec.kind.as_str().parse() else { return false };
        let files: Option<Vec<&DataFile>> = spec.files.iter().map(|name| self.file(name)).collect();
        let Some(files) = files else { return false };
        let mut parser = Parser::new(kind, Options { now: 0xffff_ffff, ..Options::default() });
        let mut empty = true;
        for file in files {
            let bytes = file.bytes();
            empty &= bytes.is_empty();
            parser.start_file();
            if parser.feed(&bytes).and_then(|()| parser.end_file()).is_err() {
                return false;
            }
        }
        parser.entries() == 0 && (empty || parser.diagnostics().refused > 0)
    }

    /// Puts the IPv6 lines of `ip4trie` datasets into `ip6trie` ones beside them.
    fn add_ipv6_of_ip4tries(&mut self) {
        let is_ipv6 = |line: &Line| line.only_one == Some(known_differences::IP4TRIE_IPV6);
        let is_special = |line: &Line| {
            let text = line.text.trim_ascii_start();
            text.starts_with(b"$") || text.get(1) == Some(&b'$')
        };
        for spec in self.specs.clone() {
            let files: Vec<&DataFile> =
                spec.files.iter().filter_map(|name| self.file(name)).collect();
            // Exclusions alone make it no list of IPv6 addresses.
            let lists =
                |line: &Line| is_ipv6(line) && !line.text.trim_ascii_start().starts_with(b"!");
            let any = files.iter().any(|file| file.lines.iter().any(lists));
            if spec.kind != Kind::Ip4trie || !any {
                continue;
            }
            let added: Vec<DataFile> = files
                .into_iter()
                .map(|file| {
                    let mut file = file.clone();
                    file.name.push_str("-ipv6");
                    file.lines.retain(|line| is_ipv6(line) || is_special(line));
                    file.lines.iter_mut().for_each(|line| line.only_one = None);
                    file
                })
                .collect();
            let files = added.iter().map(|file| file.name.clone()).collect();
            self.specs.push(Spec { kind: Kind::Ip6trie, files, ..spec });
            self.files.extend(added);
        }
    }

    /// True if the options are not those that come closest to dnsbld by its own name.
    pub(crate) fn has_own_options(&self) -> bool {
        self.options != NATIVE_OPTIONS
    }

    /// True if the options ask for answers without NS records in the authority section.
    pub(crate) fn is_minimal(&self) -> bool {
        let letters = self.options.iter().filter(|option| option.starts_with('-'));
        let last = letters.flat_map(|option| option.chars()).rfind(|c| "aA".contains(*c));
        last == Some('a')
    }

    /// The same without the specifications at `places`.
    pub(crate) fn without(&self, places: &[usize]) -> Self {
        let mut specs = self.specs.clone();
        let mut place = 0..;
        specs.retain(|_| !places.contains(&place.next().expect("the range has no end")));
        Self { specs, ..self.clone() }
    }

    /// Writes the files to `folder`, readable by everyone, with set modification times.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        for (file, mtime) in self.files.iter().zip(u64::from(FIRST_MTIME)..) {
            file.write(folder, mtime)?;
        }
        Ok(())
    }

    /// The lines of a dataset, each with the section it belongs to.
    pub(crate) fn lines<'s>(&'s self, spec: &'s Spec) -> Vec<(Section, &'s Line)> {
        let zone = spec.apex();
        let mut section = Section { kind: spec.kind, apexes: vec![zone.clone()] };
        let mut lines = Vec::new();
        for line in spec.files.iter().filter_map(|file| self.file(file)).flat_map(|f| &f.lines) {
            if spec.kind == Kind::Combined
                && let Some(next) = Section::begun_by(&line.text, &zone)
            {
                section = next;
            } else {
                lines.push((section.clone(), line));
            }
        }
        lines
    }

    /// The sections of a combined dataset.
    pub(crate) fn sections(&self, spec: &Spec) -> Vec<Section> {
        let lines = spec.files.iter().filter_map(|file| self.file(file)).flat_map(|f| &f.lines);
        lines.filter_map(|line| Section::begun_by(&line.text, &spec.apex())).collect()
    }

    /// The file called `name`, if there is one.
    pub(crate) fn file(&self, name: &str) -> Option<&DataFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Reads one line of the text form; false if it is not one.
    pub(crate) fn read_line(&mut self, line: &str) -> Result<bool, String> {
        if let Some(options) = line.strip_prefix("options ") {
            self.options = options.split_whitespace().map(str::to_owned).collect();
        } else if let Some(spec) = line.strip_prefix("serve ") {
            let mut parts = spec.split(':');
            let (Some(zone), Some(kind), Some(files), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return Err(format!("not zone:type:files: {spec}"));
            };
            let mut kinds = Kind::ALL.into_iter().chain([Kind::Acl]);
            let kind = kinds.find(|known| known.as_str() == kind);
            let kind = kind.ok_or_else(|| format!("unknown type in {spec}"))?;
            let files = files.split(',').map(str::to_owned).collect();
            self.specs.push(Spec { zone: zone.to_owned(), kind, files });
        } else if let Some(file) = line.strip_prefix("file ") {
            self.files.push(DataFile::from_text(file)?);
        } else if let Some((id, text)) = line.split_once('|')
            && !id.contains(' ')
        {
            let file = self.files.last_mut().ok_or("a line before the first file")?;
            let only_one =
                if id.is_empty() { None } else { Some(known_differences::difference(id)?.id) };
            file.lines.push(Line { text: unescape(text)?, only_one });
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

impl Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_own_options() {
            writeln!(f, "options {}", self.options.join(" "))?;
        }
        for spec in &self.specs {
            writeln!(f, "serve {spec}")?;
        }
        for file in &self.files {
            writeln!(f, "{file}")?;
            for line in &file.lines {
                writeln!(f, "{}|{}", line.only_one.unwrap_or_default(), escape(&line.text))?;
            }
        }
        Ok(())
    }
}

#[test]
fn a_scenario_comes_back_from_its_text() {
    let text = "serve bl.example:ip4set:one,two\nserve l1.example:dnset:two\nfile one crlf gzip\n\
                |a\\\\b\\x09\\xff|c\na-outside-127|1.2.3.4 :10.0.0.1:\nfile two open\n|x\n|\n";
    let mut scenario = Scenario::default();
    for line in text.lines() {
        assert_eq!(scenario.read_line(line), Ok(true));
    }
    assert_eq!(scenario.to_string(), text);
    assert_eq!(scenario.files[0].lines[0].text, b"a\\b\t\xff|c");
    assert_eq!(scenario.files[1].bytes(), b"x\n");
    let (wanted, ids) =
        scenario.as_wanted(Program::Dnsbld).expect("CRLF, a value outside 127/8, and no entry");
    assert_eq!(
        ids,
        [
            known_differences::A_OUTSIDE_127,
            known_differences::CRLF,
            known_differences::NOTHING_VALID
        ]
    );
    assert_eq!(wanted.files[0].bytes(), b"a\\b\t\xff|c\n");
}
