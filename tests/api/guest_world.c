#include "tests/api/guest_world.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400u

/* ---- the network ---- */

static void deliver(struct world *w, const char *from, const char *method, const char *path,
                    const json_t *body, struct federation_answer *answer)
{
    char proven[1][256];
    const struct federation_request request = {.method = method,
                                               .path = path,
                                               .query = "",
                                               .proven = (const char(*)[256])proven,
                                               .proven_count = 1,
                                               .served = AUTHORITY,
                                               .body = body};
    snprintf(proven[0], sizeof(proven[0]), "%s", from);
    if (porting_handle(w->engines[A], &request, answer))
        answer->status = 500;
}

static int ask(const char *from, const char *to, const char *method, const char *path,
               const json_t *body, struct federation_answer *answer, void *arg)
{
    struct world *w = arg;
    assert_string_equal(from, HOST);
    assert_string_equal(to, AUTHORITY);
    w->asked++;
    if (w->fault == LOSE)
        return -ETIMEDOUT;
    deliver(w, from, method, path, body, answer);
    if (w->fault == GARBLE)
        json_object_set_new(answer->body, "next_key", json_string("d75a98"));
    return w->fault == LOSE_ANSWER ? -ETIMEDOUT : 0;
}

/* ---- the operators ---- */

static int notice(const char *domain, const struct store_address *address, const char *text,
                  void *arg)
{
    struct world *w = arg;
    assert_string_equal(domain, HOST);
    assert_string_equal(address->user, "dan");
    snprintf(w->told, sizeof(w->told), "%s", text);
    return 0;
}

static struct porting_conf conf_make(uint32_t window_s)
{
    return (struct porting_conf){
        .terms = {.window = window_s, .grace = 3 * DAY_S, .freeze = 3 * DAY_S}, .moved = 7 * DAY_S};
}

void window_set(struct world *w, uint32_t window_s)
{
    const struct porting_conf conf = conf_make(window_s);
    porting_reload(w->engines[A], &conf);
}

static void operator_open(struct world *w, int place)
{
    const struct porting_conf conf = conf_make(0);
    void *state = NULL;
    fixture_setup(&state);
    struct fixture *fixture = w->at[place] = state;
    const struct porting_parts parts = {
        .store = fixture->store, .ask = ask, .ask_arg = w, .notice = notice, .notice_arg = w};
    assert_int_equal(porting_open(&conf, &parts, &w->engines[place]), 0);
    api_stop(fixture->api);
    fixture_start(fixture, &(struct api_parts){.store = fixture->store,
                                               .resolver = &fixture->resolver,
                                               .porting = w->engines[place]});
}

int guest_world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    for (int i = 0; i < PLACES; i++)
        operator_open(w, i);
    add(w->at[A], "/v1/domains", OPA);
    add(w->at[B], "/v1/domains", OPB);
    for (int i = 0; i < PLACES; i++)
        add(w->at[i], "/v1/addresses",
            "{\"address\": \"dan@opa.example\", \"hosting\": \"opb.example\"}");
    *state = w;
    return 0;
}

int guest_world_teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < PLACES; i++) {
        void *fixture = w->at[i];
        api_stop(w->at[i]->api);
        w->at[i]->api = NULL;
        porting_stop(w->engines[i]);
        fixture_teardown(&fixture);
    }
    free(w);
    return 0;
}

/* ---- in few words ---- */

const char *member_at(struct world *w, int place, const char *path, const char *name)
{
    static char text[256];
    struct response response;
    http(w->at[place], GET(path), &response);
    const json_t *value = json_object_get(response.json, name);
    const char *string = json_string_value(value);
    snprintf(text, sizeof(text), "%s",
             string                 ? string
             : json_is_true(value)  ? "true"
             : json_is_false(value) ? "false"
                                    : "null");
    response_done(&response);
    return text;
}

const char *member(struct world *w, int place, const char *name)
{
    return member_at(w, place, DAN, name);
}

const char *guard_member(struct world *w, const char *name)
{
    return member_at(w, A, DAN "/protection", name);
}

void expect_answer(struct world *w, const char *from, const char *method, const char *path,
                   json_t *body, unsigned status, const char *reason)
{
    struct federation_answer answer = {.status = 0};
    deliver(w, from, method, path, body, &answer);
    assert_int_equal(answer.status, status);
    assert_string_equal(text_of(answer.body, "reason"), reason);
    json_decref(answer.body);
    json_decref(body);
}

void code_make_for(struct world *w, const char *body, char code[TOKEN_MAX])
{
    struct response response;
    http(w->at[B], POST(DAN "/auth-code", body), &response);
    assert_int_equal(response.status, 201);
    snprintf(code, TOKEN_MAX, "%s", text_of(response.json, "auth_code"));
    response_done(&response);
}

void code_make(struct world *w, char code[TOKEN_MAX])
{
    code_make_for(w, "{}", code);
}

void expect_port_to(struct world *w, const char *gaining, const char *code, unsigned status,
                    const char *reason)
{
    expect_answer(w, gaining, "POST", "/federation/v1/ports",
                  json_pack("{s:s, s:s, s:s, s:s, s:s}", "request",
                            "00000000000000000000000000000001", "kind", "code", "address",
                            "dan@opa.example", "gaining", gaining, "code", code),
                  status, reason);
}

void expect_port(struct world *w, const char *code, unsigned status, const char *reason)
{
    expect_port_to(w, "opc.example", code, status, reason);
}
