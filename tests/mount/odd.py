# What few programs do, and some do all the same: each line says what came of it. Run in a directory of its own, with nothing
# in it. tests/mount/odd.rs runs it in a plain directory and in a mount, and wants the same lines.
import ctypes, errno, mmap, os, resource, signal, stat, struct, sys, time

libc = ctypes.CDLL(None, use_errno=True)
MOST = (1 << 63) - 1


def tell(what, do):
    try:
        answer = do()
    except OSError as error:
        answer = errno.errorcode[error.errno]
    except ValueError as error:
        answer = repr(error)
    print(f"{what}: {answer}", flush=True)


def put(name, content=b"content"):
    with open(name, "wb") as file:
        file.write(content)


def get(name):
    with open(name, "rb") as file:
        return file.read()


def opened(name, flags, mode=0o644):
    descriptor = os.open(name, flags, mode)
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def names():
    print("names:", sorted((name, os.lstat(name).st_nlink, stat.S_IFMT(os.lstat(name).st_mode)) for name in os.listdir(".")))


def in_child(do):
    child = os.fork()
    if child == 0:
        try:
            os._exit(do() or 0)
        except BaseException:
            os._exit(99)
    return os.waitpid(child, 0)[1]


def called(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
    return 0


# Flags of open(2).
put("f")
os.mkdir("d")
os.symlink("f", "soft")
os.symlink("absent", "dangling")
tell("exclusive", lambda: opened("f", os.O_CREAT | os.O_EXCL | os.O_RDWR))
tell("exclusive through a link", lambda: opened("dangling", os.O_CREAT | os.O_EXCL | os.O_RDWR))
tell("no link", lambda: opened("soft", os.O_RDONLY | os.O_NOFOLLOW))
tell("a directory that is a file", lambda: opened("f", os.O_RDONLY | os.O_DIRECTORY))
tell("a directory to write", lambda: opened("d", os.O_RDWR))
tell("a directory to make", lambda: opened("d", os.O_CREAT | os.O_RDWR))
tell("a slash behind", lambda: opened("f/", os.O_RDONLY))
tell("made through a link", lambda: (opened("dangling", os.O_CREAT | os.O_RDWR), get("absent")))
put("cut")
tell("cut by a reader", lambda: (opened("cut", os.O_RDONLY | os.O_TRUNC), get("cut")))
os.chmod("f", 0o444)
tell("a path only", lambda: opened("f", os.O_PATH))
os.chmod("f", 0o644)
names()

# What a descriptor may do.
reader, writer = os.open("f", os.O_RDONLY), os.open("f", os.O_WRONLY)
tell("write by a reader", lambda: os.write(reader, b"x"))
tell("read by a writer", lambda: os.read(writer, 1))
tell("cut by a descriptor that reads", lambda: os.ftruncate(reader, 0))
tell("allocated by a reader", lambda: os.posix_fallocate(reader, 0, 10))
tell("read a directory", lambda: os.read(os.open("d", os.O_RDONLY), 1))
tell("nothing far away", lambda: (os.pwrite(writer, b"", 1 << 40), os.fstat(writer).st_size))
tell("before the beginning", lambda: os.pwrite(writer, b"x", -1))
tell("cut to less than nothing", lambda: os.ftruncate(writer, -1))
tell("cut a directory", lambda: os.truncate("d", 0))
tell("cut through a link", lambda: (os.truncate("soft", 3), get("f")))

# Offsets.
data, hole = os.SEEK_DATA, os.SEEK_HOLE
os.truncate("f", 0)
put("f", b"x" * 10000)
for place in [-1, 0, 9999, 10000, 10001, 1 << 40, MOST]:
    for way in [data, hole]:
        tell(f"seek {way} {place}", lambda: os.lseek(reader, place, way))
for place in [MOST - 1, MOST, 1 << 62]:
    tell(f"read at {place}", lambda: os.pread(reader, 10, place))
tell("size", lambda: os.fstat(reader).st_size)

# Appending, wherever it is asked for.
appender = os.open("f", os.O_RDWR | os.O_APPEND)
tell("append at an offset", lambda: (os.pwrite(appender, b"end", 5), os.fstat(reader).st_size, os.pread(reader, 9, 9995)))
tell("pieces", lambda: (os.writev(appender, [b"a", b"", b"bc"]), os.preadv(reader, [bytearray(2), bytearray(2)], 10002)))

# Copies within one file.
def copy(source, count, begin, end):
    got = os.copy_file_range(source, writer, count, begin, end)
    return got, os.pread(reader, 30, 0)
put("f", b"0123456789" * 3)
tell("copy over itself", lambda: copy(reader, 10, 0, 5))
tell("copy onto itself", lambda: copy(reader, 10, 0, 0))
tell("copy beside itself", lambda: copy(reader, 10, 0, 20))
tell("copy from the end", lambda: copy(reader, 10, 30, 0))
tell("copy into a reader", lambda: os.copy_file_range(writer, reader, 1, 0, 5))
tell("copy nothing", lambda: copy(reader, 0, 0, 5))
other = os.open("g", os.O_RDWR | os.O_CREAT, 0o644)
tell("send", lambda: (os.sendfile(other, reader, 0, 25), get("g")))

# Times.
def changes(do):
    os.utime("f", (1000000000, 1000000000))
    do()
    return os.stat("f").st_mtime_ns != 1000000000 * 10**9
tell("nothing written", lambda: changes(lambda: os.write(writer, b"")))
tell("cut to its length", lambda: changes(lambda: os.ftruncate(writer, os.fstat(writer).st_size)))
tell("cut to its length by name", lambda: changes(lambda: os.truncate("f", os.stat("f").st_size)))
tell("made longer", lambda: changes(lambda: os.ftruncate(writer, 100)))
tell("reserved", lambda: changes(lambda: os.posix_fallocate(writer, 0, 200)))
tell("read", lambda: changes(lambda: os.pread(reader, 10, 0)))
tell("mode", lambda: changes(lambda: os.chmod("f", 0o600)))
tell("written", lambda: changes(lambda: os.pwrite(writer, b"x", 0)))
for moment in [0, -1, -1500000000, -10**9, 10**9 * 5 + 999999999, 2**33 * 10**9]:
    tell(f"time {moment}", lambda: (os.utime("f", ns=(moment, moment)), os.stat("f").st_mtime_ns == moment))

# Names that go while they are used.
gone = os.open("gone", os.O_RDWR | os.O_CREAT, 0o640)
os.write(gone, b"content")
os.unlink("gone")
tell("gone", lambda: (os.fstat(gone).st_nlink, os.pwrite(gone, b"CON", 0), os.pread(gone, 10, 0)))
tell("gone and cut", lambda: (os.ftruncate(gone, 5000), os.fstat(gone).st_size, os.fsync(gone), os.pread(gone, 9, 0)))
tell("gone and changed", lambda: (os.fchmod(gone, 0o604), oct(os.fstat(gone).st_mode), os.utime(gone, (5, 6)), os.fstat(gone).st_mtime))
put("gone", b"another")
tell("another of its name", lambda: (get("gone"), os.pread(gone, 7, 0), os.fstat(gone).st_ino == os.stat("gone").st_ino))
os.close(gone)
put("one")
os.link("one", "two")
tell("one file by two names", lambda: (os.rename("one", "two"), sorted(n for n in os.listdir(".") if n in ("one", "two"))))
held = os.open("one", os.O_RDWR)
os.rename("two", "three")
os.unlink("one")
tell("the last of its names", lambda: (os.fstat(held).st_nlink, os.pwrite(held, b"CON", 0), os.fsync(held), get("three")))
os.close(held)
os.mkdir("d/e")
put("d/e/f")
inside = os.open("d/e", os.O_RDONLY)
os.rename("d/e", "moved")
tell("in a directory that moved", lambda: (os.open("f", os.O_RDONLY, dir_fd=inside) > 0, os.mkdir("g", dir_fd=inside), sorted(os.listdir("moved"))))
for name in ["moved/f", "moved/g"]:
    (os.rmdir if name.endswith("g") else os.unlink)(name)
os.rmdir("moved")
tell("in a directory that is gone", lambda: os.mkdir("g", dir_fd=inside))
tell("a file in it", lambda: os.open("g", os.O_CREAT | os.O_RDWR, dir_fd=inside))
tell("what is in it", lambda: os.listdir(inside))

# Renames that cannot be.
os.makedirs("full/in/it")
tell("into itself", lambda: os.rename("full", "full/in/x"))
tell("over what is full", lambda: os.rename("d", "full"))
tell("over an empty one", lambda: os.rename("full", "d"))
tell("a file over a directory", lambda: os.rename("f", "d"))
tell("a directory over a file", lambda: os.rename("d", "f"))
tell("a link over a directory", lambda: os.rename("soft", "d"))
tell("onto itself", lambda: os.rename("f", "f"))
tell("a slash behind a file", lambda: os.rename("f", "x/"))
tell("a dot", lambda: os.rmdir("d/."))
tell("two dots", lambda: os.rmdir("d/in/.."))
tell("a directory by unlink", lambda: os.unlink("d"))
tell("a file by rmdir", lambda: os.rmdir("f"))
tell("a link to a directory", lambda: (os.symlink("d", "way"), os.rmdir("way")))
tell("a hard link to a directory", lambda: os.link("d", "dd"))
tell("a hard link to a link", lambda: (os.link("soft", "soft2", follow_symlinks=False), os.readlink("soft2")))
tell("a long link", lambda: (os.symlink("x" * 4095, "long"), len(os.readlink("long"))))
tell("too long a link", lambda: os.symlink("x" * 4096, "longer"))
tell("an empty link", lambda: os.symlink("", "empty"))
bad = b"\xff\xfe\n\x01 '\\"
tell("a name that is no text", lambda: (put(bad), [name for name in os.listdir(b".") if name == bad], get(bad)))
names()
os.unlink(bad)

# Modes of what is made.
def made(make, name):
    make()
    mode = os.stat(name)
    return oct(mode.st_mode), mode.st_gid
for mask in [0, 0o027, 0o777]:
    os.umask(mask)
    tell(f"file {mask:o}", lambda: made(lambda: os.close(os.open(f"m{mask}", os.O_CREAT | os.O_RDWR, 0o6777)), f"m{mask}"))
    tell(f"directory {mask:o}", lambda: made(lambda: os.mkdir(f"md{mask}", 0o1777), f"md{mask}"))
    tell(f"fifo {mask:o}", lambda: made(lambda: os.mkfifo(f"mf{mask}", 0o666), f"mf{mask}"))
os.umask(0o022)
os.mkdir("shared")
if os.geteuid() == 0:
    os.chown("shared", 0, 65534)
os.chmod("shared", 0o2775)
tell("a file that shares", lambda: made(lambda: put("shared/f"), "shared/f"))
tell("a directory that shares", lambda: made(lambda: os.mkdir("shared/d"), "shared/d"))
tell("a link that shares", lambda: (os.symlink("f", "shared/s"), os.lstat("shared/s").st_gid))

# Mappings, and files that are cut below them.
put("map", b"m" * 12000)
mapped = os.open("map", os.O_RDWR)
shared = mmap.mmap(mapped, 12000)
private = mmap.mmap(mapped, 12000, flags=mmap.MAP_PRIVATE)
shared[0:3], private[3:6] = b"sss", b"ppp"
shared.flush()
tell("mapped", lambda: (get("map")[:8], bytes(private[:8])))
os.ftruncate(mapped, 4097)
os.ftruncate(mapped, 12000)
tell("cut and grown", lambda: (bytes(shared[4090:4100]), bytes(shared[8190:8200]), get("map")[4090:4100]))
shared[8192:8195] = b"new"
tell("written behind the cut", lambda: get("map")[8190:8197])
os.ftruncate(mapped, 5000)
tell("read behind the end", lambda: in_child(lambda: shared[9000]) == signal.SIGBUS)
tell("read in the last page", lambda: in_child(lambda: shared[5001]))
os.unlink("map")
shared[0:4] = b"gone"
tell("mapped and gone", lambda: (shared.flush(0, 4096), os.pread(mapped, 6, 0)))
shared.close()
private.close()

# Directories that change while they are listed.
os.mkdir("many")
for number in range(700):
    os.mkdir(f"many/{number}") if number % 7 == 0 else put(f"many/{number}", b"")
listing = os.scandir("many")
seen = [next(listing).name for _ in range(10)]
for entry in os.listdir("many"):
    path = f"many/{entry}"
    os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
rest = [entry.name for entry in listing]
tell("seen twice", lambda: len(set(seen + rest)) == len(seen + rest))
tell("emptied", lambda: (os.listdir("many"), os.rmdir("many")))

# Limits of the process.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
    file = os.open("limited", os.O_RDWR | os.O_CREAT)
    answers = [os.write(file, b"l" * 5000), os.write(file, b"l" * 5000)]
    for more in [lambda: os.write(file, b"l"), lambda: os.ftruncate(file, 7000), lambda: os.posix_fallocate(file, 0, 7000)]:
        try:
            answers.append(more())
        except OSError as error:
            answers.append(error.errno)
    answers.append(os.fstat(file).st_size)
    os.write(1, f"limited: {answers}\n".encode())
tell("limit", lambda: in_child(limited))

# Pipes and devices.
os.mkfifo("pipe")
tell("a pipe that nobody reads", lambda: opened("pipe", os.O_WRONLY | os.O_NONBLOCK))
tell("a pipe", lambda: in_child(lambda: os.close(os.open("pipe", os.O_RDWR))))
names()
