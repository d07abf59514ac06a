//! JSON lines: an object in each line, as Spamhaus publishes DROP.
//!
//! `{"cidr":"192.0.2.0/24","sblid":"SBL1","rir":"ripencc"}` lists a prefix with the text `SBL1`. The
//! object with `"type":"metadata"` says how many records the file has and when it was made.

use super::super::Kind;
use super::{Item, Refusal, Unread, scoped};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Fields that have the key where no setting names one: the first that a line has.
const KEYS: [&str; 7] = ["cidr", "ip", "prefix", "network", "domain", "host", "name"];
/// The same for a list of names.
const KEYS_OF_NAMES: [&str; 7] = ["domain", "host", "name", "cidr", "ip", "prefix", "network"];

/// What a file says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stated {
    /// How many records it has.
    pub records: Option<u64>,
    /// When it was made, in seconds since 1970.
    pub timestamp: Option<u64>,
}

/// The reader of a file of JSON lines.
#[derive(Clone, Debug)]
pub(in crate::zonefile) struct Jsonl {
    /// The field that has the key.
    field: Option<Box<str>>,
    /// The fields that may have it if that is not given.
    keys: &'static [&'static str],
    stated: Stated,
}

impl Jsonl {
    pub(super) fn new(kind: Kind, field: Option<&str>) -> Self {
        let keys = if kind == Kind::Dnset { &KEYS_OF_NAMES } else { &KEYS };
        Self { field: field.map(Into::into), keys, stated: Stated::default() }
    }

    pub(super) fn stated(&self) -> Stated {
        self.stated
    }

    /// Takes an object.
    pub(super) fn line<'l>(
        &mut self,
        line: &'l [u8],
        say: &mut dyn FnMut(Item<'l>),
    ) -> Result<(), Refusal> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let mut reader = serde_json::Deserializer::from_slice(line);
        let fields =
            reader.deserialize_map(FieldsVisitor { field: self.field.as_deref(), keys: self.keys });
        let fields = fields.and_then(|fields| reader.end().map(|()| fields));
        let fields = fields.map_err(|error| (error.column().saturating_sub(1), Unread::NotJson))?;
        if fields.is_metadata {
            let known = self.stated;
            // The files of a dataset are one list: their records add up.
            self.stated.records = match (known.records, fields.records) {
                (Some(known), Some(more)) => Some(known.saturating_add(more)),
                (known, more) => known.or(more),
            };
            self.stated.timestamp = known.timestamp.max(fields.timestamp);
            return Ok(());
        }
        let Some(key) = fields.key else { return Err((0, Unread::NoKey)) };
        let text = fields.sblid.map(into_bytes);
        let item = match into_bytes(key) {
            Cow::Borrowed(key) => scoped(key, key.as_ptr() as usize - line.as_ptr() as usize),
            Cow::Owned(key) => Item { key: key.into(), ..Item::new(b"", 0) },
        };
        say(Item { text, ..item });
        Ok(())
    }
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The fields of an object that matter.
#[derive(Default)]
struct Fields<'l> {
    /// The key.
    key: Option<Cow<'l, str>>,
    sblid: Option<Cow<'l, str>>,
    is_metadata: bool,
    records: Option<u64>,
    timestamp: Option<u64>,
}

struct FieldsVisitor<'f> {
    field: Option<&'f str>,
    keys: &'f [&'f str],
}

impl<'l> Visitor<'l> for FieldsVisitor<'_> {
    type Value = Fields<'l>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<Fields<'l>, A::Error> {
        let mut fields = Fields::default();
        let mut rank = self.keys.len();
        while let Some(name) = map.next_key::<Text<'l>>()? {
            let of_key = match self.field {
                Some(field) => (name.0 == field).then_some(0),
                None => self.keys.iter().position(|key| name.0 == *key),
            };
            match (of_key, &*name.0) {
                (Some(better), _) if better < rank || fields.key.is_none() => {
                    if let Scalar::Text(key) = map.next_value()? {
                        (fields.key, rank) = (Some(key), better);
                    }
                }
                (None, "sblid") => fields.sblid = map.next_value::<Scalar<'l>>()?.text(),
                (None, "type") => {
                    let is_metadata = |text: Cow<'_, str>| text == "metadata";
                    fields.is_metadata =
                        map.next_value::<Scalar<'l>>()?.text().is_some_and(is_metadata);
                }
                (None, "records") => fields.records = map.next_value::<Scalar<'l>>()?.number(),
                (None, "timestamp") => fields.timestamp = map.next_value::<Scalar<'l>>()?.number(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// A string that is borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'l>(#[serde(borrow)] Cow<'l, str>);

/// A value of a field; other kinds than these are passed over.
enum Scalar<'l> {
    Text(Cow<'l, str>),
    Number(u64),
    Other,
}

impl<'l> Scalar<'l> {
    fn text(self) -> Option<Cow<'l, str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn number(self) -> Option<u64> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }
}

impl<'l> serde::Deserialize<'l> for Scalar<'l> {
    fn deserialize<D: Deserializer<'l>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'l> Visitor<'l> for ScalarVisitor {
    type Value = Scalar<'l>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'l str) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar<'l>, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: serde::de::SeqAccess<'l>>(self, mut seq: A) -> Result<Scalar<'l>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<Scalar<'l>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}
