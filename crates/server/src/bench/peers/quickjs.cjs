// quickjs-emscripten: QuickJS in wasm, a fresh runtime and context for each run.
const { getQuickJS } = require("quickjs-emscripten");
const readline = require("readline");

(async () => {
  const engine = await getQuickJS();
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const start = performance.now();
    const runtime = engine.newRuntime();
    runtime.setMemoryLimit(256 * 2 ** 20);
    const context = runtime.newContext();
    const handle = context.unwrapResult(context.evalCode("1+1"));
    const result = context.getNumber(handle);
    handle.dispose();
    context.dispose();
    runtime.dispose();
    const took = performance.now() - start;
    if (result !== 2) throw new Error(`1+1 is ${result}`);
    console.log(took / 1e3);
  }
})();
