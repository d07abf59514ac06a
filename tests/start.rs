//! The start of a server while one of its lists takes long: who is answered, what is told, and how it ends.

use std::fs;
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::ResponseCode::{NXDomain, ServFail};
use hickory_proto::rr::RecordType;

use crate::common::{Client, Daemon, Process, Sandbox, Setup, as_nobody, slow_list, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// A server with a list that loads at once, one that takes long, and a zone of both.
fn launched() -> Daemon {
    let setup = Setup::new();
    setup.write("fast", "127.0.0.2 :2:test\n10.0.0.1\n");
    slow_list(&setup.path("slow"));
    setup.configure(
        "",
        "[[dataset]]\nname = \"fast\"\ntype = \"ip4set\"\nfiles = [\"fast\"]\n\
         [[dataset]]\nname = \"slow\"\ntype = \"ip4set\"\nfiles = [\"slow\"]\n\
         [[zone]]\nname = \"fast.test\"\ndatasets = [\"fast\"]\n\
         [[zone]]\nname = \"slow.test\"\ndatasets = [\"slow\"]\n\
         [[zone]]\nname = \"both.test\"\ndatasets = [\"fast\", \"slow\"]\n",
    );
    let server = setup.launch();
    let is_listed = || is_listed(&server.client(), "1.0.0.10.fast.test");
    assert!(wait_until(SOON, is_listed), "{}", server.log());
    server
}

fn is_listed(client: &Client, name: &str) -> bool {
    client.ask(name, RecordType::A).is_ok_and(|reply| !reply.addresses().is_empty())
}

fn status(server: &Daemon) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["status", "--json"]).env("RUNTIME_DIRECTORY", server.path(""));
    let output = command.current_dir(server.path("")).output().expect("it runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn a_zone_is_served_as_soon_as_its_own_lists_are_built() {
    let server = launched();
    for name in ["slow.test", "1.0.0.10.slow.test", "1.0.0.10.both.test", "9.9.9.9.both.test"] {
        assert_eq!(server.ask(name, RecordType::A).rcode(), ServFail, "{name}: {}", server.log());
    }
    let health = server.ask("_health.both.test", RecordType::TXT).texts().concat();
    let says = |text: &str| health.contains(text);
    assert!(says("state=never-loaded") && says("reason=slow: still loading"), "{health}");
    assert!(server.ask("_health.both.test", RecordType::A).addresses().is_empty());

    let status = status(&server);
    assert_eq!(status["server"]["loading"], true, "{status}");
    assert_eq!(status["server"]["listening"]["plain"][0], server.addr().to_string());
    let states = [0, 1, 2].map(|zone| status["zones"][zone]["state"].as_str());
    assert_eq!(states, [Some("live"), Some("never-loaded"), Some("never-loaded")]);
    assert_eq!(status["zones"][1]["reason"], "slow: still loading");
    // Who waits for the server waits for all of it.
    assert!(!server.log().contains("ready after"), "{}", server.log());

    server.write("slow", "10.0.0.2\n");
    server.expect_log(&["ready after"], SOON);
    let client = server.client();
    for name in ["2.0.0.10.slow.test", "2.0.0.10.both.test", "1.0.0.10.both.test"] {
        assert!(wait_until(SOON, || is_listed(&client, name)), "{name}: {}", server.log());
    }
    assert_eq!(server.ask("9.9.9.9.both.test", RecordType::A).rcode(), NXDomain);
}

/// Regression: a list that hung at the start held up the changes of all others for as long.
#[test]
fn a_list_that_takes_long_holds_up_no_change_of_another() {
    let server = launched();
    // It takes a minute now.
    let slow = fs::File::options().append(true).open(server.path("slow")).expect("it is there");
    slow.set_len(256 << 30).expect("the file system has sparse files");
    let client = server.client();
    for text in ["10.0.0.7\n", "10.0.0.8\n"] {
        server.write("fast", text);
        let name = format!("{}.0.0.10.fast.test", text.as_bytes()[7] as char);
        assert!(wait_until(SOON, || is_listed(&client, &name)), "{}", server.log());
    }
    assert!(!is_listed(&client, "7.0.0.10.fast.test"));
    assert!(!server.log().contains("ready after"), "{}", server.log());
    server.write("slow", "10.0.0.2\n");
    server.expect_log(&["ready after"], SOON);
    assert!(wait_until(SOON, || is_listed(&client, "2.0.0.10.both.test")), "{}", server.log());
    assert!(is_listed(&client, "8.0.0.10.both.test"));
}

#[test]
fn a_server_that_loads_and_answers_ends_when_told_to() {
    let server = launched();
    let (status, took, log) = server.terminate();
    assert!(status.success() && took < Duration::from_secs(2), "{status} after {took:?}: {log}");
    assert!(!log.contains("ready after") && !log.contains("panicked"), "{log}");
}

/// Init scripts take a daemon that answers for one that has loaded everything.
#[test]
fn under_the_name_of_rbldnsd_no_zone_is_served_before_all_are() {
    let sandbox = Sandbox::with_files(&[("fast", "10.0.0.1\n")]);
    let slow = sandbox.path("data").join("slow");
    slow_list(&slow);
    let line =
        format!("{} -n -q -b @ -w data fast.test:ip4set:fast slow.test:ip4set:slow", as_nobody());
    let mut command = sandbox.command(&line);
    let server = Process::start(&mut command, &sandbox.path("log"));
    let log = || server.out();
    assert!(wait_until(SOON, || log().contains(" started (")), "{}", log());
    let client = sandbox.client();
    let reply = client.ask("1.0.0.10.fast.test", RecordType::A);
    assert!(reply.is_err() && !log().contains("loaded"), "{reply:?}: {}", log());
    fs::write(&slow, "10.0.0.2\n").expect("it can be written");
    for name in ["1.0.0.10.fast.test", "2.0.0.10.slow.test"] {
        assert!(wait_until(SOON, || is_listed(&client, name)), "{name}: {}", log());
    }
}
