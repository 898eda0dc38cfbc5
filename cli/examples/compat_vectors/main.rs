//! Makes the frozen vectors of the format: `cargo run --release --example compat_vectors -- NEW_DIRECTORY`.
//!
//! It runs once for each version of the format. What it made for a released version stays as it is for ever. What was not
//! thought of then is added beside it, under the same store: `-- --several-keys DIRECTORY` adds containers for several keys,
//! `-- --prepared DIRECTORY` adds prepared ones.

mod additions;

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use waxseal_container::{Editor, Header, Interrupted, Sealer, Sink, Source, Suite};
use waxseal_envelope::{Envelope, NewContainer, Reading};
use waxseal_key_service::EncryptionContext;
use waxseal_kms_local::{CreateOptions, LocalKms, Overwrite, Passphrase, PassphraseCost};
use zeroize::Zeroizing;

const PASSPHRASE: &str = "frozen with the vectors";
const PAGE: usize = 4096;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    const USAGE: &str = "usage: compat_vectors NEW_DIRECTORY | --several-keys DIRECTORY | --prepared DIRECTORY";
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match &arguments[..] {
        [addition, directory] if addition == "--several-keys" => additions::several_keys(directory.as_ref()),
        [addition, directory] if addition == "--prepared" => additions::prepared(directory.as_ref()),
        [directory] => {
            fs::create_dir(directory)?;
            let mut maker = Maker::new(directory.as_ref())?;
            maker.whole()?;
            maker.edited()?;
            maker.finish()
        }
        _ => Err(USAGE.into()),
    }
}

/// The vectors in the making.
struct Maker<'a> {
    directory: &'a Path,
    envelope: Envelope,
    runtime: Runtime,
    vectors: Vec<Value>,
    /// Containers without content.
    prepared: Vec<Value>,
}

/// What a vector is called, and what it is made of.
struct Plan {
    name: String,
    suite: Suite,
    context: EncryptionContext,
}

impl Plan {
    fn context_json(&self) -> Value {
        self.context.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
    }
}

impl<'a> Maker<'a> {
    fn new(directory: &'a Path) -> Result<Self> {
        let kms = LocalKms::create(&directory.join("home/kms"), &CreateOptions::default())?;
        let passphrase = Passphrase::new(Zeroizing::new(PASSPHRASE.as_bytes().to_vec()))?;
        kms.backup(&directory.join("keys.backup"), &passphrase, PassphraseCost::default(), Overwrite::Refuse)?;
        fs::write(directory.join("passphrase"), PASSPHRASE)?;
        let runtime = Builder::new_current_thread().build()?;
        Ok(Self {
            directory,
            envelope: Envelope::new(vec![Arc::new(kms)]),
            runtime,
            vectors: Vec::new(),
            prepared: Vec::new(),
        })
    }

    /// Containers of one pass. The larger ones are shared out between the suites, to keep all of it small.
    fn whole(&mut self) -> Result<()> {
        let [aes, chacha] = Suite::ALL;
        for (suite, form, len) in [
            (aes, "settled", 0),
            (aes, "settled", 1),
            (aes, "settled", 4096),
            (aes, "settled", 131_072),
            (aes, "settled", 131_073),
            (aes, "settled", 300_000),
            (chacha, "settled", 0),
            (chacha, "settled", 1),
            (chacha, "settled", 4096),
            (chacha, "settled", 131_073),
            (aes, "streamed", 131_073),
            (chacha, "streamed", 300_000),
        ] {
            let pairs: &[&str] = if len % 2 == 0 { &[] } else { &["project=frozen", "empty=", "größe=µ"] };
            let context = EncryptionContext::from_pairs(pairs)?;
            let plan = Plan { name: format!("{form}-{len}-{}.wax", short(suite)), suite, context };
            self.seal(&plan, &plaintext(len), form)?;
            self.record(&plan, form, &plaintext(len))?;
        }
        Ok(())
    }

    /// Containers that were written in place.
    fn edited(&mut self) -> Result<()> {
        for suite in Suite::ALL {
            self.sparse(suite)?;
            self.interrupted(suite)?;
            self.torn(suite)?;
        }
        Ok(())
    }

    /// Settled after each of several sessions: with holes in groups, a group that is a hole, and a hole at the end.
    fn sparse(&mut self, suite: Suite) -> Result<()> {
        let plan = Plan { name: format!("sparse-{}.wax", short(suite)), suite, context: EncryptionContext::new() };
        let mut expected = plaintext(9000);
        self.seal(&plan, &expected, "settled")?;
        for (offset, bytes) in [(400_000, vec![1; 6000]), (5000, vec![2; 300]), (50_000, vec![3; 5000])] {
            expected.resize(expected.len().max(offset + bytes.len()), 0);
            expected[offset..offset + bytes.len()].copy_from_slice(&bytes);
            let mut editor = self.open(&plan)?;
            editor.write_at(&bytes, offset as u64)?;
            editor.settle()?;
        }
        let mut editor = self.open(&plan)?;
        editor.punch_hole(0, 4096)?;
        editor.set_len(700_001)?;
        editor.settle()?;
        drop(editor);
        expected[..4096].fill(0);
        expected.resize(700_001, 0);
        self.record(&plan, "settled", &expected)
    }

    /// A writer that ended after its last flush: overwritten, appended to beyond the first group, and shortened.
    fn interrupted(&mut self, suite: Suite) -> Result<()> {
        let plan = Plan {
            name: format!("interrupted-{}.wax", short(suite)),
            suite,
            context: EncryptionContext::from_pairs(["state=interrupted"])?,
        };
        let mut expected = plaintext(20_000);
        self.seal(&plan, &expected, "settled")?;
        let mut editor = self.open(&plan)?;
        editor.write_at(&[4; 5000], 3000)?;
        editor.flush()?;
        editor.write_at(&[5; 100], 4000)?;
        editor.write_at(&[6; 3000], 140_000)?;
        editor.flush()?;
        editor.set_len(142_500)?;
        editor.flush()?;
        drop(editor);
        expected[3000..8000].fill(4);
        expected[4000..4100].fill(5);
        expected.resize(140_000, 0);
        expected.resize(142_500, 6);
        self.record(&plan, "interrupted", &expected)
    }

    /// Cut off between table and data: chunk 1 is what it was before, chunk 2 is new, and an append has not arrived.
    fn torn(&mut self, suite: Suite) -> Result<()> {
        let plan = Plan { name: format!("torn-{}.wax", short(suite)), suite, context: EncryptionContext::new() };
        let mut expected = plaintext(12_288);
        self.seal(&plan, &expected, "settled")?;
        let mut before = [0; PAGE];
        File::open(self.path(&plan))?.read_exact_at(&mut before, 2 * PAGE as u64)?;
        let mut editor = self.open(&plan)?;
        editor.write_at(&[7; 2 * PAGE], PAGE as u64)?;
        editor.write_at(&[8; 5000], 12_288)?;
        editor.flush()?;
        let file = editor.into_backing();
        file.write_all_at(&before, 2 * PAGE as u64)?;
        file.write_all_at(&[0; 5000], 4 * PAGE as u64)?;
        expected[2 * PAGE..].fill(7);
        self.record(&plan, "interrupted", &expected)
    }

    fn seal(&self, plan: &Plan, plaintext: &[u8], form: &str) -> Result<()> {
        let Plan { suite, context, .. } = plan;
        let keys = vec!["alias/default".parse()?];
        let new = NewContainer { keys, context: context.clone(), suite: *suite, created: Some(1_700_000_000) };
        let sealer: Sealer = self.runtime.block_on(self.envelope.make(&new))?;
        let mut file = File::create_new(self.path(plan))?;
        let sink = if form == "streamed" { Sink::Stream(&mut file) } else { Sink::File(&file) };
        sealer.seal(Source::Stream(&mut &plaintext[..]), sink, NonZeroUsize::MIN)?;
        Ok(())
    }

    fn open(&self, plan: &Plan) -> Result<Editor<File>> {
        let file = File::options().read(true).write(true).open(self.path(plan))?;
        let header = Header::read_from(&mut &file)?;
        let opened = self.runtime.block_on(self.envelope.open(header, &Reading::default()))?;
        Ok(Editor::open(opened.unlocked, file)?)
    }

    /// Checks a finished container against what it has to hold, leaves out the zeros of its holes, and enters it.
    fn record(&mut self, plan: &Plan, state: &str, expected: &[u8]) -> Result<()> {
        let bytes = fs::read(self.path(plan))?;
        let header = Header::parse(&bytes)?;
        let unlocked = self.runtime.block_on(self.envelope.open(header, &Reading::default()))?.unlocked;
        let mut found = Vec::new();
        let mut body = &bytes[waxseal_container::HEADER_LEN..];
        let (source, sink) = (Source::Stream(&mut body), Sink::Stream(&mut found));
        let opened = unlocked.open(source, sink, Interrupted::Recover, NonZeroUsize::MIN)?;
        if found != expected || opened.interrupted != (state == "interrupted") {
            return Err(format!("{} does not read as it was written", plan.name).into());
        }
        let zeros = zero_pages(&bytes);
        fs::write(self.path(plan), without(&bytes, &zeros))?;
        self.vectors.push(json!({
            "file": plan.name,
            "suite": plan.suite.name(),
            "context": plan.context_json(),
            "state": state,
            "zeros_left_out": zeros,
            "plaintext_len": expected.len(),
            "plaintext_sha256": hex(&Sha256::digest(expected)),
            "verify": if opened.interrupted { 6 } else { 0 },
            "verify_recover": 0,
        }));
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.envelope = Envelope::new(Vec::new());
        // A lock file says nothing, and is made where it is missing.
        fs::remove_file(self.directory.join("home/kms/lock"))?;
        self.write_manifest()
    }

    fn write_manifest(&self) -> Result<()> {
        let manifest = json!({ "format": 1, "vectors": self.vectors, "prepared": self.prepared });
        fs::write(self.directory.join("manifest.json"), format!("{manifest:#}\n"))?;
        Ok(())
    }

    fn path(&self, plan: &Plan) -> PathBuf {
        self.directory.join(&plan.name)
    }
}

/// Runs of whole pages of zeros, as offset and length.
fn zero_pages(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (number, page) in bytes.chunks(PAGE).enumerate().filter(|(_, page)| page.iter().all(|byte| *byte == 0)) {
        match runs.last_mut() {
            Some((offset, length)) if *offset + *length == number * PAGE => *length += page.len(),
            _ => runs.push((number * PAGE, page.len())),
        }
    }
    runs
}

fn without(bytes: &[u8], runs: &[(usize, usize)]) -> Vec<u8> {
    let mut rest = Vec::new();
    let mut at = 0;
    for (offset, length) in runs {
        rest.extend_from_slice(&bytes[at..*offset]);
        at = offset + length;
    }
    rest.extend_from_slice(&bytes[at..]);
    rest
}

fn short(suite: Suite) -> &'static str {
    suite.name().split('-').next().unwrap_or_default()
}

/// Plaintext in which every chunk differs from every other.
fn plaintext(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / PAGE * 7 + at * 31 + at / 256).to_le_bytes()[0] | 1).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
