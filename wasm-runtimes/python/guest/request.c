// The request block. The host writes it, but a guest that trusted it blindly could not be tested
// against a broken one, so every length is checked against what is left.
#include <stdlib.h>
#include <string.h>

#include "sandgate.h"

#define VERSION 1
#define WANT_RESULT 1u

struct reader {
    const uint8_t *next;
    uint32_t left;
};

SANDGATE_EXPORT(sandgate_alloc) void *sandgate_alloc(int32_t length) {
    return length > 0 ? malloc((size_t)length) : NULL;
}

static bool read_number(struct reader *reader, uint32_t *number) {
    if (reader->left < sizeof *number) {
        return false;
    }
    memcpy(number, reader->next, sizeof *number);
    reader->next += sizeof *number;
    reader->left -= sizeof *number;
    return true;
}

static bool read_text(struct reader *reader, struct text *text) {
    uint32_t length;
    if (!read_number(reader, &length) || length >= reader->left || reader->next[length] != 0) {
        return false;
    }
    text->bytes = (const char *)reader->next;
    text->length = length;
    reader->next += length + 1;
    reader->left -= length + 1;
    return true;
}

static bool read_texts(struct reader *reader, struct texts *texts) {
    // The shortest text takes five bytes: a count that cannot fit is refused before any room is
    // made for it.
    if (!read_number(reader, &texts->count) || texts->count > reader->left / 5) {
        return false;
    }
    texts->items = NULL;
    if (texts->count == 0) {
        return true;
    }
    texts->items = calloc(texts->count, sizeof *texts->items);
    if (texts->items == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < texts->count; i++) {
        if (!read_text(reader, &texts->items[i])) {
            return false;
        }
    }
    return true;
}

bool sandgate_parse_request(const uint8_t *block, uint32_t length, struct request *request) {
    struct reader reader = {block, length};
    uint32_t version, flags;
    if (!read_number(&reader, &version) || version != VERSION || !read_number(&reader, &flags)) {
        return false;
    }
    request->want_result = (flags & WANT_RESULT) != 0;
    return read_text(&reader, &request->name) && read_text(&reader, &request->code) &&
           read_texts(&reader, &request->arguments) && read_texts(&reader, &request->environment);
}
