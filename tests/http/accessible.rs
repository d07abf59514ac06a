//! The page in a browser: for everybody, with the keyboard alone, in two colours and two sizes.

use super::browser::{Browser, Look};
use super::page::Site;
use crate::common::{skip, wait_until};
use std::fs;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// A checker of accessibility, which `scripts/test` fetches.
const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/npm/package/axe.min.js");

/// What it has found, in words.
const RUN_AXE: &str = "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(\
    fault => fault.id + ': ' + fault.nodes.map(node => node.html.slice(0, 200)).join(' ')))";

const LOOKS: [Look; 4] = [
    Look { width: 1280, is_dark: false },
    Look { width: 1280, is_dark: true },
    Look { width: 390, is_dark: false },
    Look { width: 390, is_dark: true },
];

/// What can be reached, in the order of the page.
const REACHABLE: &str = "[...document.querySelectorAll('a[href], input, button, summary, [tabindex=\"0\"]')]\
    .filter(one => one.checkVisibility()).map(one => one.outerHTML.slice(0, 60))";

const FOCUSED: &str = "document.activeElement.outerHTML.slice(0, 60)";

fn url(site: &Site, path: &str) -> String {
    format!("http://{}{path}", site.http.0)
}

/// axe finds no fault, and nothing is wider than the screen.
#[test]
fn everybody_can_read_the_pages() {
    let Ok(axe) = fs::read_to_string(AXE) else { return skip("there is no axe-core") };
    if !Browser::is_here() {
        return skip("there is no Chromium");
    }
    let site = Site::start();
    site.ask();
    let mut browser = Browser::start();
    for (path, looks) in [
        ("/", &LOOKS[..]),
        ("/lookup?key=192.0.2.1", &LOOKS[2..]),
        ("/lookup?key=9.9.9.9", &LOOKS[2..3]),
        ("/lookup?key=192.0.2.0/24", &LOOKS[2..3]),
        ("/k/192.0.2.2", &LOOKS[1..3]),
        ("/zone/bl.example", &LOOKS[1..3]),
        ("/load/list/1", &LOOKS[1..3]),
        ("/map/bl.example?net=192.0.2.0/24", &LOOKS[1..3]),
        ("/overrides", &LOOKS[1..3]),
    ] {
        for look in looks {
            browser.open(&url(&site, path), *look);
            let width = browser.evaluate("document.documentElement.scrollWidth");
            assert_eq!(width, look.width, "{path} {look:?}");
            browser
                .evaluate("document.querySelectorAll('details').forEach(one => one.open = true)");
            browser.evaluate(&axe);
            let found = browser.evaluate(RUN_AXE);
            assert_eq!(found.as_array().map(Vec::len), Some(0), "{path} {look:?}: {found:#}");
        }
    }
    assert!(browser.faults().is_empty(), "{:#?}", browser.faults());
}

#[test]
fn the_keyboard_is_enough_and_what_changes_comes_by_itself() {
    if !Browser::is_here() {
        return skip("there is no Chromium");
    }
    let site = Site::start();
    site.ask();
    let mut browser = Browser::start();
    browser.open(&url(&site, "/"), LOOKS[0]);
    let reachable = browser.evaluate(REACHABLE);
    let reachable = reachable.as_array().expect("a list");
    assert!(reachable.len() > 8, "{reachable:#?}");
    for want in reachable {
        browser.press("Tab", "", 9);
        assert_eq!(browser.evaluate(FOCUSED), *want);
        let outline = browser.evaluate("getComputedStyle(document.activeElement).outlineStyle");
        assert_eq!(outline, "solid", "{want}: the focus is seen");
    }

    // The missing list comes; the page says so without being asked for again.
    let verdict = "document.querySelector('h1').textContent";
    assert_eq!(browser.evaluate(verdict), "1 of 4 zones is not ready");
    browser.evaluate("document.activeElement.blur(); window.isStillThere = true");
    site.server.write("<i>&late", "192.0.2.9\n");
    assert!(wait_until(LIMIT, || {
        browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
        browser.evaluate(verdict) == "All is well"
    }));
    assert_eq!(browser.evaluate("window.isStillThere"), true);
    assert_eq!(browser.evaluate("document.title"), "All is well - dnsbld");

    browser.evaluate("document.querySelector('input').focus()");
    browser.insert("192.0.2.2");
    browser.press("Enter", "\r", 13);
    browser.wait_for_load();
    assert_eq!(browser.evaluate("location.pathname + location.search"), "/lookup?key=192.0.2.2");
    assert_eq!(browser.evaluate(verdict), "192.0.2.2 is listed in 2 zones");
    // The text of the entry is one that would be a script.
    assert_eq!(browser.evaluate("document.scripts.length + document.images.length"), 0);
    assert!(browser.faults().is_empty(), "{:#?}", browser.faults());
}
