//! What the entries of an `acl` or `aclkey` dataset do to a query.
//!
//! An access list is a listing over clients, or over keys. Its tries hold the numbers of actions:
//! those of the four [`Keyword`]s come first, the numbers of ordinary answers stand behind them.

use super::{Answer, AnswerId, Answers, AnswersBuilder, Numbering};

/// What is done with a query.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// What one of the words says.
    Keyword(Keyword),
    /// Whatever the lists have for a key, it is listed with this answer.
    Listed(Answer<'a>),
}

/// An action that has a name (rbldnsd's manual, "acl Dataset").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Keyword {
    /// There is no reply.
    Ignore = 1,
    /// The reply is REFUSED.
    Refuse = 2,
    /// The lists are as if they were empty.
    Empty = 3,
    /// The query is answered as usual.
    Pass = 4,
}

impl Keyword {
    const ALL: [Self; 4] = [Self::Ignore, Self::Refuse, Self::Empty, Self::Pass];

    /// The number that stands for the action in the listing.
    pub fn id(self) -> AnswerId {
        AnswerId(self as u32)
    }
}

/// How far the numbers of answers are moved up.
const SHIFT: u32 = Keyword::ALL.len() as u32;

/// The number of the action [`Action::Listed`] with this answer, which is listed.
pub fn listed(answer: AnswerId) -> AnswerId {
    AnswerId(answer.0 + SHIFT)
}

/// The actions of a dataset by their numbers, immutable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions(Answers);

impl Actions {
    /// Keeps the answers that `used` names, numbered in the order of their first use, and gives
    /// the new number of every action.
    pub fn new(
        answers: AnswersBuilder,
        used: impl IntoIterator<Item = AnswerId>,
    ) -> (Self, ActionNumbers) {
        let used = used.into_iter().map(|id| AnswerId(id.0.saturating_sub(SHIFT)));
        let (answers, numbering) = answers.finish(used);
        (Self(answers), ActionNumbers(numbering))
    }

    /// The action with this number: nothing for a client that is not listed.
    pub fn get(&self, id: AnswerId) -> Option<Action<'_>> {
        let index = id.0.checked_sub(1)?;
        Some(match Keyword::ALL.get(index as usize) {
            Some(keyword) => Action::Keyword(*keyword),
            None => Action::Listed(self.0.get(AnswerId(id.0 - SHIFT))),
        })
    }

    /// The size in memory, in bytes.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }
}

/// The numbers that actions have at the end.
#[derive(Debug)]
pub struct ActionNumbers(Numbering);

impl ActionNumbers {
    /// The new number of an action; none for an answer that was not used.
    pub fn get(&self, old: AnswerId) -> AnswerId {
        match old.0.checked_sub(SHIFT) {
            None | Some(0) => old,
            Some(answer) => match self.0.get(AnswerId(answer)) {
                AnswerId::NONE => AnswerId::NONE,
                answer => listed(answer),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_keep_their_numbers_and_answers_stand_behind_them() {
        let mut builder = AnswersBuilder::default();
        let ids: Vec<_> = (1..4)
            .map(|n| {
                let value = builder.value([127, 0, 0, n].into(), b"").unwrap();
                listed(builder.answer(&[value]))
            })
            .collect();
        let used = [Keyword::Pass.id(), ids[2], AnswerId::NONE, Keyword::Ignore.id(), ids[0]];
        let (actions, numbers) = Actions::new(builder, used);
        for keyword in Keyword::ALL {
            assert_eq!(numbers.get(keyword.id()), keyword.id());
            let action = actions.get(keyword.id());
            assert!(matches!(action, Some(Action::Keyword(same)) if same == keyword));
        }
        let a = |id: AnswerId| match actions.get(numbers.get(id)) {
            Some(Action::Listed(answer)) => answer.values().next().map(|value| value.a.octets()[3]),
            other => panic!("{other:?}"),
        };
        assert_eq!((a(ids[0]), a(ids[2])), (Some(1), Some(3)));
        assert_eq!(numbers.get(ids[2]), AnswerId(5));
        assert!(actions.get(AnswerId::NONE).is_none());
    }
}
