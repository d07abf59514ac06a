//! The text form of a scenario: what is served, what is asked, and what is to come.
//!
//! ```text
//! # A comment.
//! server                                    a server of its own, with these settings in [server]
//!   version = "hide"
//! dataset listed ip4set one,two             a [[dataset]]: name, type, files; its settings below
//!   ttl = "1h"
//! zone bl.example listed more allow white   a [[zone]]: name, datasets; its settings below
//!   test-points = false
//!   acl = ["NAME.who"]                      datasets in settings have the name of the file in front
//! file one gzip                             a data file: gzip, crlf, open (no newline at the end)
//! |:127.0.0.2:Listed, see $                 a line of it
//! ask [1.2.3.4].bl.example A  -> NOERROR 127.0.0.2 ttl=300
//! ask [1.2.3.4].bl.example TXT edns=1232 -> NOERROR "Listed, see 1.2.3.4"
//! ask [1.2.3.0/24].bl.example A -> NODATA
//! ask bl.example ANY -> NOERROR
//!   answer bl.example. 3600 NS ns.example.
//! ```
//!
//! `config FOLDER/FILE` serves a configuration of the checkout, with the files beside it, instead
//! of datasets, zones and files. Names of datasets and files are the scenario's own.
//!
//! Files and questions are written as in the cases of the differential test: their words are told in
//! [`crate::common::data_file`] and [`crate::common::query`]. What a reply must be is whole: it has
//! the records named here and no others. What may be expected is told at [`Expected`].

use super::expected::Expected;
use crate::common::data_file::{DataFile, unescape};
use crate::common::query::Query;

/// A question, and the reply that is to come.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The number of its line in the scenario.
    pub(crate) line: usize,
    /// The line.
    pub(crate) text: String,
    pub(crate) question: Query,
    pub(crate) expected: Expected,
}

/// What one file of scenarios says.
#[derive(Debug, Default)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// The settings of `[server]`, in TOML.
    pub(crate) server: String,
    /// The datasets and zones, in TOML.
    pub(crate) tables: String,
    /// A configuration of the checkout instead.
    pub(crate) config: Option<String>,
    pub(crate) files: Vec<DataFile<Vec<u8>>>,
    pub(crate) asks: Vec<Ask>,
}

/// What indented lines belong to.
#[derive(Clone, Copy)]
enum Block {
    None,
    Server,
    Table,
    Ask,
}

impl Scenario {
    /// Reads the scenario called `name`; an error names the line.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut scenario = Self { name: name.to_owned(), ..Self::default() };
        let mut block = Block::None;
        for (line, number) in text.lines().zip(1..) {
            scenario
                .line(line, number, &mut block)
                .map_err(|error| format!("{name}:{number}: {error}: {line}"))?;
        }
        Ok(scenario)
    }

    fn line(&mut self, line: &str, number: usize, block: &mut Block) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(data) = line.strip_prefix('|') {
            let file = self.files.last_mut().ok_or("a data line before the first file")?;
            file.lines.push(unescape(data)?);
            return Ok(());
        }
        if let Some(setting) = line.strip_prefix("  ") {
            match block {
                Block::None => return Err("nothing that this could belong to".to_owned()),
                Block::Server => self.server += &format!("{setting}\n"),
                Block::Table => self.tables += &format!("{setting}\n"),
                Block::Ask => {
                    let ask = self.asks.last_mut().ok_or("no question")?;
                    ask.expected.record(setting)?;
                }
            }
            return Ok(());
        }
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        *block = match keyword {
            "server" => Block::Server,
            "dataset" => self.dataset(rest)?,
            "zone" => self.zone(rest)?,
            "config" => {
                self.config = Some(rest.to_owned());
                Block::None
            }
            "file" => {
                self.files.push(DataFile::from_text(rest)?);
                Block::None
            }
            "ask" => {
                let (question, expected) = rest.split_once(" -> ").ok_or("there is no arrow")?;
                let question = Query::from_text(question)?;
                let expected = Expected::parse(expected, &question)?;
                self.asks.push(Ask { line: number, text: line.to_owned(), question, expected });
                Block::Ask
            }
            _ => return Err("unknown keyword".to_owned()),
        };
        Ok(())
    }

    fn dataset(&mut self, text: &str) -> Result<Block, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let [name, kind, files] = words[..] else { return Err("not name, type, files".into()) };
        let files: Vec<String> =
            files.split(',').map(|file| format!("\"{}/{file}\"", self.name)).collect();
        self.tables += &format!(
            "[[dataset]]\nname = \"{}.{name}\"\ntype = \"{kind}\"\nfiles = [{}]\n",
            self.name,
            files.join(", ")
        );
        Ok(Block::Table)
    }

    fn zone(&mut self, text: &str) -> Result<Block, String> {
        let (datasets, allow) = text.split_once(" allow ").unwrap_or((text, ""));
        let (zone, datasets) = datasets.split_once(' ').ok_or("a zone without a dataset")?;
        let list = |names: &str| {
            let quoted = names.split_whitespace().map(|name| format!("\"{}.{name}\"", self.name));
            quoted.collect::<Vec<_>>().join(", ")
        };
        let (datasets, allow) = (list(datasets), list(allow));
        self.tables += &format!("[[zone]]\nname = \"{zone}\"\ndatasets = [{datasets}]\n");
        if !allow.is_empty() {
            self.tables += &format!("allow = [{allow}]\n");
        }
        Ok(Block::Table)
    }
}
