// SPDX-License-Identifier: Apache-2.0

/* Loaded in front of a database, it makes every sync of a file take a set time longer: a disk that is slow to say that it has everything. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_a_while(void) {
    const char *text = getenv("SLOW_SYNC_US");
    long us = text ? atol(text) : 2000;
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, 0);
}

#define SLOW(name)                                                  \
    int name(int file) {                                            \
        static int (*real)(int);                                    \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name);    \
        int result = real(file);                                    \
        wait_a_while();                                             \
        return result;                                              \
    }

SLOW(fsync)
SLOW(fdatasync)
