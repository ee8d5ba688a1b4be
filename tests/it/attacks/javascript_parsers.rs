//! JavaScript: input that is too deep or too hard for the parser it is handed to.

use sandgate_core::Status;

use super::{burns_its_fuel, prints, raises};

attacks! { JavaScript;
    nested_parentheses: "eval('('.repeat(1e5) + '1' + ')'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    nested_parentheses_by_the_million: "eval('('.repeat(5e6))" => raises("RangeError|SyntaxError|InternalError");
    nested_parentheses_in_the_snippet_itself:
        format!("{}1{}", "(".repeat(400), ")".repeat(400)) => prints("");
    nested_parentheses_in_the_snippet_by_the_hundred_thousand:
        format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000)) => snippet_does_not_parse();
    nested_arrays: "eval('['.repeat(1e5) + ']'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    nested_objects: "eval('(' + '{a:'.repeat(1e5) + '1' + '}'.repeat(1e5) + ')')" => raises("RangeError|SyntaxError|InternalError");
    nested_template_literals: "eval('`${'.repeat(1e5) + '1' + '}`'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    nested_functions: "eval('(function(){'.repeat(2e4) + '})'.repeat(2e4))" => raises("RangeError|SyntaxError|InternalError");
    nested_arrows: "eval('a=>'.repeat(1e5) + '1')" => raises("RangeError|SyntaxError|InternalError");
    nested_classes: "eval('(class { [' .repeat(2e4) + '1' + ']() {} })'.repeat(2e4))" => raises("RangeError|SyntaxError|InternalError");
    nested_blocks: "eval('{'.repeat(1e5) + '}'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    nested_conditions: "eval('if(1)'.repeat(1e5) + ';')" => raises("RangeError|SyntaxError|InternalError");
    nested_loops: "eval('for(;;)'.repeat(1e5) + ';')" => raises("RangeError|SyntaxError|InternalError");
    nested_labels: "eval(Array.from({length: 1e5}, (_, i) => 'l' + i + ':').join('') + ';')" => raises("RangeError|SyntaxError|InternalError").or(Status::FuelExhausted);
    nested_destructuring: "eval('let ' + '['.repeat(1e5) + 'a' + ']'.repeat(1e5) + ' = 1')" => raises("RangeError|SyntaxError|InternalError");
    nested_destructuring_of_parameters: "eval('(function(' + '{a:'.repeat(1e5) + 'b' + '}'.repeat(1e5) + '){})')" => raises("RangeError|SyntaxError|InternalError");
    nested_destructuring_assignment: "eval('['.repeat(1e5) + 'a' + ']'.repeat(1e5) + ' = 1')" => raises("RangeError|SyntaxError|InternalError");
    nested_ternaries: "eval('1?'.repeat(1e5) + '1' + ':1'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    nested_spread: "eval('[...'.repeat(1e5) + '[]' + ']'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    nested_calls: "eval('f('.repeat(1e5) + ')'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    nested_subscripts: "eval('a['.repeat(1e5) + '0' + ']'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    nested_new: "eval('new '.repeat(1e5) + 'a')" => raises("RangeError|SyntaxError|InternalError");
    nested_await: "new Function('return async () => {' + 'await '.repeat(1e5) + '1}')" => raises("RangeError|SyntaxError|InternalError");
    unary_operators: "eval('!'.repeat(1e5) + '1')" => raises("RangeError|SyntaxError|InternalError");
    typeof_operators: "eval('typeof '.repeat(1e5) + '1')" => raises("RangeError|SyntaxError|InternalError");
    power_operators: "eval('1' + '**1'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    assignment_chain: "eval('a=' .repeat(1e5) + '1')" => raises("RangeError|SyntaxError|InternalError");
    binary_operators: "console.log(eval('1' + '+1'.repeat(1e5)))" => prints("100001\n").or(Status::Error);
    logical_operators: "console.log(eval('1' + '&&1'.repeat(1e5)))" => prints("1\n").or(Status::Error);
    comma_operators: "console.log(eval('1' + ',1'.repeat(1e5)))" => prints("1\n").or(Status::Error);
    member_chain: "eval('a' + '.a'.repeat(1e5))" => raises("ReferenceError|RangeError");
    optional_chain: "let a; console.log(eval('a' + '?.a'.repeat(1e5)))" => prints("undefined\n").or(Status::Error).or(Status::FuelExhausted);
    call_chain: "eval('a' + '()'.repeat(1e5))" => raises("ReferenceError|RangeError");
    else_if_chain: "eval('if(0);' + 'else if(0);'.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    html_comments: "eval('<!--'.repeat(1e5)); eval('/*' + '*'.repeat(1e6) + '*/')" => prints("");
    function_constructor: "new Function('('.repeat(1e5))" => raises("RangeError|SyntaxError|InternalError");
    function_constructor_breaking_out: "new Function('/*', '*/){')" => prints("").or(Status::Error);
    source_of_many_variables: "eval('var ' + Array.from({length: 1e5}, (_, i) => 'v' + i).join(','))" => prints("").or(Status::Error).or(Status::FuelExhausted);
    source_of_many_locals: "new Function(Array.from({length: 7e4}, (_, i) => `let v${i}=${i};`).join(''))" => raises("SyntaxError|RangeError|InternalError").or(Status::Ok).or(Status::FuelExhausted);
    source_of_many_constants: "eval('[' + Array.from({length: 5e5}, (_, i) => `'${i}'`).join(',') + ']')" => prints("").or(Status::Error).or(Status::OutOfMemory).or(Status::FuelExhausted);
    source_of_many_arguments: "eval('Math.max(' + '1,'.repeat(1e5) + '1)')" => raises("SyntaxError|RangeError|InternalError").or(Status::Ok);
    source_of_many_cases: "eval('switch(1){' + 'case 0:'.repeat(1e5) + '}')" => prints("").or(Status::Error);
    number_of_a_million_digits: "console.log(eval('9'.repeat(1e6)), Number('9'.repeat(1e6)))" => prints("Infinity Infinity\n");
    bigint_of_a_million_digits: "eval('9'.repeat(1e6) + 'n')" => burns_its_fuel().or(Status::Ok).or(Status::Error);
    line_of_ten_million_characters: "eval('//' + 'x'.repeat(1e7))" => prints("");
    identifier_of_ten_million_characters: "eval('x'.repeat(1e7))" => raises("ReferenceError|SyntaxError|RangeError");
    unicode_escapes: r"eval('\\u{' + '0'.repeat(1e6) + '41}')" => raises("ReferenceError|SyntaxError");
    regex_groups: "new RegExp('('.repeat(1e5) + ')'.repeat(1e5))" => raises("SyntaxError|RangeError|InternalError");
    regex_lookaheads: "new RegExp('(?='.repeat(1e5) + ')'.repeat(1e5))" => raises("SyntaxError|RangeError|InternalError");
    regex_many_groups: "new RegExp('()'.repeat(1e5))" => raises("SyntaxError|RangeError|InternalError").or(Status::Ok);
    regex_many_names: "new RegExp(Array.from({length: 2e4}, (_, i) => `(?<n${i}>)`).join(''))" => raises("SyntaxError|RangeError|InternalError").or(Status::Ok).or(Status::FuelExhausted);
    regex_alternatives: "new RegExp('a|'.repeat(1e5)).test('b')" => prints("").or(Status::Error).or(Status::FuelExhausted);
    regex_huge_quantifier: "new RegExp('(?:a{1000}){1000}{1000}')" => raises("SyntaxError");
    regex_multiplied_quantifiers: "new RegExp('(?:(?:(?:a{9999}){9999}){9999}){9999}').test('a'.repeat(1e5))" => burns_its_fuel().or(Status::Ok).or(Status::Error);
    regex_backtracking: "/(a+)+$/.test('a'.repeat(40) + 'b')" => burns_its_fuel();
    regex_backtracking_alternation: "/^(a|a)*$/.test('a'.repeat(40) + 'b')" => burns_its_fuel();
    regex_backtracking_polynomial: "/a*a*a*a*a*a*b/.test('a'.repeat(5000))" => burns_its_fuel();
    regex_backtracking_in_replace: "'a'.repeat(40).replace(/(a+)+b|(a+)+c/g, 'x')" => burns_its_fuel();
    regex_backtracking_in_split: "('a'.repeat(40) + 'b').split(/(a+)+$/)" => burns_its_fuel();
    regex_backtracking_by_reference: r"/^(a+)\1+$/.test('a'.repeat(50021))" => burns_its_fuel().or(Status::Ok);
    regex_backtracking_in_lookbehind: "/(?<=(a+)+)b/.test('a'.repeat(40) + 'c'.repeat(40) + 'b')" => burns_its_fuel().or(Status::Ok);
    regex_deep_match: "console.log(/(?:(a)|b)*/.exec('ab'.repeat(1e6))[0].length)" => prints("2000000\n").or(Status::Error).or(Status::OutOfMemory);
    regex_empty_loop: "console.log(/(?:)*x/.test('y'), /(?:a*)*x/.test('a'.repeat(25)))" => prints("false false\n").or(Status::FuelExhausted);
    regex_case_folding: "new RegExp('[\\\\u{0}-\\\\u{10ffff}]'.repeat(5000), 'iu')" => prints("").or(Status::FuelExhausted).or(Status::OutOfMemory).or(Status::Error);
    regex_set_operations: "new RegExp('['.repeat(1e5), 'v')" => raises("SyntaxError|RangeError|InternalError");
    json_arrays: "JSON.parse('['.repeat(1e5))" => raises("SyntaxError|RangeError|InternalError");
    json_objects: "JSON.parse('{\"a\":'.repeat(1e5))" => raises("SyntaxError|RangeError|InternalError");
    json_deep_and_whole: "JSON.parse('['.repeat(1e5) + ']'.repeat(1e5))" => raises("SyntaxError|RangeError|InternalError");
    json_stringify: "let v = []; for (let i = 0; i < 1e5; i++) v = [v]; JSON.stringify(v)" => raises("RangeError|InternalError").or(Status::FuelExhausted);
    json_cycle: "let v = {}; v.v = v; JSON.stringify(v)" => raises("TypeError");
    json_reviver_that_grows: "JSON.parse('[1]', function (k, v) { if (Array.isArray(this)) this.push([1]); return v; })" => prints("").or(Status::FuelExhausted).or(Status::OutOfMemory).or(Status::Error);
    json_reviver_that_nests: "JSON.parse('[1,2]', function (k, v) { if (k === '0') this[1] = [this]; return v; })" => raises("RangeError|InternalError|TypeError").or(Status::FuelExhausted).or(Status::OutOfMemory);
    date_text: "console.log(Number.isNaN(Date.parse('('.repeat(1e6))), Number.isNaN(+new Date('9'.repeat(1e6))))" => prints("true true\n");
    uri_text: "decodeURIComponent('%E4%'.repeat(1e5))" => raises("URIError");
    url_text: "new URL('http://' + 'a.'.repeat(1e5) + '/' + '../'.repeat(1e5) + '?' + '&'.repeat(1e5))" => prints("").or(Status::Error).or(Status::FuelExhausted);
    query_text: "require('querystring').parse('a[a]=1&'.repeat(1e5)); console.log('parsed')" => prints("parsed\n").or(Status::FuelExhausted);
    base64_text: "atob('!'.repeat(1e6))" => raises("InvalidCharacterError|DOMException|Error|TypeError");
    path_text: "console.log(require('path').resolve('/work', '../'.repeat(1e5)))" => prints("/\n");
    import_of_a_data_url: "import('data:text/javascript,console.log(1)').then(() => console.log('ran'), e => console.log('refused'))" => prints("refused\n");
    import_of_the_engines_own_modules: r"
        let found = [];
        for (const name of ['std', 'qjs:std', 'qjs:os', 'bjson', 'qjs:bjson'])
            try { await import(name); found.push(name); } catch {}
        console.log(found.length, typeof globalThis.std, typeof globalThis.bjson, typeof globalThis.__loadScript);
    " => prints("0 undefined undefined undefined\n");
    import_of_itself: "import('/work/main.mjs').catch(e => console.log('refused'))" => prints("refused\n");
    import_of_a_host_file: "import('../../etc/passwd').catch(e => console.log('refused'))" => prints("refused\n");
    module_cycle: r#"
        const fs = require('fs');
        fs.writeFileSync('/work/a.mjs', 'import b from "./b.mjs"; export default 1');
        fs.writeFileSync('/work/b.mjs', 'import a from "./a.mjs"; export default a');
        try { await import('/work/a.mjs'); } catch (e) {}
        console.log('ended');
    "# => prints("ended\n");
    modules_without_end: r"
        const fs = require('fs');
        for (let i = 0; i < 500; i++) fs.writeFileSync(`/work/${i}.mjs`, `import './${i + 1}.mjs'`);
        fs.writeFileSync('/work/500.mjs', '');
        await import('/work/0.mjs').catch(e => console.log('refused'));
    " => prints("").or(Status::Ok);
    module_that_requires_itself: r#"
        require('fs').writeFileSync('/work/a.js', 'module.exports = require("./a.js")');
        require('/work/a.js');
        console.log('ended');
    "# => prints("ended\n").or(Status::Error);
}

/// The snippet itself does not parse, so not even its first line runs.
fn snippet_does_not_parse() -> super::Expect {
    raises("RangeError|SyntaxError|InternalError").before_the_first_line()
}
