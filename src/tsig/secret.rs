//! The file of a secret: base64 alone, or a `key` clause as `tsig-keygen` prints it.

/// The shortest secret, in bytes: 128 bits. RFC 8945 section 8 wants it as long as the MAC, which is told, but
/// shorter ones are in use.
const MIN_SECRET: usize = 16;

/// Why a file has no secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretError {
    /// It is not base64, and has no `secret` clause that is.
    #[error("it holds no secret in base64")]
    NoBase64,
    /// The secret could be guessed.
    #[error("the secret has less than 16 bytes")]
    Short,
}

/// The secret in the text of a file.
///
/// # Errors
///
/// When there is none, or one too short.
pub fn read_secret(text: &str) -> Result<Vec<u8>, SecretError> {
    let mut words = text.split(|c: char| c.is_ascii_whitespace() || "{};\"".contains(c));
    let clause = words.by_ref().find(|word| word.eq_ignore_ascii_case("secret"));
    let coded = match clause {
        Some(_) => words.find(|word| !word.is_empty()).unwrap_or_default(),
        None => text.trim(),
    };
    let secret = decode(coded).ok_or(SecretError::NoBase64)?;
    if secret.len() < MIN_SECRET { Err(SecretError::Short) } else { Ok(secret) }
}

/// Bytes from base64 (RFC 4648 section 4), padded.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if text.is_empty() || !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(value), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648 section 10.
        for (text, bytes) in [
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for bad in ["", "=", "Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zm9v=", "Zm 9v", "Zm-_", "===="]
        {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_secret_stands_alone_or_in_a_clause() {
        let secret = "MDEyMzQ1Njc4OWFiY2RlZg==";
        let clause =
            format!("key \"a.test\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{secret}\";\n}};\n");
        for text in [secret, &format!("\n {secret} \n"), &clause, &clause.replace('"', "")] {
            assert_eq!(read_secret(text).as_deref(), Ok(&b"0123456789abcdef"[..]), "{text}");
        }
        for (text, error) in [
            ("", SecretError::NoBase64),
            ("secret", SecretError::NoBase64),
            ("key a { secret ; };", SecretError::NoBase64),
            ("two words", SecretError::NoBase64),
            ("MDEyMzQ1Njc4OWFiY2Rl", SecretError::Short),
        ] {
            assert_eq!(read_secret(text), Err(error), "{text}");
        }
    }
}
