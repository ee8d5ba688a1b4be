// What the console's methods stand on. Text goes straight into the stdio block.
'use strict';
const { formatArgs } = lib('format');
const { write } = native;

const GROUP_WIDTH = 2;
let indent = '';

function emit(fd, text) {
  if (indent !== '') text = indent + (text.includes('\n') ? text.replaceAll('\n', `\n${indent}`) : text);
  write(fd, `${text}\n`);
}

module.exports = {
  emit,
  print(fd, args) { emit(fd, formatArgs(undefined, args)); },
  indent() { indent += ' '.repeat(GROUP_WIDTH); },
  outdent() { indent = indent.slice(0, -GROUP_WIDTH); },
};
