// What all sessions of one load share.
#include "internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

static const unsigned char protocol[] = "\x0apostgresql";
enum { PROTOCOL_LENGTH = sizeof protocol - 1 };

static int version_of(int version) { return version == CT_TLS13 ? TLS1_3_VERSION : TLS1_2_VERSION; }

// A client that names protocols has to name ours.
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
                           unsigned int in_length, void *context) {
    (void)ssl, (void)context;
    for (unsigned int at = 0; at < in_length; at += 1u + in[at]) {
        if (in_length - at >= PROTOCOL_LENGTH && memcmp(in + at, protocol, PROTOCOL_LENGTH) == 0) {
            *out = in + at + 1;
            *out_length = PROTOCOL_LENGTH - 1;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Without it OpenSSL does not tell the client that its name was taken.
static int accept_server_name(SSL *ssl, int *alert, void *context) {
    (void)ssl, (void)alert, (void)context;
    return SSL_TLSEXT_ERR_OK;
}

// What the client asks for now. Of a resumed session of TLSv1.2 OpenSSL tells the name that it was begun with.
static int note_hello(SSL *ssl, int *alert, void *context) {
    (void)context;
    ct_session *session = SSL_get_app_data(ssl);
    const unsigned char *data = NULL;
    size_t length = 0;
    OPENSSL_free(session->server_name);
    session->server_name = NULL;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &length) != 1) return SSL_CLIENT_HELLO_SUCCESS;
    // One name in a list (RFC 6066, section 3): length of the list, kind and length of the name. OpenSSL refuses more.
    if (length <= 5 || data[2] != TLSEXT_NAMETYPE_host_name) return SSL_CLIENT_HELLO_SUCCESS;
    const unsigned char *name = data + 5;
    size_t name_length = (size_t)data[3] << 8 | data[4];
    if (name_length != length - 5 || memchr(name, 0, name_length) != NULL) return SSL_CLIENT_HELLO_SUCCESS;
    session->server_name = OPENSSL_strndup((const char *)name, name_length);
    if (session->server_name != NULL) return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

static int no_passphrase(char *buffer, int size, int is_writing, void *context) {
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return -1;
}

ct_context *ct_context_new(int is_server, int minimum, int maximum) {
    ct_context *context = ct_start() ? OPENSSL_zalloc(sizeof *context) : NULL;
    if (context == NULL) return NULL;
    context->is_server = is_server;
    SSL_CTX *ssl = context->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (ssl == NULL || minimum > maximum || SSL_CTX_set_min_proto_version(ssl, version_of(minimum)) != 1
        || SSL_CTX_set_max_proto_version(ssl, version_of(maximum)) != 1) {
        ct_context_free(context);
        ERR_clear_error();
        return NULL;
    }
    SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // The chain that is sent is the one given: looking for more in the store would cost every handshake.
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    if (is_server) {
        // Passwords come this way.
        SSL_CTX_set_options(ssl, SSL_OP_CLEANSE_PLAINTEXT);
        // Sessions with certificates demand a name. Tickets of one context open in no other: each has keys of its own.
        SSL_CTX_set_session_id_context(ssl, (const unsigned char *)"pggateway", 9);
        SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ssl, 0);
        SSL_CTX_set_dh_auto(ssl, 1);
        SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
        SSL_CTX_set_tlsext_servername_callback(ssl, accept_server_name);
        SSL_CTX_set_client_hello_cb(ssl, note_hello, NULL);
    } else if (SSL_CTX_set_alpn_protos(ssl, protocol, PROTOCOL_LENGTH) != 0) {
        ct_context_free(context);
        context = NULL;
    }
    ERR_clear_error();
    return context;
}

void ct_context_free(ct_context *context) {
    if (context == NULL) return;
    SSL_CTX_free(context->ssl);
    OPENSSL_free(context);
}

static int accept(int ok, char *reason, const char *what) {
    if (!ok) ct_write_reason(reason, what);
    ERR_clear_error();
    return ok;
}

int ct_context_set_ciphers(ct_context *context, const char *list, char *reason) {
    ERR_clear_error();
    return accept(SSL_CTX_set_cipher_list(context->ssl, list) == 1, reason, "names no cipher for TLSv1.2");
}

int ct_context_set_cipher_suites(ct_context *context, const char *list, char *reason) {
    ERR_clear_error();
    return accept(SSL_CTX_set_ciphersuites(context->ssl, list) == 1, reason, "names no cipher suite of TLSv1.3");
}

int ct_context_set_curves(ct_context *context, const char *list, char *reason) {
    ERR_clear_error();
    return accept(SSL_CTX_set1_groups_list(context->ssl, list) == 1, reason, "names an unknown curve");
}

void ct_context_set_verification(ct_context *context, int verification) {
    int mode = SSL_VERIFY_NONE;
    if (verification == CT_VERIFY_OPTIONAL) mode = SSL_VERIFY_PEER;
    if (verification >= CT_VERIFY_CHAIN) mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    context->verification = verification;
    SSL_CTX_set_verify(context->ssl, mode, ct_verify);
}

// Called by OpenSSL for every ticket that a client shows. A ticket carries the client's certificate, which nobody looks
// at again, and is renewed whenever it is used: without this one a certificate would be good for ever. Whose ticket is
// not taken shows its certificate as everybody does.
static SSL_TICKET_RETURN judge_ticket(SSL *ssl, SSL_SESSION *agreed, const unsigned char *name, size_t length,
                                      SSL_TICKET_STATUS status, void *context) {
    (void)ssl, (void)name, (void)length, (void)context;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
    X509 *certificate = SSL_SESSION_get0_peer(agreed);
    // 0 for a date that cannot be read.
    int has_ended = certificate != NULL && X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0;
    if (has_ended) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void ct_context_set_tickets(ct_context *context, int is_on) {
    if (!is_on) return;
    SSL_CTX_clear_options(context->ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context->ssl, 2);
    SSL_CTX_set_session_ticket_cb(context->ssl, NULL, judge_ticket, NULL);
}
