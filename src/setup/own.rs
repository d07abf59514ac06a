//! Lists of whoever sets the server up.

use crate::config::dataset_spec;
use crate::wire::name::NameBuf;
use crate::zonefile::Kind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A list that somebody keeps, and the zone that it is served in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OwnList {
    /// The zone.
    pub(crate) zone: String,
    /// The type.
    pub(crate) kind: Kind,
    /// The file; if it is relative, below the folder of the configuration.
    pub(crate) file: PathBuf,
}

impl FromStr for OwnList {
    type Err = String;

    /// Reads `zone:type:file`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (zone, rest) = text.split_once(':').ok_or("write ZONE:TYPE:FILE")?;
        let name =
            NameBuf::from_text(zone.as_bytes()).map_err(|error| format!("{zone:?}: {error}"))?;
        if name == NameBuf::ROOT {
            return Err("the zone has no name; write ZONE:TYPE:FILE".into());
        }
        let dataset = dataset_spec(rest, Path::new(""))?;
        let [file] = &dataset.files[..] else { return Err("write one file".into()) };
        match dataset.kind {
            Kind::Ip4Set
            | Kind::Ip4Tset
            | Kind::Ip4Trie
            | Kind::Ip6Tset
            | Kind::Ip6Trie
            | Kind::Dnset => {}
            kind => {
                return Err(format!(
                    "a list of the type {kind} is not made here; write it into the configuration"
                ));
            }
        }
        Ok(Self { zone: name.to_string().to_lowercase(), kind: dataset.kind, file: file.clone() })
    }
}

impl OwnList {
    /// What a new file holds: how to write entries, and the test entry (RFC 5782 section 5).
    pub(crate) fn first_text(&self) -> String {
        let (what, test) = match self.kind {
            Kind::Dnset => ("name", "test"),
            Kind::Ip6Tset | Kind::Ip6Trie => ("address or network", "::ffff:7f00:2"),
            _ => ("address or network", "127.0.0.2"),
        };
        format!("# {}: one {what} a line.\n# The entry that monitors ask for:\n{test}\n", self.zone)
    }
}
