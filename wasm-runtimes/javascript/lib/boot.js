// The prelude's entry, evaluated once before the snapshot. Its value is a function of the native
// operations that returns the hooks the guest's C code calls.
(function boot(native) {
  'use strict';
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
      module = { exports: {} };
      cache.set(name, module);
      if (name.endsWith('.json')) {
        module.exports = JSON.parse(decode(`/lib/${name}`));
        return module.exports;
      }
      const source = decode(`/lib/${name}.js`);
      const body = native.compile(`(function (module, exports, lib, native) {${source}\n})`, `node:internal/${name}`);
      body(module, module.exports, lib, native);
    }
    return module.exports;
  }
  return lib('main').hooks;
})
