/// Names one server of one pool: an index into the driver's array of connections, and a generation that tells the
/// present owner of the slot from the earlier ones. The machine ignores a name whose generation has passed.
package struct ServerID: Hashable, Sendable {
    package let index: Int32
    package let generation: UInt32

    package init(index: Int32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// The index in the width that arrays take.
    package var slot: Int { Int(self.index) }
}

/// Names one place in the queue of one pool: an index into the driver's array of waiting clients, and a generation.
/// The name ends when the waiter is granted a server, fails, expires or is cancelled.
package struct WaiterID: Hashable, Sendable {
    package let index: Int32
    package let generation: UInt32

    package init(index: Int32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// The index in the width that arrays take.
    package var slot: Int { Int(self.index) }
}
