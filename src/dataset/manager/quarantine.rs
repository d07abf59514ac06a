//! What is refused of a dataset, and what somebody accepts all the same.

use super::{BuildContext, DatasetManager, ManagedDataset};
use crate::dataset::acceptance::{Acceptance, RefusedVersions};
use crate::dataset::lifecycle::RefusedLoad;
use crate::event::Event;
use crate::history::RefusedEntry;
use crate::source::Problem;
use crate::state::accepted::AcceptedFiles;
use crate::state::quarantine::RefusedFiles;
use crate::util::time::unix_time;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Takes what came of an acceptance.
type Reply = Box<dyn FnOnce(Acceptance) + Send>;

/// Somebody wants these files to be served, whatever the rules say.
pub(super) struct Accepting {
    pub(super) versions: RefusedVersions,
    overruled: Problem,
    before: Option<u64>,
    reply: Reply,
    /// Until then, files that are being written are waited for.
    until: Instant,
}

/// How long an acceptance waits for files that are being written.
const PATIENCE: Duration = Duration::from_secs(5);

impl Accepting {
    pub(super) fn is_patient(&self) -> bool {
        Instant::now() < self.until
    }
}

/// Replies that wait until what is served is published.
#[derive(Default)]
pub(super) struct Replies(Vec<(Reply, Acceptance)>);

impl DatasetManager {
    /// Builds the files of a dataset that were refused once more, to serve them. `reply` is called by
    /// [`reply`](Self::reply).
    pub(crate) fn accept(&mut self, name: &str, reply: impl FnOnce(Acceptance) + Send + 'static) {
        let reply: Reply = Box::new(reply);
        let at_once = match self.datasets.get_mut(name) {
            None => Acceptance::Unknown,
            Some(managed) => match managed.refused_now() {
                Err(told) => *told,
                Ok((versions, overruled)) => {
                    let before = managed.lifecycle.served().map(|served| served.entries());
                    let until = Instant::now() + PATIENCE;
                    let accepting = Accepting { versions, overruled, before, reply, until };
                    managed.accepting = Some(accepting);
                    managed.building = None;
                    return managed.request(&self.context);
                }
            },
        };
        self.replies.0.push((reply, at_once));
    }

    /// Gives up acceptances whose files do not come to rest; their replies are for [`reply`](Self::reply).
    pub(crate) fn give_up_acceptances(&mut self) {
        for managed in self.datasets.values_mut().filter(|managed| managed.building.is_none()) {
            if let Some(Accepting { reply, .. }) =
                managed.accepting.take_if(|accepting| !accepting.is_patient())
            {
                let file = managed.spec.files.first().cloned().unwrap_or_default();
                self.replies.0.push((reply, Acceptance::Unstable(file)));
            }
        }
    }

    /// Says what came of acceptances, after that was published.
    pub(crate) fn reply(&mut self) {
        std::mem::take(&mut self.replies.0).into_iter().for_each(|(reply, told)| reply(told));
    }
}

impl Replies {
    /// The build that was asked for has ended: `of_those` says if the files are those that were refused.
    pub(super) fn add(
        &mut self,
        accepting: Accepting,
        managed: &ManagedDataset,
        of_those: bool,
        unstable: Option<PathBuf>,
    ) {
        let Accepting { overruled, before, reply, .. } = accepting;
        let problem = managed.lifecycle.failure().map(|failure| failure.problem.clone());
        let entries = managed.lifecycle.served().map_or(0, |served| served.entries());
        let told = match (unstable, problem) {
            (Some(file), _) => Acceptance::Unstable(file),
            (None, None) if of_those => Acceptance::Served { entries, before, overruled },
            (None, None) => Acceptance::Changed { entries },
            (None, Some(problem)) if of_those => Acceptance::Unfit(problem),
            (None, Some(problem)) => Acceptance::ChangedAndRefused(problem),
        };
        self.0.push((reply, told));
    }
}

impl ManagedDataset {
    /// The files that were refused and may be accepted, and why they were refused.
    fn refused_now(&self) -> Result<(RefusedVersions, Problem), Box<Acceptance>> {
        let Some(failure) = self.lifecycle.failure() else {
            return Err(Acceptance::NothingRefused.into());
        };
        let problem = failure.problem.clone();
        match &self.refused {
            Some(versions) => Ok((versions.clone(), problem)),
            None => Err(Acceptance::Unfit(problem).into()),
        }
    }

    /// The files are not served, and are kept aside. `versions` are those that may be accepted all the same.
    pub(super) fn refuse(
        &mut self,
        problem: Problem,
        versions: RefusedVersions,
        context: &BuildContext,
    ) {
        let time = SystemTime::now();
        let RefusedLoad { mut refusal, retry } = self.lifecycle.refuse(time, problem.clone());
        self.note_bad_since(context);
        let is_overdue = self.overdue(time).is_some_and(|overdue| overdue.is_by_setting);
        let served = refusal.as_mut().and_then(|refusal| refusal.served.as_mut());
        served.into_iter().for_each(|served| served.is_overdue = is_overdue);
        self.retry = Some(Instant::now() + retry);
        if let Some(refusal) = refusal {
            let (dataset, accept) = (self.spec.name.clone(), context.accept.of(&self.spec.name));
            context.sink.emit(&Event::DatasetRefused { dataset, refusal, accept });
        }
        let is_new = self.kept_aside.as_ref() != Some(&versions);
        if let Some(writers) = &context.writers
            && !problem.cause.is_absence()
            && is_new
        {
            let served = self.lifecycle.served().map_or(&[][..], |served| &served.sources);
            if context.server.history.days > 0 {
                let entry = RefusedEntry {
                    time: unix_time(),
                    file: problem.file.display().to_string(),
                    cause: problem.cause.to_string(),
                };
                writers.historian.keep_refusal(self.spec.name.clone(), entry);
            }
            writers.archive.keep_refused(RefusedFiles {
                dataset: self.spec.name.clone(),
                versions: versions.beside(served),
                problem: problem.clone(),
                accept: context.accept.of(&self.spec.name),
                time: unix_time(),
            });
            self.kept_aside = Some(versions.clone());
        }
        self.refused = problem.cause.may_be_accepted().then_some(versions);
    }

    /// Notes since when its files have not been good, and has that written if it is news.
    pub(super) fn note_bad_since(&mut self, context: &BuildContext) {
        let since = self.lifecycle.bad_since();
        let since = since.and_then(|since| since.duration_since(UNIX_EPOCH).ok());
        let since = since.map(|since| since.as_secs());
        if let Some(record) = &mut self.record
            && record.bad_since != since
        {
            record.bad_since = since;
            self.write_record(context);
        }
    }

    /// Has the text kept of what is served.
    pub(super) fn keep_text(&self, context: &BuildContext) {
        if let (Some(writers), Some(served)) = (&context.writers, self.lifecycle.served()) {
            writers.archive.keep_accepted(AcceptedFiles {
                dataset: self.spec.name.clone(),
                sources: served.sources.clone(),
                since: served.since,
                kind: self.spec.kind,
                content_id: served.content_id,
            });
        }
    }
}
