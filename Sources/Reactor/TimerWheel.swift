/// Deadlines of the endpoints of one worker: a wheel of coarse buckets with linked lists through slot numbers, so that
/// arming, moving and cancelling are O(1) and take no memory. One deadline per slot.
///
/// A deadline farther away than one turn of the wheel stays in its bucket and is looked at once per turn.
/// Precision is one bucket (`granularity`), always late, never early. Belongs to its worker.
struct TimerWheel {
    /// Width of one bucket.
    static let granularity: MonotonicMicroseconds = 16_384
    static let bucketCount = 256
    static let never = MonotonicMicroseconds.max
    private static let none: Int32 = -1

    private struct Node {
        var deadline: MonotonicMicroseconds = 0
        var next: Int32 = TimerWheel.none
        var previous: Int32 = TimerWheel.none
        var bucket: Int32 = TimerWheel.none
        /// Taken out by `advance`, and neither armed again nor cancelled since.
        var isDue = false
    }

    private var nodes: ContiguousArray<Node> = []
    private var heads = ContiguousArray<Int32>(repeating: TimerWheel.none, count: TimerWheel.bucketCount)
    /// One bit per bucket that holds anything, so that the way to the next one takes no walk.
    private var occupied = SIMD4<UInt64>()
    private var currentTick: Int64
    private(set) var armedCount = 0
    /// The tick of the next bucket that holds anything, as long as nothing has changed since it was found.
    private var nextTick: Int64?

    init(now: MonotonicMicroseconds) {
        self.currentTick = now / Self.granularity
    }

    /// Arms or moves the deadline of `slot`. A deadline in the past fires at the next `advance`.
    mutating func arm(_ slot: Int, at deadline: MonotonicMicroseconds) {
        while self.nodes.count <= slot { self.nodes.append(Node()) }
        if self.nodes[slot].bucket != Self.none { self.unlink(slot) }
        // One tick later than the deadline's own bucket start, so that a bucket is only visited when it is due.
        let tick = max(deadline / Self.granularity + 1, self.currentTick + 1)
        let bucket = Int(tick % Int64(Self.bucketCount))
        let head = self.heads[bucket]
        self.nodes[slot] = Node(deadline: deadline, next: head, previous: Self.none, bucket: Int32(bucket))
        if head != Self.none { self.nodes[Int(head)].previous = Int32(slot) }
        self.heads[bucket] = Int32(slot)
        self.occupied[bucket / 64] |= 1 << UInt64(bucket % 64)
        self.armedCount += 1
        self.nextTick = nil
    }

    mutating func cancel(_ slot: Int) {
        guard slot < self.nodes.count else { return }
        self.nodes[slot].isDue = false
        if self.nodes[slot].bucket != Self.none { self.unlink(slot) }
    }

    /// True once for a slot that `advance` has taken out, unless its deadline was moved or cancelled meanwhile.
    mutating func takeDue(_ slot: Int) -> Bool {
        guard slot < self.nodes.count, self.nodes[slot].isDue else { return false }
        self.nodes[slot].isDue = false
        return true
    }

    private mutating func unlink(_ slot: Int) {
        let node = self.nodes[slot]
        if node.previous != Self.none {
            self.nodes[Int(node.previous)].next = node.next
        } else {
            let bucket = Int(node.bucket)
            self.heads[bucket] = node.next
            if node.next == Self.none { self.occupied[bucket / 64] &= ~(1 << UInt64(bucket % 64)) }
        }
        if node.next != Self.none { self.nodes[Int(node.next)].previous = node.previous }
        self.nodes[slot].bucket = Self.none
        self.armedCount -= 1
        self.nextTick = nil
    }

    /// Takes out every slot whose deadline has passed and appends it to `due`.
    mutating func advance(to now: MonotonicMicroseconds, due: inout ContiguousArray<Int>) {
        let target = now / Self.granularity
        guard target > self.currentTick else { return }
        self.nextTick = nil
        if self.armedCount == 0 {
            self.currentTick = target
            return
        }
        // After a long pause every bucket is visited once, not once per missed tick.
        let steps = min(target - self.currentTick, Int64(Self.bucketCount))
        for step in 1...steps {
            self.collect(bucket: Int((target - steps + step) % Int64(Self.bucketCount)), now: now, due: &due)
        }
        self.currentTick = target
    }

    private mutating func collect(bucket: Int, now: MonotonicMicroseconds, due: inout ContiguousArray<Int>) {
        var slot = self.heads[bucket]
        while slot != Self.none {
            let next = self.nodes[Int(slot)].next
            if self.nodes[Int(slot)].deadline <= now {
                self.unlink(Int(slot))
                self.nodes[Int(slot)].isDue = true
                due.append(Int(slot))
            }
            slot = next
        }
    }

    /// When the next bucket that holds anything is due; `never` when none does.
    mutating func nextDue() -> MonotonicMicroseconds {
        self.armedCount == 0 ? Self.never : self.findNextTick() * Self.granularity
    }

    private mutating func findNextTick() -> Int64 {
        if let nextTick { return nextTick }
        let start = Int((self.currentTick + 1) % Int64(Self.bucketCount))
        let found = self.currentTick + 1 + Int64(self.distance(from: start))
        self.nextTick = found
        return found
    }

    /// Buckets from `start` to the next occupied one, around the wheel.
    private func distance(from start: Int) -> Int {
        for step in 0...4 {
            let word = (start / 64 + step) % 4
            var bits = self.occupied[word]
            // Buckets before `start` in its own word come last, after the whole turn.
            if step == 0 { bits &= ~0 << UInt64(start % 64) }
            if bits != 0 {
                let bucket = word * 64 + bits.trailingZeroBitCount
                return (bucket - start + Self.bucketCount) % Self.bucketCount
            }
        }
        return Self.bucketCount - 1
    }
}
