//! What a rewrap reads and writes of a file: the header, however long the file is.

use std::fs::{self, File};

use super::{arns, new_key};
use crate::support::World;
use crate::support::traced::Traced;

#[test]
fn one_page_is_read_and_written_whatever_the_size_of_the_file() {
    let world = World::with_store();
    let new = new_key(&world, "alias/new");
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/small", "x");
    File::create(world.path("src/large")).unwrap().set_len(1 << 30).unwrap();
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    assert!(fs::metadata(world.path("vault/large.wax")).unwrap().len() > 1 << 30);
    let calls = ["vault/small.wax", "vault/large.wax"].map(|name| {
        let arguments = ["rewrap", "--to", "alias/new", name];
        let calls = "read,readv,pread64,preadv,preadv2,mmap,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync";
        let run = Traced::new(&world, &arguments, b"").map(|traced| traced.calls_on(&world.path(name), calls));
        assert!(run.is_none() || arns(&world, name) == [new.clone()]);
        run
    });
    let [Some(small), Some(large)] = calls else { return };
    assert_eq!(small, large);
    // The header, and once more when the file is locked; a slot, and the other one made zero.
    let places: Vec<(&str, u64, u64)> = small.iter().filter_map(|call| place(call)).collect();
    let of = |name: &str| places.iter().filter(|(call, ..)| *call == name).collect::<Vec<_>>();
    assert_eq!(of("pread64"), [&("pread64", 0, 2048); 2]);
    assert_eq!((of("pwrite64").len(), places.len()), (2, 4), "{small:?}");
    assert!(places.iter().all(|(_, offset, length)| offset + length <= 2048), "{small:?}");
    assert_eq!(small.iter().filter(|call| call.starts_with("fdatasync")).count(), 2);
}

/// Where a call of [`Traced::calls_on`] reads or writes: its name, the offset and the length. None for what does neither.
fn place(call: &str) -> Option<(&str, u64, u64)> {
    let (name, arguments) = call.split_once(' ')?;
    let mut numbers = arguments.split_once(')')?.0.rsplit(", ");
    let (offset, length) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some((name, offset, length))
}
