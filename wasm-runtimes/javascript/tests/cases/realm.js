// expect: sandgate
// The prelude's own realm must be out of reach: whatever a program can get hold of inherits from the
// program's own intrinsics.
const util = require('node:util');
const seen = new Set();
const queue = [];
const reach = (value) => {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function') || seen.has(value)) return;
  seen.add(value);
  queue.push(value);
};
reach(globalThis);
for (const name of ['assert', 'buffer', 'console', 'crypto', 'events', 'fs', 'fs/promises', 'module', 'os', 'path', 'perf_hooks', 'process', 'querystring', 'readline', 'stream', 'string_decoder', 'timers', 'timers/promises', 'url', 'util']) reach(require(`node:${name}`));

// What the prelude hands to a program's own functions, its errors included.
const spy = (result) => new Proxy(function spied() {}, { apply(target, self, args) { reach(self); reach(args); args.forEach(reach); return typeof result === 'function' ? result() : result; } });
const get = spy('x');
const odd = Object.defineProperties({}, { constructor: { get }, [Symbol.toStringTag]: { get }, [Symbol.iterator]: { get }, plain: { get, enumerable: true } });
util.inspect(odd, { getters: true });
util.inspect({ [util.inspect.custom]: spy('x') }, { depth: 1, sorted: spy(0) });
util.inspect({ b: 1, a: 2, [util.inspect.custom]: spy({ a: 1 }) }, { sorted: spy(0) });
util.inspect(new Proxy({}, Object.fromEntries(['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'].map((trap) => [trap, spy()]))), { showProxy: true });
util.format('%s %d %i %f %j %o %O', { toString: spy('x') }, { valueOf: spy(1) }, {}, {}, { toJSON: spy(1) }, odd, odd);
console.table(new Proxy([{ a: 1 }], { get: spy(1) }), ['a']);
const caught = (f) => { try { f(); } catch (error) { reach(error); } };
caught(() => console.table([1], 5));
caught(() => util.inspect({ get [util.inspect.custom]() { return null.x; } }));
caught(() => { const deep = () => deep(util.inspect({})); deep(); });
caught(() => util.format('%s', { toString: null, [Symbol.toPrimitive]: () => ({}) }));
caught(() => display({ _repr_html_: spy('x'), _repr_json_: spy({ toJSON: spy(1) }), _repr_mimebundle_: spy({}) }));
setTimeout(spy(), 0, 1);
setImmediate(spy(), 1);
queueMicrotask(spy());
process.nextTick(spy(), 1);
process.on('uncaughtException', spy());
process.on('unhandledRejection', spy());
process.once('beforeExit', spy());
Promise.reject(new Error('x'));
setTimeout(() => null.x, 1);
process.on('exit', spy());
process.on('exit', () => {
  let strangers = 0;
  while (queue.length > 0) {
    const value = queue.pop();
    const parent = Object.getPrototypeOf(value);
    // Every chain of prototypes ends in an Object.prototype, or is an object without one.
    if (parent === null && value !== Object.prototype && Object.hasOwn(value, 'hasOwnProperty')) strangers++;
    if (typeof value === 'function' && parent !== null && Object.hasOwn(parent, 'apply') && parent !== Function.prototype) strangers++;
    reach(parent);
    for (const key of Reflect.ownKeys(value)) {
      const own = Object.getOwnPropertyDescriptor(value, key);
      reach(own.get);
      reach(own.set);
      reach(own.value);
    }
  }
  console.log(seen.size > 1500, strangers);
});
