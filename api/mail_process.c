#include "api/mail_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* What it uses is closed one after the other; with the last one it is done. */
struct mail_process {
    mail_process_h *done;
    void *arg;
    uv_process_t process;
    uv_pipe_t in;
    uv_timer_t timer;
    uv_write_t write;
    int words_fd; /* where it says what went wrong; -1: nowhere */
    unsigned open_handles;
    bool timed_out;
    enum mail_result result;
    char words[MAIL_PROCESS_WORDS];
    size_t len;
    char message[MAIL_BYTES_MAX];
};

static void on_close(uv_handle_t *handle)
{
    struct mail_process *run = handle->data;
    if (--run->open_handles > 0)
        return;
    run->done(run->result, run->words, run->arg);
    free(run);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_close);
}

static void close_all(struct mail_process *run)
{
    if (run->words_fd >= 0)
        close(run->words_fd);
    run->words_fd = -1;
    close_handle((uv_handle_t *)&run->in);
    close_handle((uv_handle_t *)&run->timer);
    close_handle((uv_handle_t *)&run->process);
}

/* What is there is enough: some programs leave others behind, which keep the pipe open. */
static void words_read(struct mail_process *run)
{
    char words[MAIL_PROCESS_WORDS / 2];
    size_t used = strlen(run->words);
    ssize_t len = run->words_fd < 0 ? 0 : read(run->words_fd, words, sizeof(words));
    while (len > 0 && (words[len - 1] == '\n' || words[len - 1] == '\r'))
        len--;
    if (len > 0)
        snprintf(run->words + used, sizeof(run->words) - used, ": %.*s", (int)len, words);
}

static enum mail_result result_of(const struct mail_process *run, int64_t status, int signal)
{
    if (run->timed_out)
        return MAIL_LATER;
    if (signal)
        return MAIL_FAILED;
    return status == 0 ? MAIL_SENT : status == EX_TEMPFAIL ? MAIL_LATER : MAIL_FAILED;
}

static void on_ended(uv_process_t *process, int64_t status, int signal)
{
    struct mail_process *run = process->data;
    run->result = result_of(run, status, signal);
    if (run->timed_out)
        snprintf(run->words, sizeof(run->words), "it did not end in time");
    else if (signal)
        snprintf(run->words, sizeof(run->words), "it was killed by signal %d", signal);
    else
        snprintf(run->words, sizeof(run->words), "exit status %d", (int)status);
    words_read(run);
    close_all(run);
}

void mail_process_kill(struct mail_process *run)
{
    if (run->process.pid > 0)
        kill(-run->process.pid, SIGKILL); /* a session of its own */
}

static void on_timer(uv_timer_t *timer)
{
    struct mail_process *run = timer->data;
    run->timed_out = true;
    mail_process_kill(run);
}

/* Who did not read all of it says so by his exit status. */
static void on_written(uv_write_t *write, int status)
{
    struct mail_process *run = write->data;
    (void)status;
    close_handle((uv_handle_t *)&run->in);
}

/* The program's standard error; a pipe that cannot be made is none. Returns the end that it writes
 * to, or -1. */
static int words_open(struct mail_process *run)
{
    int fds[2];
    run->words_fd = -1;
    if (pipe2(fds, O_CLOEXEC))
        return -1;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    run->words_fd = fds[0];
    return fds[1];
}

static int spawn(struct mail_process *run, uv_loop_t *loop, const char *program, const char *from,
                 const struct mail *mail)
{
    char *args[] = {(char *)program, "-i", "-f", (char *)from, "--", (char *)mail->to, NULL};
    char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    int words = words_open(run);
    uv_stdio_container_t stdio[] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&run->in},
        {.flags = UV_IGNORE},
        {.flags = words < 0 ? UV_IGNORE : UV_INHERIT_FD, .data.fd = words}};
    const uv_process_options_t options = {.file = program,
                                          .args = args,
                                          .env = env,
                                          .cwd = "/",
                                          .flags = UV_PROCESS_DETACHED,
                                          .stdio_count = 3,
                                          .stdio = stdio,
                                          .exit_cb = on_ended};
    int rc = uv_spawn(loop, &run->process, &options);
    if (words >= 0)
        close(words);
    return rc;
}

/* The handles are there from here on, whatever follows. */
static void handles_init(struct mail_process *run, uv_loop_t *loop)
{
    uv_pipe_init(loop, &run->in, 0);
    uv_timer_init(loop, &run->timer);
    run->in.data = run->timer.data = run->process.data = run->write.data = run;
    run->open_handles = 3;
}

struct mail_process *mail_process_start(uv_loop_t *loop, const char *program, const char *from,
                                        const struct mail *mail, uint64_t timeout_ms,
                                        mail_process_h *done, void *arg)
{
    struct mail_process *run = calloc(1, sizeof(*run));
    if (!run)
        return NULL;
    run->done = done;
    run->arg = arg;
    handles_init(run, loop);
    run->len = mail_format(mail, from, time(NULL), run->message);
    int rc = spawn(run, loop, program, from, mail);
    if (rc) { /* a mistake of this machine, not of the mail */
        run->result = MAIL_LATER;
        run->process.pid = 0;
        snprintf(run->words, sizeof(run->words), "it cannot be started: %s", uv_strerror(rc));
        close_all(run);
        return run;
    }
    uv_timer_start(&run->timer, on_timer, timeout_ms, 0);
    const uv_buf_t bytes = uv_buf_init(run->message, (unsigned)run->len);
    if (uv_write(&run->write, (uv_stream_t *)&run->in, &bytes, 1, on_written))
        close_handle((uv_handle_t *)&run->in);
    return run;
}
