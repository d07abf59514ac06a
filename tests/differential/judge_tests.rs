//! The judge on made-up replies: every wanted difference passes when it is due, and fails when it
//! is not due, is due and does not show, or shows otherwise.

use super::facts::Facts;
use super::judge::{Asked, Verdict, judge};
use super::known_differences;
use super::scenario::{FIRST_MTIME, Kind, Spec};
use crate::common::message::{AA, TC};
use crate::common::name;
use crate::common::query::{Query, TYPE_A, TYPE_SOA, TYPE_TXT};
use crate::common::reply::{Data, Opt, Record, Reply};

const NXDOMAIN: u16 = 3;

fn query(text: &str) -> Query {
    Query::from_text(text).expect("a question")
}

fn record(owner: &str, ttl: u32, data: Data) -> Record {
    let rtype = match data {
        Data::A(_) => TYPE_A,
        Data::Txt(_) => TYPE_TXT,
        _ => TYPE_SOA,
    };
    Record { owner: name::from_text(owner.as_bytes()), rtype, class: 1, ttl, data }
}

fn soa(ttl: u32, serial: u32) -> Record {
    let host = name::from_text(b"host.example");
    let times = [1, 2, 3, 300];
    let data = Data::Soa { primary: host.clone(), person: host, serial, times };
    record("bl.example", ttl, data)
}

fn reply(query: &Query, rcode: u16, answers: Vec<Record>) -> Reply {
    Reply {
        opcode: 0,
        bits: AA,
        rcode,
        question: query.question(),
        answers,
        authority: Vec::new(),
        additional: Vec::new(),
        opt: None,
    }
}

fn opt() -> Option<Opt> {
    Some(Opt { size: 1232, version: 0, dnssec_ok: false, options: Vec::new() })
}

/// A zone `bl.example` of IPv4 addresses that has an SOA record in its file.
fn facts(listed: &[&str], has_soa: bool) -> Facts {
    let spec = Spec { zone: "bl.example".to_owned(), kind: Kind::Ip4set, files: Vec::new() };
    Facts::of_zone(spec, listed, soa(3600, 7), has_soa)
}

/// The verdict where rbldnsd gives `left` to the question and `full` to it in full.
fn verdict(query: &Query, left: &Reply, full: &Reply, right: &Reply, facts: &Facts) -> Verdict {
    let length = 12 + full.question.len() + full.answers.len() * 16;
    let in_datagram = |reply: &Reply| {
        let opt = reply.opt.as_ref().map_or(0, |_| 11);
        12 + reply.question.len() + reply.answers.len() * 16 + opt
    };
    let right = Some((right, in_datagram(right)));
    let (left, full) = (Some(left), Some((full, length)));
    judge(&Asked { query, left, full, public: None, edits: &[], right }, facts)
}

fn is_unwanted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unwanted(_))
}

#[test]
fn a_name_is_an_empty_non_terminal_if_and_only_if_something_is_listed_below() {
    let query = query("3.2.1.bl.example A");
    let nxdomain = Reply { authority: vec![soa(300, 7)], ..reply(&query, NXDOMAIN, vec![]) };
    let nodata = Reply { rcode: 0, ..nxdomain.clone() };
    for (listed, rcode, right) in [
        (&["4.3.2.1.bl.example"][..], 0, &nodata),
        (&["4.3.2.01.bl.example"], 0, &nodata),
        (&["4.3.2.10.bl.example", "3.2.1.other.example"], NXDOMAIN, &nxdomain),
    ] {
        let facts = facts(listed, true);
        let found = verdict(&query, &nxdomain, &nxdomain, right, &facts);
        assert!(!is_unwanted(&found), "{listed:?}: {found:?}");
        let wrong = if rcode == 0 { &nxdomain } else { &nodata };
        let found = verdict(&query, &nxdomain, &nxdomain, wrong, &facts);
        assert!(is_unwanted(&found), "{listed:?}: {found:?}");
    }
}

#[test]
fn a_negative_answer_has_the_synthesised_soa_with_its_minimum() {
    let query = query("4.3.2.1.bl.example A");
    let left = reply(&query, NXDOMAIN, vec![]);
    let with = |ttl| Reply { authority: vec![soa(ttl, 7)], ..left.clone() };
    let facts = facts(&[], false);
    let due = Verdict::Wanted(vec![known_differences::SOA_SYNTHESISED]);
    assert_eq!(verdict(&query, &left, &left, &with(300), &facts), due);
    assert!(is_unwanted(&verdict(&query, &left, &left, &with(3600), &facts)));
    assert!(is_unwanted(&verdict(&query, &left, &left, &left, &facts)));
}

#[test]
fn a_serial_may_differ_only_where_rbldnsd_takes_the_files_time() {
    let query = query("4.3.2.1.bl.example A");
    let with =
        |serial| Reply { authority: vec![soa(300, serial)], ..reply(&query, NXDOMAIN, vec![]) };
    let (timed, fixed, other) = (with(FIRST_MTIME + 1), with(7), with(8));
    let facts = facts(&[], true);
    let due = Verdict::Wanted(vec![known_differences::SERIAL]);
    assert_eq!(verdict(&query, &timed, &timed, &other, &facts), due);
    assert!(is_unwanted(&verdict(&query, &fixed, &fixed, &other, &facts)));
}

#[test]
fn an_opt_record_comes_if_and_only_if_it_was_asked_for() {
    let facts = facts(&[], true);
    let answer = vec![record("4.3.2.1.bl.example", 5, Data::A([127, 0, 0, 2]))];
    let plain = query("4.3.2.1.bl.example A");
    let edns = query("4.3.2.1.bl.example A edns=4096");
    let left = reply(&plain, 0, answer);
    let with = Reply { opt: opt(), ..left.clone() };
    assert_eq!(verdict(&plain, &left, &left, &left, &facts), Verdict::Equal);
    assert!(is_unwanted(&verdict(&plain, &left, &left, &with, &facts)));
    let due = Verdict::Wanted(vec![known_differences::EDNS_OPT]);
    assert_eq!(verdict(&edns, &left, &left, &with, &facts), due);
    assert!(is_unwanted(&verdict(&edns, &left, &left, &left, &facts)));
}

#[test]
fn the_tc_bit_comes_if_and_only_if_the_records_do_not_fit() {
    let facts = facts(&[], true);
    let query = query("4.3.2.1.bl.example A");
    let values = |count: u8| -> Vec<Record> {
        (1..=count).map(|at| record("4.3.2.1.bl.example", 5, Data::A([127, 0, 0, at]))).collect()
    };
    let room = ((512 - 12 - query.question().len()) / 16) as u8;
    let fits = reply(&query, 0, values(room));
    let cut = Reply { bits: AA | TC, ..reply(&query, 0, values(room)) };
    assert_eq!(verdict(&query, &fits, &fits, &fits, &facts), Verdict::Equal);
    assert!(is_unwanted(&verdict(&query, &fits, &fits, &cut, &facts)));
    let full = reply(&query, 0, values(room + 1));
    let left = Reply { bits: 0, ..fits.clone() };
    let due = Verdict::Wanted(vec![known_differences::TRUNCATION]);
    assert_eq!(verdict(&query, &left, &full, &cut, &facts), due);
    assert!(is_unwanted(&verdict(&query, &left, &full, &full, &facts)));
    assert!(is_unwanted(&verdict(&query, &left, &full, &fits, &facts)));
    let fewer = Reply { answers: values(room - 1), ..cut.clone() };
    assert!(is_unwanted(&verdict(&query, &left, &full, &fewer, &facts)));
    let mut strange = cut.clone();
    strange.answers[0].data = Data::A([127, 9, 9, 9]);
    assert!(is_unwanted(&verdict(&query, &left, &full, &strange, &facts)));
}

#[test]
fn a_text_may_go_on_only_where_rbldnsd_cuts_it() {
    let facts = facts(&[], true);
    let query = query("4.3.2.1.bl.example TXT");
    let with = |strings: &[usize], letter: u8| {
        let strings = strings.iter().map(|length| vec![letter; *length]).collect();
        let text = record("4.3.2.1.bl.example", 5, Data::Txt(strings));
        reply(&query, 0, vec![text])
    };
    let cut = with(&[254], b'x');
    let due = Verdict::Wanted(vec![known_differences::LONG_TXT]);
    for whole in [with(&[255], b'x'), with(&[255, 45], b'x')] {
        assert_eq!(verdict(&query, &cut, &cut, &whole, &facts), due);
    }
    for wrong in [with(&[255], b'y'), with(&[253], b'x'), with(&[255, 255, 255, 255, 1], b'x')] {
        assert!(is_unwanted(&verdict(&query, &cut, &cut, &wrong, &facts)));
    }
    let short = with(&[239], b'x');
    assert!(is_unwanted(&verdict(&query, &short, &short, &with(&[255], b'x'), &facts)));
}

#[test]
fn silence_and_codes_are_told_apart() {
    let facts = facts(&[], true);
    let judge_right = |text: &str, right: Option<&Reply>| {
        let query = query(text);
        let right = right.map(|right| (right, 0));
        judge(
            &Asked { query: &query, left: None, full: None, public: None, edits: &[], right },
            &facts,
        )
    };
    let code = |rcode, opcode| Reply { bits: 0, opcode, ..reply(&query(". A"), rcode, vec![]) };
    let due = Verdict::Wanted(vec![known_differences::FORMERR]);
    assert_eq!(judge_right("a.test A response", None), Verdict::Equal);
    assert!(is_unwanted(&judge_right("a.test A response", Some(&code(1, 0)))));
    assert_eq!(judge_right("a.test A cut=12", Some(&code(1, 0))), due);
    assert!(is_unwanted(&judge_right("a.test A cut=12", None)));
    assert!(is_unwanted(&judge_right("a.test A cut=12", Some(&code(2, 0)))));
    assert_eq!(judge_right("a.test A cut=12 opcode=4", Some(&code(4, 4))), due);
    assert!(is_unwanted(&judge_right("a.test A cut=12 opcode=4", Some(&code(4, 0)))));
}

#[test]
fn test_points_are_listed_or_not_as_rfc_5782_says() {
    let facts = facts(&["1.0.0.127.bl.example"], true);
    let yes = query("2.0.0.127.bl.example A");
    let left = Reply { authority: vec![soa(300, 7)], ..reply(&yes, NXDOMAIN, vec![]) };
    let value =
        |octets| reply(&yes, 0, vec![record("2.0.0.127.bl.example", 1800, Data::A(octets))]);
    let due = Verdict::Wanted(vec![known_differences::TEST_POINT_LISTED]);
    assert_eq!(verdict(&yes, &left, &left, &value([127, 0, 0, 4]), &facts), due);
    assert!(is_unwanted(&verdict(&yes, &left, &left, &value([10, 0, 0, 4]), &facts)));
    assert!(is_unwanted(&verdict(&yes, &left, &left, &left, &facts)));
    let no = query("1.0.0.127.bl.example A");
    let left = reply(&no, 0, vec![record("1.0.0.127.bl.example", 5, Data::A([127, 0, 0, 2]))]);
    let right = Reply { authority: vec![soa(300, 7)], ..reply(&no, NXDOMAIN, vec![]) };
    let due = Verdict::Wanted(vec![known_differences::TEST_POINT_UNLISTED]);
    assert_eq!(verdict(&no, &left, &left, &right, &facts), due);
    assert!(is_unwanted(&verdict(&no, &left, &left, &left, &facts)));
}
