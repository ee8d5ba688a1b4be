// What a program sees of util.inspect: these objects are its own, and it may change them.
'use strict';
const DEFAULTS = {
  showHidden: false, depth: 2, colors: false, customInspect: true, showProxy: false,
  maxArrayLength: 100, maxStringLength: 10000, breakLength: 80, compact: 3, sorted: false,
  getters: false, numericSeparator: false,
};
const STYLES = {
  special: 'cyan', number: 'yellow', bigint: 'yellow', boolean: 'yellow', undefined: 'grey',
  null: 'bold', string: 'green', symbol: 'green', date: 'magenta', regexp: 'red', module: 'underline',
};
const COLORS = {
  reset: [0, 0], bold: [1, 22], dim: [2, 22], italic: [3, 23], underline: [4, 24], blink: [5, 25],
  inverse: [7, 27], hidden: [8, 28], strikethrough: [9, 29], black: [30, 39], red: [31, 39],
  green: [32, 39], yellow: [33, 39], blue: [34, 39], magenta: [35, 39], cyan: [36, 39],
  white: [37, 39], grey: [90, 39], gray: [90, 39], redBright: [91, 39], greenBright: [92, 39],
  yellowBright: [93, 39], blueBright: [94, 39], magentaBright: [95, 39], cyanBright: [96, 39],
  whiteBright: [97, 39], bgBlack: [40, 49], bgRed: [41, 49], bgGreen: [42, 49], bgYellow: [43, 49],
  bgBlue: [44, 49], bgMagenta: [45, 49], bgCyan: [46, 49], bgWhite: [47, 49],
};

let format; // lib/inspect.js's, which needs the above first

function inspect(value, options) {
  if (options === null || typeof options !== 'object') options = typeof options === 'boolean' ? { showHidden: options } : undefined;
  // The old form: inspect(value, showHidden, depth, colors).
  if (arguments.length >= 3 || typeof arguments[1] === 'boolean') {
    options = { showHidden: !!arguments[1] };
    if (arguments[2] !== undefined) options.depth = arguments[2];
    if (arguments[3] !== undefined) options.colors = arguments[3];
  }
  return format(value, options);
}
inspect.custom = Symbol.for('nodejs.util.inspect.custom');
inspect.colors = COLORS;
inspect.styles = STYLES;
Object.defineProperty(inspect, 'defaultOptions', { get: () => DEFAULTS, set: (options) => { Object.assign(DEFAULTS, options); } });

// The options that an object's own inspect method is given: those in force, and the caller's.
function optionsOf(ctx) {
  const { showHidden, depth, colors, customInspect, showProxy, maxArrayLength, maxStringLength, breakLength, compact, sorted, getters, numericSeparator, user, style } = ctx;
  const stylize = (text, type) => style(text, type);
  return { stylize, showHidden, depth, colors, customInspect, showProxy, maxArrayLength, maxStringLength, breakLength, compact, sorted, getters, numericSeparator, ...user };
}

module.exports = { DEFAULTS, STYLES, COLORS, inspect, optionsOf, connect(given) { format = given; } };
