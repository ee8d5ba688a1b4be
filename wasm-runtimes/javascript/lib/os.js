// node:os: a small machine that tells nothing of the real one.
'use strict';
const signals = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGUSR1: 10, SIGSEGV: 11, SIGUSR2: 12, SIGPIPE: 13, SIGALRM: 14, SIGTERM: 15 };
const env = (name, fallback) => lib('process').env[name] ?? fallback;
module.exports = {
  EOL: '\n', devNull: '/dev/null', constants: { signals, errno: {}, priority: {} },
  arch: () => 'wasm32', platform: () => 'linux', type: () => 'Linux', release: () => '6.0.0', version: () => '#1 sandgate', machine: () => 'wasm32',
  hostname: () => 'sandgate', homedir: () => env('HOME', '/work'), tmpdir: () => env('TMPDIR', '/tmp'), endianness: () => 'LE',
  cpus: () => [{ model: 'wasm', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } }], availableParallelism: () => 1, loadavg: () => [0, 0, 0],
  totalmem: () => 4294967296, freemem: () => 4294967296 - native.memoryUsed(), uptime: () => lib('process').uptime(), networkInterfaces: () => ({}),
  userInfo: () => ({ uid: 1000, gid: 1000, username: 'sandgate', homedir: env('HOME', '/work'), shell: null }), getPriority: () => 0, setPriority() {},
};
