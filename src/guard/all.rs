//! Every rule that a candidate breaks, where [`judge`] tells the first.

use super::{Baseline, Candidate, Doubt, Verdict, judge};
use crate::config::{Policy, RULES};
use crate::source::Problem;

/// The verdicts of all rules on a candidate.
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

#[cfg(test)]
mod tests {
    use super::super::testing::{baseline, candidate, spec};
    use super::*;
    use crate::zonefile::Kind;

    #[test]
    fn all_rules_that_are_broken_are_told_once() {
        let spec = spec(Kind::Ip4Set);
        let text: String = (0..200).map(|number| format!("10.0.{number}.7\n")).collect();
        let (good, bad) = (candidate(&spec, &text), candidate(&spec, &(text.clone() + "0-255\n")));
        let before = baseline(&good);
        let rules = |policy: &Policy| {
            let judgement = judge_by_all(&bad.candidate(&spec), Some(&before), policy);
            judgement.broken.iter().map(|problem| problem.cause.rule()).collect::<Vec<_>>()
        };
        assert_eq!(rules(&Policy::NATIVE), [Some("grew"), Some("sentinel")]);
        assert_eq!(rules(&Policy { grew: false, ..Policy::NATIVE }), [Some("sentinel")]);
        assert_eq!(rules(&Policy::RBLDNSD), []);
        let same = judge_by_all(&good.candidate(&spec), Some(&before), &Policy::NATIVE);
        assert_eq!(same, Judgement::default());
    }

    /// Each rule that can refuse has a way to be turned off, or the search for all would end early.
    #[test]
    fn every_rule_is_turned_off_by_its_setting() {
        for (rule, turn_off) in RULES {
            let mut policy = Policy::NATIVE;
            turn_off(&mut policy);
            assert_ne!(policy, Policy::NATIVE, "{rule}");
        }
    }
}
