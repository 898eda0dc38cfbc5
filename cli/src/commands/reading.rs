//! What `decrypt`, `cat` and `verify` have in common: opening a container and reading it.

use std::fs::File;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use waxseal_container::{
    Container, ContainerError, Damage, Filling, Header, Interrupted, Opened, Sink, Source, Unlocked,
};
use waxseal_envelope::{
    CacheLimits, ContextAssertion, DataKeyCache, EnvelopeError, OpenedBy, Reading, Rewrap, Rewrapped,
};
use waxseal_key_service::{KeyArn, KeyReference};

use crate::args::{self, Common, PassphraseOptions};
use crate::commands::keys;
use crate::config::Config;
use crate::error::CliError;
use crate::home::Home;
use crate::input::{Input, InputName};
use crate::library_errors;
use crate::output::Console;
use crate::range::Range;
use crate::report::FileReport;
use crate::session::{Missing, Reach, Session, Setup};
use crate::shown::shown;
use crate::stream::{CountedFile, CountedStream, RangeWriter, SinkWriter, widen};

/// Pieces in which a range is read.
const PIECE: usize = 256 << 10;

/// What the options and the configuration say about opening containers.
pub(super) struct Opening<'a> {
    options: &'a args::Reading,
    passphrase: &'a PassphraseOptions,
    home: Home,
    reading: Reading,
    reach: Reach,
}

/// Opens containers under the demands of one command line.
pub(super) struct Reader<'a> {
    session: Session<'a>,
    keys: DataKeyCache,
    pub(super) interrupted: Interrupted,
    pub(super) threads: NonZeroUsize,
    pub(super) console: &'a Console,
}

/// A container whose header is verified, and whose content is about to be read.
pub(super) struct OpenContainer<'a> {
    pub(super) name: &'a InputName,
    pub(super) input: Input,
    pub(super) opened: OpenedBy,
    reader: &'a Reader<'a>,
}

impl<'a> Opening<'a> {
    /// Reads the options and the configuration.
    pub(super) fn new(
        common: &Common,
        options: &'a args::Reading,
        passphrase: &'a PassphraseOptions,
    ) -> Result<Self, CliError> {
        let wrong = |error: waxseal_key_service::ContextError| CliError::usage(shown(&error.to_string()));
        let context: Result<_, _> = options.context.iter().map(|text| ContextAssertion::parse(text)).collect();
        let home = Home::find(common.home.as_deref())?;
        let keys = keys::for_opening(&options.keys, &options.discovery, &Config::load(&home)?)?;
        let reach = keys::reach_to(&keys);
        let reading = Reading { keys, context: context.map_err(wrong)? };
        Ok(Self { options, passphrase, home, reading, reach })
    }

    /// Lets requests go as far as other keys of the command are as well.
    pub(super) fn reaching(self, reach: Reach) -> Self {
        Self { reach: if reach == Reach::Network { reach } else { self.reach }, ..self }
    }

    /// How many requests to key services can be under way at once.
    pub(super) fn requests_at_once(&self) -> usize {
        keys::requests_at_once(self.reach, &self.options.aws)
    }
}

impl<'a> Reader<'a> {
    /// Prepares to open containers; each is read on `threads` threads.
    pub(super) fn new(opening: Opening<'_>, threads: NonZeroUsize, console: &'a Console) -> Result<Self, CliError> {
        let Opening { options, passphrase, home, reading, reach } = opening;
        let setup = Setup { home: &home, passphrase, aws: &options.aws, missing: Missing::Refuse, reach };
        let session = Session::new(&setup, console)?;
        // To ask what is in memory costs less than to remember the answer.
        let kept = if setup.answers_at_once()? { CacheLimits::NOTHING } else { CacheLimits::default() };
        Ok(Self {
            keys: DataKeyCache::new(session.envelope(), reading, kept),
            session,
            interrupted: if options.recover { Interrupted::Recover } else { Interrupted::Refuse },
            threads,
            console,
        })
    }

    /// Reads the header, has the data key decrypted, and verifies the header.
    pub(super) fn open(&'a self, name: &'a InputName, mut input: Input) -> Result<OpenContainer<'a>, CliError> {
        if input.regular.is_none() {
            widen(&input.file);
        }
        let header = Header::read_from(&mut input.file)
            .map_err(|error| library_errors::container(&error, name.label(), name.label()))?;
        let opened = self.session.wait(self.keys.open(header));
        let (opened, _) = opened.map_err(|error| library_errors::envelope(&error, name.label()))?;
        Ok(OpenContainer { name, input, opened, reader: self })
    }
}

impl Reader<'_> {
    /// Has a prepared container's data key decrypted, under the same demands.
    pub(super) fn fill(&self, header: Header, path: &Path) -> Result<(Filling, KeyArn), CliError> {
        self.session.fill(header, self.keys.reading()).map_err(|error| library_errors::envelope(&error, path))
    }

    /// Has each key that is given to a container open its data key, if that is wanted, before anything is written.
    pub(super) fn verifying_keys(self, wanted: bool) -> Self {
        if wanted { Self { session: self.session.proving_keys(), ..self } } else { self }
    }

    /// The data keys that were decrypted for this reader.
    pub(super) fn keys(&self) -> &DataKeyCache {
        &self.keys
    }

    /// What containers have to be, and which keys may be asked.
    pub(super) fn reading(&self) -> &Reading {
        self.keys.reading()
    }

    /// Finds a key.
    pub(super) fn find(&self, key: &KeyReference) -> Result<KeyReference, CliError> {
        self.session.find(key)
    }

    /// Gives a container other keys.
    pub(super) fn rewrap(&self, file: &File, rewrap: &Rewrap) -> Result<Rewrapped, EnvelopeError> {
        self.session.rewrap(file, rewrap)
    }
}

impl OpenContainer<'_> {
    /// Reads everything, or a range, into `sink`; `output` is what errors call it.
    pub(super) fn read(self, range: Option<Range>, sink: Sink<'_>, output: &Path) -> Result<FileReport, CliError> {
        let mut report = self.report(0);
        let Self { name, input, opened, reader } = self;
        let is_device = input.is_block_device();
        let failed = |error: ContainerError| {
            let told = library_errors::container(&error, name.label(), output);
            if is_device { of_device(told, &error, name) } else { told }
        };
        report.plaintext_bytes = match range {
            None => reader.read_whole(name, &opened.unlocked, &input, sink).map_err(failed)?.plaintext_len,
            Some(range) => reader.read_range(name, opened.unlocked, input, range, sink).map_err(failed)?,
        };
        Ok(report)
    }

    /// What is said of it when so many bytes of its plaintext have been read.
    pub(super) fn report(&self, plaintext_bytes: u64) -> FileReport {
        let core = self.opened.unlocked.header().core();
        FileReport::new(self.name.label(), plaintext_bytes, [&self.opened.key_arn], core.context())
    }
}

/// Says what to do about a container on a block device: what lies behind it there looks like damage.
pub(super) fn of_device(told: CliError, error: &ContainerError, name: &InputName) -> CliError {
    let size = match error {
        ContainerError::Damaged { damage: Damage::Appended { expected }, .. } => expected.to_string(),
        ContainerError::Damaged { .. } => "SIZE".to_owned(),
        _ => return told,
    };
    let device = shown(&name.label().to_string_lossy());
    told.hint(format!(
        "a device is read to its end, and a container on it ends before that: head -c {size} {device} | waxseal decrypt"
    ))
}

impl Reader<'_> {
    /// Reads everything into `sink`, and says so if the last writer had been interrupted.
    pub(super) fn read_whole(
        &self,
        name: &InputName,
        unlocked: &Unlocked,
        input: &Input,
        sink: Sink<'_>,
    ) -> Result<Opened, ContainerError> {
        let opened = match input.regular {
            Some(regular) => {
                let file = CountedFile::new(&input.file, regular.size, self.console);
                unlocked.open(Source::File(&file), sink, self.interrupted, self.threads)?
            }
            None => {
                let mut stream = CountedStream::new(&input.file, self.console);
                unlocked.open(Source::Stream(&mut stream), sink, self.interrupted, self.threads)?
            }
        };
        if opened.interrupted {
            self.say_recovered(name, opened.plaintext_len);
        }
        Ok(opened)
    }

    fn read_range(
        &self,
        name: &InputName,
        unlocked: Unlocked,
        input: Input,
        range: Range,
        sink: Sink<'_>,
    ) -> Result<u64, ContainerError> {
        if input.regular.is_none() {
            return self.read_range_of_stream(name, &unlocked, &input, range, sink);
        }
        let container = Container::open(unlocked, input.file, self.interrupted)?;
        if container.is_recovered() {
            self.say_recovered(name, container.len());
        }
        let (start, end) = range.within(container.len());
        let mut writer = SinkWriter::new(sink);
        let mut piece = vec![0; PIECE];
        let mut at = start;
        while at < end {
            let wanted = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let length = container.read_at(&mut piece[..wanted], at)?;
            writer.write_all(&piece[..length]).map_err(ContainerError::Write)?;
            at += length as u64;
        }
        Ok(end - start)
    }

    /// A stream has to be read from its beginning, and is verified to its end.
    fn read_range_of_stream(
        &self,
        name: &InputName,
        unlocked: &Unlocked,
        input: &Input,
        range: Range,
        sink: Sink<'_>,
    ) -> Result<u64, ContainerError> {
        let mut writer = RangeWriter::new(SinkWriter::new(sink), range.offset, range.length);
        self.read_whole(name, unlocked, input, Sink::Stream(&mut writer))?;
        Ok(writer.passed())
    }

    /// Says how far an interrupted container was read.
    pub(super) fn say_recovered(&self, name: &InputName, length: u64) {
        let name = shown(&name.label().to_string_lossy());
        let text = format!("{name}: was interrupted while it was written; what is whole of it ends at byte {length}");
        self.console
            .warning(&text, Some("it may be neither the old content nor the new: compare it with what you expect"));
    }
}
