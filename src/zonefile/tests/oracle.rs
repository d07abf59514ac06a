//! Generated files against rules as simple as they can be written, and against themselves in other
//! pieces.

use super::*;
use proptest::prelude::*;

/// Parses a file line by line, none of them in the ways of the commonest kinds.
fn parse_each(kind: Kind, file: &[u8]) -> Result<Parsed, Fatal> {
    let mut parser = Parser::observed(kind, options(), Box::new(|_, _, _| {}));
    parser.start_file();
    parser.feed(file)?;
    parser.end_file()?;
    Ok(parser.finish())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn lists_are_what_their_lines_say(choices in prop::collection::vec(any::<u8>(), 0..500)) {
        zone_model::run(&choices);
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same(
        text in proptest::collection::vec(
            proptest::sample::select(&b"0123456789.:/-!#;$\n\n\n \t\r\0abf*=\\\xffSOANTL@"[..]), 0..400),
        cuts in proptest::collection::vec(
            (prop_oneof![1..40usize, 100..1000usize], any::<bool>()), 1..8),
        whole in prop::collection::vec(
            proptest::sample::select(&["1.2.3.4\n", "1.2.3.4\r\n", "255.255.255.255\n", ":2:x\n",
                "1.2.3.", "4\n", "$TTL 5\n", "1:2::3\n", "1.2.3.4 ", "1.2.3.0/24 :2:x\n", "!1.2.3.4\n",
                "1:2::/32 :3:y\r\n", "1.2.3.4/32 :2:y \n", "$MAXRANGE4 /25\n", ".a.b :3\n", ".a.b\n", "*.b.a-9\r\n", "a\n", "a A 1.2.3.4\n",
                "1.2.3.4 :2\n", "1.2.3.0/24 # x\n", "1.2.3.4 x@y :2:\n", "1.2.3.4 - 1.2.3.9\n", "1.2.3.4 OK\n", "1.2.3.0 1.2.3.255 24\n", "::ffff:1.2\n", "::ffff:102:304\n", "1.2.3.4 x @ ts=1\n", ".a.b :5:z\n",
                "a text\r\n", "!b.a\n", "1.2.3.4#x\n", "1.2.0.0/16\n", "0.0.0.0/0\n", ":3:z\n",
                "$DATASET ip4set:x a @\n", "$DATASET generic b.a\n", "@ 5 TXT x\n"][..]), 0..20),
        at in 0..20usize,
    ) {
        let mut file = text;
        let at = at.min(file.len());
        file.splice(at..at, whole.concat().into_bytes());
        for (_, kind) in Kind::NAMES {
            let want = parse_each(kind, &file);
            let mut parser = Parser::new(kind, options());
            parser.start_file();
            let mut rest = &file[..];
            let mut fed = Ok(());
            for &(cut, is_prepared) in cuts.iter().cycle() {
                let (head, tail) = rest.split_at(rest.len().min(cut));
                fed = fed.and_then(|()| match is_prepared {
                    true => parser.feed_batches(head, &Batches::new(kind, head)),
                    false => parser.feed(head),
                });
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            let got = fed.and_then(|()| parser.end_file()).map(|()| parser.finish());
            prop_assert_eq!(format!("{got:?}"), format!("{want:?}"));
        }
    }

    /// Behind many values, only the latest are found at once: the others are found in the end.
    #[test]
    fn values_that_come_again_have_one_number(
        lines in prop::collection::vec((0..40_u8, 0..2_usize, 0..60_u8, 0..20_u8), 0..200),
        threads in 1..3_usize,
    ) {
        let first = (0..40).map(|n| (n, 0, n, 0));
        let lines: Vec<_> = first.chain(lines).collect();
        type Key = fn(u8) -> String;
        let kinds: [(Kind, [Key; 2]); 5] = [
            (Kind::Ip4Set, [|n| format!("10.0.{}.{n}", n % 3), |n| format!("10.0.{}.0/24", n % 3)]),
            (Kind::Ip4Trie, [|n| format!("10.0.{}.{n}", n % 3), |n| format!("10.{n}.0.0-10.{n}.1.5")]),
            (Kind::Ip6Trie, [|n| format!("1:{n}::/32"), |n| format!("1:{n}:2::1")]),
            (Kind::Dnset, [|n| format!("a{n}.b"), |n| format!(".a{n}.b")]),
            (Kind::Hashset, [|n| format!("{n:032x}"), |n| format!("{n:032X}")]),
        ];
        for (kind, keys) in kinds {
            let line = |&(key, form, text, end): &(u8, usize, u8, u8)| {
                let end = ["", " @ delay=2"][usize::from(end == 0)];
                format!("{} :{}:Listed, see case {text}{end}\n", keys[form](key), 2 + text % 2)
            };
            let file = lines.iter().map(line).collect::<String>();
            let options = Options { threads, ..options() };
            let got = parse(kind, options, &[file.as_bytes()]).unwrap();
            let want = parse_each(kind, file.as_bytes()).unwrap();
            prop_assert_eq!(format!("{got:?}"), format!("{want:?}"));
        }
    }
}
