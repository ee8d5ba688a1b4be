//! JavaScript: ways to leave, hostile errors, and a prelude that is tampered with.
//!
//! A snippet that breaks the language's own objects is still told what its error was, and what
//! follows is clean.

use sandgate_core::Status;

use super::{burns_its_fuel, fails, little_memory, prints, raises};

attacks! { JavaScript;
    exit_with_a_code: "process.exit(7)" => fails();
    exit_with_success: "process.exit(0); console.log('never')" => prints("");
    exit_with_a_negative_code: "process.exit(-1)" => fails();
    exit_with_a_huge_code: "process.exit(256 + 7)" => fails();
    exit_with_a_hostile_code: "process.exit({ valueOf() { throw new Error('no'); } })" => fails();
    exit_with_text: "process.exit('x')" => fails();
    exit_code_set: "process.exitCode = 4" => fails();
    exit_code_hostile: "process.exitCode = { valueOf() { for (;;); } }" => fails().or(Status::FuelExhausted);
    exit_within_a_promise: "Promise.resolve().then(() => process.exit(5))" => fails();
    exit_within_a_timer: "setTimeout(() => process.exit(5), 1); setTimeout(() => console.log('never'), 20)" => fails().and_prints("");
    exit_swallowed: "try { process.exit(5); } catch { } finally { console.log('stayed'); for (;;); }" => fails().and_prints("");
    exit_replaced: "process.exit = () => {}; process.reallyExit = () => {}; throw new Error('x')" => raises("Error");
    exit_handler_that_throws: "process.on('exit', () => { throw new Error('at exit'); })" => raises("Error");
    exit_handler_that_throws_after_an_error: "process.on('exit', () => { throw new RangeError('second'); }); throw new TypeError('first')" => raises("TypeError");
    exit_handler_that_fills_the_memory_after_an_error: "process.on('exit', () => { const a = []; for (;;) a.push({}); }); throw new TypeError('first')" => raises("TypeError").limits(little_memory);
    exit_handler_that_schedules: "process.on('exit', () => setTimeout(() => console.log('never'), 0))" => prints("");
    exit_handlers_without_end: "process.on('beforeExit', () => setTimeout(() => {}, 0))" => burns_its_fuel().or(Status::Timeout).or(Status::Ok);
    abort: "process.abort()" => fails().or(Status::Crashed);
    killing_itself: "process.kill(process.pid, 'SIGKILL')" => fails().or(Status::Crashed);
    subprocess: "require('child_process').execSync('id')" => fails();
    worker_thread: "new (require('worker_threads').Worker)('x')" => fails();
    web_worker: "new Worker('x')" => fails();
    network: "require('net').connect(80, '127.0.0.1')" => fails();
    web_request: "await fetch('http://127.0.0.1/')" => fails();
    http_request: "require('http').get('http://127.0.0.1/')" => fails();
    dns: "require('dns').lookup('localhost', () => {})" => fails();
    native_addon: "require('/work/x.node')" => fails();
    process_binding: "process.binding('fs')" => fails();
    process_dlopen: "process.dlopen({}, '/lib/x.so')" => fails();
    vm_escape: "require('vm').runInNewContext('this.constructor.constructor(\"return process\")()')" => fails();
    web_assembly: "new WebAssembly.Memory({ initial: 65536 })" => raises("ReferenceError|TypeError");
    throw_null: "throw null" => fails();
    throw_undefined: "throw undefined" => fails();
    throw_a_symbol: "throw Symbol('x')" => fails();
    throw_a_bigint: "throw 10n" => fails();
    throw_a_function: "throw function f() {}" => fails();
    throw_an_object_without_prototype: "throw Object.create(null)" => fails();
    throw_a_hostile_proxy: "throw new Proxy({}, new Proxy({}, { get() { throw new Error('trap'); } }))" => fails();
    throw_a_revoked_proxy: "const { proxy, revoke } = Proxy.revocable(new Error('x'), {}); revoke(); throw proxy" => fails();
    throw_an_endless_proxy: "throw new Proxy(new Error('x'), { get() { for (;;); } })" => fails().or(Status::FuelExhausted);
    throw_hostile_getters: "throw { get name() { throw 1; }, get message() { throw 2; }, get stack() { throw 3; } }" => fails();
    throw_endless_getters: "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;); } }); throw e" => fails().or(Status::FuelExhausted);
    throw_a_hostile_name: "const e = new Error('x'); e.name = { toString() { throw new Error('no'); } }; throw e" => fails();
    throw_a_hostile_message: "const e = new Error('x'); e.message = { toString() { return {}; } }; throw e" => fails();
    throw_a_hostile_constructor: "class E extends Error {} Object.defineProperty(E.prototype, 'constructor', { get() { throw 1; } }); throw new E('x')" => fails();
    throw_with_nulls: r"const e = new Error('a\0b\ud800'); e.name = 'N\0\n'; throw e" => fails();
    throw_a_stack_of_megabytes: "const e = new Error('x'); e.stack = 's'.repeat(20 << 20); throw e" => fails().or(Status::OutputLimit).or(Status::OutOfMemory).or(Status::FuelExhausted);
    throw_in_finally: "try { throw new Error('first'); } finally { throw new TypeError('second'); }" => raises("TypeError");
    throw_in_a_microtask: "queueMicrotask(() => { throw new RangeError('late'); }); console.log('first')" => raises("RangeError").and_prints("first\n");
    throw_in_a_tick: "process.nextTick(() => { throw new RangeError('late'); })" => raises("RangeError");
    throw_in_a_generator_return: "function* g() { try { yield; } finally { throw new RangeError('x'); } } for (const x of g()) break;" => raises("RangeError");
    rejection_unhandled: "Promise.reject(new RangeError('x'))" => raises("RangeError");
    rejection_with_nothing: "Promise.reject()" => fails();
    rejection_with_a_hostile_reason: "Promise.reject(new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 2; } }))" => fails();
    rejection_handled_late: "const p = Promise.reject(new Error('x')); setTimeout(() => p.catch(() => {}), 10)" => fails();
    prepare_stack_trace: "Error.prepareStackTrace = () => { throw new Error('hook'); }; throw new TypeError('x')" => raises("TypeError|Error");
    prepare_stack_trace_that_loops: "Error.prepareStackTrace = () => { for (;;); }; new Error('x').stack" => burns_its_fuel().or(Status::Ok);
    prepare_stack_trace_that_recurses: "Error.prepareStackTrace = () => { throw new Error('x'); }; null.x" => fails();
    stack_trace_limit: "Error.stackTraceLimit = 1e9; (function f(n) { if (n) f(n - 1); else throw new Error('x'); })(500)" => raises("Error");
    stack_trace_limit_hostile: "Error.stackTraceLimit = { valueOf() { throw 1; } }; throw new TypeError('x')" => fails();
    console_removed: "delete globalThis.console; throw new Error('x')" => raises("Error");
    console_replaced: "console.log = console.error = () => { throw new Error('no'); }; Promise.reject(new TypeError('x'))" => raises("TypeError");
    json_replaced: "JSON.stringify = () => { throw new Error('no'); }; JSON.parse = null; ({ a: 1 })" => prints("");
    json_replaced_then_error: "JSON.stringify = () => '{\"type\":\"Forged\"}'; throw new TypeError('x')" => raises("TypeError");
    object_prototype_polluted: "Object.prototype.type = 'Forged'; Object.prototype.get = () => 1; Object.prototype.value = 5; Object.prototype.then = r => r(1); throw new TypeError('x')" => raises("TypeError");
    object_prototype_with_setters: "for (const k of ['type', 'message', 'traceback', 'line', 'name', 'stack', 'text/plain', '0', '1', 'due', 'owner', 'value', 'writable']) Object.defineProperty(Object.prototype, k, { __proto__: null, set() { throw new Error('setter'); }, get() { throw new Error('getter'); }, configurable: true }); console.log([1], { a: 1 }); setTimeout(() => null.x, 1)" => raises("TypeError").and_prints("[ 1 ] { a: 1 }
");
    array_prototype_polluted: "for (const k of ['push', 'map', 'join', 'slice', 'forEach', 'indexOf', 'shift', 'filter', 'concat']) Array.prototype[k] = () => { throw new Error('no'); }; throw new TypeError('x')" => raises("TypeError");
    array_iterator_replaced: "Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1; }; throw new TypeError('x')" => raises("TypeError");
    array_setters_on_indices: "for (let i = 0; i < 100; i++) Object.defineProperty(Array.prototype, i, { set() { throw new Error('setter'); } }); console.log('a', 1); throw new TypeError('x')" => raises("TypeError").and_prints("a 1\n");
    string_prototype_polluted: "for (const k of ['split', 'replace', 'slice', 'startsWith', 'indexOf', 'padStart', 'repeat', 'includes', 'match']) String.prototype[k] = () => { throw new Error('no'); }; throw new TypeError('x')" => raises("TypeError");
    regexp_prototype_polluted: "RegExp.prototype.exec = RegExp.prototype[Symbol.replace] = RegExp.prototype.test = () => { throw new Error('no'); }; throw new TypeError('x')" => raises("TypeError");
    function_prototype_polluted: "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw new Error('no'); }; setTimeout(() => { throw new TypeError('x'); }, 0)" => raises("TypeError");
    promise_prototype_polluted: "Promise.prototype.then = Promise.prototype.catch = () => { throw new Error('no'); }; Promise.reject(new TypeError('x'))" => raises("TypeError");
    map_prototype_polluted: "Map.prototype.get = Map.prototype.set = Map.prototype.delete = Set.prototype.add = WeakMap.prototype.get = () => { throw new Error('no'); }; setTimeout(() => console.log('ran'), 1)" => prints("ran\n");
    reflect_removed: "for (const k of Object.getOwnPropertyNames(Reflect)) delete Reflect[k]; for (const k of Object.getOwnPropertyNames(Object)) try { delete Object[k]; } catch {} throw new TypeError('x')" => raises("TypeError");
    symbols_replaced: "for (const k of ['iterator', 'toPrimitive', 'toStringTag']) try { Symbol[k] = null; } catch {} Symbol.for = () => { throw new Error('no'); }; console.log({ a: 1 })" => prints("{ a: 1 }\n");
    error_replaced: "globalThis.Error = globalThis.TypeError = function () { throw 1; }; null.x" => raises("TypeError");
    error_prototype_polluted: "Error.prototype.toString = () => { throw 1; }; Error.prototype.name = null; Object.defineProperty(Error.prototype, 'message', { get() { throw 2; } }); null.x" => raises("TypeError");
    process_replaced: "globalThis.process = null; console.log('x'); throw new TypeError('x')" => raises("TypeError").and_prints("x\n");
    process_events_tampered: "process.emit = process.on = process.listeners = () => { throw new Error('no'); }; throw new TypeError('x')" => raises("TypeError");
    every_global_deleted: "for (const k of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[k]; } catch {} null.x" => raises("TypeError");
    every_global_frozen: "for (const k of Object.getOwnPropertyNames(globalThis)) try { Object.freeze(globalThis[k]); Object.freeze(globalThis[k].prototype); } catch {} Object.freeze(globalThis); console.log({ a: [1] }); setTimeout(() => console.log('ran'), 1)" => prints("{ a: [ 1 ] }\nran\n");
    every_method_replaced: r"
        const found = [];
        for (const name of Object.getOwnPropertyNames(globalThis))
            for (const target of [globalThis[name], globalThis[name]?.prototype])
                if (Object(target) === target && target !== globalThis) for (const key of Reflect.ownKeys(target)) found.push([target, key]);
        const own = Object.getOwnPropertyDescriptor;
        for (let i = 0; i < found.length; i++) {
            const target = found[i][0], key = found[i][1];
            if (key !== 'constructor' && typeof own(target, key)?.value === 'function') try { target[key] = () => { throw 'tampered'; }; } catch {}
        }
        null.x;
    " => raises("TypeError");
    array_setters_then_every_queue: "for (let i = 0; i < 100; i++) Object.defineProperty(Array.prototype, i, { set() { throw new Error('setter'); } }); process.nextTick(console.log, 'tick'); queueMicrotask(() => console.log('microtask')); setImmediate(console.log, 'immediate'); process.on('exit', (c) => console.log('exit', c)); Promise.reject(1).catch(() => {}); setTimeout(() => { Promise.reject(new RangeError('x')); }, 5)" => raises("RangeError").and_prints("tick\nmicrotask\nimmediate\nexit 1\n");
    timer_taken_apart: "const t = setTimeout(() => { throw new RangeError('x'); }, 1); for (const k of Reflect.ownKeys(t)) delete t[k]; Object.setPrototypeOf(t, null); Object.freeze(t)" => raises("RangeError");
    listeners_broken: "Object.defineProperty(process, '_events', { get() { throw new Error('no'); } }); throw new RangeError('x')" => raises("RangeError");
    inspect_defaults_broken: "const { defaultOptions } = require('util').inspect; for (const k in defaultOptions) defaultOptions[k] = { valueOf() { throw new Error('no'); } }; throw new RangeError('x')" => raises("RangeError");
    inspect_exits_while_it_is_reported: "const e = new RangeError('x'); e[Symbol.for('nodejs.util.inspect.custom')] = () => process.exit(0); throw e" => raises("RangeError");
    exit_code_made_good: "process.on('exit', () => { process.exitCode = 0; }); throw new RangeError('x')" => raises("RangeError");
    exit_made_good: "process.on('exit', () => process.exit(0)); Promise.reject(new RangeError('x'))" => raises("RangeError");
    exit_code_beyond_a_byte: "process.exitCode = 512; null.x" => raises("TypeError");
    inspect_raises_while_it_is_reported: "const e = new RangeError('x'); e[Symbol.for('nodejs.util.inspect.custom')] = () => { throw new Error('no'); }; throw e" => raises("RangeError");
    inspect_recurses_while_it_is_reported: "const e = new RangeError('x'); e[Symbol.for('nodejs.util.inspect.custom')] = () => { throw e; }; Object.defineProperty(e, 'name', { get() { return e.name; } }); throw e" => raises("RangeError");
    error_without_a_name: "const e = new RangeError('x'); e.name = ''; Object.setPrototypeOf(e, null); throw e" => raises("Error");
    error_with_a_name_of_megabytes: "const e = new RangeError('x'); e.name = 'N'.repeat(5 << 20); throw e" => fails().or(Status::FuelExhausted);
    prelude_realm_by_a_proxy: "const get = new Proxy(() => 'x', { apply(target, self, args) { args.constructor.prototype.push = args.constructor.constructor('return this')().Object.prototype.toString = null; return 'x'; } }); console.log(Object.defineProperties({}, { constructor: { get }, [Symbol.toStringTag]: { get } })); throw new RangeError('x')" => raises("RangeError").and_prints("Object [x] {}\n");
    module_cache_poisoned: "require.cache && Object.keys(require.cache).forEach(k => require.cache[k] = null); require('util').inspect = () => { throw new Error('no'); }; console.log({ a: 1 })" => prints("{ a: 1 }\n").or(Status::Ok);
    host_functions_forged: "for (const k of Object.getOwnPropertyNames(globalThis)) if (/sandgate|native|hook|report/i.test(k)) console.log(k)" => prints("");
    proto_pollution_by_json: r#"Object.assign({}, JSON.parse('{"__proto__": {"polluted": 1}}')); console.log({}.polluted)"# => prints("undefined\n");
    strict_globals: "(() => { 'use strict'; undefined = 1; })()" => raises("TypeError");
}
