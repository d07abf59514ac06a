//! Lists in another form than the one that the dataset reads.

use crate::source::Cause;
use crate::zonefile::{Format, Kind, is_json_text, sniff};

/// Says that a file in rbldnsd's format begins as a list in another form. Pass the first decompressed
/// chunk.
///
/// The check is needed because most lines of the other forms parse as something that nobody means: a hosts
/// file as a list of the address 0.0.0.0, URLs as names that nobody asks for.
pub fn other_form(kind: Kind, format: Format, start: &[u8]) -> Option<Cause> {
    let sniffed = || sniff(kind, start);
    let found = |format: Format| Cause::OtherForm { format, suits: format.suits(kind) };
    match kind {
        Kind::AclKey | Kind::Combined => return None,
        // The words of an access list look like much, but its addresses are not all that of nobody.
        Kind::Acl => return sniffed().filter(|form| *form == Format::Hosts).map(found),
        _ => {}
    }
    if matches!(format, Format::Rbldnsd | Format::Jsonl) && is_json_text(start) {
        return Some(Cause::JsonText);
    }
    if format != Format::Rbldnsd {
        return None;
    }
    sniffed().map(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_in_rbldnsds_format_can_have_another() {
        let hosts = b"0.0.0.0 bad.example\n0.0.0.0 worse.example\n::1 w3.example\n";
        let cause = |suits| Some(Cause::OtherForm { format: Format::Hosts, suits });
        assert_eq!(other_form(Kind::Dnset, Format::Rbldnsd, hosts), cause(true));
        assert_eq!(other_form(Kind::Ip4Set, Format::Rbldnsd, hosts), cause(false));
        assert_eq!(other_form(Kind::Dnset, Format::Hosts, hosts), None);
        assert_eq!(other_form(Kind::Acl, Format::Rbldnsd, hosts), cause(false));
        let access = b"0.0.0.0/0 :refuse\n127.0.0.1 :pass\n::1 :pass\n";
        assert_eq!(other_form(Kind::Acl, Format::Rbldnsd, access), None);
        for format in [Format::Rbldnsd, Format::Jsonl] {
            let array = b"[{\"cidr\":\"192.0.2.0/24\"},\n{\"cidr\":\"198.51.100.0/24\"}]\n";
            assert_eq!(other_form(Kind::Ip4Trie, format, array), Some(Cause::JsonText));
        }
        assert_eq!(other_form(Kind::Ip4Set, Format::Rbldnsd, b"192.0.2.1\n192.0.2.2\n"), None);
    }
}
