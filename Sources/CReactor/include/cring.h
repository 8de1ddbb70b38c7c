#ifndef CRING_H
#define CRING_H

// Many small sends by one system call: io_uring by its three system calls, with the one operation the reactor uses.
// One thread at a time may use a ring; the one that enabled it has the shorter way to it.

#include <stdint.h>

struct cr_submission;
struct cr_completion;

struct cr_ring {
    int descriptor;
    /// The ring's number in the own table of the thread that has one, by the address of that thread's mark.
    int own_number;
    const char *owner;
    int32_t is_enabled;

    uint32_t *sq_head, *sq_tail;
    struct cr_submission *submissions;
    uint32_t sq_mask, sq_entries;
    /// Next entry to fill; published by `cr_ring_submit`.
    uint32_t sq_next;

    uint32_t *cq_head, *cq_tail;
    struct cr_completion *completions;
    uint32_t cq_mask;
    /// Next completion to take.
    uint32_t cq_next;

    /// The bytes of the sends of a batch lie here until it is over.
    uint8_t *arena;
    uint32_t arena_used;
    /// Counts the batches of sends handed to the kernel.
    uint64_t batch;

    void *maps[3];
    uint64_t map_sizes[3];
};

enum {
    /// Sends in one batch.
    CR_RING_ENTRIES = 256,
    /// Bytes of sends in one batch.
    CR_RING_ARENA = 128 * 1024,
};

/// Sets a ring up, not yet enabled. 0 or a negative errno; nothing is left open then.
int cr_ring_open(struct cr_ring *ring);
void cr_ring_close(struct cr_ring *ring);
/// 0 or a negative errno.
int cr_ring_enable(struct cr_ring *ring);
/// Tries everything the reactor relies on with a ring of its own. 0 or a negative errno.
int cr_ring_probe(void);

/// Copies `count` bytes and queues their sending, of which only failure or a part is reported. Returns the number of
/// the entry and `*offset` in the arena, or -1 when there is no room.
int64_t cr_ring_send(struct cr_ring *ring, int fd, const void *bytes, uint32_t count, uint64_t tag, uint32_t *offset);
/// Adds bytes to a queued send. 1, or 0 when they do not fit behind its own.
int cr_ring_send_more(struct cr_ring *ring, uint32_t entry, const void *bytes, uint32_t count);
/// Takes a queued send back.
void cr_ring_withdraw(struct cr_ring *ring, uint32_t entry);

/// Hands the queued sends to the kernel, which tries each at once. 0, or a negative errno when it would not; a kernel
/// short of memory may take the first of them only: the others stay queued.
int cr_ring_submit(struct cr_ring *ring);
/// Takes the next send that failed among those handed over: its tag, and a negative errno or how much went out.
/// 1, or 0 when there is none.
int cr_ring_next_failure(struct cr_ring *ring, uint64_t *tag, int32_t *result);
/// Forgets what is still queued, and the bytes of all sends.
void cr_ring_begin_batch(struct cr_ring *ring);

/// How many sends (or gaps that withdrawn ones have left) are queued.
static inline uint32_t cr_ring_queued(const struct cr_ring *ring) {
    return ring->sq_next - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
}
/// The tag of the queued send at `position`, 0 where it has been withdrawn.
uint64_t cr_ring_queued_tag(const struct cr_ring *ring, uint32_t position);

#endif
