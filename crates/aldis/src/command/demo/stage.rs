//! How the demo speaks: headings, labelled lines, and progress as a bar on a terminal or as plain lines elsewhere.
//!
//! What cannot be printed is not printed: the demo goes on and its exit code tells how it went.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use aldis_client::StatusCount;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often plain lines tell the progress.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Where the demo is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    /// Nothing is told.
    silent: bool,
    /// Output goes to a terminal.
    terminal: bool,
    colours: bool,
}

impl Stage {
    pub(super) fn new(silent: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        Self {
            silent,
            terminal,
            colours: terminal && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// A line as it is.
    pub(super) fn say(self, text: impl Display) {
        if !self.silent {
            drop(writeln!(io::stdout().lock(), "{text}"));
        }
    }

    /// A heading.
    pub(super) fn heading(self, text: impl Display) {
        self.say(format_args!("\n{}", self.painted("1;36", text)));
    }

    /// A line with a label before it.
    pub(super) fn show(self, label: &str, text: impl Display) {
        self.say(format_args!(
            "  {}  {text}",
            self.painted("2", format_args!("{label:<9}"))
        ));
    }

    /// Several lines, indented.
    pub(super) fn block(self, text: &str) {
        for line in text.lines() {
            self.say(format_args!("  {line}"));
        }
    }

    pub(super) fn good(self, text: impl Display) -> String {
        self.painted("32", text)
    }

    pub(super) fn bad(self, text: impl Display) -> String {
        self.painted("31", text)
    }

    fn painted(self, colour: &str, text: impl Display) -> String {
        if self.colours {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }

    /// Progress of something with this many parts.
    pub(super) fn progress(self, length: usize) -> Progress {
        let bar = (self.terminal && !self.silent).then(|| {
            let length = u64::try_from(length).unwrap_or(u64::MAX);
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stdout()).with_style(style())
        });
        Progress {
            stage: self,
            bar,
            begun: Instant::now(),
            told: None,
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("  {elapsed:>4}  {wide_bar:.cyan/dim}  {pos}/{len}\n        {msg}")
        .expect("the template is constant and right")
        .progress_chars("━╸─")
}

/// Something under way.
pub(super) struct Progress {
    stage: Stage,
    bar: Option<ProgressBar>,
    begun: Instant,
    told: Option<Instant>,
}

impl Progress {
    /// Shows how far it is.
    pub(super) fn show(&mut self, done: u64, all: impl Display, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
            bar.set_position(done);
            return;
        }
        let now = Instant::now();
        if self.told.is_none_or(|told| now - told >= LINE_EVERY) {
            self.told = Some(now);
            let seconds = (now - self.begun).as_secs_f64();
            self.stage.say(format_args!("  {seconds:4.1} s  {done}/{all}  {text}"));
        }
    }

    /// Takes the bar away.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The states that occur, in a few words.
pub(super) fn in_words(count: &StatusCount) -> String {
    let figures = [
        ("waiting", count.init),
        ("sent", count.published + count.in_progress),
        ("succeeded", count.succeed),
        ("failed", count.failed),
        ("cancelled", count.canceled),
        ("no reply", count.rsp_timeout),
        ("never sent", count.ttl_timeout),
    ];
    let shown = figures.into_iter().filter(|(_, figure)| *figure > 0);
    let texts: Vec<_> = shown.map(|(name, figure)| format!("{figure} {name}")).collect();
    texts.join(", ")
}
