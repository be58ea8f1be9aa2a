#include "base/waiting.h"

#include "base/status.h"
#include "tests/test.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define MORE_THAN_BUFFERS (8 * 1024 * 1024)

static struct waiting until(int64_t ms, int cancel_fd)
{
    return (struct waiting){.until_ms = waiting_now_ms() + ms, .cancel_fd = cancel_fd};
}

/* A listener on loopback of the kernel's choice. */
static int listener_open(struct netaddr *addr)
{
    socklen_t len = sizeof(*addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(netaddr_parse(addr, SLICE("127.0.0.1:0"), 0), 0);
    assert_int_equal(bind(fd, &addr->sa, netaddr_len(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, &addr->sa, &len), 0);
    return fd;
}

static void test_connects_sends_receives(void **state)
{
    (void)state;
    struct netaddr addr;
    struct waiting waiting = until(5000, -1);
    char got[5];
    int listener = listener_open(&addr);
    int fd = waiting_connect(&waiting, &addr, SOCK_STREAM);
    int far = accept(listener, NULL, NULL);
    assert_true(fd >= 0 && far >= 0);
    assert_int_equal(waiting_send(&waiting, fd, "hello", 5), 0);
    assert_int_equal(waiting_receive(&waiting, far, got, 5), 0);
    assert_memory_equal(got, "hello", 5);
    close(fd);
    assert_int_equal(waiting_receive(&waiting, far, got, 1), STATUS_CLOSED);
    close(far);
    close(listener);
}

static void test_a_closed_port_is_refused(void **state)
{
    (void)state;
    struct netaddr addr;
    struct waiting waiting = until(5000, -1);
    close(listener_open(&addr));
    assert_int_equal(waiting_connect(&waiting, &addr, SOCK_STREAM), -ECONNREFUSED);
}

static void test_silence_ends_at_the_deadline(void **state)
{
    (void)state;
    int pair[2];
    char byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct waiting waiting = until(50, -1);
    assert_int_equal(waiting_receive(&waiting, pair[0], &byte, 1), -ETIMEDOUT);
    assert_true(waiting_now_ms() >= waiting.until_ms);
    assert_int_equal(waiting_ready(&waiting, pair[0], POLLOUT), -ETIMEDOUT); /* it is over */
    close(pair[0]);
    close(pair[1]);
}

static void test_a_full_buffer_ends_at_the_deadline(void **state)
{
    (void)state;
    static char bytes[MORE_THAN_BUFFERS];
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct waiting waiting = until(50, -1);
    assert_int_equal(waiting_send(&waiting, pair[0], bytes, sizeof(bytes)), -ETIMEDOUT);
    close(pair[0]);
    close(pair[1]);
}

static void test_cancelled_before_the_deadline(void **state)
{
    (void)state;
    int pair[2], cancel[2];
    char byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(pipe(cancel), 0);
    struct waiting waiting = until(60000, cancel[0]);
    assert_int_equal(write(cancel[1], "x", 1), 1);
    assert_int_equal(waiting_receive(&waiting, pair[0], &byte, 1), STATUS_CANCELLED);
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(cancel[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connects_sends_receives),
        cmocka_unit_test(test_a_closed_port_is_refused),
        cmocka_unit_test(test_silence_ends_at_the_deadline),
        cmocka_unit_test(test_a_full_buffer_ends_at_the_deadline),
        cmocka_unit_test(test_cancelled_before_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
