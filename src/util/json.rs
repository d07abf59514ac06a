//! Numbers in JSON, for `#[serde(with = ...)]`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A count that may be greater than what every reader of JSON holds exactly (2^53, RFC 8259 section 6): then it
/// is a text of decimal digits.
pub(crate) mod count {
    use super::*;

    const EXACT: u128 = 1 << 53;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Count {
        Number(u64),
        Text(String),
    }

    pub(crate) fn serialize<S: Serializer>(count: &u128, out: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(*count) {
            Ok(number) if *count <= EXACT => Count::Number(number).serialize(out),
            _ => Count::Text(count.to_string()).serialize(out),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        match Count::deserialize(from)? {
            Count::Number(number) => Ok(number.into()),
            Count::Text(digits) => digits.parse().map_err(D::Error::custom),
        }
    }
}

/// As [`count`], if it is known.
pub(crate) mod count_or_none {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Known(#[serde(with = "super::count")] u128);

    pub(crate) fn serialize<S: Serializer>(
        count: &Option<u128>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        count.map(Known).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<u128>, D::Error> {
        Ok(Option::<Known>::deserialize(from)?.map(|Known(count)| count))
    }
}
