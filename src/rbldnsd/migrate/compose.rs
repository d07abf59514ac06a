//! Compose files (compose-spec.io): `entrypoint` and `command` of each service.

use super::container;
use super::instance::{CommandLines, Instance};
use super::shell::{self, Variables};
use super::yaml::Node;
use anyhow::Context;
use std::path::Path;

/// Defaults of variables in defaults of variables.
const DEEPEST: usize = 8;

/// Reads the services that start rbldnsd.
///
/// # Errors
///
/// A file that is not well formed.
pub(super) fn read(text: &str, found: &mut CommandLines) -> anyhow::Result<()> {
    let file = Node::read(text).context("it is no YAML")?;
    let services = file.get("services").map(|node| node.entries()).unwrap_or_default();
    for (name, service) in services {
        let mut words = Vec::new();
        for key in ["entrypoint", "command"] {
            if let Some(node) = service.get(key) {
                words.extend(strings(node, found).with_context(|| format!("{name}: {key}"))?);
            }
        }
        let environment = environment(service, found);
        let Some(arguments) = container::arguments(name, &words, &environment, found)? else {
            if is_about_rbldnsd(name, service) && words.is_empty() {
                found.warn(format!(
                    "service {name} has no command: it is in the Dockerfile of its image"
                ));
            }
            continue;
        };
        let mut text = |key: &str| {
            let text = service.get(key).and_then(|node| node.text())?;
            Some(interpolate(text, found, DEEPEST))
        };
        let (user, folder) = (text("user"), text("working_dir").unwrap_or_default());
        let folder = Path::new("/").join(folder);
        // Its name becomes that of a file.
        let name: String = name.chars().map(|c| if c.is_whitespace() { '-' } else { c }).collect();
        found.add(Instance { user, folder, ..Instance::new(&name, arguments) });
    }
    Ok(())
}

fn is_about_rbldnsd(name: &str, service: &Node) -> bool {
    let image = service.get("image").and_then(|node| node.text()).unwrap_or_default();
    [name, image].iter().any(|text| text.contains("rbldns"))
}

/// A command: a list of words, or a line that is split into words without a shell.
fn strings(node: &Node, found: &mut CommandLines) -> anyhow::Result<Vec<String>> {
    match node {
        Node::Scalar(text) => shell::split(&interpolate(text, found, DEEPEST)),
        Node::List(items) => {
            let texts = items.iter().filter_map(|item| item.text());
            Ok(texts.map(|text| interpolate(text, found, DEEPEST)).collect())
        }
        Node::Map(_) => Ok(Vec::new()),
    }
}

/// `environment`: a map, or a list of `NAME=value`.
fn environment(service: &Node, found: &mut CommandLines) -> Variables {
    let mut variables = Variables::new();
    let mut add = |name: &str, value: &str| {
        variables.insert(name.to_owned(), interpolate(value, found, DEEPEST).into_bytes());
    };
    match service.get("environment").map(|node| &**node) {
        Some(Node::List(items)) => {
            let texts = items.iter().filter_map(|item| item.text()?.split_once('='));
            texts.for_each(|(name, value)| add(name, value));
        }
        Some(map) => {
            let texts =
                map.entries().into_iter().filter_map(|(name, node)| Some((name, node.text()?)));
            texts.for_each(|(name, value)| add(name, value));
        }
        None => {}
    }
    variables
}

/// Replaces `$$` and the defaults of variables, whose values are in the environment or in `.env`.
fn interpolate(text: &str, found: &mut CommandLines, depth: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        if let Some(behind) = behind.strip_prefix("$$") {
            out.push('$');
            rest = behind;
            continue;
        }
        let size = size_of_variable(behind);
        let (whole, behind) = behind.split_at(size);
        rest = behind;
        let inside = whole.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
        let default = inside.and_then(|text| {
            let (name, default) = text.split_once('-')?;
            let name = name.strip_suffix(':').unwrap_or(name);
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some((name, default))
        });
        match default {
            Some((name, default)) if depth > 0 => {
                let value = interpolate(default, found, depth - 1);
                found.warn(format!("${name} is taken to be its default, \"{value}\""));
                out.push_str(&value);
            }
            _ => {
                if size > 1 {
                    found.warn(format!("only compose can tell what {whole} stands for"));
                }
                out.push_str(whole);
            }
        }
    }
    out + rest
}

/// The length of `$NAME` or `${...}` at the start of `text`; 1 if there is none.
fn size_of_variable(text: &str) -> usize {
    if text.starts_with("${") {
        return shell::closing(text.as_bytes()).unwrap_or(1);
    }
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    1 + text[1..].find(|c| !is_of_name(c)).unwrap_or(text.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> CommandLines {
        CommandLines::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error:#}"))
    }

    #[test]
    fn each_service_that_starts_rbldnsd_is_an_instance() {
        let text = "\
services:
  db:
    image: mariadb
    command: --default-authentication-plugin=x
  bl:
    image: local/bl
    user: '1000:1000'
    working_dir: lists
    ports: ['53:530/udp']
    command: rbldnsd -n -b 0.0.0.0/530 -r /x \"a b.test:ip4set:l\" z.test:dnset:${LIST:-names}
  white:
    image: rspamd/rbldnsd
    environment:
      ARGS: -e -v
    entrypoint: [/bin/sh, -c]
    command: ['exec rbldnsd $$ARGS w.test:ip4set:w']
  image:
    image: pataquets/rbldnsd
    command: [-w, /zones, i.test:ip4set:i]
  built:
    image: rbldnsd
";
        let found = read(text);
        let shown: Vec<String> = found
            .instances
            .iter()
            .map(|instance| {
                let words: Vec<_> =
                    instance.words.iter().map(|word| word.to_string_lossy()).collect();
                format!("{}: {}", instance.name, words.join("|"))
            })
            .collect();
        let want = [
            "bl: -n|-b|0.0.0.0/530|-r|/x|a b.test:ip4set:l|z.test:dnset:names",
            "white: -e|-v|w.test:ip4set:w",
            "image: -w|/zones|i.test:ip4set:i",
        ];
        assert_eq!(shown, want);
        assert_eq!(found.instances[0].user.as_deref(), Some("1000:1000"));
        assert_eq!(found.instances[0].folder, Path::new("/lists"));
        let has = |text: &str| found.warnings.iter().any(|warning| warning.contains(text));
        assert!(has("$LIST is taken to be its default, \"names\""), "{:?}", found.warnings);
        assert!(has("the image of image is taken to start rbldnsd"), "{:?}", found.warnings);
        assert!(has("service built has no command"), "{:?}", found.warnings);
    }

    #[test]
    fn variables_are_those_of_compose() {
        let cases = [
            ("a$$b", "a$b", 0),
            ("$A ${B} ${C:?x}", "$A ${B} ${C:?x}", 3),
            ("${A:-x}${B-y z}", "xy z", 2),
            ("${A:-${B:-x}}", "x", 2),
            ("$ ${A", "$ ${A", 0),
        ];
        for (text, want, warnings) in cases {
            let mut found = read("services: {a: {command: rbldnsd z:ip4set:f}}");
            found.warnings.clear();
            assert_eq!(interpolate(text, &mut found, DEEPEST), want, "{text}");
            assert_eq!(found.warnings.len(), warnings, "{text}: {:?}", found.warnings);
        }
    }
}
