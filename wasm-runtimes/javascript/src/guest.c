// The JavaScript guest: QuickJS-ng behind the sandgate ABI (see wasm-runtimes/ABI.md).
//
// One translation unit on purpose: the engine's internals (class ids, the stack limit, the
// garbage collector's list) are needed here and are static in quickjs.c.
#include "quickjs.c"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(name) __attribute__((import_module("sandgate"), import_name(name)))

IMPORT("result") extern void host_result(const char *json, size_t len);
IMPORT("error") extern void host_error(const char *json, size_t len);
IMPORT("entropy") extern uint64_t host_entropy(void);

static JSRuntime *g_rt;
static JSContext *g_ctx;     // the program's realm
static JSContext *g_prelude; // a realm that no program can reach, for what must work to the end

#include "stdio.h.inc"
#include "request.h.inc"
#include "text.h.inc"
#include "files.h.inc"
#include "values.h.inc"
#include "modules.h.inc"
#include "report.h.inc"
#include "run.h.inc"
#include "init.h.inc"
