// Functions that zig's wasi headers declare, so that CPython's configure finds them, and that its
// C library does not have. All of them fail the way a system without the feature does.
#include <errno.h>
#include <stddef.h>

static int unsupported(void) {
    errno = ENOSYS;
    return -1;
}

static void *nothing(void) {
    errno = ENOSYS;
    return NULL;
}

char *gettext(const char *message) { return (char *)message; }
char *dgettext(const char *domain, const char *message) { return (char *)message; }
char *dcgettext(const char *domain, const char *message, int category) { return (char *)message; }
char *textdomain(const char *domain) { return (char *)"messages"; }
char *bindtextdomain(const char *domain, const char *folder) { return (char *)folder; }

int setgroups(unsigned long count, const void *groups) { return unsupported(); }
int timerfd_create(int clock, int flags) { return unsupported(); }
int timerfd_gettime(int fd, void *now) { return unsupported(); }
int timerfd_settime(int fd, int flags, const void *to, void *from) { return unsupported(); }
int epoll_create1(int flags) { return unsupported(); }
int epoll_ctl(int epoll, int operation, int fd, void *event) { return unsupported(); }
int epoll_wait(int epoll, void *events, int count, int timeout) { return unsupported(); }

static int resolver_error = 1;
int *__h_errno_location(void) { return &resolver_error; }
const char *hstrerror(int error) { return "Host not found"; }
void *gethostbyaddr(const void *address, unsigned length, int type) { return nothing(); }
void *gethostbyname(const char *name) { return nothing(); }
void *getprotobyname(const char *name) { return nothing(); }
void *getservbyname(const char *name, const char *protocol) { return nothing(); }
void *getservbyport(int port, const char *protocol) { return nothing(); }
