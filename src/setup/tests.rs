use super::*;
use crate::config::preset;

fn plan(feeds: &[&str], own: &[&str], allow: Option<&str>) -> Plan {
    Plan {
        listen: vec!["127.0.0.1:5300".parse().unwrap(), "[::1]:5300".parse().unwrap()],
        state_dir: "state".into(),
        feeds: feeds.iter().map(|name| preset(name).unwrap()).collect(),
        own: own.iter().map(|spec| spec.parse().unwrap()).collect(),
        allow: allow.map(|spec| spec.parse().unwrap()),
        resolver: Some(Resolver::Unbound),
        mail: Some(MailServer::Postfix),
    }
}

#[test]
fn a_configuration_is_short_and_names_all() {
    let plan = plan(&["psbl"], &["bl.example:ip4set:bl"], Some("white.example:ip4trie:white"));
    let text = plan.config();
    assert!(text.lines().count() < 40, "{text}");
    let table: toml::Table = text.parse().unwrap();
    assert_eq!(table["zone"].as_array().unwrap().len(), 3);
    assert_eq!(plan.zones(), ["white.example", "psbl.surriel.com", "bl.example"]);
}

#[test]
fn postfix_lets_in_first_and_only_watches_lists_that_are_not_for_refusing() {
    let plan = plan(&["uceprotect", "dnswl"], &["names.example:dnset:names"], None);
    let [_, postfix] = &plan.snippets()[..] else { panic!() };
    let lines: Vec<_> = postfix.text.lines().filter(|line| line.starts_with("    ")).collect();
    assert_eq!(
        lines,
        [
            "    permit_mynetworks",
            "    permit_dnswl_client ips.whitelisted.org=127.0.0.[2..254]",
            "    permit_dnswl_client list.dnswl.org=127.0.[0..255].[1..3]",
            "    reject_rbl_client dnsbl-1.uceprotect.net=127.0.0.2",
            "    warn_if_reject reject_rbl_client dnsbl-2.uceprotect.net=127.0.0.2",
            "    warn_if_reject reject_rbl_client dnsbl-3.uceprotect.net=127.0.0.2",
            "    warn_if_reject reject_rbl_client ips.backscatterer.org=127.0.0.2",
            "    reject_rhsbl_sender names.example=127.0.0.[2..254]",
        ]
    );
}

#[test]
fn every_zone_that_is_watched_or_lets_in_is_one_of_a_preset() {
    let zones: Vec<_> = crate::config::PRESETS.iter().flat_map(Preset::zones).collect();
    for zone in WATCHED.iter().map(|(zone, _)| zone).chain(&LETS_IN) {
        assert!(zones.contains(zone), "{zone}");
    }
}

#[test]
fn a_list_is_a_zone_a_type_and_a_file() {
    let list: OwnList = "BL.example:ip6trie:lists/own".parse().unwrap();
    assert_eq!((&*list.zone, list.kind), ("bl.example", Kind::Ip6Trie));
    assert!(list.first_text().ends_with("\n::ffff:7f00:2\n"));
    for bad in
        ["bl.example", ":ip4set:x", "bl.example:ip4sets:x", "bl.example:ip4set:a,b", "b.x:acl:f"]
    {
        assert!(bad.parse::<OwnList>().is_err(), "{bad}");
    }
}

/// The lines that count.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn the_examples_are_the_lines_for_the_sample_zones() {
    let own = ["l2.apews.org:ip4set:x", "zen.example:ip4set:x", "l1.apews.org:dnset:x"];
    for (mail, names) in [
        (MailServer::Exim, &["exim.acl"][..]),
        (MailServer::Haproxy, &["haproxy.cfg"]),
        (MailServer::Courier, &["courier-esmtpd"]),
        (MailServer::Rspamd, &["rspamd-rbl.conf", "rspamd-rbl_group.conf"]),
        (MailServer::Spamassassin, &["spamassassin.cf"]),
    ] {
        let plan = plan(&[], &own, Some("white.example:ip4trie:x"));
        let plan = Plan { resolver: None, mail: Some(mail), ..plan };
        let written = plan.snippets();
        assert_eq!(written.iter().map(|file| &*file.name).collect::<Vec<_>>(), names);
        for file in written {
            let path = format!("{}/deploy/{}", env!("CARGO_MANIFEST_DIR"), file.name);
            let example = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(lines(&example), lines(&file.text), "{path}");
        }
    }
}

#[test]
fn lines_are_added_to_postfix_unless_they_would_undo_what_is_there() {
    let advice = |main_cf: &str| MailServer::Postfix.advice("/etc/dnsbld", main_cf);
    let adds = "cat /etc/dnsbld/postfix-main.cf >> /etc/postfix/main.cf && postfix reload";
    assert_eq!(advice("myhostname = mail.example\n"), adds);
    for main_cf in ["", "a = b\nsmtpd_client_restrictions = permit\n", "default_rbl_reply = no\n"] {
        assert!(advice(main_cf).starts_with("add /etc/dnsbld/postfix-main.cf to "), "{main_cf}");
    }
}
