// Files as they look before the snapshot. Where and when the build machine made them is nothing that
// the snapshot should hold: it would differ from build to build. So these calls of the C library go
// through here, and until the snapshot they are answered with less than the truth.
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wasi/api.h>

#include "sandgate.h"

#define WASI_IMPORT(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

WASI_IMPORT(fd_filestat_get) extern int32_t host_fd_filestat_get(int32_t fd, int32_t to);
WASI_IMPORT(path_filestat_get)
extern int32_t host_path_filestat_get(int32_t fd, int32_t flags, int32_t path, int32_t length,
                                      int32_t to);
WASI_IMPORT(fd_readdir)
extern int32_t host_fd_readdir(int32_t fd, int32_t to, int32_t room, int64_t cookie, int32_t used);

// Not 0: the C library looks up an inode that is.
#define INODE 1

static bool truthful;

void sandgate_files_start(void) { truthful = true; }

static void forget(__wasi_filestat_t *file) {
    file->dev = 0;
    file->ino = INODE;
    file->atim = file->mtim = file->ctim = 0;
}

int32_t __imported_wasi_snapshot_preview1_fd_filestat_get(int32_t fd, int32_t to) {
    int32_t error = host_fd_filestat_get(fd, to);
    if (error == 0 && !truthful) {
        forget((__wasi_filestat_t *)to);
    }
    return error;
}

int32_t __imported_wasi_snapshot_preview1_path_filestat_get(int32_t fd, int32_t flags, int32_t path,
                                                            int32_t length, int32_t to) {
    int32_t error = host_path_filestat_get(fd, flags, path, length, to);
    if (error == 0 && !truthful) {
        forget((__wasi_filestat_t *)to);
    }
    return error;
}

int32_t __imported_wasi_snapshot_preview1_fd_readdir(int32_t fd, int32_t to, int32_t room,
                                                     int64_t cookie, int32_t used) {
    int32_t error = host_fd_readdir(fd, to, room, cookie, used);
    if (error == 0 && !truthful) {
        uint8_t *at = (uint8_t *)to;
        uint8_t *end = at + *(__wasi_size_t *)used;
        // The last entry may be cut short.
        for (__wasi_dirent_t entry; (size_t)(end - at) >= sizeof entry;) {
            memcpy(&entry, at, sizeof entry);
            entry.d_ino = INODE;
            memcpy(at, &entry, sizeof entry);
            size_t left = (size_t)(end - at) - sizeof entry;
            at += sizeof entry + (entry.d_namlen < left ? entry.d_namlen : left);
        }
    }
    return error;
}
