// What the files of this folder share.
#ifndef COPENSSL_INTERNAL_H
#define COPENSSL_INTERNAL_H

#include "copenssl.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum {
    // Plaintext bytes of a record at most.
    CT_RECORD = 16384,
    // A peer may ask for records this small (RFC 6066).
    CT_RECORD_MIN = 512,
    // Key updates of the peer, and session tickets, without data between them, and within one call of ct_open.
    CT_KEY_UPDATES_MAX = 32,
};

struct ct_context {
    SSL_CTX *ssl;
    int is_server;
    int verification;
};

struct ct_session {
    SSL *ssl;
    // Bytes behind the handshake, read before `in`.
    uint8_t *held;
    size_t held_at, held_length;
    const uint8_t *in;
    size_t in_left;
    // Where sealed bytes go; without it they go into `flight`.
    uint8_t *out;
    size_t out_room, out_length;
    uint8_t *flight;
    size_t flight_length, flight_room;
    // NULL where the peer's host is of no concern.
    char *host;
    // What the client asks for (SNI); NULL without, and on the client's side.
    char *server_name;
    // Records sealed with the present key, or a few more.
    uint64_t records, records_max;
    // Why the peer's certificate is refused when OpenSSL sees no fault in it; static.
    const char *objection;
    // Plaintext bytes of one record at most.
    size_t fragment;
    char *text;
    uint8_t reason;
    // Bytes to send had no room: the peer can make no sense of what follows.
    uint8_t is_overfull;
    uint8_t is_established, is_shut, is_server, is_direct;
    // Of the peer: since it last sent data, and in the present call of ct_open.
    uint8_t key_updates, key_updates_at_once;
};

// Of Bytes.c: what has to be done once, before anything else. 0 when memory is short.
int ct_start(void);
// A BIO that reads and writes the buffers of a session. NULL when memory is short.
BIO *ct_bytes_new(ct_session *session);
// Bytes that a handshake step may give out.
enum { CT_FLIGHT_MAX = 512 * 1024 };

// Of Failure.c. All that fail empty OpenSSL's error queue.
void ct_write_reason(char *reason, const char *what);
void ct_write_text(char *text, size_t size, const char *first, const char *second);
int ct_fail(ct_session *session, int reason, const char *text);
int ct_fail_by_queue(ct_session *session, int ssl_error);

// Of Records.c. Behind one key update or ticket too many, no more bytes are given to OpenSSL.
void ct_count_key_updates(ct_session *session);
int ct_has_too_many_key_updates(const ct_session *session);

// Of Certificates.c.
size_t ct_endpoint_hash(X509 *certificate, uint8_t hash[CT_HASH]);
size_t ct_name_text(const X509_NAME *name, char text[CT_NAME]);
// -1: none, 0: unusable, 1.
int ct_common_name(X509 *certificate, char name[CT_NAME]);

// Of Host.c: X509_V_OK or why the certificate is not for the host.
int ct_check_host(X509 *certificate, const char *host);
int ct_is_address(const char *host);

// Of Verify.c.
int ct_verify(int is_ok, X509_STORE_CTX *store);

#endif
