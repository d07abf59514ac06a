//! Every rule that a candidate breaks, where [`judge`] tells the first.

use super::{Baseline, Candidate, Doubt, Verdict, judge};
use crate::config::{Policy, RULES};
use crate::source::Problem;

/// What each rule says of a candidate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Judgement {
    /// The rules that it breaks, in the order in which they are asked.
    pub broken: Vec<Problem>,
    /// What is odd about it all the same.
    pub doubt: Option<Doubt>,
}

/// Asks all rules. The figures of a rule are those that it has alone: each that refuses is turned off to hear the
/// others.
pub fn judge_by_all(
    candidate: &Candidate<'_>,
    before: Option<&Baseline<'_>>,
    policy: &Policy,
) -> Judgement {
    let mut policy = *policy;
    let mut judgement = Judgement::default();
    loop {
        match judge(candidate, before, &policy) {
            Verdict::Accept => return judgement,
            Verdict::Warn(doubt) => return Judgement { doubt: Some(doubt), ..judgement },
            Verdict::Quarantine(problem) => {
                let rule = problem.cause.rule();
                judgement.broken.push(problem);
                let Some((_, turn_off)) = RULES.iter().find(|(name, _)| Some(*name) == rule) else {
                    return judgement;
                };
                let before = policy;
                turn_off(&mut policy);
                // A rule that cannot be turned off would refuse for ever.
                if policy == before {
                    return judgement;
                }
            }
        }
    }
}
