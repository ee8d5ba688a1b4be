// What the parts of the Python guest share. ABI.md, two folders up, is the contract they fulfil.
#ifndef SANDGATE_H
#define SANDGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDGATE_IMPORT(name) __attribute__((import_module("sandgate"), import_name(#name)))
#define SANDGATE_EXPORT(name) __attribute__((export_name(#name)))

struct _object; // Python's

// stdio.c: until this is called, everything written goes to the host at once.
void sandgate_stdio_start(void);
// Writes to standard error, all of it.
void sandgate_print_error(const char *bytes, size_t length);

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

// text.c: text that grows to the end of its room. What does not fit is left out.
struct text_buffer {
    char *bytes;
    size_t room;
    size_t length;
};

void put(struct text_buffer *to, const char *bytes, size_t length);
void put_words(struct text_buffer *to, const char *words);
void put_number(struct text_buffer *to, long number);
// A Python string: its first quarter and its end where it has more than `most` characters. With
// `json` as part of a JSON string.
void put_text(struct text_buffer *to, struct _object *text, intptr_t most, bool json);
// UTF-8 as part of a JSON string.
void put_plain(struct text_buffer *to, const struct text_buffer *plain);

// report.c
// Before the snapshot: `describe` formats an exception as CPython prints it.
void sandgate_report_init(struct _object *describe);
// Which program runs: what lines are looked up in.
void sandgate_report_program(struct _object *name, struct text code);
// Reports and prints the exception that is set; returns the exit code.
int sandgate_report_uncaught(void);
// Reports a value's repr as a result; false, with an exception set, where that fails.
bool sandgate_report_value(struct _object *value);

// heap.c: the last step before the snapshot. `variables` is what programs keep theirs in.
void sandgate_settle_heap(struct _object *variables);

// files.c: from here on, files are what the host says they are.
void sandgate_files_start(void);

// host.c: the module `_sandgate`.
struct _object *sandgate_host_module(void);
void sandgate_set_source(struct text code);

#endif
