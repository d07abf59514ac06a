//! How lists of hashes are asked about a mail address.

use crate::util::digest::{blake2b, hex, md5, sha1};
use crate::wire::name::NameBuf;
use clap::ValueEnum;

/// Whose lists are asked, which says what is hashed and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum HashScheme {
    /// MSBL's EBL: SHA-1 in hex.
    Msbl,
    /// Spamhaus' HBL: SHA-1 in hex, below `_email`.
    Hbl,
    /// SURBL: MD5 in hex.
    Surbl,
    /// rspamd's own list: the first 32 digits of the BLAKE2b in its base32.
    Rspamd,
}

impl HashScheme {
    /// All schemes.
    pub(crate) const ALL: [Self; 4] = [Self::Msbl, Self::Hbl, Self::Surbl, Self::Rspamd];

    /// What is hashed of an address, whose mailbox is thereby told whatever way it is written: in lower case, without a
    /// tag behind a plus sign; at Google without dots, and with one domain. Mail filters do so whichever list they ask
    /// (rspamd, `remove_email_aliases`; <https://msbl.org/ebl-design.html>).
    pub(crate) fn hashed(self, user: &str, domain: &NameBuf) -> String {
        let (user, domain) = canonical(user, domain);
        let sign = if self == Self::Rspamd { '.' } else { '@' };
        format!("{user}{sign}{domain}")
    }

    /// The label that is asked for.
    pub(crate) fn label(self, user: &str, domain: &NameBuf) -> String {
        let hashed = self.hashed(user, domain);
        match self {
            Self::Msbl | Self::Hbl => hex(&sha1(hashed.as_bytes())),
            Self::Surbl => hex(&md5(hashed.as_bytes())),
            Self::Rspamd => rspamd_base32(&blake2b(hashed.as_bytes()), 32),
        }
    }

    /// The zone that mail filters ask, with `KEY` where each customer has one.
    pub(crate) fn zone(self) -> &'static str {
        match self {
            Self::Msbl => "ebl.msbl.org",
            Self::Hbl => "_email.KEY.hbl.dq.spamhaus.net",
            Self::Surbl => "hashbl.surbl.org",
            Self::Rspamd => "email.rspamd.com",
        }
    }
}

/// The mailbox of an address: the part before the `@`, and the domain.
fn canonical(user: &str, domain: &NameBuf) -> (String, String) {
    let (user, domain) = (user.to_lowercase(), domain.to_string().to_lowercase());
    let tag = user.find('+').filter(|&at| at > 0).unwrap_or(user.len());
    let user = &user[..tag];
    match &*domain {
        "gmail.com" | "googlemail.com" => (user.replace('.', ""), "gmail.com".to_owned()),
        _ => (user.to_owned(), domain),
    }
}

/// The first digits of bytes in rspamd's own base32: z-base-32, but the lowest bit of a byte comes first.
fn rspamd_base32(bytes: &[u8], digits: usize) -> String {
    const DIGITS: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";
    let bit = |at: usize| usize::from(bytes[at / 8] >> (at % 8) & 1);
    let digit = |number: usize| (0..5).map(|place| bit(5 * number + place) << place).sum::<usize>();
    (0..digits).map(|number| char::from(DIGITS[digit(number)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(scheme: HashScheme, address: &str) -> String {
        let (user, domain) = address.rsplit_once('@').unwrap();
        scheme.label(user, &domain.parse().unwrap())
    }

    #[test]
    fn labels_are_those_that_mail_filters_ask_for() {
        // By rspamd 3.4 of the mailbox, rspamd_cryptobox_hash.
        for (scheme, wanted) in [
            (HashScheme::Msbl, "5a4cd0167fd2730dae4430fd5aaa4c79a89c18d4"),
            (HashScheme::Hbl, "5a4cd0167fd2730dae4430fd5aaa4c79a89c18d4"),
            (HashScheme::Surbl, "cba1f2d695a5ca39ee6f343297a761a4"),
            (HashScheme::Rspamd, "ituq1g3ubt5yck8yub1dxaegtrsmupos"),
        ] {
            for address in ["user@gmail.com", "U.ser+tag@GoogleMail.com", "us.er+a+b@gmail.com"] {
                assert_eq!(label(scheme, address), wanted, "{address}");
            }
        }
    }

    #[test]
    fn only_google_ignores_dots_and_a_lone_tag_is_a_user() {
        let hashed = |user: &str, domain: &str| {
            HashScheme::Msbl.hashed(user, &domain.parse::<NameBuf>().unwrap())
        };
        assert_eq!(hashed("U.ser+tag", "Example.COM"), "u.ser@example.com");
        assert_eq!(hashed("+tag", "example.com"), "+tag@example.com");
        assert_eq!(hashed("a.b.c", "gmail.com"), "abc@gmail.com");
        assert_eq!(HashScheme::Rspamd.hashed("A+b", &"x.test".parse().unwrap()), "a.x.test");
    }
}
