// The part that drivers in node share: a snippet a line, run afresh; the answer is how long that took
// and what was printed.
const readline = require("node:readline");

// Answers with what `run` prints for the code and the standard input that it is given.
async function serve(run) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    let answer;
    const start = performance.now();
    try {
      const printed = await run(asked.code, asked.stdin);
      answer = { seconds: (performance.now() - start) / 1e3, stdout: printed };
    } catch (problem) {
      answer = { problem: String(problem.message ?? problem) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

