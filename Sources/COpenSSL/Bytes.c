// A BIO between OpenSSL and the buffers of a caller: nothing is copied that need not be.
#include "internal.h"

#include <openssl/crypto.h>
#include <string.h>

static BIO_METHOD *method;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static int bytes_read(BIO *bio, char *to, size_t size, size_t *taken) {
    ct_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t held = session->held_length - session->held_at;
    size_t count = held > 0 ? held : session->in_left;
    if (count > size) count = size;
    // OpenSSL goes from one key update to the next by itself, and returns only when it lacks bytes.
    if (ct_has_too_many_key_updates(session)) count = 0;
    *taken = count;
    if (count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if (held > 0) {
        memcpy(to, session->held + session->held_at, count);
        session->held_at += count;
    } else {
        memcpy(to, session->in, count);
        session->in += count;
        session->in_left -= count;
    }
    return 1;
}

// Room for `count` more bytes of a handshake.
static int grow_flight(ct_session *session, size_t count) {
    size_t needed = session->flight_length + count;
    if (needed <= session->flight_room) return 1;
    if (needed > CT_FLIGHT_MAX) return 0;
    size_t room = needed < 2048 ? 4096 : 2 * needed;
    if (room > CT_FLIGHT_MAX) room = CT_FLIGHT_MAX;
    uint8_t *flight = OPENSSL_realloc(session->flight, room);
    if (flight == NULL) return 0;
    session->flight = flight;
    session->flight_room = room;
    return 1;
}

static int bytes_write(BIO *bio, const char *from, size_t count, size_t *written) {
    ct_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *written = 0;
    if (session->out != NULL) {
        if (count > session->out_room - session->out_length) {
            session->is_overfull = 1;
            return 0;
        }
        memcpy(session->out + session->out_length, from, count);
        session->out_length += count;
    } else {
        if (count > CT_FLIGHT_MAX || !grow_flight(session, count)) return 0;
        memcpy(session->flight + session->flight_length, from, count);
        session->flight_length += count;
    }
    *written = count;
    return 1;
}

static long bytes_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static void make_method(void) {
    // Other threads may still be at work when the process exits.
    OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bytes");
    if (made == NULL) return;
    if (BIO_meth_set_read_ex(made, bytes_read) == 1 && BIO_meth_set_write_ex(made, bytes_write) == 1
        && BIO_meth_set_ctrl(made, bytes_control) == 1) {
        method = made;
    } else {
        BIO_meth_free(made);
    }
}

int ct_start(void) { return CRYPTO_THREAD_run_once(&once, make_method) == 1 && method != NULL; }

BIO *ct_bytes_new(ct_session *session) {
    BIO *bio = BIO_new(method);
    if (bio == NULL) return NULL;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
}
