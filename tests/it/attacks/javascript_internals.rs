//! JavaScript: objects that change under the engine's hands.
//!
//! These are the shapes of the engine's past memory-safety defects. The wasm sandbox is the wall
//! for those that are still unknown; the known ones must be the language's own errors.

use sandgate_core::Status;

use super::{fails, prints, raises};

attacks! { JavaScript;
    array_shrinks_in_map: "const a = [1, 2, 3, 4]; console.log(a.map((x, i) => { a.length = 1; return x; }).length)" => prints("4\n");
    array_shrinks_in_splice: "const a = Array(100).fill(1); a.splice({ valueOf() { a.length = 1; return 0; } }, 50); console.log(a.length)" => prints("50\n");
    array_shrinks_in_fill: "const a = Array(100).fill(1); a.fill(2, { valueOf() { a.length = 0; return 0; } }); console.log('filled')" => prints("filled\n");
    array_shrinks_in_copy_within: "const a = Array(1000).fill(1); a.copyWithin(0, { valueOf() { a.length = 1; return 500; } }); console.log('copied')" => prints("copied\n");
    array_shrinks_in_concat: "const a = Array(100).fill(1); Object.defineProperty(a, 50, { get() { a.length = 1; return 1; } }); console.log([].concat(a).length)" => prints("100\n");
    array_shrinks_in_join: "const a = Array(100).fill(1); a[0] = { toString() { a.length = 1; return 'x'; } }; console.log(a.join('').length)" => prints("1\n");
    array_shrinks_in_includes: "const a = Array(100).fill(1); console.log(a.includes(2, { valueOf() { a.length = 0; return 0; } }))" => prints("false\n");
    array_shrinks_in_slice: "const a = Array(1e5).fill(1); console.log(a.slice(0, { valueOf() { a.length = 1; return 1e5; } }).length)" => prints("100000\n").or(Status::Ok);
    array_shrinks_in_spread: "const a = [1, 2, 3]; a[Symbol.iterator] = function* () { yield 1; a.length = 0; yield 2; }; console.log([...a])" => prints("[ 1, 2 ]\n");
    array_shrinks_in_apply: "const a = [1, 2, 3]; Object.defineProperty(a, 0, { get() { a.length = 1; return 1; } }); console.log(Math.max.apply(null, a))" => prints("NaN\n").or(Status::Ok);
    array_species_shrinks: "class A extends Array { static get [Symbol.species]() { return function () { return new Proxy([], { defineProperty() { a.length = 0; return true; } }); }; } } const a = new A(1, 2, 3); a.map(x => x); console.log('mapped')" => prints("mapped\n");
    array_becomes_slow_in_sort: "const a = Array.from({ length: 100 }, (_, i) => -i); a.sort((x, y) => { Object.defineProperty(a, '5', { get: () => 1, configurable: true }); delete a[5]; return x - y; }); console.log(a.length)" => prints("100\n").or(Status::Error);
    array_prototype_given_elements: "Array.prototype[3] = 'x'; Object.defineProperty(Array.prototype, 4, { get() { return 'y'; }, configurable: true }); console.log([, , , , , 5].slice(3).length)" => prints("3\n");
    array_length_by_value_of: "const a = [1]; a.length = { n: 0, valueOf() { a.push(1, 2, 3); return this.n++ ? 2 : 2; } }; console.log(a.length)" => prints("2\n").or(Status::Error);
    arguments_aliased: "function f(a) { arguments.length = 1e9; arguments[0] = 2; delete arguments[0]; arguments[0] = 3; return a; } console.log(f(1))" => prints("2\n");
    buffer_detached_in_fill: "const b = new ArrayBuffer(100), t = new Uint8Array(b); t.fill({ valueOf() { b.transfer && b.transfer(); return 1; } }); console.log('filled')" => prints("filled\n").or(Status::Error);
    buffer_detached_in_set: "const b = new ArrayBuffer(100), t = new Uint8Array(b); t.set({ length: 2, get 0() { b.transfer(); return 1; }, 1: 2 }); console.log(t.length)" => prints("0\n").or(Status::Error);
    buffer_detached_in_slice: "const b = new ArrayBuffer(100), t = new Uint8Array(b); t.slice(0, { valueOf() { b.transfer(); return 100; } })" => raises("TypeError").or(Status::Ok);
    buffer_detached_in_sort: "const b = new ArrayBuffer(800), t = new Float64Array(b); t.sort(() => { try { b.transfer(); } catch {} return 1; }); console.log(t.length)" => prints("0\n").or(Status::Error);
    buffer_detached_in_subarray: "const b = new ArrayBuffer(100), t = new Uint8Array(b); t.subarray(0, { valueOf() { b.transfer(); return 100; } })" => raises("TypeError|RangeError").or(Status::Ok);
    buffer_detached_in_data_view: "const b = new ArrayBuffer(8), d = new DataView(b); d.setUint32(0, { valueOf() { b.transfer(); return 1; } })" => raises("TypeError");
    buffer_detached_in_copy_within: "const b = new ArrayBuffer(1000), t = new Uint8Array(b); t.copyWithin(0, { valueOf() { b.transfer(); return 500; } })" => raises("TypeError").or(Status::Ok);
    buffer_detached_in_includes: "const b = new ArrayBuffer(1000), t = new Uint8Array(b); console.log(t.includes(0, { valueOf() { b.transfer(); return 0; } }))" => prints("false\n").or(Status::Error);
    buffer_detached_in_atomics: "const b = new ArrayBuffer(8), t = new Int32Array(b); Atomics.store(t, 0, { valueOf() { b.transfer(); return 1; } })" => raises("TypeError|ReferenceError").or(Status::Ok);
    buffer_detached_while_decoded: "const b = new ArrayBuffer(100); const t = new Uint8Array(b); structuredClone(b, { transfer: [b] }); console.log(new TextDecoder().decode(t).length)" => prints("0\n").or(Status::Error);
    buffer_shrinks_in_fill: "const b = new ArrayBuffer(1000, { maxByteLength: 1000 }), t = new Uint8Array(b); t.fill({ valueOf() { b.resize(1); return 1; } }); console.log(t.length)" => prints("1\n");
    buffer_shrinks_in_slice: "const b = new ArrayBuffer(1000, { maxByteLength: 1000 }); console.log(b.slice(0, { valueOf() { b.resize(1); return 1000; } }).byteLength)" => prints("1000\n").or(Status::Ok).or(Status::Error);
    buffer_shrinks_in_with: "const b = new ArrayBuffer(1000, { maxByteLength: 1000 }), t = new Uint8Array(b); t.with(900, { valueOf() { b.resize(1); return 1; } })" => raises("RangeError|TypeError");
    buffer_grows_in_set: "const b = new ArrayBuffer(8, { maxByteLength: 1e6 }), t = new Uint8Array(b); t.set({ get length() { b.resize(1e6); return 1e6; } }); console.log(t.length)" => prints("1000000\n").or(Status::Error);
    data_view_beyond_its_end: "new DataView(new ArrayBuffer(8)).getFloat64(1)" => raises("RangeError");
    data_view_at_a_huge_offset: "new DataView(new ArrayBuffer(8)).getUint8(2 ** 53)" => raises("RangeError");
    typed_array_beyond_its_end: "const t = new Uint8Array(8); t[2 ** 31] = 1; t[-1] = 1; t['4294967295'] = 1; console.log(t[2 ** 31], t[-1])" => prints("undefined undefined\n");
    typed_array_of_misaligned_buffer: "new Float64Array(new ArrayBuffer(9), 1)" => raises("RangeError");
    regex_last_index: "const r = /a/g; r.lastIndex = 2 ** 40; console.log(r.exec('a')); r.lastIndex = -5; console.log(r.exec('a')[0])" => prints("null\na\n");
    regex_last_index_hostile: "const r = /a/g; r.lastIndex = { valueOf() { r.compile && r.compile('b'); return 0; } }; r.exec('ab'); console.log('ended')" => prints("ended\n");
    regex_compiled_while_it_runs: "const r = /(a)(b)/g; console.log('abab'.replace(r, () => { r.compile('()()()()()()'); return 'x'; }))" => prints("xx\n");
    regex_exec_replaced: "const r = /a/g; let n = 0; r.exec = () => ({ index: 2 ** 31, 0: { toString() { return 'x'; } }, length: n++ < 3 ? 2 ** 20 : (r.exec = () => null, 1) }); 'a'.replace(r, 'b'); console.log('ended')" => prints("ended\n").or(Status::FuelExhausted).or(Status::Error);
    regex_species: "const r = /a/y; r.constructor = { [Symbol.species]: function () { return { exec: () => [''], set lastIndex(v) {}, get lastIndex() { return 0; } }; } }; 'aaa'.split(r)" => prints("").or(Status::FuelExhausted).or(Status::OutOfMemory).or(Status::Error);
    replace_with_hostile_groups: "/a/[Symbol.replace]('a', '$<x>'); const r = /a/; r.exec = () => ({ index: 0, 0: 'a', length: 1, groups: { get x() { throw new RangeError('group'); } } }); r[Symbol.replace]('a', '$<x>')" => raises("RangeError");
    string_raw_of_maximal_length: "String.raw({ raw: { length: 2 ** 31 } })" => super::burns_its_fuel().or(Status::Error).or(Status::OutOfMemory);
    map_changes_while_walked: "const m = new Map([[1, 1], [2, 2], [3, 3]]); m.forEach((v, k) => { m.clear(); m.set(k, v); if (m.size > 5) throw 1; }); console.log('ended')" => prints("ended\n").or(Status::FuelExhausted);
    set_changes_while_walked: "const s = new Set([1, 2, 3]); for (const x of s) { s.delete(x); if (x < 1000) s.add(x + 3); } console.log(s.size)" => prints("0\n");
    set_algebra_with_a_hostile_set: "const s = new Set([1, 2, 3]); try { s.union({ size: 1e9, has: () => s.clear(), keys: () => ({ next: () => ({ done: true }) }) }); s.difference({ size: 1, has: () => s.clear(), keys() {} }); } catch {} console.log('ended')" => prints("ended\n");
    map_group_by: "Map.groupBy([1, 2, 3], x => NaN).get(NaN).length; Object.groupBy([1], () => '__proto__'); console.log('grouped')" => prints("grouped\n");
    weak_map_with_odd_keys: "new WeakMap().set(Symbol.iterator, 1); try { new WeakMap().set(Symbol.for('x'), 1); } catch (e) { console.log(e.name); }" => prints("TypeError\n").or(Status::Error);
    iterator_closed_twice: "const it = { next: () => ({ value: 1 }), return() { throw new RangeError('closing'); }, [Symbol.iterator]() { return this; } }; for (const x of it) break;" => raises("RangeError");
    iterator_result_hostile: "for (const x of { [Symbol.iterator]: () => ({ next: () => new Proxy({}, { get() { throw new RangeError('trap'); } }) }) });" => raises("RangeError");
    destructuring_hostile: "const [a, b] = { [Symbol.iterator]: () => ({ next: () => 5 }) }" => raises("TypeError");
    proxy_breaks_its_invariants: "Object.keys(new Proxy(Object.freeze({ a: 1 }), { ownKeys: () => ['b'] }))" => raises("TypeError");
    proxy_repeats_its_keys: "Object.keys(new Proxy({}, { ownKeys: () => ['a', 'a'] }))" => raises("TypeError");
    proxy_of_huge_length: "Array.from(new Proxy([], { get: (t, k) => k === 'length' ? 2 ** 53 : t[k] }))" => raises("RangeError|TypeError").or(Status::OutOfMemory).or(Status::FuelExhausted).or(Status::Ok);
    global_this_as_prototype: "Object.setPrototypeOf(globalThis, new Proxy({}, { get() { throw new RangeError('trap'); }, has: () => true })); missing" => fails();
    global_this_proxied: "const p = new Proxy(globalThis, {}); p.p2 = 5; console.log(p2, Object.keys(p).length >= 0)" => prints("5 true\n");
    with_a_hostile_scope: "new Function('p', 'with (p) { x = 1; }')(new Proxy({}, { has: () => true, set() { throw new RangeError('trap'); }, get() {} }))" => raises("RangeError");
    eval_changes_scopes: "function f() { eval('var x = 1'); return () => eval('x++, x'); } const g = f(); for (let i = 0; i < 1000; i++) g(); console.log(g())" => prints("1002\n");
    delete_while_enumerating: "const o = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => ['k' + i, i])); let n = 0; for (const k in o) { n++; for (const j in o) delete o[j]; } console.log(n)" => prints("1\n");
    prototype_changes_while_enumerating: "const o = { a: 1, b: 2 }; for (const k in o) Object.setPrototypeOf(o, { ['x' + k]: 1 }); console.log('ended')" => prints("ended\n");
    async_generator_return_hostile: "async function* g() { yield 1; } const it = g(); it.return({ get then() { throw new RangeError('then'); } }).catch(e => console.log(e.name))" => prints("RangeError\n");
    promise_constructor_hostile: "class P extends Promise { constructor(f) { super((a, b) => { f(a, b); f(a, b); }); } } P.resolve(1).then(x => console.log(x))" => prints("1\n").or(Status::Error);
    promise_resolve_functions_reused: "let r; new Promise(x => { r = x; }); for (let i = 0; i < 1e5; i++) r(i); console.log('ended')" => prints("ended\n");
    promise_all_hostile: "Promise.all.call(function (f) { f(() => {}, () => {}); }, { [Symbol.iterator]: () => ({ next: () => { throw new RangeError('next'); } }) })" => fails().or(Status::Ok);
    structured_clone_of_getters: "structuredClone({ get x() { throw new RangeError('getter'); } })" => raises("RangeError");
    structured_clone_of_a_function: "structuredClone(() => {})" => raises("DataCloneError|DOMException|TypeError|Error");
    structured_clone_of_a_growing_object: "const o = { n: 0, get a() { o['k' + o.n++] = { get a() { return o.a; } }; return 1; } }; structuredClone(o); console.log('cloned')" => prints("cloned\n").or(Status::FuelExhausted).or(Status::Error);
    date_of_everything: "console.log(new Date(8.64e15 + 1).getTime(), new Date(NaN) + '', new Date(2 ** 70, 2 ** 70).getTime())" => prints("NaN Invalid Date NaN\n");
    number_of_everything: "console.log((1e21).toString(36).length > 0, (5e-324).toString(2).length > 1000, Number.MAX_VALUE.toString(2).length)" => prints("true true 1024\n");
    symbol_descriptions: "console.log(Symbol('x'.repeat(1e6)).toString().length)" => prints("1000008\n");
    label_and_reserved_words: "eval('var yield_ = 1; let async; async = 1; async: for (var of of []) ;'); console.log('parsed')" => prints("parsed\n");
    surrogates: r"console.log('\ud800'.isWellFormed(), encodeURIComponent.name, [...'\ud83d\ude00'].length)" => prints("false encodeURIComponent 1\n");
    surrogates_printed: r"console.log('\ud800')" => prints("\u{fffd}\n");
}
