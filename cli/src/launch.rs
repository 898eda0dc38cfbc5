//! How the program was called: as a command, by mount(8), or by itself for the background.
//!
//! mount(8) calls the helper of the type `fuse.waxseal` in one of two ways. Both give the directory, the mount point and
//! `-o OPTIONS`, and both become the words of `waxseal mount`:
//!
//! - `mount.fuse.waxseal DIR MOUNTPOINT [-sfnv] [-o OPTIONS]`, if there is a link to this program with that name;
//! - else `waxseal DIR MOUNTPOINT -o OPTIONS`, by way of libfuse's `mount.fuse3`. No command's name has a slash in it, so
//!   a first word that does can only be such a directory.

mod options;

#[cfg(feature = "fuse")]
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::error::CliError;

/// The first word of a process that is to become the mount in the background. Nobody types it.
const IN_BACKGROUND: &str = "--in-background";

/// What the program is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    /// The words of the command line, the program's name first.
    pub(crate) words: Vec<OsString>,
    /// Whether this process was started by another one of ours, which waits on our standard output.
    pub(crate) in_background: bool,
}

/// What a call by mount(8) comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// A command is to be carried out.
    Command(Launch),
    /// Nothing is to be done (`mount -f`).
    Nothing,
}

/// Reads the words that the program was started with.
pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Called, CliError> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let in_background = words.get(1).is_some_and(|word| word == IN_BACKGROUND);
    if in_background {
        words.remove(1);
    } else if is_from_mount(&words) {
        return from_mount(&words[1..]);
    }
    Ok(Called::Command(Launch { words, in_background }))
}

/// The words for the process in the background, without the program's name.
#[cfg(feature = "fuse")]
pub(crate) fn background_words(words: &[OsString]) -> impl Iterator<Item = &OsStr> {
    std::iter::once(OsStr::new(IN_BACKGROUND)).chain(words.iter().skip(1).map(OsString::as_os_str))
}

fn is_from_mount(words: &[OsString]) -> bool {
    let name = words.first().and_then(|word| Path::new(word).file_name());
    name.is_some_and(|name| name.as_bytes().starts_with(b"mount."))
        || words.get(1).is_some_and(|word| word.as_bytes().contains(&b'/') && word.as_bytes()[0] != b'-')
}

/// Reads what mount(8) gives a helper: `SPEC DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]`.
fn from_mount(arguments: &[OsString]) -> Result<Called, CliError> {
    let mut places = Vec::new();
    let mut given = options::Given::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| wrong(format!("{} needs a value", word.to_string_lossy())));
        match word.as_bytes() {
            b"-o" => given.add(value()?)?,
            // mount(8) is in the namespace already, and knows the type.
            b"-t" | b"-N" => {
                value()?;
            }
            flags if flags.starts_with(b"-") && flags.len() > 1 => given.add_flags(&flags[1..])?,
            _ => places.push(word.as_os_str()),
        }
    }
    let [directory, mountpoint] = places[..] else {
        return Err(wrong(format!("a directory and a mount point are expected, not {} words", places.len())));
    };
    if given.only_pretend {
        return Ok(Called::Nothing);
    }
    let mut translated: Vec<OsString> = ["waxseal", "mount"].map(OsString::from).into();
    translated.append(&mut given.words);
    translated.extend(["--".into(), directory.into(), mountpoint.into()]);
    Ok(Called::Command(Launch { words: translated, in_background: false }))
}

fn wrong(message: String) -> CliError {
    CliError::usage(message).hint(
        "called like this, waxseal expects what mount(8) gives it: DIR MOUNTPOINT -o OPTIONS; a file comes behind a command, \
         as in 'waxseal encrypt FILE'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(words: &[&str]) -> Called {
        read(words.iter().map(OsString::from)).unwrap()
    }

    fn command(words: &[&str]) -> Called {
        Called::Command(Launch { words: words.iter().map(OsString::from).collect(), in_background: false })
    }

    #[test]
    fn commands_stay_what_they_are() {
        for words in [&["waxseal", "mount", "a/b", "c"][..], &["waxseal"], &["waxseal", "--home=a/b", "status"]] {
            assert_eq!(called(words), command(words));
        }
    }

    #[test]
    fn both_ways_of_mount_become_the_same_command() {
        let words = command(&["waxseal", "mount", "--read-only", "--", "/v", "/c"]);
        assert_eq!(called(&["/sbin/mount.fuse.waxseal", "/v", "/c", "-o", "ro,nodev"]), words);
        assert_eq!(called(&["mount.fuse.waxseal", "/v", "/c", "-s", "-o", "ro", "-t", "fuse.waxseal"]), words);
        assert_eq!(called(&["waxseal", "/v", "/c", "-o", "ro,dev,suid"]), words);
    }

    #[test]
    fn pretending_does_nothing_and_missing_words_are_refused() {
        assert_eq!(called(&["mount.fuse.waxseal", "/v", "/c", "-f"]), Called::Nothing);
        for words in [&["mount.fuse.waxseal", "/v"][..], &["waxseal", "/v", "/c", "/d"], &["waxseal", "/v", "/c", "-o"]]
        {
            assert!(read(words.iter().map(OsString::from)).is_err(), "{words:?}");
        }
    }

    #[cfg(feature = "fuse")]
    #[test]
    fn the_background_knows_itself_by_a_word_that_is_taken_away() {
        let words = ["waxseal", "mount", "v", "c"].map(OsString::from);
        let inner = std::iter::once("waxseal".into()).chain(background_words(&words).map(OsString::from));
        assert_eq!(read(inner).unwrap(), Called::Command(Launch { words: words.into(), in_background: true }));
    }
}
