// Pyodide: CPython in wasm, a fresh interpreter for each run.
const { loadPyodide } = require("pyodide");
const readline = require("readline");

(async () => {
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const start = performance.now();
    const python = await loadPyodide();
    const result = python.runPython("1+1");
    const took = performance.now() - start;
    if (result !== 2) throw new Error(`1+1 is ${result}`);
    console.log(took / 1e3);
  }
})();
