// From the start to the end of a program: the exit code, the exit event, the end itself.
'use strict';
const { emit } = lib('emit');

let exitCode; // as the program set it: undefined, null, a number or its digits
let exiting = false;
let starting = true;
const code = () => +(exitCode ?? 0);

function emitExit() {
  if (exiting) return;
  exiting = true;
  emit(lib('process'), 'exit', [code()]);
}

module.exports = {
  code, emitExit,
  // Whether this is still before the snapshot.
  starting: () => starting,
  started() { starting = false; },
  get: () => exitCode,
  set(value) { exitCode = value; },
  exit() {
    emitExit();
    native.exit(code());
  },
};
