// TLS by OpenSSL without sockets and without files: bytes in, bytes out.
//
// A context is immutable once built: any number of threads may make sessions of it. A session belongs to one thread at
// a time. No function blocks, and none keeps a pointer that it is given beyond the call.
#ifndef COPENSSL_H
#define COPENSSL_H

#include <stddef.h>
#include <stdint.h>

typedef struct ct_context ct_context;
typedef struct ct_session ct_session;

enum {
    // Bytes of a text with its NUL: why something failed, in printable ASCII.
    CT_TEXT = 200,
    // Bytes of a name with its NUL: subject, issuer, serial number.
    CT_NAME = 4096,
    // Bytes of a hash at most.
    CT_HASH = 64,
    // Bytes behind the handshake that are kept at most, and so the most that one step of it is given: a flight with a
    // long chain of certificates has some ten thousand.
    CT_HELD = 64 * 1024,
};

enum { CT_TLS12 = 12, CT_TLS13 = 13 };

// Why a session failed.
enum {
    CT_NONE = 0,
    CT_PROTOCOL_ERROR,
    CT_NO_SHARED_CIPHER,
    CT_UNSUPPORTED_VERSION,
    CT_CERTIFICATE_REQUIRED,
    CT_CERTIFICATE_EXPIRED,
    CT_CERTIFICATE_REVOKED,
    CT_CERTIFICATE_UNKNOWN_AUTHORITY,
    CT_CERTIFICATE_INVALID,
    CT_HOST_MISMATCH,
    CT_NO_APPLICATION_PROTOCOL,
    CT_PEER_ALERT,
    CT_CLOSED,
    CT_INTERNAL,
};

// --- Contexts

// What is demanded of the peer's certificate.
enum {
    CT_VERIFY_NONE = 0,
    // Servers: a client may come without a certificate.
    CT_VERIFY_OPTIONAL,
    CT_VERIFY_CHAIN,
    // Clients: the certificate also has to be for the host.
    CT_VERIFY_HOST,
};

// `minimum` and `maximum` are CT_TLS12 or CT_TLS13. NULL when memory is short or the versions exclude each other.
ct_context *ct_context_new(int is_server, int minimum, int maximum);
void ct_context_free(ct_context *context);

// All that follow: 1, or 0 with the reason in `reason` (CT_TEXT bytes). The order to call them in is the order here:
// the cipher list carries the security level that certificates are measured by.
int ct_context_set_ciphers(ct_context *context, const char *list, char *reason);
int ct_context_set_cipher_suites(ct_context *context, const char *list, char *reason);
int ct_context_set_curves(ct_context *context, const char *list, char *reason);
// PEM: the own certificate, then those that lead to its authority.
int ct_context_use_chain(ct_context *context, const uint8_t *pem, size_t length, char *reason);
// PEM: the key of the own certificate, without passphrase.
int ct_context_use_key(ct_context *context, const uint8_t *pem, size_t length, char *reason);
// PEM: all certificates of a bundle; duplicates do no harm.
int ct_context_add_authorities(ct_context *context, const uint8_t *pem, size_t length, char *reason);
// PEM: from here on every certificate of a chain needs a list of its issuer.
int ct_context_add_revocations(ct_context *context, const uint8_t *pem, size_t length, char *reason);
void ct_context_set_verification(ct_context *context, int verification);
void ct_context_set_tickets(ct_context *context, int is_on);

// Of the own certificate; 0 without one.
size_t ct_context_binding(const ct_context *context, uint8_t hash[CT_HASH]);
size_t ct_context_subject(const ct_context *context, char name[CT_NAME]);
// Seconds since 1970 at which it begins and ceases to be valid.
int ct_context_validity(const ct_context *context, int64_t *not_before, int64_t *not_after);

// --- Sessions

// `host` (clients) is the peer's name or address, or NULL. `is_direct`: the handshake has to agree on the protocol.
// `resumed` (clients) is NULL or a session whose ticket is shown. NULL when memory is short or the host is unusable.
ct_session *ct_session_new(const ct_context *context, const char *host, int is_direct, ct_session *resumed);
void ct_session_free(ct_session *session);

enum { CT_MORE = 0, CT_DONE, CT_SHUT, CT_FAILED };

// CT_MORE, CT_DONE or CT_FAILED. Takes all bytes in. What has to be sent is `*out` of `*out_length` bytes, there until
// ct_flight_sent.
int ct_handshake(ct_session *session, const uint8_t *in, size_t length, const uint8_t **out, size_t *out_length);
void ct_flight_sent(ct_session *session);

typedef struct {
    size_t count;
    size_t reply_count;
    // CT_MORE, CT_SHUT or CT_FAILED.
    int state;
} ct_opened;

ct_opened ct_open(ct_session *session, const uint8_t *in, size_t length, uint8_t *plain, size_t plain_room,
                  uint8_t *replies, size_t replies_room);

// Whether the input so far ends in the midst of a record.
int ct_is_within_record(const ct_session *session);

typedef struct {
    // Negative on failure.
    ptrdiff_t taken;
    size_t written;
} ct_sealed;

ct_sealed ct_seal(ct_session *session, const uint8_t *plain, size_t count, uint8_t *out, size_t room);
// Room that is enough for `count` bytes whatever the cipher and the size of records.
size_t ct_sealed_bound(size_t count);
// close_notify; returns its length.
size_t ct_close(ct_session *session, uint8_t *out, size_t room);
// The next bytes sealed carry new keys (TLS 1.3), and ask the peer for new ones of its own. 0 when that cannot be.
int ct_update_keys(ct_session *session, int asks_peer);
// The same at once: writes a record with nothing but that; returns its length. 64 bytes are room enough.
size_t ct_seal_keys(ct_session *session, int asks_peer, uint8_t *out, size_t room);
// After how many records that happens by itself.
void ct_set_records_max(ct_session *session, uint64_t records);

// CT_NONE before a failure.
int ct_failure(const ct_session *session, char text[CT_TEXT]);
// CT_TLS12 or CT_TLS13, 0 before the handshake is done; so are all below.
int ct_version(const ct_session *session);
// Static text, or NULL.
const char *ct_cipher(const ct_session *session);
int ct_is_resumed(const ct_session *session);
// What the client asked for (servers), NULL without; there as long as the session.
const char *ct_server_name(const ct_session *session);
// Not terminated; 0 without.
size_t ct_alpn(const ct_session *session, const uint8_t **name);
// Hash of the server's certificate.
size_t ct_session_binding(const ct_session *session, uint8_t hash[CT_HASH]);

enum { CT_COMMON_NAME, CT_SUBJECT, CT_ISSUER, CT_SERIAL };

int ct_has_verified_peer(const ct_session *session);
// Length of one name of the verified peer's certificate; 0 without. Terminated.
size_t ct_peer_name(const ct_session *session, int which, char name[CT_NAME]);

#endif
