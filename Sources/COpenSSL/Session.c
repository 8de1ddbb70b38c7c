// One connection.
#include "internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

enum {
    // Records that are sealed with one key of TLSv1.3 at most: AES-GCM is good for 24 million (RFC 8446, section 5.5).
    RECORDS_MAX = 1 << 23,
};

ct_session *ct_session_new(const ct_context *context, const char *host, int is_direct, ct_session *resumed) {
    ERR_clear_error();
    ct_session *session = OPENSSL_zalloc(sizeof *session);
    if (session == NULL) return NULL;
    session->is_server = (uint8_t)context->is_server;
    session->is_direct = (uint8_t)is_direct;
    session->fragment = CT_RECORD;
    session->records_max = RECORDS_MAX;
    session->ssl = SSL_new(context->ssl);
    BIO *bio = session->ssl == NULL ? NULL : ct_bytes_new(session);
    int ok = bio != NULL;
    if (ok) {
        SSL_set_bio(session->ssl, bio, bio);
        SSL_set_app_data(session->ssl, session);
        ct_count_key_updates(session);
        if (context->is_server) {
            SSL_set_accept_state(session->ssl);
        } else {
            SSL_set_connect_state(session->ssl);
        }
    }
    // As libpq: server names are for names only.
    if (ok && host != NULL && !ct_is_address(host)) ok = SSL_set_tlsext_host_name(session->ssl, host) == 1;
    if (ok && context->verification == CT_VERIFY_HOST) {
        ok = host != NULL && (session->host = OPENSSL_strdup(host)) != NULL;
    }
    if (ok && resumed != NULL) {
        SSL_SESSION *ticket = SSL_get1_session(resumed->ssl);
        if (ticket != NULL) ok = SSL_set_session(session->ssl, ticket) == 1;
        SSL_SESSION_free(ticket);
    }
    ERR_clear_error();
    if (ok) return session;
    ct_session_free(session);
    return NULL;
}

void ct_session_free(ct_session *session) {
    if (session == NULL) return;
    SSL_free(session->ssl);
    OPENSSL_clear_free(session->held, session->held_length);
    OPENSSL_free(session->flight);
    OPENSSL_free(session->host);
    OPENSSL_free(session->server_name);
    OPENSSL_free(session->text);
    OPENSSL_free(session);
}

// --- Handshake

// What came behind the handshake is for ct_open.
static int hold(ct_session *session) {
    size_t left = session->held_length - session->held_at;
    if (session->in_left > 0) {
        if (session->in_left > CT_HELD - left) {
            return ct_fail(session, CT_PROTOCOL_ERROR, "too many bytes behind the handshake");
        }
        uint8_t *held = OPENSSL_malloc(left + session->in_left);
        if (held == NULL) return ct_fail(session, CT_INTERNAL, "out of memory");
        if (left > 0) memcpy(held, session->held + session->held_at, left);
        memcpy(held + left, session->in, session->in_left);
        OPENSSL_clear_free(session->held, session->held_length);
        session->held = held;
        session->held_at = 0;
        session->held_length = left + session->in_left;
        session->in_left = 0;
    }
    return CT_DONE;
}

static int check_protocol(ct_session *session) {
    const uint8_t *name;
    size_t length = ct_alpn(session, &name);
    if (session->is_server) return 1;
    return length == 0 ? !session->is_direct : length == 10 && memcmp(name, "postgresql", 10) == 0;
}

static int established(ct_session *session) {
    session->is_established = 1;
    if (!check_protocol(session)) {
        return ct_fail(session, CT_NO_APPLICATION_PROTOCOL, "the server did not agree on the protocol postgresql");
    }
    const SSL_SESSION *agreed = SSL_get0_session(session->ssl);
    uint8_t mode = agreed == NULL ? 0 : SSL_SESSION_get_max_fragment_length(agreed);
    if (mode >= TLSEXT_max_fragment_length_512 && mode <= TLSEXT_max_fragment_length_4096) {
        session->fragment = (size_t)CT_RECORD_MIN << (mode - TLSEXT_max_fragment_length_512);
    }
    return CT_DONE;
}

int ct_handshake(ct_session *session, const uint8_t *in, size_t length, const uint8_t **out, size_t *out_length) {
    int state = CT_FAILED;
    ERR_clear_error();
    session->in = in;
    session->in_left = length;
    if (session->reason == CT_NONE && session->is_established) {
        state = CT_DONE;
    } else if (session->reason == CT_NONE) {
        int result = SSL_do_handshake(session->ssl);
        int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(session->ssl, result);
        if (result == 1) {
            state = established(session);
        } else if (error == SSL_ERROR_WANT_READ) {
            state = CT_MORE;
        } else {
            state = ct_fail_by_queue(session, error);
        }
    }
    if (state == CT_DONE) state = hold(session);
    session->in = NULL;
    session->in_left = 0;
    *out = session->flight;
    *out_length = session->flight_length;
    return state;
}

void ct_flight_sent(ct_session *session) {
    OPENSSL_free(session->flight);
    session->flight = NULL;
    session->flight_length = session->flight_room = 0;
}

// --- What was agreed

int ct_failure(const ct_session *session, char text[CT_TEXT]) {
    if (session->reason != CT_NONE) {
        ct_write_text(text, CT_TEXT, session->text == NULL ? "out of memory" : session->text, NULL);
    }
    return session->reason;
}

int ct_version(const ct_session *session) {
    if (!session->is_established) return 0;
    return SSL_version(session->ssl) == TLS1_3_VERSION ? CT_TLS13 : CT_TLS12;
}

const char *ct_cipher(const ct_session *session) {
    return session->is_established ? SSL_get_cipher_name(session->ssl) : NULL;
}

int ct_is_resumed(const ct_session *session) {
    return session->is_established && SSL_session_reused(session->ssl);
}

const char *ct_server_name(const ct_session *session) {
    return session->is_established ? session->server_name : NULL;
}

size_t ct_alpn(const ct_session *session, const uint8_t **name) {
    unsigned int length = 0;
    *name = NULL;
    if (session->is_established) SSL_get0_alpn_selected(session->ssl, name, &length);
    return *name == NULL ? 0 : length;
}
