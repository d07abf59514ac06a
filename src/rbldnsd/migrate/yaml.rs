//! YAML as a tree.

use anyhow::{Context, bail, ensure};
use saphyr_parser::{Event, Parser};
use std::collections::HashMap;
use std::rc::Rc;

/// The deepest nesting that is read.
const DEEPEST: usize = 64;

/// A node; what an alias stands for is shared.
#[derive(Debug)]
pub(super) enum Node {
    Scalar(String),
    List(Vec<Rc<Self>>),
    Map(Vec<(String, Rc<Self>)>),
}

/// A node, and how deep what is below it is nested. An alias is as deep as what it stands for.
#[derive(Clone)]
struct Built {
    node: Rc<Node>,
    height: usize,
}

/// A list or map whose end was not read yet.
struct Open {
    node: Node,
    anchor: usize,
    height: usize,
    /// The key whose value comes next.
    key: Option<String>,
}

impl Open {
    fn new(node: Node, anchor: usize) -> Self {
        Self { node, anchor, height: 0, key: None }
    }

    fn add(&mut self, child: Rc<Node>) {
        match (&mut self.node, self.key.take()) {
            (Node::List(items), _) => items.push(child),
            (Node::Map(entries), Some(key)) => entries.push((key, child)),
            // What is no scalar is no key of ours.
            (Node::Map(_), None) => self.key = Some(child.text().unwrap_or_default().to_owned()),
            (Node::Scalar(_), _) => {}
        }
    }
}

impl Node {
    /// Reads the first document of a stream.
    ///
    /// # Errors
    ///
    /// What is not well formed, with its place.
    pub(super) fn read(text: &str) -> anyhow::Result<Rc<Self>> {
        let mut anchors: HashMap<usize, Built> = HashMap::new();
        let mut open: Vec<Open> = Vec::new();
        for event in Parser::new_from_str(text) {
            let (built, anchor) = match event?.0 {
                Event::Scalar(text, _, anchor, _) => {
                    (Built { node: Rc::new(Self::Scalar(text.into_owned())), height: 0 }, anchor)
                }
                Event::Alias(anchor) => {
                    (anchors.get(&anchor).context("an alias of what is not there yet")?.clone(), 0)
                }
                Event::SequenceStart(anchor, _) => {
                    open.push(Open::new(Self::List(Vec::new()), anchor));
                    continue;
                }
                Event::MappingStart(anchor, _) => {
                    open.push(Open::new(Self::Map(Vec::new()), anchor));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let Open { node, anchor, height, .. } =
                        open.pop().context("an end without a start")?;
                    (Built { node: Rc::new(node), height }, anchor)
                }
                _ => continue,
            };
            if anchor > 0 {
                anchors.insert(anchor, built.clone());
            }
            let depth = open.len();
            let Some(parent) = open.last_mut() else { return Ok(built.node) };
            parent.height = parent.height.max(built.height + 1);
            ensure!(depth + parent.height <= DEEPEST, "it is nested more than {DEEPEST} deep");
            parent.add(built.node);
        }
        bail!("it is empty")
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map, those first that it takes over from others (`<<`).
    pub(super) fn entries(&self) -> Vec<(&str, &Rc<Self>)> {
        let Self::Map(entries) = self else { return Vec::new() };
        let merged =
            entries.iter().filter(|(key, _)| key == "<<").flat_map(|(_, node)| match &**node {
                Self::List(nodes) => {
                    nodes.iter().rev().flat_map(|node| node.own_entries()).collect()
                }
                node => node.own_entries(),
            });
        merged.chain(self.own_entries()).collect()
    }

    fn own_entries(&self) -> Vec<(&str, &Rc<Self>)> {
        match self {
            Self::Map(entries) => entries.iter().map(|(key, node)| (key.as_str(), node)).collect(),
            _ => Vec::new(),
        }
    }

    /// What a map says of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Rc<Self>> {
        self.entries().into_iter().rfind(|(known, _)| *known == key).map(|(_, node)| node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_merges_and_scalars() {
        let text = "x-a: &a\n  image: i\n  command: [n, 'o p']\nb:\n  <<: *a\n  command: >-\n    one\n    two\n\
                    c: {<<: [*a], d: \"\\x41\"}\n---\nb: 2";
        let node = Node::read(text).unwrap();
        let b = node.get("b").unwrap();
        assert_eq!(b.get("image").and_then(|node| node.text()), Some("i"));
        assert_eq!(b.get("command").and_then(|node| node.text()), Some("one two"));
        let c = node.get("c").unwrap();
        assert_eq!(c.get("d").and_then(|node| node.text()), Some("A"));
        assert!(matches!(&**c.get("command").unwrap(), Node::List(items) if items.len() == 2));
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(Node::read("a: [").is_err() && Node::read("").is_err());
        assert!(Node::read("a: *b").is_err());
        // Each line doubles what stands above it.
        let lines = |count| {
            let line = |i| format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1);
            format!("a0: &a0 x\n{}", (1..count).map(line).collect::<String>())
        };
        assert!(Node::read(&lines(40)).is_ok());
        for text in ["[".repeat(100) + &"]".repeat(100), lines(100)] {
            let error = Node::read(&text).unwrap_err().to_string();
            assert!(error.contains("nested"), "{error}");
        }
    }
}
