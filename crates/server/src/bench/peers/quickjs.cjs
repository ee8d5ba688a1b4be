// quickjs-emscripten: QuickJS in wasm, a fresh runtime and context for each run, limits on. Values
// reach the host as JSON, so that they are printed as node prints them.
const { newQuickJSWASMModuleFromVariant } = require("quickjs-emscripten-core");
const variant = require("@jitl/quickjs-wasmfile-release-sync").default;
const { format } = require("node:util");

newQuickJSWASMModuleFromVariant(variant).then((engine) =>
  serve((code) => {
    let printed = "";
    const runtime = engine.newRuntime();
    runtime.setMemoryLimit(512 * 2 ** 20);
    const deadline = Date.now() + 30_000;
    runtime.setInterruptHandler(() => Date.now() > deadline);
    const context = runtime.newContext();
    const log = context.newFunction("log", (...values) => {
      printed += `${format(...values.map((value) => context.dump(value)))}\n`;
    });
    const console = context.newObject();
    context.setProp(console, "log", log);
    context.setProp(context.global, "console", console);
    log.dispose();
    console.dispose();
    context.unwrapResult(context.evalCode(code)).dispose();
    context.dispose();
    runtime.dispose();
    return printed;
  }),
);
