//! What zones say of themselves at `_health.ZONE`, and as the identifier of the server.

use crate::common::{Daemon, Setup, Shown, dig, wait_until};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn setup() -> Setup {
    let setup = Setup::new();
    setup.write("list", "192.0.2.1 :2:listed\n127.0.0.2 :2:test\n");
    setup.configure_lists("", &[("bl.example".into(), "list".into())]);
    setup
}

fn ask(daemon: &Daemon, arguments: &str) -> Shown {
    dig(daemon.addr(), arguments)
}

/// The character-string of the health that begins so.
fn said(daemon: &Daemon, zone: &str, key: &str) -> String {
    let shown = ask(daemon, &format!("_health.{zone} TXT")).data().join(" ");
    let of_key = format!("\"{key}=");
    let value = shown.split_once(&of_key).map(|(_, rest)| rest.split('"').next().unwrap_or(""));
    value.unwrap_or_default().to_owned()
}

#[test]
fn a_zone_is_ready_with_all_its_data_whatever_that_lists() {
    let daemon = setup().start();
    assert_eq!(ask(&daemon, "_health.bl.example A").data(), ["127.0.0.2"]);
    assert_eq!(said(&daemon, "bl.example", "state"), "live");
    assert_eq!(said(&daemon, "bl.example", "reason"), "");
    let id = said(&daemon, "bl.example", "id");
    let shown = ask(&daemon, "+nsid 1.2.0.192.bl.example A");
    assert!(shown.0.contains(&format!("(\"{id}\")")), "{id}: {}", shown.0);
    // Content that changes has another id; what is refused does not.
    daemon.write("list", "192.0.2.2 :2:listed\n127.0.0.2 :2:test\n");
    assert!(wait_until(SOON, || said(&daemon, "bl.example", "id") != id));
    let id = said(&daemon, "bl.example", "id");
    daemon.write("list", "<html>oops</html>\n");
    assert!(wait_until(SOON, || said(&daemon, "bl.example", "state") == "quarantined"));
    assert!(said(&daemon, "bl.example", "reason").starts_with("bl.example: "));
    assert_eq!(said(&daemon, "bl.example", "id"), id);
    // The last good data is within its policy.
    assert_eq!(ask(&daemon, "_health.bl.example A").data(), ["127.0.0.2"]);
}

#[test]
fn a_zone_that_lacks_a_dataset_is_not_ready_and_says_why() {
    let setup = Setup::new();
    setup.write("list", "127.0.0.2 :2:test\n");
    let lists = [("bl.example", "list"), ("none.example", "missing")];
    setup.configure_lists("", &lists.map(|(zone, file)| (zone.into(), file.into())));
    let daemon = setup.launch();
    assert!(wait_until(SOON, || ask(&daemon, "_health.bl.example A").data() == ["127.0.0.2"]));
    let shown = ask(&daemon, "_health.none.example A");
    assert!(shown.is("NOERROR") && shown.data().is_empty(), "{}", shown.0);
    assert_eq!(said(&daemon, "none.example", "state"), "never-loaded");
    assert_eq!(said(&daemon, "none.example", "reason"), "none.example: nothing was ever loaded");
    assert!(ask(&daemon, "2.0.0.127.none.example A").is("SERVFAIL"));
    daemon.write("missing", "127.0.0.2 :2:test\n");
    assert!(wait_until(SOON, || ask(&daemon, "_health.none.example A").data() == ["127.0.0.2"]));
}
