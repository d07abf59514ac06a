//! Postfix as `deploy/postfix-main.cf` sets it up, behind unbound as `deploy/unbound.conf` does,
//! against the sample zones: what a mail server does with what is listed.

use std::fs;

use crate::common::postfix::{MAIL, Postfix, SCREENED, mail};
use crate::common::{Server, Unbound, is_root, sealed, skip};

#[test]
fn postfix_does_as_the_lists_say() {
    if !is_root() {
        return skip("Postfix changes its user, which only root may");
    }
    sealed(|| {
        let _server = Server::samples();
        let _unbound = Unbound::start(&format!("include: {DEPLOY}/unbound.conf\n"));
        let lines = fs::read_to_string(format!("{DEPLOY}/postfix-main.cf")).expect("it is there");
        let postfix = Postfix::start(&lines);
        smtpd_refuses_with_the_reason();
        smtpd_lets_the_whitelist_through();
        smtpd_refuses_listed_sender_domains();
        postscreen_adds_up_weights();
        // Such as names that could not be looked up.
        let log = postfix.log();
        assert!(!log.contains("warning:") && !log.contains("fatal:"), "{log}");
    });
}

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

fn smtpd_refuses_with_the_reason() {
    let listed = mail(MAIL, [61, 135, 132, 132], "joe@clean.example");
    assert_eq!(
        listed,
        "554 5.7.1 Service unavailable; Client host [61.135.132.132] blocked using l2.apews.org; \
         E-492519 See: http://www.apews.org/?page=test&C=131&E=492519&ip=61.135.132.132"
    );
    // Listed by a network, and in the hole of one.
    let in_network = mail(MAIL, [203, 191, 244, 7], "joe@clean.example");
    assert!(
        in_network.starts_with("554 5.7.1 ") && in_network.contains("the network of 203.191.244.7")
    );
    assert_accepted(&mail(MAIL, [162, 39, 36, 73], "joe@clean.example"));
    assert_accepted(&mail(MAIL, [192, 0, 2, 99], "joe@clean.example"));
}

fn smtpd_lets_the_whitelist_through() {
    let neighbour = mail(MAIL, [198, 51, 100, 26], "joe@clean.example");
    assert!(neighbour.contains("blocked using zen.example; https://zen.example/sbl/"));
    assert_accepted(&mail(MAIL, [198, 51, 100, 25], "joe@clean.example"));
    // End users have a value of zen.example that smtpd is not told to refuse.
    assert_accepted(&mail(MAIL, [203, 0, 113, 130], "joe@clean.example"));
}

fn smtpd_refuses_listed_sender_domains() {
    let reply = mail(MAIL, [192, 0, 2, 99], "joe@www.casino.example");
    assert!(
        reply.starts_with(
            "554 5.7.1 Service unavailable; Sender address [joe@www.casino.example] blocked using \
             l1.apews.org; APEWS L1: casino spam since 2011. See: http://www.apews.org/?page=test"
        ),
        "{reply}"
    );
    // Another value, which counts as well.
    assert!(mail(MAIL, [192, 0, 2, 99], "joe@phish.example").starts_with("554 5.7.1 "));
    assert_accepted(&mail(MAIL, [192, 0, 2, 99], "joe@sub.pills.example"));
}

fn postscreen_adds_up_weights() {
    // Of weight 2, which is the threshold; of zen.example's end users, weight 1; in no list.
    let listed = mail(SCREENED, [61, 135, 132, 132], "joe@clean.example");
    let refused =
        "550 5.7.1 Service unavailable; client [61.135.132.132] blocked using l2.apews.org";
    assert_eq!(listed, refused);
    assert_accepted(&mail(SCREENED, [203, 0, 113, 130], "joe@clean.example"));
    assert_accepted(&mail(SCREENED, [10, 99, 0, 1], "joe@clean.example"));
    // Of weight 2 for zen.example, and -4 for the whitelist.
    assert_accepted(&mail(SCREENED, [198, 51, 100, 25], "joe@clean.example"));
}

fn assert_accepted(reply: &str) {
    assert!(reply.starts_with("250 2.1.5 "), "{reply}");
}
