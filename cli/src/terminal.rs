//! The last place before the terminal. Whatever is printed comes through here, as text with a meaning: what could move a cursor,
//! hide or reorder is made visible, colours are chosen by meaning, and a pipe gets neither colour nor a terminal's width.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};
use contract::printable;
use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::Failure;
use crate::interrupt::unless_interrupted;

/// Longer lines do not help anybody, and a log can hold any. In a pipe, too; JSON alone is whole.
const MAX_LINE_CHARS: usize = 10_000;
/// So that a table is readable where it cannot be narrower.
const LEAST_WIDTH: u16 = 40;

/// What a piece of text means; how that looks is decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Plain,
    Good,
    Bad,
    /// Wants attention, or takes time.
    Pending,
    /// Of less interest.
    Quiet,
    /// What a line or a table is about.
    Subject,
}

/// A piece of text. It may be anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub meaning: Meaning,
    pub text: String,
}

impl Meaning {
    pub fn of(self, text: impl Into<String>) -> Piece {
        Piece { meaning: self, text: text.into() }
    }

    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Pending => AnsiColor::Yellow.on_default(),
            Self::Quiet => Style::new().dimmed(),
            Self::Subject => Style::new().bold(),
        }
    }

    fn cell(self, text: &str) -> Cell {
        let cell = Cell::new(text);
        match self {
            Self::Plain => cell,
            Self::Good => cell.fg(Color::DarkGreen),
            Self::Bad => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
            Self::Pending => cell.fg(Color::DarkYellow),
            Self::Quiet => cell.add_attribute(Attribute::Dim),
            Self::Subject => cell.add_attribute(Attribute::Bold),
        }
    }
}

/// Without a meaning of its own.
impl<T: Into<String>> From<T> for Piece {
    fn from(text: T) -> Self {
        Meaning::Plain.of(text)
    }
}

/// Standard output and standard error.
pub struct Terminal {
    out: Stream,
    err: Stream,
    /// None: a pipe or a file, where a table is as wide as it needs.
    width: Option<u16>,
    /// Whether somebody can be asked.
    is_watched: bool,
    turning: Turning,
}

/// What turns just now, if anything does: it makes room for every line.
type Turning = Rc<RefCell<ProgressBar>>;

impl Terminal {
    /// Colours as `NO_COLOR`, `CLICOLOR_FORCE` and `TERM` say, unless `colour` does.
    pub fn new(colour: ColorChoice) -> Self {
        let choose = |default| if colour == ColorChoice::Auto { default } else { colour };
        let (out, err) = (io::stdout(), io::stderr());
        let width = out.is_terminal().then(|| Table::new().width()).flatten();
        let (of_out, of_err) = (choose(AutoStream::choice(&out)), choose(AutoStream::choice(&err)));
        Self {
            is_watched: io::stdin().is_terminal() && err.is_terminal(),
            ..Self::of(Box::new(out), of_out, Box::new(err), of_err, width.map(|width| width.max(LEAST_WIDTH)))
        }
    }

    /// One that nobody watches.
    fn of(
        out: Box<dyn Write>,
        colours_of_out: ColorChoice,
        err: Box<dyn Write>,
        colours_of_err: ColorChoice,
        width: Option<u16>,
    ) -> Self {
        let turning = Rc::new(RefCell::new(ProgressBar::hidden()));
        let stream = |to, colours| Stream { to, colours: colours != ColorChoice::Never, turning: Rc::clone(&turning) };
        Self {
            out: stream(out, colours_of_out),
            err: stream(err, colours_of_err),
            width,
            is_watched: false,
            turning: Rc::clone(&turning),
        }
    }

    #[cfg(test)]
    pub fn to(out: impl Write + 'static, err: impl Write + 'static, width: Option<u16>, colour: ColorChoice) -> Self {
        Self::of(Box::new(out), colour, Box::new(err), colour, width)
    }

    /// A line of the answer.
    pub fn line(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        self.out.line(pieces);
    }

    /// A line about the answer, for people: where it comes from, what goes on.
    pub fn note(&mut self, text: &str) {
        self.err.line([Meaning::Quiet.of(text)]);
    }

    /// The same, where it is more than a remark.
    pub fn about(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        self.err.line(pieces);
    }

    /// Why there is no answer, and what to do.
    pub fn failure(&mut self, failure: &Failure) {
        self.err.line([Meaning::Bad.of("error: "), failure.what.as_str().into()]);
        for line in failure.advice.iter().flat_map(|advice| advice.lines()) {
            self.err.line([Meaning::Quiet.of("  to do: "), line.into()]);
        }
    }

    /// A JSON document. Its letters mean the same where they are escaped, so that no terminal obeys one.
    pub fn json(&mut self, document: &serde_json::Value) {
        self.out.write(&escaped(&format!("{document:#}")));
    }

    /// One of several, each on a line.
    pub fn json_line(&mut self, document: &serde_json::Value) {
        self.out.write(&escaped(&document.to_string()));
    }

    /// A document of ours, in which all foreign text is [`harmless`] already.
    pub fn document(&mut self, document: &str) {
        self.out.write(document);
    }

    /// A file of ours in another language, which escapes letters in its strings as JSON does.
    pub fn source(&mut self, source: &str) {
        self.out.write(&escaped(source));
    }

    /// Aligned columns under their headings. On a terminal the last column gives way, since what is longest stands there.
    pub fn table<const COLUMNS: usize>(&mut self, headings: [&str; COLUMNS], rows: Vec<[Piece; COLUMNS]>) {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        if self.out.colours {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(headings.map(|heading| Meaning::Quiet.cell(heading)));
        for row in rows {
            table.add_row(row.map(|piece| piece.meaning.cell(&harmless(&piece.text))));
        }
        match self.width {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        for (position, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if position + 1 < COLUMNS { 2 } else { 0 }));
            if position + 1 < COLUMNS && self.width.is_some() {
                column.set_constraint(ColumnConstraint::UpperBoundary(Width::Percentage(30)));
            }
        }
        for line in table.lines() {
            self.out.write(line.trim_end());
        }
    }

    /// Something that turns while `text` goes on, on a terminal only, and not where the answer goes elsewhere. It is gone when it
    /// is dropped.
    #[must_use]
    pub fn spinner(&self, text: &str) -> Spinner {
        if !self.is_watched || self.width.is_none() {
            return Spinner(ProgressBar::hidden());
        }
        let spinner = ProgressBar::new_spinner().with_message(harmless(text));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(120));
        self.turning.replace(spinner.clone());
        Spinner(spinner)
    }

    /// Asks, if there is somebody to ask. None: there is nobody, so that `--yes` has to say it.
    pub fn ask(&mut self, question: &str) -> Option<bool> {
        if !self.is_watched {
            return None;
        }
        self.err.line([Meaning::Subject.of(question), " [y/N]".into()]);
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

struct Stream {
    to: Box<dyn Write>,
    colours: bool,
    turning: Turning,
}

impl Stream {
    fn line(&mut self, pieces: impl IntoIterator<Item = Piece>) {
        let styled = |piece: Piece| {
            let (style, text) = (piece.meaning.style(), harmless(&piece.text));
            if self.colours && piece.meaning != Meaning::Plain { format!("{style}{text}{style:#}") } else { text }
        };
        let line: String = pieces.into_iter().map(styled).collect();
        self.write(&line);
    }

    /// What is fit for a terminal already.
    fn write(&mut self, line: &str) {
        let turning = self.turning.borrow();
        // Who does not read on wants no more.
        let _ = turning.suspend(|| writeln!(self.to, "{line}").and_then(|()| self.to.flush()));
    }
}

/// `1 fault`, `2 faults`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// See [`Terminal::spinner`].
pub struct Spinner(ProgressBar);

impl Spinner {
    /// Turns while `work` is done. None: somebody pressed Ctrl-C before it was.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> Option<T> {
        unless_interrupted(work).await
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// JSON in which no letter is one that a terminal obeys.
fn escaped(json: &str) -> String {
    let mut text = String::new();
    for letter in json.chars() {
        if letter == '\n' || printable(letter.encode_utf8(&mut [0; 4]), 1).chars().eq([letter]) {
            text.push(letter);
        } else {
            text.extend(letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// Foreign text, fit for a line: whole escape sequences are left out, as a log's colours are; what else a terminal would obey
/// is shown for what it is.
pub fn harmless(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    printable(plain.trim_end_matches(['\r', '\n']).replace('\t', "    ").as_str(), MAX_LINE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::fixtures::Kept;

    fn terminal(width: Option<u16>, colour: ColorChoice) -> (Terminal, Kept, Kept) {
        let (out, err) = (Kept::default(), Kept::default());
        (Terminal::to(out.clone(), err.clone(), width, colour), out, err)
    }

    #[test]
    fn nothing_foreign_can_draw_on_the_terminal() {
        let (mut terminal, out, err) = terminal(Some(80), ColorChoice::Never);
        let evil = "a\x1b[2Jb\x1b[31mred\x1b[0m\x07\ttab\x1b]0;owned\x07\u{202e}\u{9b}2J\r\n";
        terminal.line([evil.into(), Meaning::Bad.of(evil)]);
        terminal.table(["one", "two"], vec![[evil.into(), Meaning::Good.of(evil)]]);
        terminal.note(evil);
        terminal.failure(&Failure::new(Exit::Failed, evil).advise(evil));
        terminal.json(&serde_json::json!({ evil: evil }));
        let said = out.text() + &err.text();
        assert!(said.chars().all(|c| c == '\n' || printable(&c.to_string(), 1).chars().eq([c])), "{said:?}");
        assert!(said.contains("abred    tab\\u{202e}"), "{said:?}");
        assert!(!said.contains("owned") || said.contains("\\u001b]0;owned"), "{said:?}");
    }

    #[test]
    fn json_means_the_same_when_it_is_escaped() {
        let (mut terminal, out, _) = terminal(None, ColorChoice::Never);
        let document = serde_json::json!({"reason": "a\u{202e}b\u{e0041}\u{85}c\n", "x": "ä你"});
        terminal.json(&document);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&out.text()).unwrap(), document);
        assert!(out.text().contains("\\u202e") && out.text().contains("\\udb40\\udc41") && out.text().contains("ä你"));
    }

    #[test]
    fn a_pipe_gets_no_colour_and_whole_lines() {
        let (mut terminal, out, _) = terminal(None, ColorChoice::Never);
        terminal.line([Meaning::Bad.of("failed"), " again".into()]);
        terminal.table(["name", "reason"], vec![["demo".into(), Meaning::Bad.of("x".repeat(300))]]);
        assert_eq!(out.text(), format!("failed again\nname  reason\ndemo  {}\n", "x".repeat(300)));
    }

    #[test]
    fn a_text_ends_where_nobody_reads_on_and_in_json_it_is_whole() {
        let (mut terminal, out, _) = terminal(None, ColorChoice::Never);
        let long = "x".repeat(MAX_LINE_CHARS + 1);
        terminal.line([long.as_str().into()]);
        assert!(out.text().trim_end().trim_end_matches(|c| c != 'x').len() <= MAX_LINE_CHARS, "{}", out.text().len());
        terminal.json(&serde_json::json!(long));
        assert!(out.text().contains(&long));
        let said = include_str!("../../docs/commands.md").replace('\n', " ");
        assert!(said.contains("a text of more than 10,000 characters is cut there, too"));
        assert_eq!(MAX_LINE_CHARS, 10_000);
    }

    #[test]
    fn a_table_keeps_within_the_terminal() {
        for width in [40, 80, 200] {
            let (mut terminal, out, _) = terminal(Some(width), ColorChoice::Never);
            let reason = "the build failed because of a long chain of things ".repeat(5);
            terminal.table(["name", "what", "reason"], vec![["demo".into(), "failed".into(), reason.into()]]);
            assert!(out.text().lines().all(|line| line.chars().count() <= width.into()), "{}", out.text());
        }
    }

    #[test]
    fn colours_are_by_meaning() {
        let (mut terminal, out, _) = terminal(None, ColorChoice::Always);
        terminal.line([Meaning::Good.of("deployed"), " ".into(), Meaning::Bad.of("failed")]);
        assert_eq!(out.text(), "\x1b[32mdeployed\x1b[0m \x1b[1m\x1b[31mfailed\x1b[0m\n");
        terminal.table(["name"], vec![[Meaning::Good.of("demo")]]);
        assert!(out.text().contains("\x1b[38;5;2mdemo"), "{:?}", out.text());
    }
}
