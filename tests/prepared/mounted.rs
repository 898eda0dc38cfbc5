//! Prepared containers in a mount: programs do not take them for empty files.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;

use crate::mount::support::{Mounted, VAULT, mountable};

#[test]
fn programs_do_not_read_a_prepared_container_as_an_empty_file_and_may_fill_it() {
    let Some(world) = mountable() else { return };
    world.run(["prepare", &format!("{VAULT}/p.wax"), &format!("{VAULT}/q.wax")]).succeeds();
    let before = world.read(&format!("{VAULT}/p.wax"));
    world.write("source", "content");
    let mounted = Mounted::new(&world, &[]);
    let (p, q) = (mounted.root().join("p"), mounted.root().join("q"));
    let shell =
        |script: &str| Command::new("/bin/sh").args(["-c", script]).arg(&p).current_dir(world.dir()).output().unwrap();
    for script in [
        "cat \"$0\"",
        "cp \"$0\" copy",
        "tail -c 1 \"$0\"",
        "cmp \"$0\" /dev/null",
        "tar cf copy \"$0\"",
        "echo x >> \"$0\"",
    ] {
        let output = shell(script);
        assert!(!output.status.success() && output.stdout.is_empty(), "{script}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("No data available"), "{script}: {said}");
    }
    for options in
        [fs::File::options().read(true), fs::File::options().read(true).write(true).custom_flags(libc::O_TRUNC)]
    {
        assert_eq!(options.open(&p).unwrap_err().raw_os_error(), Some(libc::ENODATA));
    }
    assert!(fs::read(world.path(VAULT).join("p.wax")).unwrap() == before, "nothing of that has changed it");
    assert!(shell("cp source \"$0\"").status.success());
    assert_eq!(fs::read(&p).unwrap(), b"content");
    fs::File::options().write(true).open(&q).unwrap().write_all(b"written").unwrap();
    let mut text = String::new();
    fs::File::open(&q).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "written");
    mounted.unmount();
    assert_eq!(world.run(["cat", &format!("{VAULT}/p.wax")]).succeeds_silently().stdout, b"content");
}
