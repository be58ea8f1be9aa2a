/* HTTPS: versions of TLS, certificates and their replacement while connections are open. */
#include "api/http.h"
#include "base/status.h"
#include "tests/api/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct request alive = {.method = "GET", .path = "/healthz", .via = VIA_HTTPS};

static CURLcode connect_with(const struct fixture *fixture, long versions)
{
    char url[128], text[NETADDR_TEXT_MAX];
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof(url), "https://%s/healthz", netaddr_format(&fixture->https, text));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_CAINFO, fixture->certificate);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, versions);
    curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, "DEFAULT:@SECLEVEL=0");
    CURLcode code = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    return code;
}

static void tls_1_2_and_later_are_spoken(void **state)
{
    const struct fixture *fixture = *state;
    assert_int_equal(connect_with(fixture, CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3),
                     CURLE_OK);
    assert_int_equal(connect_with(fixture, CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2),
                     CURLE_OK);
    assert_int_equal(connect_with(fixture, CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1),
                     CURLE_SSL_CONNECT_ERROR);
}

static void plain_http_is_not_answered_there(void **state)
{
    const struct fixture *fixture = *state;
    char answer[100];
    int fd = raw_connect(fixture, VIA_HTTPS, NULL);
    raw_send(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    raw_drain(fd, answer, sizeof(answer));
    assert_null(strstr(answer, "HTTP/1.1 200"));
    close(fd);
}

/* ---- another certificate ---- */

static void pair_renew(struct fixture *fixture, const char *name)
{
    char why[API_MAX_WHY] = "";
    snprintf(fixture->certificate, sizeof(fixture->certificate), "%s/%s.pem", fixture->folder,
             name);
    snprintf(fixture->key, sizeof(fixture->key), "%s/%s.key", fixture->folder, name);
    fixture_pair_write(fixture->certificate, fixture->key);
    if (api_pair_reload(fixture->api, fixture->certificate, fixture->key, why))
        fail_msg("%s", why);
}

static bool is_open(const struct fixture *fixture, const struct request *request,
                    struct response *response)
{
    CURLcode code = http_try(fixture, request, response);
    response_done(response);
    return code == CURLE_OK;
}

static void wait_until_new_is_served(const struct fixture *fixture)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    struct response response;
    while (!is_open(fixture, &alive, &response)) /* an accept under way was still the old one's */
        nanosleep(&pause, NULL);
}

static void an_open_connection_outlives_its_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct request kept = alive;
    struct response response;
    kept.keep = curl_easy_init();
    http(fixture, &kept, &response);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.connection, "");
    response_done(&response);
    struct fixture before = *fixture;
    pair_renew(fixture, "second");
    wait_until_new_is_served(fixture);
    http(&before, &kept, &response); /* with the anchor of the first: the same connection */
    assert_int_equal(response.status, 200);
    assert_string_equal(response.connection, "close"); /* and the last request on it */
    response_done(&response);
    assert_false(is_open(&before, &kept, &response)); /* a new one is the second's */
    curl_easy_cleanup(kept.keep);
    expect_status(fixture, &alive, 200);
}

static void the_same_certificate_again_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct request kept = alive;
    struct response response;
    char why[API_MAX_WHY];
    kept.keep = curl_easy_init();
    expect_status(fixture, &kept, 200);
    for (int i = 0; i < 3 * API_MAX_RETIRED; i++)
        assert_int_equal(api_pair_reload(fixture->api, fixture->certificate, fixture->key, why), 0);
    http(fixture, &kept, &response);
    assert_string_equal(response.connection, "");
    response_done(&response);
    curl_easy_cleanup(kept.keep);
}

/* As many certificates as may be unfinished, each with an open connection. */
static void certificates_hold(struct fixture *fixture, CURL *held[API_MAX_RETIRED])
{
    char name[16];
    for (int i = 0; i < API_MAX_RETIRED; i++) {
        struct request request = alive;
        request.keep = held[i] = curl_easy_init();
        expect_status(fixture, &request, 200);
        snprintf(name, sizeof(name), "bound%d", i);
        pair_renew(fixture, name);
        wait_until_new_is_served(fixture);
    }
}

/* As many as there may be while the connections of each are open; the next one waits, and is served
 * once there is room, without anybody asking again. */
static void a_certificate_too_many_waits_for_its_turn(void **state)
{
    struct fixture *fixture = *state;
    CURL *held[API_MAX_RETIRED];
    certificates_hold(fixture, held);
    struct fixture before = *fixture;
    pair_renew(fixture, "skipped");
    pair_renew(fixture, "last");
    expect_status(&before, &alive, 200);
    for (int i = 0; i < API_MAX_RETIRED; i++)
        curl_easy_cleanup(held[i]);
    wait_until_new_is_served(fixture);
}

/* What is served again is not what waited. */
static void a_certificate_that_waits_can_be_taken_back(void **state)
{
    struct fixture *fixture = *state;
    CURL *held[API_MAX_RETIRED];
    struct response response;
    char why[API_MAX_WHY];
    certificates_hold(fixture, held);
    struct fixture before = *fixture;
    pair_renew(fixture, "wrong");
    assert_int_equal(api_pair_reload(fixture->api, before.certificate, before.key, why), 0);
    for (int i = 0; i < API_MAX_RETIRED; i++)
        curl_easy_cleanup(held[i]);
    const struct timespec pause = {.tv_nsec = 100000000};
    for (int i = 0; i < 20; i++, nanosleep(&pause, NULL)) /* far longer than the keeper sleeps */
        assert_false(is_open(fixture, &alive, &response));
    expect_status(&before, &alive, 200);
}

static void what_cannot_serve_is_refused_and_the_old_stays(void **state)
{
    struct fixture *fixture = *state;
    char why[API_MAX_WHY], other[96], other_key[96], empty[96], missing[96];
    snprintf(other, sizeof(other), "%s/other.pem", fixture->folder);
    snprintf(other_key, sizeof(other_key), "%s/other.key", fixture->folder);
    snprintf(empty, sizeof(empty), "%s/empty", fixture->folder);
    snprintf(missing, sizeof(missing), "%s/missing", fixture->folder);
    fixture_pair_write(other, other_key);
    FILE *file = fopen(empty, "w");
    assert_non_null(file);
    fclose(file);
    const struct {
        const char *certificate, *key, *named, *why;
        int status;
    } table[] = {
        {other, fixture->key, fixture->key, "does not belong", STATUS_CRYPTO},
        {empty, fixture->key, empty, "no PEM certificate", STATUS_CRYPTO},
        {other, empty, empty, "no PEM private key", STATUS_CRYPTO},
        {missing, fixture->key, missing, "No such file", -ENOENT},
        {other, missing, missing, "No such file", -ENOENT},
        {fixture->folder, fixture->key, fixture->folder, "", -EISDIR},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        assert_int_equal(api_pair_reload(fixture->api, table[i].certificate, table[i].key, why),
                         table[i].status);
        assert_memory_equal(why, table[i].named, strlen(table[i].named));
        assert_non_null(strstr(why, table[i].why));
        struct api *second = NULL;
        struct api_conf conf = fixture_conf_https(fixture);
        struct api_parts parts = {.store = fixture->store, .resolver = &fixture->resolver};
        char socket[120];
        snprintf(socket, sizeof(socket), "%s/second.sock", fixture->folder);
        conf.socket = socket;
        conf.certificate = table[i].certificate;
        conf.key = table[i].key;
        assert_int_equal(api_start(&conf, &parts, &second, why), table[i].status);
        assert_int_not_equal(access(socket, F_OK), 0);
    }
    expect_status(fixture, &alive, 200);
}

static void an_address_in_use_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct api_conf conf = fixture_conf_https(fixture);
    struct api_parts parts = {.store = fixture->store, .resolver = &fixture->resolver};
    struct api *second = NULL;
    char why[API_MAX_WHY] = "", socket[120], text[NETADDR_TEXT_MAX];
    snprintf(socket, sizeof(socket), "%s/second.sock", fixture->folder);
    conf.socket = socket;
    conf.listen = fixture->https;
    assert_int_equal(api_start(&conf, &parts, &second, why), -EADDRINUSE);
    assert_non_null(strstr(why, netaddr_format(&fixture->https, text)));
    conf = fixture_conf_https(fixture);
    conf.socket = socket;
    conf.health = fixture->health;
    assert_int_equal(api_start(&conf, &parts, &second, why), -EADDRINUSE);
    assert_non_null(strstr(why, netaddr_format(&fixture->health, text)));
    expect_status(fixture, &alive, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup_https, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tls_1_2_and_later_are_spoken),
        TEST(plain_http_is_not_answered_there),
        TEST(an_open_connection_outlives_its_certificate),
        TEST(the_same_certificate_again_changes_nothing),
        TEST(a_certificate_too_many_waits_for_its_turn),
        TEST(a_certificate_that_waits_can_be_taken_back),
        TEST(what_cannot_serve_is_refused_and_the_old_stays),
        TEST(an_address_in_use_is_named),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
