//! Lines of TOML with comments.

/// The width of a comment that is wrapped.
const WIDTH: usize = 95;

/// The text of a file.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// A line of comment. What must not be in one is replaced.
    pub(super) fn comment(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        self.line(format!("# {text}").trim_end());
    }

    /// Comments of up to [`WIDTH`] columns, the first with `mark`, the others with as much room.
    pub(super) fn wrapped(&mut self, mark: &str, text: &str) {
        let mut line = mark.to_owned();
        for word in text.split_whitespace() {
            if line.len() > mark.len() && line.len() + word.len() + "# ".len() > WIDTH {
                self.comment(line.trim_end());
                line = " ".repeat(mark.len());
            }
            line.push_str(word);
            line.push(' ');
        }
        self.comment(line.trim_end());
    }

    /// A title among comments.
    pub(super) fn section(&mut self, title: &str) {
        self.comment("");
        self.comment(title);
    }

    /// The file, which ends with the last line that is not empty.
    pub(super) fn finish(self) -> String {
        self.0.trim_end().to_owned() + "\n"
    }

    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(super) fn set(&mut self, key: &str, value: String) {
        self.line(&format!("{key} = {value}"));
    }
}

/// An array of strings.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.map(|item| quoted(&item)).collect();
    format!("[{}]", items.join(", "))
}

/// A string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
