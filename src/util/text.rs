//! Words for people.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// A number of things: `1 entry`, `2 entries`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A time in the largest unit that still says something.
pub fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A word of a command, for a shell of POSIX to read as it is.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")).into(),
    }
}

/// Adds a table with columns as wide as they need: the first `words` are words, the others figures.
pub fn table<const N: usize>(
    out: &mut String,
    head: [String; N],
    rows: Vec<[String; N]>,
    words: usize,
) {
    let rows = || std::iter::once(&head).chain(&rows);
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    for row in rows() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            if column > 0 {
                out.push_str("  ");
            }
            let _ = match column < words {
                true => write!(out, "{cell:<width$}"),
                false => write!(out, "{cell:>width$}"),
            };
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_thing_is_singular() {
        let text = |number| counted(number, "entry", "entries");
        assert_eq!([text(0), text(1), text(2)], ["0 entries", "1 entry", "2 entries"]);
    }

    #[test]
    fn a_shell_reads_a_word_as_it_was() {
        let plain = "/run/dnsbld/control";
        assert_eq!(shell_word(plain), plain);
        for word in ["", "my list", "it's", "$HOME", "a;b", "#", "~", "gr\u{fc}n"] {
            let script = format!("printf %s {}", shell_word(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn ages_are_told_in_the_unit_that_says_something() {
        let text = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(
            [119, 120, 7199, 7200, 172_800].map(text),
            ["119 s", "2 min", "119 min", "2 h", "2 days"]
        );
    }
}
