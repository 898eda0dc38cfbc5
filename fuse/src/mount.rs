//! Attaching a directory, and detaching it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use fuser::{Config, MountOption, Session, SessionACL, SessionUnmounter};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use thiserror::Error;
use tokio::runtime::Handle;
use waxseal_envelope::Envelope;

use crate::Options;
use crate::adapter::Adapter;
use crate::filesystem::{Filesystem, Teller};
use crate::keeper::Keeper;
use crate::options::cores;

/// How far the kernel reads ahead for each core, in KiB: two requests of the largest size, so that one is there when the other is
/// answered.
const READAHEAD_KB: usize = 2048;

/// Cores for which it reads ahead at least, and at most.
const READAHEAD_CORES: (usize, usize) = (2, 4);

/// Why a directory could not be mounted, or not be served to the end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MountError {
    /// The directory of containers cannot be opened.
    #[error("{path}: cannot be opened: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system does not mount it.
    #[error("{path}: cannot be mounted on: {source}")]
    Mount {
        /// The mount point.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Serving requests ended with an error.
    #[error("the mount ended: {0}")]
    Serve(#[source] io::Error),
    /// Not everything that programs wrote could be brought to the disk. The log says of which files.
    #[error("not everything that was written could be brought to the disk: {0}")]
    Unwritten(#[source] io::Error),
}

/// A mounted directory. It is served until somebody unmounts it.
#[derive(Debug)]
pub struct Mount {
    unmounter: Unmounter,
    server: JoinHandle<io::Result<()>>,
    filesystem: Arc<Filesystem>,
    keeper: Keeper,
}

/// Unmounts, from any thread.
#[derive(Clone, Debug)]
pub struct Unmounter(Arc<Mutex<SessionUnmounter>>);

/// Mounts the containers in `directory` at `mountpoint`, and returns when the mount answers requests.
///
/// New data keys and old ones come through `keys`; what does not come at once is waited for on `runtime`.
///
/// # Errors
/// The directory cannot be opened; the system refuses to mount.
pub fn mount(
    directory: &Path,
    mountpoint: &Path,
    keys: Envelope,
    runtime: Handle,
    options: Options,
) -> Result<Mount, MountError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(directory, flags, Mode::empty())
        .map_err(|error| MountError::Directory { path: directory.to_owned(), source: error.into() })?;
    let config = config(directory, &options);
    let (outdated, told) = std::sync::mpsc::channel();
    let filesystem = Filesystem::new(File::from(root), keys, options, outdated)
        .map_err(|source| MountError::Directory { path: directory.to_owned(), source })?;
    let filesystem = Arc::new(filesystem);
    let refused = |source| MountError::Mount { path: mountpoint.to_owned(), source };
    filesystem.warn_of_small_blocks();
    let adapter = Adapter::new(Arc::clone(&filesystem), runtime);
    let mut session = Session::new(adapter, mountpoint, &config).map_err(refused)?;
    let notifier = session.notifier();
    // The kernel may wait for requests before it drops pages: whoever answers requests must not wait for it.
    let drop_pages = move || {
        for node in told {
            // A file that the kernel does not know has no pages.
            notifier.inval_inode(fuser::INodeNo(node), 0, 0).ok();
        }
    };
    let notifier = session.notifier();
    // Attributes alone are dropped without waiting for anybody.
    filesystem.set_teller(Teller(Box::new(move |node| {
        notifier.inval_inode(fuser::INodeNo(node), -1, 0).ok();
    })));
    std::thread::Builder::new().name("invalidations".into()).spawn(drop_pages).map_err(refused)?;
    let unmounter = Unmounter(Arc::new(Mutex::new(session.unmount_callable())));
    let keeper = Keeper::start(Arc::clone(&filesystem)).map_err(refused)?;
    let serve = move || session.run();
    let server = std::thread::Builder::new().name("mount".into()).spawn(serve).map_err(refused)?;
    // It asks the mount for its device, which is answered by now.
    raise_readahead(mountpoint);
    Ok(Mount { unmounter, server, filesystem, keeper })
}

fn config(directory: &Path, options: &Options) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(source_name(directory)),
        // Not as `Subtype`, which does not reach mount(2).
        MountOption::CUSTOM("subtype=waxseal".into()),
        // Modes and owners are checked by the kernel, as on any file system.
        MountOption::DefaultPermissions,
        if options.read_only { MountOption::RO } else { MountOption::RW },
    ];
    if options.no_exec {
        config.mount_options.push(MountOption::NoExec);
    }
    config.acl = if options.allow_other { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(options.threads());
    config.clone_fd = true;
    config
}

/// Has the kernel read further ahead than its 128 KiB, which it lets root ask for only: with more large requests under
/// way than there are cores, all of them decrypt all the time.
fn raise_readahead(mountpoint: &Path) {
    let (least, most) = READAHEAD_CORES;
    let kilobytes = READAHEAD_KB * cores().clamp(least, most);
    let told = || -> io::Result<()> {
        let device = rustix::fs::stat(mountpoint)?.st_dev;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        std::fs::write(format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb"), kilobytes.to_string())
    };
    // Where it may not be set, reading is slower and nothing else.
    told().ok();
}

/// The directory as the list of mounts names it. What means something to the programs that mount is left out: the name is
/// there to be read.
fn source_name(directory: &Path) -> String {
    let steers = |character: char| character.is_control() || matches!(character, ',' | '\\');
    directory.to_string_lossy().replace(steers, "_")
}

impl Mount {
    /// What unmounts this mount.
    #[must_use]
    pub fn unmounter(&self) -> Unmounter {
        self.unmounter.clone()
    }

    /// Waits until it is unmounted, and everything is on disk.
    ///
    /// # Errors
    /// Serving ended for another reason than an unmount, or something could not be written.
    pub fn wait(self) -> Result<(), MountError> {
        let served = self.server.join().unwrap_or_else(|_| Err(io::Error::other("a thread that served it panicked")));
        // Whoever was about to be given a request when the mount ended is told so (fuse_dev_do_read in the kernel).
        let served = served.or_else(|error| if is_end(&error) { Ok(()) } else { Err(error) });
        self.keeper.stop();
        let finished = self.filesystem.finish();
        self.filesystem.tell_counts();
        served.map_err(MountError::Serve).and(finished.map_err(MountError::Unwritten))
    }
}

/// Whether an error of reading requests says no more than that there are none any more.
fn is_end(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::CONNABORTED)
}

impl Unmounter {
    /// Unmounts. Programs that still use the mount make the system refuse.
    ///
    /// # Errors
    /// The system refuses.
    pub fn unmount(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unmount()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_directory_is_no_way_to_give_options() {
        assert_eq!(source_name(Path::new("/a/b,allow_other\\\n")), "/a/b_allow_other__");
    }
}
