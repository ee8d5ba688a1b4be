//! Python: input that is too deep or too hard for the parser it is handed to.

use super::{burns_its_fuel, prints, raises, runs_out_of_memory};

attacks! { Python;
    nested_parentheses: "eval('(' * 200 + '1' + ')' * 200)" => raises("SyntaxError|MemoryError");
    nested_parentheses_by_the_million: "eval('(' * 10**6)" => raises("SyntaxError|MemoryError");
    nested_parentheses_in_the_snippet_itself:
        format!("x = {}1{}", "(".repeat(80), ")".repeat(80)) => prints("");
    nested_brackets: "eval('[' * 80 + ']' * 80)" => prints("");
    nested_lambdas: "eval('lambda:' * 50000 + '1')" => raises("RecursionError|MemoryError|SyntaxError");
    nested_f_strings: r#"
        code = '1'
        for _ in range(200):
            code = "f'{" + code + "}'"
        eval(code)
    "# => raises("SyntaxError|RecursionError|MemoryError");
    nested_subscripts: "eval('a' + '[a' * 100000)" => raises("SyntaxError|MemoryError");
    nested_conditionals: "eval('1 if 1 else ' * 50000 + '1')" => raises("RecursionError|MemoryError");
    nested_comprehensions: "eval('[' * 100 + '1' + ' for x in [1]]' * 100)" => raises("SyntaxError");
    comprehensions_as_deep_as_they_may_be: "print(len(eval('[' * 21 + '1' + ' for x in [1]]' * 21)))" => prints("1\n");
    nested_blocks: r#"
        exec(''.join(' ' * i + 'if 1:\n' for i in range(200)))
    "# => raises("IndentationError");
    nested_loops: r#"
        exec(''.join(' ' * i + 'for x in y:\n' for i in range(50)) + ' ' * 50 + 'pass')
    "# => raises("SyntaxError");
    nested_function_definitions: r#"
        exec(''.join(' ' * i + 'def f():\n' for i in range(95)) + ' ' * 95 + 'pass')
    "# => prints("");
    unary_operators: "eval('-' * 100000 + '1')" => raises("RecursionError|MemoryError");
    not_operators: "eval('not ' * 100000 + '1')" => raises("RecursionError|MemoryError");
    binary_operators: "eval('1' + '+1' * 200000)" => raises("RecursionError|MemoryError").or(sandgate_core::Status::FuelExhausted);
    power_operators: "eval('1' + '**1' * 50000)" => raises("RecursionError|MemoryError");
    attribute_chain: "eval('a' + '.a' * 200000)" => raises("RecursionError|MemoryError").or(sandgate_core::Status::FuelExhausted);
    call_chain: "eval('a' + '()' * 200000)" => raises("RecursionError|MemoryError").or(sandgate_core::Status::FuelExhausted);
    comparison_chain: "print(len(compile('1' + '<2' * 10000, '', 'eval').co_code) > 1000)" => prints("True\n");
    elif_chain: "exec('if 0: pass\\n' + 'elif 0: pass\\n' * 5000)" => raises("RecursionError|MemoryError").or(sandgate_core::Status::FuelExhausted);
    decorators_by_the_thousand: "exec('@f\\n' * 2000 + 'def g(): pass')" => raises("NameError|MemoryError");
    match_patterns: "exec('match 1:\\n case ' + '[' * 150 + ']' * 150 + ': pass')" => prints("");
    star_targets: "exec('(' * 150 + 'a' + ',)' * 150 + ' = 1')" => raises("TypeError|MemoryError|SyntaxError");
    exponential_syntax_error: "eval('(' * 50 + '1 1' + ')' * 50)" => raises("SyntaxError");
    exponential_dictionary_error: "eval('{a:' * 60)" => raises("SyntaxError");
    ast_parse: "import ast; ast.parse('-' * 100000 + '1')" => raises("RecursionError|MemoryError");
    ast_literal_eval: "import ast; ast.literal_eval('[' * 190 + ']' * 190)" => raises("RecursionError|MemoryError|SyntaxError");
    ast_literal_eval_unary: "import ast; ast.literal_eval('-' * 100000 + '1')" => raises("RecursionError|MemoryError");
    ast_built_by_hand: r#"
        import ast
        node = ast.Constant(1)
        for _ in range(20000):
            node = ast.UnaryOp(ast.USub(), node)
        compile(ast.fix_missing_locations(ast.Expression(node)), '', 'eval')
    "# => raises("RecursionError").or(sandgate_core::Status::FuelExhausted);
    ast_compiled_without_positions: r#"
        import ast
        node = ast.Constant(1, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
        for _ in range(20000):
            node = ast.UnaryOp(ast.USub(), node, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
        compile(ast.Expression(node), '', 'eval')
    "# => raises("RecursionError");
    ast_cycle: r#"
        import ast
        node = ast.UnaryOp(ast.USub(), None, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
        node.operand = node
        compile(ast.Expression(node), '', 'eval')
    "# => raises("RecursionError");
    ast_unparse: r#"
        import ast
        node = ast.Constant(1)
        for _ in range(100000):
            node = ast.UnaryOp(ast.USub(), node)
        ast.unparse(node)
    "# => raises("RecursionError").or(sandgate_core::Status::FuelExhausted);
    symtable_of_deep_code: "import symtable; symtable.symtable('-' * 100000 + '1', '', 'eval')" => raises("RecursionError|MemoryError");
    tokenize_deep_code: r#"
        import io, tokenize
        list(tokenize.generate_tokens(io.StringIO('(' * 100000).readline))
    "# => raises("TokenError|SyntaxError|MemoryError");
    json_arrays: "import json; json.loads('[' * 100000)" => raises("RecursionError");
    json_objects: "import json; json.loads('{\"a\":' * 100000)" => raises("RecursionError");
    json_dumps: r#"
        import json
        value = []
        for _ in range(100000):
            value = [value]
        json.dumps(value)
    "# => raises("RecursionError");
    json_dumps_indented: r#"
        import json
        value = []
        for _ in range(100000):
            value = [value]
        json.dumps(value, indent=1)
    "# => raises("RecursionError");
    json_long_number: "import json; json.loads('9' * 10**6)" => raises("ValueError");
    xml_elements: r#"
        import xml.etree.ElementTree as et
        root = et.fromstring('<a>' * 30000 + '</a>' * 30000)
        et.tostring(root)
    "# => raises("RecursionError|ParseError").or(sandgate_core::Status::FuelExhausted);
    xml_copied: r#"
        import copy, xml.etree.ElementTree as et
        root = et.fromstring('<a>' * 50000 + '</a>' * 50000)
        copy.deepcopy(root)
    "# => raises("RecursionError");
    xml_billion_laughs: r#"
        import xml.etree.ElementTree as et
        entities = ''.join(f'<!ENTITY l{i} "{f"&l{i-1};" * 10}">' for i in range(1, 12))
        et.fromstring(f'<!DOCTYPE a [<!ENTITY l0 "lol">{entities}]><a>&l11;</a>')
    "# => raises("ParseError").or(sandgate_core::Status::FuelExhausted);
    xml_quadratic_entity: r#"
        import xml.etree.ElementTree as et
        et.fromstring('<!DOCTYPE a [<!ENTITY e "' + 'x' * 500000 + '">]><a>' + '&e;' * 50000 + '</a>')
    "# => raises("ParseError|MemoryError");
    xml_minidom: r#"
        from xml.dom import minidom
        minidom.parseString('<a>' * 3000 + '</a>' * 3000).toxml()
    "# => raises("RecursionError").or(sandgate_core::Status::FuelExhausted);
    xml_content_models: r#"
        import xml.parsers.expat
        xml.parsers.expat.ParserCreate().Parse('<!DOCTYPE a [<!ELEMENT a ' + '(' * 100000 + ']><a/>', True)
    "# => raises("ExpatError|MemoryError");
    regex_groups: "import re; re.compile('(' * 2000 + ')' * 2000)" => raises("RecursionError|error|PatternError").or(sandgate_core::Status::FuelExhausted);
    regex_repeats: "import re; re.compile('(?:' * 500 + 'a' + ')*' * 500)" => raises("RecursionError|OverflowError|error|PatternError").or(sandgate_core::Status::FuelExhausted);
    regex_huge_repeat: "import re; re.compile('(?:a{1000}){1000}').match('a' * 10**4); re.compile('a' * 10**5)" => prints("").or(sandgate_core::Status::FuelExhausted);
    regex_backtracking: "import re; re.match('(a+)+$', 'a' * 40 + 'b')" => burns_its_fuel();
    regex_backtracking_alternation: "import re; re.match('(a|a)*$', 'a' * 40 + 'b')" => burns_its_fuel();
    regex_backtracking_polynomial: "import re; re.search('a*a*a*a*a*a*b', 'a' * 5000)" => burns_its_fuel();
    regex_deep_match: "import re; print(re.match('(?:(a)|b)*', 'ab' * 10**6).end())" => prints("2000000\n").or(sandgate_core::Status::OutOfMemory);
    regex_garbage_code: r#"
        import _sre
        for code in ([1] * 50, [0xffffffff] * 50, [26, 5, 0, 0xffffffff, 1], [24, 0xffffffff, 0, 0]):
            try:
                _sre.compile('', 0, code, 10**6, {}, ()).match('a' * 100)
            except (RuntimeError, OverflowError, MemoryError, ValueError) as e:
                pass
        print('refused')
    "# => prints("refused\n");
    pickle_nested: r#"
        import pickle
        pickle.loads(b'(' * 10**6 + b'.')
    "# => raises("UnpicklingError|TypeError|IndexError|EOFError");
    pickle_deep_value: r#"
        import pickle
        value = []
        for _ in range(100000):
            value = [value]
        pickle.dumps(value)
    "# => raises("RecursionError");
    pickle_deep_stream: r#"
        import pickle
        value = pickle.loads(b']' * 10**5 + b'a' * (10**5 - 1) + b'.')
        print(len(value))
        repr(value)
    "# => raises("RecursionError").and_prints("1\n");
    pickle_long_size: r"import pickle; pickle.loads(b'\x8b\xff\xff\xff\x7f' + b'1' * 100)" => raises("UnpicklingError|EOFError|ValueError");
    pickle_memo_index: r"import pickle; pickle.loads(b'Nr\xff\xff\xff\x7f.')" => prints("").or(sandgate_core::Status::OutOfMemory);
    pickle_frame_size: r"import pickle; pickle.loads(b'\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.')" => raises("UnpicklingError|OverflowError|ValueError|EOFError|MemoryError");
    pickle_to_system: r"import pickle; pickle.loads(b'cos\nsystem\n(S\'id\'\ntR.')" => raises("AttributeError|OSError|UnpicklingError|ImportError|NotImplementedError");
    marshal_nested: r"import marshal; marshal.loads(b'[\x01\x00\x00\x00' * 100000)" => raises("ValueError|EOFError");
    marshal_deep_value: r#"
        import marshal
        value = []
        for _ in range(100000):
            value = [value]
        marshal.dumps(value)
    "# => raises("ValueError");
    marshal_huge_size: r"import marshal; marshal.loads(b'[\xff\xff\xff\x7f')" => raises("MemoryError|ValueError|EOFError").or(sandgate_core::Status::OutOfMemory);
    toml_arrays: "import tomllib; tomllib.loads('a = ' + '[' * 100000)" => raises("RecursionError|TOMLDecodeError");
    toml_inline_tables: "import tomllib; tomllib.loads('a = ' + '{a=' * 100000)" => raises("RecursionError|TOMLDecodeError");
    toml_dotted_keys: "import tomllib; repr(tomllib.loads('a' + '.a' * 1500 + ' = 1'))" => raises("RecursionError").or(sandgate_core::Status::Ok);
    html_tags: r#"
        from html.parser import HTMLParser
        HTMLParser().feed('<a ' * 100000 + '<' * 100000 + '&' * 100000)
        print('parsed')
    "# => prints("parsed\n").or(sandgate_core::Status::FuelExhausted);
    html_soup: r#"
        from bs4 import BeautifulSoup
        str(BeautifulSoup('<div>' * 5000, 'html.parser'))
        print('parsed')
    "# => prints("parsed\n").or(sandgate_core::Status::Error);
    yaml_nested: "import yaml; yaml.safe_load('[' * 1500)" => raises("RecursionError|ParserError|MemoryError").or(sandgate_core::Status::FuelExhausted);
    yaml_billion_laughs: r#"
        import yaml
        text = 'a0: &a0 [lol]\n' + ''.join(f'a{i}: &a{i} [{", ".join([f"*a{i-1}"] * 9)}]\n' for i in range(1, 10))
        repr(yaml.safe_load(text))
    "# => runs_out_of_memory().or(sandgate_core::Status::FuelExhausted);
    yaml_python_objects: "import yaml; yaml.unsafe_load('!!python/object/apply:os._exit [3]')" => super::fails();
    jinja_nested: "import jinja2; jinja2.Template('{{' + '(' * 5000 + '1' + ')' * 5000 + '}}')" => raises("RecursionError|MemoryError|SyntaxError");
    jinja_recursive_macro: "import jinja2; jinja2.Template('{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}').render()" => raises("RecursionError");
    jinja_endless_loop: "import jinja2; jinja2.Template('{% for i in range(10**9) %}{% endfor %}').render()" => burns_its_fuel();
    sqlite_deep_expression: r#"
        import sqlite3
        sqlite3.connect(':memory:').execute('select ' + '(' * 5000 + '1' + ')' * 5000)
    "# => raises("OperationalError");
    sqlite_endless_query: r#"
        import sqlite3
        sqlite3.connect(':memory:').execute('with recursive t(x) as (select 1 union all select x+1 from t) select sum(x) from t').fetchall()
    "# => burns_its_fuel();
    sqlite_recursive_trigger: r#"
        import sqlite3
        db = sqlite3.connect(':memory:')
        db.executescript('pragma recursive_triggers=1; create table t(x); create trigger g after insert on t begin insert into t values(new.x+1); end;')
        db.execute('insert into t values(1)')
    "# => raises("OperationalError");
    sqlite_function_recursion: r#"
        import sqlite3
        db = sqlite3.connect(':memory:')
        def f():
            return db.execute('select f()').fetchone()[0]
        db.create_function('f', 0, f)
        f()
    "# => raises("OperationalError|RecursionError");
    sqlite_json_nested: r#"
        import sqlite3
        sqlite3.connect(':memory:').execute('select json(?)', ('[' * 10**6,)).fetchone()
    "# => raises("OperationalError");
    sqlite_like_pattern: r#"
        import sqlite3
        sqlite3.connect(':memory:').execute("select ? like ?", ('a' * 40000, '%a' * 20000 + 'b')).fetchone()
    "# => burns_its_fuel().or(sandgate_core::Status::Error);
    sqlite_glob_backtracking: r#"
        import sqlite3
        sqlite3.connect(':memory:').execute("select ? glob ?", ('a' * 50000, '*a' * 200 + 'b')).fetchone()
    "# => burns_its_fuel();
    sqlite_load_extension: r#"
        import sqlite3
        sqlite3.connect(':memory:').execute("select load_extension('/work/x')")
    "# => raises("OperationalError");
    sqlite_attach_everywhere: r#"
        import sqlite3
        sqlite3.connect(':memory:').execute("attach '/etc/passwd' as p")
    "# => raises("OperationalError");
    csv_endless_field: "import csv; list(csv.reader(['\"' + 'x' * 10**6]))" => raises("Error");
    configparser_interpolation: r#"
        import configparser
        parser = configparser.ConfigParser()
        parser.read_string('[a]\n' + ''.join(f'k{i} = %(k{i-1})s%(k{i-1})s\n' for i in range(1, 60)) + 'k0 = x')
        parser['a']['k59']
    "# => raises("InterpolationDepthError");
    format_nesting: "'{:{:{}}}'.format(1, 2, 3)" => raises("ValueError");
    format_attribute_chain: "'{0' .__add__('.real' * 100000 + '}').format(1)" => prints("");
    plist_nested: r#"
        import plistlib
        plistlib.loads(b'<plist>' + b'<array>' * 100000 + b'</array>' * 100000 + b'</plist>')
        print('parsed')
    "# => prints("parsed\n").or(sandgate_core::Status::Error).or(sandgate_core::Status::FuelExhausted);
    email_nested: r#"
        import email
        text = ''.join(f'Content-Type: multipart/mixed; boundary="{i}"\n\n--{i}\n' for i in range(1000))
        email.message_from_string(text)
    "# => raises("RecursionError").or(sandgate_core::Status::FuelExhausted);
    header_parsing: "import email.header; email.header.decode_header('=?utf-8?q?' * 50000)" => prints("").or(sandgate_core::Status::FuelExhausted);
    unicode_names: r#"eval("'" + r'\N{' * 100000 + "'")"# => raises("SyntaxError");
    decimal_exponent: "import decimal; print(decimal.Decimal('1e999999999999999999'))" => prints("").or(sandgate_core::Status::Error);
    fraction_text: "import fractions; fractions.Fraction('1e1000000000')" => burns_its_fuel().or(sandgate_core::Status::OutOfMemory).or(sandgate_core::Status::Error);
    sympy_expression: "import sympy; sympy.sympify('(' * 1000 + 'x' + ')' * 1000)" => raises("SympifyError|SyntaxError|MemoryError|RecursionError");
}
