//! Rule `size`: a file holds at most 500 lines beside its tests. Functions are clippy's.

use super::{finding::Finding, source::Source, tree::Tree};

/// Longer files are hard to review in one sitting; most are near 200.
const MAX_LINES: usize = 500;

/// Checks every file that a person wrote.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let written = tree
        .sources
        .iter()
        .filter(|source| !source.is_test() && !source.is_generated());
    written.filter_map(source).collect()
}

fn source(source: &Source) -> Option<Finding> {
    let tests: usize = source
        .tests
        .iter()
        .map(|range| range.end() - range.start() + 1)
        .sum();
    let lines = source.text.lines().count() - tests;
    (lines > MAX_LINES).then(|| Finding {
        file: source.path.clone(),
        line: MAX_LINES + 1,
        rule: "size",
        problem: format!("{lines} lines beside tests, {MAX_LINES} are allowed"),
        remedy: "split it where its subject changes",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: String) -> usize {
        let tree = Tree {
            sources: vec![Source::parse(path.into(), text).unwrap()],
            ..Tree::default()
        };
        check(&tree).len()
    }

    #[test]
    fn the_limit_is_exact() {
        assert_eq!(found("crates/core/src/a.rs", "//\n".repeat(MAX_LINES)), 0);
        assert_eq!(found("crates/core/src/a.rs", "//\n".repeat(MAX_LINES + 1)), 1);
    }

    #[test]
    fn tests_do_not_count() {
        let text = format!(
            "fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "//\n".repeat(MAX_LINES)
        );
        assert_eq!(found("crates/core/src/a.rs", text), 0);
        assert_eq!(found("crates/core/tests/a.rs", "//\n".repeat(MAX_LINES + 1)), 0);
    }

    #[test]
    fn generated_code_does_not_count() {
        assert_eq!(
            found("crates/core/src/generated/a.rs", "//\n".repeat(MAX_LINES + 1)),
            0
        );
    }
}
