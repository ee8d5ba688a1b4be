// util.parseArgs.
'use strict';
const { coded } = lib('errors');

module.exports = function parseArgs(config = {}) {
  const { args = lib('process').argv.slice(2), options = {}, strict = true, allowPositionals = !strict, tokens: wantTokens = false } = config;
  const values = Object.create(null);
  const positionals = [];
  const tokens = [];
  const byShort = Object.fromEntries(Object.entries(options).filter(([, o]) => o.short).map(([name, o]) => [o.short, name]));
  const store = (name, rawName, value, index, inlineValue) => {
    const option = options[name];
    if (strict && !option) throw coded(TypeError, 'ERR_PARSE_ARGS_UNKNOWN_OPTION', `Unknown option '${rawName}'${allowPositionals ? `. To specify a positional argument starting with a '-', place it at the end of the command after '--', as in '-- "${rawName}"` : ''}`);
    if (strict && option.type === 'string' && value === undefined) throw coded(TypeError, 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE', `Option '${option.short ? `-${option.short}, ` : ''}--${name} <value>' argument missing`);
    if (strict && option.type === 'boolean' && value !== undefined) throw coded(TypeError, 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE', `Option '${option.short ? `-${option.short}, ` : ''}--${name}' does not take an argument`);
    tokens.push({ kind: 'option', name, rawName, index, value, inlineValue });
    const stored = value ?? true;
    if (option?.multiple) (values[name] ??= []).push(stored);
    else values[name] = stored;
  };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    const takesValue = (name) => options[name]?.type === 'string';
    if (arg === '--') {
      tokens.push({ kind: 'option-terminator', index: i });
      for (const rest of args.slice(i + 1)) positionals.push(rest);
      break;
    }
    const long = /^--([^=]+)(?:=([\s\S]*))?$/.exec(arg);
    if (long) {
      const [, name, inline] = long;
      const at = i;
      const value = inline ?? (takesValue(name) ? args[++i] : undefined);
      store(name, `--${name}`, value, at, inline !== undefined);
    } else if (/^-[^-]/.test(arg)) {
      for (let at = 1; at < arg.length; at++) {
        const name = byShort[arg[at]] ?? arg[at];
        if (takesValue(name)) {
          const inline = arg.slice(at + 1);
          store(name, `-${arg[at]}`, inline || args[++i], i, inline !== '');
          break;
        }
        store(name, `-${arg[at]}`, undefined, i);
      }
    } else {
      if (!allowPositionals) throw coded(TypeError, 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL', `Unexpected argument '${arg}'. This command does not take positional arguments`);
      tokens.push({ kind: 'positional', index: i, value: arg });
      positionals.push(arg);
    }
  }
  for (const [name, option] of Object.entries(options)) if (option.default !== undefined && values[name] === undefined) values[name] = option.default;
  return wantTokens ? { values, positionals, tokens } : { values, positionals };
};
