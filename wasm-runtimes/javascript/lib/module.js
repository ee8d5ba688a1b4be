// node:module.
'use strict';
const builtins = lib('builtins');
class Module {}
module.exports = Object.assign(Module, {
  Module, builtinModules: builtins.names(), isBuiltin: (name) => builtins.has(`${name}`.replace(/^node:/, '')),
  createRequire: (from) => lib('loader').requireFor(`${from}`.startsWith('file:') ? lib('url').fileURLToPath(from) : `${from}`),
});
