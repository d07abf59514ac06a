//! The `dnsbld` command as users meet it: output and exit codes.

use std::fs;
use std::process::{Command, Output};

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn dnsbld(folder: &str, arguments: &[&str]) -> Run {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("DNSBLD_LOG")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// Another server may have the ports of the sample configuration.
#[test]
fn check_config_takes_the_sample_zones_of_a_checkout() {
    let run = dnsbld(CHECKOUT, &["check-config"]);
    let first = run.out.lines().next().unwrap();
    assert!(first.starts_with("configuration ") && first.ends_with("zones/dnsbld.toml"), "{first}");
    assert!(run.out.contains("listen  127.0.0.1:5300 (UDP and TCP)"), "{}", run.out);
    assert!(run.out.contains("zone    l2.apews.org: apews-l2, allow own-white\n"), "{}", run.out);
    let problems =
        run.out.lines().filter(|line| line.contains("error: ") || line.contains("warning: "));
    let others: Vec<_> = problems.filter(|line| !line.contains(":5300")).collect();
    assert!(others.is_empty(), "{others:?}");
}

/// An empty variable, as container files set it, stopped every command.
#[test]
fn an_empty_log_variable_is_none() {
    let run = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .arg("--version")
        .current_dir(CHECKOUT)
        .env("DNSBLD_LOG", "")
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn serve_reports_every_mistake_of_a_configuration_and_exits_with_78() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "[server]\nlistn = []\nworkers = -1\n").unwrap();
    let run = dnsbld(folder.path().to_str().unwrap(), &["serve", "-c", "c.toml"]);
    assert_eq!(run.code, Some(78));
    assert_eq!(run.out, "");
    let want = "c.toml: there is no zone to serve\n    help: add a [[zone]] with a name and its datasets\n\
                c.toml:2:1: unknown key \"listn\" in server\n    help: did you mean \"listen\"?\n\
                c.toml:3:11: server.workers: -1 is out of range\n    help: allowed: 0 to 1024\n\
                dnsbld: the configuration cannot be used (errors: 3)\n";
    assert_eq!(run.err, want);
}

#[test]
fn a_missing_configuration_is_a_bad_one() {
    for arguments in [["check-config", "none.toml"].as_slice(), &["serve", "--config", "none.toml"]]
    {
        let run = dnsbld(CHECKOUT, arguments);
        assert_eq!(run.code, Some(78), "{}", run.err);
        let said = run.out + &run.err;
        assert!(said.contains("none.toml: cannot read the configuration"), "{said}");
        // What the command takes, and nothing else.
        let takes_zones = arguments[0] == "serve";
        assert_eq!(said.contains("or zones as zone:type:file"), takes_zones, "{said}");
    }
}

/// A pipe of the shell's has somebody who writes to it; a fifo need not have.
#[test]
fn a_configuration_may_come_from_a_pipe_but_not_from_a_fifo() {
    let folder = tempfile::tempdir().unwrap();
    let shell = |line: &str| {
        let line = format!("D={}; {line}", env!("CARGO_BIN_EXE_dnsbld"));
        let mut bash = Command::new("bash");
        let output = bash.args(["-c", &line]).current_dir(folder.path()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let text = "dataset = [{ name = 'd', type = 'ip4set', files = ['f'] }]
    zone = [{ name = 'z.example', datasets = ['d'] }]";
    fs::write(folder.path().join("c.toml"), text).unwrap();
    for line in [
        "cat c.toml | $D check-config --no-data /dev/stdin",
        "$D check-config --no-data <(cat c.toml)",
    ] {
        let (code, said) = shell(line);
        assert_eq!(code, Some(0), "{line}: {said}");
    }
    for command in ["check-config fifo", "serve -c fifo", "dump -c fifo", "migrate fifo"] {
        let (code, said) =
            shell(&format!("mkfifo -m 600 fifo; timeout 5 $D {command}; a=$?; rm fifo; exit $a"));
        assert!([Some(78), Some(1)].contains(&code), "{command}: {code:?} {said}");
        assert!(said.contains("it is not a regular file"), "{command}: {said}");
    }
}

/// Zones before the one that could not be dumped were written.
#[test]
fn a_dump_is_whole_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = "dataset = [
        { name = 'd', type = 'ip4set', files = ['f'] },
        { name = 'n', type = 'ip4set', files = ['nowhere'] },
    ]
    zone = [{ name = 'z.test', datasets = ['d'] }, { name = 'n.test', datasets = ['n'] }]";
    for (name, text) in [("c.toml", text), ("f", "10.0.0.1\n")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let run = dnsbld(folder.path().to_str().unwrap(), &["dump", "-c", "c.toml"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains("zone n.test is incomplete"), "{}", run.err);

    // Regression: what cannot be dumped was found out when others had been.
    let text = "dataset = [
        { name = 'd', type = 'ip4set', files = ['f'] },
        { name = 'c', type = 'combined', files = ['n'] },
    ]
    zone = [{ name = 'z.test', datasets = ['d'] }, { name = 'n.test', datasets = ['d', 'c'] }]";
    for (name, text) in [("c.toml", text), ("n", "$DATASET ip4set @\n10.0.0.1\n")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let run = dnsbld(folder.path().to_str().unwrap(), &["dump", "-c", "c.toml"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains("cannot dump zone n.test"), "{}", run.err);
}

#[test]
fn serve_reports_bad_zone_specs() {
    let run = dnsbld(CHECKOUT, &["serve", "a.example:ip4set:f", "b.example:ipset:f"]);
    assert_eq!(run.code, Some(78));
    let want = "command line: b.example:ipset:f: \"ipset\" is not a dataset type\n    \
                help: did you mean \"ip4set\"?\n";
    assert!(run.err.starts_with(want), "{}", run.err);
}

#[test]
fn bad_arguments_exit_with_2() {
    for arguments in [
        ["serve", "--listen", "127.0.0.1"].as_slice(),
        &["serve", "--config", "c.toml", "a.example:ip4set:f"],
        &["serve", "--no-such-option"],
        &["--log-level", "loud", "check-config"],
        &["no-such-command"],
        &[],
    ] {
        let run = dnsbld(CHECKOUT, arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.err);
    }
    let run = dnsbld(CHECKOUT, &["serve", "--listen", "127.0.0.1"]);
    assert!(run.err.contains("has no port; write \"127.0.0.1:53\""), "{}", run.err);
}

#[test]
fn a_bad_log_level_in_the_environment_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_dnsbld"))
        .arg("check-config")
        .env("DNSBLD_LOG", "loud")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.starts_with("dnsbld: DNSBLD_LOG: "), "{err}");
}

#[test]
fn help_and_version_are_printed() {
    let run = dnsbld(CHECKOUT, &["--help"]);
    assert_eq!(run.code, Some(0));
    assert!(run.out.contains("serve") && run.out.contains("check-config"), "{}", run.out);
    let run = dnsbld(CHECKOUT, &["serve", "--help"]);
    assert!(run.out.contains("[ZONE:TYPE:FILE,FILE...]..."), "{}", run.out);
    let run = dnsbld(CHECKOUT, &["--version"]);
    assert_eq!(run.out, concat!("dnsbld ", env!("CARGO_PKG_VERSION"), "\n"));
}
