// QuickJS-ng compiled for this machine, for comparison: runs fib(25) once for each line on stdin
// and answers with the seconds it took. `cargo xtask bench` compiles it with the guest's sources.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quickjs.h"

static const char SOURCE[] =
    "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }";
static const char CALL[] = "fib(25)";

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void evaluate(JSContext *context, const char *source) {
  JSValue value = JS_Eval(context, source, strlen(source), "fib.js", JS_EVAL_TYPE_GLOBAL);
  if (JS_IsException(value)) exit(1);
  JS_FreeValue(context, value);
}

int main(void) {
  JSRuntime *runtime = JS_NewRuntime();
  JSContext *context = runtime ? JS_NewContext(runtime) : NULL;
  if (!context) return 1;
  evaluate(context, SOURCE);
  char line[16];
  while (fgets(line, sizeof line, stdin)) {
    double start = now();
    evaluate(context, CALL);
    printf("%.9f\n", now() - start);
    fflush(stdout);
  }
  JS_FreeContext(context);
  JS_FreeRuntime(runtime);
  return 0;
}
