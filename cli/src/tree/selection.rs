//! Which parts of a tree are meant: `--exclude`, `--include`, `--files-from`, `-L`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::args::TreeOptions;
use crate::error::{Class, CliError};
use crate::input::Links;
use crate::place::{Direction, renamed};
use crate::shown::shown;
use crate::tree::sample::Share;

/// The longest name in a list that is read: what no system call takes.
const MAX_NAME: u64 = 1 << 16;

/// What of a tree is meant.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    exclude: Arc<Patterns>,
    /// Without any, everything is included.
    include: Option<Arc<Patterns>>,
    /// What is done with symbolic links.
    pub(crate) links: Links,
    /// The random share of the containers that is meant; none for all of them.
    pub(super) sample: Option<Share>,
    /// Whether the names are those of files that are to be encrypted, or of containers.
    names: Direction,
    /// The list of names.
    list: Option<Arc<List>>,
}

/// A list of names, which is read once.
#[derive(Debug)]
struct List {
    path: PathBuf,
    /// None for standard input.
    file: Option<File>,
    /// What names end with.
    end: u8,
}

/// Patterns of names.
#[derive(Debug)]
struct Patterns {
    of_all: GlobSet,
    of_directories: GlobSet,
}

impl Selection {
    /// Reads the options: of a tree of files that is to be encrypted, or of one of containers, which is everything else. A list
    /// that cannot be read is refused now, before anything is done.
    pub(crate) fn new(options: &TreeOptions, names: Direction) -> Result<Self, CliError> {
        let include = (!options.include.is_empty()).then(|| Patterns::new(&options.include)).transpose()?.map(Arc::new);
        let list = options.files_from.as_deref().map(|path| List::open(path, options.from0)).transpose()?;
        Ok(Self {
            exclude: Arc::new(Patterns::new(&options.exclude)?),
            include,
            links: if options.dereference { Links::Followed } else { Links::Kept },
            sample: None,
            names,
            list: list.map(Arc::new),
        })
    }

    /// Whether something is left out, with everything in it. `path` is relative to the input.
    pub(super) fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        !self.exclude.is_empty() && self.exclude.matches(path, is_directory, self.names)
    }

    /// Whether something is meant, and everything in it.
    pub(super) fn includes(&self, path: &Path, is_directory: bool) -> bool {
        self.include.as_ref().is_none_or(|include| include.matches(path, is_directory, self.names))
    }

    /// The same, of which a random share is meant.
    pub(crate) fn with_sample(self, sample: Option<Share>) -> Self {
        Self { sample, ..self }
    }

    /// Everything, with links that are links.
    pub(super) fn everything() -> Self {
        let none = Patterns { of_all: GlobSet::empty(), of_directories: GlobSet::empty() };
        Self {
            exclude: Arc::new(none),
            include: None,
            links: Links::Kept,
            sample: None,
            list: None,
            names: Direction::Decrypt,
        }
    }

    /// Whether names are looked at at all: where they are not, they need not be put together.
    pub(super) fn looks_at_names(&self) -> bool {
        self.include.is_some() || !self.exclude.is_empty()
    }

    /// Whether the names come from a list.
    pub(crate) fn has_list(&self) -> bool {
        self.list.is_some()
    }

    /// Calls `act` for each name of the list.
    pub(super) fn each_listed(&self, mut act: impl FnMut(Result<PathBuf, CliError>)) -> Result<(), CliError> {
        let Some(list) = &self.list else { return Ok(()) };
        let List { path, file, end } = &**list;
        let cannot = |error: io::Error| cannot_read_list(path, &error);
        let mut reader: Box<dyn BufRead + '_> = match file {
            Some(file) => Box::new(BufReader::new(file)),
            None => Box::new(io::stdin().lock()),
        };
        loop {
            let mut name = Vec::new();
            let length = io::Read::take(&mut reader, MAX_NAME).read_until(*end, &mut name).map_err(cannot)?;
            if length == 0 {
                return Ok(());
            }
            if length as u64 == MAX_NAME {
                return Err(CliError::new(Class::Input, "holds a name that is too long to be one").file(path));
            }
            if name.last() == Some(end) {
                name.pop();
            }
            if !name.is_empty() {
                act(relative(std::ffi::OsString::from_vec(name).as_ref()));
            }
        }
    }
}

impl List {
    fn open(path: &Path, from0: bool) -> Result<Self, CliError> {
        let cannot = |error: io::Error| cannot_read_list(path, &error);
        let file = if path == Path::new("-") { None } else { Some(File::open(path).map_err(cannot)?) };
        let is_directory = |file: &File| file.metadata().map(|metadata| metadata.is_dir());
        if file.as_ref().map_or(Ok(false), is_directory).map_err(cannot)? {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self { path: path.to_owned(), file, end: if from0 { 0 } else { b'\n' } })
    }
}

fn cannot_read_list(list: &Path, error: &io::Error) -> CliError {
    CliError::system(Class::Input, "the list cannot be read", error).file(list)
}

/// A listed name as a path that leads downwards only.
fn relative(name: &OsStr) -> Result<PathBuf, CliError> {
    let mut path = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                return Err(CliError::new(Class::Input, "does not lie within the input")
                    .file(Path::new(name))
                    .hint("names in the list are relative to INPUT, and have no .. in them"));
            }
        }
    }
    Ok(path)
}

impl Patterns {
    /// Reads patterns. One with a slash at its beginning or within is of the whole path below the input; one without is of a
    /// name at any depth. One with a slash at its end is of directories only.
    fn new(patterns: &[String]) -> Result<Self, CliError> {
        let (mut of_all, mut of_directories) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let (anchored, body) = below_input(pattern)?;
            let text = if anchored { body.to_owned() } else { format!("**/{body}") };
            let mut builder = GlobBuilder::new(&text);
            let glob = builder.literal_separator(true).backslash_escape(true).build().map_err(|error| {
                CliError::usage(format!("the pattern {:?} cannot be read: {}", shown(pattern), error.kind())).hint(
                    "* and ? stand for parts of a name, ** for any directories, [ ] for a choice; \\ takes that away",
                )
            })?;
            (if pattern.ends_with('/') { &mut of_directories } else { &mut of_all }).add(glob);
        }
        let build = |builder: GlobSetBuilder| {
            builder.build().map_err(|error| CliError::usage(format!("the patterns are too many: {}", error.kind())))
        };
        Ok(Self { of_all: build(of_all)?, of_directories: build(of_directories)? })
    }

    fn is_empty(&self) -> bool {
        self.of_all.is_empty() && self.of_directories.is_empty()
    }

    /// Whether a pattern is of this path; of a container's also without the ending of its name, so that the patterns are
    /// the same for a tree and for its containers. A file that is to be encrypted has one name, whatever that ends in.
    fn matches(&self, path: &Path, is_directory: bool, names: Direction) -> bool {
        let one = |path: &Path| self.of_all.is_match(path) || is_directory && self.of_directories.is_match(path);
        let plain = || renamed(path.file_name().unwrap_or_default(), Direction::Decrypt);
        let is_container = names == Direction::Decrypt && !is_directory;
        one(path) || is_container && plain().is_some_and(|name| one(&path.with_file_name(name)))
    }
}

/// Whether a pattern is of the whole path below the input, and what is to match. `./x` is of the path `x`.
fn below_input(pattern: &str) -> Result<(bool, &str), CliError> {
    let body = pattern.trim_end_matches('/');
    let anchored = body.contains('/');
    let mut body = body.trim_start_matches('/');
    while let Some(rest) = body.strip_prefix("./") {
        body = rest.trim_start_matches('/');
    }
    if body.is_empty() {
        return Err(CliError::usage("a pattern is empty"));
    }
    if body.split('/').any(|name| name == "." || name == "..") {
        let message = format!("the pattern {:?} is of nothing: no name is . or ..", shown(pattern));
        return Err(CliError::usage(message).hint("patterns are of names below INPUT, and of whole paths from there"));
    }
    Ok((anchored, body))
}

/// Whether this is the name of something that an interrupted run has left.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    use crate::atomic::{PREFIX, PREFIX_IN_MOUNT};
    [PREFIX, PREFIX_IN_MOUNT].iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(patterns: &[&str]) -> Patterns {
        Patterns::new(&patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_pattern_without_a_slash_is_of_a_name_at_any_depth() {
        let exclude = patterns(&["*.o", "cache", "{one,two}.t"]);
        for path in ["one.t", "d/two.t", "a.o", "d/e/a.o", "a.o.wax", "cache", "d/cache"] {
            assert!(exclude.matches(Path::new(path), false, Direction::Decrypt), "{path}");
        }
        for path in ["a.oo", "cached", "cache/x"] {
            assert!(!exclude.matches(Path::new(path), false, Direction::Decrypt), "{path}");
        }
    }

    #[test]
    fn a_pattern_with_a_slash_is_of_the_whole_path() {
        let exclude = patterns(&["/top", "d/*.o", "x/**", "./here", "./././/y/z"]);
        for path in ["top", "top.wax", "d/a.o", "x/y", "x/y/z", "here", "y/z"] {
            assert!(exclude.matches(Path::new(path), false, Direction::Decrypt), "{path}");
        }
        for path in ["d/top", "d/e/a.o", "e/d/a.o", "x", "d/here", "z"] {
            assert!(!exclude.matches(Path::new(path), false, Direction::Decrypt), "{path}");
        }
    }

    #[test]
    fn a_pattern_that_ends_in_a_slash_is_of_directories() {
        let exclude = patterns(&["cache/", "/a/b/"]);
        assert!(
            exclude.matches(Path::new("d/cache"), true, Direction::Decrypt)
                && exclude.matches(Path::new("a/b"), true, Direction::Decrypt)
        );
        assert!(
            !exclude.matches(Path::new("d/cache"), false, Direction::Decrypt)
                && !exclude.matches(Path::new("c/a/b"), true, Direction::Decrypt)
        );
    }

    #[test]
    fn a_file_that_is_to_be_encrypted_is_matched_by_its_own_name_only() {
        let exclude = patterns(&["*.tmp"]);
        assert!(exclude.matches(Path::new("n.tmp"), false, Direction::Encrypt));
        assert!(!exclude.matches(Path::new("n.tmp.wax"), false, Direction::Encrypt));
        assert!(exclude.matches(Path::new("n.tmp.wax"), false, Direction::Decrypt));
    }

    #[test]
    fn names_that_are_no_text_are_matched_and_bad_patterns_refused() {
        let exclude = patterns(&["*.log"]);
        assert!(exclude.matches(Path::new(OsStr::from_bytes(b"d\xff/\xfe.log")), false, Direction::Decrypt));
        for bad in ["[", "/", "a{", ".", "..", "./", "../a", "a/./b", "a/.."] {
            assert!(Patterns::new(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn listed_names_lead_downwards_only() {
        assert_eq!(relative(OsStr::new("./a//b/./c/")).unwrap(), Path::new("a/b/c"));
        for bad in ["/etc/passwd", "../x", "a/../../b"] {
            assert!(relative(OsStr::new(bad)).is_err(), "{bad}");
        }
    }
}
