//! What comes of asking lists for the clients of a log.

use super::Seen;
use super::lists::{List, ListVerdict};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A number of addresses, and of their connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub(crate) struct ClientTally {
    pub(crate) addresses: u64,
    pub(crate) connections: u64,
}

/// What was found of one list.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(crate) struct ListFigures {
    pub(crate) list: String,
    /// Those that are on it.
    pub(crate) listed: ClientTally,
    /// Those that are on it, and on no other one that rejects.
    pub(crate) only_there: ClientTally,
    /// Those that are on it, and that an allow list of its zone lets in.
    pub(crate) allowed: ClientTally,
    /// It lists whom to let in: it rejects nobody.
    pub(crate) is_allow_list: bool,
    /// It lacks data, and may list more.
    pub(crate) is_incomplete: bool,
}

/// Who would have been turned away.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(crate) struct ReplayOutcome {
    /// By what.
    pub(crate) by: String,
    pub(crate) rejected: ClientTally,
    /// Those of them whom the lists as they are now let in.
    pub(crate) new: ClientTally,
    /// Those whom the lists as they are now turn away, and this does not.
    pub(crate) no_more: ClientTally,
}

/// The weights of lists, and the sum from which a client is turned away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Weights {
    pub(crate) of: Vec<(String, i64)>,
    pub(crate) at: i64,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Question {
    /// The lists that reject now; all that are no allow lists, if there is none.
    pub(crate) lists: Vec<String>,
    /// Lists that would be added.
    pub(crate) with: Vec<String>,
    /// Lists that would be dropped.
    pub(crate) without: Vec<String>,
    pub(crate) weights: Option<Weights>,
}

/// What comes of it.
#[derive(Debug)]
pub(crate) struct ReplayFigures {
    /// Each list, those first that have most clients.
    pub(crate) lists: Vec<ListFigures>,
    /// The names of the lists that reject now.
    pub(crate) rejecting: Vec<String>,
    /// How many addresses are on both of two lists, by their numbers in `lists`, the first the smaller.
    pub(crate) overlap: BTreeMap<(usize, usize), u64>,
    /// Who is turned away now.
    pub(crate) now: ClientTally,
    /// Who would be by other lists.
    pub(crate) outcomes: Vec<ReplayOutcome>,
    /// The lists that each client is on, by their numbers in `lists`.
    pub(crate) listed_in: Vec<Vec<usize>>,
}

/// There is no such list.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no list of addresses {name:?}; there are: {}", known.join(", "))]
pub(crate) struct NoSuchList {
    name: String,
    known: Vec<String>,
}

impl ReplayFigures {
    /// Asks all lists for all clients, at that time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`NoSuchList`] if the question names a list that is not there.
    pub(crate) fn new(
        lists: &[List],
        clients: &[(IpAddr, Seen)],
        question: &Question,
        now: u64,
    ) -> Result<Self, NoSuchList> {
        let roles = Roles::new(lists, question)?;
        let mut figures: Vec<ListFigures> = lists.iter().map(ListFigures::new).collect();
        let mut on = vec![Vec::new(); clients.len()];
        for (number, list) in lists.iter().enumerate() {
            for ((address, seen), on) in clients.iter().zip(&mut on) {
                match list.verdict(*address, now) {
                    ListVerdict::NotListed => {}
                    ListVerdict::Allowed => figures[number].allowed.add(seen),
                    ListVerdict::Listed => {
                        figures[number].listed.add(seen);
                        on.push(number);
                    }
                }
            }
        }
        let mut outcomes: Vec<_> =
            roles.plans.iter().map(|plan| ReplayOutcome::new(&plan.by)).collect();
        let (mut today, mut overlap) = (ClientTally::default(), BTreeMap::new());
        for ((_, seen), on) in clients.iter().zip(&on) {
            let mut rejecting = on.iter().filter(|list| !lists[**list].is_allow_list);
            if let (Some(only), None) = (rejecting.next(), rejecting.next()) {
                figures[*only].only_there.add(seen);
            }
            for (place, list) in on.iter().enumerate() {
                for other in &on[place + 1..] {
                    *overlap.entry((*list, *other)).or_default() += 1;
                }
            }
            let is_rejected = roles.now.rejects(on);
            if is_rejected {
                today.add(seen);
            }
            for (outcome, plan) in outcomes.iter_mut().zip(&roles.plans) {
                outcome.add(seen, is_rejected, plan.rule.rejects(on));
            }
        }
        let names = |numbers: &[bool]| {
            let of = lists.iter().zip(numbers).filter(|(_, is_in)| **is_in);
            of.map(|(list, _)| list.name.clone()).collect()
        };
        let rejecting = match &roles.now {
            Rule::Any(lists) => names(lists),
            Rule::Sum(..) => Vec::new(),
        };
        let mut all =
            Self { lists: figures, rejecting, overlap, now: today, outcomes, listed_in: on };
        all.sort();
        Ok(all)
    }

    /// Puts those lists first that have most clients.
    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.lists.len()).collect();
        order.sort_by_key(|&number| std::cmp::Reverse(self.lists[number].listed.addresses));
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        self.lists = order.iter().map(|&old| self.lists[old].clone()).collect();
        let moved = |((one, other), count): (&(usize, usize), &u64)| {
            let (one, other) = (place[*one], place[*other]);
            ((one.min(other), one.max(other)), *count)
        };
        self.overlap = self.overlap.iter().map(moved).collect();
        for on in &mut self.listed_in {
            on.iter_mut().for_each(|number| *number = place[*number]);
            on.sort_unstable();
        }
    }
}

/// Which clients are turned away.
enum Rule {
    /// Those that are on any of these lists.
    Any(Vec<bool>),
    /// Those whose lists weigh so much together.
    Sum(Vec<i64>, i64),
}

impl Rule {
    fn rejects(&self, on: &[usize]) -> bool {
        match self {
            Self::Any(lists) => on.iter().any(|list| lists[*list]),
            Self::Sum(weights, at) => {
                let sum = on.iter().map(|list| weights[*list]);
                !on.is_empty() && sum.fold(0, i64::saturating_add) >= *at
            }
        }
    }
}

/// A rule that could be.
struct Plan {
    by: String,
    rule: Rule,
}

struct Roles {
    now: Rule,
    plans: Vec<Plan>,
}

impl Roles {
    fn new(lists: &[List], question: &Question) -> Result<Self, NoSuchList> {
        let number = |name: &String| {
            let apex = name.strip_suffix('.').unwrap_or(name);
            let at = lists.iter().position(|list| list.name.eq_ignore_ascii_case(apex));
            let known = || lists.iter().map(|list| list.name.clone()).collect();
            at.ok_or_else(|| NoSuchList { name: name.clone(), known: known() })
        };
        let numbers = |names: &[String]| names.iter().map(number).collect::<Result<Vec<_>, _>>();
        let [given, with, without] =
            [&question.lists, &question.with, &question.without].map(|names| numbers(names));
        let (given, with, without) = (given?, with?, without?);
        let is_now = |list: usize| match given.is_empty() {
            true => !lists[list].is_allow_list && !with.contains(&list),
            false => given.contains(&list) && !with.contains(&list),
        };
        let now: Vec<bool> = (0..lists.len()).map(is_now).collect();
        let changed = |changes: &[(usize, bool)]| {
            let mut any = now.clone();
            changes.iter().for_each(|(list, is_in)| any[*list] = *is_in);
            Rule::Any(any)
        };
        let changes: Vec<_> = with
            .iter()
            .map(|list| (*list, true))
            .chain(without.iter().map(|list| (*list, false)))
            .collect();
        let word = |(list, is_in): &(usize, bool)| {
            format!("{} {}", if *is_in { "with" } else { "without" }, lists[*list].name)
        };
        let plan = |changes: &[(usize, bool)]| Plan {
            by: changes.iter().map(word).collect::<Vec<_>>().join(", "),
            rule: changed(changes),
        };
        let mut plans: Vec<_> = changes.chunks(1).map(plan).collect();
        if changes.len() > 1 {
            plans.push(plan(&changes));
        }
        if let Some(Weights { of, at }) = &question.weights {
            let mut weights = vec![0; lists.len()];
            for (name, weight) in of {
                weights[number(name)?] = *weight;
            }
            let words: Vec<_> =
                of.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
            let by = format!("weights {} at {at}", words.join(","));
            plans.push(Plan { by, rule: Rule::Sum(weights, *at) });
        }
        Ok(Self { now: Rule::Any(now), plans })
    }
}

impl ClientTally {
    fn add(&mut self, seen: &Seen) {
        self.addresses += 1;
        self.connections += seen.connections();
    }
}

impl ListFigures {
    fn new(list: &List) -> Self {
        Self {
            list: list.name.clone(),
            listed: ClientTally::default(),
            only_there: ClientTally::default(),
            allowed: ClientTally::default(),
            is_allow_list: list.is_allow_list,
            is_incomplete: list.is_incomplete,
        }
    }
}

impl ReplayOutcome {
    fn new(by: &str) -> Self {
        let zero = ClientTally::default();
        Self { by: by.to_owned(), rejected: zero, new: zero, no_more: zero }
    }

    fn add(&mut self, seen: &Seen, was_rejected: bool, is_rejected: bool) {
        if is_rejected {
            self.rejected.add(seen);
        }
        match (was_rejected, is_rejected) {
            (false, true) => self.new.add(seen),
            (true, false) => self.no_more.add(seen),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
