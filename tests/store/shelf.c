#include "tests/store/shelf.h"

#include <stdlib.h>
#include <string.h>

void shelf_init(struct shelf *shelf, size_t size, shelf_order_h *order)
{
    *shelf = (struct shelf){.size = size, .order = order};
}

void shelf_done(struct shelf *shelf)
{
    free(shelf->items);
    shelf->items = NULL;
    shelf->count = shelf->room = 0;
}

void *shelf_at(const struct shelf *shelf, size_t i)
{
    return shelf->items + i * shelf->size;
}

size_t shelf_place(const struct shelf *shelf, const void *like)
{
    size_t low = 0, high = shelf->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (shelf->order(shelf_at(shelf, middle), like) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *shelf_find(const struct shelf *shelf, const void *like)
{
    size_t i = shelf_place(shelf, like);
    if (i == shelf->count || shelf->order(shelf_at(shelf, i), like) != 0)
        return NULL;
    return shelf_at(shelf, i);
}

static void shelf_grow(struct shelf *shelf, size_t count)
{
    if (count <= shelf->room)
        return;
    size_t room = count < 16 ? 16 : count * 2;
    char *items = realloc(shelf->items, room * shelf->size);
    if (!items)
        abort();
    shelf->items = items;
    shelf->room = room;
}

void *shelf_put(struct shelf *shelf, const void *item)
{
    void *there = shelf_find(shelf, item);
    if (there)
        return memcpy(there, item, shelf->size);
    size_t i = shelf_place(shelf, item);
    shelf_grow(shelf, shelf->count + 1);
    char *at = shelf_at(shelf, i);
    memmove(at + shelf->size, at, (shelf->count - i) * shelf->size);
    shelf->count++;
    return memcpy(at, item, shelf->size);
}

void shelf_remove(struct shelf *shelf, const void *like)
{
    size_t i = shelf_place(shelf, like);
    char *at = shelf_at(shelf, i);
    shelf->count--;
    memmove(at, at + shelf->size, (shelf->count - i) * shelf->size);
}

void shelf_copy(struct shelf *to, const struct shelf *from)
{
    shelf_grow(to, from->count);
    to->count = from->count;
    if (from->count)
        memcpy(to->items, from->items, from->count * from->size);
}
