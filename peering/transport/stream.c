/* Bytes in and out of a connection's socket, plain or through TLS.
 *
 * TLS runs over a BIO of our own instead of OpenSSL's, for two reasons: it sends with MSG_NOSIGNAL,
 * so that the library needs no say in the process's SIGPIPE, and it ends a turn by "would block"
 * once the turn's reads are used up or the socket was drained. OpenSSL's read-ahead buffer is then
 * always emptied before the loop sleeps, and a small message costs one recv. */
#include "peering/transport/internal.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define TLS_RECORD_HEAD      5
#define TLS_RECORD_HANDSHAKE 22
#define TLS_RECORD_MAX       (TLS_RECORD_HEAD + (1 << 14) + 256)

static ssize_t socket_recv(struct conn *conn, char *p, size_t size)
{
    ssize_t n;

    if (conn->reads_left == 0) {
        errno = EAGAIN;
        return -1;
    }
    do {
        n = recv(conn->fd, p, size, 0);
    } while (n < 0 && errno == EINTR);
    conn->reads_left--;
    if (n > 0 && !conn->greeted)
        conn->first_bytes += (size_t)n;
    if (n > 0 && (size_t)n < size)
        conn->reads_left = 0; /* drained; if not, the poll is level-triggered */
    return n;
}

static ssize_t socket_send(struct conn *conn, const char *p, size_t size)
{
    ssize_t n;

    do {
        n = send(conn->fd, p, size, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (conn->transport)
        conn->transport->stats.writes++;
    if (n > 0)
        conn->written += (uint64_t)n;
    return n;
}

static int bio_read(BIO *bio, char *p, int size)
{
    ssize_t n = socket_recv(BIO_get_data(bio), p, (size_t)size);

    BIO_clear_retry_flags(bio);
    if (n < 0 && errno == EAGAIN)
        BIO_set_retry_read(bio);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static int bio_write(BIO *bio, const char *p, int size)
{
    ssize_t n = socket_send(BIO_get_data(bio), p, (size_t)size);

    BIO_clear_retry_flags(bio);
    if (n < 0 && errno == EAGAIN)
        BIO_set_retry_write(bio);
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p)
{
    (void)number;
    (void)p;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

BIO_METHOD *stream_bio_alloc(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOCKET, "junctor connection");

    if (!method)
        return NULL;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    return method;
}

int stream_attach(struct conn *conn)
{
    BIO *bio = BIO_new(conn->transport->bio);

    if (!bio) {
        ERR_clear_error();
        return -ENOMEM;
    }
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    SSL_set_bio(conn->ssl, bio, bio);
    return 0;
}

const char *stream_errno_text(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused";
    case ECONNRESET:
    case EPIPE:
        return "connection reset by the far side";
    case ETIMEDOUT:
        return "no answer from the far side (connection timed out)";
    case EHOSTUNREACH:
        return "no route to host";
    case ENETUNREACH:
        return "network is unreachable";
    default:
        return strerror(error);
    }
}

static enum stream_result socket_failed(struct conn *conn, int error)
{
    if (error == EAGAIN)
        return STREAM_BLOCKED;
    snprintf(conn->fault, sizeof(conn->fault), "%s", stream_errno_text(error));
    return error == ECONNRESET || error == EPIPE ? STREAM_EOF : STREAM_FAILED;
}

/* What an SSL_* call that returned `result` <= 0 came to; `error` is the errno it left. */
static enum stream_result tls_failed(struct conn *conn, int result, int error, bool *wants_other,
                                     int other)
{
    int kind = SSL_get_error(conn->ssl, result);
    unsigned long reason = ERR_peek_error();
    const char *text = ERR_reason_error_string(reason);

    *wants_other = kind == other;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
        return STREAM_BLOCKED;
    if (kind == SSL_ERROR_ZERO_RETURN)
        return STREAM_EOF;
    conn->ssl_broken = true;
    ERR_clear_error();
    if (kind == SSL_ERROR_SYSCALL)
        return socket_failed(conn, error && error != EAGAIN ? error : EPIPE);
    if (ERR_GET_LIB(reason) == ERR_LIB_SSL &&
        ERR_GET_REASON(reason) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return STREAM_EOF;
    snprintf(conn->fault, sizeof(conn->fault), "%s", text ? text : "unknown error");
    return STREAM_FAILED;
}

/* From how many bytes on is the socket readable? */
static void wake_at(struct conn *conn, int bytes)
{
    conn->wake_at = bytes;
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

/* Is the first TLS record of whoever connected here in whole, or will no more come of it? Until
 * then we are not woken: else who sends it octet by octet costs us a turn of the loop and a call of
 * OpenSSL for each. Who is woken with less than was asked for has the end of the stream or an
 * error, and what is no record, or longer than any (RFC 8446 5.1), is for OpenSSL to refuse. */
static bool is_hello_there(struct conn *conn)
{
    uint8_t head[TLS_RECORD_HEAD];
    int waiting = 0, wanted = TLS_RECORD_HEAD;
    ssize_t n = recv(conn->fd, head, sizeof(head), MSG_PEEK);

    if (n <= 0 || head[0] != TLS_RECORD_HANDSHAKE || ioctl(conn->fd, FIONREAD, &waiting) != 0)
        return true;
    if (n == TLS_RECORD_HEAD)
        wanted += head[3] << 8 | head[4];
    if (waiting >= wanted || wanted > TLS_RECORD_MAX || waiting < conn->wake_at)
        return true;
    wake_at(conn, wanted);
    return false;
}

enum stream_result stream_handshake(struct conn *conn)
{
    int result;

    if (conn->accepted && conn->first_bytes == 0 && !is_hello_there(conn))
        return STREAM_BLOCKED;
    if (conn->wake_at > 1)
        wake_at(conn, 1);

    ERR_clear_error();
    errno = 0;
    result = SSL_do_handshake(conn->ssl);
    if (result == 1) {
        conn->ssl_wants_write = false;
        return STREAM_DONE;
    }
    return tls_failed(conn, result, errno, &conn->ssl_wants_write, SSL_ERROR_WANT_WRITE);
}

enum stream_result stream_read(struct conn *conn, char *p, size_t size, size_t *len)
{
    ssize_t n;
    int result;

    if (!conn->ssl) {
        n = socket_recv(conn, p, size);
        if (n <= 0)
            return n == 0 ? STREAM_EOF : socket_failed(conn, errno);
        *len = (size_t)n;
        return STREAM_DONE;
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_read(conn->ssl, p, (int)size);
    if (result > 0) {
        conn->ssl_wants_write = false;
        *len = (size_t)result;
        return STREAM_DONE;
    }
    return tls_failed(conn, result, errno, &conn->ssl_wants_write, SSL_ERROR_WANT_WRITE);
}

enum stream_result stream_write(struct conn *conn, struct slice bytes, size_t *len)
{
    ssize_t n;
    int result;

    if (!conn->ssl) {
        n = socket_send(conn, bytes.p, bytes.len);
        if (n < 0)
            return socket_failed(conn, errno);
        *len = (size_t)n;
        return STREAM_DONE;
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_write(conn->ssl, bytes.p, (int)bytes.len);
    if (result > 0) {
        conn->ssl_write_wants_read = false;
        *len = (size_t)result;
        return STREAM_DONE;
    }
    return tls_failed(conn, result, errno, &conn->ssl_write_wants_read, SSL_ERROR_WANT_READ);
}

void stream_shutdown(struct conn *conn)
{
    if (!conn->ssl)
        return;
    if (!conn->ssl_broken && SSL_is_init_finished(conn->ssl))
        SSL_shutdown(conn->ssl);
    ERR_clear_error();
    SSL_free(conn->ssl);
    conn->ssl = NULL;
}
