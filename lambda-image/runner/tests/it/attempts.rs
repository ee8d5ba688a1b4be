//! What attacks run, for the tests that see them fail and for those that see them work without the
//! wall. Every attempt prints what came of it, and ends by itself.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

/// Prints every environment that can be found: its own, from its memory too, and all processes'.
pub(crate) fn reading_environments(runner: u32) -> String {
    format!(
        "import ctypes, glob, os\n\
         print(dict(os.environ))\n\
         fields = open('/proc/self/stat').read().rsplit(')', 1)[1].split()\n\
         start, end = int(fields[47]), int(fields[48])\n\
         print('at the start', ctypes.string_at(start, end - start))\n\
         for path in sorted(glob.glob('/proc/[0-9]*/environ')) + ['/proc/self/environ', '/proc/1/environ', '/proc/{runner}/environ']:\n\
         \x20   try:\n\
         \x20       print(path, open(path, 'rb').read())\n\
         \x20   except OSError as error:\n\
         \x20       print(path, error.strerror)"
    )
}

/// Prints what can be read of the memory and the descriptors of the runner and the zygote.
pub(crate) fn reading_memory(runner: u32) -> String {
    format!(
        "import ctypes, os\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         for pid in ({runner}, os.getppid()):\n\
         \x20   for name in ('mem', 'maps', 'auxv'):\n\
         \x20       try:\n\
         \x20           print(name, len(open(f'/proc/{{pid}}/{{name}}', 'rb').read(100)))\n\
         \x20       except OSError as error:\n\
         \x20           print(name, error.strerror)\n\
         \x20   for number in range(300):\n\
         \x20       try:\n\
         \x20           print(os.readlink(f'/proc/{{pid}}/fd/{{number}}'), open(f'/proc/{{pid}}/fd/{{number}}'))\n\
         \x20       except OSError:\n\
         \x20           pass\n\
         \x20   print('vm', libc.process_vm_readv(pid, None, 0, None, 0, 0), ctypes.get_errno())"
    )
}

/// Attaches to the runner and the zygote, in both ways; prints the result and the error of each.
pub(crate) fn tracing(runner: u32) -> String {
    format!(
        "import ctypes, os\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         for pid in ({runner}, os.getppid()):\n\
         \x20   for request in (16, 0x4206):\n\
         \x20       result = libc.ptrace(request, pid, None, None)\n\
         \x20       print(result, ctypes.get_errno())\n\
         \x20       if result == 0:\n\
         \x20           # It must stop before it can be let go.\n\
         \x20           libc.ptrace(0x4207, pid, None, None)\n\
         \x20           os.waitpid(pid, 0x40000000)\n\
         \x20           libc.ptrace(17, pid, None, None)"
    )
}

/// Connects to the Runtime API and to `elsewhere`, by every family and kind.
pub(crate) fn connecting(port: u16, elsewhere: &str) -> String {
    format!(
        "import socket, urllib.request\n\
         for family, address in ((socket.AF_INET, ('127.0.0.1', {port})), (socket.AF_INET, ('{elsewhere}', 80)),\n\
         \x20                       (socket.AF_INET6, ('::1', {port})), (socket.AF_UNIX, '/run/x'), (socket.AF_NETLINK, (0, 0))):\n\
         \x20   for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):\n\
         \x20       try:\n\
         \x20           s = socket.socket(family, kind)\n\
         \x20           s.settimeout(30)\n\
         \x20           s.connect(address)\n\
         \x20           print('connected', kind.name, address)\n\
         \x20       except OSError as error:\n\
         \x20           print(error.errno)\n\
         try:\n\
         \x20   print(urllib.request.urlopen('http://127.0.0.1:{port}/', timeout=30).read())\n\
         except OSError as error:\n\
         \x20   print(error)"
    )
}

/// Asks `name_server`, and the system for the address of `name`.
pub(crate) fn resolving(name_server: SocketAddr, name: &str) -> String {
    format!(
        "import socket\n\
         query = bytes.fromhex('123401000001000000000000') + b'\\7example\\3com\\0\\0\\1\\0\\1'\n\
         def by(kind):\n\
         \x20   with socket.socket(socket.AF_INET, kind) as s:\n\
         \x20       s.settimeout(30)\n\
         \x20       s.connect(('127.0.0.1', {port}))\n\
         \x20       s.send(query)\n\
         \x20       return '.'.join(map(str, s.recv(512)[-4:]))\n\
         for name, attempt in (('datagrams', lambda: by(socket.SOCK_DGRAM)), ('stream', lambda: by(socket.SOCK_STREAM)),\n\
         \x20                     ('system', lambda: socket.getaddrinfo('{name}', 80))):\n\
         \x20   try:\n\
         \x20       print(name, attempt())\n\
         \x20   except OSError as error:\n\
         \x20       print(name, type(error).__name__)",
        port = name_server.port()
    )
}

/// Starts a name server that knows one address for everything. It ends with the tests.
pub(crate) fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            // A response, with one answer: the name of the question, class IN, for 60 seconds.
            answer[2..4].copy_from_slice(&[0x81, 0x80]);
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
            let _ = socket.send_to(&answer, asker);
        }
    });
    address
}

/// Makes pairs of sockets that could be connected elsewhere later, and tries that with one that is a
/// stream.
pub(crate) const RECONNECTING_A_PAIR: &str = "import socket\n\
    def attempt(call):\n\
    \x20   try:\n\
    \x20       call()\n\
    \x20       print('done')\n\
    \x20   except OSError as error:\n\
    \x20       print(error.errno)\n\
    for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):\n\
    \x20   attempt(lambda: socket.socketpair(socket.AF_UNIX, kind))\n\
    a, b = socket.socketpair()\n\
    attempt(lambda: a.connect('/dev/log'))\n\
    attempt(lambda: a.bind('x'))\n\
    attempt(lambda: a.listen())\n";

/// Reads a file of somebody else's, also by a link to the root folder and by the process's own.
pub(crate) fn reading_elsewhere(file: &Path, link: &Path) -> String {
    format!(
        "for path in ({file:?}, {link:?} + {file:?}, '/proc/self/root' + {file:?}):\n\
         \x20   try:\n\
         \x20       print(open(path).read())\n\
         \x20   except OSError as error:\n\
         \x20       print(error.strerror)"
    )
}

/// Forks twice with sessions of their own, so that nothing leads from the child to the daemon.
pub(crate) const LEAVING_A_DAEMON: &str = "import os, time\n\
    reader, writer = os.pipe()\n\
    if os.fork() == 0:\n\
    \x20   os.setsid()\n\
    \x20   if os.fork() == 0:\n\
    \x20       os.setsid()\n\
    \x20       os.write(1, b'daemon %d\\n' % os.getpid())\n\
    \x20       os.write(writer, b'x')\n\
    \x20       time.sleep(60)\n\
    \x20   os._exit(0)\n\
    os.wait()\n\
    os.read(reader, 1)\n";

/// Writes a file into each of these folders, its own, and what holds back who would remove it.
pub(crate) fn leaving_files(folders: &[&Path]) -> String {
    format!(
        "import os, tempfile\n\
         for folder in [*{folders:?}, os.getcwd(), tempfile.gettempdir()]:\n\
         \x20   try:\n\
         \x20       open(folder + '/left-behind', 'w').write('x')\n\
         \x20       print('wrote', folder)\n\
         \x20   except OSError:\n\
         \x20       pass\n\
         os.makedirs('a/b/c')\n\
         os.chmod('a/b', 0)\n\
         os.symlink('/etc', 'link')\n\
         print(os.getcwd())"
    )
}

/// Changes the interpreter and its modules.
pub(crate) const PATCHING: &str = "import builtins, sys, json, os\n\
    builtins.evil = 1\n\
    json.loads = lambda text: 'patched'\n\
    sys.modules['csv'] = None\n\
    os.environ['LD_PRELOAD'] = '/x'\n";

/// Looks for what [`PATCHING`] did.
pub(crate) const LOOKING_FOR_PATCHES: &str = "import builtins, sys, json, os\n\
    print(hasattr(builtins, 'evil'), json.loads('[1]'), sys.modules.get('csv', 1) is None, os.environ.get('LD_PRELOAD'))";

/// Doubles itself seven times: 128 processes if nobody stops it, for tests run on people's machines.
/// Each says so when it has been there for a while.
pub(crate) const FORK_BOMB: &str = "import os, time\n\
    for _ in range(7):\n\
    \x20   try:\n\
    \x20       os.fork()\n\
    \x20   except OSError:\n\
    \x20       os.write(2, b'refused\\n')\n\
    time.sleep(SECONDS)\n\
    os.write(1, b'x')\n";

/// Takes this much memory, and says so once it had it for long enough to be seen by anybody.
pub(crate) fn memory_bomb(mebibytes: u32) -> String {
    format!(
        "import time\n\
         x = []\n\
         for _ in range({mebibytes}):\n\
         \x20   x.append(b'x' * (1 << 20))\n\
         time.sleep(8)\n\
         print('has it')"
    )
}

/// Takes this much memory in each of so many processes.
pub(crate) fn memory_bomb_of_many(processes: u32, mebibytes: u32, seconds: u32) -> String {
    format!(
        "import os, time\n\
         for _ in range({processes}):\n\
         \x20   if os.fork() == 0:\n\
         \x20       x = b'x' * ({mebibytes} << 20)\n\
         \x20       time.sleep({seconds})\n\
         \x20       os.write(1, b'has it\\n')\n\
         \x20       os._exit(0)\n\
         for _ in range({processes}):\n\
         \x20   os.wait()"
    )
}

/// Writes a file of this size, or as much as it can.
pub(crate) fn huge_file(mebibytes: u32) -> String {
    format!(
        "with open('huge', 'wb') as file:\n\
         \x20   for _ in range({mebibytes}):\n\
         \x20       file.write(bytes(1 << 20))"
    )
}

/// Makes this many files, and says so.
pub(crate) fn many_files(count: u32) -> String {
    format!(
        "import os\n\
         for number in range({count}):\n\
         \x20   os.close(os.open(f'{{number}}', os.O_CREAT))\n\
         print('made them')"
    )
}

/// Prints this much.
pub(crate) fn output_flood(stream: &str, bytes: u32) -> String {
    format!(
        "import sys\nfor _ in range({}):\n    sys.{stream}.write('x' * 100000)",
        bytes / 100_000
    )
}

/// Closes everything, and goes on after a time in which anybody has noticed.
pub(crate) const CLOSING_EVERYTHING: &str = "import os, time\n\
    print('before')\n\
    os.closerange(0, 1000)\n\
    time.sleep(8)\n\
    open('after', 'w').write('x')\n\
    print('after')\n";

/// Prints what each descriptor is.
pub(crate) const LISTING_DESCRIPTORS: &str = "import os\n\
    for descriptor in sorted(map(int, os.listdir('/proc/self/fd'))):\n\
    \x20   try:\n\
    \x20       print(descriptor, os.readlink(f'/proc/self/fd/{descriptor}').split(':')[0])\n\
    \x20   except OSError:\n\
    \x20       pass";

/// Writes into the report what only the walls may say.
pub(crate) const SPEAKING_FOR_THE_WALLS: &str =
    "import os\nos.write(4, b'f' + (5).to_bytes(4, 'little') + b'walls')\nprint('done')\n1";

/// Links to a file and a folder elsewhere, beside a real one.
pub(crate) fn linking(elsewhere: &Path) -> String {
    format!(
        "import os\n\
         os.symlink({elsewhere:?} + '/private', 'file')\n\
         os.symlink({elsewhere:?}, 'folder')\n\
         for make in (lambda: os.link('/etc/passwd', 'hard'), lambda: os.mkfifo('pipe'), lambda: os.mknod('device', 0o20600, 259)):\n\
         \x20   try:\n\
         \x20       make()\n\
         \x20   except OSError as error:\n\
         \x20       print(error.errno)\n\
         open('real', 'w').write('x')"
    )
}

/// Files whose names lead elsewhere, mislead people, or are those of a stored execution.
pub(crate) const MISLEADING_NAMES: &str = "import os\n\
    for name in ('..a', 'a\\\\..\\\\b', 'new\\nline', 'result.json', 'stdout', b'\\xff\\xfe'):\n\
    \x20   open(name, 'w').write('x')\n\
    deep = '/'.join('d' * 1 for _ in range(60))\n\
    os.makedirs(deep)\n\
    open(deep + '/deep', 'w').write('x')";
