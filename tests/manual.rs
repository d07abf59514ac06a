//! The man pages and completions that `scripts/package` packs.

use std::fs;
use std::process::Command;

use clap::CommandFactory as _;

use crate::common::{run, skip, temp_dir};

#[path = "../examples/manual/completions.rs"]
mod completions;
#[path = "../examples/manual/pages.rs"]
mod pages;

/// The text of a page as a reader sees it. Fails if man has something to complain of.
fn shown(page: &str) -> String {
    let folder = temp_dir();
    let file = folder.path().join("page.1");
    fs::write(&file, page).expect("our folder");
    let mut man = Command::new("man");
    // In wide lines no option is broken.
    man.args(["--warnings", "--no-hyphenation", "--no-justification", "--encoding=ascii", "-l"]);
    man.arg(&file).env("MANWIDTH", "1000").env("LC_ALL", "C");
    let output = man.output().expect("man is there");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{page}");
    String::from_utf8(output.stdout).expect("ASCII")
}

fn commands(command: &clap::Command) -> Vec<clap::Command> {
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    [command.clone()].into_iter().chain(below.flat_map(commands)).collect()
}

#[test]
fn every_command_and_option_has_its_place() {
    let pages = pages::all();
    let completions = completions::all();
    let mut definition = dnsbld::cli::Cli::command();
    definition.build();
    let commands = commands(&definition);
    assert!(commands.len() > 20);
    assert_eq!(pages.len(), commands.len() + 2, "a page of a command that is not there");
    for command in commands {
        let name = command.get_display_name().unwrap_or("dnsbld");
        let path = format!("man/man1/{name}.1");
        let page = &pages.iter().find(|(at, _)| *at == path).expect(&path).1;
        let page = shown(page);
        for option in command.get_arguments().filter_map(|option| option.get_long()) {
            assert!(page.contains(&format!("--{option}")), "{name}: --{option}\n{page}");
            for (shell, text) in &completions {
                // fish writes `-l option`.
                let written =
                    text.contains(&format!("--{option}")) || text.contains(&format!("-l {option}"));
                assert!(written, "{shell}: {name} --{option}");
            }
        }
        for (shell, text) in &completions {
            assert!(text.contains(command.get_name()), "{shell}: {name}");
        }
    }
}

#[test]
fn the_page_of_the_configuration_has_every_setting_and_that_of_rbldnsd_every_option() {
    let pages = pages::all();
    let page = |path: &str| shown(&pages.iter().find(|(at, _)| at == path).expect(path).1);
    let configuration = page("man/man5/dnsbld.toml.5");
    let tour = include_str!("../docs/configuration.toml");
    let settings = tour.lines().filter(|line| !line.starts_with("# ") && line.contains(" = "));
    assert!(settings.clone().count() > 80);
    for setting in settings {
        assert!(configuration.contains(setting), "{setting}\n{configuration}");
    }
    let rbldnsd = page("man/man8/dnsbld-rbldnsd.8");
    let help = dnsbld::rbldnsd::help();
    let options = help.lines().filter(|line| line.starts_with(" -"));
    assert!(options.clone().count() > 20);
    for option in options {
        let text = option.trim().split_once("  ").expect("an option and its text").1.trim();
        assert!(rbldnsd.contains(text), "{option}\n{rbldnsd}");
    }
}

#[test]
fn the_shells_understand_the_completions() {
    let folder = temp_dir();
    for (path, text) in completions::all() {
        let shell = ["bash", "fish", "zsh"].into_iter().find(|shell| path.contains(shell));
        let file = folder.path().join("completion");
        fs::write(&file, text).expect("our folder");
        match shell.expect(&path) {
            "bash" => {
                let line = ". $0; COMP_WORDS=(dnsbld che); COMP_CWORD=1; _dnsbld dnsbld che dnsbld; \
                            echo ${COMPREPLY[*]}";
                let said = run(Command::new("bash").args(["-c", line]).arg(&file));
                assert_eq!(said, "check check-config\n");
            }
            shell => match Command::new(shell).arg("-n").arg(&file).output() {
                Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
                Err(error) => skip(&format!("{shell}: {error}")),
            },
        }
    }
}
