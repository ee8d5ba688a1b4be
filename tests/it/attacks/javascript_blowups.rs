//! JavaScript: small input, huge work, huge memory, and floods of output and files.

use sandgate_core::Status;

use super::{
    burns_its_fuel, fails, floods, is_too_large, prints, raises, runs_out_of_memory,
};

attacks! { JavaScript;
    text_repeated: "'x'.repeat(2 ** 30)" => is_too_large();
    text_repeated_below_zero: "'x'.repeat(-1)" => raises("RangeError");
    text_repeated_without_end: "'x'.repeat(Infinity)" => raises("RangeError");
    text_repeated_beyond_the_grant: "[1, 2, 3].map(() => 'x'.repeat(60 << 20))" => runs_out_of_memory();
    text_doubled_for_ever: "let s = 'x'; for (;;) s += s" => is_too_large();
    text_padded: "'x'.padStart(2 ** 31)" => is_too_large();
    text_joined: "Array(2 ** 25).join('x'.repeat(100))" => is_too_large().or(Status::FuelExhausted);
    text_joined_from_a_huge_array: "Array(2 ** 32 - 1).join('')" => burns_its_fuel().or(Status::Error).or(Status::OutOfMemory);
    text_replaced: "'a'.repeat(1e6).replaceAll('a', 'a'.repeat(1e4))" => is_too_large().or(Status::FuelExhausted);
    text_replaced_by_itself: "'a'.repeat(1e5).replace(/a/g, \"$`$'$&\")" => is_too_large().or(Status::FuelExhausted);
    text_split: "let keep = []; for (;;) keep.push('a'.repeat(1e6).split(''))" => runs_out_of_memory();
    text_normalised: r"let keep = []; for (;;) keep.push('\ufdfa'.repeat(1e5).normalize('NFKD'))" => runs_out_of_memory().or(Status::FuelExhausted);
    text_from_character_codes: "String.fromCharCode.apply(null, { length: 1e9 })" => is_too_large();
    array_of_maximal_length: "Array(2 ** 32 - 1).fill(0)" => runs_out_of_memory().or(Status::FuelExhausted).or(Status::Error);
    array_of_wrong_length: "new Array(-1)" => raises("RangeError");
    array_length_lengthened: "const a = []; a.length = 2 ** 32 - 1; a.push(1, 2)" => raises("TypeError|RangeError");
    array_length_then_sorted: "const a = []; a.length = 2 ** 32 - 1; a.sort()" => burns_its_fuel().or(Status::Ok).or(Status::Error).or(Status::OutOfMemory);
    array_like_of_maximal_length: "Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 0)" => burns_its_fuel().or(Status::OutOfMemory);
    array_like_searched: "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)" => burns_its_fuel();
    array_like_reversed: "Array.prototype.reverse.call({ length: 2 ** 53 - 1 })" => burns_its_fuel();
    array_from_endless_iterator: "Array.from({ [Symbol.iterator]: () => ({ next: () => ({ value: 1 }) }) })" => runs_out_of_memory().or(Status::FuelExhausted);
    array_filled_for_ever: "const a = []; for (;;) a.push({})" => runs_out_of_memory();
    array_spread_as_arguments: "Math.max(...Array(1e7))" => is_too_large();
    array_applied_as_arguments: "Math.max.apply(null, { length: 1e9 })" => is_too_large();
    array_sparse_and_slow: "const a = []; a[2 ** 31] = 1; a.forEach(() => 0); a.map(x => x)" => burns_its_fuel().or(Status::Ok).or(Status::Error).or(Status::OutOfMemory);
    typed_array_of_gigabytes: "new Float64Array(2 ** 30)" => is_too_large();
    typed_array_beyond_the_grant: "new Uint8Array(300 * 2 ** 20)" => is_too_large();
    typed_array_of_maximal_length: "new Uint8Array(2 ** 53)" => raises("RangeError");
    typed_arrays_for_ever: "const keep = []; for (;;) keep.push(new Uint8Array(1e6))" => runs_out_of_memory();
    array_buffer_resized: "const b = new ArrayBuffer(1, { maxByteLength: 2 ** 30 }); b.resize(2 ** 30)" => is_too_large();
    buffer_of_gigabytes: "Buffer.alloc(2 ** 31)" => is_too_large();
    bigint_power: "2n ** 1000000000n" => is_too_large();
    bigint_power_tower: "9n ** 9n ** 9n ** 9n" => is_too_large().or(Status::FuelExhausted);
    bigint_shift: "1n << 10000000000n" => is_too_large();
    bigint_squared_for_ever: "let b = 3n; for (;;) b *= b" => burns_its_fuel().or(Status::Error).or(Status::OutOfMemory);
    bigint_factorial: "let b = 1n; for (let i = 1n; ; i++) b *= i" => burns_its_fuel();
    bigint_to_text: "String(7n ** 300000n)" => burns_its_fuel().or(Status::Ok);
    bigint_division: "(7n ** 300000n) / (3n ** 100000n)" => burns_its_fuel().or(Status::Ok);
    bigint_as_bits: "BigInt.asUintN(2 ** 53 - 1, -1n)" => is_too_large();
    number_formatted: "(1).toFixed(1000)" => raises("RangeError");
    map_filled_for_ever: "const m = new Map(); for (let i = 0; ; i++) m.set(i, m)" => runs_out_of_memory();
    set_that_grows_while_walked: "const s = new Set([0]); for (const x of s) s.add(x + 1)" => runs_out_of_memory().or(Status::FuelExhausted);
    properties_for_ever: "const o = {}; for (let i = 0; ; i++) o['p' + i] = i" => runs_out_of_memory().or(Status::FuelExhausted);
    symbols_for_ever: "const a = []; for (;;) a.push(Symbol('x'))" => runs_out_of_memory();
    closures_for_ever: "let f; for (;;) { const g = f; f = () => g; }" => runs_out_of_memory();
    functions_compiled_for_ever: "const a = []; for (;;) a.push(new Function('return ' + '1+'.repeat(1000) + '1'))" => runs_out_of_memory().or(Status::FuelExhausted);
    shapes_for_ever: "const a = []; for (let i = 0; ; i++) a.push({ ['a' + i]: 1, ['b' + i]: 2 })" => runs_out_of_memory();
    memory_error_swallowed: "const a = []; for (;;) try { a.push(new Uint8Array(1e6)); } catch {}" => burns_its_fuel().or(Status::OutOfMemory);
    memory_error_survived: r"
        let a = [];
        try { for (;;) a.push(new Uint8Array(1 << 20)); } catch { a = a.length; }
        console.log(a > 50 && a < 128);
    " => prints("true\n");
    memory_full_to_the_last_byte: r"
        let a = [];
        for (const size of [1 << 20, 1 << 14, 1 << 10, 16]) try { for (;;) a.push(new Uint8Array(size)); } catch {}
        throw new Error('no room to say it');
    " => runs_out_of_memory().or(Status::Error);
    memory_full_in_a_promise: "const a = []; (async () => { for (;;) { await null; a.push(new Uint8Array(1 << 20)); } })()" => runs_out_of_memory();
    memory_full_in_a_timer: "const a = []; setInterval(() => { for (;;) a.push(new Uint8Array(1 << 20)); }, 0)" => runs_out_of_memory();
    encoded_text: "const keep = []; for (;;) keep.push(new TextEncoder().encode('ü'.repeat(1e6)))" => runs_out_of_memory();
    random_bytes_beyond_the_quota: "crypto.getRandomValues(new Uint8Array(65537))" => raises("QuotaExceededError|DOMException|RangeError|TypeError");
    sort_that_never_agrees: "let i = 0; Array.from({ length: 3e5 }, (_, i) => i).sort(() => (i = i * 7 + 1 & 1023) % 3 - 1); console.log('sorted')" => prints("sorted\n").or(Status::FuelExhausted);
    sort_that_changes_its_array: "const a = Array.from({ length: 1000 }, (_, i) => -i); a.sort((x, y) => { a.length = 0; a.push(x); return x - y; }); console.log(a.length >= 1)" => prints("true\n");
    sort_that_returns_anything: "[3, 1, 2].sort(() => NaN); [3, 1, 2].sort(() => 'x'); [3, 1, 2].sort(() => ({ valueOf: () => 1 })); console.log('sorted')" => prints("sorted\n");
    sort_that_raises: "[3, 1, 2].sort(() => { throw new TypeError('no'); })" => raises("TypeError");
    sort_of_a_typed_array_that_shrinks: "const b = new ArrayBuffer(800, { maxByteLength: 800 }), t = new Float64Array(b); t.sort((x, y) => { b.resize(8); return 0; }); console.log(t.length)" => prints("1\n");
    colliding_keys: "const m = new Map(); for (let i = 0; i < 1e6; i++) m.set(i * 2 ** 32, 1); console.log(m.size)" => prints("1000000\n").or(Status::FuelExhausted).or(Status::OutOfMemory);
    logging_for_ever: "for (;;) console.log('x'.repeat(100))" => floods();
    logging_single_characters: "for (;;) process.stdout.write('x')" => floods();
    logging_one_huge_line: "console.log('x'.repeat(5 << 20))" => floods();
    logging_errors_for_ever: "for (;;) console.error('x'.repeat(100))" => floods();
    logging_to_both: "for (;;) { console.log('x'); console.error('y'); }" => floods();
    logging_in_a_promise: "const f = () => { console.log('x'.repeat(1000)); Promise.resolve().then(f); }; f()" => floods();
    logging_caught: "for (;;) try { console.log('x'.repeat(1000)); } catch {}" => floods();
    logging_at_exit: "process.on('exit', () => { for (;;) console.log('x'.repeat(1000)); })" => floods();
    logging_a_huge_table: "console.table(Array.from({ length: 1e4 }, (_, i) => ({ ['c' + i]: i })))" => burns_its_fuel().or(Status::OutputLimit).or(Status::OutOfMemory);
    logging_groups_without_end: "for (;;) { console.group(); console.log('x'); }" => floods().or(Status::FuelExhausted).or(Status::OutOfMemory);
    logging_traces_without_end: "for (;;) console.trace('x')" => floods().or(Status::FuelExhausted);
    logging_a_wide_object: "console.log(Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => ['k' + i, i])))" => prints("").or(Status::OutputLimit).or(Status::Ok).or(Status::FuelExhausted);
    logging_a_huge_array: "console.log(new Array(1e6).fill(1).length, new Array(2 ** 32 - 1))" => prints("1000000 [ <4294967295 empty items> ]\n");
    logging_format_specifiers: "console.log('%s%d%i%f%j%o%O%c%'.repeat(1e5), 1)" => prints("").or(Status::Ok).or(Status::OutputLimit).or(Status::FuelExhausted);
    logging_what_refuses: "console.log({ get x() { throw 1; }, toString() { throw 2; }, [Symbol.toStringTag]: 'T' })" => prints("{\n  x: [Getter],\n  toString: [Function: toString],\n  [Symbol(Symbol.toStringTag)]: 'T'\n}\n").or(Status::Ok);
    logging_a_hostile_proxy: "console.log(new Proxy({}, new Proxy({}, { get() { throw new Error('trap'); } }))); console.log('after')" => prints("{}\nafter\n").or(Status::Ok);
    inspecting_for_ever: "({ [Symbol.for('nodejs.util.inspect.custom')]() { for (;;); } })" => burns_its_fuel();
    inspecting_raises: "({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('no'); } })" => prints("").or(Status::Error);
    inspecting_nests: "const o = () => ({ [Symbol.for('nodejs.util.inspect.custom')]: o }); o()" => raises("RangeError|InternalError").or(Status::FuelExhausted).or(Status::Ok).or(Status::OutOfMemory);
    result_of_megabytes: "'x'.repeat(20 << 20)" => prints("").or(Status::OutOfMemory);
    result_of_many_lines: "Array.from({ length: 20 }, (_, i) => 'x'.repeat(1e5))" => prints("");
    error_message_of_megabytes: "throw new Error('x'.repeat(20 << 20))" => raises("Error").or(Status::OutputLimit).or(Status::OutOfMemory).or(Status::FuelExhausted);
    files_without_end: "const fs = require('fs'); for (let i = 0; ; i++) fs.writeFileSync('/work/' + i, '')" => raises("Error");
    folders_without_end: "const fs = require('fs'); for (let i = 0; ; i++) fs.mkdirSync('/work/' + i)" => raises("Error");
    folders_within_folders: "const fs = require('fs'); for (let p = '/work'; ;) { p += '/a'; fs.mkdirSync(p); }" => raises("Error");
    files_made_and_removed: "const fs = require('fs'); for (;;) { fs.writeFileSync('a', ''); fs.unlinkSync('a'); }" => burns_its_fuel().or(Status::Timeout);
    bytes_without_end: "const fs = require('fs'); const s = Buffer.alloc(1 << 20); for (;;) fs.appendFileSync('/work/a', s)" => raises("Error");
    file_of_a_terabyte_by_truncating: "const fs = require('fs'); fs.writeFileSync('a', ''); fs.truncateSync('a', 2 ** 40)" => raises("Error|TypeError|RangeError");
    file_written_far_away: "const fs = require('fs'); fs.writeSync(fs.openSync('a', 'w'), 'x', 2 ** 40)" => raises("Error|TypeError|RangeError");
    long_file_name: "require('fs').writeFileSync('/work/' + 'x'.repeat(5000), '')" => raises("Error");
    file_name_with_a_null: "require('fs').writeFileSync('/work/a\\0b', '')" => raises("Error|TypeError");
    open_files_without_end: "const fs = require('fs'); for (;;) fs.openSync('/work/a', 'w')" => raises("Error");
    removal_of_everything: "const fs = require('fs'); for (const d of ['/work', '/tmp', '/']) try { fs.rmSync(d, { recursive: true, force: true }); } catch {} console.log('ended')" => prints("ended\n");
    path_out_of_the_work_folder: "require('fs').writeFileSync('/work/../../../etc/x', '')" => fails();
    stdin_read_for_ever: "const fs = require('fs'); for (;;) fs.readFileSync(0)" => burns_its_fuel().or(Status::Timeout).or(Status::Error);
}
