//! Puts table and plot of a report into docs/performance.md.

use std::{fs, path::Path};

use super::{BenchError, plot, report::Report, table};

const PAGE: &str = "docs/performance.md";
const PLOT: &str = "docs/performance.svg";

/// How the page shows the plot.
const IMAGE: &str = "![How many times rust-libp2p's result](performance.svg)";

/// The lines between which plot and table are; all between them is written anew.
const BEGIN: &str = "<!-- table: cargo xtask bench compare --write -->";
const END: &str = "<!-- end of the table -->";

/// Writes both.
pub(crate) fn write(root: &Path, report: &Report) -> Result<(), BenchError> {
    let path = root.join(PAGE);
    let file = |source| BenchError::File {
        path: path.clone(),
        source,
    };
    let page = fs::read_to_string(&path).map_err(file)?;
    let page = filled(&page, &format!("{IMAGE}\n\n{}", table::markdown(report)))
        .ok_or_else(|| BenchError::NoPlace(path.clone()))?;
    fs::write(&path, page).map_err(file)?;
    let path = root.join(PLOT);
    fs::write(&path, plot::svg(report)).map_err(|source| BenchError::File { path, source })
}

/// The page with another table; `None` where it has no place for one.
fn filled(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_table_is_written_anew() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let filled = filled(&page, "new").unwrap();
        assert_eq!(filled, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(super::filled(&filled, "new").as_deref(), Some(filled.as_str()));
    }

    #[test]
    fn a_page_without_a_place_is_left_alone() {
        assert_eq!(filled("no place", "new"), None);
        assert_eq!(filled(&format!("{END}{BEGIN}"), "new"), None);
    }

    #[test]
    fn the_page_has_a_place() {
        let page = fs::read_to_string(crate::workspace::root().join(PAGE)).unwrap();
        assert!(filled(&page, "new").is_some());
    }
}
