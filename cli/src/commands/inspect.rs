//! `waxseal inspect`: what a container says about itself. It needs no key, and starts nothing.

mod tree;

use std::path::Path;

use serde_json::{Value, json};
use waxseal_container::{Header, SizeClaim, State, size_claim};

use crate::args::Inspect;
use crate::error::{Class, CliError};
use crate::input::{Input, InputName};
use crate::library_errors;
use crate::output::Console;
use crate::place::Direction;
use crate::report::context_json;
use crate::shown::{shown, utc};
use crate::tree::{Selection, has_directory};

/// Runs the command.
pub(crate) fn run(args: &Inspect, console: &Console) -> Result<(), CliError> {
    if has_directory(&args.files, &args.tree)? {
        return tree::run(args, &Selection::new(&args.tree, Direction::Decrypt)?, console);
    }
    let mut failed = 0_usize;
    for (index, file) in args.files.iter().enumerate() {
        let shown_one = Claims::read(file).and_then(|claims| {
            let separator = if index > 0 && !args.keys { "\n" } else { "" };
            console.result(|| format!("{separator}{}", claims.text(args.keys)), || claims.json())
        });
        match shown_one {
            Ok(()) => {}
            Err(error) if args.files.len() == 1 || error.class() == Class::ClosedPipe => return Err(error),
            Err(error) => {
                failed += 1;
                console.error(&error);
            }
        }
    }
    if failed > 0 {
        return Err(CliError::new(Class::Partial, format!("{failed} of {} files failed", args.files.len())));
    }
    Ok(())
}

/// A container's header, and what its file's size says.
struct Claims {
    name: String,
    header: Header,
    size: Option<SizeClaim>,
}

impl Claims {
    fn read(file: &Path) -> Result<Self, CliError> {
        let name = InputName::parse(file);
        Self::of(&name, Input::open(&name)?)
    }

    fn of(name: &InputName, mut input: Input) -> Result<Self, CliError> {
        let header = Header::read_from(&mut input.file)
            .map_err(|error| library_errors::container(&error, name.label(), name.label()))?;
        let size = input.regular.map(|regular| size_claim(regular.size));
        Ok(Self { name: name.label().to_string_lossy().into_owned(), header, size })
    }

    fn state(&self) -> &'static str {
        match self.header.state() {
            State::Prepared => "prepared",
            State::Filled => "filled",
        }
    }

    fn text(&self, keys_only: bool) -> String {
        if keys_only {
            return self.keys_text("");
        }
        let core = self.header.core();
        let mut lines = vec![
            shown(&self.name),
            format!("  suite       {}", core.suite()),
            format!("  state       {}", self.state()),
            format!("  size        {}", self.size_text()),
            format!("  created     {}", core.created().map_or_else(|| "not recorded".to_owned(), utc)),
            format!("  file id     {}", core.file_id()),
        ];
        for (name, value) in core.context().iter() {
            lines.push(format!("  context     {}={}", shown(name), shown(value)));
        }
        lines.push(format!("  slots       generation {}", self.header.slot_generation()));
        lines.push(self.keys_text("  key         "));
        lines.join("\n")
    }

    fn keys_text(&self, label: &str) -> String {
        let line = |key: &waxseal_key_service::EncryptedDataKey| format!("{label}{} {}", key.provider, key.key_arn);
        self.header.encrypted_data_keys().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn size_text(&self) -> String {
        match (self.header.state(), self.size) {
            (State::Prepared, _) => "none yet".to_owned(),
            (State::Filled, None) => "unknown: the input is a stream".to_owned(),
            (State::Filled, Some(SizeClaim::Plaintext(size))) => format!("{size} bytes of plaintext"),
            (State::Filled, Some(SizeClaim::Impossible(_))) => "none: no container is as long as this file".to_owned(),
        }
    }

    /// What the size of the file says, if it says anything.
    fn plaintext_bytes(&self) -> Option<u64> {
        match (self.header.state(), self.size) {
            (State::Filled, Some(SizeClaim::Plaintext(size))) => Some(size),
            _ => None,
        }
    }

    fn json(&self) -> Value {
        let core = self.header.core();
        let keys = self.header.encrypted_data_keys().iter();
        json!({
            "v": 1,
            "status": "ok",
            "file": self.name,
            "suite": core.suite().to_string(),
            "state": self.state(),
            "plaintext_bytes": self.plaintext_bytes(),
            "created": core.created(),
            "file_id": core.file_id().to_string(),
            "context": context_json(core.context().iter()),
            "slot_generation": self.header.slot_generation(),
            "keys": keys.map(|key| json!({
                "provider": key.provider.name(),
                "key_arn": key.key_arn.as_str(),
                "ciphertext_blob_bytes": key.ciphertext_blob.len(),
            })).collect::<Vec<_>>(),
        })
    }
}
