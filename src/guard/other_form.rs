//! Lists in another form than the one that the dataset reads.

use crate::source::Cause;
use crate::zonefile::{Format, Kind, sniff};

/// Says that a file in rbldnsd's format begins as a list in another form. Pass the first decompressed
/// chunk.
///
/// The check is needed because most lines of the other forms parse as something that nobody means: a hosts
/// file as a list of the address 0.0.0.0, URLs as names that nobody asks for.
pub fn other_form(kind: Kind, format: Format, start: &[u8]) -> Option<Cause> {
    if format != Format::Rbldnsd || kind.is_access_list() || kind == Kind::Combined {
        return None;
    }
    sniff(start).map(|format| Cause::OtherForm { format, suits: format.suits(kind) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_in_rbldnsds_format_can_have_another() {
        let hosts = b"0.0.0.0 bad.example\n0.0.0.0 worse.example\n";
        let cause = |suits| Some(Cause::OtherForm { format: Format::Hosts, suits });
        assert_eq!(other_form(Kind::Dnset, Format::Rbldnsd, hosts), cause(true));
        assert_eq!(other_form(Kind::Ip4Set, Format::Rbldnsd, hosts), cause(false));
        assert_eq!(other_form(Kind::Dnset, Format::Hosts, hosts), None);
        assert_eq!(other_form(Kind::Acl, Format::Rbldnsd, hosts), None);
        assert_eq!(other_form(Kind::Ip4Set, Format::Rbldnsd, b"192.0.2.1\n192.0.2.2\n"), None);
    }
}
