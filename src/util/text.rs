//! Words for people.

/// A number of things: `1 entry`, `2 entries`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_one_thing_is_singular() {
        let text = |number| counted(number, "entry", "entries");
        assert_eq!([text(0), text(1), text(2)], ["0 entries", "1 entry", "2 entries"]);
    }
}
