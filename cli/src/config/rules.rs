//! Rules: what new files get by their paths.

use std::env;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use waxseal_key_service::{EncryptionContext, KeyReference};

use super::lines::Lined;
use crate::error::CliError;
use crate::shown::shown;

/// Rules in a configuration at most: each is prepared when a command begins, and compared with every file.
pub(super) const MAX_RULES: usize = 1000;

/// A rule of the configuration. It has a key, a context, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The pattern as it is written: of absolute paths of files, and of directories with everything in them.
    pub(crate) path: Lined<String>,
    /// The keys of files that it is of.
    pub(crate) key: Option<Lined<Vec<KeyReference>>>,
    /// Their context.
    pub(crate) context: Option<Lined<EncryptionContext>>,
}

/// The patterns of rules, ready to be matched with real paths.
#[derive(Debug)]
pub(crate) struct Patterns {
    /// Two for each rule: what the pattern is of, and everything in that.
    all: GlobSet,
    /// The parts of each, between the slashes.
    parts: Vec<Vec<Part>>,
}

/// A part of a pattern.
#[derive(Debug)]
enum Part {
    /// Of the name that it is.
    Plain(String),
    /// Of one name.
    Name(GlobMatcher),
    /// Of any number of names, or not to be told by itself.
    Any,
}

impl Rule {
    /// Refuses a pattern that cannot be of any path, with a hint.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        let pattern = self.path.value.as_str();
        let refused = |problem: &str, hint| Err((format!("path: {pattern:?} {problem}"), hint));
        if !pattern.starts_with('/') && !pattern.starts_with("~/") {
            return refused("is not absolute", "it begins with / or with ~/, and matches with whole paths");
        }
        if pattern.split('/').any(|name| name == "." || name == "..") {
            return refused("is of nothing: no name is . or ..", "write the path without them");
        }
        if pattern.split('/').any(|name| name.contains("**") && name != "**") {
            return refused(
                "has ** within a name",
                "** stands for whole directories, as in /srv/**/*.pem; within a name it is *",
            );
        }
        match glob(&body_of(pattern)) {
            Ok(_) => Ok(()),
            Err(error) => refused(
                &format!("cannot be read: {}", error.kind()),
                "* and ? stand for parts of a name, ** for any directories, [ ] for a choice; \\ takes that away",
            ),
        }
    }
}

impl Patterns {
    /// Prepares the patterns of `rules`. Links in their fixed parts are followed, as they are in the paths of files.
    pub(crate) fn of(rules: &[Rule]) -> Result<Self, CliError> {
        let (mut all, mut parts) = (GlobSetBuilder::new(), Vec::with_capacity(rules.len()));
        for rule in rules {
            let wrong = |error: &globset::Error| {
                CliError::usage(format!("the pattern {:?} cannot be read: {}", shown(&rule.path.value), error.kind()))
            };
            let body = real(&at_home(&body_of(&rule.path.value))?);
            all.add(glob(&body).map_err(|error| wrong(&error))?);
            all.add(glob(&format!("{}/**", body.trim_end_matches('/'))).map_err(|error| wrong(&error))?);
            parts.push(body.split('/').filter(|part| !part.is_empty()).map(Part::new).collect());
        }
        let all =
            all.build().map_err(|error| CliError::usage(format!("there are too many rules: {}", error.kind())))?;
        Ok(Self { all, parts })
    }

    /// The first rule that is of this real path, or of a directory above it.
    pub(crate) fn first_of(&self, path: &Path) -> Option<usize> {
        self.all.matches(path).into_iter().min().map(|index| index / 2)
    }

    /// The rules that may be of something in this directory without being of all of it.
    pub(crate) fn within(&self, directory: &Path) -> Vec<usize> {
        let names: Vec<_> = directory.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let may_be = |parts: &[Part]| {
            for (index, part) in parts.iter().enumerate() {
                match (part, names.get(index)) {
                    (Part::Any, _) | (_, None) => return true,
                    (Part::Plain(plain), Some(name)) if name.as_os_str() == plain.as_str() => {}
                    (Part::Name(glob), Some(name)) if glob.is_match(name) => {}
                    (Part::Plain(_) | Part::Name(_), Some(_)) => return false,
                }
            }
            false
        };
        (0..self.parts.len()).filter(|index| may_be(&self.parts[*index])).collect()
    }
}

impl Part {
    fn new(part: &str) -> Self {
        // A piece of a choice comes after the one that the choice begins in, and is never looked at.
        if is_fixed(part) {
            return Self::Plain(part.to_owned());
        }
        // What does not stand by itself has a slash in a choice.
        match glob(part) {
            Ok(glob) if part != "**" => Self::Name(glob.compile_matcher()),
            Ok(_) | Err(_) => Self::Any,
        }
    }
}

/// The pattern of what a rule is of; everything in it goes without saying.
fn body_of(pattern: &str) -> String {
    let mut body = pattern.trim_end_matches('/');
    while let Some(rest) = body.strip_suffix("/**") {
        body = rest.trim_end_matches('/');
    }
    let names = body.split('/').filter(|name| !name.is_empty());
    let begin = if body.starts_with('~') { "" } else { "/" };
    format!("{begin}{}", names.collect::<Vec<_>>().join("/"))
}

/// Whether a part of a pattern is the one name that it is of.
fn is_fixed(part: &str) -> bool {
    !part.contains(['*', '?', '[', '{', '\\'])
}

fn glob(pattern: &str) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build()
}

/// `~/` is the home directory of whoever runs the command.
fn at_home(pattern: &str) -> Result<String, CliError> {
    let Some(rest) = pattern.strip_prefix('~') else { return Ok(pattern.to_owned()) };
    let home = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home.as_deref().and_then(Path::to_str).ok_or_else(|| {
        CliError::usage(format!("a rule is of {:?}, and HOME is no absolute path", shown(pattern)))
            .hint("write the path out in config.toml")
    })?;
    Ok(format!("{}{rest}", globset::escape(home.trim_end_matches('/'))))
}

/// The pattern with the links in its fixed part followed, as far as that is there.
fn real(pattern: &str) -> String {
    let names: Vec<&str> = pattern.split('/').skip(1).collect();
    let fixed = names.iter().take_while(|name| is_fixed(name)).count();
    for count in (1..=fixed).rev() {
        let path = format!("/{}", names[..count].join("/"));
        let Ok(real) = Path::new(&path).canonicalize() else { continue };
        let Some(real) = real.to_str() else { break };
        let rest: String = names[count..].iter().map(|name| format!("/{name}")).collect();
        return format!("{}{rest}", globset::escape(if rest.is_empty() { real } else { real.trim_end_matches('/') }));
    }
    pattern.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(paths: &[&str]) -> Patterns {
        let rule = |path: &&str| {
            let rule = Rule { path: Lined { value: (*path).to_owned(), line: 1 }, key: None, context: None };
            rule.check().unwrap();
            rule
        };
        Patterns::of(&paths.iter().map(rule).collect::<Vec<_>>()).unwrap()
    }

    fn first(paths: &[&str], path: &str) -> Option<usize> {
        patterns(paths).first_of(Path::new(path))
    }

    #[test]
    fn a_pattern_is_of_a_file_or_of_a_directory_with_everything_in_it() {
        for pattern in ["/q/hr", "/q/hr/", "/q/hr/**", "//q//hr", "/q/h?", "/q/{hr,it}", "/q/**/", "/**", "/"] {
            for path in ["/q/hr/x", "/q/hr/x/y", "/q/hr"] {
                assert_eq!(first(&[pattern], path), Some(0), "{pattern} {path}");
            }
        }
        for path in ["/q/hrs", "/q", "/hr", "/w/q/hr/x"] {
            assert_eq!(first(&["/q/hr/**"], path), None, "{path}");
        }
        assert_eq!(first(&["/q/*.pdf"], "/q/d/x.pdf"), None);
        assert_eq!(first(&["/**/*.pdf"], "/q/d/x.pdf"), Some(0));
    }

    #[test]
    fn the_first_rule_counts() {
        let rules = ["/q/hr/public/**", "/q/**", "/**/x"];
        assert_eq!(first(&rules, "/q/hr/public/x"), Some(0));
        assert_eq!(first(&rules, "/q/hr/x"), Some(1));
        assert_eq!(first(&rules, "/w/x"), Some(2));
        assert_eq!(first(&rules, "/w/y"), None);
    }

    #[test]
    fn rules_that_may_be_of_a_part_are_found() {
        let rules = patterns(&["/q/hr/**", "/q/*/x", "/w/x", "/**/y", "/{q,w/v}/hr", "/q"]);
        assert_eq!(rules.within(Path::new("/q")), [0, 1, 3, 4]);
        assert_eq!(rules.within(Path::new("/")), [0, 1, 2, 3, 4, 5]);
        assert_eq!(rules.within(Path::new("/q/hr")), [1, 3, 4]);
        assert_eq!(rules.within(Path::new("/w")), [2, 3, 4]);
        assert_eq!(rules.within(Path::new("/v/w")), [3, 4]);
    }

    #[test]
    fn links_in_the_fixed_part_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        std::fs::create_dir(top.join("re[a]l")).unwrap();
        std::os::unix::fs::symlink("re[a]l", top.join("link")).unwrap();
        let file = top.join("re[a]l/new/x.pdf");
        let written = |rest: &str| top.join("link").join(rest).to_str().unwrap().to_owned();
        for rest in ["", "**", "new/*.pdf", "new/x.pdf", "*/x.pdf"] {
            assert_eq!(patterns(&[&written(rest)]).first_of(&file), Some(0), "{rest}");
        }
        assert_eq!(patterns(&[&written("other")]).first_of(&file), None);
    }

    #[test]
    fn patterns_that_are_of_nothing_are_refused() {
        for path in ["x", "", "./x", "/x/../y", "/x/.", "/[", "/{a", "~x/y"] {
            let rule = Rule { path: Lined { value: path.to_owned(), line: 1 }, key: None, context: None };
            assert!(rule.check().is_err(), "{path}");
        }
    }
}
