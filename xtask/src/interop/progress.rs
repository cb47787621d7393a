//! A line on stderr for every test that ends, with a bar below them where stderr is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::results::{Record, Word};

/// The bar.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Of so many tests.
    pub(super) fn new(total: usize) -> Self {
        let bar = ProgressBar::new(total as u64);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} in {elapsed}, {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message("none failed");
        Self(bar)
    }

    /// Tells how a test ended.
    pub(super) fn tell(&self, test: &Record) {
        self.0.inc(1);
        if matches!(test.word, Word::Failed | Word::Surprise) {
            self.0.set_message("some failed");
        }
        let remark = match test.word {
            Word::Known => "a bug of the peer (interop/known.toml)",
            _ => test.remark.as_deref().unwrap_or_default(),
        };
        let (count, total) = (self.0.position(), self.0.length().unwrap_or_default());
        let (word, id, seconds) = (test.word.text(), test.id(), test.seconds);
        let line = format!("[{count}/{total}] {word:8} {id} in {seconds:.1} s  {remark}");
        self.0.suspend(|| eprintln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
