/* An import into a store that no daemon has open: one bulk load, all of it or nothing. */
#include "tools/import.h"

#include "api/address_state.h"
#include "api/json.h"
#include "base/status.h"
#include "tools/offline.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct load {
    struct import *import;
    struct store_conf conf;
    struct store_bulk *bulk;
    char (*domains)[STORE_DOMAIN_MAX + 1]; /* the store's, sorted */
    size_t domain_count;
};

/* ---- the store's domains ---- */

static bool domain_note(const struct store_domain *domain, void *arg)
{
    struct load *load = arg;
    if ((load->domain_count & (load->domain_count - 1)) == 0) { /* grows at powers of two */
        size_t size = load->domain_count ? 2 * load->domain_count : 1;
        void *longer = realloc(load->domains, size * sizeof(*load->domains));
        if (!longer)
            return false;
        load->domains = longer;
    }
    memcpy(load->domains[load->domain_count++], domain->name, sizeof(domain->name));
    return true;
}

static int domains_list(struct load *load, struct store *store)
{
    struct store_reader *reader;
    int status = store_reader_alloc(store, &reader);
    if (status)
        return status;
    status = store_reader_begin(reader);
    if (!status) {
        status = store_domain_list(reader, NULL, SIZE_MAX, domain_note, load);
        store_reader_end(reader);
    }
    store_reader_free(reader);
    return status;
}

/* A store that is not there yet has none. */
static int domains_read(struct load *load)
{
    struct store *store;
    struct store_fault fault = {.text = ""};
    int status = store_open(&load->conf, STORE_READER, &store, &fault);
    if (status == -ENOENT)
        return TOOL_DONE;
    if (!status) {
        status = domains_list(load, store);
        store_close(store);
    }
    return status ? offline_fail(status, &fault, load->conf.path, "") : TOOL_DONE;
}

static int names_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool is_ours(const struct load *load, const char *name)
{
    return load->domain_count &&
           bsearch(name, load->domains, load->domain_count, sizeof(*load->domains), names_compare);
}

/* Adds the domain that the file or --domain names, where it is not there. */
static int domain_ensure(struct load *load)
{
    struct import *import = load->import;
    struct store_fault fault;
    struct store_domain domain;
    struct api_problem problem;
    if (!import->domain)
        return TOOL_DONE;
    if (store_domain_canonical(slice_of(import->domain), domain.name, &fault))
        return tool_fail(TOOL_REFUSED, "%s: %s", import->domain, fault.text);
    if (is_ours(load, domain.name))
        return TOOL_DONE;
    json_t *body = import_domain_make(import);
    if (!body)
        return TOOL_REFUSED;
    int status = api_domain_decode(body, NULL, &domain, &problem);
    json_decref(body);
    if (status)
        return tool_fail(TOOL_REFUSED, "%s", problem.detail);
    status = store_bulk_domain(load->bulk, &domain);
    if (status)
        return tool_fail(TOOL_REFUSED, "%s: %s", domain.name, status_text(status));
    if (!domain_note(&domain, load))
        return tool_fail(TOOL_REFUSED, "out of memory");
    qsort(load->domains, load->domain_count, sizeof(*load->domains), names_compare);
    return TOOL_DONE;
}

/* ---- one address ---- */

/* Where the address lives decides its state, unless that is said. */
static void place_derive(const struct load *load, struct api_address_body *body)
{
    struct store_record *record = &body->record;
    if (!body->has_hosting)
        memcpy(record->hosting, record->address.domain, sizeof(record->hosting));
    if (!body->has_state)
        record->state =
            api_state_derive(record, body->has_target, is_ours(load, record->address.domain));
}

static const char *refusal_text(const struct load *load, const struct store_record *record,
                                int status)
{
    bool ours = is_ours(load, record->address.domain) || is_ours(load, record->hosting);
    if ((status == STATUS_NOTFOUND || status == STATUS_MALFORMED) && !ours)
        return "neither its domain nor the one that hosts it is in the store: add the domain with "
               "--domain and --core";
    if (status == STATUS_MALFORMED)
        return "its state does not fit to the domains that are in the store";
    return status_text(status);
}

/* What no other row can mend. */
static bool ends_everything(int status)
{
    return status == -ENOMEM || status == -ENOSPC || status == STATUS_FULL || status == -EIO ||
           status == STATUS_CORRUPT;
}

static void target_refuse(struct import *import, const struct row *row)
{
    char detail[STORE_USER_MAX + STORE_DOMAIN_MAX + 64];
    snprintf(detail, sizeof(detail), "%s@%s: there is no such address", row->target.user,
             row->target.domain);
    import_refuse_row(import, row, IMPORT_NO_TARGET, detail);
}

static int record_add(struct load *load, const struct row *row, const struct store_record *record)
{
    char detail[2 * STORE_DOMAIN_MAX + 200];
    int status = store_bulk_address(load->bulk, record);
    if (ends_everything(status))
        return offline_fail(status, &(struct store_fault){.text = ""}, load->conf.path, "");
    if (status == 0) {
        load->import->added++;
        return TOOL_DONE;
    }
    snprintf(detail, sizeof(detail), "%s@%s: %s", row->address.user, row->address.domain,
             refusal_text(load, record, status));
    import_refuse_row(load->import, row, IMPORT_MALFORMED, detail);
    return TOOL_DONE;
}

static int row_take(struct import *import, struct row *row, void *arg)
{
    struct load *load = arg;
    struct api_address_body body;
    struct api_problem problem;
    import_step(import);
    if (api_address_decode(row->fields, &body, &problem)) {
        import_refuse_row(import, row, IMPORT_MALFORMED, problem.detail);
        return TOOL_DONE;
    }
    if (row->is_alias && is_ours(load, row->target.domain) && !import_has_target(import, row)) {
        target_refuse(import, row);
        return TOOL_DONE;
    }
    place_derive(load, &body);
    return record_add(load, row, &body.record);
}

/* ---- the whole ---- */

static int rows_add(struct load *load)
{
    struct import *import = load->import;
    int code = TOOL_DONE;
    import_phase(import, import->dry_run ? "checking" : "importing");
    for (unsigned level = 0; code == TOOL_DONE && level <= import->levels; level++) {
        if (rows_seek(&import->rows, import->rows.first))
            return tool_fail(TOOL_REFUSED, "the file cannot be read again");
        code = import_walk(import, level, row_take, load);
    }
    return code;
}

/* Commits, or leaves the store as it was. */
static int load_end(struct load *load, int code)
{
    struct import *import = load->import;
    struct store_fault fault = {.text = ""};
    bool refused = import->refused > 0 && !import->keep_going;
    if (code || refused || import->dry_run) {
        store_bulk_abort(load->bulk);
        if (!import->dry_run)
            import->added = 0;
        return code ? code : (refused && !import->dry_run ? TOOL_REFUSED : TOOL_DONE);
    }
    int status = store_bulk_commit(load->bulk, &fault);
    if (!status)
        return TOOL_DONE;
    import->added = 0;
    return offline_fail(status, &fault, load->conf.path, "");
}

static int load_run(struct load *load)
{
    struct store_fault fault = {.text = ""};
    struct timespec now;
    char actor[STORE_ACTOR_MAX + 1];
    int code = domains_read(load);
    if (code)
        return code;
    clock_gettime(CLOCK_REALTIME, &now);
    offline_actor(actor);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    int status = store_bulk_begin(&load->conf, actor, now_ms, &load->bulk, &fault);
    if (status)
        return offline_fail(status, &fault, load->conf.path,
                            "; import into it through its daemon, without --store");
    code = domain_ensure(load);
    if (!code && load->domain_count == 0)
        code = tool_fail(TOOL_REFUSED,
                         "the store in %s has no domain, and none is named: add that "
                         "of the file with --domain and --core",
                         load->conf.path);
    if (!code)
        code = rows_add(load);
    return load_end(load, code);
}

/* A store for a dry run, where the one that is named is not there: nobody knows of it. */
static int trial_begin(struct load *load, char folder[PATH_MAX])
{
    const char *temporary = getenv("TMPDIR");
    int len = snprintf(folder, PATH_MAX, "%s/junctor-XXXXXX", temporary ? temporary : "/tmp");
    if (len >= PATH_MAX || !mkdtemp(folder))
        return tool_fail(TOOL_REFUSED, "%s: %s", folder, strerror(errno));
    load->conf.path = folder;
    return TOOL_DONE;
}

static void trial_end(const char *folder)
{
    char name[PATH_MAX + NAME_MAX + 2];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(name);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

static bool store_is_there(const char *folder)
{
    char name[PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s/data.mdb", folder);
    return len >= PATH_MAX || access(name, F_OK) == 0 || errno != ENOENT;
}

int import_store(struct import *import)
{
    struct load load = {.import = import};
    char folder[PATH_MAX] = "";
    int code = offline_conf(import->tool, &load.conf);
    if (!code && import->dry_run && !store_is_there(load.conf.path))
        code = trial_begin(&load, folder);
    if (!code)
        code = load_run(&load);
    if (load.conf.path == folder)
        trial_end(folder);
    free(load.domains);
    return code;
}
