// The prelude's entry, evaluated once before the snapshot. Its value is a function of the native
// operations, made for either realm, that returns the hooks the guest's C code calls.
//
// There are two realms. Most of the prelude is evaluated in the program's: what it makes are the
// program's own arrays, errors and functions, and a program may change what they inherit. What must
// work whatever a program has done is evaluated in a realm of its own, whose intrinsics no program
// can reach. Two rules keep it so: such a module hands no object of its own to the program, and calls
// the program's functions by Reflect.apply alone. (Errors it throws are the program's: see init.h.inc.)
(function boot(native, programNative) {
  'use strict';
  const APART = new Set(['main', 'life', 'fatal', 'loop', 'emit', 'display', 'print', 'format', 'table', 'inspect', 'inspect-error', 'inspect-text', 'width']);
  const cache = new Map();
  const decode = (path) => {
    const fd = native.open(path, native.openFlags.O_RDONLY, 0);
    if (fd < 0) throw new Error(`the prelude has no ${path}`);
    const bytes = new Uint8Array(native.stat(fd)[1]);
    native.read(fd, bytes, 0, bytes.length, null);
    native.close(fd);
    return native.utf8Decode(bytes, true);
  };
  // Modules of the prelude name each other by file: lib('inspect') is lib/inspect.js.
  function lib(name) {
    let module = cache.get(name);
    if (!module) {
      const natives = APART.has(name) ? native : programNative;
      module = { exports: natives.compile('({})', 'node:exports') };
      cache.set(name, module);
      if (name.endsWith('.json')) {
        module.exports = JSON.parse(decode(`/lib/${name}`));
        return module.exports;
      }
      const source = decode(`/lib/${name}.js`);
      const body = natives.compile(`(function (module, exports, lib, native) {${source}\n})`, `node:internal/${name}`);
      body(module, module.exports, lib, natives);
    }
    return module.exports;
  }
  return lib('main').hooks;
})
