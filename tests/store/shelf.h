/* A growing array of items in order of their key; what the model keeps its records on. */
#ifndef JUNCTOR_TESTS_STORE_SHELF_H
#define JUNCTOR_TESTS_STORE_SHELF_H

#include <stddef.h>

/* The order of two items, as strcmp tells it; looks at their keys only. */
typedef int shelf_order_h(const void *a, const void *b);

struct shelf {
    char *items;
    size_t size; /* of one item */
    size_t count, room;
    shelf_order_h *order;
};

void shelf_init(struct shelf *shelf, size_t size, shelf_order_h *order);
void shelf_done(struct shelf *shelf);
void *shelf_at(const struct shelf *shelf, size_t i);
/* The item with the key of `like`, or NULL. Valid until the next put or remove. */
void *shelf_find(const struct shelf *shelf, const void *like);
/* Where it is, or would be. */
size_t shelf_place(const struct shelf *shelf, const void *like);
/* Adds or replaces. Ends the program where there is no memory. */
void *shelf_put(struct shelf *shelf, const void *item);
void shelf_remove(struct shelf *shelf, const void *like); /* it is there */
/* Makes `to`, which is initialised, hold what `from` holds. */
void shelf_copy(struct shelf *to, const struct shelf *from);

#endif
