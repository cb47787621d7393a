//! Puts what was measured into docs/performance.md.

use std::{fs, path::Path};

use super::BenchError;

const PAGE: &str = "docs/performance.md";
const PLOT: &str = "docs/performance.svg";

/// How the page shows the plot.
const IMAGE: &str = "![How many times rust-libp2p's result](performance.svg)";

/// What a table of the page ends with; what lies between this and its beginning is written anew.
const END: &str = "<!-- end of the table -->";

/// What the table of a command begins with.
fn begin(command: &str) -> String {
    format!("<!-- table: cargo xtask bench {command} --write -->")
}

/// What a command shows.
pub(crate) struct Shown {
    pub(crate) table: String,
    /// As SVG, beside the table.
    pub(crate) plot: Option<String>,
}

/// Writes what a command shows.
pub(crate) fn write(root: &Path, command: &str, shown: &Shown) -> Result<(), BenchError> {
    let Some(plot) = &shown.plot else {
        return fill(root, command, &shown.table);
    };
    fill(root, command, &format!("{IMAGE}\n\n{}", shown.table))?;
    let path = root.join(PLOT);
    fs::write(&path, plot).map_err(|source| BenchError::File { path, source })
}

fn fill(root: &Path, command: &str, table: &str) -> Result<(), BenchError> {
    let path = root.join(PAGE);
    let file = |source| BenchError::File {
        path: path.clone(),
        source,
    };
    let page = fs::read_to_string(&path).map_err(file)?;
    let page = filled(&page, command, table).ok_or_else(|| BenchError::NoPlace(path.clone()))?;
    fs::write(&path, page).map_err(file)
}

/// The page with another table; `None` where it has no place for one.
fn filled(page: &str, command: &str, table: &str) -> Option<String> {
    let begin = begin(command);
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}\n\n{table}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_table_of_the_command_is_written_anew() {
        let other = format!("{}\nother\n{END}", begin("other"));
        let page = format!("before\n{other}\n{}\nold\n{END}\nafter\n", begin("this"));
        let new = filled(&page, "this", "new").unwrap();
        let expected = format!("before\n{other}\n{}\n\nnew\n\n{END}\nafter\n", begin("this"));
        assert_eq!(new, expected);
        assert_eq!(filled(&new, "this", "new"), Some(expected));
    }

    #[test]
    fn a_page_without_a_place_is_left_alone() {
        assert_eq!(filled("no place", "this", "new"), None);
        assert_eq!(filled(&format!("{END}{}", begin("this")), "this", "new"), None);
    }

    #[test]
    fn the_page_has_a_place_for_every_command() {
        let page = fs::read_to_string(crate::workspace::root().join(PAGE)).unwrap();
        for command in ["compare", "distance", "scale", "pubsub"] {
            assert!(filled(&page, command, "new").is_some(), "{command}");
        }
    }
}
