/* A disk that fails on demand. Loaded before the C library (LD_PRELOAD), it stands between the program and the system calls
   that touch files below one directory, and makes them fail as the first line of a control file says:

       FAULT DIRECTORY

   FAULT is one of: full, unwritable, unsynced, unreadable, readonly, slow, hung. Without the control file nothing is changed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(type, name, ...)                                                                                          \
    static type (*real)(__VA_ARGS__);                                                                                  \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int below(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* Whether this fault holds for this path. Speaks to the kernel directly: the functions below must not meet themselves. */
static int struck_path(const char *path, const char *fault) {
    const char *control = getenv("FAULTY_DISK_CONTROL");
    if (!control) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char line[PATH_MAX + 32];
    ssize_t length = syscall(SYS_read, fd, line, sizeof line - 1);
    close(fd);
    if (length <= 0) return 0;
    line[length] = 0;
    line[strcspn(line, "\n")] = 0;
    char *directory = strchr(line, ' ');
    if (!directory) return 0;
    *directory++ = 0;
    return strcmp(line, fault) == 0 && below(path, directory);
}

static int struck(int fd, const char *fault) {
    int before = errno;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length <= 0) return 0;
    path[length] = 0;
    return struck_path(path, fault);
}

static off_t size_of(int fd) {
    struct stat about;
    return fstat(fd, &about) == 0 ? about.st_size : 0;
}

/* How much may be written from here: what has a place on the disk already. -1: nothing at all. */
static ssize_t allowed(int fd, size_t count, off_t from) {
    if (struck(fd, "unwritable")) return errno = EIO, -1;
    if (count == 0 || !struck(fd, "full")) return (ssize_t)count;
    off_t room = size_of(fd) - from;
    if (room <= 0) return errno = ENOSPC, -1;
    return (off_t)count < room ? (ssize_t)count : (ssize_t)room;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    ssize_t may = allowed(fd, count, lseek(fd, 0, SEEK_CUR));
    return may < 0 ? -1 : real(fd, bytes, (size_t)may);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t from) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    ssize_t may = allowed(fd, count, from);
    return may < 0 ? -1 : real(fd, bytes, (size_t)may, from);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t from) { return pwrite64(fd, bytes, count, from); }

ssize_t read(int fd, void *bytes, size_t count) {
    REAL(ssize_t, "read", int, void *, size_t);
    return struck(fd, "unreadable") ? (errno = EIO, -1) : real(fd, bytes, count);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t from) {
    REAL(ssize_t, "pread64", int, void *, size_t, off64_t);
    return struck(fd, "unreadable") ? (errno = EIO, -1) : real(fd, bytes, count, from);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t from) { return pread64(fd, bytes, count, from); }

/* 0, or the error of making a file this long. */
static int growth(int fd, off_t length) {
    if (struck(fd, "unwritable")) return EIO;
    return struck(fd, "full") && length > size_of(fd) ? ENOSPC : 0;
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    int error = growth(fd, length);
    return error ? (errno = error, -1) : real(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off64_t from, off64_t length) {
    REAL(int, "fallocate64", int, int, off64_t, off64_t);
    int error = growth(fd, from + length);
    return error ? (errno = error, -1) : real(fd, mode, from, length);
}

int fallocate(int fd, int mode, off_t from, off_t length) { return fallocate64(fd, mode, from, length); }

int posix_fallocate64(int fd, off64_t from, off64_t length) {
    REAL(int, "posix_fallocate64", int, off64_t, off64_t);
    int error = growth(fd, from + length);
    return error ? error : real(fd, from, length);
}

int posix_fallocate(int fd, off_t from, off_t length) { return posix_fallocate64(fd, from, length); }

/* 0, or -1 with the error; a slow disk takes its time, a hung one all the time there is. */
static int synced(int fd) {
    static const struct timespec slow = {0, 200 * 1000 * 1000}, look = {0, 10 * 1000 * 1000};
    while (struck(fd, "hung")) nanosleep(&look, NULL);
    if (struck(fd, "unsynced")) return errno = EIO, -1;
    if (struck(fd, "slow")) nanosleep(&slow, NULL);
    return 0;
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return synced(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return synced(fd) ? -1 : real(fd);
}

/* The error of opening this path in this way, or 0. */
static int opening(const char *path, int flags) {
    int before = errno, error = 0;
    int exists = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    if ((flags & O_ACCMODE) != O_RDONLY && struck_path(path, "readonly")) error = EROFS;
    if ((flags & O_CREAT) && !exists && struck_path(path, "full")) error = ENOSPC;
    errno = before;
    return error;
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list more;
        va_start(more, flags);
        mode = va_arg(more, mode_t);
        va_end(more);
    }
    int error = opening(path, flags);
    return error ? (errno = error, -1) : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list more;
        va_start(more, flags);
        mode = va_arg(more, mode_t);
        va_end(more);
    }
    return open64(path, flags, mode);
}
