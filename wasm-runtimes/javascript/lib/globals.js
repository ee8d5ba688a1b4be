// The global object as Node has it.
'use strict';
const timers = lib('timers');
const loader = lib('loader');

const hidden = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
const shown = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: true });

// The order in which Node lists its own enumerable globals.
shown('global', globalThis);
shown('clearImmediate', timers.clearImmediate);
shown('setImmediate', timers.setImmediate);
shown('clearInterval', timers.clearInterval);
shown('clearTimeout', timers.clearTimeout);
shown('setInterval', timers.setInterval);
shown('setTimeout', timers.setTimeout);
shown('queueMicrotask', timers.queueMicrotask);
shown('structuredClone', lib('clone'));
const { TextEncoder, TextDecoder, atob, btoa } = lib('encoding');
shown('atob', atob);
shown('btoa', btoa);
shown('performance', lib('performance'));
shown('fetch', async function fetch() {
  throw new TypeError('fetch failed', { cause: new Error('there is no network in the sandbox') });
});
lib('intl');
hidden('console', lib('console'));
hidden('process', lib('process'));
hidden('TextEncoder', TextEncoder);
hidden('TextDecoder', TextDecoder);
for (const name of ['Event', 'CustomEvent', 'EventTarget', 'AbortSignal', 'AbortController']) hidden(name, lib('abort')[name]);
hidden('Buffer', lib('builtins').get('buffer').Buffer);
hidden('Blob', lib('buffer').Blob);
hidden('File', lib('buffer').File);
hidden('URL', lib('url').URL);
hidden('URLSearchParams', lib('url').URLSearchParams);
shown('crypto', lib('crypto').webcrypto);
hidden('Crypto', lib('crypto').webcrypto.constructor);
const { display: show } = lib('display');
hidden('display', function display(...values) { for (let i = 0; i < values.length; i++) show(values[i]); });

// A script is the program's main module: these are its wrapper's parameters in Node.
hidden('module', loader.main);
hidden('exports', loader.main.exports);
hidden('require', loader.requireFor('/work/main.js'));
hidden('__filename', '/work/main.js');
hidden('__dirname', '/work');
