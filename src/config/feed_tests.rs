//! `[mirror]` and `[[feed]]`: what arrives, and what is refused.

use super::{Feed, FeedLimits, FeedSchedule, Mirror, PRESETS, read};
use std::path::Path;
use std::time::Duration;

const ZONE: &str = "[[dataset]]\nname = 'd'\ntype = 'ip4set'\nfiles = ['f']\n\
                    [[zone]]\nname = 'z.example'\ndatasets = ['d']\n";

fn mirror(text: &str) -> Mirror {
    let loaded = read(text, Path::new("/etc/dnsbld"));
    loaded.unwrap_or_else(|errors| panic!("{text}: {errors}")).settings.mirror
}

fn mistake(feed: &str) -> String {
    read(&format!("{ZONE}[[feed]]\n{feed}"), Path::new("/etc/dnsbld")).unwrap_err().to_string()
}

#[test]
fn the_folder_is_beside_the_state() {
    assert_eq!(mirror(ZONE), Mirror::default());
    let beside = mirror(&format!("server.state-dir = '/srv/bl/state'\n{ZONE}"));
    assert_eq!(beside.dir, Path::new("/srv/bl/mirror"));
    let own = mirror(&format!("server.state-dir = '/srv/bl/state'\nmirror.dir = 'm'\n{ZONE}"));
    assert_eq!(own.dir, Path::new("/etc/dnsbld/m"));
}

#[test]
fn every_setting_of_a_feed_arrives() {
    let text = "[[feed]]
        name = 'one'
        source = 'rsync://u@host/m/d'
        files = ['a', 'b*']
        folder = 'x/./y/'
        interval = '2h'
        jitter = '1m'
        timeout = '5s'
        time-limit = '1m'
        bandwidth-limit = '512K'
        min-size = '10'
        max-size = '1M'
        max-age = '2d'
        compress = true
        password-file = 'p'
        verify = ['gpgv', 'a.asc', '{folder}/a']
        [[feed]]
        name = 'two'
        source = 'bl@host:list'
        key = 'k'";
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let [one, two] = &mirror(text).feeds[..] else { panic!("two feeds, and no zone is needed") };
    let want = Feed {
        files: vec!["a".to_owned(), "b*".to_owned()],
        folder: "x/y".into(),
        schedule: FeedSchedule {
            interval: minutes(120),
            jitter: minutes(1),
            min_interval: minutes(15),
        },
        limits: FeedLimits {
            timeout: Duration::from_secs(5),
            time: minutes(1),
            bandwidth: Some(512 << 10),
            min_size: 10,
            max_size: 1 << 20,
        },
        compress: true,
        password_file: Some("/etc/dnsbld/p".into()),
        verify: ["gpgv", "a.asc", "{folder}/a"].map(str::to_owned).into(),
        max_age: minutes(2 * 24 * 60),
        ..Feed::new("one".to_owned(), one.source.clone())
    };
    assert_eq!(*one, want);
    assert_eq!(one.urls(), ["rsync://u@host/m/d/a", "rsync://u@host/m/d/b*"]);
    assert_eq!(one.known_files(), ["a"]);
    assert_eq!(two.key.as_deref(), Some(Path::new("/etc/dnsbld/k")));
    assert_eq!((two.known_files(), two.folder.as_path()), (vec!["list"], Path::new("two")));
}

#[test]
fn presets_say_what_the_settings_do_not() {
    for preset in PRESETS.iter().filter(|preset| preset.source.is_some()) {
        let text = format!("[[feed]]\npreset = '{}'\ninterval = '30d'", preset.name);
        let [feed] = &mirror(&text).feeds[..] else { panic!("{text}") };
        assert_eq!(feed.name, preset.name);
        assert_eq!(feed.known_files(), preset.files().collect::<Vec<_>>());
        assert_eq!(feed.schedule.min_interval, preset.min_interval);
        assert_eq!(feed.schedule.interval, Duration::from_secs(30 * 24 * 3600));
        assert_eq!((feed.max_age, feed.limits.min_size), (preset.max_age(), preset.min_size));
        let often = mistake(&format!("preset = '{}'\ninterval = '1m'", preset.name));
        assert!(often.contains("more often than the publisher allows"), "{often}");
    }
}

#[test]
fn an_alert_is_a_program_with_arguments() {
    let told = mirror(&format!("alert.command = ['mail', '-s', 'dnsbld']\n{ZONE}"));
    assert_eq!(told.alert, ["mail", "-s", "dnsbld"]);
    let none = read(&format!("alert.command = []\n{ZONE}"), Path::new("/etc")).unwrap_err();
    assert!(none.to_string().contains("alert.command: there is no program"), "{none}");
}

#[test]
fn mistakes_in_feeds_are_told_with_a_remedy() {
    let one = "name = 'one'\nsource = 'h::m/a'\n";
    for (feed, words) in [
        ("source = 'h::m'", "add name"),
        ("name = 'x'", "add source"),
        ("name = '.x'\nsource = 'h::m'", "is not a valid feed name"),
        ("name = 'x'\nsource = '/srv/list'", "rsync://host/module/path"),
        ("name = 'x'\nsource = 'http://example.org/a'", "plain-http = true"),
        ("preset = 'no-such'", "there is no preset \"no-such\""),
        (&format!("{one}files = ['../a']"), "has a slash"),
        (&format!("{one}files = ['-a']"), "begins with a dot or a hyphen"),
        (&format!("{one}files = ['a', 'a']"), "is named twice"),
        ("name = 'x'\nsource = 'https://h/d/'\nfiles = ['a*']", "name each file"),
        ("name = 'x'\nsource = 'https://h/d/'", "name them in files"),
        ("name = 'x'\nsource = 'u@h:'", "name them in files"),
        (&format!("{one}folder = '/a'"), "is not a folder below mirror.dir"),
        (&format!("{one}folder = 'a/../b'"), "is not a folder below mirror.dir"),
        (&format!("{one}folder = '.sync'"), "is not a folder below mirror.dir"),
        (&format!("{one}interval = '1s'"), "allowed: \"1m\" to \"30d\""),
        (&format!("{one}key = 'k'"), "only ssh has a key"),
        ("name = 'x'\nsource = 'u@h:a'\npassword-file = 'p'", "only an rsync daemon asks"),
        (&format!("{one}min-size = '1x'"), "is not a size"),
        (&format!("{one}min-size = '2K'\nmax-size = '1K'"), "are more than max-size"),
        (&format!("{one}bandwidth-limit = '1'"), "less than 1K a second"),
        (&format!("{one}verify = []"), "there is no program"),
        (&format!("{one}[[feed]]\nname = 'one'\nsource = 'h::n'"), "already defined in line"),
        (&format!("{one}[[feed]]\nname = 'two'\nsource = 'h::m/b'"), "name all files of a module"),
        (
            &format!("{one}[[feed]]\nname = 'two'\nsource = 'rsync://H:873/m/b'"),
            "name all files of a module",
        ),
        ("name = 'x'\nsource = 'rsync://u:secret@h/m'", "password-file"),
        (&format!("{one}files = ['a b']"), "write ? in place of each blank"),
        (
            &format!("{one}[[feed]]\nname = 'two'\nsource = 'h::n'\nfolder = 'one'"),
            "folder \"one\"",
        ),
        (
            &format!("{one}[[feed]]\nname = 'two'\nsource = 'h::n'\nfolder = 'one/two'"),
            "is inside the other",
        ),
    ] {
        let told = mistake(feed);
        assert!(told.contains(words), "{feed}: {told}");
    }
}
