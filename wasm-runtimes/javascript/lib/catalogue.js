// What the build writes down about this guest: every name that can be imported.
'use strict';
const builtins = lib('builtins');
const packages = lib('packages');

const owner = (name) => /^((?:@[^/]+\/)?[^/]+)/.exec(name)[1];
const modules = [];
for (const name of builtins.names()) modules.push({ name, package: null }, { name: `node:${name}`, package: null });
for (const name of packages.names()) modules.push({ name, package: owner(name) });
module.exports = {
  language: 'javascript',
  version: '0.16.2',
  implementation: 'QuickJS-ng',
  modules,
  packages: [...packages.versions].map(([name, version]) => ({ name, version })),
};
