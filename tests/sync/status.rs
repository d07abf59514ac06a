//! How a feed fails and heals in `dnsbld status`, and what a server answers meanwhile.

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

use hickory_proto::op::ResponseCode::{NXDomain, NoError};

use super::{FAILED, OK, Run, daemon, feed, publish, run};
use crate::common::{Process, Setup, sync, wait_until};

const SOON: Duration = Duration::from_secs(20);

fn status(setup: &Setup, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.arg("status").args(arguments);
    command.current_dir(setup.path("")).env("RUNTIME_DIRECTORY", setup.path(""));
    run(command.env_remove("DNSBLD_LOG"))
}

#[test]
fn an_alert_is_told_once_and_its_end_too() {
    let setup = Setup::new();
    let told = setup.path("told");
    let script = format!("echo \"$DNSBLD_EVENT $DNSBLD_NAME\" >>{0}; cat >>{0}", told.display());
    let config = format!(
        "[mirror]\ndir = 'mirror'\n[alert]\ncommand = ['sh', '-c', '{script}']\n\
         [[dataset]]\nname = 'list'\ntype = 'ip4set'\nfiles = ['list']\nmax-age = '1h'\n\
         [[zone]]\nname = 'bl.test'\ndatasets = ['list']\n{}",
        feed("one", "rsync://127.0.0.1:1/m/a", "")
    );
    setup.write("list", "127.0.0.2\n");
    let then = SystemTime::now() - Duration::from_secs(7200);
    let list = File::options().append(true).open(setup.path("list")).expect("it is ours");
    list.set_modified(then).expect("it is ours");
    setup.configure("", &config);
    let server = setup.start();
    let watch = |log: &str| {
        let mut command = sync(&server.path("dnsbld.toml"));
        command.arg("--watch").env("RUNTIME_DIRECTORY", server.path(""));
        Process::start(&mut command, &server.path(log))
    };
    let read = || fs::read_to_string(&told).unwrap_or_default();
    let first = watch("first");
    assert!(
        wait_until(SOON, || read().contains("stale list\n{\"event\":\"stale\",")),
        "{}",
        read()
    );
    // What was told is remembered.
    assert!(wait_until(SOON, || server.path("mirror/.sync/alerts.json").exists()));
    drop(first);
    server.write("list", "127.0.0.2\n127.0.0.3\n");
    let back = || status(&server, &["list"]).code == OK;
    assert!(wait_until(SOON, back), "{:?}", status(&server, &["list"]));
    let _second = watch("second");
    assert!(wait_until(SOON, || read().contains("recovered list\n")), "{}", read());
    assert_eq!(read().matches("stale list\n").count(), 1, "{}", read());
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
