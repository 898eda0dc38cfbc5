//! Where the files are that containers are made of, as far as rules ask: real paths, with all links followed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::atomic::directory_of;
use crate::input::InputName;
use crate::place::{Direction, end_of_links, renamed};

/// What containers are made of.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) enum Sources<'a> {
    /// Files, or standard input, whose container goes to `output`.
    Files { inputs: &'a [InputName], output: Option<&'a Path> },
    /// Directories with everything in them, and files.
    Trees(&'a [PathBuf]),
    /// Nothing yet: these containers are made first.
    Containers(&'a [InputName]),
}

/// The real paths of what was named.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<PathBuf, PathBuf>);

impl Places {
    /// Finds them. What is not there has the path that it was given: working on it fails, and says why.
    pub(super) fn of(sources: Sources<'_>) -> Self {
        let mut places = Self::default();
        match sources {
            Sources::Files { inputs, output } => {
                for input in inputs {
                    match (input, output) {
                        (InputName::File(path), _) => places.add(path, real(path)),
                        // What has no path of its own goes by that of its container.
                        (InputName::Stdin, Some(output)) if output != Path::new("-") => {
                            places.add(input.label(), of_container(output));
                        }
                        (InputName::Stdin, _) => {}
                    }
                }
            }
            Sources::Trees(inputs) => {
                for input in inputs {
                    places.add(input, real(input));
                    // A file that is named beside directories is called as what is found in its own.
                    if let Some(name) = input.file_name() {
                        places.add(&directory_of(input).join(name), real(input));
                    }
                }
            }
            Sources::Containers(names) => {
                for name in names {
                    places.add(name.label(), of_container(name.label()));
                }
            }
        }
        places
    }

    /// The real path of something that messages call `label`: it was named, or lies in a directory that was named. None for
    /// what has no path.
    pub(super) fn real(&self, label: &Path) -> Option<PathBuf> {
        label.ancestors().find_map(|named| {
            let rest = label.strip_prefix(named).ok()?;
            let real = self.0.get(named)?;
            Some(if rest.as_os_str().is_empty() { real.clone() } else { real.join(rest) })
        })
    }

    /// All that was named.
    pub(super) fn all(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.values()
    }

    fn add(&mut self, label: &Path, real: PathBuf) {
        self.0.insert(label.to_owned(), real);
    }
}

/// The path with all links followed, as far as it is there; a link that leads to nothing yet is the name that is made through it.
pub(in crate::commands) fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(real) = whole.canonicalize() {
        return real;
    }
    // Links that lead in a circle are nobody's name: making something through them fails, and says why.
    let whole = end_of_links(&whole).unwrap_or(whole);
    let there = whole.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match there.and_then(|(above, real)| Some((real, whole.strip_prefix(above).ok()?))) {
        Some((real, rest)) if rest.as_os_str().is_empty() => real,
        Some((real, rest)) => real.join(rest),
        None => whole,
    }
}

/// The path of the file whose container this is.
fn of_container(container: &Path) -> PathBuf {
    let real = real(container);
    match real.file_name().and_then(|name| renamed(name, Direction::Decrypt)) {
        Some(name) => real.with_file_name(name),
        None => real,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_tree_have_the_real_path_of_the_directory_that_was_named() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("real/sub")).unwrap();
        std::fs::write(top.join("f"), "").unwrap();
        std::os::unix::fs::symlink("real", top.join("link")).unwrap();
        let places = Places::of(Sources::Trees(&[top.join("real/../link/"), top.join("f")]));
        assert_eq!(places.real(&top.join("real/../link/sub/x")), Some(top.join("real/sub/x")));
        assert_eq!(places.real(&top.join("f")), Some(top.join("f")));
        assert_eq!(places.real(&top.join("g")), None);
    }

    #[test]
    fn standard_input_goes_by_the_path_of_its_container() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        let of = |output: Option<&Path>| {
            let inputs = [InputName::Stdin];
            Places::of(Sources::Files { inputs: &inputs, output }).real(InputName::Stdin.label())
        };
        assert_eq!(of(Some(&top.join("db.sql.wax"))), Some(top.join("db.sql")));
        assert_eq!((of(None), of(Some(Path::new("-")))), (None, None));
        std::fs::create_dir(top.join("d")).unwrap();
        for (target, link) in [("d/new.wax", "l1"), ("l1", "l2"), ("no/new.wax", "l3"), ("l4", "l4")] {
            std::os::unix::fs::symlink(target, top.join(link)).unwrap();
        }
        for (link, file) in [("l1", "d/new"), ("l2", "d/new"), ("d/../l2", "d/new"), ("l3", "no/new"), ("l4", "l4")] {
            assert_eq!(of(Some(&top.join(link))), Some(top.join(file)), "{link}");
        }
        let prepared = [InputName::File(top.join("x.wax"))];
        assert_eq!(Places::of(Sources::Containers(&prepared)).real(&top.join("x.wax")), Some(top.join("x")));
    }
}
