//! From the libraries' errors to exit codes, words and advice: one match for each of their enums.

#[cfg(feature = "aws")]
mod aws;

use std::path::Path;

use waxseal_container::{ContainerError, Damage};
use waxseal_envelope::EnvelopeError;
use waxseal_key_service::{ContextError, ErrorCode, KeyArn, KeyId, KeyReference, KeyServiceError, Provider};
use waxseal_kms_local::StoreError;

use crate::atomic::cannot_write;
use crate::error::{Class, CliError};
use crate::shown::shown;

/// Advice for a container that does not open any more.
const USE_A_COPY: &str = "the file was changed since it was written: use another copy of it";
/// Advice for a container whose last writer was interrupted, or is at work.
const INTERRUPTED: &str = "wait if it is still being written; else 'waxseal verify --repair FILE' makes it clean, and \
                           --recover reads as far as it was certainly written";
/// Advice for a container whose key is not here.
const RESTORE: &str =
    "restore that store's backup beside this one, 'waxseal kms restore FILE --home DIR', and say --home DIR here";

/// An error of a container: `input` is the file that is read, `output` the one that is written.
pub(crate) fn container(error: &ContainerError, input: &Path, output: &Path) -> CliError {
    let of_input = |class: Class| CliError::new(class, shown(&error.to_string())).file(input);
    match error {
        ContainerError::NotAContainer(_) => {
            of_input(Class::NotAContainer).hint("only what 'waxseal encrypt' wrote can be opened")
        }
        ContainerError::NewerVersion(_) => of_input(Class::NotAContainer).hint("open it with a newer waxseal"),
        ContainerError::Prepared => {
            of_input(Class::NotAContainer).hint("whoever prepared it has not filled it yet; there is nothing to read")
        }
        ContainerError::Filled => {
            of_input(Class::Output).hint("what it has is kept; 'waxseal prepare' makes another one")
        }
        ContainerError::Damaged { offset, damage } => damaged(*offset, damage).file(input),
        ContainerError::Interrupted => of_input(Class::Damaged).hint(INTERRUPTED),
        ContainerError::ContextTooLong { .. } | ContainerError::ReservedContextName(_) => context(error),
        ContainerError::TooManyKeys { .. } => {
            CliError::usage(error.to_string()).hint("use fewer keys, or a shorter encryption context")
        }
        ContainerError::NoKeys => CliError::usage(error.to_string()),
        ContainerError::InputShrank { .. } => of_input(Class::Input)
            .hint("try again when nothing else writes to it, or take what there is: waxseal encrypt <FILE >OUT"),
        ContainerError::TooLong => of_input(Class::Input),
        ContainerError::Read(source) => CliError::system(Class::Input, "cannot be read", source).file(input),
        ContainerError::Write(source) => CliError::system(Class::Output, "cannot be written", source).file(output),
        ContainerError::Random(_) => {
            CliError::new(Class::Other, error.to_string()).caused_by(std::error::Error::source(error))
        }
        _ => of_input(Class::Other).caused_by(std::error::Error::source(error)),
    }
}

/// The error of an encryption context that no container can hold.
pub(crate) fn context(error: &ContainerError) -> CliError {
    CliError::usage(shown(&error.to_string())).hint("change the pairs that -c gives")
}

/// The error of pairs that make no encryption context.
pub(crate) fn pairs(error: &ContextError) -> CliError {
    CliError::usage(shown(&error.to_string()))
        .hint("-c takes NAME=VALUE, each name once; for what is read also NAME alone")
}

fn damaged(offset: u64, damage: &Damage) -> CliError {
    let text = shown(&damage.to_string());
    let (text, hint) = match damage {
        Damage::Truncated { .. } => (text, "the rest is missing: copy or download it again"),
        Damage::Appended { .. } => (text, USE_A_COPY),
        Damage::Chunk { .. } => (
            format!("{text} (at byte {offset})"),
            "use another copy of it; 'waxseal verify --salvage OUT FILE' saves what is still whole",
        ),
        _ => (format!("{text} (at byte {offset})"), USE_A_COPY),
    };
    CliError::new(Class::Damaged, text).offset(Some(offset)).hint(hint)
}

/// An error of making or opening an envelope around the container `file`.
pub(crate) fn envelope(error: &EnvelopeError, file: &Path) -> CliError {
    let built = match error {
        EnvelopeError::Container(error) => container(error, file, file),
        EnvelopeError::PreparedForOne => {
            CliError::usage(error.to_string()).hint("name one key with -k; the configuration's always-keys count too")
        }
        EnvelopeError::ContextValue { .. } | EnvelopeError::ContextName { .. } => {
            CliError::new(Class::ContextMismatch, shown(&error.to_string()))
                .hint("it is not the file you meant, or -c is wrong: 'waxseal inspect' shows its context")
        }
        EnvelopeError::NoUsableKey { keys } => no_usable_key(keys, error),
        EnvelopeError::KeyService { key, source } if source.code() == ErrorCode::NotFound => {
            match key.parse::<KeyArn>() {
                Ok(arn) if arn.provider() == Provider::Local => made_by_another_store(&arn),
                Ok(_) | Err(_) => key_service(source),
            }
        }
        EnvelopeError::KeyService { source, .. } => key_service(source),
        EnvelopeError::NoKey => CliError::usage(error.to_string()),
        EnvelopeError::LastKey => CliError::usage(error.to_string())
            .hint("name the keys that are to open it instead: 'waxseal rewrap --to KEY FILE'"),
        EnvelopeError::DataKeyRefused { source, .. } => {
            CliError::new(Class::Damaged, shown(&error.to_string())).caused_by(Some(source)).hint(USE_A_COPY)
        }
        EnvelopeError::WrongDataKey { .. } => CliError::new(Class::KeyRefused, shown(&error.to_string()))
            .hint("nothing was written; the key service, or something on the way to it, is at fault: 'waxseal doctor'"),
        EnvelopeError::InUse => CliError::new(Class::Damaged, error.to_string())
            .hint("try again when it is done; a file in a mount is done when it is closed"),
        EnvelopeError::Lock(source) => CliError::system(Class::Output, "cannot be locked", source).hint(
            "a container is changed in place only where nobody else can write it meanwhile: copy it to a local disk",
        ),
        EnvelopeError::NotClean { .. } | EnvelopeError::LengthChanged { .. } => {
            CliError::new(Class::Damaged, shown(&error.to_string())).hint(USE_A_COPY)
        }
        _ => CliError::new(Class::Other, shown(&error.to_string())).caused_by(std::error::Error::source(error)),
    };
    built.file(file)
}

fn no_usable_key(keys: &[(Provider, KeyArn)], error: &EnvelopeError) -> CliError {
    let built = CliError::new(Class::KeyRefused, shown(&error.to_string()));
    let aws = keys.iter().filter(|(provider, _)| *provider == Provider::Aws);
    // As they have to be typed: an ARN alone may mean the embedded KMS.
    let typed = |(provider, arn): &(Provider, KeyArn)| {
        KeyReference { provider: *provider, key: KeyId::Arn(arn.clone()) }.to_string()
    };
    let aws: Vec<String> = aws.map(typed).collect();
    match aws.first() {
        None => built.hint("-k names other keys: leave it out, or name one of these if you trust it"),
        Some(_) if cfg!(not(feature = "aws")) => {
            built.hint("keys of AWS KMS need a waxseal that was built with the feature aws")
        }
        // The name is the file's own word. Nobody is asked about it until somebody says that it is right.
        Some(arn) => built.hint(format!(
            "if you trust it, -k {arn}; or for all files, in config.toml ('waxseal doctor' says where): trusted-keys = {aws:?}",
        )),
    }
}

/// A refusal or failure of the key service.
pub(crate) fn key_service(error: &KeyServiceError) -> CliError {
    // A store that cannot be opened, or fails later, says more by itself.
    let source = std::error::Error::source(error);
    if let Some(own) = source.and_then(|source| source.downcast_ref::<CliError>()) {
        return own.clone();
    }
    if let Some(store_error) = source.and_then(|source| source.downcast_ref::<StoreError>()) {
        return store(store_error);
    }
    let class = if error.code().is_transient() { Class::KeyUnavailable } else { Class::KeyRefused };
    let failed = match error.code() {
        ErrorCode::Unreachable | ErrorCode::NoCredentials => "cannot be asked",
        ErrorCode::InvalidAnswer => "answers wrongly",
        _ => "refused",
    };
    let built = CliError::new(class, format!("the key service {failed}: {}", shown(&error.to_string())))
        .caused_by(std::error::Error::source(error));
    #[cfg(feature = "aws")]
    if let Some(hint) = aws::hint(error) {
        return built.hint(hint);
    }
    match error.code() {
        ErrorCode::Disabled => built.hint("the key has to be enabled again before it can be used"),
        ErrorCode::InvalidState => built.hint("the key's deletion has to be cancelled before it can be used"),
        ErrorCode::InvalidCiphertext => {
            built.hint("the encrypted data key was changed, or belongs to another file: use another copy of the file")
        }
        ErrorCode::NotFound => built.hint("'waxseal status' shows the store and its default key"),
        ErrorCode::Unreachable => built.hint(
            "check that 'waxseal kms serve' runs there; --kms or WAXSEAL_KMS says where a key store is looked for",
        ),
        ErrorCode::AccessDenied
        | ErrorCode::AlreadyExists
        | ErrorCode::DryRunOperation
        | ErrorCode::IncorrectKey
        | ErrorCode::InvalidAliasName
        | ErrorCode::InvalidArn
        | ErrorCode::InvalidGrantToken
        | ErrorCode::InvalidKeyUsage
        | ErrorCode::LimitExceeded
        | ErrorCode::UnsupportedOperation
        | ErrorCode::Validation => built,
        ErrorCode::DependencyTimeout | ErrorCode::Internal | ErrorCode::KeyUnavailable | ErrorCode::Throttling => {
            built.hint("try again later")
        }
        _ => built,
    }
}

/// As [`key_service`], of the embedded KMS that is served at a URL: AWS's logins and commands do not help there.
#[cfg(feature = "aws")]
pub(crate) fn served(error: &KeyServiceError) -> CliError {
    let built = key_service(error);
    match aws::hint_of_served(error.code()) {
        Some(hint) => built.hint(hint),
        None => built,
    }
}

/// The error of a container whose key the store does not have.
fn made_by_another_store(key_arn: &KeyArn) -> CliError {
    CliError::new(Class::KeyRefused, format!("made by another store: its key {key_arn} is not here")).hint(RESTORE)
}

/// An error of the embedded KMS's store, or of a backup of it.
pub(crate) fn store(error: &StoreError) -> CliError {
    // A typed passphrase that could not be had explains itself.
    if let StoreError::Passphrase { source, .. } | StoreError::KeyService { source, .. } = error
        && let Some(own) = source.downcast_ref::<CliError>()
    {
        return own.clone();
    }
    if let StoreError::Io { path, doing, source } = error {
        return store_system(path, doing, source);
    }
    let (class, path, hint) = describe(error);
    let text = error.to_string();
    let built = match path {
        Some(path) => {
            let message = text.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&text);
            CliError::new(class, shown(message)).file(path)
        }
        None => CliError::new(class, shown(&text)),
    };
    let built = built.caused_by(std::error::Error::source(error));
    match hint {
        Some(hint) => built.hint(hint),
        None => built,
    }
}

/// The error of a system call on the store: whether it is worth retrying depends on what the system says.
fn store_system(path: &Path, doing: &str, error: &std::io::Error) -> CliError {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    let doing = format!("cannot {doing}");
    match error.kind() {
        PermissionDenied | NotADirectory | ReadOnlyFilesystem => CliError::system(Class::KeyRefused, &doing, error)
            .hint("it has to be a directory of your own: say where the store is with --home DIR or WAXSEAL_HOME"),
        _ => CliError::system(Class::KeyUnavailable, &doing, error),
    }
    .file(path)
}

/// An error of writing a backup: what concerns the file itself, and not the store in `directory`, is one of an output.
pub(crate) fn writing_backup(error: &StoreError, file: &Path, directory: &Path) -> CliError {
    match error {
        StoreError::Io { path, source, .. } if !path.starts_with(directory) => cannot_write(file, again(source)),
        StoreError::Full { path } if !path.starts_with(directory) => {
            cannot_write(file, std::io::ErrorKind::StorageFull.into())
        }
        _ => store(error),
    }
}

/// The same error once more, as far as it is shown.
fn again(error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), error.to_string())
}

/// An error of reading a backup: what concerns the file itself is one of an input.
pub(crate) fn reading_backup(error: &StoreError, file: &Path) -> CliError {
    match error {
        StoreError::Io { path, source, .. } if path == file => {
            CliError::system(Class::Input, "cannot be read", source).file(file)
        }
        _ => store(error),
    }
}

/// The class, the file and the advice for each error of a store.
fn describe(error: &StoreError) -> (Class, Option<&Path>, Option<&'static str>) {
    use Class::{KeyRefused, KeyUnavailable, Output};
    match error {
        StoreError::NotThere { path } => (
            KeyRefused,
            Some(path),
            Some("restore a backup with 'waxseal kms restore FILE', or say where the store is with --home DIR"),
        ),
        StoreError::AlreadyThere { path } => {
            (Output, Some(path), Some("'waxseal status' shows it; another one can be made elsewhere with --home DIR"))
        }
        StoreError::NewerSchema { path, .. } => (KeyRefused, Some(path), Some("use the waxseal that made it")),
        StoreError::NotAStore { path } | StoreError::Damaged { path, .. } => (
            KeyRefused,
            Some(path),
            Some("move the directory away and restore a backup with 'waxseal kms restore FILE'"),
        ),
        StoreError::KeyFileMissing { path } | StoreError::KeyFileWrong { path, .. } => {
            (KeyRefused, Some(path), Some("put the store's own key file back, or restore a backup"))
        }
        StoreError::KeyFileUnsafe { path, .. } => {
            (KeyRefused, Some(path), Some("chmod 600 it, if nobody else has read it"))
        }
        StoreError::DirectoryUnsafe { path, .. } => (KeyRefused, Some(path), Some("chmod 700 it")),
        StoreError::WrongPassphrase { path } => (KeyRefused, Some(path), None),
        StoreError::Passphrase { path, .. } => (KeyRefused, Some(path), None),
        StoreError::KeyService { path, .. } => (KeyRefused, Some(path), None),
        StoreError::PassphraseLength { .. } => (KeyRefused, None, None),
        StoreError::OutOfMemory { path, .. } => (KeyUnavailable, Some(path), None),
        StoreError::NotABackup { path } | StoreError::BackupTruncated { path, .. } => {
            (Class::NotAContainer, Some(path), Some("a backup is what 'waxseal kms backup FILE' wrote"))
        }
        StoreError::NewerBackup { path, .. } => (Class::NotAContainer, Some(path), Some("use a newer waxseal")),
        StoreError::BackupDamaged { path, .. } => (Class::Damaged, Some(path), Some("use another copy of the backup")),
        StoreError::BackupTooLarge { path } => (Output, Some(path), None),
        StoreError::TargetExists { path } => {
            (Output, Some(path), Some("replace it with --force, or name another file"))
        }
        StoreError::Busy { path } => (KeyUnavailable, Some(path), Some("try again later")),
        StoreError::ReadOnly { path, .. } => (KeyUnavailable, Some(path), None),
        StoreError::Full { path } => (KeyUnavailable, Some(path), Some("free some space there")),
        StoreError::Io { path, .. } | StoreError::Database { path, .. } => (KeyUnavailable, Some(path), None),
        StoreError::Random(_) => (Class::Other, None, None),
        _ => (Class::Other, None, None),
    }
}
