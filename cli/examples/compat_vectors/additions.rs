//! Containers that are added to frozen ones, under the store that is there.

use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Builder;
use waxseal_container::{Core, Sealer, Sink, Source, Suite};
use waxseal_envelope::{Envelope, NewContainer};
use waxseal_key_service::{EncryptedDataKey, EncryptionContext, KeyArn, KeyId, KeyService, Provider};
use waxseal_kms_local::LocalKms;

use crate::{Maker, Plan, Result, plaintext, short};

/// When they say that they were made.
const CREATED: u64 = 1_700_000_000;

/// A copy of a frozen store, opened: opening one may bring it up to date, and the frozen one stays as it is.
struct Store {
    kms: Arc<LocalKms>,
    _scratch: TempDir,
}

impl Store {
    fn copy(directory: &Path) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let store = scratch.path().join("kms");
        fs::DirBuilder::new().mode(0o700).create(&store)?;
        for entry in fs::read_dir(directory.join("home/kms"))? {
            let entry = entry?;
            fs::copy(entry.path(), store.join(entry.file_name()))?;
            fs::set_permissions(store.join(entry.file_name()), fs::Permissions::from_mode(0o600))?;
        }
        let kms = Arc::new(LocalKms::open(&store, &mut || Err("it has no passphrase".into()))?);
        Ok(Self { kms, _scratch: scratch })
    }

    /// Goes on with the vectors that are there.
    fn maker<'a>(&self, directory: &'a Path) -> Result<Maker<'a>> {
        let manifest: Value = serde_json::from_slice(&fs::read(directory.join("manifest.json"))?)?;
        let listed = |member: &str| manifest[member].as_array().cloned().unwrap_or_default();
        Ok(Maker {
            directory,
            envelope: Envelope::new(vec![Arc::clone(&self.kms) as _]),
            runtime: Builder::new_current_thread().build()?,
            vectors: listed("vectors"),
            prepared: listed("prepared"),
        })
    }
}

/// Adds containers for three keys, which one slot holds, and for as many as both hold together. One of the keys is the
/// frozen store's.
pub(crate) fn several_keys(directory: &Path) -> Result<()> {
    let store = Store::copy(directory)?;
    let (kms, mut maker) = (&store.kms, store.maker(directory)?);
    for (suite, others) in [(Suite::ALL[0], 2), (Suite::ALL[1], 6)] {
        let name = format!("keys-{}-{}.wax", others + 1, short(suite));
        let plan = Plan { name, suite, context: EncryptionContext::from_pairs(["project=frozen"])? };
        let core = Core::new(suite, plan.context.clone(), Some(CREATED))?;
        let default = KeyId::Arn(kms.default_key()?.ok_or("the store has no default key")?);
        let context = core.key_service_context();
        let request = KeyService::generate_data_key(kms.as_ref(), &default, &context);
        let generated = maker.runtime.block_on(request)?;
        let mut keys: Vec<_> = (0..others).map(foreign_key).collect::<Result<_>>()?;
        keys.insert(1, generated.encrypted);
        let file = File::create_new(maker.path(&plan))?;
        let content = plaintext(5000);
        let source = Source::Stream(&mut &content[..]);
        Sealer::new(core, &keys, &generated.plaintext)?.seal(source, Sink::File(&file), NonZeroUsize::MIN)?;
        maker.record(&plan, "settled", &content)?;
        let named = keys.iter().map(|key| json!([key.provider.name(), key.key_arn.as_str()]));
        let named: Vec<Value> = named.collect();
        maker.vectors.last_mut().ok_or("it was recorded")?["keys"] = json!(named);
    }
    maker.write_manifest()
}

/// A key of AWS KMS that nobody has, with a ciphertext blob as long as AWS's.
fn foreign_key(number: u8) -> Result<EncryptedDataKey> {
    let region = if number.is_multiple_of(2) { "eu-west-1" } else { "us-east-2" };
    let key_arn = KeyArn::new(region, "111122223333", &format!("1234abcd-12ab-34cd-56ef-1234567890{number:02x}"))?;
    Ok(EncryptedDataKey { provider: Provider::Aws, key_arn, ciphertext_blob: vec![number; 184] })
}

/// Adds containers that wait to be filled.
pub(crate) fn prepared(directory: &Path) -> Result<()> {
    let store = Store::copy(directory)?;
    let mut maker = store.maker(directory)?;
    for suite in Suite::ALL {
        let context = EncryptionContext::from_pairs(["state=prepared"])?;
        let plan = Plan { name: format!("prepared-{}.wax", short(suite)), suite, context };
        let keys = vec!["alias/default".parse()?];
        let new = NewContainer { keys, context: plan.context.clone(), suite, created: Some(CREATED) };
        let bytes = maker.runtime.block_on(maker.envelope.prepare(&new))?;
        fs::write(maker.path(&plan), bytes)?;
        maker.prepared.push(json!({ "file": plan.name, "suite": suite.name(), "context": plan.context_json() }));
    }
    maker.write_manifest()
}
