//! Exit codes of rsync and curl in words, each with what to do about it.

use crate::state::feeds::FeedFailure;

/// What an exit code of rsync means (rsync(1), "EXIT VALUES"), in view of what it said.
pub(super) fn rsync(code: i32, said: &str) -> FeedFailure {
    let has = |word: &str| said.contains(word);
    let (cause, remedy) = match code {
        5 if has("max connections") => BUSY,
        5 if has("auth failed") => (
            "the daemon refuses the user or the password",
            "check the user in the source, and password-file",
        ),
        5 if has("Unknown module") => {
            ("the daemon has no such module", "check the source; its publisher says the right one")
        }
        12 | 255 if has("Permission denied (") => (
            "ssh was not let in",
            "check key, and that the publisher has registered its public half",
        ),
        12 | 255 if has("IDENTIFICATION HAS CHANGED") => (
            "the host shows another key than the known one",
            "ask the publisher whether its key is new; if it is, replace the old one in \
             /etc/ssh/ssh_known_hosts",
        ),
        12 | 255 if has("Host key verification failed") => (
            "ssh does not know the host's key",
            "add the key, as the publisher tells it, to /etc/ssh/ssh_known_hosts",
        ),
        1 if has("password file") => (
            "password-file cannot be used",
            "make it a file of the user that runs `dnsbld sync`, which nobody else may read (chmod 600)",
        ),
        1 => ("rsync does not understand its arguments", "install rsync 3.1 or later"),
        2 => ("the two rsyncs speak no common protocol", "install a newer rsync"),
        3 => {
            ("a file or folder cannot be used", "check the source, and who may write to mirror.dir")
        }
        5 => (
            "the daemon refuses the session",
            "register this machine's address with the publisher, or come less often",
        ),
        10 => ("the connection failed", NETWORK),
        11 => ("a file cannot be read or written", "check the space and the rights of mirror.dir"),
        12 => ("the connection ended in the middle", LATER),
        13 => ("a helper of rsync failed", "see what rsync said"),
        14 => ("rsync lost its other half", LATER),
        20 => ("a signal ended rsync", LATER),
        22 => ("rsync found no memory", "give the service more memory"),
        23 if has("No such file") => {
            ("the source has not all files", "check files; the publisher may have renamed one")
        }
        23 => ("some files were not transferred", "see what rsync said"),
        24 => ("files vanished from the source meanwhile", LATER),
        25 => ("rsync stopped deleting", "see what rsync said"),
        30 => ("no data came for too long", "nothing, if it is rare; else set timeout higher"),
        35 => ("the daemon did not answer", NETWORK),
        127 => ("rsync is not there", "install rsync"),
        255 => ("ssh failed", NETWORK),
        _ => ("rsync failed", "see what rsync said"),
    };
    failure(cause, &format!("rsync's code {code}"), said, remedy)
}

/// What an exit code of curl means (curl(1), "EXIT CODES"), in view of the last status of HTTP.
pub(super) fn curl(code: i32, status: u32, said: &str) -> FeedFailure {
    let (cause, remedy) = match (code, status) {
        (22, 401 | 403) => (
            "the web server refuses this machine",
            "register with the publisher, or come less often",
        ),
        (22, 404 | 410) => {
            ("the web server has no such file", "check source and files; it may have moved")
        }
        (22, 429) => ("the web server was asked too often", "set a longer interval"),
        (22, 500..) => ("the web server is in trouble", LATER),
        (22, _) => ("the web server refuses the file", "see what curl said"),
        (1, _) => (
            "curl may not follow where the source leads",
            "write the https address of the file itself",
        ),
        (3, _) => ("the source is no address", "check source and files"),
        (5 | 6, _) => ("the name of the host was not found", NETWORK),
        (7, _) => ("the connection failed", NETWORK),
        (18 | 52 | 55 | 56 | 92, _) => ("the connection ended in the middle", LATER),
        (23, _) => ("the file cannot be written", "check the space and the rights of mirror.dir"),
        (28, _) => ("no data came for too long", "nothing, if it is rare; else set timeout higher"),
        (35 | 51 | 53 | 54 | 58 | 59 | 60 | 66 | 77 | 80 | 82 | 83 | 90 | 91, _) => (
            "the certificate of the web server is not trusted, or TLS failed",
            "check the host in source, this machine's clock and its ca-certificates",
        ),
        (47, _) => ("the source leads in circles", "write the https address of the file itself"),
        (63, _) => ("the file is larger than max-size", "set max-size higher if that is right"),
        (127, _) => ("curl is not there", "install curl"),
        _ => ("curl failed", "see what curl said"),
    };
    let code = match status {
        0 => format!("curl's code {code}"),
        status => format!("curl's code {code}, HTTP status {status}"),
    };
    failure(cause, &code, said, remedy)
}

const BUSY: (&str, &str) =
    ("the daemon has as many clients as it takes", "nothing: the next try comes later");
const LATER: &str = "nothing, if it is rare: the next try goes on where this one ended";
const NETWORK: &str = "check the host in source, and the way there (name server, firewall, proxy)";

fn failure(cause: &str, code: &str, said: &str, remedy: &str) -> FeedFailure {
    let cause = match last_words(said) {
        words if words.is_empty() => format!("{cause} ({code})"),
        words => format!("{cause} ({code}: {words})"),
    };
    FeedFailure { cause, remedy: remedy.to_owned() }
}

/// The first line of what a program said that tells the reason, printable and not too long.
pub(super) fn last_words(said: &str) -> String {
    // The last line of rsync repeats its code; ssh frames its warnings.
    let is_reason = |line: &&str| has_words(line) && !line.starts_with("rsync error:");
    let lines = || said.split(['\n', '\r']);
    let line = lines().find(is_reason).or_else(|| lines().find(|line| !line.is_empty()));
    shown(line.unwrap_or_default())
}

/// The last line of what a program said, which is where those that check signatures come to their verdict;
/// printable and not too long.
pub(super) fn verdict(said: &str) -> String {
    shown(said.lines().rfind(|line| has_words(line)).unwrap_or_default())
}

fn has_words(line: &str) -> bool {
    line.contains(char::is_alphanumeric)
}

fn shown(line: &str) -> String {
    const LONGEST: usize = 200;
    let line = line.trim();
    let shown = line.chars().map(|c| if c.is_control() { '?' } else { c });
    let mut text: String = shown.take(LONGEST).collect();
    if line.chars().count() > LONGEST {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_cause_and_a_remedy() {
        for code in -1..=256 {
            for failure in [rsync(code, ""), curl(code, 0, ""), curl(22, code as u32, "")] {
                assert!(!failure.cause.is_empty() && !failure.remedy.is_empty());
            }
        }
    }

    #[test]
    fn what_was_said_decides_what_a_code_means() {
        let said = "@ERROR: max connections (1) reached -- try again later\n\
                    rsync error: error starting client-server protocol (code 5) at main.c(1954)\n";
        let busy = rsync(5, said);
        assert_eq!(
            busy.cause,
            "the daemon has as many clients as it takes (rsync's code 5: @ERROR: max connections (1) \
             reached -- try again later)"
        );
        assert!(rsync(5, "@ERROR: Unknown module 'x'").cause.contains("no such module"));
        for code in [12, 255] {
            assert!(rsync(code, "bl@h: Permission denied (publickey).").remedy.contains("key"));
        }
        let said = "@@@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@@@@\n\
                    Host key verification failed.\n";
        let changed = rsync(255, said);
        assert!(
            changed.cause.contains("another key than the known one (rsync's code 255: @ WARNING")
        );
        assert!(
            rsync(1, "ERROR: password file must not be other-accessible").remedy.contains("600")
        );
        assert!(curl(22, 429, "").remedy.contains("interval"));
    }

    #[test]
    fn last_words_are_printable_and_short() {
        assert_eq!(last_words("\n\x1b[31mred\x07\nrest"), "?[31mred?");
        assert_eq!(last_words("rsync error: x"), "rsync error: x");
        assert_eq!(last_words(&"x".repeat(500)).len(), 203);
        let said = "gpgv: Signature made today\ngpgv: BAD signature from \"x\"\n\n";
        assert_eq!(verdict(said), "gpgv: BAD signature from \"x\"");
        assert_eq!(verdict(""), "");
    }
}
