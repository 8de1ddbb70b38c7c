// One connection.
#include "internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

enum {
    RECORD = 16384,
    // A peer may ask for records this small (RFC 6066).
    RECORD_MIN = 512,
    // What sealing adds to a record at most: header, explicit IV, a SHA-384 code, padding.
    OVERHEAD = 96,
    // For what goes out besides: new keys, and the answer to a peer that asks for some.
    SLACK = 256,
    // Bytes behind the handshake that are kept at most.
    HELD_MAX = 64 * 1024,
    // Records that are sealed with one key of TLSv1.3 at most: AES-GCM is good for 24 million (RFC 8446, section 5.5).
    RECORDS_MAX = 1 << 23,
};

ct_session *ct_session_new(const ct_context *context, const char *host, int is_direct, ct_session *resumed) {
    ERR_clear_error();
    ct_session *session = OPENSSL_zalloc(sizeof *session);
    if (session == NULL) return NULL;
    session->is_server = (uint8_t)context->is_server;
    session->is_direct = (uint8_t)is_direct;
    session->fragment = RECORD;
    session->records_max = RECORDS_MAX;
    session->ssl = SSL_new(context->ssl);
    BIO *bio = session->ssl == NULL ? NULL : ct_bytes_new(session);
    int ok = bio != NULL;
    if (ok) {
        SSL_set_bio(session->ssl, bio, bio);
        SSL_set_app_data(session->ssl, session);
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
    OPENSSL_free(session->text);
    OPENSSL_free(session);
}

// --- Handshake

// What came behind the handshake is for ct_open.
static int hold(ct_session *session) {
    size_t left = session->held_length - session->held_at;
    if (session->in_left > 0) {
        if (session->in_left > HELD_MAX - left) {
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
        session->fragment = (size_t)RECORD_MIN << (mode - TLSEXT_max_fragment_length_512);
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

// --- Records

// Looking is cheaper than clearing.
static void clear_errors(void) {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

// Nowhere to write is a buffer without room.
static uint8_t nowhere[1];

static void begin(ct_session *session, uint8_t *out, size_t room) {
    session->out = out == NULL ? nowhere : out;
    session->out_room = out == NULL ? 0 : room;
    session->out_length = 0;
    clear_errors();
}

static size_t end(ct_session *session) {
    session->out = NULL;
    return session->out_length;
}

static size_t left_to_read(const ct_session *session) {
    return session->in_left + session->held_length - session->held_at;
}

static int is_drained(const ct_session *session) {
    return left_to_read(session) == 0 && !SSL_has_pending(session->ssl);
}

// Opens until the input is used up; returns the state.
static int open_all(ct_session *session, uint8_t *plain, size_t room, size_t *count) {
    for (;;) {
        if (*count == room) {
            return is_drained(session) ? CT_MORE : ct_fail(session, CT_INTERNAL, "no room for what was opened");
        }
        size_t taken = 0, left = left_to_read(session);
        int result = SSL_read_ex(session->ssl, plain + *count, room - *count, &taken);
        if (result == 1) {
            *count += taken;
            if (is_drained(session)) return CT_MORE;
            continue;
        }
        int error = SSL_get_error(session->ssl, result);
        if (error == SSL_ERROR_ZERO_RETURN) {
            session->is_shut = 1;
            return CT_SHUT;
        }
        if (error != SSL_ERROR_WANT_READ) return ct_fail_by_queue(session, error);
        if (left_to_read(session) == 0) return CT_MORE;
        if (left_to_read(session) == left) return ct_fail(session, CT_INTERNAL, "bytes were left unread");
    }
}

ct_opened ct_open(ct_session *session, const uint8_t *in, size_t length, uint8_t *plain, size_t plain_room,
                  uint8_t *replies, size_t replies_room) {
    ct_opened opened = {0, 0, CT_FAILED};
    if (session->reason != CT_NONE) return opened;
    if (!session->is_established) {
        ct_fail(session, CT_INTERNAL, "the handshake is not done");
        return opened;
    }
    if (session->is_shut) {
        opened.state = CT_SHUT;
        return opened;
    }
    begin(session, replies, replies_room);
    session->in = in;
    session->in_left = length;
    opened.state = open_all(session, plain, plain_room, &opened.count);
    if (session->is_overfull) opened.state = ct_fail(session, CT_INTERNAL, "no room for the answer to the peer");
    session->in = NULL;
    session->in_left = 0;
    if (session->held != NULL && session->held_at == session->held_length) {
        OPENSSL_clear_free(session->held, session->held_length);
        session->held = NULL;
        session->held_at = session->held_length = 0;
    }
    opened.reply_count = end(session);
    return opened;
}

size_t ct_sealed_bound(size_t count) {
    return count + (count / RECORD_MIN + 1) * OVERHEAD + SLACK;
}

// The most bytes that surely fit into `room` once sealed.
static size_t fitting(const ct_session *session, size_t room) {
    if (room <= SLACK) return 0;
    size_t whole = session->fragment + OVERHEAD;
    size_t count = (room - SLACK) / whole, rest = (room - SLACK) % whole;
    return count * session->fragment + (rest > OVERHEAD ? rest - OVERHEAD : 0);
}

ct_sealed ct_seal(ct_session *session, const uint8_t *plain, size_t count, uint8_t *out, size_t room) {
    ct_sealed sealed = {-1, 0};
    if (session->reason != CT_NONE) return sealed;
    if (!session->is_established) {
        ct_fail(session, CT_INTERNAL, "the handshake is not done");
        return sealed;
    }
    size_t fits = fitting(session, room);
    if (count > fits) count = fits;
    if (count == 0) {
        sealed.taken = 0;
        return sealed;
    }
    session->records += count / session->fragment + 1;
    if (session->records > session->records_max && ct_version(session) == CT_TLS13) {
        session->records = 0;
        ct_update_keys(session, 0);
    }
    begin(session, out, room);
    size_t taken = 0;
    int result = SSL_write_ex(session->ssl, plain, count, &taken);
    if (result == 1 && !session->is_overfull) {
        sealed.taken = (ptrdiff_t)taken;
    } else {
        ct_fail_by_queue(session, SSL_get_error(session->ssl, result));
    }
    sealed.written = end(session);
    return sealed;
}

size_t ct_close(ct_session *session, uint8_t *out, size_t room) {
    if (session->reason != CT_NONE || !session->is_established) return 0;
    begin(session, out, room);
    SSL_shutdown(session->ssl);
    ERR_clear_error();
    return end(session);
}

int ct_update_keys(ct_session *session, int asks_peer) {
    if (session->reason != CT_NONE || !session->is_established) return 0;
    int kind = asks_peer ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
    int ok = SSL_key_update(session->ssl, kind) == 1;
    ERR_clear_error();
    return ok;
}

void ct_set_records_max(ct_session *session, uint64_t records) { session->records_max = records; }

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
    if (!session->is_established || !session->is_server) return NULL;
    return SSL_get_servername(session->ssl, TLSEXT_NAMETYPE_host_name);
}

size_t ct_alpn(const ct_session *session, const uint8_t **name) {
    unsigned int length = 0;
    *name = NULL;
    if (session->is_established) SSL_get0_alpn_selected(session->ssl, name, &length);
    return *name == NULL ? 0 : length;
}
