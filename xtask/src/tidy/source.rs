//! A Rust file as the rules see it: its text, the paths its code names, and which lines only tests use.
//!
//! Works on tokens, so that words in comments and strings never count.

use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Group, LexError, TokenStream, TokenTree};

/// A Rust file.
#[derive(Debug)]
pub(super) struct Source {
    /// Path from the workspace's root, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
    /// Every path that the code names, test modules left out.
    pub(super) paths: Vec<Named>,
    /// Every attribute, tests included.
    pub(super) attributes: Vec<Named>,
    /// Every macro that is called, tests included.
    pub(super) macros: Vec<Named>,
    /// Lines of items behind `#[cfg(test)]`.
    pub(super) tests: Vec<RangeInclusive<usize>>,
}

/// A path such as `std::time::Instant`, where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) path: String,
}

impl Source {
    /// Reads the tokens of a file.
    pub(super) fn parse(path: String, text: String) -> Result<Self, LexError> {
        let tokens: TokenStream = text.parse()?;
        let mut source = Self {
            path,
            text,
            paths: Vec::new(),
            attributes: Vec::new(),
            macros: Vec::new(),
            tests: Vec::new(),
        };
        source.walk(tokens, "", false);
        Ok(source)
    }

    /// Whether the whole file is a test's.
    pub(super) fn is_test(&self) -> bool {
        let folder = self.path.split('/').any(|part| part == "tests");
        folder || self.path.ends_with("/tests.rs")
    }

    /// Whether a generator wrote it.
    pub(super) fn is_generated(&self) -> bool {
        self.path.contains("/src/generated/")
    }

    fn walk(&mut self, tokens: TokenStream, prefix: &str, mut test: bool) {
        let outer = test;
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut reader = Reader::new(&tokens);
        let mut path = prefix.to_owned();
        let mut started = None;
        while let Some(token) = reader.next() {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    if let Some(attribute) = reader.attribute() {
                        let line = attribute.span_open().start().line;
                        if is_test(&self.attribute(attribute)) {
                            test = true;
                            started.get_or_insert(line);
                        }
                    }
                }
                TokenTree::Ident(word) => {
                    path.push_str(&word.to_string());
                    let line = word.span().start().line;
                    if reader.double_colon() {
                        path.push_str("::");
                        continue;
                    }
                    self.named(line, &path, test, reader.is_macro());
                    prefix.clone_into(&mut path);
                }
                TokenTree::Group(group) => {
                    self.walk(group.stream(), inner_prefix(group, &path, prefix), test);
                    prefix.clone_into(&mut path);
                    if group.delimiter() == Delimiter::Brace {
                        self.ended(started.take(), group.span_close().end().line);
                        test = outer;
                    }
                }
                TokenTree::Punct(mark) => {
                    if path.len() > prefix.len() {
                        self.named(mark.span().start().line, &cut(&path, mark.as_char()), test, false);
                    }
                    prefix.clone_into(&mut path);
                    if mark.as_char() == ';' {
                        self.ended(started.take(), mark.span().end().line);
                        test = outer;
                    }
                }
                TokenTree::Literal(_) => prefix.clone_into(&mut path),
            }
        }
    }

    fn named(&mut self, line: usize, path: &str, test: bool, called: bool) {
        let named = Named {
            line,
            path: path.to_owned(),
        };
        if called {
            self.macros.push(named.clone());
        }
        if !test {
            self.paths.push(named);
        }
    }

    fn attribute(&mut self, group: &Group) -> String {
        let text = group.stream().to_string().replace(' ', "");
        self.attributes.push(Named {
            line: group.span_open().start().line,
            path: text.clone(),
        });
        text
    }

    fn ended(&mut self, started: Option<usize>, line: usize) {
        if let Some(first) = started {
            self.tests.push(first..=line);
        }
    }
}

/// Whether an attribute keeps its item out of every build but the tests'.
fn is_test(attribute: &str) -> bool {
    attribute == "cfg(test)" || attribute.starts_with("cfg(all(test,")
}

/// Inside `a::{b, c}` every path begins with `a::`; inside any other group none does.
fn inner_prefix<'a>(group: &Group, path: &'a str, prefix: &'a str) -> &'a str {
    let nested = group.delimiter() == Delimiter::Brace && path.ends_with("::") && path != prefix;
    if nested { path } else { "" }
}

/// A path that a mark ends in its middle: a glob import or a generic argument.
fn cut(path: &str, mark: char) -> String {
    match mark {
        '*' => format!("{path}*"),
        _ => path.trim_end_matches("::").to_owned(),
    }
}

/// Looks ahead in a list of tokens.
struct Reader<'a> {
    rest: &'a [TokenTree],
}

impl<'a> Reader<'a> {
    fn new(rest: &'a [TokenTree]) -> Self {
        Self { rest }
    }

    fn next(&mut self) -> Option<&'a TokenTree> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes the brackets of `#[...]` or `#![...]`.
    fn attribute(&mut self) -> Option<&'a Group> {
        if punct(self.rest.first(), '!') && bracket(self.rest.get(1)).is_some() {
            self.rest = &self.rest[1..];
        }
        let group = bracket(self.rest.first())?;
        self.rest = &self.rest[1..];
        Some(group)
    }

    fn double_colon(&mut self) -> bool {
        let found = punct(self.rest.first(), ':') && punct(self.rest.get(1), ':');
        if found {
            self.rest = &self.rest[2..];
        }
        found
    }

    fn is_macro(&self) -> bool {
        punct(self.rest.first(), '!') && matches!(self.rest.get(1), Some(TokenTree::Group(_)))
    }
}

fn punct(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn bracket(token: Option<&TokenTree>) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let source = Source::parse("a.rs".into(), text.into()).unwrap();
        source.paths.into_iter().map(|named| named.path).collect()
    }

    #[test]
    fn a_group_of_imports_is_spelled_out() {
        let found = paths("use std::{time::{Duration, Instant}, fmt};");
        let wanted = ["use", "std::time::Duration", "std::time::Instant", "std::fmt"];
        assert_eq!(found, wanted);
    }

    #[test]
    fn words_in_comments_and_strings_do_not_count() {
        let text = "//! HashMap\n/* tokio */ const A: &str = \"tokio::spawn\";";
        assert!(
            paths(text)
                .iter()
                .all(|path| !path.contains("tokio") && path != "HashMap")
        );
    }

    #[test]
    fn the_body_of_a_match_does_not_inherit_a_path() {
        let found = paths("fn f() { match a::b { C::D => e } }");
        assert_eq!(found, ["fn", "f", "match", "a::b", "C::D", "e"]);
    }

    #[test]
    fn globs_and_generic_arguments_end_a_path() {
        assert_eq!(paths("use tokio::*;"), ["use", "tokio::*"]);
        assert_eq!(paths("rand::random::<u8>()"), ["rand::random", "u8"]);
    }

    #[test]
    fn items_behind_cfg_test_are_test_lines() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let source = Source::parse("a.rs".into(), text.into()).unwrap();
        assert_eq!(source.tests, [2..=5]);
        assert!(source.paths.iter().any(|named| named.path == "c"));
        assert!(source.paths.iter().all(|named| named.path != "b"));
    }

    #[test]
    fn a_test_module_in_a_file_of_its_own_ends_at_the_semicolon() {
        let text = "#[cfg(test)]\nmod tests;\nfn c() {}\n";
        let source = Source::parse("a.rs".into(), text.into()).unwrap();
        assert_eq!(source.tests, [1..=2]);
        assert!(source.paths.iter().any(|named| named.path == "c"));
    }

    #[test]
    fn macros_and_attributes_are_seen_in_tests_too() {
        let text = "#[cfg(test)]\nmod tests {\n    #[ignore]\n    fn b() { todo!() }\n}\n";
        let source = Source::parse("a.rs".into(), text.into()).unwrap();
        assert!(
            source
                .macros
                .iter()
                .any(|named| named.path == "todo" && named.line == 4)
        );
        assert!(
            source
                .attributes
                .iter()
                .any(|named| named.path == "ignore" && named.line == 3)
        );
    }
}
