//! Texts in addresses of pages: `%xx` (RFC 3986 section 2.1), and the fields of forms.

use std::borrow::Cow;

/// The first value of a field, as a browser sends it (`application/x-www-form-urlencoded`); what is no UTF-8 in it
/// is replaced.
pub(super) fn field(query: &str, name: &str) -> Option<String> {
    let mut fields = query.split('&').map(|field| field.split_once('=').unwrap_or((field, "")));
    let (_, value) = fields.find(|(field, _)| *field == name)?;
    let value = value.replace('+', " ");
    Some(String::from_utf8_lossy(&bytes(&value).unwrap_or(value.into_bytes())).into_owned())
}

/// A path with its `%xx` read; `None` if one of them is none, or if it is no text then.
pub(super) fn path(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains('%') {
        return Some(path.into());
    }
    String::from_utf8(bytes(path)?).ok().map(Cow::Owned)
}

/// A text as the value of a field in an address.
pub(super) fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte);
    let byte = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The bytes of a text with its `%xx` read; `None` if one of them is none.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, others) = others.split_first_chunk::<2>()?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
        rest = others;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percent_signs_stand_for_bytes() {
        for (text, want) in [
            ("/a", Some("/a")),
            ("/0%2f25.2%2E0", Some("/0/25.2.0")),
            ("%C3%a4", Some("\u{e4}")),
            ("%", None),
            ("%4", None),
            ("%4g", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(path(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn fields_are_found_by_their_names() {
        for (query, want) in [
            ("", None),
            ("keys=a", None),
            ("key", Some("")),
            ("key=a", Some("a")),
            ("a=b&key=c+d%26&key=e", Some("c d&")),
            ("key=a=b", Some("a=b")),
            ("key=100%", Some("100%")),
            ("key=%ff", Some("\u{fffd}")),
        ] {
            assert_eq!(field(query, "key").as_deref(), want, "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in any::<String>()) {
            prop_assert_eq!(field(&format!("key={}", encoded(&text)), "key"), Some(text));
        }
    }
}
