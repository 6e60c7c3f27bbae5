//! Makes foreign text fit for one line of a log: no control characters, no invisible direction changes, bounded length.

/// `text` with everything outside printable characters escaped (`\n`, `\u{1b}`), cut to `max_chars` characters of `text`.
///
/// ```
/// assert_eq!(contract::printable("a\x1b[31m\nb", 100), "a\\u{1b}[31m\\nb");
/// assert_eq!(contract::printable("abcdef", 3), "abc…");
/// ```
#[must_use]
pub fn printable(text: &str, max_chars: usize) -> String {
    let mut line = String::with_capacity(text.len().min(max_chars) + 4);
    let mut chars = text.chars();
    for c in chars.by_ref().take(max_chars) {
        if is_harmless(c) {
            line.push(c);
        } else {
            line.extend(c.escape_default());
        }
    }
    if chars.next().is_some() {
        line.push('…');
    }
    line
}

/// Letters of any script are fine in an author's name; controls, the bidirectional marks that reorder a line, and the tags that
/// no screen shows are not.
fn is_harmless(c: char) -> bool {
    let marks = ['\u{61c}', '\u{feff}'];
    let tricks = ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{2069}', '\u{e0000}'..='\u{e007f}'];
    !c.is_control() && !marks.contains(&c) && !tricks.iter().any(|range| range.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn letters_stay_and_tricks_are_escaped() {
        assert_eq!(printable("Åsa Öberg 你好", 50), "Åsa Öberg 你好");
        assert_eq!(printable("a\u{202e}b\u{85}\r", 50), "a\\u{202e}b\\u{85}\\r");
        for trick in ["\u{61c}", "\u{200b}", "\u{2028}", "\u{2066}", "\u{feff}", "\u{e0041}"] {
            assert!(printable(trick, 50).is_ascii(), "{trick:?}");
        }
    }
}
