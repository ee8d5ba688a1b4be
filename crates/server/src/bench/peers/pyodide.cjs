// Pyodide: CPython in wasm, a fresh interpreter for each run. It has no limits to switch on.
const { loadPyodide } = require("pyodide");

serve(async (code, stdin) => {
  const printed = [];
  const python = await loadPyodide({ stdout: (text) => printed.push(`${text}\n`) });
  let input = Buffer.from(stdin);
  python.setStdin({
    read(buffer) {
      const taken = input.subarray(0, buffer.length);
      buffer.set(taken);
      input = input.subarray(taken.length);
      return taken.length;
    },
  });
  python.runPython(code);
  return printed.join("");
});
