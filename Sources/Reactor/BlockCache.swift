import CReactor

/// Memory blocks of two sizes that a worker uses again and again for bytes that have to wait: small ones for requests
/// that wait for a server, large ones for output that a slow peer has not taken yet. Keeps a bounded number of free
/// blocks; belongs to one worker.
@safe
struct BlockCache {
    static let smallBlock = 1024
    /// Room for a full receive buffer behind what a slow peer may leave untaken before its sender is paused.
    static let largeBlock = 256 * 1024
    private static let smallKept = 1024
    private static let largeKept = 16

    private var small: ContiguousArray<UnsafeMutableRawPointer> = unsafe []
    private var large: ContiguousArray<UnsafeMutableRawPointer> = unsafe []

    /// A block of at least `count` bytes and its true capacity.
    mutating func take(atLeast count: Int) -> UnsafeMutableRawBufferPointer {
        if count <= Self.smallBlock {
            let block = unsafe self.small.popLast() ?? .allocate(byteCount: Self.smallBlock, alignment: 16)
            return unsafe UnsafeMutableRawBufferPointer(start: block, count: Self.smallBlock)
        }
        if count <= Self.largeBlock {
            let block = unsafe self.large.popLast() ?? .allocate(byteCount: Self.largeBlock, alignment: 16)
            return unsafe UnsafeMutableRawBufferPointer(start: block, count: Self.largeBlock)
        }
        return .allocate(byteCount: count, alignment: 16)
    }

    mutating func giveBack(_ block: UnsafeMutableRawBufferPointer) {
        guard let base = block.baseAddress else { return }
        if block.count == Self.smallBlock, unsafe self.small.count < Self.smallKept {
            unsafe self.small.append(base)
        } else if block.count == Self.largeBlock, unsafe self.large.count < Self.largeKept {
            unsafe self.large.append(base)
        } else {
            unsafe base.deallocate()
        }
    }
}

/// A queue of bytes in one block: appended at the end, taken from the front. Empty ones hold no memory.
/// Belongs to an endpoint; its block comes from the endpoint's worker.
@safe
struct HeldBytes: ~Copyable {
    private var block = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var start = 0
    private(set) var count = 0
    /// Secrets pass through: what is taken from the front is overwritten with zeros.
    var isWiped = false

    init() {}

    var isEmpty: Bool { self.count == 0 }

    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: self.block[self.start..<(self.start + self.count)])
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer, cache: inout BlockCache) {
        guard bytes.count > 0 else { return }
        let needed = self.count + bytes.count
        if unsafe self.start + needed > self.block.count {
            self.makeRoom(for: needed, cache: &cache)
        }
        let end = self.start + self.count
        unsafe UnsafeMutableRawBufferPointer(rebasing: self.block[end..<(end + bytes.count)]).copyMemory(from: bytes)
        self.count = needed
    }

    private mutating func makeRoom(for needed: Int, cache: inout BlockCache) {
        if unsafe needed <= self.block.count {
            let held = unsafe self.bytes
            unsafe self.block.copyMemory(from: held)
            if self.isWiped { self.wipe(self.count..<(self.start + self.count)) }
        } else {
            let larger = unsafe cache.take(atLeast: needed > BlockCache.largeBlock ? needed * 2 : needed)
            let held = unsafe self.bytes
            unsafe larger.copyMemory(from: held)
            if self.isWiped { self.wipe(self.start..<(self.start + self.count)) }
            unsafe cache.giveBack(self.block)
            unsafe self.block = larger
        }
        self.start = 0
    }

    /// Forgets the first `taken` bytes; gives the block back when nothing is left.
    mutating func drop(_ taken: Int, cache: inout BlockCache) {
        if self.isWiped { self.wipe(self.start..<(self.start + min(taken, self.count))) }
        self.start += min(taken, self.count)
        self.count -= min(taken, self.count)
        if self.count == 0 { self.clear(cache: &cache) }
    }

    /// Moves everything out, so that it can be looked at while the owner changes.
    mutating func takeOut() -> HeldBytes {
        var taken = HeldBytes()
        unsafe taken.block = self.block
        taken.start = self.start
        taken.count = self.count
        taken.isWiped = self.isWiped
        unsafe self.block = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        self.start = 0
        self.count = 0
        return taken
    }

    /// Takes over what `takeOut` gave. Only while empty.
    mutating func putBack(_ taken: consuming HeldBytes) {
        unsafe self.block = taken.block
        self.start = taken.start
        self.count = taken.count
    }

    mutating func clear(cache: inout BlockCache) {
        if self.isWiped { self.wipe(self.start..<(self.start + self.count)) }
        unsafe cache.giveBack(self.block)
        unsafe self.block = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        self.start = 0
        self.count = 0
    }

    private func wipe(_ range: Range<Int>) {
        if let base = unsafe self.block.baseAddress { unsafe cr_wipe(base + range.lowerBound, range.count) }
    }
}
