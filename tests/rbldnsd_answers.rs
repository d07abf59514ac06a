//! Answers where dnsbld under rbldnsd's name and Debian's rbldnsd part, or must not: answers that are too
//! long for a datagram, and zones of which a dataset is missing.

use std::collections::BTreeSet;
use std::fs;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::common::message::TC;
use crate::common::{Foreground, LIMIT, Reply, Sandbox, as_nobody, wait_until};

/// Starts dnsbld under rbldnsd's name, or rbldnsd, and gives what `ask` finds.
fn with_each<T>(sandbox: &Sandbox, line: &str, ask: impl Fn() -> T) -> [T; 2] {
    let line = format!("{} -n -b @ {line}", as_nobody());
    [sandbox.command(&line), sandbox.original(&line)].map(|command| {
        let _server = Foreground::start(command, &sandbox.path("out"), &sandbox.path("err"));
        ask()
    })
}

fn is_truncated(reply: &Reply) -> bool {
    reply.bits & TC != 0
}

fn records(reply: &Reply) -> BTreeSet<String> {
    reply.answers.iter().map(ToString::to_string).collect()
}

/// rbldnsd leaves out what does not fit, without a word; clients that do not know TC read the rest.
#[test]
fn truncated_answers_carry_whole_records_as_rbldnsds_do() {
    let sandbox = Sandbox::new();
    let lines: String = (1..=60).map(|n| format!("1.2.3.4 :127.0.1.{n}:text {n}\n")).collect();
    let long = "x".repeat(240);
    let texts: String = (1..=3).map(|n| format!("1.2.3.5 :127.0.2.{n}:{n} {long}\n")).collect();
    fs::write(sandbox.path("data/many"), lines + &texts).unwrap();
    let ask = || {
        let ask = |name: &str, rtype| sandbox.client().ask(name, rtype).unwrap();
        [
            ask("4.3.2.1.z.test", RecordType::A),
            ask("4.3.2.1.z.test", RecordType::TXT),
            ask("5.3.2.1.z.test", RecordType::TXT),
            ask("5.3.2.1.z.test", RecordType::ANY),
        ]
    };
    let [ours, original] = with_each(&sandbox, "z.test:ip4set:data/many", ask);
    for (ours, original) in ours.iter().zip(&original) {
        assert!(is_truncated(ours) && !is_truncated(original), "{ours}\n{original}");
        assert_eq!(ours.rcode(), ResponseCode::NoError);
        assert!(!ours.answers.is_empty() && !original.answers.is_empty(), "{ours}\n{original}");
    }
    assert!(ours[0].addresses().len() >= original[0].addresses().len(), "{}", ours[0]);
    let all: BTreeSet<_> = (1..=60).map(|n| format!("127.0.1.{n}")).collect();
    assert!(ours[0].addresses().iter().all(|a| all.contains(&a.to_string())));
    assert!(records(&ours[2]).is_superset(&records(&original[2])), "{}\n{}", ours[2], original[2]);
    assert_eq!(ours[3].addresses().len(), 3, "A records come before texts: {}", ours[3]);
}

/// The SOA does not fit, and the code must stand all the same.
#[test]
fn a_truncated_nxdomain_is_still_one() {
    let sandbox = Sandbox::new();
    let label = "x".repeat(60);
    let name = |last: &str| format!("{label}.{label}.{label}.{label}.{last}");
    let list = format!("$SOA 0 {} {} 7 1h 1h 2d 1h\n1.2.3.4\n", name("a"), name("b"));
    fs::write(sandbox.path("data/soa"), list).unwrap();
    let ask = || sandbox.client().ask("9.9.9.9.z.test", RecordType::A).unwrap();
    let [ours, original] = with_each(&sandbox, "z.test:ip4set:data/soa", ask);
    for reply in [&ours, &original] {
        assert_eq!(reply.rcode(), ResponseCode::NXDomain, "{reply}");
        assert!(reply.answers.is_empty() && reply.authority.is_empty(), "{reply}");
    }
    assert!(is_truncated(&ours) && !is_truncated(&original));
}

/// rbldnsd takes the whole zone out of service; dnsbld goes on with what is listed, and what must not
/// look healthy or delisted is as rbldnsd has it.
#[test]
fn a_zone_with_a_missing_dataset_fails_as_rbldnsds_does() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("data/point"), "127.0.0.2\n1.2.3.4\n").unwrap();
    let ask = || {
        assert!(wait_until(LIMIT, || sandbox.listed("4.3.2.1.y.test")));
        ["9.9.9.9.z.test", "2.0.0.127.z.test", "4.3.2.1.z.test"]
            .map(|name| sandbox.client().ask(name, RecordType::A).unwrap().rcode())
    };
    let zones = "-q z.test:ip4set:data/point z.test:ip4set:missing y.test:ip4set:data/point";
    let [ours, original] = with_each(&sandbox, zones, ask);
    assert_eq!(original, [ResponseCode::ServFail; 3]);
    assert_eq!(ours[..2], original[..2]);
    assert_eq!(ours[2], ResponseCode::NoError);
}
