//! Rule `form`: what every file has, and what none may hold.

use super::{finding::Finding, source::Source, tree::Tree};

/// Macros that stand where code is missing.
const UNFINISHED: [&str; 2] = ["todo", "unimplemented"];

/// Checks every file, tests and generated code included.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.sources.iter().flat_map(source).collect()
}

fn source(source: &Source) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [head(source), mod_rs(source)].into_iter().flatten().collect();
    findings.extend(ignored(source));
    findings.extend(unfinished(source));
    findings
}

fn head(source: &Source) -> Option<Finding> {
    let documented = source
        .text
        .lines()
        .next()
        .is_some_and(|line| line.starts_with("//! "));
    let problem = "the first line is no `//!` comment";
    (!documented).then(|| finding(source, 1, problem.into(), "say in one sentence what the file is"))
}

fn mod_rs(source: &Source) -> Option<Finding> {
    let found = source.path.ends_with("/mod.rs");
    found.then(|| {
        finding(
            source,
            1,
            "named mod.rs".into(),
            "name the file after its module, beside the folder",
        )
    })
}

fn ignored(source: &Source) -> impl Iterator<Item = Finding> {
    let attribute = |text: &str| {
        let inner = text.starts_with("cfg_attr(") && (text.contains(",ignore)") || text.contains(",ignore="));
        text == "ignore" || text.starts_with("ignore=") || inner
    };
    let tests = source
        .attributes
        .iter()
        .filter(move |named| attribute(&named.path))
        .map(|named| named.line);
    let examples = source.text.lines().enumerate().filter(|(_, line)| {
        let doc = line
            .trim_start()
            .strip_prefix("///")
            .or(line.trim_start().strip_prefix("//!"));
        doc.is_some_and(|doc| doc.trim_start().starts_with("```ignore"))
    });
    let lines = tests.chain(examples.map(|(index, _)| index + 1));
    lines.map(|line| {
        finding(
            source,
            line,
            "an ignored test".into(),
            "make it run, or delete it",
        )
    })
}

fn unfinished(source: &Source) -> impl Iterator<Item = Finding> {
    let last = |path: &str| {
        path.rsplit("::")
            .next()
            .is_some_and(|name| UNFINISHED.contains(&name))
    };
    let found = source.macros.iter().filter(move |named| last(&named.path));
    found.map(|named| {
        finding(
            source,
            named.line,
            format!("`{}!`", named.path),
            "write the code, or leave it out",
        )
    })
}

fn finding(source: &Source, line: usize, problem: String, remedy: &'static str) -> Finding {
    Finding {
        file: source.path.clone(),
        line,
        rule: "form",
        problem,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let tree = Tree {
            sources: vec![Source::parse(path.into(), text.into()).unwrap()],
            ..Tree::default()
        };
        check(&tree).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_good_file_passes() {
        let text = "//! A file.\n\n/// Does it.\n///\n/// ```\n/// f();\n/// ```\nfn f() {}\n";
        assert_eq!(lines("src/a.rs", text), Vec::<usize>::new());
    }

    #[test]
    fn each_breach_is_found_at_its_line() {
        assert_eq!(lines("src/a.rs", "fn f() {}"), [1]);
        assert_eq!(lines("src/a.rs", ""), [1]);
        assert_eq!(lines("src/a/mod.rs", "//! A file."), [1]);
        assert_eq!(
            lines("src/a.rs", "//! A file.\n#[test]\n#[ignore]\nfn f() {}"),
            [3]
        );
        assert_eq!(
            lines("src/a.rs", "//! A file.\n#[ignore = \"slow\"]\nfn f() {}"),
            [2]
        );
        assert_eq!(
            lines("src/a.rs", "//! A file.\n#[cfg_attr(unix, ignore)]\nfn f() {}"),
            [2]
        );
        assert_eq!(
            lines("src/a.rs", "//! A file.\n/// ```ignore\n/// ```\nfn f() {}"),
            [2]
        );
        assert_eq!(lines("src/a.rs", "//! A file.\nfn f() {\n    todo!()\n}"), [3]);
        assert_eq!(
            lines("src/a.rs", "//! A file.\nfn f() {\n    std::unimplemented!()\n}"),
            [3]
        );
    }
}
