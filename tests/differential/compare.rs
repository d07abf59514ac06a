//! One comparison: the same files and the same questions to both servers.

use super::facts::{Facts, SERVFAIL};
use super::judge::{Asked, Verdict, judge};
use super::known_differences;
use super::scenario::{Kind, Scenario, Spec};
use super::server::{Program, Server};
use crate::common::message::AA;
use crate::common::name::Name;
use crate::common::query::{
    CLASS_CH, Query, TYPE_A, TYPE_ANY, TYPE_MX, TYPE_NS, TYPE_SOA, TYPE_TXT,
};
use crate::common::reply::Reply;

/// Two servers to compare: rbldnsd on the left, with the files of the one scenario, and any of
/// the two on the right, with those of the other.
pub(crate) struct Pair<'a> {
    pub(crate) left: &'a Scenario,
    pub(crate) right: &'a Scenario,
    pub(crate) program: Program,
}

/// One question, both replies, and what to make of them.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) query: Query,
    pub(crate) left: Option<Reply>,
    pub(crate) right: Option<Reply>,
    /// The length of the second reply.
    length: usize,
    pub(crate) verdict: Verdict,
}

impl Pair<'_> {
    /// Asks both servers all `queries`. An error says that a server did not start, ended, or
    /// sent what is not a reply.
    pub(crate) fn compare(&self, queries: &[Query]) -> Result<Vec<Compared>, String> {
        let mut left = Server::start(Program::Rbldnsd, self.left)?;
        let mut right = Server::start(self.program, self.right)?;
        left.wait().map_err(|error| format!("rbldnsd: {error}"))?;
        right.wait().map_err(|error| format!("{:?}: {error}", self.program))?;
        let answers = answers(&left, queries)?.into_iter();
        let ours = self::answers(&right, queries)?;
        let answered = queries.iter().zip(answers.zip(ours));
        let mut compared: Vec<Compared> = answered
            .map(|(query, (left, right))| Compared {
                verdict: if left == right && self.program == Program::Rbldnsd {
                    Verdict::Equal
                } else {
                    Verdict::Unwanted("the replies differ".to_owned())
                },
                query: query.clone(),
                left: left.map(|(reply, _)| reply),
                length: right.as_ref().map_or(0, |(_, length)| *length),
                right: right.map(|(reply, _)| reply),
            })
            .collect();
        if self.program != Program::Rbldnsd {
            self.judge(&mut compared, queries, &left, &right)?;
        }
        Ok(compared)
    }

    fn judge(
        &self,
        compared: &mut [Compared],
        queries: &[Query],
        left: &Server,
        right: &Server,
    ) -> Result<(), String> {
        let full: Vec<Query> = queries.iter().map(Query::in_full).collect();
        let unedited = whole_answers(left, &full)?;
        let plain: Vec<Query> =
            full.iter().cloned().map(|query| Query { from: None, ..query }).collect();
        for base in bases(self.left, self.program)? {
            let edited = whole_answers(&base.server, &full)?;
            let public = whole_answers(&base.server, &plain)?;
            let facts = Facts::gather(&base.scenario, queries, &base.server, right, &base.partial)?;
            let replies = unedited.iter().zip(&edited).zip(&public);
            for (one, ((unedited, edited), public)) in compared.iter_mut().zip(replies) {
                if one.verdict.is_good() {
                    continue;
                }
                let asked = Asked {
                    query: &one.query,
                    left: one.left.as_ref(),
                    full: edited.as_ref().map(|(reply, length)| (reply, *length)),
                    public: public.as_ref().map(|(reply, length)| (reply, *length)),
                    edits: if unedited == edited { &[] } else { &base.ids },
                    right: one.right.as_ref().map(|right| (right, one.length)),
                };
                let verdict = judge(&asked, &facts);
                if verdict.is_good() || base.is_first {
                    one.verdict = verdict;
                }
            }
        }
        Ok(())
    }
}

/// rbldnsd on the files as dnsbld may read them.
struct Base {
    server: Server,
    scenario: Scenario,
    /// The wanted differences by which it may.
    ids: Vec<&'static str>,
    /// Its complaints count.
    is_first: bool,
    /// The apexes of zones that lost a dataset.
    partial: Vec<Name>,
}

/// The files as wanted, and if some datasets do not load, without these; under rbldnsd's name, where
/// data that has expired takes the whole zone, both.
fn bases(scenario: &Scenario, program: Program) -> Result<Vec<Base>, String> {
    let (scenario, ids) =
        scenario.as_wanted(program).unwrap_or_else(|| (scenario.clone(), Vec::new()));
    let failed = failed_specs(&scenario)?;
    let lost = |spec: &Spec| {
        let others = scenario.specs.iter().enumerate();
        let mut zone =
            others.filter(|(_, other)| other.apex() == spec.apex() && other.kind != Kind::Acl);
        zone.all(|(at, _)| failed.contains(&at))
    };
    let dropped: Vec<usize> =
        failed.iter().copied().filter(|at| !lost(&scenario.specs[*at])).collect();
    let mut bases = Vec::new();
    if !dropped.is_empty() {
        let rest = scenario.without(&dropped);
        bases.push(Base {
            server: running(&rest)?,
            scenario: rest,
            ids: [&ids[..], &[known_differences::PARTLY_LOADED]].concat(),
            is_first: program == Program::Dnsbld,
            partial: dropped.iter().map(|at| scenario.specs[*at].apex()).collect(),
        });
    }
    if dropped.is_empty() || program != Program::Dnsbld {
        let (server, partial) = (running(&scenario)?, Vec::new());
        bases.insert(0, Base { server, scenario, ids, is_first: true, partial });
    }
    Ok(bases)
}

/// The places of the specifications whose datasets do not load or have expired.
fn failed_specs(scenario: &Scenario) -> Result<Vec<usize>, String> {
    let mut alone = scenario.clone();
    for (at, spec) in alone.specs.iter_mut().enumerate() {
        spec.zone = format!("z{at}.invalid");
    }
    let apexes: Vec<Query> =
        alone.specs.iter().map(|spec| Query::new(spec.apex(), TYPE_A)).collect();
    // An access list alone makes no zone: its name is refused.
    alone.specs.retain(|spec| spec.kind != Kind::Acl);
    let answers = answers(&running(&alone)?, &apexes)?;
    let failed = answers
        .iter()
        .enumerate()
        .filter(|(_, answer)| answer.as_ref().is_some_and(|(reply, _)| reply.rcode == SERVFAIL));
    Ok(failed.map(|(at, _)| at).collect())
}

fn running(scenario: &Scenario) -> Result<Server, String> {
    let mut server = Server::start(Program::Rbldnsd, scenario)?;
    server.wait()?;
    Ok(server)
}

/// The same with all that is due to ANY: by type, there is room for more.
fn whole_answers(
    server: &Server,
    queries: &[Query],
) -> Result<Vec<Option<(Reply, usize)>>, String> {
    let mut replies = answers(server, queries)?;
    for (query, reply) in queries.iter().zip(&mut replies) {
        let Some((reply, _)) = reply else { continue };
        let is_any = query.qtype == TYPE_ANY && query.class != CLASS_CH;
        if !is_any || reply.rcode != 0 || reply.bits & AA != 0 {
            continue;
        }
        let by_type = [TYPE_SOA, TYPE_NS, TYPE_A, TYPE_TXT, TYPE_MX]
            .map(|qtype| Query { qtype, ..query.clone() });
        let mut bits = AA;
        let parts = answers(server, &by_type)?.into_iter().flatten();
        for (part, _) in parts.filter(|(part, _)| part.rcode == 0) {
            bits &= part.bits;
            reply.answers.extend(part.answers);
        }
        reply.bits |= bits;
        reply.answers.sort_unstable();
        reply.answers.dedup();
    }
    Ok(replies)
}

/// The replies taken apart, and their lengths.
fn answers(server: &Server, queries: &[Query]) -> Result<Vec<Option<(Reply, usize)>>, String> {
    let replies = server.ask(queries)?;
    let parsed = queries.iter().zip(replies).map(|(query, reply)| {
        let Some(bytes) = reply else { return Ok(None) };
        let reply = Reply::parse(&bytes)
            .map_err(|error| format!("the reply to {query} is none: {error}: {bytes:02x?}"))?;
        Ok(Some((reply.in_lower_case(), bytes.len())))
    });
    parsed.collect()
}

impl Compared {
    /// The question and both replies, for a reader.
    pub(crate) fn report(&self) -> String {
        let show = |reply: &Option<Reply>| {
            reply.as_ref().map_or("silence\n".to_owned(), ToString::to_string)
        };
        format!("ask {}\nrbldnsd: {}other: {}", self.query, show(&self.left), show(&self.right))
    }
}
