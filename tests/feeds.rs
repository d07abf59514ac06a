//! A real feed, if there is one beside the checkout: `../shared/feeds/ipsum.txt`, single addresses
//! with the number of lists each of them is on.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use crate::common::{Client, Server, reversed, skip, temp_dir};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

/// How many of the listed addresses are asked for, and how many others.
const QUESTIONS: usize = 2000;

#[test]
fn every_address_of_ipsum_is_counted_and_answered() {
    let feed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/feeds/ipsum.txt");
    let Ok(text) = fs::read_to_string(&feed) else {
        return skip(&format!("there is no {}", feed.display()));
    };
    let listed: BTreeMap<Ipv4Addr, u8> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .map(|(address, count)| {
            (address.parse().expect("an address"), count.trim().parse().expect("a count"))
        })
        .collect();
    assert!(listed.len() > 100_000, "{}", listed.len());

    let folder = temp_dir();
    let mut set = String::new();
    for (address, lists) in &listed {
        writeln!(set, "{address} :127.0.0.{lists}:on {lists} blacklists: $").expect("memory");
    }
    fs::write(folder.path().join("ipsum"), set).expect("our folder");
    let arguments = ["--listen", "127.0.0.1:0", "ipsum.example:ip4set:ipsum"];
    let server = Server::reporting(&arguments, folder.path());

    let said = server.log();
    let report = said.lines().find(|line| line.starts_with("ipsum.example")).expect("a zone");
    let columns: Vec<&str> = report.split_whitespace().collect();
    let count = listed.len().to_string();
    assert_eq!(columns[1..4], ["1", &count, &count], "{said}");

    let client = Client::new(server.addr());
    for (address, lists) in listed.iter().step_by(listed.len() / QUESTIONS) {
        let name = reversed(*address, "ipsum.example");
        let a = client.ask(&name, RecordType::A).expect("a reply");
        assert_eq!(a.addresses(), [Ipv4Addr::new(127, 0, 0, *lists)], "{address}");
        let txt = client.ask(&name, RecordType::TXT).expect("a reply");
        assert_eq!(txt.texts(), [format!("on {lists} blacklists: {address}")]);
    }
    // Neighbours of listed addresses, and addresses from everywhere.
    let neighbours = listed.keys().map(|address| u32::from(*address).wrapping_add(1));
    let anywhere = (0..).map(|number: u32| number.wrapping_mul(0x9e37_79b9));
    let others = neighbours.step_by(listed.len() / QUESTIONS).chain(anywhere.take(QUESTIONS));
    for address in others.map(Ipv4Addr::from) {
        let reply = client.ask(&reversed(address, "ipsum.example"), RecordType::A);
        let reply = reply.expect("a reply");
        match listed.get(&address) {
            Some(lists) => assert_eq!(reply.addresses(), [Ipv4Addr::new(127, 0, 0, *lists)]),
            // The test point of RFC 5782 is not in the feed.
            None if address == Ipv4Addr::new(127, 0, 0, 2) => {}
            // The name of 2.0.0.2 also stands for 2002::/16, below which IPv4 addresses are looked
            // up (6to4): it exists, without an address.
            None if address.octets().iter().all(|octet| *octet < 10) => {
                assert!(reply.addresses().is_empty(), "{address}");
            }
            None => assert_eq!(reply.rcode(), ResponseCode::NXDomain, "{address}"),
        }
    }
}
