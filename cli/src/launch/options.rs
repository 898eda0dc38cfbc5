//! The options of mount(8) and fstab(5): which become words of `waxseal mount`, and which say nothing to us.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use super::wrong;
use crate::error::CliError;
use crate::shown::shown;

/// Options that take no value, and what they are for `waxseal mount`.
const FLAGS: [(&str, &str); 4] =
    [("ro", "--read-only"), ("allow-other", "--allow-other"), ("nonempty", "--nonempty"), ("noexec", "--noexec")];

/// Options that take a value, and what they are for `waxseal mount`. The value follows after `=`. mount(8) knows a
/// `context` of its own (SELinux) and takes it away, so ours has another name here.
const VALUES: [(&str, &str); 10] = [
    ("home", "--home"),
    ("kms", "--kms"),
    ("key", "--key"),
    ("encryption-context", "--context"),
    ("key-ttl", "--key-ttl"),
    ("threads", "--threads"),
    ("log", "--log"),
    ("suite", "--suite"),
    ("passphrase-file", "--passphrase-file"),
    ("passphrase-command", "--passphrase-command"),
];

/// Options that change nothing: they are for mount(8) itself, or hold for every mount of ours. Device nodes and set-user-id
/// bits never work on a mount, so `dev` and `suid`, which `mount.fuse3` adds by itself, are heard and not heeded.
const IGNORED: [&str; 28] = [
    "rw",
    "defaults",
    "auto",
    "noauto",
    "user",
    "nouser",
    "users",
    "owner",
    "group",
    "nofail",
    "_netdev",
    "dev",
    "nodev",
    "suid",
    "nosuid",
    "exec",
    "async",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "lazytime",
    "nolazytime",
    "default-permissions",
];

/// Beginnings of options for other programs: `x-systemd.automount`, `comment=...`.
const IGNORED_BEGINNINGS: [&[u8]; 5] = [b"x-", b"X-", b"comment=", b"uhelper=", b"helper="];

/// What mount(8) asked for.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The words for `waxseal mount`.
    pub(super) words: Vec<OsString>,
    /// Nothing is to be done.
    pub(super) only_pretend: bool,
    /// Unknown options are passed over.
    sloppy: bool,
}

impl Given {
    /// Takes single letters: `sv`.
    pub(super) fn add_flags(&mut self, letters: &[u8]) -> Result<(), CliError> {
        for letter in letters {
            match letter {
                b's' => self.sloppy = true,
                b'f' => self.only_pretend = true,
                b'v' => self.words.push("--verbose".into()),
                // There is no /etc/mtab to leave alone.
                b'n' => {}
                b'r' => self.words.push("--read-only".into()),
                b'w' => {}
                _ => return Err(wrong(format!("-{} is unknown", letter.escape_ascii()))),
            }
        }
        Ok(())
    }

    /// Takes a list of options.
    pub(super) fn add(&mut self, list: &OsStr) -> Result<(), CliError> {
        split(list.as_bytes()).iter().try_for_each(|option| self.add_one(option))
    }

    fn add_one(&mut self, option: &[u8]) -> Result<(), CliError> {
        if option.is_empty() || IGNORED_BEGINNINGS.iter().any(|beginning| option.starts_with(beginning)) {
            return Ok(());
        }
        let at = option.iter().position(|byte| *byte == b'=');
        let (name, value) = at.map_or((option, None), |at| (&option[..at], Some(&option[at + 1..])));
        // libfuse's options are written with underscores, ours with hyphens.
        let name = match name {
            b"_netdev" => "_netdev".to_owned(),
            name => String::from_utf8_lossy(name).replace('_', "-"),
        };
        let find =
            |table: &[(&str, &'static str)]| table.iter().find(|(known, _)| *known == name).map(|(_, word)| *word);
        match (find(&FLAGS), find(&VALUES), value) {
            (Some(word), _, None) => self.words.push(word.into()),
            (_, Some(word), Some(value)) => {
                // In one word, so that a value that begins with a hyphen is none of ours.
                let mut both = OsString::from(word);
                both.push("=");
                both.push(OsStr::from_bytes(value));
                self.words.push(both);
            }
            (_, Some(_), None) => return Err(wrong(format!("option {name} needs a value"))),
            (Some(_), _, Some(_)) => return Err(wrong(format!("option {name} takes no value"))),
            (None, None, _) if IGNORED.contains(&name.as_str()) || self.sloppy => {}
            (None, None, _) => return Err(wrong(format!("unknown option {}", shown(&name)))),
        }
        Ok(())
    }
}

/// Splits at commas. A comma that belongs to a value has a backslash in front of it.
fn split(list: &[u8]) -> Vec<Vec<u8>> {
    let mut options = vec![Vec::new()];
    let mut bytes = list.iter().copied();
    while let Some(byte) = bytes.next() {
        let escaped =
            (byte == b'\\').then(|| bytes.clone().next()).flatten().filter(|next| matches!(next, b',' | b'\\'));
        match (escaped, options.last_mut()) {
            (Some(next), Some(option)) => {
                bytes.next();
                option.push(next);
            }
            (None, Some(option)) if byte != b',' => option.push(byte),
            _ => options.push(Vec::new()),
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &str) -> Vec<String> {
        let mut given = Given::default();
        given.add(OsStr::new(list)).unwrap();
        given.words.into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn ours_become_words_and_those_of_others_nothing() {
        assert_eq!(
            words("ro,allow_other,key_ttl=1m,key=alias/a"),
            ["--read-only", "--allow-other", "--key-ttl=1m", "--key=alias/a"]
        );
        assert_eq!(words("rw,noauto,_netdev,user,x-systemd.automount,nosuid,dev,,comment=x"), [] as [&str; 0]);
    }

    #[test]
    fn a_value_keeps_its_commas_and_equals_signs() {
        assert_eq!(
            words(r"encryption_context=team=a\,b\\,encryption-context=p"),
            [r"--context=team=a,b\", "--context=p"]
        );
        assert_eq!(words(r"home=/a\b"), [r"--home=/a\b"]);
    }

    #[test]
    fn what_is_not_understood_is_refused_rather_than_left_out() {
        for list in ["sync", "context=a=b", "kye=x", "key", "ro=1", "max_read=4"] {
            assert!(Given::default().add(OsStr::new(list)).is_err(), "{list}");
        }
        let mut sloppy = Given::default();
        sloppy.add_flags(b"s").unwrap();
        sloppy.add(OsStr::new("sync")).unwrap();
    }
}
