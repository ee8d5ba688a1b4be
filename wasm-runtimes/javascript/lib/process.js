// The global process.
'use strict';
const EventEmitter = lib('events');
const loop = lib('loop');
const { coded, invalidType } = lib('errors');
const life = lib('life');
const { write, now, wake } = native;
const { isInteger } = Number;

// `process` has the methods of an emitter through a prototype of its own, as in Node.
const proto = Object.create(EventEmitter.prototype, { constructor: { value: function process() {}, configurable: true, writable: true }, [Symbol.toStringTag]: { value: 'process', configurable: true } });
const process = Object.create(proto);
EventEmitter.call(process);

let args;
let environment;
let cwd = '/work';
let warned = false;
const mainPath = () => lib('path').resolve('/work', native.mainName());

function lazily(name, make) {
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get() {
      // Packages look at the environment while they are evaluated: nothing of that may stay.
      if (life.starting()) return {};
      const value = make();
      Object.defineProperty(process, name, { value, writable: true, configurable: true, enumerable: true });
      return value;
    },
    set(value) { Object.defineProperty(process, name, { value, writable: true, configurable: true, enumerable: true }); },
  });
}

// The environment holds strings only: what is assigned becomes one.
function environmentObject() {
  const entries = {};
  for (const entry of native.environ()) {
    const at = entry.indexOf('=');
    entries[entry.slice(0, at)] = entry.slice(at + 1);
  }
  return new Proxy(entries, {
    set(target, key, value) {
      if (typeof key === 'symbol' || typeof value === 'symbol') throw new TypeError('Cannot convert a Symbol value to a string');
      target[key] = `${value}`;
      return true;
    },
    defineProperty(target, key, own) {
      return Reflect.defineProperty(target, key, 'value' in own ? { ...own, value: `${own.value}` } : own);
    },
  });
}

lazily('argv', () => args ??= ['/usr/local/bin/node', mainPath(), ...native.args()]);
lazily('env', () => environment ??= environmentObject());
lazily('stdout', () => lib('stdio').stdout);
lazily('stderr', () => lib('stdio').stderr);
lazily('stdin', () => lib('stdio').stdin);

const checkCode = (code) => {
  if (code === undefined || code === null) return;
  const number = typeof code === 'string' && code !== '' ? +code : code;
  if (typeof number !== 'number') throw invalidType('code', 'of type number', code);
  if (!isInteger(number)) throw lib('errors').outOfRange('code', 'an integer', code);
};
Object.defineProperty(process, 'exitCode', {
  configurable: true,
  enumerable: true,
  get: () => life.get(),
  set(code) {
    checkCode(code);
    wake();
    life.set(code);
  },
});

function hrtime(previous) {
  const t = now();
  let seconds = Math.floor(t / 1e9);
  let nanoseconds = Math.floor(t % 1e9);
  if (previous !== undefined) {
    if (!Array.isArray(previous)) throw invalidType('time', 'an instance of Array', previous);
    seconds -= previous[0];
    nanoseconds -= previous[1];
    if (nanoseconds < 0) { seconds--; nanoseconds += 1e9; }
  }
  return [seconds, nanoseconds];
}
hrtime.bigint = () => BigInt(now());

let processStart;
Object.assign(process, {
  title: 'node',
  version: 'v20.20.2',
  versions: { node: '20.20.2', quickjs: '0.16.2', sandgate: '1' },
  arch: 'wasm32',
  platform: 'linux',
  release: { name: 'node', lts: 'Iron' },
  argv0: 'node',
  execArgv: [],
  execPath: '/usr/local/bin/node',
  pid: 1,
  ppid: 0,
  features: { inspector: false, debug: false, uv: false, ipv6: false, tls: false, typescript: false },
  config: { target_defaults: {}, variables: {} },
  cwd: () => cwd,
  chdir(directory) {
    if (typeof directory !== 'string') throw invalidType('directory', 'of type string', directory);
    const target = lib('path').resolve(cwd, directory);
    lib('fs').checked(native.chdir(target), 'chdir', target);
    cwd = target;
  },
  umask: () => 18,
  getuid: () => 1000, geteuid: () => 1000, getgid: () => 1000, getegid: () => 1000,
  hrtime,
  uptime: () => (now() - (processStart ??= now())) / 1e9,
  nextTick(callback, ...rest) {
    if (typeof callback !== 'function') throw invalidType('callback', 'of type function', callback);
    loop.nextTick(callback, rest);
  },
  memoryUsage: Object.assign(() => {
    const used = native.memoryUsed();
    return { rss: used, heapTotal: used, heapUsed: used, external: 0, arrayBuffers: 0 };
  }, { rss: () => native.memoryUsed() }),
  cpuUsage: (previous) => {
    const user = Math.floor(now() / 1e3) - (previous?.user ?? 0);
    return { user, system: 0 };
  },
  resourceUsage: () => ({ userCPUTime: Math.floor(now() / 1e3), systemCPUTime: 0, maxRSS: native.memoryUsed() >> 10 }),
  exit(code) {
    checkCode(code);
    if (code !== undefined) life.set(code);
    life.exit();
  },
  reallyExit(code) { native.exit(+(code ?? 0)); },
  abort() { native.exit(134); },
  kill(pid, signal = 'SIGTERM') {
    if (pid === process.pid && signal !== 0) native.exit(signal === 'SIGKILL' ? 137 : 143);
    if (pid === process.pid) return true;
    throw Object.assign(new Error('kill ESRCH'), { errno: -3, code: 'ESRCH', syscall: 'kill' });
  },
  emitWarning(warning, type, code) {
    let name = 'Warning';
    if (type !== null && typeof type === 'object') ({ type, code } = type);
    if (typeof type === 'string') name = type;
    const error = typeof warning === 'string' ? Object.assign(new Error(warning), { name }) : warning;
    if (code) error.code = code;
    loop.nextTick(() => {
      process.emit('warning', error);
      write(2, `(node:${process.pid}) ${error.code ? `[${error.code}] ` : ''}${error.name}: ${error.message}\n`);
      if (!warned) write(2, '(Use `node --trace-warnings ...` to show where the warning was created)\n');
      warned = true;
    }, []);
  },
  binding(name) { throw coded(Error, 'ERR_INVALID_MODULE', `No such module: ${name}`); },
  getBuiltinModule: (id) => lib('builtins').get(id),
  // Listeners of these keep no program alive, but the loop must look at them before the end.
  on(event, listener) {
    wake();
    return EventEmitter.prototype.on.call(process, event, listener);
  },
  once(event, listener) {
    wake();
    return EventEmitter.prototype.once.call(process, event, listener);
  },
});
process.addListener = process.on;
for (const name of ['on', 'once', 'addListener']) Object.defineProperty(process, name, { enumerable: false });

module.exports = process;
