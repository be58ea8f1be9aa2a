/* Records of each kind with every member in use, and how they are compared. */
#ifndef JUNCTOR_TESTS_STORE_SAMPLES_H
#define JUNCTOR_TESTS_STORE_SAMPLES_H

#include "store/store.h"

struct store_domain domain_make(const char *name);
/* Only ALIAS has a target, only what is hosted elsewhere another domain. */
struct store_record record_make(const char *user, const char *domain,
                                enum store_address_state state);
struct store_number number_make(const char *digits);
struct store_peer peer_make(const char *domain);
struct store_token token_make(const char *id, enum store_scope scope);

/* Key and all. */
void assert_number_same(const struct store_number *a, const struct store_number *b);
void assert_peer_same(const struct store_peer *a, const struct store_peer *b);
void assert_token_same(const struct store_token *a, const struct store_token *b);

/* For lists that must call nobody. */
bool number_never(const struct store_number *number, void *arg);
bool peer_never(const struct store_peer *peer, void *arg);
bool token_never(const struct store_token *token, void *arg);

#endif
