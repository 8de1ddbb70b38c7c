// Records of a session whose handshake is done, and the keys they are sealed with.
#include "internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

enum {
    // What sealing adds to a record at most: header, explicit IV, a SHA-384 code, padding.
    OVERHEAD = 96,
    // For what goes out besides: new keys, and the answer to a peer that asks for some.
    SLACK = 256,
};

// Called by OpenSSL for every message, either way.
static void note_message(int is_written, int version, int content_type, const void *bytes, size_t length, SSL *ssl,
                         void *context) {
    (void)version, (void)ssl;
    ct_session *session = context;
    if (is_written || content_type != SSL3_RT_HANDSHAKE || length == 0) return;
    uint8_t kind = *(const uint8_t *)bytes;
    // Tickets cost a server's peer what key updates cost.
    if (kind != SSL3_MT_KEY_UPDATE && kind != SSL3_MT_NEWSESSION_TICKET) return;
    if (ct_has_too_many_key_updates(session)) return;
    session->key_updates++;
    session->key_updates_at_once++;
}

void ct_count_key_updates(ct_session *session) {
    SSL_set_msg_callback(session->ssl, note_message);
    SSL_set_msg_callback_arg(session->ssl, session);
}

int ct_has_too_many_key_updates(const ct_session *session) {
    return session->key_updates > CT_KEY_UPDATES_MAX || session->key_updates_at_once > CT_KEY_UPDATES_MAX;
}

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
            session->key_updates = 0;
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
        // Each of them costs new keys, or a session, and brings nothing: a peer could keep this loop busy for as long
        // as it likes.
        if (ct_has_too_many_key_updates(session)) {
            return ct_fail(session, CT_PROTOCOL_ERROR, "too many key updates or tickets");
        }
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
    session->key_updates_at_once = 0;
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

int ct_is_within_record(const ct_session *session) {
    // Behind a header alone nothing is pending, but the body is waited for.
    return !is_drained(session) || SSL_rstate_string(session->ssl)[1] == 'B';
}

size_t ct_sealed_bound(size_t count) {
    return count + (count / CT_RECORD_MIN + 1) * OVERHEAD + SLACK;
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

size_t ct_seal_keys(ct_session *session, int asks_peer, uint8_t *out, size_t room) {
    if (!ct_update_keys(session, asks_peer)) return 0;
    begin(session, out, room);
    SSL_do_handshake(session->ssl);
    ERR_clear_error();
    return end(session);
}

void ct_set_records_max(ct_session *session, uint64_t records) { session->records_max = records; }
