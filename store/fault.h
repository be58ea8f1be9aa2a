/* Sentences for the person whose input or environment is at fault. */
#ifndef JUNCTOR_STORE_FAULT_H
#define JUNCTOR_STORE_FAULT_H

#include "base/slice.h"
#include "store/store.h"

/* printf into *fault, which may be NULL. Returns `status`, so that a guard is one line. */
int store_fault_set(struct store_fault *fault, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "'x'" for a printable ASCII character, else "byte 0xNN"; returns text. */
#define FAULT_CHAR_MAX 12
const char *store_fault_char(char c, char text[FAULT_CHAR_MAX]);

#endif
