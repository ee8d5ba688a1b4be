// Standard output and error: two buffers the host empties whenever it looks, so that printing
// costs no call and what was printed survives whatever ends the guest.
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

#include "sandgate.h"

#define CAPACITY (32 * 1024)

struct stream {
    char *data;
    uint32_t capacity;
    uint32_t length;
    uint32_t reserved;
};

_Static_assert(sizeof(struct stream) == 16, "the host reads this layout");

static char buffers[2][CAPACITY];
static struct stream streams[2] = {{buffers[0], CAPACITY, 0, 0}, {buffers[1], CAPACITY, 0, 0}};
static bool started;

SANDGATE_EXPORT(sandgate_stdio) struct stream *sandgate_stdio(void) { return streams; }

void sandgate_stdio_start(void) { started = true; }

static ssize_t host_write(int fd, const void *bytes, size_t length) {
    __wasi_ciovec_t piece = {bytes, length};
    __wasi_size_t written = 0;
    __wasi_errno_t error = __wasi_fd_write(fd, &piece, 1, &written);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return (ssize_t)written;
}

// Takes the place of the C library's own. (Its `writev`, under `printf`, goes to the host directly,
// which keeps the order too.)
ssize_t write(int fd, const void *bytes, size_t length) {
    if (!started || (fd != STDOUT_FILENO && fd != STDERR_FILENO)) {
        return host_write(fd, bytes, length);
    }
    struct stream *stream = &streams[fd - STDOUT_FILENO];
    if (length > stream->capacity - stream->length) {
        // The host takes what is waiting before these bytes, and so keeps the order.
        return host_write(fd, bytes, length);
    }
    memcpy(stream->data + stream->length, bytes, length);
    stream->length += length;
    return (ssize_t)length;
}

void sandgate_print_error(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, length);
        if (written <= 0) {
            return;
        }
        bytes += written;
        length -= (size_t)written;
    }
}
