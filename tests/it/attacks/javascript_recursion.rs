//! JavaScript: recursion, through functions and through every part of C that calls back.

use sandgate_core::Status;

use super::{Expect, prints, raises, runs_out_of_memory};

/// The engine's word for a full stack.
fn overflows() -> Expect {
    raises("RangeError|InternalError")
}

attacks! { JavaScript;
    endless_recursion: "function f() { return f() + 1; } f()" => overflows();
    endless_tail_recursion: "const f = () => f(); f()" => overflows();
    endless_recursion_with_many_arguments: "function f(...a) { return f(...a, ...a.slice(0, 10)); } f(...Array(1000))" => overflows().or(Status::OutOfMemory).or(Status::FuelExhausted);
    mutual_recursion: "const f = () => g(), g = () => h(), h = () => f(); f()" => overflows();
    recursion_caught_and_tried_again: "function f() { try { f(); } catch { f(); } } f()" => overflows().or(Status::FuelExhausted);
    recursion_in_finally: "function f() { try { f(); } finally { f(); } } f()" => overflows().or(Status::FuelExhausted);
    constructor_recursion: "class A { constructor() { new A(); } } new A()" => overflows();
    super_recursion: "class A { constructor() { new B(); } } class B extends A {} new B()" => overflows();
    field_recursion: "class A { a = new A(); } new A()" => overflows();
    static_block_recursion: "function f() { class A { static { f(); } } } f()" => overflows();
    to_string_recursion: "const o = { toString() { return `${o}`; } }; `${o}`" => overflows();
    value_of_recursion: "const o = { valueOf() { return +o; } }; o + 1" => overflows();
    to_primitive_recursion: "const o = { [Symbol.toPrimitive]() { return o + 1; } }; o + 1" => overflows();
    to_json_recursion: "const o = { toJSON() { return JSON.stringify(o); } }; JSON.stringify(o)" => overflows();
    to_json_that_nests: "const o = { toJSON() { return { o: { toJSON: o.toJSON } }; } }; JSON.stringify(o)" => overflows().or(Status::FuelExhausted).or(Status::OutOfMemory);
    getter_recursion: "const o = { get x() { return o.x; } }; o.x" => overflows();
    setter_recursion: "const o = { set x(v) { o.x = v; } }; o.x = 1" => overflows();
    proxy_get_recursion: "const p = new Proxy({}, { get(t, k) { return p[k]; } }); p.x" => overflows();
    proxy_set_recursion: "const p = new Proxy({}, { set(t, k, v) { p[k] = v; } }); p.x = 1" => overflows();
    proxy_has_recursion: "const p = new Proxy({}, { has(t, k) { return k in p; } }); 'x' in p" => overflows();
    proxy_own_keys_recursion: "const p = new Proxy({}, { ownKeys() { return Object.keys(p); } }); Object.keys(p)" => overflows();
    proxy_prototype_recursion: "const p = new Proxy({}, { getPrototypeOf() { return Object.getPrototypeOf(p); } }); p instanceof Object" => overflows();
    proxy_of_its_own_prototype: "const p = new Proxy({}, {}); Object.setPrototypeOf(Object.getPrototypeOf({}) && p, null); const o = {}; Object.setPrototypeOf(o, p); Object.setPrototypeOf(p, o); o.missing" => overflows().or(Status::Ok);
    proxy_in_its_own_prototype_chain: "const o = {}; const p = new Proxy(o, {}); o.__proto__ = p; o.missing" => overflows().or(Status::FuelExhausted);
    proxy_apply_recursion: "const p = new Proxy(() => {}, { apply() { return p(); } }); p()" => overflows();
    proxy_construct_recursion: "const p = new Proxy(class {}, { construct() { return new p(); } }); new p()" => overflows();
    proxy_describe_recursion: "const p = new Proxy({}, { getOwnPropertyDescriptor(t, k) { return Object.getOwnPropertyDescriptor(p, k); } }); Object.getOwnPropertyDescriptor(p, 'x')" => overflows();
    proxy_define_recursion: "const p = new Proxy({}, { defineProperty(t, k, d) { return Reflect.defineProperty(p, k, d); } }); p.x = 1" => overflows();
    proxy_of_a_proxy: "let p = {}; for (let i = 0; i < 2e5; i++) p = new Proxy(p, {}); p.x" => overflows();
    proxy_tower_of_arrays: "let p = []; for (let i = 0; i < 2e5; i++) p = new Proxy(p, {}); Array.isArray(p)" => overflows().or(Status::Ok);
    proxy_tower_freed: "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p = null; console.log('freed')" => prints("freed\n");
    proxy_revoked_in_its_trap: "const { proxy, revoke } = Proxy.revocable({}, { get() { revoke(); return proxy.x; } }); proxy.x" => raises("TypeError");
    sort_comparator_recursion: "const f = () => [2, 1].sort(f) && 0; [2, 1].sort(f)" => overflows();
    replace_callback_recursion: "const f = s => s.replace(/a/, f); f('a')" => overflows();
    array_callback_recursion: "const f = x => [x].map(f); f(1)" => overflows();
    reduce_callback_recursion: "const f = () => [1, 2].reduce(f); f()" => overflows();
    array_from_recursion: "const f = () => Array.from([1], f); f()" => overflows();
    reviver_recursion: "const f = () => JSON.parse('[1]', f); f()" => overflows();
    replacer_recursion: "const f = () => JSON.stringify([1], f); f()" => overflows();
    reflect_apply_recursion: "const f = () => Reflect.apply(f, null, []); f()" => overflows();
    reflect_construct_recursion: "function F() { Reflect.construct(F, []); } F()" => overflows();
    call_recursion: "function f() { f.call.call(f); } f()" => overflows();
    apply_recursion: "function f() { f.apply(f, arguments); } f(1, 2, 3)" => overflows();
    bind_chain: "let f = () => 1; for (let i = 0; i < 2e5; i++) f = f.bind(null); f()" => overflows().or(Status::OutOfMemory);
    bind_chain_with_arguments: "let f = () => 1; for (let i = 0; i < 1e4; i++) f = f.bind(null, i); f()" => overflows().or(Status::Ok).or(Status::OutOfMemory);
    has_instance_recursion: "class A { static [Symbol.hasInstance](x) { return x instanceof A; } } 1 instanceof A" => overflows();
    species_recursion: "class A extends Array { static get [Symbol.species]() { return new A(1).map(x => x), Array; } } new A(1).map(x => x)" => overflows();
    iterator_recursion: "const o = { [Symbol.iterator]() { return [...o][Symbol.iterator](); } }; [...o]" => overflows();
    generator_delegation_to_itself: "function* g() { yield* g(); } g().next()" => overflows();
    generator_tower: "function* g(i) { yield* i; } let it = [1].values(); for (let i = 0; i < 1e5; i++) it = g(it); it.next()" => overflows();
    iterator_helper_tower: "let it = [1].values(); for (let i = 0; i < 1e5; i++) it = it.map(x => x); it.next()" => overflows();
    generator_resumed_while_it_runs: "function* g() { it.next(); yield; } const it = g(); it.next()" => raises("TypeError");
    tagged_template_recursion: "const f = () => f`x${1}`; f()" => overflows();
    eval_recursion: "const s = 'eval(s)'; eval(s)" => overflows();
    function_constructor_recursion: "globalThis.f = () => new Function('f()')(); f()" => raises("RangeError|InternalError|SyntaxError");
    require_recursion: "require('fs').writeFileSync('/work/a.js', 'require(\"fs\").writeFileSync(__filename + \"x.js\", \"\"); delete require.cache; require(\"./a.js\")'); require('/work/a.js'); console.log('ended')" => prints("ended\n").or(Status::Error);
    array_join_recursion: "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; String(a)" => overflows();
    array_to_string_of_a_cycle: "const a = []; a.push(a, a); console.log(String(a) === ',')" => prints("true\n").or(Status::Error).or(Status::FuelExhausted);
    array_flat_of_depth: "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; a.flat(Infinity)" => overflows();
    array_flat_of_a_cycle: "const a = []; a.push(a); a.flat(Infinity)" => overflows();
    array_concat_of_itself: "let a = [1]; for (;;) a = a.concat(a)" => super::runs_out_of_memory().or(Status::FuelExhausted);
    structured_clone_of_depth: "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; structuredClone(a)" => overflows().or(Status::Ok);
    structured_clone_of_a_cycle: "const a = {}; a.a = a; const b = structuredClone(a); console.log(b.a === b)" => prints("true\n");
    console_log_of_depth: "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; console.log(a)" => prints("[ [ [ [Array] ] ] ]\n");
    console_log_of_a_cycle: "const a = {}; a.a = a; console.log(a)" => prints("<ref *1> { a: [Circular *1] }\n");
    console_dir_of_depth: "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; console.dir(a, { depth: null })" => raises("RangeError").or(Status::Ok).or(Status::OutputLimit).or(Status::FuelExhausted).or(Status::OutOfMemory);
    deep_equality: "const m = () => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a; }; require('assert').deepEqual(m(), m())" => raises("RangeError|AssertionError|InternalError").or(Status::Ok).or(Status::FuelExhausted);
    linked_list_freed: "let n = null; for (let i = 0; i < 3e5; i++) n = { n }; n = null; console.log('freed')" => prints("freed\n");
    array_tower_freed: "let n = []; for (let i = 0; i < 3e5; i++) n = [n]; n = null; console.log('freed')" => prints("freed\n");
    closure_chain_freed: "let f = null; const w = g => () => g; for (let i = 0; i < 3e5; i++) f = w(f); f = null; console.log('freed')" => prints("freed\n");
    promise_chain_freed: "let p = Promise.resolve(); for (let i = 0; i < 5e4; i++) p = p.then(() => 1); p = null; console.log('freed')" => prints("freed\n");
    map_tower_freed: "let m = new Map(); for (let i = 0; i < 2e5; i++) m = new Map([[m, m]]); m = null; console.log('freed')" => prints("freed\n");
    weak_map_chain_freed: "let w = new WeakMap(), k = {}, first = k; for (let i = 0; i < 1e5; i++) { const n = {}; w.set(k, n); k = n; } first = k = null; console.log('freed')" => prints("freed\n");
    concatenation_chain_flattened: "let s = ''; for (let i = 0; i < 1e6; i++) s = 'a' + s + 'b'; console.log(s.length, s[1e6])" => prints("2000000 b\n").or(Status::FuelExhausted).or(Status::OutOfMemory);
    error_cause_chain: "let e; for (let i = 0; i < 1e5; i++) e = new Error('x', { cause: e }); throw e" => raises("Error");
    error_cause_cycle: "const e = new Error('x'); e.cause = e; throw e" => raises("Error");
    aggregate_error_tower: "let e = new Error('x'); for (let i = 0; i < 1e5; i++) e = new AggregateError([e]); throw e" => raises("AggregateError|RangeError");
    prototype_chain: "let o = {}; for (let i = 0; i < 1e6; i++) o = Object.create(o); console.log(o.missing)" => runs_out_of_memory();
    prototype_cycle: "const a = {}, b = Object.create(a); Object.setPrototypeOf(a, b)" => raises("TypeError");
    class_tower: "let C = class {}; for (let i = 0; i < 1e5; i++) C = class extends C {}; new C()" => overflows().or(Status::OutOfMemory);
    async_recursion: "const f = async () => { await f(); }; f()" => overflows().or(Status::OutOfMemory).or(Status::FuelExhausted);
    async_recursion_after_waiting: "const f = async n => { await null; return f(n + 1); }; f(0)" => super::burns_its_fuel().or(Status::OutOfMemory);
    thenable_recursion: "const t = { then(r) { r(t); } }; Promise.resolve(t)" => super::burns_its_fuel();
    thenable_recursion_at_once: "const t = { then(r) { t.then(r); } }; Promise.resolve(t)" => overflows().or(Status::Ok);
    promise_chain: "let p = Promise.resolve(0); for (let i = 0; i < 1e5; i++) p = p.then(x => x + 1); console.log(await p)" => prints("100000\n");
    promise_nest: "let p = Promise.resolve(0); for (let i = 0; i < 2e4; i++) { const q = p; p = new Promise(r => r(q)); } console.log(await p)" => prints("0\n");
    promise_of_itself: "let r; const p = new Promise(x => { r = x; }); r(p); p.catch(e => console.log(e.name))" => prints("TypeError\n");
    emitter_recursion: "const e = new (require('events'))(); e.on('x', () => e.emit('x')); e.emit('x')" => overflows();
    inspect_recursion: "const u = require('util'), o = { [u.inspect.custom]() { return u.inspect(o); } }; u.inspect(o)" => overflows();
    exit_handler_recursion: "process.on('exit', () => process.exit()); process.exit(3)" => super::fails();
    uncaught_handler_recursion: "process.on('uncaughtException', () => { throw new Error('again'); }); throw new Error('first')" => raises("Error");
}
