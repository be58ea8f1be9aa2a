/* Intrusive doubly linked list. A link serves one list at a time. */
#ifndef JUNCTOR_BASE_LIST_H
#define JUNCTOR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

/* The struct of `type` whose member `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Makes an empty list, or a link that is on no list. */
static inline void list_init(struct list *list)
{
    list->prev = list->next = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* Takes the link off its list, if it is on one. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* The first link, or NULL where the list is empty. */
static inline struct list *list_first(const struct list *list)
{
    return list->next == list ? NULL : list->next;
}

/* Takes the first link off and returns it, or NULL where the list is empty. */
static inline struct list *list_pop(struct list *list)
{
    struct list *link = list->next;
    if (link == list)
        return NULL;
    list->next = link->next;
    link->next->prev = list;
    list_init(link);
    return link;
}

/* Loops over the links; `next_it` makes it safe to remove `it` in the body. */
/* NOLINTBEGIN(bugprone-macro-parentheses): names to declare, which parentheses would break. */
#define list_each(it, next_it, head)                                                               \
    for (struct list *it = (head)->next, *next_it = it->next; it != (head);                        \
         it = next_it, next_it = it->next)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
