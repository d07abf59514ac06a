//! The table `[guard]`, and `guard = { ... }` of a dataset.

use super::super::error::{Problem, suggest};
use super::super::guard::{Guard, Ratio, Sentinel};
use super::super::policy::{Policy, RULES};
use super::super::spec::{DatasetGuardSpec, GuardSpec, Typed, TypedList};
use super::super::value;
use super::Resolver;
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// The most sentinels.
const MAX_SENTINELS: usize = 10_000;

/// The longest file of sentinels, in bytes.
const MAX_SENTINEL_FILE: u64 = 1 << 20;

impl Resolver<'_> {
    /// What holds for all datasets that say nothing else.
    pub(super) fn guard(&mut self, spec: &GuardSpec) -> (Guard, Policy) {
        let usual = Guard::default();
        let guard = Guard {
            shrink: self.ratio("guard.shrink", &spec.shrink, usual.shrink),
            grow: self.ratio("guard.grow", &spec.grow, usual.grow),
            bad_lines: self.ratio("guard.bad-lines", &spec.bad_lines, usual.bad_lines),
            sentinels: self.sentinels(&spec.sentinels),
        };
        (guard, self.without("guard.off", &spec.off, Policy::NATIVE))
    }

    /// What holds for one dataset.
    pub(super) fn guard_of_dataset(
        &mut self,
        spec: &DatasetGuardSpec,
        (usual, policy): &(Guard, Policy),
    ) -> (Guard, Policy) {
        let key = |last: &str| format!("dataset.guard.{last}");
        let guard = Guard {
            shrink: self.ratio(&key("shrink"), &spec.shrink, usual.shrink),
            grow: self.ratio(&key("grow"), &spec.grow, usual.grow),
            bad_lines: self.ratio(&key("bad-lines"), &spec.bad_lines, usual.bad_lines),
            sentinels: Arc::clone(&usual.sentinels),
        };
        let mut policy = self.without(&key("off"), &spec.off, *policy);
        policy.sentinel &= spec.sentinels.unwrap_or(true);
        (guard, policy)
    }

    fn ratio(&mut self, key: &str, typed: &Typed<f64>, usual: Ratio) -> Ratio {
        let Some(typed) = typed else { return usual };
        let number = *typed.get_ref();
        if !(0.0..=1e6).contains(&number) {
            let message = format!("{number} is out of range");
            let help = "allowed: 0 to 1000000; to turn the rule off, name it in off";
            self.error(key, typed.span(), Problem::new(message, help));
        }
        Ratio::new(number)
    }

    /// The policy without the rules that are turned off.
    fn without(&mut self, key: &str, list: &TypedList, mut policy: Policy) -> Policy {
        for typed in list.iter().flat_map(|list| list.get_ref()) {
            let name = typed.get_ref();
            match RULES.iter().find(|(rule, _)| rule == name) {
                Some((_, turn_off)) => turn_off(&mut policy),
                None => {
                    let rules: Vec<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
                    let message = format!("{name:?} is not a rule of the guard");
                    self.error(key, typed.span(), Problem::new(message, suggest(name, &rules)));
                }
            }
        }
        policy
    }

    fn sentinels(&mut self, list: &TypedList) -> Arc<[Sentinel]> {
        let key = "guard.sentinels";
        let mut sentinels = Vec::new();
        let Some(list) = list else { return Arc::default() };
        for typed in list.get_ref() {
            let text = typed.get_ref();
            // A prefix has a slash, too, and a file can have the name of a domain.
            let read = sentinel(text).map(|sentinel| vec![sentinel]).or_else(|problem| match text
                .contains('/')
            {
                true => sentinels_in(&self.folder.join(text)),
                false => Err(problem),
            });
            match read {
                Ok(read) => sentinels.extend(read),
                Err(problem) => self.error(key, typed.span(), problem),
            }
        }
        if sentinels.len() > MAX_SENTINELS {
            let message = format!("there are {} sentinels", sentinels.len());
            let help = format!("name at most {MAX_SENTINELS}: wider prefixes, fewer names");
            self.error(key, list.span(), Problem::new(message, help));
        }
        sentinels.into()
    }
}

/// Reads an address, a prefix or a domain name.
fn sentinel(text: &str) -> Result<Sentinel, Problem> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Sentinel::Prefix(address.into()));
    }
    match text.parse::<IpNet>() {
        Ok(prefix) => Ok(Sentinel::Prefix(prefix.trunc())),
        Err(_) if text.contains('/') => {
            let message = format!("{text:?} is not a prefix");
            Err(Problem::new(message, "write it like \"192.0.2.0/24\" or \"2001:db8::/32\""))
        }
        Err(_) => value::domain(text).map(|name| Sentinel::Name(Box::new(name))),
    }
}

/// Reads the lines of a file: a sentinel each; `#` begins a comment.
fn sentinels_in(file: &Path) -> Result<Vec<Sentinel>, Problem> {
    let unreadable = |error: std::io::Error| {
        let message = format!("{} cannot be read: {error}", file.display());
        let help = "let the server's user read the file (restart a running server if the file is in a new folder), \
                    or remove it from the list";
        Problem::new(message, help)
    };
    let size = std::fs::metadata(file).map_err(unreadable)?;
    if !size.is_file() || size.len() > MAX_SENTINEL_FILE {
        let message = format!("{} is no file of sentinels", file.display());
        let help = format!("name a file of text of at most {MAX_SENTINEL_FILE} bytes");
        return Err(Problem::new(message, help));
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let lines = text.lines().enumerate().map(|(number, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        (number + 1, line)
    });
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            sentinel(line).map_err(|problem| {
                let message = format!("{}:{number}: {}", file.display(), problem.message);
                Problem::new(message, "write an address, a prefix or a domain name a line")
            })
        })
        .collect()
}
