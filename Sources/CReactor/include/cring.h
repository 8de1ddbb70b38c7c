#ifndef CRING_H
#define CRING_H

// io_uring by its three system calls: rings, provided buffers, and the few operations the reactor uses.
// A ring belongs to the thread that enabled it; until then operations may be queued by whoever prepares it.

#include <stdint.h>

/// Same layout as the kernel's `struct io_uring_cqe`.
struct cr_completion {
    uint64_t tag;
    /// Bytes, a descriptor or poll events; negative: an errno.
    int32_t result;
    uint32_t flags;
};

/// Bits of `cr_completion.flags`.
enum { CR_COMPLETION_BUFFER = 1, CR_COMPLETION_MORE = 2 };

/// The operation in bits 32...35 of a tag; the rest is the caller's.
#define CR_TAG_OPERATION 0x0000000f00000000ull

struct cr_submission;

struct cr_ring {
    int descriptor;
    /// What `io_uring_enter` is given: the descriptor, or its number in the thread's own table.
    int enter_descriptor;
    uint32_t enter_flags;
    int32_t is_enabled;

    uint32_t *sq_head, *sq_tail;
    struct cr_submission *submissions;
    uint32_t sq_mask, sq_entries;
    /// Next entry to fill; published by `cr_ring_enter`.
    uint32_t sq_next;

    uint32_t *cq_head, *cq_tail;
    struct cr_completion *completions;
    uint32_t cq_mask, cq_entries;
    /// Next completion to take, and how far failed sends have been looked for.
    uint32_t cq_next, cq_looked;

    uint8_t *buffers;
    void *buffer_ring;
    uint32_t buffer_tail;

    uint8_t *arena;
    uint32_t arena_used;
    /// The kernel took only a part of an earlier batch; what it left still stands in the queue.
    int32_t has_leftovers;
    /// Counts the batches of operations handed to the kernel.
    uint64_t batch;

    void *maps[4];
    uint64_t map_sizes[4];
};

enum {
    CR_RING_BUFFER_SIZE = 8192,
    CR_RING_BUFFERS = 128,
    /// Bytes of sends that may wait for the end of a round.
    CR_RING_ARENA = 128 * 1024,
};

/// Sets a ring up, not yet enabled. 0 or a negative errno; nothing is left open then.
int cr_ring_open(struct cr_ring *ring);
void cr_ring_close(struct cr_ring *ring);
/// Makes the calling thread the owner. 0 or a negative errno.
int cr_ring_enable(struct cr_ring *ring);
/// Tries everything the reactor relies on with a ring of its own. 0 or a negative errno.
int cr_ring_probe(void);

/// Hands the queued operations to the kernel and runs what it has to do; waits for a completion for at most
/// `timeout_milliseconds` (-1: for ever, 0: not at all). 0, or a negative errno: interruption and the end of the time
/// are no errors.
int cr_ring_enter(struct cr_ring *ring, int timeout_milliseconds);
/// Only hands over. 0 or a negative errno.
int cr_ring_submit(struct cr_ring *ring);
/// True when everything queued has been handed over.
int cr_ring_is_submitted(const struct cr_ring *ring);
/// Forgets the bytes of all sends. Call when the failures among them have been looked at, and none is queued any more.
void cr_ring_begin_batch(struct cr_ring *ring);

// Queue one operation. 1, or 0 when the queue is full.
int cr_ring_receive(struct cr_ring *ring, int fd, uint64_t tag);
int cr_ring_accept(struct cr_ring *ring, int fd, uint64_t tag);
int cr_ring_poll(struct cr_ring *ring, int fd, uint32_t events, int is_repeated, uint64_t tag);
/// Ends the operation `target`; nothing is reported when that succeeds.
int cr_ring_cancel(struct cr_ring *ring, uint64_t target, uint64_t tag);

/// Copies `count` bytes and queues their sending, of which only failure or a part is reported. Returns the number of
/// the entry and `*offset` in the arena, or -1 when there is no room.
int64_t cr_ring_send(struct cr_ring *ring, int fd, const void *bytes, uint32_t count, uint64_t tag, uint32_t *offset);
/// Adds bytes to a queued send. 1, or 0 when they do not fit behind its own.
int cr_ring_send_more(struct cr_ring *ring, uint32_t entry, const void *bytes, uint32_t count);
/// Takes a queued operation back.
void cr_ring_withdraw(struct cr_ring *ring, uint32_t entry);
/// Takes back what is queued and not handed over and whose tag differs from `cancel_tag` in the operation only.
void cr_ring_withdraw_all(struct cr_ring *ring, uint64_t cancel_tag);
/// Finds the next queued operation of the kind `operation` that has not been handed over. `*number` is where to look
/// next; begin with 0 and `is_first`. 1, or 0 when there is none.
int cr_ring_next_queued(const struct cr_ring *ring, uint64_t operation, int is_first, uint32_t *number, uint64_t *tag);

/// The next completion whose tag has the operation `operation` among those that came since the last call.
int cr_ring_next_failure(struct cr_ring *ring, uint64_t operation, struct cr_completion *out);
/// Takes out the next completion with exactly this tag. 1, or 0 when there is none.
int cr_ring_extract(struct cr_ring *ring, uint64_t tag, struct cr_completion *out);
int cr_ring_holds(const struct cr_ring *ring, uint64_t tag);

/// Bytes that wait in the kernel, without taking them: 1 when there are any or the stream has ended.
int cr_peek(int fd);
struct cr_address;
void cr_peer_address(int fd, struct cr_address *out);

/// Takes the next completion. 1, or 0 when there is none.
static inline int cr_ring_next(struct cr_ring *ring, struct cr_completion *out) {
    uint32_t next = ring->cq_next;
    if (next == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) return 0;
    *out = ring->completions[next & ring->cq_mask];
    ring->cq_next = next + 1;
    __atomic_store_n(ring->cq_head, next + 1, __ATOMIC_RELEASE);
    return 1;
}

static inline uint32_t cr_ring_space(const struct cr_ring *ring) {
    return ring->sq_entries - (ring->sq_next - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE));
}

/// Completions that can come before the kernel must keep them to itself.
static inline uint32_t cr_ring_completion_room(const struct cr_ring *ring) {
    return ring->cq_entries - (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) - ring->cq_next);
}

/// Received bytes in one or several buffers that lie behind each other.
struct cr_chunk {
    uint8_t *bytes;
    uint32_t count;
    uint16_t first_buffer;
    uint16_t buffers;
};

/// The bytes of a receive completion, joined with those of the completions that follow it while they continue it.
/// `completion->flags` become those of the last one.
static inline struct cr_chunk cr_ring_chunk(
    struct cr_ring *ring, struct cr_completion *completion, uint32_t most_bytes) {
    uint16_t first = (uint16_t)(completion->flags >> 16);
    struct cr_chunk chunk = {
        ring->buffers + (uint64_t)first * CR_RING_BUFFER_SIZE, (uint32_t)completion->result, first, 1};
    while (chunk.count == (uint32_t)chunk.buffers * CR_RING_BUFFER_SIZE && chunk.count + CR_RING_BUFFER_SIZE <= most_bytes
           && (completion->flags & CR_COMPLETION_MORE) != 0) {
        uint32_t next = ring->cq_next;
        if (next == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) break;
        const struct cr_completion *following = &ring->completions[next & ring->cq_mask];
        if (following->tag != completion->tag || following->result <= 0
            || (following->flags & CR_COMPLETION_BUFFER) == 0
            || (following->flags >> 16) != (uint32_t)first + chunk.buffers) break;
        completion->flags = following->flags;
        chunk.count += (uint32_t)following->result;
        chunk.buffers += 1;
        ring->cq_next = next + 1;
        __atomic_store_n(ring->cq_head, next + 1, __ATOMIC_RELEASE);
    }
    return chunk;
}

/// Gives buffers back to the kernel.
void cr_ring_give_back(struct cr_ring *ring, uint16_t first, uint16_t count);

#endif
