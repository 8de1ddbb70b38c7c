#define _GNU_SOURCE
#include "cring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Numbers of include/uapi/linux/io_uring.h, which build machines have in very different ages.
enum {
    SYSCALL_SETUP = 425, SYSCALL_ENTER = 426, SYSCALL_REGISTER = 427,
    SETUP_R_DISABLED = 1 << 6, SETUP_SUBMIT_ALL = 1 << 7, SETUP_NO_SQARRAY = 1 << 16,
    FEATURE_SINGLE_MMAP = 1 << 0, FEATURE_CQE_SKIP = 1 << 11,
    ENTER_REGISTERED_RING = 16,
    REGISTER_ENABLE_RINGS = 12, REGISTER_RING_FDS = 20,
    OP_NOP = 0, OP_SEND = 26,
    ENTRY_SKIP_SUCCESS = 1 << 6,
};

/// Same layout as the kernel's `struct io_uring_cqe`.
struct cr_completion {
    uint64_t tag;
    /// Bytes, or a negative errno.
    int32_t result;
    uint32_t flags;
};

/// Same layout as the kernel's `struct io_uring_sqe`.
struct cr_submission {
    uint8_t opcode;
    uint8_t flags;
    uint16_t priority;
    int32_t fd;
    uint64_t offset;
    uint64_t address;
    uint32_t length;
    uint32_t operation_flags;
    uint64_t tag;
    uint16_t buffer_group;
    uint16_t personality;
    int32_t file_index;
    uint64_t unused[2];
};

struct submission_offsets {
    uint32_t head, tail, mask, entries, flags, dropped, array, reserved;
    uint64_t address;
};

struct completion_offsets {
    uint32_t head, tail, mask, entries, overflow, completions, flags, reserved;
    uint64_t address;
};

struct ring_parameters {
    uint32_t sq_entries, cq_entries, flags, thread_cpu, thread_idle, features, wq_fd, reserved[3];
    struct submission_offsets sq;
    struct completion_offsets cq;
};

_Static_assert(sizeof(struct cr_submission) == 64, "io_uring_sqe");
_Static_assert(sizeof(struct cr_completion) == 16, "io_uring_cqe");
_Static_assert(sizeof(struct ring_parameters) == 120, "io_uring_params");

// MARK: Setting up

static void *map(struct cr_ring *ring, int index, uint64_t size, int fd, int64_t offset) {
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset);
    if (address == MAP_FAILED) return NULL;
    // A child that only execs must not carry them along.
    madvise(address, size, MADV_DONTFORK);
    ring->maps[index] = address;
    ring->map_sizes[index] = size;
    return address;
}

static int setup(struct ring_parameters *parameters) {
    static const uint32_t flags = SETUP_R_DISABLED | SETUP_SUBMIT_ALL;
    for (int attempt = 0; attempt < 2; attempt++) {
        memset(parameters, 0, sizeof *parameters);
        parameters->flags = attempt == 0 ? flags | SETUP_NO_SQARRAY : flags;
        int fd = (int)syscall(SYSCALL_SETUP, CR_RING_ENTRIES, parameters);
        if (fd >= 0 || errno != EINVAL) return fd < 0 ? -errno : fd;
    }
    return -EINVAL;
}

static int map_queues(struct cr_ring *ring, const struct ring_parameters *parameters) {
    uint64_t sq_end = parameters->sq.array + parameters->sq_entries * sizeof(uint32_t);
    uint64_t cq_end = parameters->cq.completions + parameters->cq_entries * sizeof(struct cr_completion);
    uint8_t *queues = map(ring, 0, sq_end > cq_end ? sq_end : cq_end, ring->descriptor, 0);
    if (queues == NULL) return -errno;
    ring->submissions =
        map(ring, 1, parameters->sq_entries * sizeof(struct cr_submission), ring->descriptor, 0x10000000);
    if (ring->submissions == NULL) return -errno;
    ring->sq_head = (uint32_t *)(queues + parameters->sq.head);
    ring->sq_tail = (uint32_t *)(queues + parameters->sq.tail);
    ring->sq_entries = parameters->sq_entries;
    ring->sq_mask = parameters->sq_entries - 1;
    ring->cq_head = (uint32_t *)(queues + parameters->cq.head);
    ring->cq_tail = (uint32_t *)(queues + parameters->cq.tail);
    ring->completions = (struct cr_completion *)(queues + parameters->cq.completions);
    ring->cq_mask = parameters->cq_entries - 1;
    if ((parameters->flags & SETUP_NO_SQARRAY) == 0) {
        uint32_t *array = (uint32_t *)(queues + parameters->sq.array);
        for (uint32_t index = 0; index < parameters->sq_entries; index++) array[index] = index;
    }
    return 0;
}

int cr_ring_open(struct cr_ring *ring) {
    struct ring_parameters parameters;
    memset(ring, 0, sizeof *ring);
    ring->descriptor = setup(&parameters);
    if (ring->descriptor < 0) return ring->descriptor;
    uint32_t needed = FEATURE_SINGLE_MMAP | FEATURE_CQE_SKIP;
    int result = (parameters.features & needed) == needed ? map_queues(ring, &parameters) : -ENOSYS;
    if (result == 0) {
        ring->arena = map(ring, 2, CR_RING_ARENA, -1, 0);
        if (ring->arena == NULL) result = -ENOMEM;
    }
    if (result < 0) cr_ring_close(ring);
    return result;
}

void cr_ring_close(struct cr_ring *ring) {
    if (ring->descriptor >= 0) close(ring->descriptor);
    ring->descriptor = -1;
    for (int index = 0; index < 3; index++)
        if (ring->maps[index] != NULL) munmap(ring->maps[index], ring->map_sizes[index]);
    memset(ring->maps, 0, sizeof ring->maps);
}

/// Its address tells one thread from another.
static __thread char this_thread;

int cr_ring_enable(struct cr_ring *ring) {
    if (syscall(SYSCALL_REGISTER, ring->descriptor, REGISTER_ENABLE_RINGS, NULL, 0) < 0) return -errno;
    ring->is_enabled = 1;
    // Spares the kernel the way through the descriptor table on every call. Not to be had is no harm.
    struct {
        uint32_t offset, reserved;
        uint64_t data;
    } registration = {UINT32_MAX, 0, (uint64_t)ring->descriptor};
    if (syscall(SYSCALL_REGISTER, ring->descriptor, REGISTER_RING_FDS, &registration, 1) == 1) {
        ring->own_number = (int)registration.offset;
        ring->owner = &this_thread;
    }
    return 0;
}

// MARK: Queueing

int64_t cr_ring_send(struct cr_ring *ring, int fd, const void *bytes, uint32_t count, uint64_t tag, uint32_t *offset) {
    if (count > CR_RING_ARENA - ring->arena_used || cr_ring_queued(ring) == ring->sq_entries) return -1;
    uint32_t number = ring->sq_next++;
    struct cr_submission *entry = &ring->submissions[number & ring->sq_mask];
    *offset = ring->arena_used;
    memcpy(ring->arena + *offset, bytes, count);
    ring->arena_used += count;
    memset(entry, 0, sizeof *entry);
    entry->opcode = OP_SEND;
    entry->fd = fd;
    entry->tag = tag;
    entry->flags = ENTRY_SKIP_SUCCESS;
    entry->address = (uint64_t)(uintptr_t)(ring->arena + *offset);
    entry->length = count;
    // Never left pending (DONTWAIT), and a part only counts as a failure, which is reported (WAITALL).
    entry->operation_flags = MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL;
    return number;
}

int cr_ring_send_more(struct cr_ring *ring, uint32_t number, const void *bytes, uint32_t count) {
    struct cr_submission *entry = &ring->submissions[number & ring->sq_mask];
    uint8_t *end = ring->arena + ring->arena_used;
    if (entry->address + entry->length != (uint64_t)(uintptr_t)end) return 0;
    if (count > CR_RING_ARENA - ring->arena_used) return 0;
    memcpy(end, bytes, count);
    entry->length += count;
    ring->arena_used += count;
    return 1;
}

void cr_ring_withdraw(struct cr_ring *ring, uint32_t number) {
    struct cr_submission *entry = &ring->submissions[number & ring->sq_mask];
    // The last one leaves no gap, and its bytes are the last of the arena.
    if (number + 1 == ring->sq_next) {
        if (entry->opcode == OP_SEND) ring->arena_used = (uint32_t)(entry->address - (uint64_t)(uintptr_t)ring->arena);
        ring->sq_next = number;
        // Before a gap there may be bytes of a send withdrawn earlier.
        if (cr_ring_queued(ring) == 0) ring->arena_used = 0;
        return;
    }
    memset(entry, 0, sizeof *entry);
    entry->opcode = OP_NOP;
    entry->fd = -1;
    entry->flags = ENTRY_SKIP_SUCCESS;
}

uint64_t cr_ring_queued_tag(const struct cr_ring *ring, uint32_t position) {
    return ring->submissions[(__atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE) + position) & ring->sq_mask].tag;
}

// MARK: Handing over

int cr_ring_submit(struct cr_ring *ring) {
    // Without a thread of the kernel that polls the queue, its tail is read in this call only: it may also go back.
    __atomic_store_n(ring->sq_tail, ring->sq_next, __ATOMIC_RELEASE);
    int is_owner = ring->owner == &this_thread;
    int fd = is_owner ? ring->own_number : ring->descriptor;
    unsigned flags = is_owner ? ENTER_REGISTERED_RING : 0;
    long count = syscall(SYSCALL_ENTER, fd, cr_ring_queued(ring), 0, flags, NULL, 0);
    return count < 0 ? -errno : 0;
}

int cr_ring_next_failure(struct cr_ring *ring, uint64_t *tag, int32_t *result) {
    uint32_t next = ring->cq_next;
    if (next == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) return 0;
    const struct cr_completion *completion = &ring->completions[next & ring->cq_mask];
    *tag = completion->tag;
    *result = completion->result;
    ring->cq_next = next + 1;
    __atomic_store_n(ring->cq_head, next + 1, __ATOMIC_RELEASE);
    return 1;
}

void cr_ring_begin_batch(struct cr_ring *ring) {
    ring->sq_next = __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
    ring->arena_used = 0;
    ring->batch += 1;
}
