//! Feeds from the web: what has changed is sent, and nothing else.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use std::{fs, io};

use super::{FAILED, Feeds, OK, run};
use crate::common::{Process, free_port, names_in, temp_dir};

/// What a web server has, and what it was asked.
#[derive(Default)]
struct Site {
    /// The line of the status, and what follows of the head; both are for the file at hand.
    status: &'static str,
    head: String,
    body: String,
    /// Answers "304" to those who have the time of the file, too.
    knows_times: bool,
    /// The heads of the requests so far, in lower case.
    asked: Vec<String>,
}

/// A web server on loopback that answers all requests alike, or "304" to those that know the tag.
struct Web {
    site: Arc<Mutex<Site>>,
    url: String,
}

impl Web {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let url = format!("http://{}/d/", listener.local_addr().expect("it is bound"));
        let site = Arc::new(Mutex::new(Site { status: "200 OK", ..Site::default() }));
        let shared = Arc::clone(&site);
        // It ends with the test program.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is not its business.
                let _ = serve(stream, &shared);
            }
        });
        Self { site, url }
    }

    fn set(&self, status: &'static str, head: &str, body: &str) {
        let mut site = self.site.lock().expect("nobody panics");
        (site.status, site.head, site.body) = (status, head.to_owned(), body.to_owned());
    }

    fn asked(&self) -> Vec<String> {
        self.site.lock().expect("nobody panics").asked.clone()
    }
}

fn serve(mut stream: TcpStream, site: &Mutex<Site>) -> io::Result<()> {
    let mut asked = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        match line? {
            line if line.is_empty() => break,
            line => writeln!(asked, "{}", line.to_lowercase()).expect("memory"),
        }
    }
    let mut site = site.lock().expect("nobody panics");
    let tag = site.head.lines().find_map(|line| line.strip_prefix("ETag: ")).map(str::to_owned);
    let knows = tag.is_some_and(|tag| asked.contains(&format!("if-none-match: {tag}")))
        || site.knows_times && {
            let time = site.head.lines().find_map(|line| line.strip_prefix("Last-Modified: "));
            let since = |time: &str| format!("if-modified-since: {}", time.to_lowercase());
            time.is_some_and(|time| asked.contains(&since(time)))
        };
    let (status, body) = if knows { ("304 Not Modified", "") } else { (site.status, &*site.body) };
    let head: String = site.head.lines().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    site.asked.push(asked);
    stream.write_all(answer.as_bytes())
}

#[test]
fn a_file_is_sent_when_its_tag_has_changed() {
    let web = Web::start();
    let time = "Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT";
    web.set("200 OK", &format!("ETag: \"v1\"\n{time}"), "127.0.0.2\n");
    let feeds = Feeds::of(&web.url, "files = ['a']");
    feeds.sync().expect(OK, &["one: published 1 file"]);
    assert_eq!(feeds.read("one/a"), "127.0.0.2\n");
    let modified = feeds.path("one/a").metadata().and_then(|data| data.modified());
    let modified = modified.expect("it is there").elapsed().expect("it is past");
    assert!(modified > Duration::from_secs(3600), "the time of the publisher is kept");

    feeds.force().expect(OK, &["one: nothing has changed"]);
    assert!(web.asked()[1].contains("if-none-match: \"v1\""), "{:?}", web.asked());
    web.set("200 OK", "ETag: \"v2\"", "127.0.0.2\n192.0.2.1\n");
    feeds.force().expect(OK, &["one: published 1 file"]);
    feeds.force().expect(OK, &["one: nothing has changed"]);
    assert_eq!(feeds.read("one/a"), "127.0.0.2\n192.0.2.1\n");

    // A file that somebody removed comes again.
    fs::remove_file(feeds.path("one/a")).expect("it is there");
    feeds.force().expect(OK, &["one: published 1 file"]);
    assert_eq!(names_in(&feeds.path("one")), ["a"]);
    assert_eq!(feeds.record("one")["failures"], 0);
}

#[test]
fn without_a_tag_the_time_decides() {
    let web = Web::start();
    web.site.lock().expect("nobody panics").knows_times = true;
    web.set("200 OK", "Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT", "127.0.0.2\n");
    let feeds = Feeds::of(&web.url, "files = ['a']");
    feeds.sync().expect(OK, &["one: published 1 file"]);
    feeds.force().expect(OK, &["one: nothing has changed"]);
    assert!(web.asked()[1].contains("if-modified-since: sun, 13 sep 2020 12:26:40 gmt"));
    web.set("200 OK", "Last-Modified: Sun, 13 Sep 2020 13:26:40 GMT", "127.0.0.3\n");
    feeds.force().expect(OK, &["one: published 1 file"]);
    assert_eq!(feeds.read("one/a"), "127.0.0.3\n");
    // A server that sends the file all the same.
    web.site.lock().expect("nobody panics").knows_times = false;
    feeds.force().expect(OK, &["one: nothing has changed"]);
}

/// Regression: curl's own condition left such a version out, and the status said that all was well.
#[test]
fn a_version_that_is_taken_back_arrives() {
    let web = Web::start();
    web.set("200 OK", "Last-Modified: Sun, 13 Sep 2099 12:26:40 GMT", "0.0.0.0/0\n");
    let feeds = Feeds::of(&web.url, "files = ['a']");
    feeds.sync().expect(OK, &["one: published 1 file"]);
    web.set("200 OK", "Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT", "127.0.0.2\n");
    feeds.force().expect(OK, &["one: published 1 file"]);
    assert_eq!(feeds.read("one/a"), "127.0.0.2\n");
}

#[test]
fn a_refusal_is_no_list() {
    let web = Web::start();
    web.set("200 OK", "ETag: \"v1\"", "127.0.0.2\n");
    let feeds = Feeds::of(&web.url, "files = ['a', 'b']\nmax-size = '1K'");
    feeds.sync().expect(OK, &["one: published 2 files"]);
    for (status, words) in [
        ("429 Too Many Requests", "set a longer interval"),
        ("403 Forbidden", "register with the publisher"),
        ("404 Not Found", "it may have moved"),
        ("503 Service Unavailable", "is in trouble"),
    ] {
        web.set(status, "", "<html>Go away.</html>");
        feeds.force().expect(FAILED, &[words, &status[..3]]);
    }
    web.set("302 Found", "Location: ftp://127.0.0.1/a", "");
    feeds.force().expect(FAILED, &["may not follow where the source leads"]);
    web.set("200 OK", "ETag: \"v2\"", &"127.0.0.2\n".repeat(200));
    feeds.force().expect(FAILED, &["larger than max-size"]);
    assert_eq!(feeds.read("one/a") + &feeds.read("one/b"), "127.0.0.2\n127.0.0.2\n");
    web.set("200 OK", "ETag: \"v3\"", "127.0.0.4\n");
    feeds.force().expect(OK, &["one: published 2 files"]);
    assert_eq!(names_in(&feeds.path("one")), ["a", "b"]);
}

#[test]
fn a_web_server_must_show_who_it_is() {
    let folder = temp_dir();
    run(Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-keyout", "key", "-out", "certificate"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .current_dir(folder.path()))
    .expect(OK, &[]);
    fs::write(folder.path().join("list"), "127.0.0.2\n").expect("our folder");
    let port = free_port();
    let mut server = Command::new("openssl");
    server.args(["s_server", "-WWW", "-cert", "certificate", "-key", "key", "-accept"]);
    server.arg(format!("127.0.0.1:{port}")).current_dir(folder.path());
    let mut server = Process::start(&mut server, &folder.path().join("log"));
    server.wait(Duration::from_secs(10), |server| server.out().contains("ACCEPT"));
    let feeds = Feeds::of(&format!("https://localhost:{port}/list"), "");
    feeds.sync().expect(FAILED, &["the certificate of the web server is not trusted"]);
    assert!(!feeds.path("one").exists());
    let mut trusting = feeds.command();
    trusting.arg("--force").env("CURL_CA_BUNDLE", folder.path().join("certificate"));
    run(&mut trusting).expect(OK, &["one: published 1 file"]);
    assert_eq!(feeds.read("one/list"), "127.0.0.2\n");
}
