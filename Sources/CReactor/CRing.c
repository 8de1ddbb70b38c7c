#define _GNU_SOURCE
#include "cring.h"

#include "creactor.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Numbers of include/uapi/linux/io_uring.h, which build machines have in very different ages.
enum {
    SYSCALL_SETUP = 425, SYSCALL_ENTER = 426, SYSCALL_REGISTER = 427,
    SETUP_CQSIZE = 1 << 3, SETUP_R_DISABLED = 1 << 6, SETUP_SUBMIT_ALL = 1 << 7,
    SETUP_SINGLE_ISSUER = 1 << 12, SETUP_DEFER_TASKRUN = 1 << 13, SETUP_NO_SQARRAY = 1 << 16,
    FEATURE_SINGLE_MMAP = 1 << 0, FEATURE_NODROP = 1 << 1, FEATURE_EXT_ARG = 1 << 8, FEATURE_CQE_SKIP = 1 << 11,
    ENTER_GETEVENTS = 1, ENTER_EXT_ARG = 8, ENTER_REGISTERED_RING = 16,
    REGISTER_ENABLE_RINGS = 12, REGISTER_RING_FDS = 20, REGISTER_PBUF_RING = 22,
    OP_NOP = 0, OP_POLL_ADD = 6, OP_ACCEPT = 13, OP_ASYNC_CANCEL = 14, OP_SEND = 26, OP_RECV = 27,
    ENTRY_BUFFER_SELECT = 1 << 5, ENTRY_SKIP_SUCCESS = 1 << 6,
    RECEIVE_MULTISHOT = 1 << 1, ACCEPT_MULTISHOT = 1 << 0, POLL_MULTISHOT = 1 << 0,
};

enum { SQ_ENTRIES = 256, CQ_ENTRIES = 4096, BUFFER_GROUP = 0 };

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

struct buffer_entry {
    uint64_t address;
    uint32_t length;
    uint16_t number;
    /// In the first entry: the tail of the ring.
    uint16_t tail;
};

_Static_assert(sizeof(struct cr_submission) == 64, "io_uring_sqe");
_Static_assert(sizeof(struct cr_completion) == 16, "io_uring_cqe");
_Static_assert(sizeof(struct ring_parameters) == 120, "io_uring_params");
_Static_assert(sizeof(struct buffer_entry) == 16, "io_uring_buf");

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
    uint32_t flags = SETUP_CQSIZE | SETUP_R_DISABLED | SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN;
    for (int attempt = 0; attempt < 2; attempt++) {
        memset(parameters, 0, sizeof *parameters);
        parameters->cq_entries = CQ_ENTRIES;
        parameters->flags = attempt == 0 ? flags | SETUP_NO_SQARRAY : flags;
        int fd = (int)syscall(SYSCALL_SETUP, SQ_ENTRIES, parameters);
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
    ring->cq_entries = parameters->cq_entries;
    ring->cq_mask = parameters->cq_entries - 1;
    if ((parameters->flags & SETUP_NO_SQARRAY) == 0) {
        uint32_t *array = (uint32_t *)(queues + parameters->sq.array);
        for (uint32_t index = 0; index < parameters->sq_entries; index++) array[index] = index;
    }
    return 0;
}

static int provide_buffers(struct cr_ring *ring) {
    ring->buffer_ring = map(ring, 2, CR_RING_BUFFERS * sizeof(struct buffer_entry), -1, 0);
    uint64_t bytes = (uint64_t)CR_RING_BUFFERS * CR_RING_BUFFER_SIZE;
    ring->buffers = map(ring, 3, bytes + CR_RING_ARENA, -1, 0);
    if (ring->buffer_ring == NULL || ring->buffers == NULL) return -ENOMEM;
    ring->arena = ring->buffers + bytes;
    struct {
        uint64_t address;
        uint32_t entries;
        uint16_t group, flags;
        uint64_t reserved[3];
    } registration = {(uint64_t)(uintptr_t)ring->buffer_ring, CR_RING_BUFFERS, BUFFER_GROUP, 0, {0}};
    if (syscall(SYSCALL_REGISTER, ring->descriptor, REGISTER_PBUF_RING, &registration, 1) < 0) return -errno;
    cr_ring_give_back(ring, 0, CR_RING_BUFFERS);
    return 0;
}

int cr_ring_open(struct cr_ring *ring) {
    struct ring_parameters parameters;
    memset(ring, 0, sizeof *ring);
    ring->descriptor = setup(&parameters);
    if (ring->descriptor < 0) return ring->descriptor;
    uint32_t needed = FEATURE_SINGLE_MMAP | FEATURE_NODROP | FEATURE_EXT_ARG | FEATURE_CQE_SKIP;
    int result = (parameters.features & needed) == needed ? map_queues(ring, &parameters) : -ENOSYS;
    if (result == 0) result = provide_buffers(ring);
    if (result < 0) cr_ring_close(ring);
    return result;
}

void cr_ring_close(struct cr_ring *ring) {
    if (ring->descriptor >= 0) close(ring->descriptor);
    ring->descriptor = -1;
    for (int index = 0; index < 4; index++)
        if (ring->maps[index] != NULL) munmap(ring->maps[index], ring->map_sizes[index]);
    memset(ring->maps, 0, sizeof ring->maps);
}

int cr_ring_enable(struct cr_ring *ring) {
    if (syscall(SYSCALL_REGISTER, ring->descriptor, REGISTER_ENABLE_RINGS, NULL, 0) < 0) return -errno;
    ring->is_enabled = 1;
    // Spares the kernel the way through the descriptor table on every call. Not to be had is no harm.
    struct {
        uint32_t offset, reserved;
        uint64_t data;
    } registration = {UINT32_MAX, 0, (uint64_t)ring->descriptor};
    ring->enter_descriptor = ring->descriptor;
    if (syscall(SYSCALL_REGISTER, ring->descriptor, REGISTER_RING_FDS, &registration, 1) == 1) {
        ring->enter_descriptor = (int)registration.offset;
        ring->enter_flags = ENTER_REGISTERED_RING;
    }
    return 0;
}

// MARK: Handing over

static int enter(struct cr_ring *ring, uint32_t least, uint32_t flags, const void *argument, size_t size) {
    __atomic_store_n(ring->sq_tail, ring->sq_next, __ATOMIC_RELEASE);
    uint32_t count = ring->sq_next - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
    if (syscall(SYSCALL_ENTER, ring->enter_descriptor, count, least, flags | ring->enter_flags, argument, size) >= 0)
        return 0;
    switch (errno) {
    // The end of the time, a signal, and want of memory or of room for completions: the next round goes on.
    case ETIME: case EINTR: case EAGAIN: case EBUSY: case ENOMEM: return 0;
    default: return -errno;
    }
}

int cr_ring_enter(struct cr_ring *ring, int timeout_milliseconds) {
    if (timeout_milliseconds == 0) return enter(ring, 0, ENTER_GETEVENTS, NULL, 0);
    if (timeout_milliseconds < 0) return enter(ring, 1, ENTER_GETEVENTS, NULL, 0);
    struct {
        int64_t seconds, nanoseconds;
    } timeout = {timeout_milliseconds / 1000, timeout_milliseconds % 1000 * 1000000ll};
    struct {
        uint64_t signal_mask;
        uint32_t signal_mask_size, least_wait;
        uint64_t timeout;
    } argument = {0, 0, 0, (uint64_t)(uintptr_t)&timeout};
    return enter(ring, 1, ENTER_GETEVENTS | ENTER_EXT_ARG, &argument, sizeof argument);
}

int cr_ring_submit(struct cr_ring *ring) { return enter(ring, 0, 0, NULL, 0); }

int cr_ring_is_submitted(const struct cr_ring *ring) {
    return __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE) == ring->sq_next;
}

void cr_ring_begin_batch(struct cr_ring *ring) {
    ring->arena_used = 0;
    ring->has_leftovers = !cr_ring_is_submitted(ring);
    ring->batch += 1;
}

// MARK: Operations

static struct cr_submission *next_entry(struct cr_ring *ring, uint8_t opcode, int fd, uint64_t tag) {
    if (cr_ring_space(ring) == 0) return NULL;
    struct cr_submission *entry = &ring->submissions[ring->sq_next & ring->sq_mask];
    ring->sq_next += 1;
    memset(entry, 0, sizeof *entry);
    entry->opcode = opcode;
    entry->fd = fd;
    entry->tag = tag;
    return entry;
}

int cr_ring_receive(struct cr_ring *ring, int fd, uint64_t tag) {
    struct cr_submission *entry = next_entry(ring, OP_RECV, fd, tag);
    if (entry == NULL) return 0;
    entry->flags = ENTRY_BUFFER_SELECT;
    entry->priority = RECEIVE_MULTISHOT;
    entry->buffer_group = BUFFER_GROUP;
    return 1;
}

int cr_ring_accept(struct cr_ring *ring, int fd, uint64_t tag) {
    struct cr_submission *entry = next_entry(ring, OP_ACCEPT, fd, tag);
    if (entry == NULL) return 0;
    entry->priority = ACCEPT_MULTISHOT;
    entry->operation_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    return 1;
}

int cr_ring_poll(struct cr_ring *ring, int fd, uint32_t events, int is_repeated, uint64_t tag) {
    struct cr_submission *entry = next_entry(ring, OP_POLL_ADD, fd, tag);
    if (entry == NULL) return 0;
    entry->length = is_repeated ? POLL_MULTISHOT : 0;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    events = events << 16 | events >> 16;
#endif
    entry->operation_flags = events;
    return 1;
}

int cr_ring_cancel(struct cr_ring *ring, uint64_t target, uint64_t tag) {
    struct cr_submission *entry = next_entry(ring, OP_ASYNC_CANCEL, -1, tag);
    if (entry == NULL) return 0;
    entry->flags = ENTRY_SKIP_SUCCESS;
    entry->address = target;
    return 1;
}

int64_t cr_ring_send(struct cr_ring *ring, int fd, const void *bytes, uint32_t count, uint64_t tag, uint32_t *offset) {
    if (count > CR_RING_ARENA - ring->arena_used) return -1;
    uint32_t number = ring->sq_next;
    struct cr_submission *entry = next_entry(ring, OP_SEND, fd, tag);
    if (entry == NULL) return -1;
    *offset = ring->arena_used;
    memcpy(ring->arena + *offset, bytes, count);
    ring->arena_used += count;
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
    memset(entry, 0, sizeof *entry);
    entry->opcode = OP_NOP;
    entry->fd = -1;
    entry->flags = ENTRY_SKIP_SUCCESS;
}

void cr_ring_withdraw_all(struct cr_ring *ring, uint64_t cancel_tag) {
    for (uint32_t number = __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE); number != ring->sq_next; number++) {
        uint64_t tag = ring->submissions[number & ring->sq_mask].tag;
        if (((tag ^ cancel_tag) & ~CR_TAG_OPERATION) == 0 && tag != cancel_tag) cr_ring_withdraw(ring, number);
    }
}

int cr_ring_next_queued(const struct cr_ring *ring, uint64_t operation, int is_first, uint32_t *number, uint64_t *tag) {
    uint32_t next = is_first ? __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE) : *number;
    for (; next != ring->sq_next; next++) {
        *tag = ring->submissions[next & ring->sq_mask].tag;
        if ((*tag & CR_TAG_OPERATION) != operation) continue;
        *number = next + 1;
        return 1;
    }
    return 0;
}

void cr_ring_give_back(struct cr_ring *ring, uint16_t first, uint16_t count) {
    struct buffer_entry *entries = ring->buffer_ring;
    for (uint16_t number = first; number < first + count; number++) {
        struct buffer_entry *entry = &entries[ring->buffer_tail & (CR_RING_BUFFERS - 1)];
        entry->address = (uint64_t)(uintptr_t)(ring->buffers + (uint64_t)number * CR_RING_BUFFER_SIZE);
        entry->length = CR_RING_BUFFER_SIZE;
        entry->number = number;
        ring->buffer_tail += 1;
    }
    __atomic_store_n(&entries[0].tail, (uint16_t)ring->buffer_tail, __ATOMIC_RELEASE);
}

// MARK: Completions out of order

int cr_ring_next_failure(struct cr_ring *ring, uint64_t operation, struct cr_completion *out) {
    uint32_t tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    // What has been taken out meanwhile need not be looked at.
    if ((int32_t)(ring->cq_looked - ring->cq_next) < 0) ring->cq_looked = ring->cq_next;
    while (ring->cq_looked != tail) {
        struct cr_completion *completion = &ring->completions[ring->cq_looked++ & ring->cq_mask];
        if ((completion->tag & CR_TAG_OPERATION) != operation) continue;
        *out = *completion;
        completion->tag = 0;
        return 1;
    }
    return 0;
}

int cr_ring_extract(struct cr_ring *ring, uint64_t tag, struct cr_completion *out) {
    uint32_t tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    for (uint32_t next = ring->cq_next; next != tail; next++) {
        struct cr_completion *completion = &ring->completions[next & ring->cq_mask];
        if (completion->tag != tag) continue;
        *out = *completion;
        completion->tag = 0;
        completion->flags = 0;
        return 1;
    }
    return 0;
}

int cr_ring_holds(const struct cr_ring *ring, uint64_t tag) {
    uint32_t tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    for (uint32_t next = ring->cq_next; next != tail; next++)
        if (ring->completions[next & ring->cq_mask].tag == tag) return 1;
    return 0;
}
