/* Stands between a process and the disk: counts every call that changes a file under one folder, notes the
 * latest, and at the N-th of them fails, cuts a write short, or kills the process.
 *
 * In: FAULTS_FOLDER, FAULTS_BOARD (a file of sizeof(struct board)), FAULTS_MODE, FAULTS_AT, FAULTS_COUNT.
 * Out: the board, shared with whoever maps or reads that file, also after a SIGKILL.
 * Never: a change of what is read, or of files elsewhere. Loaded by LD_PRELOAD, so it sees SQLite too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum place { ELSEWHERE, VAULT, STORE, DESK_EVIDENCE, DESK_STORE, OTHER, WIRE, PLACES };
enum mode { COUNT, FAIL_IO, FAIL_SPACE, SHORT, KILL };

struct board {
    uint64_t ops;      /* calls that change a file under the folder */
    uint64_t injected; /* of these, how many were failed or cut short */
    uint64_t latest;   /* enum place of the latest, also of the wire */
    uint64_t by_place[PLACES];
};

static struct board *board;
static char folder[PATH_MAX];
static size_t folder_length;
static enum mode mode;
static uint64_t strike_at, strike_count = 1;
static unsigned char place_of_fd[65536];

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static uint64_t number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void begin(void) {
    const char *under = getenv("FAULTS_FOLDER"), *path = getenv("FAULTS_BOARD");
    if (!under || !path || strlen(under) >= sizeof folder) return;
    strcpy(folder, under);
    mode = (enum mode)number("FAULTS_MODE", COUNT);
    strike_at = number("FAULTS_AT", 0);
    strike_count = number("FAULTS_COUNT", 1);
    int fd = open(path, O_RDWR);
    if (fd < 0) return;
    void *map = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return;
    folder_length = strlen(folder);
    board = map;
}

static enum place place_of(const char *path) {
    if (!board || !path || strncmp(path, folder, folder_length) != 0) return ELSEWHERE;
    const char *rest = path + folder_length;
    if (strncmp(rest, "/report/vault", 13) == 0) return VAULT;
    if (strncmp(rest, "/report/report.sqlite", 21) == 0) return STORE;
    if (strncmp(rest, "/desk/evidence", 14) == 0) return DESK_EVIDENCE;
    if (strncmp(rest, "/desk/desk.sqlite", 17) == 0) return DESK_STORE;
    return OTHER;
}

static enum place place_of_open(int fd) {
    return fd >= 0 && fd < (int)sizeof place_of_fd ? place_of_fd[fd] : ELSEWHERE;
}

/* Notes a call. Nonzero: the error to fail with; -1: cut a write short. */
static int strike(enum place place, int is_write) {
    if (!board || place == ELSEWHERE) return 0;
    board->latest = place;
    __atomic_add_fetch(&board->by_place[place], 1, __ATOMIC_RELAXED);
    uint64_t n = __atomic_add_fetch(&board->ops, 1, __ATOMIC_SEQ_CST);
    if (mode == COUNT || n < strike_at || n >= strike_at + strike_count) return 0;
    if (mode == KILL) kill(getpid(), SIGKILL);
    __atomic_add_fetch(&board->injected, 1, __ATOMIC_RELAXED);
    if (mode == SHORT && is_write && n == strike_at) return -1;
    return mode == FAIL_IO ? EIO : ENOSPC;
}

#define STRIKE(place, failed) \
    do { int error = strike(place, 0); if (error) { errno = error; return failed; } } while (0)

static int opened(int fd, enum place place) {
    if (fd >= 0 && fd < (int)sizeof place_of_fd) place_of_fd[fd] = place;
    return fd;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; va_start(more, flags); mode_t bits = va_arg(more, mode_t); va_end(more); \
        enum place place = place_of(path); \
        if (flags & O_CREAT) STRIKE(place, -1); \
        return opened(real(path, flags, bits), place); \
    }
#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) { \
        REAL(name); \
        va_list more; va_start(more, flags); mode_t bits = va_arg(more, mode_t); va_end(more); \
        enum place place = place_of(path); \
        if (flags & O_CREAT) STRIKE(place, -1); \
        return opened(real(at, path, flags, bits), place); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    REAL(close);
    opened(fd, ELSEWHERE);
    return real(fd);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    int error = strike(place_of_open(fd), length > 1);
    if (error > 0) { errno = error; return -1; }
    return real(fd, bytes, error < 0 ? length / 2 : length);
}

#define PWRITE(name, offset_type) \
    ssize_t name(int fd, const void *bytes, size_t length, offset_type at) { \
        REAL(name); \
        int error = strike(place_of_open(fd), length > 1); \
        if (error > 0) { errno = error; return -1; } \
        return real(fd, bytes, error < 0 ? length / 2 : length, at); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

static void on_the_wire(int fd) {
    if (board && place_of_open(fd) == ELSEWHERE) {
        board->latest = WIRE;
        __atomic_add_fetch(&board->by_place[WIRE], 1, __ATOMIC_RELAXED);
    }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev);
    on_the_wire(fd);
    STRIKE(place_of_open(fd), -1);
    return real(fd, parts, count);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    REAL(send);
    on_the_wire(fd);
    return real(fd, bytes, length, flags);
}

#define ON_FD(name) \
    int name(int fd) { REAL(name); STRIKE(place_of_open(fd), -1); return real(fd); }
ON_FD(fsync)
ON_FD(fdatasync)

int ftruncate(int fd, off_t length) { REAL(ftruncate); STRIKE(place_of_open(fd), -1); return real(fd, length); }
int ftruncate64(int fd, off64_t length) { REAL(ftruncate64); STRIKE(place_of_open(fd), -1); return real(fd, length); }

int rename(const char *from, const char *to) { REAL(rename); STRIKE(place_of(to), -1); return real(from, to); }
int unlink(const char *path) { REAL(unlink); STRIKE(place_of(path), -1); return real(path); }
int mkdir(const char *path, mode_t bits) { REAL(mkdir); STRIKE(place_of(path), -1); return real(path, bits); }
