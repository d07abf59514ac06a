//! The sections of a `combined` dataset: datasets of other types, each for some subzones
//! (rbldnsd's manual, "combined Dataset").

use super::collector::Collector;
use super::fatal::{Refused, SectionTypes};
use super::scan::Scan;
use super::special::Local;
use super::{Diagnostics, Dialect, FatalCause, Kind, Mistake, Options, ParsedSection, Special};
use crate::wire::name::NameBuf;
use std::collections::HashMap;

/// The most sections of a dataset: each is a dataset of its own, with arrays and numbers that take memory
/// however little is in it.
pub(super) const MAX_SECTIONS: usize = 10_000;
/// The most subzones of all sections.
pub(super) const MAX_SUBZONES: usize = 65_536;
/// The most sections of one subzone: a query for a name in it looks into each of them.
pub(super) const MAX_SECTIONS_OF_SUBZONE: usize = 16;

/// The sections so far.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) done: Vec<ParsedSection>,
    /// The last one. It goes on in the next file after any special line.
    pub(super) last: Option<Box<SectionReader>>,
    /// Whether entry lines belong to the last one: not at the start of a file.
    pub(super) is_open: bool,
    /// What the ends of sections have shown, for the end of all: the lines may be of an earlier file
    /// than the one that is being read.
    pub(super) late: Diagnostics,
    /// The number of sections, of the subzones that they are for, and of those for each subzone.
    count: usize,
    subzones: usize,
    of_subzone: HashMap<Box<[u8]>, usize>,
}

impl Sections {
    /// The section that entry lines belong to.
    pub(super) fn open(&mut self) -> Option<&mut SectionReader> {
        self.last.as_deref_mut().filter(|_| self.is_open)
    }

    /// Goes on with the next section, unless there are too many.
    pub(super) fn begin(&mut self, section: SectionReader) -> Result<(), FatalCause> {
        self.count += usize::from(!section.apexes.is_empty());
        self.subzones += section.apexes.len();
        let mut apexes: Vec<_> = section.apexes.iter().map(NameBuf::as_wire).collect();
        apexes.sort_unstable();
        apexes.dedup();
        let mut of_one = 0;
        for apex in apexes {
            let count = self.of_subzone.entry(apex.into()).or_default();
            *count += 1;
            of_one = of_one.max(*count);
        }
        if self.count > MAX_SECTIONS {
            return Err(FatalCause::ManySections(MAX_SECTIONS));
        }
        if self.subzones > MAX_SUBZONES {
            return Err(FatalCause::ManySubzones(MAX_SUBZONES));
        }
        if of_one > MAX_SECTIONS_OF_SUBZONE {
            return Err(FatalCause::ManySectionsOfSubzone(MAX_SECTIONS_OF_SUBZONE));
        }
        (self.last, self.is_open) = (Some(Box::new(section)), true);
        Ok(())
    }
}

/// A section that is being read.
#[derive(Debug)]
pub(super) struct SectionReader {
    name: Box<str>,
    pub(super) apexes: Vec<NameBuf>,
    pub(super) local: Local,
    pub(super) collector: Collector,
}

impl SectionReader {
    /// Takes a `$DATASET` line from behind that word; `common` is what stands before all sections.
    /// Returns warnings, each with its place.
    pub(super) fn new(
        scan: &mut Scan<'_>,
        options: &Options,
        common: &Local,
    ) -> Result<(Self, Vec<(usize, Mistake)>), Refused> {
        let mut words = std::iter::from_fn(|| {
            let at = scan.at();
            let is_over = scan.is_end() || matches!(scan.peek(), b'#' | b';');
            (!is_over).then(|| (at, scan.word()))
        });
        let (_, word) = words.next().ok_or(Special::Dataset)?;
        let colon = memchr::memchr(b':', word);
        let (kind, name) = colon.map_or((word, &[][..]), |at| (&word[..at], &word[at + 1..]));
        let kind = str::from_utf8(kind).ok().and_then(|kind| kind.parse::<Kind>().ok());
        let is_known = |kind: &Kind| options.dialect == Dialect::Native || kind.is_of_rbldnsd();
        let kind = kind.filter(|kind| kind.is_for_section() && is_known(kind));
        let collector = kind
            .and_then(|kind| Collector::new(kind, options))
            .ok_or(FatalCause::SectionType(SectionTypes))?;
        let (mut apexes, mut warnings) = (Vec::new(), Vec::new());
        for (at, word) in words {
            match word {
                b"@" => apexes.push(NameBuf::ROOT),
                _ => match NameBuf::from_text(word) {
                    Ok(name) => apexes.push(name.to_lowercase()),
                    Err(error) => warnings.push((at, Mistake::BadName(error))),
                },
            }
        }
        if apexes.is_empty() && warnings.is_empty() {
            warnings.push((scan.at(), Mistake::NoSubzone));
        }
        let name = if name.is_empty() { word } else { name };
        let name = String::from_utf8_lossy(name).into();
        Ok((Self { name, apexes, local: common.clone(), collector }, warnings))
    }

    /// Decides what its keys give.
    pub(super) fn finish(self) -> ParsedSection {
        let Self { name, apexes, local, collector } = self;
        ParsedSection { name, apexes, parsed: collector.finish(local) }
    }
}
