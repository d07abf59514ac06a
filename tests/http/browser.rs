//! Chromium without a window, told what to do over a pipe: messages of JSON, each with a zero behind it
//! (`--remote-debugging-pipe`).

use crate::common::temp_dir;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How long an answer may take: other tests run beside this one.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(super) struct Browser {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    number: u64,
    session: Option<String>,
    /// What the page did wrong, in the words of the browser.
    faults: Vec<String>,
    _folder: TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) width: u32,
    pub(super) is_dark: bool,
}

impl Browser {
    /// True if there is one on this machine.
    pub(super) fn is_here() -> bool {
        let mut command = Command::new("sh");
        command.args(["-c", "command -v chromium"]).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    pub(super) fn start() -> Self {
        let folder = temp_dir();
        // It reads from the descriptor 3 and writes to the descriptor 4.
        let line = "exec chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run \
                    --disable-crash-reporter --disable-background-networking --user-data-dir=\"$HOME\" \
                    --remote-debugging-pipe 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("HOME", folder.path()).env("TMPDIR", folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut process = command.spawn().expect("a shell");
        let input = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let (sender, messages) = channel();
        thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("JSON");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let (number, session, faults) = (0, None, Vec::new());
        let mut browser =
            Self { process, input, messages, number, session, faults, _folder: folder };
        let target = browser.tell("Target.createTarget", &json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.tell("Target.attachToTarget", &target)["sessionId"].clone();
        browser.session = session.as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.tell(domain, &json!({}));
        }
        browser
    }

    /// Shows a page, and waits until all of it is there.
    pub(super) fn open(&mut self, url: &str, look: Look) {
        let Look { width, is_dark } = look;
        let size =
            json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500});
        self.tell("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!({"name": "prefers-color-scheme", "value": if is_dark { "dark" } else { "light" }});
        self.tell("Emulation.setEmulatedMedia", &json!({"features": [scheme]}));
        self.tell("Page.navigate", &json!({"url": url}));
        self.wait_for_load();
    }

    pub(super) fn wait_for_load(&mut self) {
        while self.next()["method"] != "Page.loadEventFired" {}
    }

    /// The value of an expression, or of what it promises.
    pub(super) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let told = self.tell("Runtime.evaluate", &asked);
        assert!(told.get("exceptionDetails").is_none(), "{expression:.200}: {told}");
        told["result"]["value"].clone()
    }

    /// Presses a key, and lets it go.
    pub(super) fn press(&mut self, key: &str, text: &str, code: u32) {
        let code = json!({"type": "keyDown", "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code});
        self.tell("Input.dispatchKeyEvent", &code);
        let up = json!({"type": "keyUp", "key": key, "code": key});
        self.tell("Input.dispatchKeyEvent", &up);
    }

    /// Types a text where the focus is.
    pub(super) fn insert(&mut self, text: &str) {
        self.tell("Input.insertText", &json!({"text": text}));
    }

    /// What the pages have done wrong: what the policy forbids, what is not there, what a script did not expect.
    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Does something, and waits for what comes of it.
    pub(super) fn tell(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let bytes = [message.to_string().as_bytes(), &[0]].concat();
        self.input.write_all(&bytes).expect("it listens");
        loop {
            let message = self.next();
            if message["id"] == self.number {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    fn next(&mut self) -> Value {
        let message = self.messages.recv_timeout(PATIENCE).expect("the browser answers");
        let is_fault = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => message["params"]["entry"]["level"] == "error",
            _ => false,
        };
        if is_fault {
            self.faults.push(message["params"].to_string());
        }
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With all the processes that it has started.
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }
}
