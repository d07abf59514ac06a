//! How a feed fails and heals in `dnsbld status`, and what a server answers meanwhile.

use std::fs;
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::ResponseCode::{NXDomain, NoError};

use super::{FAILED, OK, Run, daemon, feed, publish, run};
use crate::common::{Setup, sync};

const SOON: Duration = Duration::from_secs(20);

fn status(setup: &Setup, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.arg("status").args(arguments);
    command.current_dir(setup.path("")).env("RUNTIME_DIRECTORY", setup.path(""));
    run(command.env_remove("DNSBLD_LOG"))
}

#[test]
fn a_feed_fails_and_heals_in_the_status() {
    let daemon = daemon();
    let setup = Setup::new();
    let list = "[[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['mirror/one/a']\n\
                [[zone]]\nname = 'bl.test'\ndatasets = ['list']\nmirror.dir = 'mirror'\n";
    let list = list.replace("mirror.dir = 'mirror'\n", "[mirror]\ndir = 'mirror'\n");
    setup.configure("", &format!("{list}{}", feed("one", &daemon.url("a"), "")));
    let sync = |setup: &Setup| run(sync(&setup.path("dnsbld.toml")).arg("--force"));
    let server = setup.start();
    let words = ["feed one: never-fetched: nobody has fetched it yet; run `dnsbld sync`"];
    status(&server, &[]).expect(FAILED, &words);

    sync(&server).expect(OK, &["one: published 1 file"]);
    server.expect_code("2.0.0.127.bl.test", NoError, SOON);
    let well = status(&server, &[]);
    well.expect(OK, &["feed  state", "one   live"]);

    fs::remove_file(daemon.feeds().join("a")).expect("it is there");
    sync(&server).expect(FAILED, &[]);
    sync(&server).expect(FAILED, &[]);
    let cause = "feed one: failing: the source has not all files (rsync's code 23: ";
    let count = "2 tries have failed, the last good one was 0 s ago";
    let remedy = "check files; the publisher may have renamed one";
    let told = status(&server, &["one"]);
    told.expect(FAILED, &[cause, remedy]);
    assert!(told.out.contains(count) || told.out.contains(" s ago; check files"), "{told:?}");
    let json = status(&server, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    let feed = &json["feeds"][0];
    assert_eq!((&feed["state"], &feed["failures"]), (&"failing".into(), &2.into()), "{json}");
    assert_eq!(feed["datasets"], serde_json::json!(["list"]));
    assert_eq!(json["datasets"][0]["fetched"], feed["last_success"], "{json}");
    server.expect_code("2.0.0.127.bl.test", NoError, SOON);

    publish(&daemon, "a", "127.0.0.2\n192.0.2.1\n");
    sync(&server).expect(OK, &["one: published 1 file"]);
    server.expect_code("1.2.0.192.bl.test", NoError, SOON);
    server.expect_code("2.2.0.192.bl.test", NXDomain, SOON);
    status(&server, &[]).expect(OK, &["one   live"]);
}
