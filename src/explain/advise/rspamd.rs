//! rspamd: the module `rbl`, with a symbol for each value, and the weights of these symbols.

use super::filter::{Filter, Test};
use super::{Action, AskedZone, Rule, zone_name};
use std::fmt::Write as _;

/// What a listing counts that is for refusing.
const FULL: f64 = 6.0;

pub(super) fn lists(rules: &[Rule<'_>]) -> String {
    let mut out = String::from("rbls {\n");
    for rule in told(rules) {
        out += &rule.comments("    ");
        let zone = rule.zone;
        let checks = if rule.names { "[\"urls\", \"emails\", \"dkim\"]" } else { "[\"from\"]" };
        let (key, lets_in) = match rule.action {
            Action::LetIn => (format!("{zone}-allow"), "        is_whitelist = true;\n"),
            Action::Watch(_) => (format!("{zone}-watch"), ""),
            Action::Reject => (zone.to_owned(), ""),
        };
        let key = if rule.names { format!("{key}-names") } else { key };
        let _ = write!(
            out,
            "    \"{key}\" {{\n        symbol = \"{}\";\n        rbl = \"{zone}\";\n        \
             checks = {checks};\n{lets_in}        returncodes {{\n",
            rule.base()
        );
        for code in &rule.codes {
            let _ = writeln!(out, "            {} = \"{}\";", rule.symbol(code), code.a);
        }
        out += "        }\n    }\n";
    }
    out + "}\n"
}

pub(super) fn weights(rules: &[Rule<'_>]) -> String {
    let mut out = String::from("symbols = {\n");
    for rule in told(rules) {
        for code in &rule.codes {
            let _ = writeln!(
                out,
                "    \"{}\" {{\n        weight = {:.1};\n        description = \"listed in {} ({})\";\n    }}",
                rule.symbol(code),
                rule.score(FULL),
                rule.zone,
                code.a
            );
        }
    }
    out + "}\n"
}

/// Anybody can write a name into a mail: nothing is let in by it.
fn told<'r, 'z>(rules: &'r [Rule<'z>]) -> impl Iterator<Item = &'r Rule<'z>> {
    rules.iter().filter(|rule| !rule.names || rule.action != Action::LetIn)
}

/// A piece of a file, with its line.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Sign(char),
}

/// What an object with a key `rbl` says so far.
#[derive(Default)]
struct Object {
    key: String,
    rbl: Option<(String, u32)>,
    checks: Vec<String>,
    codes: Vec<String>,
    bits: Vec<String>,
    is_whitelist: bool,
    /// It holds objects for the values or bits of the one around it.
    is_codes: bool,
}

/// Where a file asks lists. Of UCL (rspamd's form of settings), it knows objects, lists, words and comments.
pub(super) fn asked(text: &str) -> Vec<AskedZone> {
    let mut asked = Vec::new();
    let mut open = vec![Object::default()];
    // The key whose values are read, and whether they are in brackets.
    let (mut key, mut in_list) = (None::<String>, false);
    for (token, line) in tokens(text) {
        match token {
            Token::Sign('{') => {
                let key = key.take().unwrap_or_default();
                let is_codes = matches!(&*key, "returncodes" | "returnbits");
                open.push(Object { key, is_codes, ..Object::default() });
            }
            Token::Sign('}') => {
                key = None;
                if open.len() > 1
                    && let Some(done) = open.pop()
                {
                    asked.extend(done.asked());
                    if let Some(around) = open.last_mut().filter(|_| done.is_codes) {
                        match &*done.key {
                            "returncodes" => around.codes.extend(done.codes),
                            _ => around.bits.extend(done.codes),
                        }
                    }
                }
            }
            Token::Sign('[') => in_list = true,
            Token::Sign(']') => (in_list, key) = (false, None),
            Token::Sign(';') => key = None,
            Token::Sign(_) => {}
            Token::Word(word) => match &key {
                None => key = Some(word),
                Some(name) => {
                    if let Some(object) = open.last_mut() {
                        object.set(name, word, line);
                    }
                    if !in_list {
                        // A name may stand between the key of an object and its brace.
                        key = None;
                    }
                }
            },
        }
    }
    asked
}

impl Object {
    fn set(&mut self, key: &str, value: String, line: u32) {
        let is_on = matches!(&*value, "true" | "yes" | "on");
        match key {
            _ if self.is_codes => self.codes.push(value),
            "rbl" => self.rbl = Some((value, line)),
            "checks" => self.checks.push(value),
            "is_whitelist" => self.is_whitelist = is_on,
            "from" | "received" | "urls" | "emails" | "dkim" | "helo" | "rdns" if is_on => {
                self.checks.push(key.to_owned());
            }
            _ => {}
        }
    }

    fn asked(&self) -> Option<AskedZone> {
        let (zone, line) = self.rbl.clone()?;
        let tests = |values: &[String], test: fn(&String) -> Option<Test>| {
            let tests: Option<Vec<_>> = values.iter().map(test).collect();
            tests.map_or(Filter::Unknown, Filter::OneOf)
        };
        let filter = match (&self.codes[..], &self.bits[..]) {
            ([], []) => Filter::Any,
            (codes, []) => tests(codes, |code| Test::value(code)),
            (_, bits) => {
                tests(bits, |bits| Some(Test::Bits { mask: bits.parse().ok()?, all: false }))
            }
        };
        let is_name =
            |check: &String| matches!(&**check, "urls" | "emails" | "dkim" | "helo" | "rdns");
        let names = self.checks.iter().any(is_name);
        let addresses = self.checks.iter().any(|check| !is_name(check));
        Some(AskedZone {
            line,
            zone: zone_name(&zone),
            filter,
            lets_in: self.is_whitelist.then_some(true),
            names: (names != addresses).then_some(names),
        })
    }
}

fn tokens(text: &str) -> Vec<(Token, u32)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' | '\'' => {
                let inner = &rest[1..];
                let end = inner.find(first).unwrap_or(inner.len());
                tokens.push((Token::Word(inner[..end].to_owned()), line));
                (end + 2).min(rest.len())
            }
            '{' | '}' | '[' | ']' | ';' | ',' | '=' | ':' => {
                tokens.push((Token::Sign(first), line));
                1
            }
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                let ends = |c: char| c.is_whitespace() || "{}[];,=\"'#".contains(c);
                let end = rest.find(ends).unwrap_or(rest.len());
                let word = &rest[..end];
                // `key: value`, as JSON has it.
                let word = word.strip_suffix(':').unwrap_or(word);
                tokens.push((Token::Word(word.to_owned()), line));
                end
            }
        };
        line += rest[..len].matches('\n').count() as u32;
        rest = &rest[len..];
    }
    tokens
}
