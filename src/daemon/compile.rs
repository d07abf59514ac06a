//! From the files of a dataset to what can be served.

use super::snapshots;
use crate::config;
use crate::event::Event;
use crate::listing::AnswersBuilder;
use crate::snapshot::intake::Intake;
use crate::snapshot::{self, folder::Folder};
use crate::source::{
    Cause, FileState, Identity, Limits, MOST_ZEROS, Problem, ReadReport, SourceFile, Stable, read,
    read_ahead, read_appended, sniff,
};
use crate::util::cancel::CancelToken;
use crate::util::threads::cores;
use crate::wire::name::NameBuf;
use crate::zone::{Acl, Dataset, Ns, Soa, Subzones};
use crate::zonefile::{Batches, Counts, Diagnostic, Diagnostics, Kind, Options, Parsed, Parser};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A dataset that was read and built, but not yet judged.
pub(super) struct Built {
    /// What would be served.
    pub(super) dataset: Dataset,
    /// What was read, file by file.
    pub(super) sources: Vec<SourceFile>,
    /// What is wrong with single lines; of a snapshot only what the sources tell.
    pub(super) diagnostics: Diagnostics,
    /// What the entries are, by size or scope; of a snapshot nothing.
    pub(super) tally: Counts,
    /// When the data was made by its own account, in seconds since 1970.
    pub(super) stamp: Option<u64>,
    /// True if the state folder has a snapshot of just this.
    pub(super) is_kept: bool,
    /// When it was read, if that was before the server was started.
    pub(super) since: Option<SystemTime>,
    /// How long reading and building took.
    pub(super) took: Duration,
}

impl Built {
    /// True if it was read from these files.
    pub(super) fn is_of(&self, files: &[PathBuf]) -> bool {
        self.sources.iter().map(|source| &source.path).eq(files)
    }

    /// True if it was read from any of them.
    fn is_of_any(&self, files: &[PathBuf]) -> bool {
        self.sources.iter().any(|source| files.contains(&source.path))
    }
}

/// A snapshot that was kept of a dataset.
pub(super) enum Kept {
    /// Of the files as they are.
    Current(Box<Built>),
    /// Of the files as they were.
    Former(Box<Built>),
}

/// What came of reading and building a dataset.
pub(super) enum Outcome {
    /// Other data than is served.
    Built(Box<Built>),
    /// The files hold, byte by byte, what is served; nothing was built.
    Same(Vec<SourceFile>),
    /// This file is not, or no longer, the version that was at rest: its writer may be at work.
    /// What was read of it does not count.
    Unstable(PathBuf),
    /// The same of a file that was taken to be appended to.
    Rewritten(PathBuf),
    /// The data cannot be had.
    Failed(Problem),
}

/// What to read and build.
pub(super) struct Task {
    /// The files, and how to read them.
    pub(super) spec: Arc<config::Dataset>,
    /// Rules that hold for all datasets.
    pub(super) server: Arc<config::Server>,
    /// The version of each file that is at rest and so known to be whole; `None` for a file that
    /// is not watched (yet): it is taken as it is, if there is no good data to wait with.
    pub(super) last_stable: Vec<Option<Stable>>,
    /// The files of the good data that is served, if there is any.
    pub(super) good: Option<Vec<SourceFile>>,
    /// Whether they were read by the rules of now.
    pub(super) by_these_rules: bool,
    /// Whether the snapshots in the state folder are this server's own.
    pub(super) keeps: bool,
    /// Whether building may take more than one core.
    pub(super) in_haste: bool,
    /// Tells when the outcome is no longer wanted.
    pub(super) token: CancelToken,
}

impl Task {
    /// Reads and builds, and gives the last good data that was kept of it, too, if nothing is served
    /// yet and the files hold something else; what happened on the way is added to `events`. `now` is in
    /// seconds since 1970.
    pub(super) fn compile(
        &self,
        now: u64,
        events: &mut Vec<Event>,
    ) -> (Outcome, Option<Box<Built>>) {
        if let Some(unstable) = self.files().find(|(path, rest)| !rest.is_seen(path)) {
            return (Outcome::Unstable(unstable.0.to_owned()), None);
        }
        if let Some(served) = self.served() {
            return match self.same(served, false) {
                Some(sources) => (Outcome::Same(sources), None),
                None => (self.build_safely(now, true), None),
            };
        }
        match snapshots::find(self, now, events) {
            Some(Kept::Current(kept)) => (Outcome::Built(kept), None),
            // What is of other files is another list of that name, perhaps another server's.
            Some(Kept::Former(kept))
                if kept.is_of(&self.spec.files)
                    || self.keeps && kept.is_of_any(&self.spec.files) =>
            {
                (self.build_at_rest(now), Some(kept))
            }
            _ if self.good.is_some() => (self.build_at_rest(now), None),
            _ => (self.build_safely(now, false), None),
        }
    }

    /// Builds from files of which some are not watched yet, when they are at rest: there is good data to
    /// be served meanwhile.
    fn build_at_rest(&self, now: u64) -> Outcome {
        let quiet = self.server.quiet_period;
        let is_fresh = |path: &Path| match FileState::of(path) {
            FileState::File(identity) => {
                identity.age(SystemTime::now()).is_some_and(|age| age < quiet)
            }
            _ => false,
        };
        let patience = Instant::now() + quiet.min(PATIENCE) * 5;
        while let Some((path, _)) =
            self.files().find(|(path, rest)| rest.0.is_none() && is_fresh(path))
        {
            if Instant::now() >= patience || self.token.is_cancelled() {
                return Outcome::Unstable(path.to_owned());
            }
            std::thread::sleep(quiet.min(PATIENCE) / 8);
        }
        self.build_safely(now, true)
    }

    fn files(&self) -> impl Iterator<Item = (&Path, AtRest)> {
        let rest = self.last_stable.iter().copied().chain(std::iter::repeat(None)).map(AtRest);
        self.spec.files.iter().map(PathBuf::as_path).zip(rest)
    }

    /// Looks whether the files were only touched, or written again as they were. Sizes come first:
    /// most changes show in them. With `trust`, a file that has the identity it had when it was
    /// read is not read again.
    pub(super) fn same(&self, known: &[SourceFile], trust: bool) -> Option<Vec<SourceFile>> {
        let size = |(path, _): (&Path, AtRest)| match FileState::of(path) {
            FileState::File(identity) => Some(identity.size),
            _ => None,
        };
        if !self.files().map(size).eq(known.iter().map(|source| Some(source.report.identity.size)))
        {
            return None;
        }
        let confirm = |((path, rest), source): ((&Path, AtRest), &SourceFile)| {
            let before = source.report;
            if trust && before.settled && rest.is_version(&before.identity) {
                let is_there = FileState::of(path) == FileState::File(before.identity);
                if path == source.path && is_there {
                    return Some(source.clone());
                }
            }
            let report = read(path, &self.limits(), &mut |_| self.go_on()).ok()?;
            let same = report.hash == source.report.hash && rest.is_version(&report.identity);
            same.then(|| SourceFile { path: path.to_owned(), report, ..source.clone() })
        };
        self.files().zip(known).map(confirm).collect()
    }

    /// [`build`](Self::build); a panic of the parser or the builder is a fault of this dataset alone.
    fn build_safely(&self, now: u64, has_good: bool) -> Outcome {
        let build = AssertUnwindSafe(|| self.build(now, has_good));
        catch_unwind(build).unwrap_or_else(|_| self.panicked())
    }

    /// What to say of a panic.
    pub(super) fn panicked(&self) -> Outcome {
        let file = self.spec.files.first().cloned().unwrap_or_default();
        let cause = Cause::Refused("building it failed by a fault in dnsbld".to_owned());
        Outcome::Failed(Problem { file, cause })
    }

    /// Reads and builds, whatever there is already: if that is good data, with more demands.
    pub(super) fn build(&self, now: u64, has_good: bool) -> Outcome {
        let start = Instant::now();
        let mut parser = Parser::new(self.spec.kind, options(&self.spec, &self.server, now));
        let mut sources: Vec<SourceFile> = Vec::with_capacity(self.spec.files.len());
        let (mut entries, mut bad_lines) = (0, 0);
        for (path, rest) in self.files() {
            let known = self.known(path, rest);
            let (report, intake) = match self.read_into(&mut parser, path, known, has_good) {
                Ok((report, _)) if known.is_none() && !rest.is_version(&report.identity) => {
                    return Outcome::Unstable(path.to_owned());
                }
                Ok(read) => read,
                Err(problem) if known.is_some() && problem.cause == Cause::Torn => {
                    return Outcome::Rewritten(path.to_owned());
                }
                Err(_) if !rest.is_seen(path) => return Outcome::Unstable(path.to_owned()),
                Err(problem) => return Outcome::Failed(problem),
            };
            if let Some(intake) = intake {
                return match snapshots::take_in(self, intake, report, now) {
                    Ok(taken) => Outcome::Built(Box::new(Built { took: start.elapsed(), ..taken })),
                    Err(cause) => Outcome::Failed(Problem { file: path.to_owned(), cause }),
                };
            }
            let number = sources.len();
            let diagnostics = parser.diagnostics();
            let is_first_bad = |bad: &&Diagnostic| usize::from(bad.file) == number && !bad.is_used;
            let first_bad = diagnostics.kept.iter().find(is_first_bad);
            sources.push(SourceFile {
                path: path.to_owned(),
                report,
                entries: parser.entries() - entries,
                bad_lines: diagnostics.refused - bad_lines,
                first_bad: first_bad
                    .map(|bad| format!("line {}, column {}: {}", bad.line, bad.column, bad.reason)),
            });
            (entries, bad_lines) = (parser.entries(), diagnostics.refused);
        }
        // Of what grows, perhaps only the beginning of a line has come.
        if self.served().is_some_and(|served| hashes(served).eq(hashes(&sources))) {
            return Outcome::Same(sources);
        }
        let parsed = parser.finish();
        let (stamp, tally) = (parsed.stamp, parsed.counts);
        let threads = if self.in_haste { cores() } else { 1 };
        let (dataset, diagnostics) = build(&self.spec, &self.server, parsed, threads);
        let took = start.elapsed();
        let (is_kept, since) = (false, None);
        Outcome::Built(Box::new(Built {
            dataset,
            sources,
            diagnostics,
            tally,
            stamp,
            is_kept,
            since,
            took,
        }))
    }

    /// The files that are served, if they were read by the same rules.
    fn served(&self) -> Option<&[SourceFile]> {
        self.good.as_deref().filter(|_| self.by_these_rules)
    }

    /// What was read before of a file that is appended to all the time.
    fn known(&self, path: &Path, rest: AtRest) -> Option<&ReadReport> {
        let good = self.good.as_ref().filter(|_| rest.0.is_some_and(|rest| rest.appending))?;
        good.iter().find(|source| source.path == path).map(|source| &source.report)
    }

    /// Reads a file of text into the parser; of a snapshot it gives a copy. If it was `known` before, it must
    /// only have grown.
    fn read_into(
        &self,
        parser: &mut Parser,
        path: &Path,
        known: Option<&ReadReport>,
        has_good: bool,
    ) -> Result<(ReadReport, Option<Intake>), Problem> {
        parser.start_file();
        let is_wary = has_good && self.spec.guarded;
        let mut first = true;
        let (mut wrong, mut zeros) = (None, 0);
        let mut intake: Option<Intake> = None;
        let mut take = |chunk: &[u8], prepared: Option<Batches>| {
            self.go_on()?;
            if std::mem::take(&mut first) {
                if snapshot::is_snapshot(chunk) {
                    intake = Some(Intake::new(self.folder().as_ref()).map_err(not_copied)?);
                } else if self.spec.guarded {
                    wrong = sniff(chunk);
                }
            }
            if let Some(intake) = &mut intake {
                return intake.add(chunk).map_err(not_copied);
            }
            if is_wary && wrong.is_none() {
                zeros += memchr::memchr_iter(0, chunk).count();
            }
            if zeros > MOST_ZEROS {
                wrong = Some(Cause::Binary);
            }
            // The rest of it, perhaps many gigabytes, is not read.
            if wrong.is_some() {
                return Err("is no list".to_owned());
            }
            let fed = match prepared {
                Some(prepared) => parser.feed_batches(chunk, &prepared),
                None => parser.feed(chunk),
            };
            fed.map_err(|fatal| {
                wrong = Some(Cause::Rejected(fatal));
                "is rejected".to_owned()
            })
        };
        let read = if let Some(known) = known {
            read_appended(path, &self.limits(), known, &mut |chunk| take(chunk, None))
        } else if self.in_haste {
            let prepare = |chunk: &[u8]| Batches::new(self.spec.kind, chunk);
            read_ahead(path, &self.limits(), &prepare, &mut take)
        } else {
            read(path, &self.limits(), &mut |chunk| take(chunk, None))
        };
        let problem = |cause| Problem { file: path.to_owned(), cause };
        let report = match (read, wrong) {
            (Err(Problem { cause: Cause::Fatal(_), .. }), Some(cause)) => {
                return Err(problem(cause));
            }
            (read, _) => read?,
        };
        parser.end_file().map_err(|fatal| problem(Cause::Rejected(fatal)))?;
        Ok((report, intake))
    }

    /// Where snapshots are kept, if anywhere.
    pub(super) fn folder(&self) -> Option<Folder> {
        self.server.state_dir.as_deref().map(Folder::of)
    }

    fn limits(&self) -> Limits {
        let limits = Limits { decompress: self.server.decompress, ..Limits::default() };
        if self.spec.guarded { limits } else { Limits { expansion: u64::MAX, ..limits } }
    }

    /// An error when nobody wants the outcome any more.
    fn go_on(&self) -> Result<(), String> {
        if self.token.is_cancelled() { Err("is not wanted".to_owned()) } else { Ok(()) }
    }
}

fn not_copied(error: std::io::Error) -> String {
    format!("it is a snapshot that cannot be copied into the state folder: {error}")
}

/// A build waits for files that nobody has watched for five quiet periods, or five of these if that is less;
/// after that, the watcher does.
const PATIENCE: Duration = Duration::from_millis(400);

/// What tells whether files hold the same.
fn hashes(sources: &[SourceFile]) -> impl Iterator<Item = u128> {
    sources.iter().map(|source| source.report.hash)
}

/// The version of a file that may be read.
#[derive(Clone, Copy)]
struct AtRest(Option<Stable>);

impl AtRest {
    /// Of a file that grows, only this very version will do: others are for those who know its beginning.
    fn is_version(self, identity: &Identity) -> bool {
        self.0.is_none_or(|rest| rest.state == FileState::File(*identity))
    }

    fn is_seen(self, path: &Path) -> bool {
        self.0.is_none_or(|stable| stable.admits(&FileState::of(path)))
    }
}

fn options(spec: &config::Dataset, server: &config::Server, now: u64) -> Options {
    let bounds = &server.ttl;
    Options {
        accept_host_bits: server.accept_host_bits,
        default_ttl: bounds.default,
        min_ttl: bounds.min,
        max_ttl: bounds.max,
        now,
        loopback_only: !spec.allow_any_a,
        default_a: spec.default_a,
        default_text: spec.default_text.as_ref().map(|text| Box::from(text.as_bytes())),
        format: spec.format,
        column: spec.column.as_deref().map(Box::from),
        threads: cores(),
    }
}

fn build(
    spec: &config::Dataset,
    server: &config::Server,
    mut parsed: Parsed,
    threads: usize,
) -> (Dataset, Diagnostics) {
    let diagnostics = std::mem::take(&mut parsed.diagnostics);
    let soa = spec.soa.as_ref().map(|soa| configured_soa(soa, server)).or(parsed.soa.take());
    let ns = parsed.ns.take().map(|ns| Ns { names: ns.names, ttl: ns.ttl, explicit: true });
    let ns = configured_ns(&spec.ns, spec.ns_ttl.unwrap_or(server.ttl.default)).or(ns);
    let expires = parsed.expires;
    (Dataset { soa, ns, expires, ..content(spec, spec.name.clone(), parsed, threads) }, diagnostics)
}

/// What a dataset, or a section of a combined one, lists.
fn content(spec: &config::Dataset, name: String, parsed: Parsed, threads: usize) -> Dataset {
    let mut default = AnswersBuilder::default();
    let (a, text) = &parsed.default_value;
    let default_value = default.value(*a, text);
    let default_answer = default_value.map(|value| default.answer(&[value]));
    let mut records = parsed.records;
    if let (Some(records), Some(ttl)) = (&mut records, spec.ttl) {
        records.set_ttl(ttl);
    }
    let sections = parsed.parts.into_iter().map(|part| {
        let name = format!("{name}/{}", part.name);
        (part.apexes, content(spec, name, part.parsed, threads))
    });
    let subzones = (parsed.kind == Kind::Combined).then(|| Subzones::new(sections));
    Dataset {
        name,
        ip4: parsed.ip4.map(|addresses| addresses.into_trie(threads)),
        ip6: parsed.ip6.map(|addresses| addresses.into_trie()),
        names: parsed.names,
        hides_empty_non_terminals: spec.hides_empty_non_terminals,
        records,
        acl: parsed.acl.map(Acl::new),
        subzones,
        answers: parsed.answers,
        default_answer: default.finish(default_answer).0,
        vars: parsed.vars,
        ttl: spec.ttl.unwrap_or(parsed.ttl),
        soa: None,
        ns: None,
        expires: None,
    }
}

fn configured_soa(soa: &config::Soa, server: &config::Server) -> Soa {
    Soa {
        mname: soa.mname.clone(),
        rname: soa.rname.clone(),
        serial: soa.serial.unwrap_or(0),
        refresh: soa.refresh,
        retry: soa.retry,
        expire: soa.expire,
        minimum: soa.minimum,
        ttl: soa.ttl.unwrap_or(server.ttl.default),
    }
}

fn configured_ns(names: &[NameBuf], ttl: u32) -> Option<Ns> {
    (!names.is_empty()).then(|| Ns { names: names.to_vec(), ttl, explicit: true })
}
