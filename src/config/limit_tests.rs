use super::{RateLimit, SettingChange, ValueChange, read, reload};
use std::path::Path;

fn rate_limit(text: &str) -> Result<RateLimit, Vec<String>> {
    let text = format!(
        "{text}\n[[dataset]]\nname = 'l'\ntype = 'dnset'\nfiles = ['l']\n[[zone]]\nname = 'l.example'\ndatasets = ['l']"
    );
    match read(&text, Path::new("/etc")) {
        Ok(loaded) => Ok(loaded.settings.server.rate_limit),
        Err(errors) => Err(errors.list.iter().map(|error| error.to_string()).collect()),
    }
}

#[test]
fn nothing_is_limited_unless_a_setting_says_how_much() {
    assert_eq!(rate_limit("").unwrap(), RateLimit::default());
    let off = rate_limit("[limit]\nqueries-per-second = 0\ndry-run = true").unwrap();
    assert_eq!(off.to_string(), "off");
    let on = rate_limit("[limit]\nqueries-per-second = 50").unwrap();
    assert_eq!(on.to_string(), "50 queries a second, 100 at once, none for 127.0.0.0/8 ::1/128");
    let on = rate_limit("[limit]\nqueries-per-second = 5\nburst = 5\ndry-run = true\nexempt = []");
    assert_eq!(on.unwrap().to_string(), "5 queries a second, 5 at once, in a dry run");
}

#[test]
fn a_limit_that_cannot_be_kept_is_a_mistake() {
    for (text, message) in [
        ("queries-per-second = 100001", "100001 is out of range"),
        ("queries-per-second = 50\nburst = 49", "49 is less than queries-per-second (50)"),
        ("exempt = ['192.0.2.1/24']", "\"192.0.2.1/24\" is not a prefix"),
    ] {
        let errors = rate_limit(&format!("[limit]\n{text}")).unwrap_err();
        assert!(matches!(&errors[..], [only] if only.contains(message)), "{errors:?}");
    }
}

#[test]
fn a_reload_changes_the_limit_at_once() {
    let old = super::Settings::default();
    let mut new = old.clone();
    new.server.rate_limit.queries_per_second = 7;
    let (_, changes) = reload(&old, new);
    let want = ValueChange {
        key: "limit",
        from: "off".to_owned(),
        to: "7 queries a second, 0 at once, none for 127.0.0.0/8 ::1/128".to_owned(),
    };
    assert_eq!(changes.live, [SettingChange::Value(want)]);
    assert_eq!(changes.restart, []);
}
