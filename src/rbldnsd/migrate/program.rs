//! rbldnsd's arguments in the command line of a process, which may be a wrapper or a shell.

use super::shell::{self, Variables};
use crate::zonefile::Kind;
use std::path::Path;

const PROGRAM: &str = "rbldnsd";

/// Shells, which take a script behind `-c`.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// A shell may start a shell.
const MOST_SHELLS: usize = 4;

/// rbldnsd's arguments in `words`, if it is what they start: by itself, behind a wrapper such as
/// `nice`, or in a script of a shell, to which `variables` are known. What a script leaves open goes
/// to `warnings`.
///
/// # Errors
///
/// A script that is not well formed.
pub(super) fn arguments(
    words: &[String],
    variables: &Variables,
    warnings: &mut Vec<String>,
) -> anyhow::Result<Option<Vec<String>>> {
    arguments_within(words, variables, warnings, MOST_SHELLS)
}

fn arguments_within(
    words: &[String],
    variables: &Variables,
    warnings: &mut Vec<String>,
    shells: usize,
) -> anyhow::Result<Option<Vec<String>>> {
    for (at, word) in words.iter().enumerate() {
        if is_program(word, &[PROGRAM]) {
            return Ok(Some(words[at + 1..].to_vec()));
        }
        let Some((script, behind)) = script(&words[at..]) else { continue };
        if shells == 0 {
            return Ok(None);
        }
        // What is behind the script is its name and its parameters.
        let parameters: Vec<Vec<u8>> =
            behind.iter().skip(1).map(|word| word.as_bytes().to_vec()).collect();
        let commands = shell::commands(script.as_bytes(), variables.clone(), &parameters)?;
        warnings.extend(commands.warnings);
        for command in commands.list {
            let lossy = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
            let words: Vec<String> = command.iter().map(lossy).collect();
            if let found @ Some(_) = arguments_within(&words, variables, warnings, shells - 1)? {
                return Ok(found);
            }
        }
        return Ok(None);
    }
    Ok(None)
}

/// True if `words` are arguments of rbldnsd without the program: those of an image that starts it.
pub(super) fn are_arguments(words: &[String]) -> bool {
    let is_first = |word: &String| word.starts_with('-') || is_zone_spec(word);
    words.first().is_some_and(is_first) && words.iter().any(|word| is_zone_spec(word))
}

fn is_zone_spec(word: &str) -> bool {
    let mut parts = word.splitn(3, ':').skip(1);
    parts.next().is_some_and(|kind| kind.parse::<Kind>().is_ok()) && parts.next().is_some()
}

/// The script of a shell that `words` start, and what is behind it.
fn script(words: &[String]) -> Option<(&str, &[String])> {
    let (shell, options) = words.split_first()?;
    if !is_program(shell, &SHELLS) {
        return None;
    }
    let is_option = |word: &&String| word.starts_with(['-', '+']);
    let count = options.iter().take_while(is_option).count();
    let has_script =
        options[..count].iter().any(|word| !word.starts_with("--") && word.contains('c'));
    let (script, behind) = options[count..].split_first()?;
    has_script.then_some((script.as_str(), behind))
}

fn is_program(word: &str, names: &[&str]) -> bool {
    let name = Path::new(word).file_name().unwrap_or_default();
    names.iter().any(|known| name == *known) && !word.starts_with('-') && !word.contains([':', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[&str]) -> Option<String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let variables = Variables::from([("A".to_owned(), b"-e -n".to_vec())]);
        let mut warnings = Vec::new();
        arguments(&words, &variables, &mut warnings).unwrap().map(|words| words.join("|"))
    }

    #[test]
    fn the_program_is_found_behind_wrappers_and_in_scripts() {
        let cases: &[(&[&str], Option<&str>)] = &[
            (
                &["/usr/sbin/rbldnsd", "-n", "z:ip4set:/var/lib/rbldnsd"],
                Some("-n|z:ip4set:/var/lib/rbldnsd"),
            ),
            (&["tini", "--", "rbldnsd", "-n"], Some("-n")),
            (&["nice", "-n", "5", "rbldnsd", "-r", "/x/rbldnsd"], Some("-r|/x/rbldnsd")),
            (&["/bin/sh", "-c", "cd /x && exec rbldnsd $A z:a:b"], Some("-e|-n|z:a:b")),
            (&["bash", "-e", "-c", "rbldnsd -b x \"$@\"", "sh", "a b", "c"], Some("-b|x|a b|c")),
            (&["sh", "-ec", "sh -c 'rbldnsd -n'"], Some("-n")),
            (&["sh", "/start"], None),
            (&["rbldnsd.wrapper", "x"], None),
            (&["-r", "/x"], None),
        ];
        for (words, want) in cases {
            assert_eq!(found(words).as_deref(), *want, "{words:?}");
        }
    }

    #[test]
    fn arguments_alone_have_a_zone() {
        let are =
            |line: &str| are_arguments(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(are("-n -b 0.0.0.0 z.test:ip4set:l"));
        assert!(are("z.test:dnset:l"));
        assert!(!are("--default-authentication-plugin=x"));
        assert!(!are("serve z.test:dnset:l") && !are("-p 80:80:80") && !are(""));
    }
}
