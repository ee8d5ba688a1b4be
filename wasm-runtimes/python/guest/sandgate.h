// What the parts of the Python guest share. ABI.md, two folders up, is the contract they fulfil.
#ifndef SANDGATE_H
#define SANDGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDGATE_IMPORT(name) __attribute__((import_module("sandgate"), import_name(#name)))
#define SANDGATE_EXPORT(name) __attribute__((export_name(#name)))

// stdio.c: until this is called, everything written goes to the host at once.
void sandgate_stdio_start(void);

// request.c
struct text {
    const char *bytes; // followed by a NUL
    uint32_t length;
};

struct texts {
    uint32_t count;
    struct text *items;
};

struct request {
    bool want_result;
    struct text name;
    struct text code;
    struct texts arguments;
    struct texts environment;
};

// False where the block is malformed; the request is then not to be used.
bool sandgate_parse_request(const uint8_t *block, uint32_t length, struct request *request);

// heap.c: the last step before the snapshot.
void sandgate_settle_heap(void);

// host.c: the module `_sandgate`.
struct _object *sandgate_host_module(void);
void sandgate_set_source(struct text code);

#endif
