// Writing text into room that is there already: what is reported when no memory is left, or nothing
// of Python's can be trusted, is made of these.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdio.h>
#include <string.h>

#include "sandgate.h"

void put(struct text_buffer *to, const char *bytes, size_t length) {
    if (length <= to->room - to->length) {
        memcpy(to->bytes + to->length, bytes, length);
        to->length += length;
    }
}

void put_words(struct text_buffer *to, const char *words) { put(to, words, strlen(words)); }

void put_number(struct text_buffer *to, long number) {
    char digits[16];
    int length = snprintf(digits, sizeof digits, "%ld", number);
    put(to, digits, (size_t)length);
}

static void put_character(struct text_buffer *to, Py_UCS4 character, bool json) {
    char bytes[8];
    int length;
    // In a program that broke the interpreter, text may hold anything.
    if (Py_UNICODE_IS_SURROGATE(character) || character > 0x10ffff) {
        character = 0xfffd;
    }
    if (json && (character < 0x20 || character == '"' || character == '\\')) {
        length = snprintf(bytes, sizeof bytes, "\\u%04x", (unsigned)character);
    } else if (character < 0x80) {
        bytes[0] = (char)character;
        length = 1;
    } else if (character < 0x800) {
        bytes[0] = (char)(0xc0 | character >> 6);
        bytes[1] = (char)(0x80 | (character & 0x3f));
        length = 2;
    } else if (character < 0x10000) {
        bytes[0] = (char)(0xe0 | character >> 12);
        bytes[1] = (char)(0x80 | (character >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (character & 0x3f));
        length = 3;
    } else {
        bytes[0] = (char)(0xf0 | character >> 18);
        bytes[1] = (char)(0x80 | (character >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (character >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (character & 0x3f));
        length = 4;
    }
    put(to, bytes, (size_t)length);
}

void put_text(struct text_buffer *to, PyObject *text, Py_ssize_t most, bool json) {
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    for (Py_ssize_t i = 0; i < length; i++) {
        if (length > most && i == most / 4) {
            i = length - (most - most / 4);
            put_words(to, json ? "\\n\\u2026\\n" : "\n...\n");
        }
        put_character(to, PyUnicode_READ(kind, data, i), json);
    }
}

void put_plain(struct text_buffer *to, const struct text_buffer *plain) {
    for (size_t i = 0; i < plain->length; i++) {
        unsigned char byte = (unsigned char)plain->bytes[i];
        if (byte < 0x80) {
            put_character(to, byte, true);
        } else {
            put(to, plain->bytes + i, 1);
        }
    }
}
