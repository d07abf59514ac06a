//! Hand-written cases, `cases/*.txt`: a scenario, and questions with what both servers answer.
//!
//! ```text
//! # What the case shows
//! serve bl.example:ip4set:list
//! file list
//! |127.0.0.2 :3:Why
//! ask 2.0.0.127.bl.example TXT -> NOERROR "Why"
//! ask 0.127.bl.example A rd -> NXDOMAIN | bits=aa,rd
//!   wanted empty-non-terminal -> NOERROR
//! ```
//!
//! The words of a question are told at [`Query`]'s module. A star at the end of an answer stands for
//! anything. Behind the bar: `ttl` of the answers, `authority` (the TTL of its records), `bits`,
//! `opcode` and `opt` (the size in it, or none).

use super::compare::{Compared, Pair};
use super::judge::Verdict;
use super::known_differences;
use super::scenario::Scenario;
use super::server::Program;
use crate::common::query::Query;
use crate::common::reply::Reply;

/// A scenario with questions.
pub(crate) struct Case {
    scenario: Scenario,
    asks: Vec<Ask>,
}

struct Ask {
    query: Query,
    /// What rbldnsd answers, and dnsbld too if nothing else is said.
    answer: String,
    /// The wanted differences and what dnsbld answers by them: the first that shows counts.
    wanted: Vec<(&'static str, String)>,
}

impl Case {
    /// Reads the text of a case.
    pub(crate) fn from_text(text: &str) -> Result<Self, String> {
        let mut case = Self { scenario: Scenario::default(), asks: Vec::new() };
        for (number, line) in (1..).zip(text.lines()) {
            case.read_line(line).map_err(|error| format!("line {number}: {error}"))?;
        }
        if case.asks.is_empty() { Err("no questions".to_owned()) } else { Ok(case) }
    }

    fn read_line(&mut self, line: &str) -> Result<(), String> {
        let arrow = || line.split_once(" -> ").ok_or("no arrow".to_owned());
        if let Some(ask) = line.strip_prefix("ask ") {
            let (_, answer) = arrow()?;
            let query = Query::from_text(&ask[..ask.len() - answer.len() - " -> ".len()])?;
            self.asks.push(Ask { query, answer: answer.to_owned(), wanted: Vec::new() });
        } else if let Some(id) = line.strip_prefix("  wanted ") {
            let (_, answer) = arrow()?;
            let id =
                known_differences::difference(&id[..id.len() - answer.len() - " -> ".len()])?.id;
            let ask = self.asks.last_mut().ok_or("a wanted difference before any question")?;
            ask.wanted.push((id, answer.to_owned()));
        } else if !self.scenario.read_line(line)? && !line.is_empty() && !line.starts_with('#') {
            return Err(format!("what is this: {line}"));
        }
        Ok(())
    }

    /// Asks the questions; the complaints. Options of rbldnsd's are for servers that take some.
    pub(crate) fn check(&self, program: Program) -> Result<Vec<String>, String> {
        if !program.has_options() && self.scenario.has_own_options() {
            return Ok(Vec::new());
        }
        let queries: Vec<Query> = self.asks.iter().map(|ask| ask.query.clone()).collect();
        let pair = Pair { left: &self.scenario, right: &self.scenario, program };
        let compared = pair.compare(&queries)?;
        let mut complaints = Vec::new();
        for (ask, compared) in self.asks.iter().zip(&compared) {
            if let Err(complaint) = ask.check(compared, program) {
                complaints.push(format!("{complaint}\n{}", compared.report()));
            }
        }
        Ok(complaints)
    }
}

impl Ask {
    fn check(&self, compared: &Compared, program: Program) -> Result<(), String> {
        says(&self.answer, &compared.left).map_err(|error| format!("rbldnsd: {error}"))?;
        if let Verdict::Unwanted(complaint) = &compared.verdict {
            return Err(format!("unwanted difference: {complaint}"));
        }
        if program == Program::Rbldnsd {
            return Ok(());
        }
        let wanted = self.wanted.iter().find(|(id, _)| known_differences::shows(id, program));
        let due = wanted.map_or(&self.answer, |(_, answer)| answer);
        says(due, &compared.right).map_err(|error| format!("dnsbld: {error}"))?;
        match (wanted, &compared.verdict) {
            (Some((id, _)), Verdict::Wanted(ids)) if ids.contains(id) => Ok(()),
            (Some((id, _)), verdict) => Err(format!("{id} is due, not {verdict:?}")),
            (None, _) => Ok(()),
        }
    }
}

/// Checks a reply against what a case states.
fn says(due: &str, reply: &Option<Reply>) -> Result<(), String> {
    let (due, properties) = due.split_once(" | ").unwrap_or((due, ""));
    let said = reply.as_ref().map_or("silence".to_owned(), Reply::summary);
    let fits = due.strip_suffix('*').map_or(said == due, |start| said.starts_with(start));
    if !fits {
        return Err(format!("{said}, not {due}"));
    }
    for property in properties.split_whitespace() {
        let (name, due) = property.split_once('=').ok_or(format!("no value: {property}"))?;
        let reply = reply.as_ref().ok_or("silence has no properties")?;
        let said = reply.property(name)?;
        if said != due {
            return Err(format!("{name} is {said}, not {due}"));
        }
    }
    Ok(())
}
