//! The completions of shells, from the definition of the command line.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

/// Where Debian's shells look for them.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/dnsbld"),
    (Shell::Fish, "fish/vendor_completions.d/dnsbld.fish"),
    (Shell::Zsh, "zsh/vendor-completions/_dnsbld"),
];

/// All of them: each path below `/usr/share`, and the text.
pub(crate) fn all() -> Vec<(String, String)> {
    let text = |shell| {
        let mut text = Vec::new();
        generate(shell, &mut dnsbld::cli::Cli::command(), "dnsbld", &mut text);
        String::from_utf8(text).expect("the definition is text")
    };
    SHELLS.map(|(shell, path)| (path.to_owned(), text(shell))).into()
}
