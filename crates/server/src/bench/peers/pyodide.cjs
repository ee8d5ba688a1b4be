// Pyodide: CPython in wasm, a fresh interpreter for each run. It has no limits to switch on.
const { loadPyodide } = require("pyodide");
const readline = require("node:readline");

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    let answer;
    const start = performance.now();
    try {
      const printed = [];
      const python = await loadPyodide({ stdout: (text) => printed.push(`${text}\n`) });
      let input = Buffer.from(asked.stdin);
      python.setStdin({
        read(buffer) {
          const taken = input.subarray(0, buffer.length);
          buffer.set(taken);
          input = input.subarray(taken.length);
          return taken.length;
        },
      });
      python.runPython(asked.code);
      answer = { seconds: (performance.now() - start) / 1e3, stdout: printed.join("") };
    } catch (problem) {
      answer = { problem: String(problem.message ?? problem) };
    }
    console.log(JSON.stringify(answer));
  }
})();
