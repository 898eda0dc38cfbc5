//! The core: what a container is, fixed when it is made (SPEC.md, "Core").

use std::collections::BTreeMap;
use std::fmt;

use serde_cbor::Value;
use waxseal_key_service::EncryptionContext;

use crate::{ContainerError, Suite, cbor};

/// Longest encoding of an encryption context in a core, in bytes.
pub const MAX_CONTEXT_LEN: usize = 512;
/// Longest core, in bytes.
pub(crate) const MAX_CORE_LEN: usize = 1024;

const RESERVED_PREFIX: &str = "waxseal:";
const FILE_ID_NAME: &str = "waxseal:file-id";

const SUITE: i128 = 1;
const FILE_ID: i128 = 2;
const CONTEXT: i128 = 3;
const CREATED: i128 = 4;

/// The random name of a container, 32 bytes: it is drawn once and binds keys, contexts and content to one file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(pub(crate) [u8; 32]);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
        let text: String = self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        f.write_str(&text)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileId({self})")
    }
}

/// What never changes about a container: suite, file id, encryption context, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    suite: Suite,
    file_id: FileId,
    context: EncryptionContext,
    created: Option<u64>,
}

impl Core {
    /// Draws a file id for a new container.
    ///
    /// `created` is in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// The context has a reserved name or is longer than [`MAX_CONTEXT_LEN`]; there are no random bytes.
    pub fn new(suite: Suite, context: EncryptionContext, created: Option<u64>) -> Result<Self, ContainerError> {
        let mut file_id = [0; 32];
        getrandom::fill(&mut file_id).map_err(ContainerError::Random)?;
        let core = Self { suite, file_id: FileId(file_id), context, created };
        core.check_context()?;
        Ok(core)
    }

    /// The cipher suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The file id.
    #[must_use]
    pub fn file_id(&self) -> FileId {
        self.file_id
    }

    /// The user's encryption context.
    #[must_use]
    pub fn context(&self) -> &EncryptionContext {
        &self.context
    }

    /// When the container was made, in seconds since 1970-01-01 UTC, where its writer said so.
    #[must_use]
    pub fn created(&self) -> Option<u64> {
        self.created
    }

    /// The context under which a key service encrypts this container's data key: the user's pairs, and the file id in
    /// lower-case hexadecimal under `waxseal:file-id`.
    #[must_use]
    pub fn key_service_context(&self) -> EncryptionContext {
        let mut context = self.context.clone();
        context
            .insert(FILE_ID_NAME, self.file_id.to_string())
            .expect("names that begin with waxseal: are refused, so the file id's is free");
        context
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut map = BTreeMap::new();
        map.insert(Value::Integer(SUITE), Value::Integer(self.suite.number().into()));
        map.insert(Value::Integer(FILE_ID), Value::Bytes(self.file_id.0.to_vec()));
        map.insert(Value::Integer(CONTEXT), context_value(&self.context));
        if let Some(seconds) = self.created {
            map.insert(Value::Integer(CREATED), Value::Integer(seconds.into()));
        }
        cbor::encode(&Value::Map(map))
    }

    /// Parses a core strictly; errors say what is wrong and at which byte of the core.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, (u64, String)> {
        let malformed = |reason: &str| (0, format!("core: {reason}"));
        let value = cbor::decode(bytes).map_err(|error| (error.position, format!("core: {}", error.reason)))?;
        let Value::Map(mut map) = value else { return Err(malformed("not a map")) };
        let mut take = |key: i128| map.remove(&Value::Integer(key));

        let Some(Value::Integer(suite)) = take(SUITE) else { return Err(malformed("no suite")) };
        let suite = Suite::from_number(suite).ok_or_else(|| malformed("unknown suite"))?;
        let Some(Value::Bytes(file_id)) = take(FILE_ID) else { return Err(malformed("no file id")) };
        let file_id = file_id.try_into().map_err(|_| malformed("file id is not of 32 bytes"))?;
        let Some(Value::Map(pairs)) = take(CONTEXT) else { return Err(malformed("no encryption context")) };
        let context = context_from(pairs).ok_or_else(|| malformed("bad encryption context"))?;
        let created = match take(CREATED) {
            None => None,
            Some(Value::Integer(seconds)) => {
                Some(u64::try_from(seconds).map_err(|_| malformed("creation time is negative"))?)
            }
            Some(_) => return Err(malformed("creation time is not a number")),
        };
        // Negative keys are left to later writers for what an older reader may pass over.
        if map.keys().any(|key| !matches!(key, Value::Integer(-24..=-1))) {
            return Err(malformed("unknown critical key"));
        }
        let core = Self { suite, file_id: FileId(file_id), context, created };
        core.check_context().map_err(|error| malformed(&error.to_string()))?;
        Ok(core)
    }

    fn check_context(&self) -> Result<(), ContainerError> {
        if let Some((name, _)) = self.context.iter().find(|(name, _)| name.starts_with(RESERVED_PREFIX)) {
            return Err(ContainerError::ReservedContextName(name.to_owned()));
        }
        let length = cbor::encode(&context_value(&self.context)).len();
        if length > MAX_CONTEXT_LEN {
            return Err(ContainerError::ContextTooLong { length, limit: MAX_CONTEXT_LEN });
        }
        Ok(())
    }
}

fn context_value(context: &EncryptionContext) -> Value {
    Value::Map(
        context.iter().map(|(name, value)| (Value::Text(name.to_owned()), Value::Text(value.to_owned()))).collect(),
    )
}

fn context_from(pairs: BTreeMap<Value, Value>) -> Option<EncryptionContext> {
    let mut context = EncryptionContext::new();
    for pair in pairs {
        let (Value::Text(name), Value::Text(value)) = pair else { return None };
        context.insert(name, value).ok()?;
    }
    Some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core(pairs: &[&str]) -> Core {
        Core::new(Suite::default(), EncryptionContext::from_pairs(pairs).unwrap(), Some(1_700_000_000)).unwrap()
    }

    #[test]
    fn a_core_survives_encoding() {
        for core in [core(&[]), core(&["a=b", "name longer than twenty-three bytes=v", "b="])] {
            assert_eq!(Core::decode(&core.encode()), Ok(core));
        }
    }

    #[test]
    fn the_key_service_sees_the_file_id() {
        let core = core(&["team=x"]);
        let context = core.key_service_context();
        assert_eq!(context.get("waxseal:file-id"), Some(core.file_id().to_string().as_str()));
        assert_eq!(context.get("team"), Some("x"));
        assert_eq!(core.file_id().to_string().len(), 64);
    }

    #[test]
    fn reserved_names_and_long_contexts_are_refused_on_both_sides() {
        let reserved = EncryptionContext::from_pairs(["waxseal:file-id=0"]).unwrap();
        assert!(matches!(
            Core::new(Suite::default(), reserved.clone(), None),
            Err(ContainerError::ReservedContextName(_))
        ));
        let long = EncryptionContext::from_pairs([format!("a={}", "x".repeat(506))]).unwrap();
        assert!(Core::new(Suite::default(), long.clone(), None).is_ok(), "1 + 2 + 3 + 506 bytes is the limit");
        let longer = EncryptionContext::from_pairs([format!("a={}", "x".repeat(507))]).unwrap();
        assert!(matches!(
            Core::new(Suite::default(), longer.clone(), None),
            Err(ContainerError::ContextTooLong { length: 513, .. })
        ));
        for context in [reserved, longer] {
            let forged = Core { context, ..core(&[]) };
            assert!(Core::decode(&forged.encode()).is_err());
        }
    }

    #[test]
    fn unknown_keys_are_critical_unless_negative() {
        let with = |key: Value| {
            let Value::Map(mut map) = cbor::decode(&core(&[]).encode()).unwrap() else { panic!("a core is a map") };
            map.insert(key, Value::Integer(1));
            Core::decode(&cbor::encode(&Value::Map(map)))
        };
        assert!(with(Value::Integer(-1)).is_ok());
        assert!(with(Value::Integer(5)).is_err());
        assert!(with(Value::Integer(-25)).is_err());
        assert!(with(Value::Text("x".into())).is_err());
    }
}
