// console.table.
'use strict';
const { inspect } = lib('inspect');
const width = lib('width');
const { classes: K, kind, iteratorEntries } = native;

const padded = (text, room) => ` ${text}${' '.repeat(room - width(text) - 1)}`;
function draw(head, columns) {
  const rows = Math.max(...columns.map((column) => column.length));
  const widths = columns.map((column, i) => Math.max(width(head[i]), ...Array.from({ length: rows }, (_, r) => width(column[r] ?? ''))) + 2);
  const rule = (left, middle, right) => left + widths.map((w) => '─'.repeat(w)).join(middle) + right;
  const line = (cells) => `│${cells.map((cell, i) => padded(cell, widths[i])).join('│')}│`;
  const out = [rule('┌', '┬', '┐'), line(head), rule('├', '┼', '┤')];
  for (let r = 0; r < rows; r++) out.push(line(columns.map((column) => column[r] ?? '')));
  out.push(rule('└', '┴', '┘'));
  return out.join('\n');
}

// Values in a cell show their own entries only where that stays short.
function cell(value) {
  const depth = value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 2 ? -1 : 0;
  return inspect(value, { maxArrayLength: 3, depth, breakLength: Infinity });
}
const isPrimitive = (value) => value === null || (typeof value !== 'object' && typeof value !== 'function');

module.exports = function table(data, wanted) {
  if (data === null || typeof data !== 'object') return undefined;
  if (wanted !== undefined && !Array.isArray(wanted)) throw new TypeError('The "properties" argument must be an instance of Array.');
  const id = kind(data);
  const index = (rows) => rows.map((_, i) => `${i}`);
  if (id === K.MAP || id === K.MAP_ITERATOR) {
    let entries;
    if (id === K.MAP) entries = [...data];
    else {
      const [flat, paired] = iteratorEntries(data);
      if (!paired) return draw(['(iteration index)', 'Values'], [index(flat), flat.map(cell)]);
      entries = flat.filter((_, i) => i % 2 === 0).map((key, i) => [key, flat[i * 2 + 1]]);
    }
    return draw(['(iteration index)', 'Key', 'Values'], [index(entries), entries.map(([key]) => cell(key)), entries.map(([, value]) => cell(value))]);
  }
  if (id === K.SET || id === K.SET_ITERATOR) {
    const values = id === K.SET ? [...data] : iteratorEntries(data)[0];
    return draw(['(iteration index)', 'Values'], [index(values), values.map(cell)]);
  }
  const rowKeys = Object.keys(data);
  const columns = {}; // an object: columns named by numbers come first
  const values = [];
  let hasValues = false;
  rowKeys.forEach((key, r) => {
    const row = data[key];
    if (isPrimitive(row)) {
      hasValues = true;
      values[r] = cell(row);
      return;
    }
    for (const name of wanted || Object.keys(row)) {
      columns[name] ??= [];
      if (Object.prototype.hasOwnProperty.call(row, name)) columns[name][r] = cell(row[name]);
    }
  });
  const head = ['(index)', ...Object.keys(columns)];
  const body = [rowKeys, ...Object.values(columns)];
  if (hasValues) {
    head.push('Values');
    body.push(values);
  }
  return draw(head, body);
};
