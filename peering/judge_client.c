#include "peering/judge_client.h"

#include "base/status.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdio.h>
#include <string.h>

/* The chain as it was sent, in `ders`, to be freed with OPENSSL_free. One more than the judge takes
 * is enough for it to say that there are too many. Returns how many. */
static size_t chain_write(STACK_OF(X509) * sent,
                          struct judge_certificate chain[JUDGE_MAX_CERTIFICATES + 1],
                          unsigned char *ders[JUDGE_MAX_CERTIFICATES + 1])
{
    size_t count = 0;

    for (int i = 0; i < sk_X509_num(sent) && count <= JUDGE_MAX_CERTIFICATES; i++) {
        unsigned char *der = NULL;
        int len = i2d_X509(sk_X509_value(sent, i), &der);

        if (len <= 0)
            break;
        ders[count] = der;
        chain[count++] = (struct judge_certificate){der, (size_t)len};
    }
    ERR_clear_error();
    return count;
}

/* SSL_CTX_set_cert_verify_callback */
static int server_judge(X509_STORE_CTX *store, void *arg)
{
    struct judge_certificate chain[JUDGE_MAX_CERTIFICATES + 1];
    unsigned char *ders[JUDGE_MAX_CERTIFICATES + 1];
    struct judge_client *client = arg;
    const struct judge_case about = {
        .chain = chain,
        .count = chain_write(X509_STORE_CTX_get0_untrusted(store), chain, ders),
        .far_domain = client->far_domain,
        .peer = client->peer,
    };

    client->status = judge_ask(client->judge, &about, &client->verdict);
    for (size_t i = 0; i < about.count; i++)
        OPENSSL_free(ders[i]);
    X509_STORE_CTX_set_error(store,
                             client->status == 0 ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
    return client->status == 0;
}

int judge_client_prepare(struct judge_client *client, void *ssl_ctx)
{
    client->status = 1;
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ssl_ctx, server_judge, client);
    return tls_client_prepare(client->context, client->our_domain, ssl_ctx);
}
