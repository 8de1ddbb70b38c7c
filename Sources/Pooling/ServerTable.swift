/// What a server is doing.
///
/// opening → busy or idle (or gone, when opening fails); idle → busy, closing; busy → idle, closing, gone;
/// closing → gone.
package enum ServerState: UInt8, Sendable {
    /// Has its slot, has no connection that could be used.
    case opening
    case idle
    /// With a client, or taken out of the idle ones to be looked at.
    case busy
    /// Given up; holds its slot until the driver says it is gone.
    case closing
}

/// How many servers of a pool are in which state, and how many clients wait.
package struct PoolCounts: Sendable, Equatable {
    package internal(set) var opening = 0
    package internal(set) var idle = 0
    package internal(set) var busy = 0
    package internal(set) var closing = 0
    package internal(set) var waiting = 0

    /// Every slot that is taken.
    package var total: Int { self.opening + self.idle + self.busy + self.closing }

    /// Servers that stay or will be there: every slot but those on their way out.
    package var staying: Int { self.opening + self.idle + self.busy }

    /// Servers that have been opened and still serve.
    package var live: Int { self.idle + self.busy }

    mutating func add(_ change: Int, to state: ServerState) {
        switch state {
        case .opening: self.opening += change
        case .idle: self.idle += change
        case .busy: self.busy += change
        case .closing: self.closing += change
        }
    }
}

/// What the machine knows about one server.
struct ServerSlot: Sendable {
    /// `nil` is a vacant slot.
    var state: ServerState?
    /// A client had it at least once.
    var wasUsed = false
    /// Deviation of lifetime and idle timeout, in thousandths.
    var lifetimeJitter: Int16 = 0
    var idleJitter: Int16 = 0
    /// The worker that has its descriptor, or is opening it.
    var worker: Int32 = 0
    var generation: UInt32 = 0
    /// The pool's epoch when it was asked for.
    var epoch: UInt32 = 0
    /// It is not used again; see `PoolMachine.leave`.
    var isLeft = false
    /// The next vacant slot, -1 at the end of that list.
    var nextVacant: Int32 = -1
    var openedAt: Microseconds = 0
    /// When it last became idle or was handed out.
    var lastUsed: Microseconds = 0
    /// When it was handed out to the client that has it, if one has; `.max` while it is only looked at.
    var busySince: Microseconds = .max

    /// A client of `worker` gets it.
    mutating func handOut(to worker: Int, now: Microseconds) {
        self.worker = Int32(truncatingIfNeeded: worker)
        self.wasUsed = true
        self.lastUsed = now
        self.busySince = now
    }

    /// It rests on `worker`.
    mutating func rest(on worker: Int, now: Microseconds) {
        self.worker = Int32(truncatingIfNeeded: worker)
        self.lastUsed = now
        self.busySince = .max
    }

    /// Whether it is older than so many lifetimes, its own deviation applied; `lifetime` 0 is never.
    func isPast(lifetime: Microseconds, times: Int64, now: Microseconds) -> Bool {
        lifetime > 0 && now - self.openedAt > JitterSource.apply(self.lifetimeJitter, to: lifetime) * times
    }

    /// Whether it has rested too long, its own deviation applied, and was used before; `idleTimeout` 0 is never.
    func isPast(idleTimeout: Microseconds, now: Microseconds) -> Bool {
        idleTimeout > 0 && self.wasUsed && now - self.lastUsed > JitterSource.apply(self.idleJitter, to: idleTimeout)
    }
}

/// The server slots of one pool, kept and reused by index. Owned by one pool machine, under the pool's lock.
///
/// Slots are made when first needed, so the table is as long as the largest number of servers there ever was.
struct ServerTable: Sendable {
    private(set) var slots: ContiguousArray<ServerSlot> = []
    private var firstVacant: Int32 = -1
    var counts = PoolCounts()

    /// Takes a vacant slot, or makes one; `isNew` tells the caller to lengthen what stands beside the slots.
    mutating func take() -> (index: Int, isNew: Bool) {
        if self.firstVacant >= 0 {
            let index = Int(self.firstVacant)
            self.firstVacant = self.slots[index].nextVacant
            return (index, false)
        }
        self.slots.append(ServerSlot())
        return (self.slots.count - 1, true)
    }

    /// Makes the slot vacant and ends its name.
    mutating func vacate(_ index: Int) {
        self.setState(nil, of: index)
        self.slots[index].generation &+= 1
        self.slots[index].nextVacant = self.firstVacant
        self.firstVacant = Int32(truncatingIfNeeded: index)
    }

    mutating func setState(_ state: ServerState?, of index: Int) {
        if let old = self.slots[index].state { self.counts.add(-1, to: old) }
        if let state { self.counts.add(1, to: state) }
        self.slots[index].state = state
    }

    /// The index of a server that is there under this very name.
    func index(of server: ServerID) -> Int? {
        let index = server.slot
        guard index >= 0, index < self.slots.count, self.slots[index].generation == server.generation,
            self.slots[index].state != nil
        else { return nil }
        return index
    }

    /// The same, if it is in this state.
    func index(of server: ServerID, in state: ServerState) -> Int? {
        let index = server.slot
        guard index >= 0, index < self.slots.count, self.slots[index].generation == server.generation,
            self.slots[index].state == state
        else { return nil }
        return index
    }

    func name(of index: Int) -> ServerID {
        ServerID(index: Int32(truncatingIfNeeded: index), generation: self.slots[index].generation)
    }

    subscript(index: Int) -> ServerSlot {
        get { self.slots[index] }
        _modify { yield &self.slots[index] }
    }
}
