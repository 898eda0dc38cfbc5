//! Text from outside, made fit to be shown: names and contexts may hold anything, escape sequences included.

use std::fmt::Write as _;

/// Replaces every control character by its escape, so that no text can steer the terminal or forge a line.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible_steering(character) {
            write!(safe, "{}", character.escape_default()).ok();
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Whether the character reorders or hides the text around it (bidirectional controls, line separators).
fn is_invisible_steering(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_reordering_are_shown_and_letters_stay() {
        assert_eq!(shown("Grüße\n\u{1b}]0;x\u{7}\u{202e}"), "Grüße\\n\\u{1b}]0;x\\u{7}\\u{202e}");
    }
}
